package registry

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// The functions of this file guess what a mistaken address was meant to be. A guess is only ever shown as a
// suggestion, and only when the rules accept it, so a wrong one here cannot let anything in.

// repairAddress returns the canonical spelling that s seems to mean, without a fragment, or "" when it cannot tell.
func repairAddress(s string) string {
	if !utf8.ValidString(s) {
		return ""
	}
	a, ok := cutAddress(repairSpelling(s))
	a.scheme = strings.ToLower(a.scheme)
	if !ok || a.scheme != "https" && a.scheme != "http" {
		return ""
	}
	// A user name stays, and the rules refuse the guess for it: which host was meant is for the developer to say
	// (CVE-2024-8883).
	host, problem := canonicalHost(a.host)
	if problem != "" {
		return ""
	}
	a.host = host
	a.port = strings.TrimLeft(a.port, "0")
	if a.port == "" || a.port == defaultPort(a.scheme) {
		a.port, a.hasPort = "", false
	}
	if a.scheme == "http" && !isLoopback(a.host) {
		a.scheme = "https"
	}
	a.path = removeDotSegments(escape(repairDots.Replace(a.path), "/"))
	a.query = escape(a.query, "/?")
	a.hasQuery = a.query != ""
	a.fragment, a.hasFragment = "", false
	return a.String()
}

// repairSpelling mends what goes wrong in typing and pasting: white space around the address, characters that cannot
// be seen, backslashes, and a missing or mistyped scheme.
func repairSpelling(s string) string { return repairScheme(repairCharacters(s)) }

func repairCharacters(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case isHidden(r), r == '\u200b', r == '\ufeff':
			return -1
		case r == '\\':
			return '/'
		}
		return r
	}, strings.TrimSpace(s))
	return strings.TrimSpace(s)
}

// mistypedScheme matches http and https with a letter or a delimiter too many or too few: "htps://", "https:/",
// "https//", "https;//".
var mistypedScheme = regexp.MustCompile(`^(?i:h{0,2}t{1,3}p{1,2}(s{0,2}))(?:[:;]+/*|//+)`)

func repairScheme(s string) string {
	scheme := ""
	for range 2 { // twice for "https://https://…"
		m := mistypedScheme.FindStringSubmatch(s)
		if m == nil {
			break
		}
		scheme, s = "http://", s[len(m[0]):]
		if m[1] != "" {
			scheme = "https://"
		}
	}
	if scheme != "" {
		return scheme + s
	}
	// No scheme: "www.example.com/cb", "localhost:8080". The colon of a port is not that of a scheme.
	bare := strings.TrimPrefix(s, "//")
	authority := bare
	if i := strings.IndexAny(bare, "/?#"); i >= 0 {
		authority = bare[:i]
	}
	host, port, hasPort := authority, "", false
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port, hasPort = authority[:i], authority[i+1:], true
	}
	isHost := host == "localhost" || strings.Contains(host, ".") || strings.HasPrefix(host, "[")
	switch {
	case !isHost || hasPort && (port == "" || strings.Trim(port, "0123456789") != ""):
		return s
	case hasPort && isLoopback(host):
		return "http://" + bare // a development server
	default:
		return "https://" + bare
	}
}

var repairDots = strings.NewReplacer("%2e", ".", "%2E", ".")

// removeDotSegments resolves "." and ".." as a browser would (RFC 3986 section 5.2.4).
func removeDotSegments(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path, "/")[1:]
	kept := []string{""}
	for i, segment := range segments {
		switch segment {
		case ".":
		case "..":
			kept = kept[:max(1, len(kept)-1)]
		default:
			kept = append(kept, segment)
			continue
		}
		if i == len(segments)-1 {
			kept = append(kept, "") // what it names is a folder
		}
	}
	return strings.Join(kept, "/")
}

// escape percent-encodes what may not stand in a URL as itself (RFC 3986 section 3.3: pchar, and the characters in
// also), and leaves what is encoded already.
func escape(s, also string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isPathChar(c) || c == '%' || strings.IndexByte(also, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string(hexDigits[c>>4]) + string(hexDigits[c&15]))
		}
	}
	return b.String()
}
