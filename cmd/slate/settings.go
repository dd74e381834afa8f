package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"gatelodge/internal/sqldb"
	"gatelodge/slate/api"
)

// settings are what flags, environment and file say, by the names of flags.
type settings map[string]string

type setting struct {
	name, initial, usage string
	// serveOnly settings are no flags of the other commands.
	serveOnly bool
}

var known = []setting{
	{"data", "./slate-data", "`folder` of the SQLite file, the reports and their archives", false},
	{"database", "", "postgres:// `URL`; left out: SQLite in the data folder (better given by --database-file)", false},
	{"database-file", "", "`file` that holds the value of --database", false},
	{"folder", "", "`folder` that reports are put into (default reports in the data folder)", false},
	{"archives", "", "`folder` of the published reports (default archives in the data folder)", false},
	{"listen", "127.0.0.1:9090", "`address` of the listener; port 0 takes a free one", true},
	{"url", "", "public base `URL`, https unless on loopback (default http://localhost:PORT)", true},
	{"gatelodge", "http://localhost:8080", "base `URL` of the Gatelodge server", true},
	{"client-id", "", "`client ID` of Slate's own security profile at Gatelodge", true},
	{"client-secret", "", "its client `secret` (better given by --client-secret-file)", true},
	{"client-secret-file", "", "`file` that holds the value of --client-secret", true},
	{"audience", "", "`identifier` of the reporting API at Gatelodge (default URL/apis)", true},
	{"post-logout-url", "", "`URL` that Gatelodge has registered for after signing out: URL/signed-out (default: people stay at Gatelodge)", true},
	{"contact", "", "mail `address` or http(s) URL behind Contact us", true},
	{"scope", "slate:reporting", "`scope` that the reporting API needs", true},
	{"trusted-proxies", "", "`addresses` or networks, separated by commas, of the proxies that are believed about where a request comes from", true},
	{"rate", "20", "`calls` of the reporting API a second that an application may make for one user in the long run", true},
	{"burst", "100", "`calls` that it may make at once", true},
}

const (
	configFlag = "config"
	envPrefix  = "SLATE_"
	fileSuffix = "-file"
)

// serveFlags defines all settings, commonFlags those of all commands on a database.
func serveFlags(fs *pflag.FlagSet)  { define(fs, func(setting) bool { return true }) }
func commonFlags(fs *pflag.FlagSet) { define(fs, func(s setting) bool { return !s.serveOnly }) }

func define(fs *pflag.FlagSet, wanted func(setting) bool) {
	for _, s := range known {
		if wanted(s) {
			fs.String(s.name, s.initial, s.usage)
		}
	}
	fs.String(configFlag, "", "YAML or TOML `file` of settings")
}

