package registry

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatelodge/internal/oauth"
)

// MatchReturnURL finds the return URL that an application named among the registered ones. They are compared byte for
// byte (RFC 9700 section 4.1.3): the attacks on looser comparisons are all known. The one exception is the port on a
// native application's own computer. The error is a [*ReturnURLMismatch].
func MatchReturnURL(k Kind, registered []ReturnURL, sent string) (oauth.RedirectURI, error) {
	if sent != "" {
		for _, r := range registered {
			if r.Value == sent || k == Native && isOtherPort(r.Value, sent) {
				return oauth.MatchedRedirectURI(sent), nil
			}
		}
	}
	return oauth.RedirectURI{}, mismatch(registered, sent)
}

// MatchPostLogoutURL finds the address that an application wants its user sent to after sign-out among the registered
// ones, byte for byte (RP-Initiated Logout 1.0 section 3). The error is a [*ReturnURLMismatch].
func MatchPostLogoutURL(registered []ReturnURL, sent string) (oauth.RedirectURI, error) {
	for _, r := range registered {
		if r.Value == sent {
			return oauth.MatchedRedirectURI(sent), nil
		}
	}
	m := mismatch(registered, sent)
	if m.Rule == RuleNoneAllowed {
		m.Words = "None is registered yet; add this one under Settings."
	}
	return oauth.RedirectURI{}, m
}

// MismatchRule is the commonest single difference that explains a mismatch.
type MismatchRule string

const (
	RuleMissing       MismatchRule = "missing"         // nothing was sent
	RuleNoneAllowed   MismatchRule = "none_registered" // nothing is registered
	RuleWhitespace    MismatchRule = "whitespace"
	RuleEncoding      MismatchRule = "percent_encoding"
	RuleLetterCase    MismatchRule = "letter_case"
	RuleScheme        MismatchRule = "scheme"
	RuleTrailingSlash MismatchRule = "trailing_slash"
	RulePort          MismatchRule = "port"
	RuleWWW           MismatchRule = "www"
	RuleFragment      MismatchRule = "fragment"
	RuleQuery         MismatchRule = "query"
	RulePath          MismatchRule = "path"
	RuleHost          MismatchRule = "host"
	RuleSeveral       MismatchRule = "several" // differs in more than one of these
)

// ReturnURLMismatch tells why a return URL was refused. All but Sent speaks of what is registered, so it is for the
// profile's owner only; Error tells nothing of it.
type ReturnURLMismatch struct {
	Sent    string
	Nearest string // the registered value most like it; "" when none is registered
	Rule    MismatchRule
	Words   string // the rule in words, with both values where they are short

	// Where the two differ. The parts of each join to the whole, and Before and After are the same in both.
	SentParts, NearestParts Difference
}

// Difference is a string cut in three around the part that differs from another.
type Difference struct{ Before, Differs, After string }

func (*ReturnURLMismatch) Error() string {
	return "the return URL is not one of the allowed ones"
}

func mismatch(registered []ReturnURL, sent string) *ReturnURLMismatch {
	m := &ReturnURLMismatch{Sent: sent}
	if sent == "" {
		m.Rule, m.Words = RuleMissing, "The request named no return URL; send one of the allowed ones as redirect_uri."
		return m
	}
	if len(registered) == 0 {
		m.Rule, m.Words = RuleNoneAllowed, "No return URL is allowed yet; add this one under Web Settings."
		return m
	}
	// A registered value that differs in one explainable way is nearer than any with fewer letters changed.
	// What is longer than any registered value can be is compared by its beginning, so that size costs nothing.
	beginning := sent[:min(len(sent), ReturnURLMaxBytes+1)]
	best := likeness{distance: farDistance + 1}
	for _, r := range registered {
		rule, words := explain(beginning, r.Value)
		l := likenessOf(beginning, r.Value)
		l.explained = rule != RuleSeveral && rule != RulePath && rule != RuleHost
		if m.Nearest == "" || l.closer(best) {
			best, m.Nearest, m.Rule, m.Words = l, r.Value, rule, words
		}
	}
	m.SentParts, m.NearestParts = differences(sent, m.Nearest)
	return m
}

// explain names the single difference between two addresses.
func explain(sent, registered string) (MismatchRule, string) {
	if withoutSpace(sent) == registered {
		return RuleWhitespace, "White space was sent with the address."
	}
	if percentDecoded(sent) == percentDecoded(registered) {
		return RuleEncoding, "The two differ in percent encoding only; send the address encoded exactly once, in the registered spelling."
	}
	if strings.EqualFold(sent, registered) {
		return RuleLetterCase, "The two differ in upper and lower case only, which counts."
	}
	cut := cutAddress
	if (ReturnURL{Value: registered}).UsesOwnScheme() {
		cut = cutWithoutHost
	}
	s, ok1 := cut(sent)
	r, ok2 := cut(registered)
	if !ok1 || !ok2 {
		return RuleSeveral, "The address sent is not a whole one with scheme and host."
	}
	var rules []MismatchRule
	var words []string
	differs := func(rule MismatchRule, format string, args ...any) {
		rules, words = append(rules, rule), append(words, fmt.Sprintf(format, args...))
	}
	if s.scheme != r.scheme {
		differs(RuleScheme, "It was sent with %s, and is registered with %s.", brief(s.scheme), brief(r.scheme))
	}
	sentHost, registeredHost := s.userinfo+s.host, r.userinfo+r.host
	if sentHost != registeredHost || s.hasUserinfo != r.hasUserinfo {
		if !s.hasUserinfo && strings.TrimPrefix(sentHost, "www.") == strings.TrimPrefix(registeredHost, "www.") {
			differs(RuleWWW, "The two differ in “www.” before the host.")
		} else {
			differs(RuleHost, "The host is another than the registered %s.", brief(r.host))
		}
	}
	if s.port != r.port || s.hasPort != r.hasPort {
		differs(RulePort, "It was sent with %s, and is registered with %s.", portWords(s), portWords(r))
	}
	if s.path != r.path {
		if strings.TrimSuffix(s.path, "/") == strings.TrimSuffix(r.path, "/") {
			differs(RuleTrailingSlash, "The two differ in the “/” at the end, which counts.")
		} else {
			differs(RulePath, "The path is another than the registered one.")
		}
	}
	if s.query != r.query || s.hasQuery != r.hasQuery {
		differs(RuleQuery, "The query string (from “?” on) differs; it is part of the comparison.")
	}
	if s.hasFragment {
		differs(RuleFragment, "A return URL has no “#” part.")
	}
	if len(rules) == 1 {
		return rules[0], words[0]
	}
	return RuleSeveral, strings.Join(words, " ")
}

func portWords(a address) string {
	if a.port == "" {
		return "no port"
	}
	return "port " + brief(a.port)
}

// brief keeps a sentence readable when a stranger sends a long value.
func brief(s string) string {
	const maxChars = 60
	if utf8.RuneCountInString(s) <= maxChars {
		return s
	}
	return string([]rune(s)[:maxChars]) + "…"
}

func withoutSpace(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// percentDecoded decodes until nothing changes, at most three times: once more than double encoding needs.
func percentDecoded(s string) string {
	for range 3 {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == s {
			break
		}
		s = decoded
	}
	return s
}
