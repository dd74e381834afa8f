package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func scopes(numbers ...int) (s oauth.ScopeSet) {
	for _, n := range numbers {
		s = s.With(n)
	}
	return s
}

func allow(t testing.TB, w *storetest.World, accountID, profileID int64) authz.Grant {
	t.Helper()
	g, err := w.Store.Allow(t.Context(), store.Allowance{AccountID: accountID, ProfileID: profileID, Asked: scopes(0), Allowed: scopes(0), Words: "test"}, storetest.By(0))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// consented makes a user, a profile and the user's grant to it.
func consented(t testing.TB, w *storetest.World) authz.Grant {
	t.Helper()
	a := w.Account(t, "ann@example.com")
	_, d := w.Developer(t, "dev@example.com")
	p, _ := w.Profile(t, d.ID, "Reports")
	return allow(t, w, a.ID, p.ID)
}

func TestAllow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		a := w.Account(t, "ann@example.com")
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		ask := func(after time.Duration, asked, allowed oauth.ScopeSet) authz.Grant {
			g, err := w.Store.Allow(ctx, store.Allowance{AccountID: a.ID, ProfileID: p.ID, Asked: asked, Allowed: allowed, Words: "page/1"}, storetest.By(after))
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		first := ask(0, scopes(0, 2), scopes(0))
		second := ask(time.Minute, scopes(1), scopes(1))
		want := authz.Grant{
			ID: first.ID, AccountID: a.ID, ProfileID: p.ID, Scopes: scopes(0, 1), Asked: scopes(0, 1, 2),
			CreatedAt: storetest.Now(), UpdatedAt: storetest.Now().Add(time.Minute),
		}
		if diff := cmp.Diff(want, second); diff != "" {
			t.Errorf("a second consent widens the first (-want +got)\n%s", diff)
		}
		byPair, at, err := w.Store.GrantFor(ctx, a.ID, p.ID)
		if diff := cmp.Diff(want, byPair); diff != "" || err != nil || at.Number == 0 {
			t.Errorf("read at %v: %v (-want +got)\n%s", at, err, diff)
		}
		byID, _, err := w.Store.GrantSnapshot(ctx, first.ID)
		if diff := cmp.Diff(want, byID); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		if n := w.Count(t, `consents WHERE grant_id = $1 AND words = 'page/1'`, first.ID); n != 2 {
			t.Errorf("%d consents are kept, want 2", n)
		}

		list, err := w.Store.ConnectedApplications(ctx, a.ID)
		if diff := cmp.Diff([]store.ConnectedApplication{{Grant: want, Name: "Reports", PrivacyURL: "https://example.com/privacy", Publisher: "dev Ltd"}}, list); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		if err := w.Store.UpdateProfile(ctx, d.ID, p.ID, 1, registry.ProfileForm{Name: "Reports"}, logo(7), storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		if list, err := w.Store.ConnectedApplications(ctx, a.ID); err != nil || len(list) != 1 || list[0].Logo != (registry.LogoHash{7}) {
			t.Errorf("with a logo: %+v, %v", list, err)
		}
	})
}

func TestAllowRefuses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		live, disabled := w.Account(t, "ann@example.com"), w.Account(t, "bob@example.com")
		_, d := w.Developer(t, "dev@example.com")
		good, _ := w.Profile(t, d.ID, "Good")
		suspended, _ := w.Profile(t, d.ID, "Suspended")
		for _, err := range []error{
			w.Store.SetAccountDisabled(ctx, disabled.ID, by.At, by),
			w.Store.SetProfileSuspended(ctx, suspended.ID, by.At, by),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, pair := range [][2]int64{{1, good.ID}, {live.ID, 1}, {disabled.ID, good.ID}, {live.ID, suspended.ID}} {
			_, err := w.Store.Allow(ctx, store.Allowance{AccountID: pair[0], ProfileID: pair[1], Asked: scopes(0), Allowed: scopes(0)}, by)
			wantErr(t, fmt.Sprint(pair), err, store.ErrNotFound)
		}
		if n := w.Count(t, `grants`) + w.Count(t, `consents`); n != 0 {
			t.Errorf("%d grants and consents", n)
		}
		_, _, err := w.Store.GrantFor(ctx, live.ID, good.ID)
		wantErr(t, "GrantFor", err, store.ErrNotFound)
		_, _, err = w.Store.GrantSnapshot(ctx, 1)
		wantErr(t, "GrantSnapshot", err, store.ErrNotFound)
	})
}

