package provider

import (
	"context"
	"errors"
	"strings"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/seal"
	"gatelodge/internal/store"
)

// refresh is the refresh token grant (RFC 6749 section 6) of clients with a
// secret: they get the same refresh token back each time, and nothing is written.
func (p *Provider) refresh(ctx context.Context, x *exchange) (issue, error) {
	bad := func(reason string) error { return oauth.InvalidRefreshToken().Because(reason) }
	if x.method == oauth.AuthNone {
		return issue{}, oauth.ClientAuthenticationFailed().Because("A refresh token is only taken together with the client secret.")
	}
	text := x.request.RefreshToken
	sealed, ok := cutTokenPrefix(text, refreshPrefixes)
	if !ok {
		return issue{}, bad("What was sent is not a refresh token.")
	}
	plain, err := p.View.Open(ctx, seal.Refresh, sealed)
	if errors.Is(err, seal.ErrInvalid) || errors.Is(err, seal.ErrUnknownKey) {
		return issue{}, bad("The refresh token is not one that was given out here.")
	}
	if err != nil {
		return issue{}, err
	}
	token, err := authz.ParseRefreshToken(plain)
	if err != nil {
		return issue{}, err
	}
	grant, err := p.View.Grant(ctx, token.GrantID)
	if errors.Is(err, store.ErrNotFound) {
		return issue{}, bad("The user has taken back what was allowed.")
	}
	if err != nil {
		return issue{}, err
	}
	switch {
	case grant.ProfileID != x.client.ID:
		return issue{}, bad("The refresh token was given to another application.")
	case !grant.Live(token.Family):
		return issue{}, bad("The code that this refresh token comes from was used twice, so its tokens were ended.")
	}
	if err := p.liveAccount(ctx, grant.AccountID); err != nil {
		return issue{}, orFailed(err, bad("The user’s account has ended or is disabled."))
	}
	scopes := grant.Effective(token.Scopes)
	if len(x.request.Scope) > 0 {
		asked, unknown := p.Scopes.Parse(x.request.Scope)
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
	given := issue{grantID: grant.ID, family: token.Family, scopes: scopes, dialect: token.Dialect, refresh: text}
	if token.Dialect == oauth.Standard {
		given.scope = strings.Join(p.Scopes.Names(scopes), " ")
	}
	return given, nil
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
