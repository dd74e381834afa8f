package provider

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// tokenInfo answers what a token is (login-with-amazon.md section 10). exp is the
// number of seconds left, not a date.
func (p *Provider) tokenInfo(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", http.MethodGet)
		return p.writeError(w, r, http.StatusMethodNotAllowed, &oauth.Error{Code: oauth.InvalidRequest, Description: "Only GET is supported"})
	}
	now := p.Now()
	// Only the query form is documented; a token that is bound to a key comes in the
	// header (RFC 9449 section 7.1).
	byProof := slices.DeleteFunc(slices.Clone(r.Header.Values("Authorization")), func(header string) bool {
		scheme, _, _ := strings.Cut(header, " ")
		return !strings.EqualFold(scheme, "DPoP")
	})
	given, perr := oauth.ParsePresented(byProof, nil, oauth.ParseParams(r.URL.Query()))
	if perr == nil && given.Token == "" {
		perr = oauth.MissingParameter("access_token")
	}
	if perr != nil {
		return p.writeError(w, r, perr.Status(), perr)
	}
	b, err := p.checkPresented(w, r, given, now)
	if err != nil {
		return p.resourceError(w, r, err)
	}
	p.share(w, r, b.profile)
	info := struct {
		Issuer string `json:"iss"`
		UserID string `json:"user_id,omitempty"`
		Client string `json:"aud"`
		App    string `json:"app_id"`
		Left   int64  `json:"exp"`
		Issued int64  `json:"iat"`
	}{
		Issuer: p.Issuer, Client: p.clientID(b.profile, b.token.Extra.Device), App: p.Namespace.ApplicationID(b.profile.Application),
		Left: int64(b.token.ExpiresAt.Sub(now) / time.Second), Issued: b.token.IssuedAt.Unix(),
	}
	if b.account != nil {
		info.UserID = p.userID(b.profile, b.account.ID)
	}
	p.used(b, now)
	return writeJSON(w, http.StatusOK, info)
}

// here reports whether the token is meant for this server's own resources, and not for
// a named API alone (RFC 8707 section 3).
func (b bearer) here() bool { return b.token.Extra.Audience == audience{} }

func notHere() *oauth.Error {
	return oauth.InvalidAccessToken().Because("The access token was asked for another resource (RFC 8707).")
}

func (p *Provider) used(b bearer, now time.Time) { p.View.Used(b.profile.ID, 0, b.token.GrantID, now) }

// claims is what the profile endpoint tells: any field may be missing
// (login-with-amazon.md section 11).
type claims struct {
	UserID     string `json:"user_id,omitempty"`
	Email      string `json:"email,omitempty"`
	Name       string `json:"name,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
}

func (p *Provider) userProfile(w http.ResponseWriter, r *http.Request) error {
	c, err := p.readClaims(w, r)
	if err != nil {
		return p.resourceError(w, r, err)
	}
	return writeJSON(w, http.StatusOK, c)
}

// oldUserProfile is the profile in the names of old libraries.
func (p *Provider) oldUserProfile(w http.ResponseWriter, r *http.Request) error {
	c, err := p.readClaims(w, r)
	if err != nil {
		return p.resourceError(w, r, err)
	}
	var answer struct {
		RequestID string `json:"Request-Id"`
		Profile   struct {
			CustomerID   string `json:"CustomerId,omitempty"`
			Name         string `json:"Name,omitempty"`
			PrimaryEmail string `json:"PrimaryEmail,omitempty"`
			PostalCode   string `json:"PostalCode,omitempty"`
		}
	}
	answer.RequestID = web.RequestID(r.Context())
	answer.Profile.CustomerID, answer.Profile.Name = c.UserID, c.Name
	answer.Profile.PrimaryEmail, answer.Profile.PostalCode = c.Email, c.PostalCode
	return writeJSON(w, http.StatusOK, answer)
}

func (p *Provider) readClaims(w http.ResponseWriter, r *http.Request) (claims, error) {
	now := p.Now()
	given, perr := oauth.ParsePresented(r.Header.Values("Authorization"), r.Header.Values("X-Amz-Access-Token"), oauth.ParseParams(r.URL.Query()))
	if perr != nil {
		return claims{}, refusePresented(given, perr)
	}
	if given.Token == "" {
		return claims{}, oauth.MissingParameter("access_token")
	}
	b, err := p.checkPresented(w, r, given, now)
	if err != nil {
		return claims{}, err
	}
	p.share(w, r, b.profile)
	if !b.here() {
		return claims{}, refusePresented(given, notHere())
	}
	if b.account == nil {
		return claims{}, refusePresented(given, &oauth.Error{Code: oauth.InsufficientScope, Description: "The access token is not a user's"})
	}
	var c claims
	for _, claim := range b.table.Claims(b.scopes) {
		switch claim {
		case registry.ClaimUserID:
			c.UserID = p.userID(b.profile, b.account.ID)
		case registry.ClaimName:
			c.Name = b.account.Name
		case registry.ClaimEmail:
			c.Email = p.Email.Released(*b.account)
		case registry.ClaimPostalCode:
			c.PostalCode = b.account.PostalCode
		}
	}
	p.used(b, now)
	return c, nil
}

// resourceError answers at a resource of Login with Amazon: 400 for a bad token
// (login-with-amazon.md section 11), beside the challenge of RFC 6750 section 3.
func (p *Provider) resourceError(w http.ResponseWriter, r *http.Request, err error) error {
	if e, ok := errors.AsType[*proofError](err); ok {
		return p.askForProof(w, r, e.cause)
	}
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		return p.unavailable(w, r, err)
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="`+string(e.Code)+`"`)
	return p.writeError(w, r, e.Status(), e)
}

// clientFacts tells what is public of an application: what a person who lets it in
// somewhere wants to see.
func (p *Provider) clientFacts(w http.ResponseWriter, r *http.Request) error {
	if wait, ok := p.facts.Allow(p.Address(r), p.Now()); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		return p.writeError(w, r, http.StatusTooManyRequests, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "Too many requests"})
	}
	missing := &oauth.Error{Code: oauth.InvalidRequest, Description: "No application has this client ID"}
	key, err := p.Namespace.ParseClientID(r.PathValue("client_id"))
	if err != nil {
		return p.writeError(w, r, http.StatusNotFound, missing)
	}
	profile, err := p.View.Client(r.Context(), key)
	if errors.Is(err, store.ErrNotFound) {
		return p.writeError(w, r, http.StatusNotFound, missing)
	}
	if err != nil {
		return p.unavailable(w, r, err)
	}
	developer, err := p.Store.Developer(r.Context(), profile.DeveloperID)
	if err != nil {
		return p.unavailable(w, r, err)
	}
	facts := struct {
		ClientID  string `json:"client_id"`
		Name      string `json:"client_name"`
		Logo      string `json:"logo_uri,omitempty"`
		Publisher string `json:"publisher,omitempty"`
		Privacy   string `json:"policy_uri,omitempty"`
	}{p.Namespace.ClientID(profile.Client), profile.Name, "", developer.Company, profile.PrivacyURL}
	if path := profile.Logo.Path(); path != "" {
		facts.Logo = p.Issuer + path
	}
	return writeJSON(w, http.StatusOK, facts)
}
