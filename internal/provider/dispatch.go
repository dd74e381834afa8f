package provider

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
)

// dispatch looks at who is signed in and what they have allowed, and takes the one
// next step.
func (p *Provider) dispatch(w http.ResponseWriter, r *http.Request, q *request) error {
	u, err := p.Sessions.Current(r)
	switch {
	case errors.Is(err, session.ErrNone), errors.Is(err, session.ErrExpired):
		if q.prompt.Has(oidc.PromptNone) {
			return p.turnAway(w, r, q.reject(&oauth.Error{Code: oauth.LoginRequired, Description: "The user is not signed in"}))
		}
		return p.toSignIn(w, r, q)
	case err != nil:
		return err
	case oidc.Reauthenticate(q.prompt, q.maxAge, u.Session.AuthenticatedAt, q.startedAt, p.Now()):
		if q.prompt.Has(oidc.PromptNone) {
			return p.turnAway(w, r, q.reject(&oauth.Error{Code: oauth.LoginRequired, Description: "The user has to sign in again"}))
		}
		return p.toSignIn(w, r, q)
	case !p.isFor(q, u.Account.ID):
		// Core section 3.1.2.1: not another's tokens in any case. Who came back from the
		// sign-in page as somebody else does not go in circles.
		if back := r.URL.Path == consentPath && !u.Session.AuthenticatedAt.Before(q.startedAt); back || q.prompt.Has(oidc.PromptNone) {
			return p.turnAway(w, r, q.reject(&oauth.Error{Code: oauth.LoginRequired, Description: "Another user is signed in than the one asked for"}))
		}
		return p.toSignIn(w, r, q)
	}
	grant, err := p.View.GrantFor(r.Context(), u.Account.ID, q.profile.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	ask := q.ask(grant)
	d := authz.Decide(ask)
	// Claims alone make no tokens.
	d.Skip = d.Skip && !d.Scopes.Intersect(q.asked).Empty()
	switch {
	case d.Skip && grant != nil && grant.Scopes.ContainsAll(d.Scopes):
		return p.finish(w, r, q, u, grant, d.Scopes)
	case d.Skip:
		// Login with Amazon never asks for profile:user_id alone; the grant is
		// made all the same, so that the user can see it and take it back.
		return p.allow(w, r, q, u, d.Scopes)
	case q.prompt.Has(oidc.PromptNone):
		return p.turnAway(w, r, q.reject(&oauth.Error{Code: oauth.ConsentRequired, Description: "The user has to be asked for consent"}))
	case r.URL.Path != consentPath:
		to, err := p.seal(w, r, q)
		if err != nil {
			return p.turnAway(w, r, err)
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	return p.showConsent(w, r, q, u, http.StatusOK, "")
}

func (q *request) reject(e *oauth.Error) *rejection {
	return &rejection{cause: e, profile: q.profile, target: q.target()}
}

func (q *request) target() target {
	return target{redirect: q.redirect, mode: q.ResponseMode, state: q.State, dialect: q.dialect}
}

// toSignIn sends the browser to sign in and back to the dispatcher's page.
func (p *Provider) toSignIn(w http.ResponseWriter, r *http.Request, q *request) error {
	to, err := p.seal(w, r, q)
	if err != nil {
		return p.turnAway(w, r, err)
	}
	query := url.Values{"continue": {to}}
	if q.LoginHint != "" {
		query.Set("login_hint", q.LoginHint)
	}
	http.Redirect(w, r, session.SignInPath+"?"+query.Encode(), http.StatusSeeOther)
	return nil
}

// finish gives the application its code (RFC 6749 section 4.1.2). Nothing is
// written: the code is a sealed value.
func (p *Provider) finish(w http.ResponseWriter, r *http.Request, q *request, u session.User, g *authz.Grant, allowed oauth.ScopeSet) error {
	scopes := allowed.Intersect(q.asked)
	if q.ResponseType == oauth.ResponseToken {
		return p.finishImplicit(w, r, q, g, scopes)
	}
	now := p.Now()
	payload := authz.NewCode(g.ID, scopes, q.dialect, q.redirect.String(), q.Challenge, now)
	payload.Extra.Audience = withScopes(q.audience, q.table, scopes)
	if asksIDToken(scopes) {
		payload.AuthTime, payload.Nonce = u.Session.AuthenticatedAt, q.nonce
		told := releasedBy(q.table, allowed)
		payload.Extra.UserInfo, payload.Extra.IDToken = uint8(q.claims.UserInfo&told), uint8(q.claims.IDToken&told)
		if q.profile.Settings.BackChannelLogoutURI != "" {
			payload.Extra.Session = u.Session.ID
		}
	}
	payload.Extra.Key = parseThumbprint(q.DPoPKey)
	payload.Extra.AsAsked = q.answersAsAsked(scopes)
	code, _, err := p.View.Keys().SealCode(now, payload.AppendBinary(make([]byte, 0, 80)))
	if err != nil {
		return err
	}
	return p.respond(w, r, q.target(),
		oauth.Pair{Name: "code", Value: code},
		oauth.Pair{Name: "state", Value: q.State},
		oauth.Pair{Name: "scope", Value: strings.Join(q.granted(scopes), " ")},
		oauth.Pair{Name: "iss", Value: p.issuerFor(q.dialect)},
	)
}

// issuerFor is the parameter iss of an authorization response (RFC 9207): clients of
// Login with Amazon do not know it.
func (p *Provider) issuerFor(d oauth.Dialect) string {
	if d == oauth.Standard {
		return p.Issuer
	}
	return ""
}

// granted names what was granted, in the order and with the names that the
// application used: clients compare the text.
func (q *request) granted(scopes oauth.ScopeSet) []string {
	return slices.DeleteFunc(slices.Clone(q.Scope), func(name string) bool {
		s, ok := q.table.Lookup(name)
		return !ok || !scopes.Has(s.Number)
	})
}
