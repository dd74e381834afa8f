package provider

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// exchange is one token request on its way through the phases. A grant fills in
// what is its own; it cannot forget a shared step.
type exchange struct {
	// path is the dialect of the path that was asked, not of the code.
	path oauth.Dialect
	now  time.Time
	// endpoint is the URL that was called, as it is known to the outside.
	endpoint string
	values   url.Values
	client   *registry.SecurityProfile
	// device is the id of the profile's device client that asks, 0 for its own client.
	device int64
	method oauth.ClientAuthMethod
	// secret is the id of the secret that was used, 0 without one.
	secret int64
	// key is what the request has proved to have, by a proof that was spent or not.
	key     jkt
	proof   [32]byte
	spent   bool
	request oauth.TokenRequest
	// table says what scopes there are.
	table *registry.Scopes
	// pair is what the device grant is about, nil elsewhere.
	pair *authz.DevicePair
	// interval is what a device that has to wait is told.
	interval time.Duration
}

// issue is what a grant decided to give.
type issue struct {
	grantID int64
	family  authz.Family
	scopes  oauth.ScopeSet
	// dialect shapes the tokens: that of the authorization request.
	dialect oauth.Dialect
	// refresh is the refresh token to answer, "" for none.
	refresh string
	// scope is the text of the parameter scope, "" to leave it out.
	scope string
	// account, authTime and nonce are of the ID token, where the scopes ask for one.
	account  int64
	authTime time.Time
	nonce    string
	// user and release are what the ID token tells about the user.
	user    oidc.User
	release oidc.ClaimSet
	extra   authz.Extra
	// audience are the APIs that the access token is for; extra has those of the grant.
	audience audience
}

// tokenEndpoint is RFC 6749 section 3.2 on the path of one dialect.
func (p *Provider) tokenEndpoint(path oauth.Dialect) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			return p.writeError(w, r, http.StatusMethodNotAllowed, &oauth.Error{Code: oauth.InvalidRequest, Description: "Only POST is supported"})
		}
		x := &exchange{path: path, now: p.Now()}
		given, err := p.exchange(r, x)
		if err = errors.Join(err, p.offerNonceFor(w, r, x)); err != nil {
			p.tokens.count(x, err)
			return p.turnBack(w, r, x, err)
		}
		p.share(w, r, x.client)
		err = p.answer(w, r, x, given)
		p.tokens.count(x, err)
		return err
	}
}

// turnBack answers the error of an application's request.
func (p *Provider) turnBack(w http.ResponseWriter, r *http.Request, x *exchange, err error) error {
	p.share(w, r, x.client)
	p.shareError(w, r) // where no client is known
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		return p.unavailable(w, r, err)
	}
	if e.Code != oauth.AuthorizationPending { // nothing is wrong with it
		p.refuse(r, x.client, audit.Refusal{Endpoint: r.URL.Path, Code: string(e.Code), Words: words(e)})
	}
	if e.Code == oauth.InvalidClient && r.Header.Get("Authorization") != "" {
		// RFC 6749 section 5.2: the scheme that the client used.
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
	}
	return writeJSON(w, e.Status(), wireError{
		Description: e.Description, Error: e.Code, RequestID: web.RequestID(r.Context()), Interval: int(x.interval / time.Second),
	})
}

// exchange runs the phases, the same for every grant.
func (p *Provider) exchange(r *http.Request, x *exchange) (issue, error) {
	params, err := p.parse(r, x)
	switch {
	case err != nil:
		return issue{}, err
	case oauth.PairAlone(params) && r.Header.Get("Authorization") == "":
		err = p.identifyByPair(r.Context(), x, params)
	default:
		err = p.identifyClient(r, x, params)
	}
	if err != nil {
		return issue{}, err
	}
	if err := p.prove(r, x); err != nil {
		return issue{}, err
	}
	request, perr := oauth.ParseTokenRequest(params)
	if perr != nil {
		return issue{}, perr
	}
	x.request = request
	switch {
	case x.client.Settings.RequireDPoP && x.key == jkt{}:
		return issue{}, oauth.InvalidProof("This application has to send a DPoP proof.")
	case x.device != 0 && request.GrantType != oauth.GrantDeviceCode && request.GrantType != oauth.GrantRefreshToken:
		return issue{}, oauth.NotAuthorized().Because("This is the client ID of a device, which can only use the device grant and refresh what it got.")
	case x.device == 0 && !x.client.May(request.GrantType):
		return issue{}, oauth.NotAuthorized().Because("The kind of this security profile does not allow grant_type " + string(request.GrantType) + ".")
	}
	if x.table, err = p.View.Scopes(r.Context()); err != nil {
		return issue{}, err
	}
	// 4. Run the grant.
	given, err := p.run(r.Context(), x)
	if err != nil {
		return issue{}, err
	}
	// 5. The proof counts once, and what is given is bound to its key (RFC 9449
	// sections 5 and 6).
	given.extra.Key = x.key
	return given, p.spend(r.Context(), x)
}

