package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

// audience are the ids of the profiles of the APIs that a token was asked for.
type audience = [authz.MaxAudience]int64

// resources finds the APIs that a request names (RFC 8707 section 2). Its refusals are
// *oauth.Error. A token is only ever for an API that one of the scopes is for: else an
// API that looks at the audience alone would let in whom nobody allowed
// (CVE-2020-14389).
func (p *Provider) resources(ctx context.Context, named []string, table *registry.Scopes, scopes oauth.ScopeSet) (audience, error) {
	var found audience
	for i, resource := range named {
		api, err := p.View.API(ctx, resource)
		if errors.Is(err, store.ErrNotFound) {
			return audience{}, oauth.InvalidResource().Because(fmt.Sprintf("There is no API with the identifier %q.", resource))
		}
		if err != nil {
			return audience{}, err
		}
		if table.For(api.ID, scopes).Empty() {
			return audience{}, oauth.InvalidResource().Because("No scope of the API " + resource + " was asked for or allowed.")
		}
		found[i] = api.ID
	}
	return found, nil
}

// withScopes leaves out the APIs of which the user has allowed nothing.
func withScopes(a audience, table *registry.Scopes, scopes oauth.ScopeSet) (kept audience) {
	n := 0
	for _, api := range a {
		if api != 0 && !table.For(api, scopes).Empty() {
			kept[n] = api
			n++
		}
	}
	return kept
}

// narrow is the audience of an access token: what the token request names, which must
// be within what was asked for before (RFC 8707 section 2.2).
func (p *Provider) narrow(ctx context.Context, x *exchange, granted audience, scopes oauth.ScopeSet) (audience, error) {
	if len(x.request.Resources) == 0 {
		return granted, nil
	}
	named, err := p.resources(ctx, x.request.Resources, x.table, scopes)
	if err != nil {
		return audience{}, err
	}
	for _, api := range named {
		if granted != (audience{}) && api != 0 && !slices.Contains(granted[:], api) {
			return audience{}, oauth.InvalidResource().Because("The authorization request did not name this resource.")
		}
	}
	return named, nil
}

// apis are the ids of those that a token is for; here reports whether it opens what
// this server itself has about its user. A token for a named API does not: that API
// must not read the user's profile with it.
func apis(t authz.AccessToken, scopes oauth.ScopeSet, table *registry.Scopes) (ids []int64, here bool) {
	if t.Extra.Audience == (audience{}) {
		return table.Audiences(scopes)
	}
	for _, id := range t.Extra.Audience {
		if id != 0 {
			ids = append(ids, id)
		}
	}
	return ids, false
}

// wantsJWT finds the API whose token is to be a JWT: it is the only one, and has asked
// for that form. Clients of Login with Amazon expect the form that they know.
func (p *Provider) wantsJWT(ctx context.Context, t authz.AccessToken, table *registry.Scopes) (*registry.SecurityProfile, error) {
	ids, _ := apis(t, t.Scopes, table)
	if t.Dialect != oauth.Standard || len(ids) != 1 {
		return nil, errOpaque
	}
	api, err := p.View.Profile(ctx, ids[0])
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errOpaque
	case err != nil:
		return nil, err
	case api.Audience == "" || api.Settings.TokenFormat != registry.JWT:
		return nil, errOpaque
	}
	return api, nil
}

// errOpaque says that an access token is not to be a JWT.
var errOpaque = errors.New("provider: an opaque token")

// names are the identifiers of APIs; one that has ended has none.
func (p *Provider) names(ctx context.Context, ids []int64) ([]string, error) {
	var names []string
	for _, id := range ids {
		api, err := p.View.Profile(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil && api.Audience != "" {
			names = append(names, api.Audience)
		}
	}
	return names, nil
}

// scopeNames are a set's names as one text.
func scopeNames(table *registry.Scopes, scopes oauth.ScopeSet) string {
	return strings.Join(table.Names(scopes), " ")
}
