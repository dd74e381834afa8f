package provider

import (
	"context"
	"errors"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/seal"
	"gatelodge/internal/store"
)

// redeem is the authorization code grant (RFC 6749 section 4.1.3). All checks come
// before the one durable statement, so a refused try does not use the code up.
func (p *Provider) redeem(ctx context.Context, x *exchange) (issue, error) {
	bad := func(reason string) error { return oauth.InvalidGrantParameter("code").Because(reason) }
	plain, id, err := p.View.OpenCode(ctx, x.now, x.request.Code)
	if errors.Is(err, seal.ErrInvalid) || errors.Is(err, seal.ErrUnknownKey) {
		return issue{}, bad("The code is not one that was given out here, or it is days old.")
	}
	if err != nil {
		return issue{}, err
	}
	code, err := authz.ParseCode(plain)
	if err != nil {
		return issue{}, err
	}
	if code.Expired(x.now) {
		return issue{}, bad("The code is older than five minutes.")
	}
	grant, err := p.View.GrantOf(ctx, code.GrantID, code.Scopes, code.IssuedAt, x.now)
	if errors.Is(err, store.ErrNotFound) {
		return issue{}, bad("The user has taken back what was allowed since the code was made.")
	}
	if err != nil {
		return issue{}, err
	}
	if grant.ProfileID != x.client.ID {
		return issue{}, bad("The code was made for another application.")
	}
	if err := p.checkRedirect(x, code); err != nil {
		return issue{}, err
	}
	if perr := oauth.RequirePKCE(code.Dialect, code.Method, x.method); perr != nil {
		return issue{}, perr
	}
	if !code.VerifiedBy(x.request.CodeVerifier) {
		return issue{}, bad("The code_verifier does not fit the code_challenge of the authorization request, or one of the two is missing.")
	}
	if key := code.Extra.Key; key != (jkt{}) && key != x.key {
		// RFC 9449 section 10.
		return issue{}, bad("The code is bound to a key by dpop_jkt, and the exchange has no DPoP proof by that key.")
	}
	if err := p.liveAccount(ctx, grant.AccountID); err != nil {
		return issue{}, orFailed(err, bad("The user’s account has ended or is disabled."))
	}
	scopes := x.table.Usable(x.client, grant.Effective(code.Scopes))
	if scopes.Empty() {
		return issue{}, bad("Nothing is left of what the user allowed: the operator has retired or withdrawn the scope since.")
	}
	family := authz.Family(id)
	given := issue{grantID: grant.ID, family: family, scopes: scopes, dialect: code.Dialect,
		account: grant.AccountID, authTime: code.AuthTime, nonce: code.Nonce, extra: code.Extra}
	if given.audience, err = p.narrow(ctx, x, code.Extra.Audience, scopes); err != nil {
		return issue{}, err
	}
	if err := p.tellUser(ctx, x, &given, grant); err != nil {
		return issue{}, err
	}
	if err := p.readyToSign(ctx, x, given); err != nil {
		return issue{}, err
	}
	if err := p.spend(ctx, x); err != nil {
		return issue{}, err
	}
	rotating := x.method == oauth.AuthNone && x.client.Settings.Kind.Public() && code.Dialect == oauth.Standard
	result, err := p.Store.Redeem(ctx, store.Redeem{
		Code: family, GrantID: grant.ID, Rotating: rotating,
		Session: store.SessionClient{SessionID: code.Extra.Session, ProfileID: x.client.ID, UserID: grant.AccountID},
	}, x.now)
	if err != nil {
		return issue{}, err
	}
	switch result {
	case authz.Redeemed:
	case authz.Replayed:
		return issue{}, bad("The code was used before. What its first use gave has been ended, since two parties have had it.")
	default:
		return issue{}, bad("The user has taken back what was allowed since the code was made.")
	}
	if code.Dialect == oauth.Standard {
		given.scope = scopeText(x.table, scopes, code.Scopes, code.Extra)
	}
	// Login with Amazon gives an application without a secret no refresh token
	// (login-with-amazon.md section 7); on the standard path it is good for one use.
	if x.method != oauth.AuthNone || rotating {
		extra := given.extra
		extra.Key = x.refreshKey()
		given.refresh, err = NewRefreshToken(p.View, authz.RefreshToken{
			GrantID: grant.ID, Family: family, Scopes: given.scopes, Dialect: code.Dialect, Rotating: rotating,
			IssuedAt: x.now, AuthTime: code.AuthTime, Extra: extra,
		})
	}
	return given, err
}

// checkRedirect holds the exchange to the return URL of the authorization request
// (RFC 6749 section 4.1.3). Published clients of Login with Amazon leave it out;
// with their secret they may, on that path.
func (p *Provider) checkRedirect(x *exchange, code authz.Code) error {
	sent := x.request.RedirectURI
	switch {
	case sent == "" && x.path == oauth.LoginWithAmazon && x.method != oauth.AuthNone:
		return nil
	case sent == "":
		return oauth.MissingParameter("redirect_uri").Because("The exchange has to name the return URL of the authorization request once more.")
	case !code.ReturnsTo(sent):
		return oauth.InvalidGrantParameter("code").Because("The redirect_uri of the exchange is not the one of the authorization request.")
	}
	return nil
}
