package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"gatelodge/internal/registry"
)

// config checks the settings one by one.
func (l *loader) config() Config {
	c := Config{
		Listen:         l.address("listen"),
		Issuer:         l.issuer(),
		Data:           l.text("data"),
		Database:       l.database(),
		KeyFile:        l.text("key-file"),
		TrustedProxies: l.trustedProxies(),
		SignUp:         SignUp(l.text("sign-up")),
		Registration:   Registration(l.text("registration")),
		SMTP:           l.mailServer(),
		Contact:        l.contact(),
		Regions:        l.text(regionsFlag),
	}
	if l.text("metrics") != "" {
		c.Metrics = l.address("metrics")
	}
	var err error
	if c.Namespace, err = registry.ParseNamespace(l.text("namespace")); err != nil {
		l.fail("namespace", "%v", err)
	}
	if c.SignUp != Open && c.SignUp != Invite && c.SignUp != Closed {
		l.fail("sign-up", "%q: write open, invite or closed", string(c.SignUp))
	}
	if c.Registration != RegistrationOff && c.Registration != RegistrationByToken && c.Registration != RegistrationOpen {
		l.fail("registration", "%q: write off, token or open", string(c.Registration))
	}
	for scope := range strings.SplitSeq(l.text("registration-scopes"), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			c.RegistrationScopes = append(c.RegistrationScopes, scope)
		}
	}
	if c.Data == "" {
		l.fail("data", "write the name of a folder")
	}
	switch {
	case c.KeyFile != "":
	case l.text("database") != "":
		// One made here would be another on each replica.
		l.fail("key-file", "name the file of key-encryption keys; with --database it is required, the same for every replica")
	default:
		c.KeyFile = filepath.Join(c.Data, keyFileName)
	}
	return c
}

// address checks a listener's address.
func (l *loader) address(name string) string {
	value := l.text(name)
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		l.fail(name, "%q: write host and port, such as 127.0.0.1:8080", value)
	}
	return value
}

// issuer checks the base URL. It is compared character by character everywhere,
// so it has one spelling: that of the origin which browsers send (RFC 6454
// section 6.1).
func (l *loader) issuer() string {
	value := l.text("issuer")
	if value == "" {
		return ""
	}
	if problem := CheckIssuer(value); problem != "" {
		l.fail("issuer", "%s", problem)
	}
	return value
}

// CheckIssuer says what is wrong with a base URL, "" when nothing is.
func CheckIssuer(value string) (problem string) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "write the public base URL, such as https://id.example.com"
	}
	if u.User != nil {
		return "a base URL has no user name or password"
	}
	host, problem := canonicalHost(u)
	switch {
	case problem != "":
		return problem
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "http is for loopback only: write https://" + host
	case value != u.Scheme+"://"+host:
		return fmt.Sprintf("%q: no path, query or fragment, and the usual spelling: write %s://%s", value, u.Scheme, host)
	}
	return ""
}

// canonicalHost gives host and port as a browser writes them.
func canonicalHost(u *url.URL) (host, problem string) {
	host = strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		if host = addr.String(); addr.Is6() {
			host = "[" + host + "]"
		}
	} else if !isHostName(host) {
		return "", fmt.Sprintf("%q is not a host name; write a name with other than ASCII letters in its xn-- form", host)
	}
	if u.Port() == "" {
		return host, ""
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return "", fmt.Sprintf("%s is not a port", u.Port())
	}
	if usual := map[string]uint64{"http": 80, "https": 443}; port == usual[u.Scheme] {
		return host, ""
	}
	return host + ":" + strconv.FormatUint(port, 10), ""
}

func isHostName(host string) bool {
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.Trim(label, "-") != label {
			return false
		}
	}
	return true
}

func issuerOnLoopback(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// database checks only what can be said without repeating the value.
func (l *loader) database() Secret {
	value := l.text("database")
	if value == "" {
		return ""
	}
	if !isPostgresURL(value) {
		l.fail("database", "write postgres://user:password@host/database, with special characters of the password percent-encoded, or leave it out for SQLite")
		return ""
	}
	return Secret(value)
}

// isPostgresURL reports whether value is a URL of PostgreSQL, which may name several
// hosts, separated by commas, where others have one.
func isPostgresURL(value string) bool {
	scheme, rest, _ := strings.Cut(value, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	hosts := strings.LastIndexByte(rest[:end], '@') + 1
	for host := range strings.SplitSeq(rest[hosts:end], ",") {
		if _, err := url.Parse(scheme + "://" + rest[:hosts] + host + rest[end:]); err != nil {
			return false
		}
	}
	return true
}

func (l *loader) trustedProxies() []netip.Prefix {
	var prefixes []netip.Prefix
	for part := range strings.SplitSeq(l.text("trusted-proxies"), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if addr, err := netip.ParseAddr(part); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			l.fail("trusted-proxies", "%q: write addresses or networks, such as 10.0.0.7,192.168.0.0/16", part)
			continue
		}
		if prefix != prefix.Masked() {
			l.fail("trusted-proxies", "%s is an address within a network: write %s or %s", part, prefix.Masked(), prefix.Addr())
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}

// mailServer gives the URL with the sender in it.
func (l *loader) mailServer() Secret {
	value, from := l.text("smtp"), l.text("mail-from")
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" {
		l.fail("smtp", "write smtp://user:password@host:587 or smtps://user:password@host, with special characters of the password percent-encoded")
		return ""
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		l.fail("smtp", "what follows the ? cannot be read")
		return ""
	}
	switch {
	case from != "" && query.Has("from"):
		l.fail("mail-from", "the mail server's URL names the sender too: keep one of them")
		return ""
	case from != "":
		query.Set("from", from)
		u.RawQuery = query.Encode()
	case !query.Has("from"):
		l.fail("mail-from", "name the sender of mails, such as no-reply@id.example.com")
		return ""
	}
	if _, err := mail.ParseAddress(query.Get("from")); err != nil {
		l.fail("mail-from", "write a mail address, such as no-reply@id.example.com")
		return ""
	}
	return Secret(u.String())
}

func (l *loader) contact() string {
	value := l.text("contact")
	if value == "" {
		return ""
	}
	if addr, err := mail.ParseAddress(value); err == nil && addr.Address == value {
		return value
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		l.fail("contact", "write a mail address or a web address that begins with https://")
	}
	return value
}
