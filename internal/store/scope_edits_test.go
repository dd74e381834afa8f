package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func reports(change func(*registry.Scope)) registry.Scope {
	s := registry.Scope{
		Name: "reports:read", Aliases: []string{"reports"}, Label: "Your reports", Detail: "It reads them.", Essential: true, Restricted: true,
		WithoutUser: true, Claims: []registry.Claim{registry.ClaimEmail}, Translations: []registry.Words{{Language: "de", Label: "Ihre Berichte", Detail: "Sie werden gelesen."}},
	}
	change(&s)
	return s
}

func asIs(*registry.Scope) {}

// scopeNumbered reads a scope back.
func scopeNumbered(t *testing.T, w *storetest.World, number int) registry.Scope {
	t.Helper()
	all, _, err := w.Store.Scopes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Number == number {
			return s
		}
	}
	t.Fatalf("no scope %d among %v", number, all)
	return registry.Scope{}
}

// changesOf are the kinds of what came into the feed while do ran.
func changesOf(t *testing.T, w *storetest.World, do func()) (kinds []store.ChangeKind) {
	t.Helper()
	before, err := w.Store.Changes(t.Context(), store.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	do()
	feed, err := w.Store.Changes(t.Context(), before.Next)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range feed.Changes {
		kinds = append(kinds, c.Kind)
	}
	return kinds
}

func TestScopeLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(time.Minute)
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		var made registry.Scope
		if got := changesOf(t, w, func() {
			var err error
			if made, err = w.Store.CreateScope(ctx, reports(asIs), by); err != nil {
				t.Fatal(err)
			}
		}); !slices.Equal(got, []store.ChangeKind{store.ScopesChanged}) {
			t.Errorf("changes %v", got)
		}
		want := reports(func(s *registry.Scope) { s.Number, s.Version = 16, 1 })
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("made (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(want, scopeNumbered(t, w, 16)); diff != "" {
			t.Errorf("read (-want +got)\n%s", diff)
		}

		// One name, one scope.
		for name, other := range map[string]registry.Scope{
			"name": {Name: "reports:read", Label: "L"}, "alias as name": {Name: "reports", Label: "L"}, "name as alias": {Name: "other", Aliases: []string{"reports:read"}, Label: "L"},
			"built-in": {Name: "openid", Label: "L"},
		} {
			_, err := w.Store.CreateScope(ctx, other, by)
			wantErr(t, name, err, store.ErrNameTaken)
		}
		if n := w.Count(t, "scopes"); n != 9 {
			t.Errorf("%d scopes after the refusals, want 9", n)
		}
		second, err := w.Store.CreateScope(ctx, reports(func(s *registry.Scope) { s.Name, s.Aliases = "second", nil }), by)
		if err != nil || second.Number != 17 {
			t.Errorf("the second: %+v, %v", second, err)
		}
		wantErr(t, "another's name in an edit", w.Store.UpdateScope(ctx, reports(func(s *registry.Scope) {
			s.Number, s.Version, s.Name = 17, 1, "reports:read"
		}), by), store.ErrNameTaken)

		// Edits count, and what was replaced is gone.
		edit := reports(func(s *registry.Scope) {
			*s = registry.Scope{Number: 16, Version: 1, Name: "reports:all", Label: "All", Detail: "All of them.", Translations: []registry.Words{{Language: "fr", Label: "Rapports", Detail: "Tous."}}}
		})
		if got := changesOf(t, w, func() {
			if err := w.Store.UpdateScope(ctx, edit, by); err != nil {
				t.Fatal(err)
			}
		}); !slices.Equal(got, []store.ChangeKind{store.ScopesChanged}) {
			t.Errorf("changes %v", got)
		}
		wantErr(t, "a save over another", w.Store.UpdateScope(ctx, edit, by), store.ErrStale)
		edit.Version = 2
		if diff := cmp.Diff(edit, scopeNumbered(t, w, 16), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("edited (-want +got)\n%s", diff)
		}
		if _, err := w.Store.CreateScope(ctx, registry.Scope{Name: "reports", Label: "L"}, by); err != nil {
			t.Errorf("a name that was given up: %v", err)
		}

		// Retired for good; the number stays taken, the name does not.
		if err := w.Store.GrantScopes(ctx, p.ID, scopes(16, 17), "x", by); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "retire an older one", w.Store.RetireScope(ctx, 16, 1, by), store.ErrStale)
		wantErr(t, "retire a built-in one", w.Store.RetireScope(ctx, 3, 1, by), store.ErrStale)
		if err := w.Store.RetireScope(ctx, 16, 2, by); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "retire again", w.Store.RetireScope(ctx, 16, 3, by), store.ErrNotFound)
		wantErr(t, "edit a retired one", w.Store.UpdateScope(ctx, scopeNumbered(t, w, 16), by), store.ErrNotFound)
		if got := scopeNumbered(t, w, 16); !got.RetiredAt.Equal(by.At) || got.Name != "reports:all" {
			t.Errorf("retired: %+v", got)
		}
		if after, _, err := w.Store.ProfileByID(ctx, p.ID); err != nil || after.Granted != scopes(17) {
			t.Errorf("granted %v, %v", after.Granted, err)
		}
		next, err := w.Store.CreateScope(ctx, registry.Scope{Name: "reports:all", Label: "L"}, by)
		if err != nil || next.Number != 19 {
			t.Errorf("after it: %+v, %v", next, err)
		}
		if n := w.Count(t, "events WHERE kind = 'scope.created' OR kind = 'scope.changed' OR kind = 'scope.retired'"); n != 6 {
			t.Errorf("%d events, want 6", n)
		}
		// A server that starts finds its own scopes there.
		if _, err := w.Store.Identify(ctx, "", by.At); err != nil {
			t.Errorf("start: %v", err)
		}
	})
}

