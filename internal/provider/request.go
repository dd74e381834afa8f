package provider

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/seal"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// request is an authorization request that has been verified: its application
// exists and its return URL is registered.
type request struct {
	oauth.AuthorizationRequest
	values   url.Values
	dialect  oauth.Dialect
	profile  *registry.SecurityProfile
	redirect oauth.RedirectURI
	// origin is that of the page that opened a popup, "" for a request without one.
	origin string
	// essential and voluntary are the scopes asked for (login-with-amazon.md section 4).
	essential, voluntary oauth.ScopeSet
	// table says what the scopes are.
	table *registry.Scopes
	// audience are the APIs that were named (RFC 8707).
	audience audience
	// Of OpenID Connect Core section 3.1.2.1.
	prompt    oidc.Prompt
	maxAge    oidc.MaxAge
	nonce     string
	startedAt time.Time
	// asked are the scopes of the parameter scope; the rest is asked for by the
	// parameter claims alone, and named in implied.
	asked   oauth.ScopeSet
	implied []string
	claims  oidc.ClaimsRequest
	// subjects are the users of whom it has to be one, nil for anybody.
	subjects []string
}

func (q *request) requested() oauth.ScopeSet { return q.essential.Union(q.voluntary) }

// rejection is an error of an authorization request that may be sent to the
// return URL, because that is known to be good.
type rejection struct {
	cause   *oauth.Error
	profile *registry.SecurityProfile
	target
}

func (e *rejection) Error() string { return e.cause.Error() }

// unsafeTarget is an error before the return URL is known to be good: a page.
type unsafeTarget struct {
	cause    *oauth.Error
	profile  *registry.SecurityProfile
	clientID string
	mismatch *registry.ReturnURLMismatch
	origin   *registry.OriginMismatch
}

func (e *unsafeTarget) Error() string { return e.cause.Error() }

// verify reads an authorization request. Its errors are *unsafeTarget, *rejection,
// *interruption, or what went wrong with the database.
func (p *Provider) verify(ctx context.Context, values url.Values, d oauth.Dialect) (*request, error) {
	params := oauth.ParseParams(values)
	clientID, sent, perr := oauth.ParseAuthorizationTarget(params)
	if perr != nil && clientID == "" {
		return nil, &unsafeTarget{cause: perr}
	}
	profile, key, err := p.client(ctx, clientID)
	if err != nil {
		return nil, err
	}
	if perr != nil {
		return nil, &unsafeTarget{cause: perr, profile: profile, clientID: clientID}
	}
	redirect, origin, err := p.matchTarget(profile, sent)
	if m, ok := errors.AsType[*registry.ReturnURLMismatch](err); ok {
		return nil, &unsafeTarget{cause: oauth.InvalidParameter("redirect_uri").Because(m.Words), profile: profile, clientID: clientID, mismatch: m}
	}
	if m, ok := errors.AsType[*registry.OriginMismatch](err); ok {
		return nil, &unsafeTarget{cause: oauth.InvalidParameter("redirect_uri").Because(m.Words), profile: profile, clientID: clientID, origin: m}
	}
	if err != nil {
		return nil, err
	}
	mode, perr := answerMode(params, d, redirect)
	if perr == nil && origin != "" && mode == oauth.ModeFormPost {
		mode, perr = oauth.ModeQuery, oauth.InvalidParameter("response_mode").Because("The relay page of a popup takes no form. Leave response_mode=form_post out.")
	}
	back := target{redirect: redirect, mode: mode, state: params.Value("state"), dialect: d}
	reject := func(e *oauth.Error) error { return &rejection{cause: e, profile: profile, target: back} }
	if perr != nil {
		return nil, reject(perr)
	}
	if _, ok := profile.Device(key); ok {
		return nil, reject(oauth.NotAuthorized().Because("This is the client ID of a device, which has no return URL: it starts with the device grant."))
	}
	if !profile.SuspendedAt.IsZero() {
		return nil, reject(oauth.NotAuthorized().Because("The operator has suspended this security profile."))
	}
	if !profile.May(oauth.GrantAuthorizationCode) {
		return nil, reject(oauth.NotAuthorized().Because("A security profile of the kind “" + profile.Settings.Kind.Name() + "” never sends users here."))
	}
	parsed, perr := oauth.ParseAuthorizationRequest(params, d)
	if perr != nil {
		return nil, reject(perr)
	}
	if parsed.ResponseType == oauth.ResponseToken && !profile.Settings.Implicit {
		return nil, reject(oauth.NotAuthorized().Because("The implicit grant (response_type=token) is switched off for this profile. Better: send response_type=code."))
	}
	if parsed.ResponseType == oauth.ResponseToken && profile.Settings.RequireDPoP {
		return nil, reject(oauth.NotAuthorized().Because("The tokens of this profile are bound to keys (DPoP), which the implicit grant (response_type=token) cannot do. Send response_type=code."))
	}
	if perr := publicPKCE(profile.Settings.Kind, parsed); perr != nil {
		return nil, reject(perr)
	}
	prompt, promptErr := oidc.ParsePrompt(parsed.Prompt)
	table, err := p.View.Scopes(ctx)
	if err != nil {
		return nil, interrupt(err, prompt, back)
	}
	if perr := refuseObjects(values, parsed.Scope, table); perr != nil {
		return nil, reject(perr)
	}
	q := &request{
		AuthorizationRequest: parsed, values: values, dialect: d, profile: profile, redirect: redirect, origin: origin, table: table,
		nonce: params.Value("nonce"), startedAt: p.Now(), prompt: prompt,
	}
	if promptErr != nil {
		return nil, reject(promptErr)
	}
	if q.maxAge, perr = oidc.ParseMaxAge(params.Value("max_age")); perr != nil {
		return nil, reject(perr)
	}
	if q.essential, q.voluntary, perr = askedScopes(profile, table, parsed.Scope, parsed.ScopeData); perr != nil {
		return nil, reject(perr)
	}
	q.audience, err = p.resources(ctx, q.Resources, table, q.requested())
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return nil, reject(e)
	}
	if err != nil {
		return nil, interrupt(err, prompt, back)
	}
	err = p.readOpenID(ctx, q, params)
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return nil, reject(e)
	}
	if err != nil {
		return nil, interrupt(err, prompt, back)
	}
	return q, nil
}

