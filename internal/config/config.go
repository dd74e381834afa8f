// Package config owns the settings of the gatelodge program: their names, their
// defaults, where they come from and what they may be.
//
// A setting is given as a flag, as an environment variable GATELODGE_… (upper
// case, _ for -), or in the YAML or TOML file that --config names; the first of
// these wins. A secret is better given as GATELODGE_…_FILE, or …-file in that file,
// which name a file that holds it: flags can be seen by all users of the machine.
//
// Only commands read settings: every other package is given values.
package config

import (
	"encoding"
	"fmt"
	"net/netip"

	"github.com/spf13/pflag"

	"gatelodge/internal/registry"
)

// Config is what the settings say, checked one by one. [Config.Validate] checks
// them together.
type Config struct {
	// Listen is the address of the public listener.
	Listen string
	// Issuer is the public base URL. It is empty when it was not given: the
	// default, http://localhost:PORT, follows from the port that was chosen.
	Issuer string
	// Data is the folder of the SQLite file and of the key file.
	Data string
	// Database is a postgres:// URL; empty means SQLite in Data.
	Database Secret
	// KeyFile holds the key-encryption keys. It is a file in Data unless it was
	// given, and was given when there is a Database.
	KeyFile string
	// TrustedProxies are the addresses whose forwarding headers are believed.
	TrustedProxies []netip.Prefix
	// Metrics is the address of the second listener; empty means none.
	Metrics   string
	Namespace registry.Namespace
	SignUp    SignUp
	// Registration says which applications may register themselves.
	Registration Registration
	// RegistrationScopes are those that such applications may have; nil means all that
	// are built in.
	RegistrationScopes []string
	// SMTP is the mail server's URL with the sender as its parameter from, as
	// package mail reads it; empty means that no mail can be sent.
	SMTP Secret
	// Contact is a mail or web address for Contact us; empty means none.
	Contact string
	// Regions is the file of the regions, for [LoadRegions]; empty means that there are
	// none.
	Regions string
}

// SignUp says who may make an account.
type SignUp string

const (
	Open   SignUp = "open"
	Invite SignUp = "invite"
	Closed SignUp = "closed"
)

// Registration says which applications may register themselves (RFC 7591).
type Registration string

const (
	RegistrationOff     Registration = "off"
	RegistrationByToken Registration = "token"
	RegistrationOpen    Registration = "open"
)

// Secret is a text that no log or message shows, whatever prints it.
type Secret string

const hidden = "[hidden]"

var _ encoding.TextMarshaler = Secret("")

// Format prints nothing of the secret.
func (s Secret) Format(f fmt.State, _ rune) {
	if s != "" {
		fmt.Fprint(f, hidden)
	}
}

// MarshalText keeps the secret out of JSON.
func (s Secret) MarshalText() ([]byte, error) {
	return []byte(fmt.Sprint(s)), nil
}

// Error says what is wrong with one setting. The value of a secret is never
// part of it.
type Error struct {
	Setting string // its name, as of the flag
	Source  string // where the value was given, as people would look for it
	Problem string
}

func (e *Error) Error() string { return e.Source + ": " + e.Problem }

// keyFileName is the key file's name in the data folder.
const keyFileName = "key-encryption-keys"

// reach is which commands a setting is a flag of.
type reach uint8

const (
	serveOnly reach = iota
	allCommands
)

// kind is how a setting's value is handled.
type kind uint8

const (
	plain kind = iota
	secret
	list // may be a list in the file
)

type setting struct {
	name    string
	initial string // default
	reach   reach
	kind    kind
	usage   string
}

var settings = []setting{
	{"listen", "127.0.0.1:8080", serveOnly, plain, "`address` of the public listener; port 0 takes a free one"},
	{"issuer", "", serveOnly, plain, "public base `URL`, https unless on loopback (default http://localhost:PORT)"},
	{"data", "./gatelodge-data", allCommands, plain, "`folder` of the SQLite file and the local key file"},
	{"database", "", allCommands, secret, "postgres:// `URL`; left out: SQLite in the data folder (better in a file: database-file in the settings, or GATELODGE_DATABASE_FILE)"},
	{"key-file", "", allCommands, plain, "`file` of key-encryption keys, newest first; required with --database (default made in the data folder)"},
	{"trusted-proxies", "", serveOnly, list, "`addresses` or networks, separated by commas, whose forwarding headers are believed"},
	{"metrics", "", serveOnly, plain, "`address` of a second listener with /metrics, /healthz and /readyz; left out: none"},
	{"namespace", "amzn1", serveOnly, plain, "first `part` of identifiers, fixed at the first start"},
	{"sign-up", "open", serveOnly, plain, "`who` may sign up: open, invite or closed"},
	{"registration", "off", serveOnly, plain, "`which` applications may register themselves: off, token (with an initial access token) or open"},
	{"registration-scopes", "", serveOnly, list, "`scopes`, separated by commas, that such applications may have; left out: all that are built in"},
	{"smtp", "", serveOnly, secret, "mail server as smtp:// or smtps:// `URL` (better in a file: smtp-file in the settings, or GATELODGE_SMTP_FILE)"},
	{"mail-from", "", serveOnly, plain, "sender `address` of mails"},
	{regionsFlag, "", serveOnly, plain, "YAML or TOML `file` that names the regions of the service; left out: there is only this one"},
	{"contact", "", serveOnly, plain, "mail or web `address` behind Contact us"},
}

const configFlag = "config"

// isSetting marks the flags that are settings: a command may have another of the same
// name, such as an issuer that is not its own.
const isSetting = "setting"

// Flags defines the flags of serve.
func Flags(fs *pflag.FlagSet) {
	define(fs, func(setting) bool { return true })
}

// CommonFlags defines the flags that all commands on a database share.
func CommonFlags(fs *pflag.FlagSet) {
	define(fs, func(s setting) bool { return s.reach == allCommands })
}

func define(fs *pflag.FlagSet, wanted func(setting) bool) {
	for _, s := range settings {
		if wanted(s) {
			fs.String(s.name, s.initial, s.usage)
			fs.Lookup(s.name).Annotations = map[string][]string{isSetting: nil}
		}
	}
	fs.String(configFlag, "", "YAML or TOML `file` of settings")
}

func lookUp(name string) (setting, bool) {
	for _, s := range settings {
		if s.name == name {
			return s, true
		}
	}
	return setting{}, false
}

// Validate checks what serve needs of the settings together. The issuer may still
// be empty.
func (c Config) Validate() error {
	if c.SignUp == Open && c.SMTP == "" && !c.OnLoopback() {
		return &Error{
			Setting: "smtp",
			Source:  "--sign-up open",
			Problem: "anyone could sign up with an e-mail address that cannot be confirmed without a mail server: give --smtp, or write --sign-up invite or --sign-up closed",
		}
	}
	return nil
}

// OnLoopback reports whether the issuer, its default included, is reached from
// this machine only.
func (c Config) OnLoopback() bool {
	return c.Issuer == "" || issuerOnLoopback(c.Issuer)
}
