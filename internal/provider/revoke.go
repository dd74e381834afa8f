package provider

import (
	"context"
	"errors"
	"net/http"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/store"
)

// revoke is RFC 7009. Access tokens and refresh tokens of one family end together:
// there is no row for each. A token that is no more, or never was, is no error
// (section 2.2); a failure of the database is (CVE-2020-15223).
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) error {
	x := &exchange{path: oauth.Standard, now: p.Now()}
	params, err := p.identify(r, x)
	if err == nil && x.method == oauth.AuthNone && x.device == 0 && !x.client.Settings.Kind.Public() {
		// Section 2.1: who has a secret proves it.
		err = oauth.ClientAuthenticationFailed().Because("Revocation needs the client secret or key, except for single pages, native apps and devices.")
	}
	if err == nil && params.Value("token") == "" {
		err = oauth.MissingParameter("token")
	}
	if err == nil {
		err = p.endTokens(r.Context(), x, params.Value("token"))
	}
	if err != nil {
		return p.turnBack(w, r, x, err)
	}
	p.share(w, r, x.client)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}

func (p *Provider) endTokens(ctx context.Context, x *exchange, text string) error {
	end, owner, err := p.familyOf(ctx, text, x.now)
	if _, gone := errors.AsType[*oauth.Error](err); gone {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case owner.profile != x.client.ID, x.device != 0 && owner.device != x.device:
		// Section 2.1: the request is refused when the token is another client's.
		return oauth.NotAuthorized().Because("The token to revoke was given to another application.")
	case end.GrantID == 0:
		return &oauth.Error{Code: oauth.UnsupportedTokenType, Description: "Tokens of client credentials end by themselves"}
	}
	return p.Store.EndFamily(ctx, end, x.now)
}

// tokenOwner is whom a token was given to: the profile's own client, or a device's.
type tokenOwner struct{ profile, device int64 }

func (p *Provider) familyOf(ctx context.Context, text string, now time.Time) (store.FamilyEnd, tokenOwner, error) {
	if _, ok := cutPrefix(text, standardRefresh, amazonRefresh); ok {
		t, grant, err := p.openRefreshToken(ctx, text)
		if err != nil {
			return store.FamilyEnd{}, tokenOwner{}, err
		}
		return store.FamilyEnd{GrantID: grant.ID, Family: t.Family, Rotating: t.Rotating, IssuedBy: t.IssuedAt}, tokenOwner{grant.ProfileID, t.Extra.Device}, nil
	}
	b, err := p.checkToken(ctx, text, now)
	if err != nil {
		return store.FamilyEnd{}, tokenOwner{}, err
	}
	// Its refresh token is no younger, but for the clocks of two servers.
	issuedBy := b.token.IssuedAt.Add(2 * authz.ClockSkew)
	return store.FamilyEnd{GrantID: b.token.GrantID, Family: b.token.Family, IssuedBy: issuedBy}, tokenOwner{b.profile.ID, b.token.Extra.Device}, nil
}