// TestScopeNumbersRunOut: a number that was given out is in tokens for ever.
func TestScopeNumbersRunOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		var wg sync.WaitGroup
		numbers := make([]int, registry.MaxScopes-registry.FirstOwnNumber)
		for i := range numbers {
			wg.Go(func() {
				made, err := w.Store.CreateScope(ctx, registry.Scope{Name: fmt.Sprint("s", i), Label: "L"}, by)
				if err != nil {
					t.Error(err)
				}
				numbers[i] = made.Number
			})
		}
		wg.Wait()
		slices.Sort(numbers)
		for i, n := range numbers {
			if n != registry.FirstOwnNumber+i {
				t.Fatalf("numbers %v", numbers)
			}
		}
		_, err := w.Store.CreateScope(ctx, registry.Scope{Name: "more", Label: "L"}, by)
		wantErr(t, "one more", err, store.ErrTooMany)
		if err := w.Store.RetireScope(ctx, 40, 1, by); err != nil {
			t.Fatal(err)
		}
		_, err = w.Store.CreateScope(ctx, registry.Scope{Name: "more", Label: "L"}, by)
		wantErr(t, "in the place of a retired one", err, store.ErrTooMany)
	})
}

// TestOneNameForTwo: of those who take a name at the same moment one gets it.
func TestOneNameForTwo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = w.Store.CreateScope(t.Context(), registry.Scope{Name: fmt.Sprint("s", i), Aliases: []string{"same"}, Label: "L"}, storetest.By(0))
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			wantErr(t, "who lost", err, store.ErrNameTaken)
		}
		all, _, err := w.Store.Scopes(t.Context())
		if err != nil || won != 1 || len(all) != 9 {
			t.Errorf("%d won, %d scopes, %v", won, len(all), err)
		}
		if _, err := registry.NewScopes(all); err != nil {
			t.Error(err)
		}
	})
}

func TestGrantScopes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		other, _ := w.Profile(t, d.ID, "Other")
		for range 2 { // once more changes nothing
			if got := changesOf(t, w, func() {
				if err := w.Store.GrantScopes(ctx, p.ID, scopes(2, 16), "postal_code", by); err != nil {
					t.Fatal(err)
				}
			}); !slices.Equal(got, []store.ChangeKind{store.ProfileChanged}) {
				t.Errorf("changes %v", got)
			}
		}
		if err := w.Store.GrantScopes(ctx, other.ID, scopes(16), "x", by); err != nil {
			t.Fatal(err)
		}
		holders, err := w.Store.Holders(ctx, 2)
		if diff := cmp.Diff([]store.Holder{{2, p.Client, "Reports"}, {16, other.Client, "Other"}}, holders); diff != "" || err != nil {
			t.Errorf("holders: %v (-want +got)\n%s", err, diff)
		}
		if err := w.Store.WithdrawScopes(ctx, p.ID, scopes(16, 5), "x", by); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[int64][]int{p.ID: {2}, other.ID: {16}} {
			if got, _, err := w.Store.ProfileByID(ctx, id); err != nil || got.Granted != scopes(want...) {
				t.Errorf("%v, %v; want %v", got.Granted, err, want)
			}
		}
		wantErr(t, "grant to none", w.Store.GrantScopes(ctx, 1, scopes(2), "", by), store.ErrNotFound)
		wantErr(t, "withdraw from none", w.Store.WithdrawScopes(ctx, 1, scopes(2), "", by), store.ErrNotFound)
		if n := w.Count(t, "events WHERE profile_id = $1 AND kind IN ('profile.scopes_granted', 'profile.scopes_withdrawn')", p.ID); n != 3 {
			t.Errorf("%d events, want 3", n)
		}
		if err := w.Store.DeleteProfile(ctx, d.ID, p.ID, by); err != nil {
			t.Fatal(err)
		}
		wantNoOrphans(t, w)
	})
}

