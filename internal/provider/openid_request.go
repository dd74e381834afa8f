package provider

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/signing"
)

const (
	// acrPassword is the class of every authentication here (OpenID Connect Core
	// section 2): a password was given.
	acrPassword = "urn:gatelodge:acr:password"
	amrPassword = "pwd" // RFC 8176 section 2
)

// readOpenID reads what OpenID Connect adds to a request that asks for an ID token
// (Core sections 3.1.2.1 and 5.5). To OAuth alone these are parameters like others
// that it does not know. Its refusals are *oauth.Error.
func (p *Provider) readOpenID(ctx context.Context, q *request, params oauth.Params) error {
	q.asked = q.requested()
	if !asksIDToken(q.asked) {
		return nil
	}
	claims, perr := oidc.ParseClaims(params.Value("claims"))
	if perr != nil {
		return perr
	}
	// Core section 5.5.1.1: an essential class that cannot be met is a failed
	// authentication. What is only wished for by acr_values or claims need not be met.
	if claims.ACREssential && len(claims.ACR) > 0 && !slices.Contains(claims.ACR, acrPassword) {
		return (&oauth.Error{Code: oauth.UnmetAuthenticationRequirements, Description: "No requested class of authentication can be met"}).
			Because("The claims ask for a class of authentication (acr) as essential, and name none that there is. There is " + acrPassword + ".")
	}
	q.claims, q.subjects = claims, claims.Subjects
	if text := params.Value("id_token_hint"); text != "" {
		hint, err := p.readHint(ctx, text)
		if err != nil && !errors.Is(err, signing.ErrInvalid) {
			return err
		}
		if err != nil || hint.client() != p.Namespace.ClientID(q.profile.Client) {
			return oauth.InvalidParameter("id_token_hint").Because("The id_token_hint is not an ID token that was given to this application here.")
		}
		if q.subjects != nil && !slices.Contains(q.subjects, hint.Subject) {
			return oauth.InvalidParameter("claims").Because("The claims and the id_token_hint ask for different users.")
		}
		q.subjects = []string{hint.Subject}
	}
	q.imply()
	return nil
}

// isFor reports whether the answer to a request may be about the account.
func (p *Provider) isFor(q *request, accountID int64) bool {
	return q.subjects == nil || slices.Contains(q.subjects, p.userID(q.profile, accountID))
}

// imply asks for the scopes that release what the parameter claims asks for: nothing
// is told that the user was not asked about. A claim that the application may not ask
// for by its scope is left out, which is no error even where it is essential (Core
// section 5.5.1).
func (q *request) imply() {
	missing := (q.claims.UserInfo | q.claims.IDToken) &^ releasedBy(q.table, q.asked)
	for s := range q.table.All() {
		releases := oidc.ScopeClaims(s.Name)
		switch {
		case missing&releases == 0 || !q.profile.MayAsk(s):
			continue
		case q.claims.Essential&releases != 0:
			q.essential = q.essential.With(s.Number)
		default:
			q.voluntary = q.voluntary.With(s.Number)
		}
		q.implied = append(q.implied, s.Name)
	}
}

// tellUser fills in what the ID token tells of the user: what its scopes release, for
// many clients never ask UserInfo (Core section 5.4 has it there, and lets it be here
// too), and what was asked for by claims and is still allowed.
func (p *Provider) tellUser(ctx context.Context, x *exchange, given *issue, grant *authz.Grant) error {
	if !asksIDToken(given.scopes) {
		return nil
	}
	given.release = releasedBy(x.table, given.scopes) | oidc.ClaimSet(given.extra.IDToken)&releasedBy(x.table, grant.Scopes)
	if given.release == 0 {
		return nil
	}
	a, err := p.View.Account(ctx, grant.AccountID)
	if err != nil {
		return err
	}
	given.user = p.describedUser(x.client, a)
	return nil
}

// describedUser is all that an application could learn of an account.
func (p *Provider) describedUser(profile *registry.SecurityProfile, a *account.Account) oidc.User {
	email := p.Email.Released(*a)
	return oidc.User{
		Subject: p.userID(profile, a.ID), Name: a.Name, Email: email, EmailVerified: email != "",
		PostalCode: a.PostalCode, UpdatedAt: a.UpdatedAt,
	}
}

// hint is an ID token that comes back as id_token_hint, expired or not.
type hint struct {
	Subject         string `json:"sub"`
	Audience        string `json:"aud"`
	AuthorizedParty string `json:"azp"`
	SessionID       string `json:"sid"`
}

// client is the client ID that the token was given to, "" where aud and azp disagree.
func (h hint) client() string {
	if h.AuthorizedParty != "" && h.AuthorizedParty != h.Audience {
		return ""
	}
	return h.Audience
}

// readHint reads an id_token_hint. What was not signed here is signing.ErrInvalid (Core
// section 3.1.2.2).
func (p *Provider) readHint(ctx context.Context, text string) (h hint, err error) {
	claims, err := p.View.VerifyJWT(ctx, text, signing.IDToken, p.Now())
	if err != nil {
		return hint{}, err
	}
	return h, json.Unmarshal(claims, &h)
}
