package provider

import (
	"context"
	"fmt"
	"strings"

	"gatelodge/internal/oauth"
)

// clientCredentials is the grant of RFC 6749 section 4.4: a token that stands for
// the application alone. There is never a refresh token with it.
func (p *Provider) clientCredentials(ctx context.Context, x *exchange) (issue, error) {
	if x.method == oauth.AuthNone {
		return issue{}, oauth.ClientAuthenticationFailed().Because("Client credentials need the client secret or key.")
	}
	if len(x.request.Scope) == 0 {
		if x.path == oauth.LoginWithAmazon {
			return issue{}, oauth.MissingParameter("scope").Because("Login with Amazon's client credentials name a scope.")
		}
		_, err := p.narrow(ctx, x, audience{}, oauth.ScopeSet{})
		return issue{dialect: x.path}, err
	}
	var scopes oauth.ScopeSet
	for _, name := range x.request.Scope {
		s, ok := x.table.Lookup(name)
		reason := ""
		switch {
		case !ok:
			reason = fmt.Sprintf("There is no scope %q.", name)
		case !s.WithoutUser:
			reason = "The scope " + s.Name + " cannot be had without a user."
		case !x.client.MayAsk(s):
			reason = notGranted(s)
		}
		if reason != "" {
			e := oauth.InvalidParameter("scope").Because(reason)
			e.Code = oauth.InvalidScope
			return issue{}, e
		}
		scopes = scopes.With(s.Number)
	}
	// All of it or nothing is granted, so what was asked for is what there is to say.
	given := issue{scopes: scopes, dialect: x.path, scope: strings.Join(x.request.Scope, " ")}
	var err error
	given.audience, err = p.narrow(ctx, x, audience{}, scopes)
	return given, err
}