func TestSetAudience(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "API")
		other, _ := w.Profile(t, d.ID, "Other")
		const id = "https://api.example.com"
		_, err := w.Store.CreateScope(ctx, reports(func(s *registry.Scope) { s.Audience = p.ID }), by)
		wantErr(t, "a scope for what is no API", err, store.ErrNotFound)
		if got := changesOf(t, w, func() {
			if err := w.Store.SetAudience(ctx, p.ID, id, by); err != nil {
				t.Fatal(err)
			}
		}); !slices.Equal(got, []store.ChangeKind{store.ProfileChanged}) {
			t.Errorf("changes %v", got)
		}
		wantErr(t, "another with the identifier", w.Store.SetAudience(ctx, other.ID, id, by), store.ErrNameTaken)
		wantErr(t, "none", w.Store.SetAudience(ctx, 1, "https://x.example", by), store.ErrNotFound)
		found, _, err := w.Store.ProfileByAudience(ctx, id)
		if err != nil || found.ID != p.ID {
			t.Errorf("by its identifier: %d, %v", found.ID, err)
		}
		apis, err := w.Store.APIs(ctx)
		if err != nil || len(apis) != 1 || apis[0].ID != p.ID || apis[0].Audience != id {
			t.Errorf("APIs %v, %v", apis, err)
		}
		scope, err := w.Store.CreateScope(ctx, reports(func(s *registry.Scope) { s.Audience = p.ID }), by)
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, "a scope is for it", w.Store.SetAudience(ctx, p.ID, "", by), store.ErrInUse)
		if found, _, err := w.Store.ProfileByAudience(ctx, id); err != nil || found.ID != p.ID {
			t.Errorf("after the refusal: %d, %v", found.ID, err)
		}
		if err := w.Store.SetAudience(ctx, p.ID, id+"/v2", by); err != nil {
			t.Errorf("another identifier: %v", err)
		}
		if err := w.Store.RetireScope(ctx, scope.Number, scope.Version, by); err != nil {
			t.Fatal(err)
		}
		if err := w.Store.SetAudience(ctx, p.ID, "", by); err != nil {
			t.Errorf("once no scope is for it: %v", err)
		}
		for range 2 {
			if err := w.Store.SetAudience(ctx, other.ID, "", by); err != nil {
				t.Errorf("several are no API: %v", err)
			}
		}
	})
}

func TestSetOperator(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		a := w.Account(t, "ann@example.com")
		if !a.OperatorSince.IsZero() {
			t.Errorf("an operator from the start: %v", a)
		}
		for _, since := range []time.Time{by.At, {}} {
			if got := changesOf(t, w, func() {
				if err := w.Store.SetOperator(ctx, a.ID, since, by); err != nil {
					t.Fatal(err)
				}
			}); !slices.Equal(got, []store.ChangeKind{store.AccountChanged}) {
				t.Errorf("changes %v", got)
			}
			if got, err := w.Store.Account(ctx, a.ID); err != nil || !got.OperatorSince.Equal(since) {
				t.Errorf("since %v: %v, %v", since, got.OperatorSince, err)
			}
		}
		wantErr(t, "nobody", w.Store.SetOperator(ctx, 1, by.At, by), store.ErrNotFound)
	})
}

// TestScopeOfANewVersion: a later program's scope leaves alone one of the operator's
// that has its name.
func TestScopeOfANewVersion(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		w.Exec(t, `DELETE FROM scopes WHERE number = 6`)
		own, err := w.Store.CreateScope(t.Context(), registry.Scope{Name: "phone", Label: "A telephone"}, storetest.By(0))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := w.Store.Identify(t.Context(), "", storetest.Now()); err != nil {
				t.Fatal(err)
			}
		}
		all, _, err := w.Store.Scopes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		table, err := registry.NewScopes(all)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := table.Lookup("phone"); !ok || got.Number != own.Number || got.Label != "A telephone" {
			t.Errorf("phone is %+v", got)
		}
	})
}
