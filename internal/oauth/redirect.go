package oauth

import (
	"net/url"
	"strings"
)

// RedirectURI is a return URL that a client has registered: the only place an
// answer may be sent to. It is byte for byte what was registered and sent.
type RedirectURI struct {
	value string
}

// MatchedRedirectURI vouches for a return URL. Only package registry calls it,
// after an exact match with a registered value; such a value is a URL that
// [url.Parse] accepts, and has no fragment (RFC 6749 section 3.1.2).
func MatchedRedirectURI(registered string) RedirectURI { return RedirectURI{value: registered} }

func (u RedirectURI) String() string { return u.value }

// Host is the host, with its port if it has one, to show to a person. It is
// empty for schemes of native applications that have none.
func (u RedirectURI) Host() string {
	if parsed, err := url.Parse(u.value); err == nil {
		return parsed.Host
	}
	return ""
}

// Scheme is the scheme in lower case.
func (u RedirectURI) Scheme() string {
	scheme, _, _ := strings.Cut(u.value, ":")
	return strings.ToLower(scheme)
}

// Pair is a parameter of an answer.
type Pair struct {
	Name, Value string
}

// With adds parameters to the query, in the order given and leaving out those
// without a value. The registered bytes stay as they are: a query component MUST
// be retained (RFC 6749 section 3.1.2), and a client may compare it as text.
func (u RedirectURI) With(pairs ...Pair) string {
	separator := "?"
	if strings.Contains(u.value, "?") {
		separator = "&"
		if strings.HasSuffix(u.value, "?") || strings.HasSuffix(u.value, "&") {
			separator = ""
		}
	}
	return u.join(separator, pairs)
}

// WithFragment is With for a fragment (RFC 6749 section 4.2.2), which a registered
// return URL does not have.
func (u RedirectURI) WithFragment(pairs ...Pair) string { return u.join("#", pairs) }

func (u RedirectURI) join(separator string, pairs []Pair) string {
	var b strings.Builder
	b.WriteString(u.value)
	for _, pair := range pairs {
		if pair.Value == "" {
			continue
		}
		b.WriteString(separator + escape(pair.Name) + "=" + escape(pair.Value))
		separator = "&"
	}
	return b.String()
}

// escape writes a blank as %20: every decoder reads it, while many clients in
// JavaScript do not read "+".
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