// Everybody who consents at the same moment ends up with one grant that has all of
// it.
func TestAllowRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a := w.Account(t, "ann@example.com")
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		var all oauth.ScopeSet
		for i := range 16 {
			all = all.With(4 * i)
		}
		var mu sync.Mutex
		ids := map[int64]bool{}
		for _, err := range race(16, func(i int) error {
			g, err := w.Store.Allow(t.Context(), store.Allowance{AccountID: a.ID, ProfileID: p.ID, Asked: scopes(4 * i), Allowed: scopes(4 * i)}, storetest.By(0))
			if !g.Scopes.Has(4 * i) {
				err = fmt.Errorf("the grant given back lacks %d: %w", 4*i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[g.ID] = true
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		g, _, err := w.Store.GrantFor(t.Context(), a.ID, p.ID)
		if err != nil || g.Scopes != all || g.Asked != all {
			t.Errorf("%v of %v, %v", g.Scopes, all, err)
		}
		if len(ids) != 1 || w.Count(t, `grants`) != 1 || w.Count(t, `consents`) != 16 {
			t.Errorf("grants %v, want one", ids)
		}
	})
}

func TestRemoveGrant(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		g := consented(t, w)
		code := authz.Family{1}
		for range 2 { // the second ends the family
			if _, err := w.Store.Redeem(ctx, store.Redeem{Code: code, GrantID: g.ID}, by.At); err != nil {
				t.Fatal(err)
			}
		}
		wantErr(t, "another's", w.Store.RemoveGrant(ctx, g.AccountID+1, g.ID, by), store.ErrNotFound)
		wantOneWinner(t, race(8, func(int) error { return w.Store.RemoveGrant(ctx, g.AccountID, g.ID, by) }), store.ErrNotFound)
		if n := w.Count(t, `grants`) + w.Count(t, `consents`) + w.Count(t, `ended_families`); n != 0 {
			t.Errorf("%d rows of the grant are left", n)
		}
		if again := allow(t, w, g.AccountID, g.ProfileID); again.ID == g.ID {
			t.Error("a new consent brought the old grant back, and with it its tokens")
		}
		if got, err := w.Store.Redeem(ctx, store.Redeem{Code: authz.Family{2}, GrantID: g.ID}, by.At); got != authz.GrantGone || err != nil {
			t.Errorf("a code of the removed grant: %v, %v", got, err)
		}
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.GrantRemoved)); n != 1 {
			t.Errorf("%d removals in the log", n)
		}
	})
}

func TestRedeem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		g := consented(t, w)
		code, other := authz.Family{1}, authz.Family{2}
		for i, want := range []authz.Redemption{authz.Redeemed, authz.Replayed, authz.Replayed} {
			if got, err := w.Store.Redeem(ctx, store.Redeem{Code: code, GrantID: g.ID}, now); got != want || err != nil {
				t.Errorf("attempt %d: %v, %v; want %v", i, got, err, want)
			}
		}
		if got, err := w.Store.Redeem(ctx, store.Redeem{Code: other, GrantID: g.ID}, now); got != authz.Redeemed || err != nil {
			t.Errorf("another code: %v, %v", got, err)
		}
		after, _, err := w.Store.GrantSnapshot(ctx, g.ID)
		if err != nil || after.Live(code) || !after.Live(other) {
			t.Errorf("ended families %v, %v", after.Ended, err)
		}
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.FamilyEnded)); n != 1 {
			t.Errorf("the family ended %d times in the log", n)
		}
		if got, err := w.Store.Redeem(ctx, store.Redeem{Code: authz.Family{3}, GrantID: 1}, now); got != authz.GrantGone || err != nil {
			t.Errorf("a code without a grant: %v, %v", got, err)
		}
		if n := w.Count(t, `redemptions`); n != 2 {
			t.Errorf("%d redemptions, want 2", n)
		}
	})
}

func TestRedeemRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		other := w.Again(t) // half of them come from another process
		for round := range 5 {
			code := authz.Family{byte(round + 1)}
			results := make([]authz.Redemption, 16)
			for _, err := range race(16, func(i int) (err error) {
				from := []*storetest.World{w, other}[i%2]
				results[i], err = from.Store.Redeem(t.Context(), store.Redeem{Code: code, GrantID: g.ID}, storetest.Now())
				return err
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			count := map[authz.Redemption]int{}
			for _, r := range results {
				count[r]++
			}
			if diff := cmp.Diff(map[authz.Redemption]int{authz.Redeemed: 1, authz.Replayed: 15}, count); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			after, _, err := w.Store.GrantSnapshot(t.Context(), g.ID)
			if err != nil || after.Live(code) {
				t.Errorf("the family goes on, %v", err)
			}
		}
	})
}
