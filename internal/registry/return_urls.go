package registry

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Limits of Web Settings.
const (
	MaxReturnURLs     = 50
	ReturnURLMaxBytes = 2000
	NoteMaxChars      = 60
)

// ReturnURL is an address that users may be sent back to, with the developer's own note about it. It is compared
// exactly as it stands, query string and all.
type ReturnURL struct{ Value, Note string }

// URLProblem says why an address is refused. Suggestion, when there is one, is a spelling that is accepted.
type URLProblem struct{ Message, Suggestion string }

// ParseReturnURL accepts one spelling of each address: https with a host, or http for loopback; no fragment (RFC 6749
// section 3.1.2), user name, wildcard or dot segment. It never rewrites: the value returned is s. A path may be
// missing, as in https://localhost, and none is added then. Native applications may have a scheme of their own.
func ParseReturnURL(k Kind, s string) (ReturnURL, *URLProblem) {
	if _, _, ok := cutOwnScheme(strings.TrimSpace(s)); ok && k == Native {
		problem := checkOwnScheme(s)
		if problem == "" {
			return ReturnURL{Value: s}, nil
		}
		// A mistyped https: looks like a scheme of one's own.
		return ReturnURL{}, &URLProblem{problem, cmp.Or(
			suggest(s, ReturnURLMaxBytes, repairOwnScheme, checkOwnScheme), suggest(s, ReturnURLMaxBytes, repairAddress, checkReturnURL))}
	}
	problem := checkReturnURL(s)
	if problem == "" {
		return ReturnURL{Value: s}, nil
	}
	return ReturnURL{}, &URLProblem{problem, suggest(s, ReturnURLMaxBytes, repairAddress, checkReturnURL)}
}

// suggest returns the repaired s when that is something new and accepted.
func suggest(s string, maxBytes int, repair, check func(string) string) string {
	if len(s) > maxBytes {
		return ""
	}
	suggestion := repair(s)
	if suggestion == s || check(suggestion) != "" {
		return ""
	}
	return suggestion
}

func checkReturnURL(s string) (problem string) {
	a, problem := checkAddress(s, ReturnURLMaxBytes)
	if problem != "" {
		return problem
	}
	return checkParts(a)
}

// checkParts checks what follows the host.
func checkParts(a address) (problem string) {
	switch {
	case a.hasFragment:
		return "Leave out “#” and what follows it: browsers never send that part, and nothing could be added behind it."
	case a.hasQuery && a.query == "":
		return "Leave out the “?” when nothing follows it."
	}
	if problem := checkPath(a.path); problem != "" {
		return problem
	}
	return checkEscapes(a.query, "/?")
}

// checkPath refuses every spelling of a path that a browser, a proxy or a framework may resolve to another path.
func checkPath(path string) (problem string) {
	if problem := checkEscapes(path, "/"); problem != "" {
		return problem
	}
	for i := range len(path) {
		if path[i] != '%' {
			continue
		}
		switch path[i+1 : i+3] {
		case "2e", "2E", "2f", "2F", "5c", "5C": // CVE-2024-1132
			return "Write the path without an encoded dot, slash or backslash (%2e, %2f, %5c): programs differ on what these mean."
		case "25": // CVE-2022-3782
			return "Write the path without %25, an encoded percent sign: what is encoded twice is read differently by different programs."
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		// What follows a semicolon is a parameter to some servers, which then resolve "..;" as ".." (CVE-2026-3872).
		name, _, _ := strings.Cut(encodedSemicolon.Replace(segment), ";")
		if name == "." || name == ".." {
			return "Write the path as it is in the end, without “.” or “..” as one of its parts."
		}
	}
	return ""
}

var encodedSemicolon = strings.NewReplacer("%3b", ";", "%3B", ";")

// checkEscapes refuses characters that a URL cannot hold as themselves (RFC 3986 section 3.3) and broken or
// control-character escapes.
func checkEscapes(s, also string) (problem string) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '%' {
			if !isPathChar(c) && strings.IndexByte(also, c) < 0 {
				return "Write spaces, quotation marks, brackets and letters beyond a–z percent-encoded, as in %20 for a space."
			}
			continue
		}
		if len(s) < i+3 {
			return "Write two hexadecimal digits after “%”, or %25 for the percent sign itself."
		}
		v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		switch {
		case err != nil:
			return "Write two hexadecimal digits after “%”, or %25 for the percent sign itself."
		case v < 0x20 || v == 0x7f:
			return fmt.Sprintf("Leave out the encoded control character %s.", s[i:i+3])
		}
		i += 2
	}
	return ""
}

// isPathChar holds pchar of RFC 3986 section 3.3, without percent escapes.
func isPathChar(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0
}
