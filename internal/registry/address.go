package registry

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// address is an absolute URL cut at its delimiters, and nothing more: no part is decoded, lower-cased or resolved,
// because every such step is one in which two readers of the same URL have disagreed (CVE-2018-14658).
type address struct {
	scheme      string
	userinfo    string
	host        string // with its brackets, if it has them
	port        string
	path        string
	query       string
	fragment    string
	hasUserinfo bool
	hasPort     bool
	hasQuery    bool
	hasFragment bool
}

// cutAddress cuts s (RFC 3986 section 3); ok is false when there is no "://".
func cutAddress(s string) (a address, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return address{}, false
	}
	a.scheme = scheme
	rest, a.fragment, a.hasFragment = strings.Cut(rest, "#")
	rest, a.query, a.hasQuery = strings.Cut(rest, "?")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, a.path = rest[:i], rest[i:]
	}
	// The last @ ends the user name, as browsers have it (CVE-2024-8883).
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		a.userinfo, a.hasUserinfo, rest = rest[:i], true, rest[i+1:]
	}
	a.host = rest
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		a.host, a.port, a.hasPort = rest[:i], rest[i+1:], true
	}
	return a, true
}

func (a address) String() string {
	var b strings.Builder
	b.WriteString(a.scheme + "://")
	if a.hasUserinfo {
		b.WriteString(a.userinfo + "@")
	}
	b.WriteString(a.host)
	if a.hasPort {
		b.WriteString(":" + a.port)
	}
	b.WriteString(a.path)
	if a.hasQuery {
		b.WriteString("?" + a.query)
	}
	if a.hasFragment {
		b.WriteString("#" + a.fragment)
	}
	return b.String()
}

// checkAddress holds the rules that return URLs and origins share: one canonical spelling of scheme, host and port,
// and nothing that two programs could read differently.
func checkAddress(s string, maxBytes int) (a address, problem string) {
	if problem := checkCharacters(s, maxBytes); problem != "" {
		return address{}, problem
	}
	a, ok := cutAddress(s)
	scheme := strings.ToLower(a.scheme)
	switch {
	case !ok || scheme == "":
		return address{}, "Begin the address with https:// (or, for your own machine only, http://)."
	case scheme != "https" && scheme != "http":
		return address{}, "Use an address that begins with https:// (or, for your own machine only, http://); other schemes are not accepted."
	case scheme != a.scheme:
		return address{}, "Write " + scheme + " in lower case."
	case a.hasUserinfo:
		return address{}, "Write the address without a user name or password: what stands before “@” is not the host."
	case a.host == "":
		return address{}, "Write the host after " + scheme + "://, such as " + scheme + "://localhost."
	}
	canonical, problem := canonicalHost(a.host)
	switch {
	case problem != "":
		return address{}, problem
	case canonical != a.host:
		return address{}, "Write the host as " + canonical + ", the spelling that browsers send."
	}
	if problem := checkPort(a); problem != "" {
		return address{}, problem
	}
	// login-with-amazon.md 2.4: https for public hosts, http for loopback on any port.
	if a.scheme == "http" && !isLoopback(a.host) {
		return address{}, "Use https: http is accepted for localhost, 127.0.0.1 and [::1] only, because what is sent over it can be read on the way."
	}
	return a, ""
}

// checkCharacters refuses what has no place anywhere in an address.
func checkCharacters(s string, maxBytes int) (problem string) {
	switch {
	case s == "":
		return "Write a whole address, such as https://www.example.com."
	case len(s) > maxBytes:
		return "Shorten this to " + strconv.Itoa(maxBytes) + " characters; it has " + strconv.Itoa(len(s)) + "."
	case !utf8.ValidString(s):
		return "Write this again: some of its characters did not arrive as valid UTF-8."
	case strings.TrimSpace(s) != s:
		return "Leave out the space before or after the address."
	case strings.ContainsFunc(s, isHidden):
		return "Leave out the control characters (a tab or a line break, perhaps from pasting)."
	case strings.Contains(s, `\`):
		return `Write “/” instead of “\”: browsers read one as the other, other programs do not.`
	case strings.Contains(s, "*"):
		return "Write every address out in full: “*” does not stand for anything here, and addresses are compared exactly."
	}
	return ""
}

func checkPort(a address) (problem string) {
	if !a.hasPort {
		return ""
	}
	n, err := strconv.ParseUint(a.port, 10, 16)
	switch {
	case a.port == "":
		return "Leave out the “:” when no port follows it."
	case err != nil || n == 0:
		return "Write the port as a number from 1 to 65535."
	case strconv.FormatUint(n, 10) != a.port:
		return "Write the port without leading zeros."
	case a.port == defaultPort(a.scheme):
		return "Leave out port " + a.port + ": it is the one that " + a.scheme + " has anyway, and browsers drop it."
	}
	return ""
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// hostNames turns a host into the form that browsers send (UTS 46). Underscores pass, as do two hyphens in the third and
// fourth place: both are in use.
var hostNames = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

// canonicalHost returns the one accepted spelling of a host, or what is wrong with it.
func canonicalHost(host string) (canonical, problem string) {
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" || !strings.HasSuffix(host, "]") {
			return "", "Write an IPv6 address in brackets, such as [::1]."
		}
		if addr.Is4In6() {
			return addr.Unmap().String(), ""
		}
		return "[" + addr.String() + "]", ""
	}
	if strings.Contains(host, "%") {
		return "", "Write the host without percent encoding."
	}
	canonical, err := hostNames.ToASCII(host)
	if err != nil {
		return "", "Write the host as a domain name, such as www.example.com; this one is not valid."
	}
	canonical = strings.TrimSuffix(canonical, ".")
	if problem := checkHostName(canonical); problem != "" {
		return "", problem
	}
	return canonical, ""
}

func checkHostName(host string) (problem string) {
	if len(host) > 253 { // RFC 1035 section 2.3.4, without the root's dot
		return "Write a host of at most 253 characters."
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		switch {
		case label == "":
			return "Write the host without an empty part between dots."
		case len(label) > 63:
			return "Write each part of the host with at most 63 characters."
		case strings.Trim(label, lowerAlphanumeric+"-_") != "":
			return "Write the host with letters, digits, hyphens and dots only."
		case label[0] == '-' || label[len(label)-1] == '-':
			return "Write the host without a hyphen at the beginning or the end of a part."
		}
	}
	// Browsers read any host whose last part is a number as an IPv4 address: 127.1, 0x7f.1 and 2130706433 included.
	last := labels[len(labels)-1]
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is4() {
			return "Write an IP address as four numbers from 0 to 255, such as 127.0.0.1."
		}
	}
	return ""
}

// isLoopback reports whether a canonical host is the user's own machine (RFC 8252 section 7.3; "localhost" because
// Login with Amazon accepts it).
func isLoopback(host string) bool {
	if host == "localhost" || host == "[::1]" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is4() && addr.IsLoopback()
}
