package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
)

// loadWith parses args as serve does.
func loadWith(t *testing.T, args []string, environ ...string) (Config, error) {
	t.Helper()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(fs, environ)
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func diff(got, want Config) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}))
}

func defaults() Config {
	return Config{
		Listen:    "127.0.0.1:8080",
		Data:      "./gatelodge-data",
		KeyFile:   "gatelodge-data/key-encryption-keys",
		Namespace: "amzn1",
		SignUp:    "open",

		Registration: "off",
	}
}

func TestDefaults(t *testing.T) {
	got, err := loadWith(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(got, defaults()); d != "" {
		t.Error(d)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

const inFile = `
listen: 0.0.0.0:80
issuer: https://file.example
data: from-file
namespace: file
sign-up: closed
metrics: 127.0.0.1:9090
contact: help@file.example
registration: token
registration-scopes: [openid, email]
trusted-proxies: [10.0.0.1, 192.168.0.0/16]
`

func TestPrecedence(t *testing.T) {
	path := writeFile(t, "settings.yaml", inFile)
	got, err := loadWith(t,
		[]string{"--config", path, "--listen", "127.0.0.1:0", "--namespace", "flag"},
		"GATELODGE_LISTEN=127.0.0.1:81", "GATELODGE_ISSUER=https://env.example", "GATELODGE_NAMESPACE=env", "GATELODGE_SIGN_UP=invite", "GATELODGE_REGISTRATION=open",
		"GATELODGE_METRICS=", "GATELODGE_PORT=tcp://10.0.0.1:8080", "PATH=/bin", "GATELODGE_TRUSTED_PROXIES=::1, 10.1.0.0/16",
	)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Listen:         "127.0.0.1:0",         // flag over environment over file
		Issuer:         "https://env.example", // environment over file
		Data:           "from-file",           // file over default
		KeyFile:        "from-file/key-encryption-keys",
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.1.0.0/16")},
		Metrics:        "127.0.0.1:9090", // an empty variable is not set
		Namespace:      "flag",
		SignUp:         "invite",

		Registration:       "open", // environment over file
		RegistrationScopes: []string{"openid", "email"},

		Contact: "help@file.example",
	}
	if d := diff(got, want); d != "" {
		t.Error(d)
	}
}

// A flag that repeats its default is given, too.
func TestFlagWithDefaultValueWins(t *testing.T) {
	got, err := loadWith(t, []string{"--listen=127.0.0.1:8080", "--metrics="}, "GATELODGE_LISTEN=127.0.0.1:81", "GATELODGE_METRICS=127.0.0.1:9090")
	if err != nil || got.Listen != "127.0.0.1:8080" || got.Metrics != "" {
		t.Errorf("%q, %q, %v", got.Listen, got.Metrics, err)
	}
}

func TestFiles(t *testing.T) {
	for name, text := range map[string]string{
		"a.yaml": "namespace: ours\ntrusted-proxies:\n- 10.0.0.1\n- 10.0.0.2\n",
		"a.yml":  "namespace: ours\ntrusted-proxies: 10.0.0.1,10.0.0.2\n",
		"a.toml": "namespace = 'ours'\ntrusted-proxies = ['10.0.0.1', '10.0.0.2']\n",
	} {
		want := defaults()
		want.Namespace = "ours"
		want.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")}
		path := writeFile(t, name, text)
		got, err := loadWith(t, nil, "GATELODGE_CONFIG="+path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := diff(got, want); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestFileRefused(t *testing.T) {
	const there = "there is no such setting; there are listen, issuer, data, database, key-file, trusted-proxies, metrics, namespace, sign-up, registration, registration-scopes, smtp, mail-from, regions, contact"
	const quotes = "the value must be text: put it in quotes"
	for _, tc := range []struct{ name, file, text, want string }{
		{"unknown", "a.yaml", "lisen: 127.0.0.1:80", "lisen in PATH: " + there},
		{"upper case", "a.yaml", "Listen: 127.0.0.1:80", "Listen in PATH: " + there},
		{"nested", "a.toml", "[smtp]\nhost = 'x'", "smtp.host in PATH: " + there},
		{"a file in a file", "a.yaml", "config: b.yaml", "config in PATH: " + there},
		{"a number", "a.yaml", "metrics: 9090", "metrics in PATH: " + quotes},
		{"a truth value", "a.toml", "sign-up = false", "sign-up in PATH: " + quotes},
		{"nothing", "a.yaml", "metrics:", "metrics in PATH: " + quotes},
		{"a list", "a.yaml", "listen: [127.0.0.1:80]", "listen in PATH: " + quotes},
		{"a list of numbers", "a.yaml", "trusted-proxies: [10]", "trusted-proxies in PATH: " + quotes},
		{"bad value", "a.yaml", "sign-up: maybe", `sign-up in PATH: "maybe": write open, invite or closed`},
		{"bad registration", "a.yaml", "registration: yes please", `registration in PATH: "yes please": write off, token or open`},
		{"extension", "a.json", "{}", "--config: PATH: the name must end in .yaml, .yml or .toml"},
	} {
		path := writeFile(t, tc.file, tc.text)
		_, err := loadWith(t, []string{"--config", path})
		if want := strings.ReplaceAll(tc.want, "PATH", path); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", tc.name, err, want)
		}
	}
	for _, text := range []string{"listen: [", "\t"} {
		if _, err := loadWith(t, []string{"--config", writeFile(t, "a.yaml", text)}); err == nil {
			t.Errorf("%q is read as YAML", text)
		}
	}
	if _, err := loadWith(t, []string{"--config", filepath.Join(t.TempDir(), "missing.yaml")}); err == nil || !strings.HasPrefix(err.Error(), "--config: ") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestSecretFiles(t *testing.T) {
	const url = "postgres://gatelodge:hunter2@db/gatelodge"
	path := writeFile(t, "url", url+"\n")
	keys := "GATELODGE_KEY_FILE=keys"
	got, err := loadWith(t, nil, "GATELODGE_DATABASE_FILE="+path, keys)
	if err != nil || got.Database != url || got.KeyFile != "keys" {
		t.Errorf("database %q, key file %q, %v", string(got.Database), got.KeyFile, err)
	}
	got, err = loadWith(t, []string{"--database", "postgres://flag/x"}, "GATELODGE_DATABASE_FILE="+path, keys)
	if err != nil || got.Database != "postgres://flag/x" {
		t.Errorf("with a flag: database %q, %v", string(got.Database), err)
	}
	empty := writeFile(t, "empty", "\n")
	for _, tc := range []struct {
		environ []string
		want    string
	}{
		{[]string{"GATELODGE_DATABASE=" + url, "GATELODGE_DATABASE_FILE=" + path}, "GATELODGE_DATABASE_FILE: GATELODGE_DATABASE is set too: keep one of them"},
		{[]string{"GATELODGE_SMTP_FILE=" + path + ".no"}, "GATELODGE_SMTP_FILE: open " + path + ".no: no such file or directory"},
		{[]string{"GATELODGE_DATABASE_FILE=" + empty}, "GATELODGE_DATABASE_FILE: " + empty + " is empty"},
	} {
		if _, err := loadWith(t, nil, append(tc.environ, keys)...); err == nil || err.Error() != tc.want {
			t.Errorf("%v\nwant %s", err, tc.want)
		}
	}
	// The same in the file of settings, where a variable wins over it.
	file := writeFile(t, "s.yaml", "database-file: "+path+"\nkey-file: keys\n")
	if got, err := loadWith(t, []string{"--config", file}); err != nil || got.Database != url || got.KeyFile != "keys" {
		t.Errorf("database %q, key file %q, %v", string(got.Database), got.KeyFile, err)
	}
	if got, err := loadWith(t, []string{"--config", file}, "GATELODGE_DATABASE=postgres://variable/x"); err != nil || got.Database != "postgres://variable/x" {
		t.Errorf("with a variable: database %q, %v", string(got.Database), err)
	}
	for text, want := range map[string]string{
		"database-file: " + path + "\ndatabase: " + url: "database-file in %s: database is there too: keep one of them",
		"smtp-file: " + empty:                           "smtp-file in %s: " + empty + " is empty",
		"smtp-file: " + path + ".no":                    "smtp-file in %s: open " + path + ".no: no such file or directory",
		"smtp-file: [a]":                                "smtp-file in %s: write the name of a file",
		"issuer-file: " + path:                          "issuer-file in %s: there is no such setting; there are ",
	} {
		file := writeFile(t, "s.yaml", text+"\nkey-file: keys\n")
		if _, err := loadWith(t, []string{"--config", file}); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf(want, file)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	// What is no secret is not read from a file that somebody names.
	if got, err := loadWith(t, nil, "GATELODGE_ISSUER_FILE="+path); err != nil || got.Issuer != "" {
		t.Errorf("issuer %q, %v", got.Issuer, err)
	}
}

func TestCommandFlags(t *testing.T) {
	fs := pflag.NewFlagSet("user create", pflag.ContinueOnError)
	CommonFlags(fs)
	fs.String("email", "", "")
	fs.Bool("json", false, "")
	var got []string
	fs.VisitAll(func(f *pflag.Flag) { got = append(got, f.Name) })
	if d := cmp.Diff([]string{"config", "data", "database", "email", "json", "key-file"}, got); d != "" {
		t.Error(d)
	}
	if err := fs.Parse([]string{"--email=a@b", "--json", "--data=d"}); err != nil {
		t.Fatal(err)
	}
	// A command reads the same file as the server, with the server's settings in it.
	c, err := Load(fs, []string{"GATELODGE_CONFIG=" + writeFile(t, "a.yaml", inFile), "GATELODGE_JSON=no"})
	if err != nil || c.Data != "d" || c.Namespace != "file" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := Config{Database: "postgres://u:hunter2@h/d", SMTP: "smtp://u:hunter2@h"}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%q %x %s", c.SMTP, c.SMTP, c.SMTP), string(asJSON),
	} {
		if strings.Contains(got, "hunter2") || strings.Contains(got, "68756e74657232") || !strings.Contains(got, "[hidden]") {
			t.Errorf("printed as %s", got)
		}
	}
}

func TestValidate(t *testing.T) {
	refused := "--sign-up open: anyone could sign up with an e-mail address that cannot be confirmed without a mail server: give --smtp, or write --sign-up invite or --sign-up closed"
	for _, tc := range []struct {
		name string
		c    Config
		want string
	}{
		{"default issuer", Config{SignUp: Open}, ""},
		{"loopback", Config{SignUp: Open, Issuer: "http://localhost:8080"}, ""},
		{"loopback address", Config{SignUp: Open, Issuer: "http://[::1]:8080"}, ""},
		{"public", Config{SignUp: Open, Issuer: "https://id.example.com"}, refused},
		{"like loopback", Config{SignUp: Open, Issuer: "https://localhost.example.com"}, refused},
		{"public with mail", Config{SignUp: Open, Issuer: "https://id.example.com", SMTP: "smtp://h"}, ""},
		{"public, by invitation", Config{SignUp: Invite, Issuer: "https://id.example.com"}, ""},
		{"public, closed", Config{SignUp: Closed, Issuer: "https://id.example.com"}, ""},
	} {
		got := ""
		if err := tc.c.Validate(); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := loadWith(t, []string{"--listen=8080", "--sign-up=x"}, "GATELODGE_CONTACT=somewhere")
	for _, want := range []string{"--listen: ", "--sign-up: ", "GATELODGE_CONTACT: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
	if one, ok := errors.AsType[*Error](err); !ok || one.Setting != "listen" {
		t.Errorf("%#v is not of type *Error", err)
	}
}
