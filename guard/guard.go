package guard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options are what a Guard is made of. The first four are needed.
type Options struct {
	// Issuer is the base URL of the Gatelodge server, without a slash at its end.
	Issuer string
	// Audience is the identifier that the operator gave to the API.
	Audience string
	// ClientID and ClientSecret are those of the API's security profile.
	ClientID, ClientSecret string
	// URL is the public base URL of the API, which DPoP proofs name. It may be left
	// out where the Host header of requests can be trusted and the API has TLS.
	URL string
	// Client is for requests to the server; one with a timeout of 10 s when nil.
	Client *http.Client
	// MaxStale bounds the age of an answer that is kept; 6 s when 0, at least 3 s.
	MaxStale time.Duration
	// MaxTokens bounds how many answers are kept; 50,000 when 0. One takes about 1 KiB.
	MaxTokens int
	// MaxBadTokens is how many bad tokens one address may send at once, and one more each
	// second, before tokens of it that are not known are answered 429 for a while; 60
	// when 0, no limit when negative. It keeps strangers from making the server work:
	// other addresses and tokens that were good before are not held back.
	MaxBadTokens int
	// Address tells where a request comes from, for MaxBadTokens; where its connection
	// does when nil. An API behind a proxy needs it: take the address that the proxy
	// tells, and from no one but the proxy.
	Address func(*http.Request) netip.Addr
	// Logger hears when the server cannot be followed; the default one when nil.
	Logger *slog.Logger
	// Now is the time; time.Now when nil.
	Now func() time.Time
}

// Principal is who a request comes from.
type Principal struct {
	// Subject is the user, by the id that the API's developer account knows them by;
	// the client ID for a token of an application alone.
	Subject string
	// ClientID is the application that acts for them.
	ClientID string
	// Scopes are those of the token that are the API's own.
	Scopes    []string
	ExpiresAt time.Time
}

// User reports whether there is a user, and not an application alone.
func (p Principal) User() bool { return p.Subject != p.ClientID }

// Guard checks the tokens of requests. It is safe for concurrent use.
type Guard struct {
	options   Options
	answers   *answers
	strangers *strangers
	follow    follower
	keys      keySet
	proofs    proofs
}

// New makes a Guard. Nothing is asked yet: the server may start later.
func New(o Options) (*Guard, error) {
	issuer, err := url.Parse(o.Issuer)
	switch {
	case err != nil || issuer.Host == "" || issuer.Scheme != "https" && issuer.Scheme != "http" || strings.HasSuffix(o.Issuer, "/"):
		return nil, errors.New("guard: the issuer is not a base URL such as https://id.example.com")
	case o.Audience == "":
		return nil, errors.New("guard: the audience is missing: it is the identifier that the operator of the server gave to the API")
	case o.ClientID == "" || o.ClientSecret == "":
		return nil, errors.New("guard: the client ID or the client secret of the API's security profile is missing")
	case o.MaxTokens < 0:
		return nil, errors.New("guard: MaxTokens is negative")
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.MaxStale == 0 {
		o.MaxStale = 6 * time.Second
	}
	if o.MaxStale < 3*time.Second {
		return nil, errors.New("guard: MaxStale is at least 3 s")
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = 50_000
	}
	if o.MaxBadTokens == 0 {
		o.MaxBadTokens = 60
	}
	if o.Address == nil {
		o.Address = remoteAddress
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Guard{options: o, answers: newAnswers(o.MaxTokens), strangers: newStrangers(o.MaxBadTokens)}, nil
}

type contextKey struct{}

// NewContext gives a context with a principal, for [From] to find: for tests of
// handlers, and for middleware that calls [Guard.Check] itself.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From gives the principal of a request that came through [Guard.Require], and false
// for any other.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(Principal)
	return p, ok
}

// Require is middleware that lets requests through whose token is good and has all the
// scopes, and answers the others itself. Handlers find who it is by [From].
func (g *Guard) Require(scopes ...string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, err := g.Check(r, scopes...)
			if err != nil {
				refused, ok := errors.AsType[*Error](err)
				if !ok {
					g.options.Logger.WarnContext(r.Context(), "a token could not be checked", "error", err)
					refused = unavailable()
				}
				refused.Write(w)
				return
			}
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), p)))
		})
	}
}

// Check finds out who a request comes from, for APIs that write their own answers. Its
// refusals are *[Error]; other errors mean that the server could not be asked, which is
// 503 and never a reason to let a request through.
func (g *Guard) Check(r *http.Request, scopes ...string) (Principal, error) {
	token, scheme, err := bearer(r)
	if err != nil {
		return Principal{}, err
	}
	now := g.options.Now()
	a, err := g.answer(r, token, now)
	if err != nil {
		return Principal{}, err
	}
	if !a.active || !now.Before(a.principal.ExpiresAt) {
		return Principal{}, invalidToken("The access token is not valid, or not valid any more")
	}
	if err := g.checkKey(r, scheme, token, a.thumbprint, now); err != nil {
		return Principal{}, err
	}
	for _, scope := range scopes {
		if !slices.Contains(a.principal.Scopes, scope) {
			return Principal{}, insufficientScope(scopes)
		}
	}
	return a.principal, nil
}

// bearer takes the token from the Authorization header, the one place where this
// package looks (RFC 6750 section 2.1): tokens in addresses end up in logs.
func bearer(r *http.Request) (token, scheme string, err error) {
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) == 0:
		return "", "", noToken()
	case len(headers) > 1:
		return "", "", invalidRequest("The request has more than one Authorization header")
	}
	name, token, _ := strings.Cut(headers[0], " ")
	token = strings.Trim(token, " ")
	for _, scheme := range []string{schemeBearer, schemeDPoP} {
		if strings.EqualFold(name, scheme) {
			if token == "" || len(token) > maxToken || strings.ContainsAny(token, " \t\"\\") {
				return "", "", invalidToken("The Authorization header has no access token that could be one")
			}
			return token, scheme, nil
		}
	}
	return "", "", noToken()
}

const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
	maxToken     = 4096
)
