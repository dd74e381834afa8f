package provider

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
)

// finishImplicit gives the application a token in the fragment (RFC 6749 section
// 4.2.2, login-with-amazon.md section 5). There is never a refresh token with it.
func (p *Provider) finishImplicit(w http.ResponseWriter, r *http.Request, q *request, g *authz.Grant, scopes oauth.ScopeSet) error {
	now := p.Now()
	var family authz.Family // of this token alone, so that it can be revoked
	rand.Read(family[:])
	access, err := p.newAccessToken(authz.AccessToken{
		GrantID: g.ID, Family: family, ProfileID: q.profile.ID, Scopes: scopes, Dialect: q.dialect,
		IssuedAt: now, ExpiresAt: now.Add(authz.AccessTokenLifetime),
	})
	if err != nil {
		return err
	}
	p.View.Used(q.profile.ID, 0, g.ID, now)
	return p.respond(w, r, q.target(),
		oauth.Pair{Name: "access_token", Value: access},
		oauth.Pair{Name: "token_type", Value: "bearer"},
		oauth.Pair{Name: "expires_in", Value: strconv.Itoa(int(authz.AccessTokenLifetime / time.Second))},
		oauth.Pair{Name: "scope", Value: strings.Join(q.granted(scopes), " ")},
		oauth.Pair{Name: "state", Value: q.State},
	)
}
