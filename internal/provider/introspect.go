package provider

import (
	"errors"
	"net/http"
	"slices"

	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

// introspection is what RFC 7662 section 2.2 tells of a token that is good.
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	Subject   string `json:"sub,omitempty"`
	// Audience are the identifiers of the APIs that the token is for.
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ExpiresAt int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	// Key is what the token is bound to (RFC 9449 section 6.2).
	Key *oidc.Confirmation `json:"cnf,omitempty"`
	// EndsWith is for APIs that follow the endings (endings.go).
	EndsWith []string `json:"ends_with,omitempty"`
}

// introspect is RFC 7662 for the application that a token was given to and for the
// APIs that it is meant for. To anybody else every token is inactive, so that nothing
// is learned of others' tokens (CVE-2026-58425).
func (p *Provider) introspect(w http.ResponseWriter, r *http.Request) error {
	x := &exchange{path: oauth.Standard, now: p.Now()}
	params, err := p.parse(r, x)
	if err == nil {
		err = p.identifyProved(r, x, params)
	}
	if err == nil && params.Value("token") == "" {
		err = oauth.MissingParameter("token")
	}
	if err != nil {
		return p.turnBack(w, r, x, err)
	}
	answer, err := p.inspect(r, x.client, params.Value("token"))
	if _, refused := errors.AsType[*oauth.Error](err); refused {
		return writeJSON(w, http.StatusOK, introspection{})
	}
	if err != nil {
		return p.unavailable(w, r, err)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// identifyProved lets in who has proved who they are (CVE-2026-92288), and so not who
// says nothing about that either.
func (p *Provider) identifyProved(r *http.Request, x *exchange, params oauth.Params) error {
	unproved := func() error {
		return oauth.ClientAuthenticationFailed().Because("Introspection needs the client ID, and its secret or key.")
	}
	if len(r.Header.Values("Authorization")) == 0 && params.Value("client_id") == "" && params.Value("client_assertion") == "" {
		return unproved()
	}
	if err := p.identifyClient(r, x, params); err != nil {
		return err
	}
	if x.method == oauth.AuthNone {
		return unproved()
	}
	return nil
}

func (p *Provider) inspect(r *http.Request, client *registry.SecurityProfile, text string) (introspection, error) {
	if _, ok := cutPrefix(text, standardRefresh, amazonRefresh); ok {
		return p.inspectRefresh(r, client, text)
	}
	b, err := p.checkToken(r.Context(), text, p.Now())
	if err != nil {
		return introspection{}, err
	}
	ids, _ := apis(b.token, b.scopes, b.table)
	scopes := b.scopes
	asAPI := client.Audience != "" && slices.Contains(ids, client.ID)
	switch {
	case b.profile.ID == client.ID:
	case asAPI:
		scopes = b.table.For(client.ID, scopes) // others' scopes are none of its business
	default:
		return introspection{}, nil
	}
	answer := p.describe(b.table, p.clientID(b.profile, b.token.Extra.Device), scopes)
	answer.TokenType, answer.Key = tokenType(b.token.Extra), oidc.Confirm(thumbprint(b.token.Extra.Key))
	answer.ExpiresAt, answer.IssuedAt = b.token.ExpiresAt.Unix(), b.token.IssuedAt.Unix()
	answer.Subject = answer.ClientID
	var account int64
	if b.account != nil {
		account = b.account.ID
		// Whoever asks learns the id by which their own developer knows the user.
		answer.Subject = p.userID(client, account)
	}
	if asAPI {
		answer.Audience, answer.EndsWith = []string{client.Audience}, p.handles(client, b.token, account)
		return answer, nil
	}
	answer.Audience, err = p.names(r.Context(), ids)
	return answer, err
}

func (p *Provider) inspectRefresh(r *http.Request, client *registry.SecurityProfile, text string) (introspection, error) {
	token, grant, err := p.openRefreshToken(r.Context(), text)
	if err == nil && !hasDevice(client, token.Extra.Device) {
		err = oauth.InvalidRefreshToken()
	}
	if err != nil || grant.ProfileID != client.ID || !grant.Refreshes(token) {
		return introspection{}, err
	}
	if err := p.liveAccount(r.Context(), grant.AccountID); err != nil {
		return introspection{}, orFailed(err, oauth.InvalidRefreshToken())
	}
	if token.Rotating {
		step, err := p.Store.FamilyStep(r.Context(), token.GrantID, token.Family)
		if errors.Is(err, store.ErrNotFound) || err == nil && step != token.Step {
			return introspection{}, nil // it was used
		}
		if err != nil {
			return introspection{}, err
		}
	}
	table, err := p.View.Scopes(r.Context())
	if err != nil {
		return introspection{}, err
	}
	scopes := table.Usable(client, grant.Effective(token.Scopes))
	if scopes.Empty() {
		return introspection{}, nil
	}
	answer := p.describe(table, p.clientID(client, token.Extra.Device), scopes)
	answer.IssuedAt, answer.Subject, answer.Key = token.IssuedAt.Unix(), p.userID(client, grant.AccountID), oidc.Confirm(thumbprint(token.Extra.Key))
	return answer, nil
}

func (p *Provider) describe(table *registry.Scopes, clientID string, scopes oauth.ScopeSet) introspection {
	return introspection{Active: true, Scope: scopeNames(table, scopes), ClientID: clientID, Issuer: p.Issuer}
}
