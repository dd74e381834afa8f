package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settings are what flags, environment and file say, the first of which wins.
type settings struct {
	gatelodge, slate, clientID, secretFile, scope, tokens, config string
	standard                                                      bool
	// secret is never a flag: other users of the computer see those.
	secret string

	// Of single commands.
	code, device, noBrowser bool
	returnURL, to           string
	parallel                int
}

const envPrefix = "REPORT_DOWNLOADER_"

func (s *settings) define(fs *pflag.FlagSet) {
	fs.StringVar(&s.gatelodge, "gatelodge", "http://localhost:8080", "base `URL` of the Gatelodge server")
	fs.StringVar(&s.slate, "slate", "http://localhost:9090", "base `URL` of Slate")
	fs.StringVar(&s.clientID, "client-id", "", "`client ID` of this application's security profile")
	fs.StringVar(&s.secretFile, "client-secret-file", "", "`file` that holds its client secret")
	fs.StringVar(&s.scope, "scope", "slate:reporting", "`scope` to ask for")
	fs.BoolVar(&s.standard, "standard", false, "use the addresses of OAuth 2.1 instead of those of Login with Amazon")
	fs.StringVar(&s.tokens, "tokens", "", "`file` that the tokens are kept in (default report-downloader/tokens.json in the user's configuration folder)")
	fs.StringVar(&s.config, "config", "", "YAML or TOML `file` of settings")
}

// complete fills in what the flags of a command leave open, and checks it.
func (s *settings) complete(c *cobra.Command, getenv func(string) string) error {
	fs := c.Flags()
	env := func(name string) string {
		return getenv(envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	s.config = cmp.Or(s.config, env("config"))
	inFile, err := readConfig(s.config, c.Root())
	if err != nil {
		return err
	}
	fs.VisitAll(func(f *pflag.Flag) {
		value := cmp.Or(env(f.Name), inFile[f.Name])
		if f.Changed || f.Name == "help" || value == "" {
			return
		}
		if failed := fs.Set(f.Name, value); failed != nil {
			err = errors.Join(err, usageError{failed})
		}
	})
	if err != nil {
		return err
	}
	if s.secret = env("client-secret"); s.secret == "" && s.secretFile != "" {
		text, err := os.ReadFile(s.secretFile)
		if err != nil {
			return wrongUse("--client-secret-file: %w", err)
		}
		if s.secret = strings.TrimSpace(string(text)); s.secret == "" {
			return wrongUse("--client-secret-file: %s is empty", s.secretFile)
		}
	}
	if s.tokens == "" {
		folder, err := os.UserConfigDir()
		if err != nil {
			return wrongUse("--tokens: %w", err)
		}
		s.tokens = filepath.Join(folder, "report-downloader", "tokens.json")
	}
	switch {
	case s.clientID == "":
		return wrongUse("--client-id is missing: it is on the page Web Settings of the security profile")
	case s.code && s.device:
		return wrongUse("--code and --device are two ways to log in: keep one of them")
	case fs.Lookup("to") != nil && s.to == "":
		return wrongUse("--to is missing: the folder of the reports")
	case fs.Lookup("parallel") != nil && (s.parallel < 1 || s.parallel > 32):
		return wrongUse("--parallel: write a number from 1 to 32")
	}
	s.gatelodge, s.slate = strings.TrimSuffix(s.gatelodge, "/"), strings.TrimSuffix(s.slate, "/")
	return cmp.Or(checkBaseURL("gatelodge", s.gatelodge), checkBaseURL("slate", s.slate))
}

// checkBaseURL: tokens and secrets cross the network by https only.
func checkBaseURL(name, value string) error {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || value != u.Scheme+"://"+u.Host+u.EscapedPath():
		return wrongUse("--%s: write a base URL such as https://%s.example.com", name, name)
	case u.Scheme == "http" && !onLoopback(u.Hostname()):
		return wrongUse("--%s: http is for loopback only: write https://%s", name, u.Host)
	}
	return nil
}

func onLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func readConfig(path string, root *cobra.Command) (map[string]string, error) {
	values := map[string]string{}
	if path == "" {
		return values, nil
	}
	var parser koanf.Parser
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		parser = yaml.Parser()
	case ".toml":
		parser = toml.Parser()
	default:
		return nil, wrongUse("--config: %s: the name must end in .yaml, .yml or .toml", path)
	}
	k := koanf.New("/")
	if err := k.Load(file.Provider(path), parser); err != nil {
		return nil, wrongUse("--config: %s: %w", path, err)
	}
	known := map[string]bool{}
	for _, c := range append(root.Commands(), root) {
		for _, fs := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
			fs.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		}
	}
	for name, value := range k.All() {
		if !known[name] {
			return nil, wrongUse("%s in %s: there is no such setting", name, path)
		}
		values[name] = fmt.Sprint(value)
	}
	return values, nil
}