// askedScopes are the scopes that a profile asks for, if it may.
func askedScopes(profile *registry.SecurityProfile, table *registry.Scopes, names []string, data map[string]oauth.ScopeDatum) (essential, voluntary oauth.ScopeSet, refusal *oauth.Error) {
	for _, name := range names {
		scope, ok := table.Lookup(name)
		if !ok {
			return essential, voluntary, oauth.UnknownScope().Because(fmt.Sprintf("There is no scope %q. %s", name, mayAsk(profile, table)))
		}
		if !profile.MayAsk(scope) {
			return essential, voluntary, oauth.UnknownScope().Because(notGranted(scope) + " " + mayAsk(profile, table))
		}
		isEssential := scope.Essential
		if datum := data[name]; datum.Essential != nil {
			isEssential = *datum.Essential
		}
		if isEssential {
			essential = essential.With(scope.Number)
		} else {
			voluntary = voluntary.With(scope.Number)
		}
	}
	return essential, voluntary, nil
}

// publicPKCE holds applications that can keep no secret to S256 before their users are
// asked for anything (RFC 7636 section 4.4.1, RFC 9700 section 2.1.1).
func publicPKCE(kind registry.Kind, asked oauth.AuthorizationRequest) *oauth.Error {
	if !kind.Public() || asked.ResponseType != oauth.ResponseCode || asked.Challenge.Method == oauth.S256 {
		return nil
	}
	reason := "A security profile of the kind “" + kind.Name() + "” has no secret, so PKCE with S256 has to tie the code to it."
	if asked.Challenge.Method == oauth.PKCENone {
		return oauth.MissingParameter("code_challenge").Because(reason)
	}
	return oauth.InvalidParameter("code_challenge_method").Because(reason)
}

// client finds the application of an authorization request.
func (p *Provider) client(ctx context.Context, clientID string) (*registry.SecurityProfile, registry.ClientKey, error) {
	key, err := p.Namespace.ParseClientID(clientID)
	if err != nil {
		return nil, key, &unsafeTarget{cause: oauth.InvalidParameter("client_id").Because(err.Error()), clientID: clientID}
	}
	profile, err := p.View.Client(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, key, &unsafeTarget{cause: oauth.InvalidParameter("client_id").Because("No application has this client ID. It may have been deleted."), clientID: clientID}
	}
	return profile, key, err
}

// refuseObjects refuses request objects, which are not read here: OpenID Connect
// wants that said (Core sections 6.1 and 6.2), while to OAuth alone they are
// parameters like others that it does not know.
func refuseObjects(values url.Values, scope []string, table *registry.Scopes) *oauth.Error {
	asked, _ := table.Parse(scope)
	switch {
	case !asksIDToken(asked):
		return nil
	case values.Get("request") != "":
		return &oauth.Error{Code: oauth.RequestNotSupported, Description: "The parameter request is not supported"}
	case values.Get("request_uri") != "":
		return &oauth.Error{Code: oauth.RequestURINotSupported, Description: "The parameter request_uri is not supported"}
	}
	return nil
}

// mayAsk tells the owner what the profile may ask for.
func mayAsk(profile *registry.SecurityProfile, table *registry.Scopes) string {
	var names []string
	for s := range table.All() {
		if profile.MayAsk(s) {
			names = append(names, s.Name)
		}
	}
	return "This profile may ask for: " + strings.Join(names, ", ") + "."
}