func (p *Provider) run(ctx context.Context, x *exchange) (issue, error) {
	switch x.request.GrantType {
	case oauth.GrantAuthorizationCode:
		return p.redeem(ctx, x)
	case oauth.GrantRefreshToken:
		return p.refresh(ctx, x)
	case oauth.GrantClientCredentials:
		return p.clientCredentials(ctx, x)
	case oauth.GrantDeviceCode:
		return p.redeemDevice(ctx, x)
	default:
		return issue{}, oauth.NotAuthorized()
	}
}

// identify is the first three phases, which every endpoint for applications has.
func (p *Provider) identify(r *http.Request, x *exchange) (oauth.Params, error) {
	params, err := p.parse(r, x)
	if err != nil {
		return params, err
	}
	return params, p.identifyClient(r, x, params)
}

// parse is the first phase: the parameters are read once.
func (p *Provider) parse(r *http.Request, x *exchange) (oauth.Params, error) {
	values, err := tokenValues(r, x.path)
	if err != nil {
		return oauth.Params{}, err
	}
	x.endpoint, x.values = p.Issuer+r.URL.Path, values
	return oauth.ParseParams(values), nil
}

// identifyClient is the second and the third phase.
func (p *Provider) identifyClient(r *http.Request, x *exchange, params oauth.Params) error {
	credentials, perr := oauth.ParseClientCredentials(r.Header.Values("Authorization"), params)
	if perr != nil {
		return perr
	}
	// 2. Authenticate the client. Whatever fails from here on, a code that was
	// sent along is not used up by it.
	if err := p.authenticate(r.Context(), x, credentials); err != nil {
		return err
	}
	return x.inService()
}

// inService is the third phase: a check of what the client may do.
func (x *exchange) inService() error {
	if !x.client.SuspendedAt.IsZero() {
		return oauth.NotAuthorized().Because("The operator has suspended this security profile.")
	}
	return nil
}

// maxTokenBody bounds a token request: everything that has a place in it is small.
const maxTokenBody = 64 << 10

// tokenValues reads the parameters from the body alone: a secret in the address
// would stand in logs (pocket-id#1321). JSON is a habit of clients of Login with
// Amazon (login-with-amazon.md section 7).
func tokenValues(r *http.Request, path oauth.Dialect) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json" && path == oauth.LoginWithAmazon:
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		values, perr := oauth.ParseJSON(body)
		if perr != nil {
			return nil, perr
		}
		return values, nil
	case err == nil && kind == "application/x-www-form-urlencoded":
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "The request body is not form-encoded", Reason: "The body of the token request has a malformed percent-encoding."}
		}
		return values, nil
	}
	accepted := "application/x-www-form-urlencoded"
	if path == oauth.LoginWithAmazon {
		accepted += " or application/json"
	}
	return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "The Content-Type must be " + accepted}
}

func readBody(r *http.Request) ([]byte, error) {
	var body bytes.Buffer
	if 0 < r.ContentLength && r.ContentLength <= maxTokenBody {
		body.Grow(int(r.ContentLength) + bytes.MinRead) // all of it at once
	}
	_, err := body.ReadFrom(io.LimitReader(r.Body, maxTokenBody+1))
	if err != nil || body.Len() > maxTokenBody {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "The request body is too large or was cut off"}
	}
	return body.Bytes(), nil
}
