package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/seal"
	"gatelodge/internal/signing"
)

// newJWT makes an access token that the API can check without asking (RFC 9068). Its
// jti is what an opaque token is: so it can be revoked, looked up and used here too.
// It names the scopes of the API alone, and the user as the API's developer knows them.
func (p *Provider) newJWT(ctx context.Context, x *exchange, t authz.AccessToken, api *registry.SecurityProfile, given issue) (string, error) {
	sealed, err := p.View.Keys().Seal(nil, seal.JWTAccess, t.IssuedAt, t.AppendBinary(make([]byte, 0, 64)))
	if err != nil {
		return "", err
	}
	clientID := p.clientID(x.client, t.Extra.Device)
	claims := oidc.AccessToken{
		Issuer: p.Issuer, Subject: clientID, Audience: []string{api.Audience}, ClientID: clientID,
		Scope: scopeNames(x.table, x.table.For(api.ID, t.Scopes)), ID: string(sealed),
		IssuedAt: t.IssuedAt, ExpiresAt: t.ExpiresAt, AuthTime: given.authTime, KeyThumbprint: thumbprint(t.Extra.Key),
		EndsWith: p.handles(api, t, given.account),
	}
	if !t.ClientOnly() {
		claims.Subject = p.userID(api, given.account)
	}
	if _, here := apis(t, t.Scopes, x.table); here {
		claims.Audience = append(claims.Audience, p.Issuer)
	}
	payload, err := claims.Claims()
	if err != nil {
		return "", err
	}
	return p.View.SignJWT(ctx, signing.Algorithm(api.Settings.IDTokenAlg), signing.AccessToken, payload, t.IssuedAt)
}

// thumbprint is a key's in base64url, "" for no key.
func thumbprint(key [32]byte) string {
	if key == ([32]byte{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(key[:])
}

// openAccess reads an access token of any form. Its refusals are *oauth.Error.
func (p *Provider) openAccess(ctx context.Context, text string, now time.Time) (authz.AccessToken, error) {
	bad := func() (authz.AccessToken, error) { return authz.AccessToken{}, oauth.InvalidAccessToken() }
	sealed, opaque := cutPrefix(text, standardAccess, amazonAccess, amazonClient)
	purpose := seal.Access
	if !opaque {
		claims, err := p.View.VerifyJWT(ctx, text, signing.AccessToken, now)
		if errors.Is(err, signing.ErrInvalid) {
			return bad()
		}
		if err != nil {
			return authz.AccessToken{}, err
		}
		var of struct {
			ID string `json:"jti"`
		}
		if err := json.Unmarshal(claims, &of); err != nil {
			return bad()
		}
		sealed, purpose = of.ID, seal.JWTAccess
	}
	plain, err := p.View.Open(ctx, purpose, sealed)
	if errors.Is(err, seal.ErrInvalid) || errors.Is(err, seal.ErrUnknownKey) {
		return bad()
	}
	if err != nil {
		return authz.AccessToken{}, err
	}
	t, err := authz.ParseAccessToken(plain)
	if err != nil {
		return authz.AccessToken{}, err
	}
	// A token has one spelling: the prefix belongs to what is sealed.
	if t.Expired(now) || opaque && !strings.HasPrefix(text, accessPrefix(t)) {
		return bad()
	}
	return t, nil
}
