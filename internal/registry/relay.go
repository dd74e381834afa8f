package registry

import (
	"net/url"
	"slices"
	"strings"

	"gatelodge/internal/oauth"
)

// RelayPath is the page of the server by which an answer reaches the window that opened a popup
// (login-with-amazon.md section 13).
const RelayPath = "/sdk/relay"

// RelayURL is the return URL of a popup that a page of an origin opened: the relay page, which hands the answer to that
// origin and no other. It has this one spelling.
func RelayURL(issuer, origin string) string {
	return issuer + RelayPath + "?" + url.Values{"origin": {origin}}.Encode()
}

// IsRelay reports whether a return URL is the relay page's. Such a one is judged by [MatchRelay] alone, also where
// somebody has registered it as an Allowed Return URL: it would send answers to an origin that is not allowed.
func IsRelay(issuer, sent string) bool { return strings.HasPrefix(sent, issuer+RelayPath) }

// MatchRelay finds the origin that the answer to a popup goes to among the allowed ones. Both the origin and the address
// that carries it are compared byte for byte, as return URLs are. The error is an [*OriginMismatch].
func MatchRelay(issuer string, allowed []AllowedOrigin, sent string) (oauth.RedirectURI, AllowedOrigin, error) {
	for _, o := range allowed {
		if sent == RelayURL(issuer, o.Value) && o.shares() {
			return oauth.MatchedRedirectURI(sent), o, nil
		}
	}
	return oauth.RedirectURI{}, AllowedOrigin{}, originMismatch(issuer, allowed, sent)
}

// AllowsOrigin reports whether pages of the origin that a browser names may read answers.
func AllowsOrigin(allowed []AllowedOrigin, sent string) bool {
	return slices.ContainsFunc(allowed, func(o AllowedOrigin) bool { return o.Value == sent && o.shares() })
}

// shares holds for every origin that [ParseAllowedOrigin] lets through. That the opaque origin is none, which any
// sandboxed frame has, does not hang on what is stored alone.
func (o AllowedOrigin) shares() bool { return o.Value != "" && o.Value != "null" }

// OriginMismatch tells why a popup was refused. All but Sent speaks of what is registered, so it is for the profile's
// owner only.
type OriginMismatch struct {
	Sent    string // the origin that was named, "" when the address does not name one as the script writes it
	Nearest string // the allowed origin most like it; "" when none is allowed
	Words   string

	// As of [ReturnURLMismatch].
	SentParts, NearestParts Difference
}

func (*OriginMismatch) Error() string { return "the origin is not one of the allowed ones" }

func originMismatch(issuer string, allowed []AllowedOrigin, sent string) *OriginMismatch {
	origin := relayOrigin(issuer, sent)
	m := &OriginMismatch{Sent: origin}
	switch {
	case origin == "":
		m.Words = "The address of the relay page has to name one origin, in the way that /sdk/login.js writes it, and nothing else."
		return m
	case origin == "null":
		m.Words = "The page hides its origin (“null”), as sandboxed frames and local files do. Serve it from a web server, and allow that origin."
		return m
	case len(allowed) == 0:
		m.Words = "No origin is allowed yet; add this one under Web Settings."
		return m
	}
	likes := make([]ReturnURL, len(allowed))
	for i, o := range allowed {
		likes[i] = ReturnURL{Value: o.Value}
	}
	near := mismatch(likes, origin)
	m.Nearest, m.Words, m.SentParts, m.NearestParts = near.Nearest, near.Words, near.SentParts, near.NearestParts
	return m
}

// relayOrigin reads which origin the address of a relay page names.
func relayOrigin(issuer, sent string) string {
	query, ok := strings.CutPrefix(sent, issuer+RelayPath+"?")
	if !ok {
		return ""
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != 1 || len(values["origin"]) != 1 {
		return ""
	}
	origin := values.Get("origin")
	if RelayURL(issuer, origin) != sent {
		return ""
	}
	return origin
}
