package live_test

import (
	"testing"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// TestGrantOf: a code that was made elsewhere for more than the view knows of is not
// cut down to what the view knows.
func TestGrantOf(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		x := makeThings(t, w)
		v := newView(t, w) // nothing runs: the feed is not followed
		ctx, now := t.Context(), storetest.Now()
		if _, err := v.Grant(ctx, x.grant); err != nil {
			t.Fatal(err)
		}
		wider := oauth.ScopeSet{}.With(3)
		other := store.New(w.DB, w.Ring)
		if _, err := other.Allow(ctx, store.Allowance{AccountID: x.account, ProfileID: x.profile.ID, Asked: wider, Allowed: wider}, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		if g, err := v.GrantOf(ctx, x.grant, wider, now.Add(-time.Hour), now); err != nil || g.Scopes.Has(3) {
			t.Skipf("the view was not behind: %v, %v", g, err) // the machine stood still for a second
		}
		if g, err := v.GrantOf(ctx, x.grant, wider, now, now); err != nil || !g.Scopes.Has(3) {
			t.Errorf("of a code made now: %v, %v", g, err)
		}
	})
}
