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

	"github.com/spf13/pflag"
)

// settings are what flags and environment say, the first of which wins.
type settings struct {
	gatelodge, slate, clientID, secretFile, scope, tokens string
	// secret is never a flag: other users of the computer see those.
	secret string

	// Of single commands.
	code, device, noBrowser, json bool
	returnURL, to                 string
	parallel                      int
}

const envPrefix = "REPORT_DOWNLOADER_"

func (s *settings) define(fs *pflag.FlagSet) {
	fs.StringVar(&s.gatelodge, "gatelodge", "http://localhost:8080", "base `URL` of the Gatelodge server")
	fs.StringVar(&s.slate, "slate", "http://localhost:9090", "base `URL` of Slate")
	fs.StringVar(&s.clientID, "client-id", "", "`client ID` of this application's security profile")
	fs.StringVar(&s.secretFile, "client-secret-file", "", "`file` that holds its client secret")
	fs.StringVar(&s.scope, "scope", "slate:reporting", "`scope` to ask for")
	fs.StringVar(&s.tokens, "tokens", "", "`file` that the tokens are kept in (default report-downloader/tokens.json in the user's configuration folder)")
}

// complete fills in what the flags of a command leave open, and checks it.
func (s *settings) complete(fs *pflag.FlagSet, getenv func(string) string) (err error) {
	env := func(name string) string {
		return getenv(envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	fs.VisitAll(func(f *pflag.Flag) {
		if value := env(f.Name); value != "" && !f.Changed {
			err = cmp.Or(err, fs.Set(f.Name, value))
		}
	})
	if err != nil {
		return err
	}
	if s.secret = env("client-secret"); s.secret == "" && s.secretFile != "" {
		text, err := os.ReadFile(s.secretFile)
		if s.secret = strings.TrimSpace(string(text)); err == nil && s.secret == "" {
			err = errors.New(s.secretFile + " is empty")
		}
		if err != nil {
			return fmt.Errorf("--client-secret-file: %w", err)
		}
	}
	if s.tokens == "" {
		folder, err := os.UserConfigDir()
		if err != nil {
			return fmt.Errorf("--tokens: %w", err)
		}
		s.tokens = filepath.Join(folder, "report-downloader", "tokens.json")
	}
	switch {
	case s.clientID == "":
		return errors.New("--client-id is missing: it is on the page Web Settings of the security profile")
	case s.code && s.device:
		return errors.New("--code and --device are two ways to log in: keep one of them")
	case fs.Lookup("return-url") != nil && !s.code && !s.device && !canListen(cmp.Or(s.returnURL, loopbackReturn)):
		return fmt.Errorf("--return-url: the browser comes back to this program at an address such as %s; for another use --code", loopbackReturn)
	case fs.Lookup("to") != nil && s.to == "":
		return errors.New("--to is missing: the folder of the reports")
	case s.parallel < 1 || s.parallel > 32:
		return errors.New("--parallel: write a number from 1 to 32")
	}
	return cmp.Or(checkBaseURL("gatelodge", &s.gatelodge), checkBaseURL("slate", &s.slate))
}

// checkBaseURL: tokens and secrets cross the network by https only.
func checkBaseURL(name string, value *string) error {
	*value = strings.TrimSuffix(*value, "/")
	u, err := url.Parse(*value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || *value != u.Scheme+"://"+u.Host+u.EscapedPath() || u.Host == "":
		return fmt.Errorf("--%s: write a base URL such as https://%s.example.com", name, name)
	case u.Scheme == "http" && !onLoopback(u.Hostname()):
		return fmt.Errorf("--%s: http is for loopback only: write https://%s", name, u.Host)
	}
	return nil
}

// canListen reports whether this program can be at a return URL.
func canListen(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && onLoopback(u.Hostname()) && u.Port() != ""
}

func onLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