// notGranted tells the owner of a scope that is not for everybody.
func notGranted(s registry.Scope) string {
	return "The scope " + s.Name + " is known, but not granted to this profile."
}

// anyAppMayAnswer reports whether the code goes to whichever program on the user's
// device has taken the scheme or the port. What was allowed before was then perhaps
// not for the one that asks now: RFC 8252 section 8.6 has the user asked each time.
func (q *request) anyAppMayAnswer() bool {
	return q.profile.Settings.Kind == registry.Native && q.redirect.Scheme() != "https"
}

// silent is what the user is not asked for. An application that registered itself
// gets nothing unasked: a link would be all that a stranger needs (CVE-2026-101062).
func (q *request) silent() oauth.ScopeSet {
	if q.profile.Dynamic {
		return oauth.ScopeSet{}
	}
	return silent
}

func (q *request) ask(g *authz.Grant) authz.Ask {
	a := authz.Ask{Dialect: q.dialect, Essential: q.essential, Voluntary: q.voluntary, Silent: q.silent(),
		Renew: q.prompt.Has(oidc.PromptConsent) || q.prompt.Has(oidc.PromptSelectAccount) || q.anyAppMayAnswer()}
	if g != nil {
		a.Grant = *g
	}
	return a
}

// requestLifetime is how long a sign-in and consent page may stay open.
const requestLifetime = time.Hour

// inFlight is a request on its way through the pages of sign-in and consent.
type inFlight struct {
	Dialect oauth.Dialect `json:"d"`
	Values  url.Values    `json:"v"`
	// Browser ties it to the browser in which it began: nobody can have somebody
	// else complete a request that was not theirs (CVE-2022-39222).
	Browser []byte `json:"b"`
	Started int64  `json:"t"`
}

// maxAddress is the longest address of the dispatcher's page: what the sign-in
// page carries along as the way back.
const maxAddress = 16 << 10

// seal gives the address of the dispatcher's page for a request. A request that is
// too long for it is a *rejection.
func (p *Provider) seal(w http.ResponseWriter, r *http.Request, q *request) (string, error) {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false) // it would make a state of many "&" six times as long
	if err := encoder.Encode(inFlight{Dialect: q.dialect, Values: q.values, Browser: p.bindBrowser(w, r), Started: q.startedAt.Unix()}); err != nil {
		return "", err
	}
	path := consentPath + "?request="
	if q.origin != "" {
		path = popupConsentPath
	}
	sealed, err := p.View.Keys().Seal([]byte(path), seal.Request, q.startedAt, plain.Bytes())
	if errors.Is(err, seal.ErrTooLong) || len(sealed) > maxAddress {
		return "", q.tooLong()
	}
	return string(sealed), err
}

func (q *request) tooLong() *rejection {
	return q.reject(&oauth.Error{Code: oauth.InvalidRequest, Description: "The request is too long"})
}

// open reads the sealed request of the dispatcher's page and verifies it again:
// the profile may have changed since.
func (p *Provider) open(r *http.Request) (*request, error) {
	stale := &web.Error{
		Status: http.StatusBadRequest, Title: "This page can no longer be used", Turn: web.YourTurn,
		Detail: "It was open for more than an hour, or was begun in another browser.",
		Next:   "Go back to the application and start again from there. Nothing was allowed.",
	}
	plain, err := p.View.Open(r.Context(), seal.Request, r.URL.Query().Get("request"))
	if err != nil {
		stale.Err = err
		return nil, stale
	}
	var f inFlight
	if err := json.Unmarshal(plain, &f); err != nil {
		return nil, err
	}
	started := time.Unix(f.Started, 0)
	if p.Now().Sub(started) > requestLifetime || subtle.ConstantTimeCompare(f.Browser, p.browser(r)) != 1 {
		return nil, stale
	}
	q, err := p.verify(r.Context(), f.Values, f.Dialect)
	if err != nil {
		return nil, err
	}
	q.startedAt = started
	return q, nil
}

// bindBrowser makes sure that the browser has the cookie that its requests are
// bound to, and gives the digest.
func (p *Provider) bindBrowser(w http.ResponseWriter, r *http.Request) []byte {
	if digest := p.browser(r); digest != nil {
		return digest
	}
	var raw [16]byte
	rand.Read(raw[:])
	http.SetCookie(w, &http.Cookie{
		Name: p.cookie, Value: base64.RawURLEncoding.EncodeToString(raw[:]), Path: "/",
		HttpOnly: true, Secure: p.Sessions.Secure, SameSite: http.SameSiteLaxMode,
	})
	sum := sha256.Sum256(raw[:])
	return sum[:16]
}

func (p *Provider) browser(r *http.Request) []byte {
	c, err := r.Cookie(p.cookie)
	if err != nil {
		return nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(c.Value)
	if err != nil || len(raw) != 16 {
		return nil
	}
	sum := sha256.Sum256(raw)
	return sum[:16]
}
