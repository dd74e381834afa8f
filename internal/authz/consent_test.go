package authz

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatelodge/internal/oauth"
)

// Numbers of scopes, as in login-with-amazon.md section 15.
const (
	profile    = 0
	userID     = 1
	postalCode = 2
)

func set(numbers ...int) (s oauth.ScopeSet) {
	for _, n := range numbers {
		s = s.With(n)
	}
	return s
}

func granted(asked, allowed oauth.ScopeSet) Grant { return Grant{ID: 7, Asked: asked, Scopes: allowed} }

func TestDecide(t *testing.T) {
	show := func(allowed ...int) Decision { return Decision{Allowed: set(allowed...)} }
	skip := func(scopes ...int) Decision {
		return Decision{Skip: true, Scopes: set(scopes...), Allowed: set(scopes...)}
	}
	for _, tc := range []struct {
		name string
		ask  Ask
		want Decision
	}{
		{"first time", Ask{Essential: set(profile)}, show()},
		{"allowed before", Ask{Essential: set(profile), Grant: granted(set(profile), set(profile))}, skip(profile)},
		{"a part of what was allowed before", Ask{Essential: set(profile), Grant: granted(set(profile, postalCode), set(profile, postalCode))}, skip(profile)},
		{"one more than before", Ask{Essential: set(profile, postalCode), Grant: granted(set(profile), set(profile))}, show(profile)},
		{"something else than before", Ask{Essential: set(postalCode), Grant: granted(set(profile), set(profile))}, show()},
		{"asked to ask again", Ask{Essential: set(profile), Grant: granted(set(profile), set(profile)), Renew: true}, show(profile)},

		{"voluntary, first time", Ask{Voluntary: set(profile)}, show()},
		{"voluntary, ticked before", Ask{Essential: set(profile), Voluntary: set(postalCode), Grant: granted(set(profile, postalCode), set(profile, postalCode))}, skip(profile, postalCode)},
		{"voluntary, left unticked before", Ask{Essential: set(profile), Voluntary: set(postalCode), Grant: granted(set(profile, postalCode), set(profile))}, skip(profile)},
		{"voluntary before, now essential", Ask{Essential: set(profile, postalCode), Grant: granted(set(profile, postalCode), set(profile))}, show(profile)},
		{"voluntary, not asked before", Ask{Essential: set(profile), Voluntary: set(postalCode), Grant: granted(set(profile), set(profile))}, show(profile)},
		{"only voluntary, all left unticked before", Ask{Voluntary: set(postalCode), Grant: granted(set(profile, postalCode), set(profile))}, show()},

		// "only profile:user_id requested, in which case never shown, not even first time"
		{"the id alone", Ask{Dialect: oauth.LoginWithAmazon, Essential: set(userID)}, Decision{Skip: true, Scopes: set(userID)}},
		{"the id alone, voluntary", Ask{Dialect: oauth.LoginWithAmazon, Voluntary: set(userID)}, Decision{Skip: true, Scopes: set(userID)}},
		{"the id alone, allowed before", Ask{Dialect: oauth.LoginWithAmazon, Essential: set(userID), Grant: granted(set(userID), set(userID))}, skip(userID)},
		{"the id alone, asked to ask", Ask{Dialect: oauth.LoginWithAmazon, Essential: set(userID), Renew: true}, show()},
		{"the id and more", Ask{Dialect: oauth.LoginWithAmazon, Essential: set(userID, profile)}, show()},
		{"the id alone by the standard path", Ask{Dialect: oauth.Standard, Essential: set(userID)}, show()},
		{"nothing at all", Ask{Dialect: oauth.LoginWithAmazon}, show()},
		{"nothing at all, with a grant", Ask{Grant: granted(set(profile), set(profile))}, show()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.ask.Silent = set(userID)
			if diff := cmp.Diff(tc.want, Decide(tc.ask)); diff != "" {
				t.Errorf("Decide (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ask    Ask
		ticked oauth.ScopeSet
		want   oauth.ScopeSet
	}{
		{"essential needs no tick", Ask{Essential: set(profile)}, set(), set(profile)},
		{"voluntary ticked", Ask{Essential: set(profile), Voluntary: set(postalCode)}, set(postalCode), set(profile, postalCode)},
		{"voluntary unticked", Ask{Essential: set(profile), Voluntary: set(postalCode)}, set(), set(profile)},
		{"ticked without being asked", Ask{Essential: set(profile)}, set(userID, postalCode), set(profile)},
		{"nothing", Ask{Voluntary: set(postalCode)}, set(), set()},
	} {
		if got := tc.ask.Allow(tc.ticked); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// Whatever was asked and allowed before, nobody gets a scope that the user did not
// allow, except the silent ones of Login with Amazon, and nothing essential is left
// out.
func TestDecideNeverWidens(t *testing.T) {
	scopes := rapid.Custom(func(t *rapid.T) oauth.ScopeSet {
		return set(rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "numbers")...)
	})
	rapid.Check(t, func(t *rapid.T) {
		essential := scopes.Draw(t, "essential")
		ask := Ask{
			Dialect:   rapid.SampledFrom([]oauth.Dialect{oauth.Standard, oauth.LoginWithAmazon}).Draw(t, "dialect"),
			Essential: essential,
			Voluntary: scopes.Draw(t, "voluntary").Minus(essential),
			Silent:    set(userID),
			Renew:     rapid.Bool().Draw(t, "renew"),
		}
		if rapid.Bool().Draw(t, "granted before") {
			ask.Grant = granted(scopes.Draw(t, "asked"), scopes.Draw(t, "allowed"))
		}
		requested := ask.Essential.Union(ask.Voluntary)
		d := Decide(ask)
		if !ask.Grant.Scopes.ContainsAll(d.Allowed) || !requested.ContainsAll(d.Allowed) {
			t.Errorf("allowed before: %v", d.Allowed)
		}
		if !d.Skip {
			if !d.Scopes.Empty() {
				t.Errorf("asks, and gives %v before the answer", d.Scopes)
			}
			return
		}
		if d.Scopes.Empty() || !d.Scopes.ContainsAll(ask.Essential) || !requested.ContainsAll(d.Scopes) || ask.Renew {
			t.Errorf("skips with %v", d.Scopes)
		}
		silent := ask.Dialect == oauth.LoginWithAmazon && set(userID).ContainsAll(requested)
		if !silent && !ask.Grant.Scopes.ContainsAll(d.Scopes) {
			t.Errorf("gives %v, more than was allowed", d.Scopes)
		}
		if !silent && !ask.Grant.Asked.ContainsAll(requested) {
			t.Error("skips what the user was never asked")
		}
	})
}

func TestGrant(t *testing.T) {
	ended := Family{1}
	g := Grant{Scopes: set(profile, postalCode), Ended: []Family{{9}, ended}}
	if g.Live(ended) || !g.Live(Family{2}) {
		t.Error("a family lives unless it was ended")
	}
	if got := g.Effective(set(profile, userID)); got != set(profile) {
		t.Errorf("effective scopes %v, want %v", got, set(profile))
	}
}