func envName(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// given reads a setting from its flag or from the environment.
func given(fs *pflag.FlagSet, name string) string {
	if f := fs.Lookup(name); f != nil && f.Changed {
		return f.Value.String()
	}
	return os.Getenv(envName(name))
}

// load gathers the settings of flags, environment and file, the first of which wins,
// and reads the files of secrets.
func load(fs *pflag.FlagSet) (settings, error) {
	s := settings{}
	fromFile, err := loadFile(given(fs, configFlag))
	if err != nil {
		return nil, err
	}
	for _, k := range known {
		s[k.name] = cmp.Or(given(fs, k.name), fromFile[k.name])
	}
	for _, k := range known {
		secret, isFile := strings.CutSuffix(k.name, fileSuffix)
		if !isFile || s[k.name] == "" {
			continue
		}
		if s[secret] != "" {
			return nil, wrongUse("--%s and --%s are both given: keep one of them", secret, k.name)
		}
		text, err := os.ReadFile(s[k.name])
		if err != nil {
			return nil, wrongUse("--%s: %w", k.name, err)
		}
		if s[secret] = strings.TrimRight(string(text), "\r\n"); s[secret] == "" {
			return nil, wrongUse("--%s: %s is empty", k.name, s[k.name])
		}
	}
	for _, k := range known {
		s[k.name] = cmp.Or(s[k.name], k.initial)
	}
	s["folder"] = cmp.Or(s["folder"], filepath.Join(s["data"], "reports"))
	s["archives"] = cmp.Or(s["archives"], filepath.Join(s["data"], "archives"))
	if u, err := url.Parse(s["database"]); s["database"] != "" && (err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql") {
		// Without the value, which holds a password.
		return nil, wrongUse("--database: write postgres://user:password@host/database, or leave it out for SQLite")
	}
	return s, nil
}

func loadFile(path string) (map[string]string, error) {
	if path == "" {
		return map[string]string{}, nil
	}
	var parser koanf.Parser
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		parser = yaml.Parser()
	case ".toml":
		parser = toml.Parser()
	default:
		return nil, wrongUse("--%s: %s: the name must end in .yaml, .yml or .toml", configFlag, path)
	}
	k := koanf.New("/")
	if err := k.Load(file.Provider(path), parser); err != nil {
		return nil, wrongUse("--%s: %s: %w", configFlag, path, err)
	}
	values := map[string]string{}
	var errs []error
	for name, value := range k.All() {
		text, isText := value.(string)
		switch {
		case !slices.ContainsFunc(known, func(s setting) bool { return s.name == name }):
			errs = append(errs, fmt.Errorf("%s in %s: there is no such setting", name, path))
		case !isText:
			errs = append(errs, fmt.Errorf("%s in %s: the value must be text: put it in quotes", name, path))
		default:
			values[name] = text
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, usageError{err}
	}
	return values, nil
}

func (s settings) databaseConfig() sqldb.Config {
	if s["database"] != "" {
		return sqldb.Config{URL: s["database"]}
	}
	return sqldb.Config{Path: filepath.Join(s["data"], "slate.db")}
}

// callRate is how often the reporting API may be called.
func (s settings) callRate() (api.Rate, error) {
	perSecond, err := strconv.ParseFloat(s["rate"], 64)
	if err != nil || !(perSecond >= 0.01 && perSecond <= maxRate) {
		return api.Rate{}, wrongUse("--rate %q: write a number of calls a second, from 0.01 to %d", s["rate"], maxRate)
	}
	burst, err := strconv.Atoi(s["burst"])
	if err != nil || burst < 1 || burst > maxRate {
		return api.Rate{}, wrongUse("--burst %q: write a number of calls from 1 to %d", s["burst"], maxRate)
	}
	return api.Rate{PerSecond: perSecond, Burst: burst}, nil
}

// trustedProxies reads addresses and networks.
func (s settings) trustedProxies() (all []netip.Prefix, err error) {
	for part := range strings.SplitSeq(s["trusted-proxies"], ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		network, err := netip.ParsePrefix(part)
		if address, aerr := netip.ParseAddr(part); aerr == nil {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil || network != network.Masked() {
			return nil, wrongUse("--trusted-proxies: %q: write addresses or networks, such as 10.0.0.7,192.168.0.0/16", part)
		}
		all = append(all, network)
	}
	return all, nil
}

// maxRate is as good as no limit.
const maxRate = 1_000_000

// checkBaseURL holds a setting to the one spelling of a base URL: addresses are made
// by putting paths behind it, and tokens name it.
func (s settings) checkBaseURL(name string) error {
	u, err := url.Parse(s[name])
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return wrongUse("--%s: write a base URL such as https://%s.example.com", name, name)
	case s[name] != u.Scheme+"://"+u.Host || u.Host != strings.ToLower(u.Host):
		return wrongUse("--%s: no user, path, query or fragment, and lower case: write %s://%s", name, u.Scheme, strings.ToLower(u.Host))
	case u.Scheme == "http" && !onLoopback(u.Hostname()):
		return wrongUse("--%s: http is for loopback only: write https://%s", name, u.Host)
	}
	return nil
}

func onLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
