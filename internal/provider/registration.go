package provider

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/fetch"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// Registration says which applications may register themselves (RFC 7591).
type Registration string

const (
	RegistrationOff Registration = "off"
	// RegistrationByToken is for those that somebody gave an initial access token.
	RegistrationByToken Registration = "token"
	// RegistrationOpen is for anybody, within limits.
	RegistrationOpen Registration = "open"
)

// maxOpenClients is how many applications there are at most that registered without a
// token. Those that nobody has used are the first to go.
const maxOpenClients = 10_000

// registrationPath is RFC 7591's client registration endpoint.
const registrationPath = "/oauth2/register"

// registrationEndpoint is "" where applications cannot register themselves.
func (p *Provider) registrationEndpoint() string {
	if p.Registration == RegistrationByToken || p.Registration == RegistrationOpen {
		return p.Issuer + registrationPath
	}
	return ""
}

// register is the client registration endpoint (RFC 7591 section 3). Whoever comes
// with an initial access token registers for the developer account of that token;
// others, where they may, for nobody.
func (p *Provider) register(w http.ResponseWriter, r *http.Request) error {
	if p.registrationEndpoint() == "" {
		return p.writeError(w, r, http.StatusNotFound, &oauth.Error{Code: oauth.InvalidRequest, Description: "Applications cannot register themselves here"})
	}
	now := p.Now()
	given, perr := oauth.ParsePresented(r.Header.Values("Authorization"), nil, oauth.Params{})
	if perr != nil || given.Proved { // an initial access token is bound to no key
		return p.refuseToken(w, r)
	}
	text := given.Token
	var digest [32]byte
	rules := registrationRules{open: text == "", check: p.Fetch.Check}
	if text != "" {
		digest = registry.Digest(text)
		_, err := p.Store.InitialToken(r.Context(), digest, now)
		if errors.Is(err, store.ErrNotFound) {
			return p.refuseToken(w, r)
		}
		if err != nil {
			return p.unavailable(w, r, err)
		}
	} else if p.Registration != RegistrationOpen {
		return p.refuseToken(w, r)
	}
	m, perr := readMetadata(r)
	if perr != nil {
		return p.refuseRegistration(w, r, perr)
	}
	var err error
	if rules.table, err = p.View.Scopes(r.Context()); err != nil {
		return p.unavailable(w, r, err)
	}
	rules.ceiling = p.registrationCeiling(rules.table)
	a, perr := rules.judge(m)
	if perr != nil {
		return p.refuseRegistration(w, r, perr)
	}
	if rules.open {
		wait, err := p.Store.Take(r.Context(), account.AddressThrottleKey(account.RegistrationByAddress, p.Address(r)), account.RegistrationByAddress.Rate(), now)
		if err != nil {
			return p.unavailable(w, r, err)
		}
		if wait > 0 {
			return p.tooMany(w, r, wait)
		}
	}
	if a.logo != "" {
		if a.profile.Logo, err = p.takeLogo(r.Context(), a.logo); err != nil {
			return p.unavailable(w, r, err)
		}
	}
	return p.admit(w, r, a, digest, now)
}

// admit stores the application and tells it what it is now.
func (p *Provider) admit(w http.ResponseWriter, r *http.Request, a applicant, digest [32]byte, now time.Time) error {
	answer := a.answer
	if answer.AuthMethod == secretBasic || answer.AuthMethod == secretPost {
		a.profile.Secret = registry.NewClientSecret(p.Namespace)
		answer.ClientSecret, answer.SecretExpiresAt = a.profile.Secret, new(int64)
	}
	by := p.Sessions.By(r, session.User{}, now)
	var profile registry.SecurityProfile
	var err error
	if digest != ([32]byte{}) {
		profile, err = p.Store.Register(r.Context(), a.profile, digest, by)
	} else {
		profile, err = p.Store.RegisterOpen(r.Context(), a.profile, maxOpenClients, by)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return p.refuseToken(w, r) // somebody else had its last use
	case errors.Is(err, store.ErrTooMany):
		return p.tooMany(w, r, time.Hour)
	case err != nil:
		return p.unavailable(w, r, err)
	}
	answer.ClientID, answer.IssuedAt = p.Namespace.ClientID(profile.Client), profile.CreatedAt.Unix()
	if path := profile.Logo.Path(); path != "" {
		answer.LogoURI = p.Issuer + path
	}
	web.LogAttr(r.Context(), slog.String("registered", answer.ClientID))
	return writeJSON(w, http.StatusCreated, answer)
}

