package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// begin makes a family of rotating refresh tokens.
func begin(t testing.TB, w *storetest.World, grantID int64, f authz.Family) {
	t.Helper()
	got, err := w.Store.Redeem(t.Context(), store.Redeem{Code: f, GrantID: grantID, Rotating: true}, storetest.Now())
	if got != authz.Redeemed || err != nil {
		t.Fatal(got, err)
	}
}

// use is one use of a family's refresh token, and where it leaves the family.
type use struct {
	step  uint32
	after time.Duration // since the beginning
	want  authz.Rotation
	at    uint32
}

func TestRotate(t *testing.T) {
	const grace = authz.RotationGrace
	tests := map[string][]use{
		"in turn":                  {{0, 0, authz.Rotated, 1}, {1, time.Hour, authz.Rotated, 2}, {2, 2 * time.Hour, authz.Rotated, 3}},
		"retry":                    {{0, time.Hour, authz.Rotated, 1}, {0, time.Hour + grace, authz.Rotated, 1}, {1, 2 * time.Hour, authz.Rotated, 2}},
		"retry does not add to it": {{0, 0, authz.Rotated, 1}, {0, grace / 2, authz.Rotated, 1}, {0, grace + 1, authz.Reused, 0}},
		"late":                     {{0, 0, authz.Rotated, 1}, {0, grace + time.Microsecond, authz.Reused, 0}, {1, grace * 2, authz.FamilyGone, 0}},
		"late, then once more":     {{0, 0, authz.Rotated, 1}, {0, grace * 2, authz.Reused, 0}, {0, grace * 2, authz.FamilyGone, 0}},
		"two steps back":           {{0, 0, authz.Rotated, 1}, {1, 1, authz.Rotated, 2}, {0, 2, authz.Reused, 0}, {2, 3, authz.FamilyGone, 0}},
		"a step that never was":    {{5, 0, authz.Reused, 0}, {0, 1, authz.FamilyGone, 0}},
		"by a clock behind":        {{0, time.Minute, authz.Rotated, 1}, {0, 0, authz.Rotated, 1}},
	}
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		g := consented(t, w)
		mark := byte(0)
		for name, uses := range tests {
			t.Run(name, func(t *testing.T) {
				mark++
				f, bystander := authz.Family{mark}, authz.Family{mark, 1}
				begin(t, w, g.ID, f)
				begin(t, w, g.ID, bystander)
				ended := 0
				for i, u := range uses {
					got, err := w.Store.Rotate(ctx, g.ID, f, u.step, storetest.Now().Add(u.after))
					if got != u.want || err != nil {
						t.Errorf("use %d: %v, %v; want %v", i, got, err, u.want)
					}
					if u.want == authz.Reused {
						ended++
					}
					at, err := w.Store.FamilyStep(ctx, g.ID, f)
					if gone := errors.Is(err, store.ErrNotFound); at != u.at || gone != (ended > 0) || !gone && err != nil {
						t.Errorf("use %d: at step %d, %v; want %d", i, at, err, u.at)
					}
				}
				after, _, err := w.Store.GrantSnapshot(ctx, g.ID)
				if err != nil || after.Live(f) != (ended == 0) || !after.Live(bystander) {
					t.Errorf("ended families %v, %v", after.Ended, err)
				}
				if n := w.Count(t, `ended_families WHERE family = $1`, f[:]); n != ended {
					t.Errorf("ended %d times, want %d", n, ended)
				}
			})
		}
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.TokenReused)); n != 5 {
			t.Errorf("%d reuses in the log, want 5", n)
		}
		wantNoOrphans(t, w)
	})
}

