package authz

import "gatelodge/internal/oauth"

// Ask is what a request wants from a user, and what the user has allowed before.
type Ask struct {
	Dialect oauth.Dialect
	// Essential scopes can only be accepted or refused as a whole, voluntary
	// ones one by one (login-with-amazon.md section 4).
	Essential oauth.ScopeSet
	Voluntary oauth.ScopeSet
	// Silent scopes are never asked for on the Login with Amazon path when they
	// are all that is requested: profile:user_id.
	Silent oauth.ScopeSet
	// Grant is the zero value when there is none.
	Grant Grant
	// Renew asks again whatever was allowed before (prompt=consent).
	Renew bool
}

// Decision is what to put before the user.
type Decision struct {
	// Skip: nothing; the tokens cover Scopes.
	Skip   bool
	Scopes oauth.ScopeSet
	// Allowed is the part of the request that the user has allowed already.
	Allowed oauth.ScopeSet
}

// Decide says whether the user has to be asked (login-with-amazon.md section 4,
// "consent, when shown" and "when skipped").
func Decide(a Ask) Decision {
	requested := a.Essential.Union(a.Voluntary)
	allowed := requested.Intersect(a.Grant.Scopes)
	d := Decision{Allowed: allowed}
	switch {
	case a.Renew:
	case a.Dialect == oauth.LoginWithAmazon && !requested.Empty() && a.Silent.ContainsAll(requested):
		d.Skip, d.Scopes = true, requested
	case a.Grant.ID != 0 && a.Grant.Scopes.ContainsAll(a.Essential) && a.Grant.Asked.ContainsAll(requested) && !allowed.Empty():
		d.Skip, d.Scopes = true, allowed
	}
	return d
}

// Allow is what the user's answer gives: all that is essential, and the ticked
// ones of what is voluntary. Ticks for scopes that were not asked are ignored.
func (a Ask) Allow(ticked oauth.ScopeSet) oauth.ScopeSet {
	return a.Essential.Union(a.Voluntary.Intersect(ticked))
}