// readMetadata reads the body of a registration (RFC 7591 section 3.1).
func readMetadata(r *http.Request) (oidc.ClientMetadata, *oauth.Error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return oidc.ClientMetadata{}, &oauth.Error{Code: oidc.InvalidClientMetadata, Description: "The Content-Type must be application/json"}
	}
	body, err := readBody(r)
	if err != nil {
		return oidc.ClientMetadata{}, &oauth.Error{Code: oidc.InvalidClientMetadata, Description: "The request body is too large or was cut off"}
	}
	return oidc.ParseClientMetadata(body)
}

// registrationCeiling is what no application can pass that registers itself: what the
// operator has released for that, and never what only some may have (CVE-2026-61466).
func (p *Provider) registrationCeiling(table *registry.Scopes) oauth.ScopeSet {
	var ceiling oauth.ScopeSet
	for s := range table.All() {
		released := s.Number < registry.FirstOwnNumber
		if p.RegistrationScopes != nil {
			released = slices.Contains(p.RegistrationScopes, s.Name)
		}
		if released && !s.Restricted {
			ceiling = ceiling.With(s.Number)
		}
	}
	return ceiling
}

// takeLogo reads the application's logo and draws it anew: users' browsers never ask
// the application's server. One that cannot be had is left out, which the answer shows.
func (p *Provider) takeLogo(ctx context.Context, address string) (store.LogoChange, error) {
	body, err := p.Fetch.Get(ctx, address, "image/png, image/jpeg, image/webp, image/gif", registry.LogoMaxBytes)
	if refused, ok := errors.AsType[*fetch.Error](err); ok {
		web.LogAttr(ctx, slog.String("logo", refused.Words))
		return store.LogoChange{}, nil
	}
	if err != nil {
		return store.LogoChange{}, err
	}
	logo, err := p.Logos.Decode(ctx, body.Data)
	if problem, ok := errors.AsType[*registry.LogoProblem](err); ok {
		web.LogAttr(ctx, slog.String("logo", problem.Message))
		return store.LogoChange{}, nil
	}
	return store.LogoChange{Hash: logo.Hash, PNG: logo.PNG}, err
}

// refuseToken answers an initial access token that is missing or no longer good (RFC
// 6750 section 3.1).
func (p *Provider) refuseToken(w http.ResponseWriter, r *http.Request) error {
	challenge := `Bearer error="invalid_token"`
	if r.Header.Get("Authorization") == "" {
		challenge = "Bearer" // RFC 6750 section 3: no error code where nothing was sent
	}
	w.Header().Set("WWW-Authenticate", challenge)
	web.LogAttr(r.Context(), slog.String("refused", string(oauth.InvalidToken)))
	return p.writeError(w, r, http.StatusUnauthorized, &oauth.Error{Code: oauth.InvalidToken, Description: "Registration needs an initial access token that is good, as a Bearer token"})
}

func (p *Provider) refuseRegistration(w http.ResponseWriter, r *http.Request, e *oauth.Error) error {
	web.LogAttr(r.Context(), slog.String("refused", string(e.Code)))
	return p.writeError(w, r, http.StatusBadRequest, e)
}

func (p *Provider) tooMany(w http.ResponseWriter, r *http.Request, wait time.Duration) error {
	w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	return p.writeError(w, r, http.StatusTooManyRequests, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "Too many applications have registered; try again later"})
}