// What has ended in another way does not rotate either.
func TestRotateOfEndedFamily(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		g := consented(t, w)
		gone := func(name string, grantID int64, f authz.Family) {
			t.Helper()
			if got, err := w.Store.Rotate(ctx, grantID, f, 0, now); got != authz.FamilyGone || err != nil {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		revoked, replayed, removed := authz.Family{1}, authz.Family{2}, authz.Family{3}
		begin(t, w, g.ID, revoked)
		for range 2 {
			if err := w.Store.EndFamily(ctx, store.FamilyEnd{GrantID: g.ID, Family: revoked}, now); err != nil {
				t.Fatal(err)
			}
		}
		gone("revoked", g.ID, revoked)
		begin(t, w, g.ID, replayed)
		if got, err := w.Store.Redeem(ctx, store.Redeem{Code: replayed, GrantID: g.ID, Rotating: true}, now); got != authz.Replayed || err != nil {
			t.Fatal(got, err)
		}
		gone("of a code used twice", g.ID, replayed)
		gone("never begun", g.ID, authz.Family{9})
		begin(t, w, g.ID, removed)
		gone("of another grant", g.ID+1, removed)
		if err := w.Store.RemoveGrant(ctx, g.AccountID, g.ID, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		gone("of a removed grant", g.ID, removed)
		_, err := w.Store.FamilyStep(ctx, g.ID, removed)
		wantErr(t, "its step", err, store.ErrNotFound)
		if err := w.Store.EndFamily(ctx, store.FamilyEnd{GrantID: g.ID, Family: removed}, now); err != nil {
			t.Errorf("revoked after the removal: %v", err)
		}
		wantNoOrphans(t, w)
	})
}

func TestRotateRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		other := w.Again(t) // half of them come from another process
		f := authz.Family{1}
		begin(t, w, g.ID, f)
		for step := range uint32(5) {
			results := make([]authz.Rotation, 16)
			for _, err := range race(16, func(i int) (err error) {
				results[i], err = []*storetest.World{w, other}[i%2].Store.Rotate(t.Context(), g.ID, f, step, storetest.Now().Add(time.Duration(step)*time.Minute))
				return err
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			count := map[authz.Rotation]int{}
			for _, r := range results {
				count[r]++
			}
			if diff := cmp.Diff(map[authz.Rotation]int{authz.Rotated: 16}, count); diff != "" {
				t.Errorf("step %d (-want +got)\n%s", step, diff)
			}
			if at, err := w.Store.FamilyStep(t.Context(), g.ID, f); at != step+1 || err != nil {
				t.Fatalf("at step %d, %v; want %d", at, err, step+1)
			}
		}
	})
}

func TestFaultsInRotate(t *testing.T) {
	var grant authz.Grant
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		if mark == 1 {
			grant = consented(t, w)
		}
		f := authz.Family{mark}
		begin(t, w, grant.ID, f)
		var first authz.Rotation
		return flow{
			do: func() (err error) {
				first, err = w.Store.Rotate(t.Context(), grant.ID, f, 0, storetest.Now())
				return err
			},
			check: func(t *testing.T, err error) {
				if (err == nil) != (first == authz.Rotated) || err != nil && first != 0 {
					t.Errorf("%v, %v", first, err)
				}
				// Who tries again has lost nothing, and moves the family by one step in all.
				if got, err := w.Store.Rotate(t.Context(), grant.ID, f, 0, storetest.Now().Add(time.Second)); got != authz.Rotated || err != nil {
					t.Errorf("the second try: %v, %v", got, err)
				}
				if at, err := w.Store.FamilyStep(t.Context(), grant.ID, f); at != 1 || err != nil {
					t.Errorf("at step %d, %v", at, err)
				}
			},
		}
	})
}

// A reuse is not forgotten because its commit was not answered.
func TestFaultsInReuse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		for i, outcome := range []faultdb.Outcome{faultdb.Failed, faultdb.FailedButApplied} {
			f := authz.Family{byte(i + 1)}
			begin(t, w, g.ID, f)
			if got, err := w.Store.Rotate(t.Context(), g.ID, f, 0, storetest.Now()); got != authz.Rotated || err != nil {
				t.Fatal(got, err)
			}
			late := storetest.Now().Add(time.Hour)
			w.Faults.Fail(1, outcome, faultdb.Commit)
			if got, err := w.Store.Rotate(t.Context(), g.ID, f, 0, late); err != nil || got == authz.Rotated {
				t.Errorf("outcome %d: %v, %v", outcome, got, err)
			}
			if got, err := w.Store.Rotate(t.Context(), g.ID, f, 0, late); got == authz.Rotated || err != nil {
				t.Errorf("outcome %d, the second try: %v, %v", outcome, got, err)
			}
			if after, _, err := w.Store.GrantSnapshot(t.Context(), g.ID); err != nil || after.Live(f) {
				t.Errorf("outcome %d: the family goes on, %v", outcome, err)
			}
		}
	})
}
