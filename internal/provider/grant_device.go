package provider

import (
	"context"
	"errors"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/store"
)

// identifyByPair finds the client of a token request that names none: the devices of
// Login with Amazon send their two codes and nothing else (login-with-amazon.md
// section 7).
func (p *Provider) identifyByPair(ctx context.Context, x *exchange, params oauth.Params) error {
	request, perr := oauth.ParseTokenRequest(params)
	if perr != nil {
		return perr
	}
	pair, err := p.findPair(ctx, request)
	if err != nil {
		return err
	}
	client, err := p.View.Profile(ctx, pair.ProfileID)
	if errors.Is(err, store.ErrNotFound) {
		return wrongPair(request, "")
	}
	if err != nil {
		return err
	}
	x.client, x.device, x.pair = client, max(pair.Device, 0), &pair
	if !hasDevice(client, pair.Device) {
		return wrongPair(request, "The device client ID has been removed.")
	}
	return x.inService()
}

// findPair reads the pair of a token request. It has to have the user code too, where
// that was sent.
func (p *Provider) findPair(ctx context.Context, request oauth.TokenRequest) (authz.DevicePair, error) {
	pair, err := p.Store.DevicePair(ctx, authz.DigestDeviceCode(request.DeviceCode))
	if errors.Is(err, store.ErrNotFound) {
		return pair, wrongPair(request, "The device code is not one that was given out here, or it is hours old.")
	}
	if err != nil || request.UserCode == "" {
		return pair, err
	}
	if code, err := authz.ParseUserCode(request.UserCode); err != nil || !pair.HasUserCode(code) {
		return pair, wrongPair(request, "The user code does not belong to the device code.")
	}
	return pair, nil
}

// wrongPair refuses a pair in the words of the dialect that it was sent in.
func wrongPair(request oauth.TokenRequest, reason string) error {
	if request.Bare {
		return oauth.InvalidPair().Because(reason)
	}
	return oauth.InvalidGrantParameter("device_code").Because(reason)
}

// redeemDevice is the device grant (RFC 8628 section 3.4). As with a code, all checks
// come before the one durable statement.
func (p *Provider) redeemDevice(ctx context.Context, x *exchange) (issue, error) {
	if x.pair == nil {
		pair, err := p.findPair(ctx, x.request)
		if err != nil {
			return issue{}, err
		}
		x.pair = &pair
	}
	pair := *x.pair
	bad := func(reason string) error { return wrongPair(x.request, reason) }
	switch {
	case !x.ownsPair(pair):
		return issue{}, bad("The device code was given to another application or device.")
	case x.device == 0 && x.method == oauth.AuthNone && !x.client.Settings.Kind.Public():
		return issue{}, oauth.ClientAuthenticationFailed().Because("This device code is only taken together with the client secret or key.")
	case pair.State == authz.DeviceRedeemed:
		return issue{}, bad("The device code was used before.")
	case pair.Expired(x.now) && x.request.Bare:
		return issue{}, oauth.InvalidPair().Because("The device code is older than ten minutes.")
	case pair.Expired(x.now):
		return issue{}, oauth.DeviceCodeExpired().Because("The device code is older than ten minutes.")
	case pair.State == authz.DevicePending:
		return issue{}, p.wait(ctx, x)
	case pair.State == authz.DeviceDenied:
		return issue{}, denied("The user pressed Cancel.")
	}
	const takenBack = "The user has taken back what was allowed since."
	grant, err := p.View.GrantOf(ctx, pair.GrantID, pair.Scopes, x.now, x.now) // allowed since it was asked for, nobody knows when
	if errors.Is(err, store.ErrNotFound) {
		return issue{}, denied(takenBack)
	}
	if err != nil {
		return issue{}, err
	}
	if err := p.liveAccount(ctx, grant.AccountID); err != nil {
		return issue{}, orFailed(err, denied("The user’s account has ended or is disabled."))
	}
	given := issue{
		grantID: grant.ID, family: pair.Family(), scopes: x.table.Usable(x.client, grant.Effective(pair.Scopes)), dialect: pair.Dialect,
		account: grant.AccountID, authTime: pair.AuthenticatedAt, extra: authz.Extra{Device: pair.Device},
	}
	if given.scopes.Empty() {
		return issue{}, denied(takenBack)
	}
	if err := p.readyToSign(ctx, x, given); err != nil {
		return issue{}, err
	}
	if given.dialect == oauth.Standard {
		given.scope = scopeNames(x.table, given.scopes)
	}
	extra := given.extra
	extra.Key = x.refreshKey()
	given.refresh, err = NewRefreshToken(p.View, authz.RefreshToken{
		GrantID: given.grantID, Family: given.family, Scopes: given.scopes, Dialect: given.dialect,
		IssuedAt: x.now, AuthTime: given.authTime, Extra: extra,
	})
	if err != nil {
		return issue{}, err
	}
	if err := p.spend(ctx, x); err != nil {
		return issue{}, err
	}
	switch result, err := p.Store.RedeemDevice(ctx, pair.DeviceCode, x.now); {
	case err != nil:
		return issue{}, err
	case result == authz.Replayed:
		return issue{}, bad("The device code was used before.")
	case result != authz.Redeemed:
		return issue{}, denied(takenBack)
	}
	return given, nil
}

// wait tells a device that its user has not answered, and counts how often it asks.
func (p *Provider) wait(ctx context.Context, x *exchange) error {
	x.interval = x.pair.Interval
	poll, err := p.Store.PollDevice(ctx, x.pair.DeviceCode, x.now)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return oauth.Pending() // the answer has just come: the next poll gets it
	case err != nil:
		return err
	}
	if x.interval = poll.Interval; poll.TooSoon {
		return oauth.TooSoon().Because("The device asks again before its interval has passed, which grows by that.")
	}
	return oauth.Pending()
}

func denied(reason string) error {
	return (&oauth.Error{Code: oauth.AccessDenied, Description: "Access not permitted."}).Because(reason)
}
