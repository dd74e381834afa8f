package provider

import (
	"context"
	"errors"
	"strings"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/seal"
	"gatelodge/internal/store"
)

// refresh is the refresh token grant (RFC 6749 section 6). Clients with a secret
// get the same refresh token back each time, and nothing is written; the tokens of
// clients without one are good for one use each.
func (p *Provider) refresh(ctx context.Context, x *exchange) (issue, error) {
	bad := func(reason string) error { return oauth.InvalidRefreshToken().Because(reason) }
	text := x.request.RefreshToken
	token, grant, err := p.openRefreshToken(ctx, text)
	if err != nil {
		return issue{}, err
	}
	// Devices refresh without a secret, and with the same token each time
	// (login-with-amazon.md section 9).
	public := x.client.Settings.Kind.Public()
	secretless := token.Extra.Device > 0 || token.Extra.Device == authz.OwnDevice && public || token.Rotating && public
	switch {
	case x.method == oauth.AuthNone && !secretless:
		return issue{}, oauth.ClientAuthenticationFailed().Because("This refresh token is only taken together with the client secret or key.")
	case grant.ProfileID != x.client.ID, max(token.Extra.Device, 0) != x.device:
		return issue{}, bad("The refresh token was given to another application or device.")
	case token.Extra.Key != jkt{} && token.Extra.Key != x.key:
		// RFC 9449 section 5.
		return issue{}, bad("The refresh token is bound to a key, and the request has no DPoP proof by that key.")
	case !grant.Live(token.Family):
		return issue{}, bad("The tokens that this refresh token belongs to were ended: its code was used twice, or the application revoked them.")
	case !grant.Refreshes(token):
		return issue{}, bad("The application has revoked so many sign-ins of this user that the oldest ones ended with them. The user signs in again.")
	}
	if err := p.liveAccount(ctx, grant.AccountID); err != nil {
		return issue{}, orFailed(err, bad("The user’s account has ended or is disabled."))
	}
	scopes := x.table.Usable(x.client, grant.Effective(token.Scopes))
	if len(x.request.Scope) > 0 {
		asked, unknown := x.table.Parse(x.request.Scope)
		// RFC 6749 section 6: not more than was granted.
		if len(unknown) > 0 || !scopes.ContainsAll(asked) {
			e := oauth.InvalidParameter("scope").Because("The refresh asks for a scope that its token does not have.")
			e.Code = oauth.InvalidScope
			return issue{}, e
		}
		scopes = asked
	}
	if scopes.Empty() {
		return issue{}, bad("Nothing is left of what the user allowed.")
	}
	given := issue{grantID: grant.ID, family: token.Family, scopes: scopes, dialect: token.Dialect,
		account: grant.AccountID, authTime: token.AuthTime, extra: token.Extra}
	if given.audience, err = p.narrow(ctx, x, token.Extra.Audience, scopes); err != nil {
		return issue{}, err
	}
	if err := p.tellUser(ctx, x, &given, grant); err != nil {
		return issue{}, err
	}
	if err := p.readyToSign(ctx, x, given); err != nil {
		return issue{}, err
	}
	if token.Rotating {
		if err := p.spend(ctx, x); err != nil {
			return issue{}, err
		}
		if text, err = p.rotate(ctx, token, x.now); err != nil {
			return issue{}, err
		}
	}
	given.refresh = text
	if token.Dialect == oauth.Standard {
		given.scope = scopeText(x.table, scopes, token.Scopes, token.Extra)
		if len(x.request.Scope) > 0 {
			given.scope = strings.Join(x.request.Scope, " ")
		}
	}
	return given, nil
}

// rotate uses the token up and gives its successor (RFC 9700 section 4.14.2). It
// comes last: a refused request must not cost the client its token.
func (p *Provider) rotate(ctx context.Context, t authz.RefreshToken, now time.Time) (string, error) {
	result, err := p.Store.Rotate(ctx, t.GrantID, t.Family, t.Step, now)
	switch {
	case err != nil:
		return "", err
	case result == authz.Reused:
		return "", oauth.InvalidRefreshToken().Because("The refresh token was used before. Its family was ended, since two parties have had it.")
	case result != authz.Rotated:
		return "", oauth.InvalidRefreshToken().Because("The tokens that this refresh token belongs to were ended.")
	}
	t.Step++
	return NewRefreshToken(p.View, t)
}

// openRefreshToken reads a refresh token and the grant that it hangs on; whether
// they are still good is for the caller to see. Its refusals are *oauth.Error.
func (p *Provider) openRefreshToken(ctx context.Context, text string) (token authz.RefreshToken, grant *authz.Grant, err error) {
	bad := func(reason string) (authz.RefreshToken, *authz.Grant, error) {
		return token, nil, oauth.InvalidRefreshToken().Because(reason)
	}
	sealed, ok := cutPrefix(text, standardRefresh, amazonRefresh)
	if !ok {
		return bad("What was sent is not a refresh token.")
	}
	plain, err := p.View.Open(ctx, seal.Refresh, sealed)
	if errors.Is(err, seal.ErrInvalid) || errors.Is(err, seal.ErrUnknownKey) {
		return bad("The refresh token is not one that was given out here.")
	}
	if err != nil {
		return token, nil, err
	}
	if token, err = authz.ParseRefreshToken(plain); err != nil {
		return token, nil, err
	}
	if !strings.HasPrefix(text, refreshPrefix(token.Dialect)) {
		return bad("The refresh token is not one that was given out here.")
	}
	grant, err = p.View.Grant(ctx, token.GrantID)
	if errors.Is(err, store.ErrNotFound) {
		return bad("The user has taken back what was allowed.")
	}
	return token, grant, err
}

// errAccountEnded says that nobody stands behind a grant any more.
var errAccountEnded = errors.New("provider: the account has ended or is disabled")

// liveAccount makes sure that the account is there and not disabled.
func (p *Provider) liveAccount(ctx context.Context, id int64) error {
	a, err := p.View.Account(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return errAccountEnded
	}
	if err != nil {
		return err
	}
	if !a.DisabledAt.IsZero() {
		return errAccountEnded
	}
	return nil
}

// orFailed gives refusal when the account has ended, else what went wrong.
func orFailed(err, refusal error) error {
	if errors.Is(err, errAccountEnded) {
		return refusal
	}
	return err
}
