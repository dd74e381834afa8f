package provider

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/signing"
)

// asksIDToken reports whether the scopes ask for an ID token (OpenID Connect Core
// section 3.1.2.1).
func asksIDToken(scopes oauth.ScopeSet) bool { return scopes.ContainsAll(openID) }

// newIDToken signs the ID token that goes with an access token (Core sections
// 3.1.3.3 and 12.2). What scopes tell of a user is told by UserInfo (section 5.4).
func (p *Provider) newIDToken(ctx context.Context, x *exchange, given issue, access string) (string, error) {
	token := oidc.IDToken{
		Issuer: p.Issuer, Audience: p.clientID(x.client, given.extra.Device),
		IssuedAt: x.now, ExpiresAt: x.now.Add(signing.MaxLifetime), AuthTime: given.authTime, Nonce: given.nonce,
		AtHash: oidc.AtHash(access), SessionID: p.sessionID(x.client.ID, given.extra.Session), User: given.user, Release: given.release,
	}
	token.User.Subject = p.userID(x.client, given.account)
	if !given.authTime.IsZero() {
		token.ACR, token.AMR = acrPassword, []string{amrPassword}
	}
	claims, err := token.Claims()
	if err != nil {
		return "", err
	}
	return p.View.SignJWT(ctx, signing.Algorithm(x.client.Settings.IDTokenAlg), signing.IDToken, claims, x.now)
}

// userInfo is the UserInfo endpoint (Core section 5.3). The token is taken from the
// Authorization header or from a form, never from the address.
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) error {
	var params oauth.Params
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "" {
		values, err := tokenValues(r, oauth.Standard)
		if err != nil {
			return p.bearerError(w, r, err)
		}
		params = oauth.ParseParams(values)
	}
	given, perr := oauth.ParsePresented(r.Header.Values("Authorization"), nil, params)
	if perr != nil {
		return p.bearerError(w, r, refusePresented(given, perr))
	}
	if given.Token == "" {
		// RFC 6750 section 3.1: a request without a token gets a bare challenge.
		w.Header()["Www-Authenticate"] = []string{`Bearer`, `DPoP ` + proofAlgorithms}
		p.shareError(w, r)
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	now := p.Now()
	b, err := p.checkPresented(w, r, given, now)
	if err != nil {
		return p.bearerError(w, r, err)
	}
	p.share(w, r, b.profile)
	if !b.here() {
		return p.bearerError(w, r, refusePresented(given, notHere()))
	}
	if b.account == nil || !asksIDToken(b.scopes) {
		return p.bearerError(w, r, refusePresented(given, &oauth.Error{Code: oauth.InsufficientScope, Description: "The access token does not have the scope openid"}))
	}
	// What was asked for by claims is told while the user still allows it.
	release := releasedBy(b.table, b.scopes) | oidc.ClaimSet(b.token.Extra.UserInfo)&releasedBy(b.table, b.grant.Scopes)
	body, err := p.describedUser(b.profile, b.account).UserInfo(release)
	if err != nil {
		return err
	}
	p.used(b, now)
	return writeBody(w, http.StatusOK, body)
}

// bearerError answers at a protected resource (RFC 6750 section 3).
func (p *Provider) bearerError(w http.ResponseWriter, r *http.Request, err error) error {
	if e, ok := errors.AsType[*proofError](err); ok {
		return p.askForProof(w, r, e.cause)
	}
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		return p.unavailable(w, r, err)
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="`+string(e.Code)+`", error_description="`+e.Description+`"`)
	return p.writeError(w, r, e.BearerStatus(), e)
}

// jwks publishes the keys that verify what is signed here (RFC 7517 section 5).
func (p *Provider) jwks(w http.ResponseWriter, r *http.Request) error {
	keys, err := p.View.JWKS(r.Context(), p.Now())
	if err != nil {
		return p.unavailable(w, r, err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=3600") // far below signing.PublishAhead
	h.Set("Access-Control-Allow-Origin", "*")
	_, err = w.Write(keys)
	return err
}

// metadata describes the server (RFC 8414, OpenID Connect Discovery section 4). It
// promises what is there and nothing else.
func (p *Provider) metadata(w http.ResponseWriter, r *http.Request) error {
	table, err := p.View.Scopes(r.Context())
	if err != nil {
		return p.unavailable(w, r, err)
	}
	m := oidc.Provider{
		Issuer: p.Issuer, Documentation: p.Issuer + "/help", RegistrationEndpoint: p.registrationEndpoint(),
		Scopes: openNames(table), SigningAlgorithms: []string{string(signing.RS256), string(signing.ES256)},
		ACRValues: []string{acrPassword}, UILocales: []string{"en"}, ClientAlgorithms: signing.ClientAlgorithms(),
	}.Metadata()
	m.ClaimsSupported = slices.DeleteFunc(m.ClaimsSupported, func(name string) bool { return name == "azp" })
	m.GrantTypesSupported = []string{string(oauth.GrantAuthorizationCode), string(oauth.GrantRefreshToken), string(oauth.GrantClientCredentials), string(oauth.GrantDeviceCode)}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	return writeJSON(w, http.StatusOK, m)
}

// openNames are the scopes that any profile may ask for. What is for some alone is not
// told to everybody.
func openNames(table *registry.Scopes) []string {
	var names []string
	for s := range table.All() {
		if !s.Restricted {
			names = append(names, s.Name)
		}
	}
	return names
}
