package store_test

import (
	"fmt"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// flow is something to do while the database fails, and what must hold after.
type flow struct {
	do    func() error
	check func(t *testing.T, err error)
}

// sweep runs a flow, made anew each time, with its first call to the database
// failing, then its second, and so on until no fault is met; each once with the
// call undone and once with only its answer lost.
func sweep(t *testing.T, begin func(t *testing.T, w *storetest.World, mark byte) flow) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		mark := byte(0)
		for _, outcome := range []faultdb.Outcome{faultdb.Failed, faultdb.FailedButApplied} {
			for n, pending := 1, false; !pending && !t.Failed(); n++ {
				mark++
				f := begin(t, w, mark)
				w.Faults.Reset()
				w.Faults.Fail(n, outcome)
				err := f.do()
				pending = w.Faults.Pending()
				w.Faults.Reset()
				t.Run(fmt.Sprintf("call %d outcome %d", n, outcome), func(t *testing.T) {
					if pending && err != nil {
						t.Errorf("without a fault: %v", err)
					}
					f.check(t, err)
				})
				if n == 1 && pending {
					t.Error("the flow makes no call")
				}
			}
		}
		wantNoOrphans(t, w)
	})
}

// Within a second of a look for what has expired a redemption is one statement alone,
// and otherwise the first of several.
func TestFaultsInRedeem(t *testing.T) {
	for name, pause := range map[string]time.Duration{"alone": 0, "with others": 2 * time.Second} {
		t.Run(name, func(t *testing.T) { faultsInRedeem(t, pause) })
	}
}

func faultsInRedeem(t *testing.T, pause time.Duration) {
	var grant authz.Grant
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		if mark == 1 {
			grant = consented(t, w)
		}
		code := authz.Family{mark}
		now := storetest.Now().Add(time.Duration(mark) * pause)
		var first authz.Redemption
		return flow{
			do: func() (err error) {
				first, err = w.Store.Redeem(t.Context(), store.Redeem{Code: code, GrantID: grant.ID}, now)
				return err
			},
			check: func(t *testing.T, err error) {
				winners := 0
				if err == nil {
					if first != authz.Redeemed {
						t.Errorf("the first attempt: %v", first)
					}
					winners++
				} else if first == authz.Redeemed {
					t.Errorf("says both that it won and %v", err)
				}
				var last authz.Redemption
				for range 3 {
					if last, err = w.Store.Redeem(t.Context(), store.Redeem{Code: code, GrantID: grant.ID}, now); err != nil {
						t.Fatal(err)
					}
					if last == authz.Redeemed {
						winners++
					}
				}
				if winners > 1 || last != authz.Replayed {
					t.Errorf("%d winners, and the last attempt is %v", winners, last)
				}
				if g, _, err := w.Store.GrantSnapshot(t.Context(), grant.ID); err != nil || g.Live(code) {
					t.Errorf("a code used %d times and more, and its family goes on (%v)", winners, err)
				}
			},
		}
	})
}

func TestFaultsInAllow(t *testing.T) {
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		a := w.Account(t, fmt.Sprintf("user%d@example.com", mark))
		_, d := w.Developer(t, fmt.Sprintf("dev%d@example.com", mark))
		p, _ := w.Profile(t, d.ID, "Reports")
		do := func(scope int) error {
			g, err := w.Store.Allow(t.Context(), store.Allowance{AccountID: a.ID, ProfileID: p.ID, Asked: scopes(scope), Allowed: scopes(scope)}, storetest.By(0))
			if err == nil && !g.Scopes.Has(scope) {
				err = fmt.Errorf("grant has %v", g.Scopes)
			}
			return err
		}
		return flow{
			do: func() error { return do(0) },
			check: func(t *testing.T, err error) {
				g, _, readErr := w.Store.GrantFor(t.Context(), a.ID, p.ID)
				if err == nil && (readErr != nil || g.Scopes != scopes(0)) {
					t.Errorf("allowed, and read %v, %v", g.Scopes, readErr)
				}
				if readErr == nil {
					// Never a grant without the consent that it rests on.
					if n := w.Count(t, `consents WHERE grant_id = $1`, g.ID); n != 1 || g.Asked != scopes(0) {
						t.Errorf("%d consents, asked %v", n, g.Asked)
					}
				}
				for _, scope := range []int{0, 1} {
					if err := do(scope); err != nil {
						t.Error(err)
					}
				}
				if g, _, err := w.Store.GrantFor(t.Context(), a.ID, p.ID); err != nil || g.Scopes != scopes(0, 1) {
					t.Errorf("after retries: %v, %v", g.Scopes, err)
				}
				if n := w.Count(t, `grants WHERE account_id = $1`, a.ID); n != 1 {
					t.Errorf("%d grants", n)
				}
			},
		}
	})
}

func TestFaultsInSaveWebSettings(t *testing.T) {
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		_, d := w.Developer(t, fmt.Sprintf("dev%d@example.com", mark))
		p, _ := w.Profile(t, d.ID, "Reports")
		urls := []registry.ReturnURL{{Value: "https://new.example/a"}, {Value: "https://new.example/b"}}
		origins := []registry.AllowedOrigin{{Value: "https://new.example"}}
		do := func() error {
			return w.Store.SaveWebSettings(t.Context(), d.ID, p.ID, 1, origins, urls, storetest.By(0))
		}
		// saved reports whether the save is there; half of it is an error.
		saved := func(t *testing.T) bool {
			got, err := w.Store.Profile(t.Context(), d.ID, p.Application)
			if err != nil {
				t.Fatal(err)
			}
			events := w.Count(t, `events WHERE profile_id = $1 AND kind = $2`, p.ID, string(audit.WebSettingsChanged))
			changes := w.Count(t, `changes WHERE kind = $1 AND subject = (SELECT subject FROM changes WHERE kind = $1 ORDER BY number DESC LIMIT 1)`, int64(store.ProfileChanged))
			parts := [5]int{int(got.Version) - 1, len(got.ReturnURLs) - 1, len(got.Origins), events, changes - 1}
			switch parts {
			case [5]int{}:
				return false
			case [5]int{1, 1, 1, 1, 1}:
				return true
			}
			t.Errorf("saved in part: version, URLs, origins, events, changes: %v", parts)
			return false
		}
		return flow{
			do: do,
			check: func(t *testing.T, err error) {
				there := saved(t)
				if err == nil && !there {
					t.Error("told that it is saved, and it is not")
				}
				want := error(nil)
				if there {
					want = store.ErrStale
				}
				wantErr(t, "retry", do(), want)
				if !saved(t) {
					t.Error("not saved after the retry")
				}
			},
		}
	})
}

func TestFaultsInShowSecret(t *testing.T) {
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		_, d := w.Developer(t, fmt.Sprintf("dev%d@example.com", mark))
		p, value := w.Profile(t, d.ID, "Reports")
		var shown string
		do := func() (err error) {
			shown, err = w.Store.ShowSecret(t.Context(), d.ID, p.ID, p.Secrets[0].ID, storetest.By(0))
			return err
		}
		events := func(t *testing.T) int {
			return w.Count(t, `events WHERE profile_id = $1 AND kind = $2`, p.ID, string(audit.SecretShown))
		}
		return flow{
			do: do,
			check: func(t *testing.T, err error) {
				if err != nil && shown != "" {
					t.Errorf("shown in spite of %v", err)
				}
				if shown != "" && events(t) != 1 {
					t.Error("shown, and not remembered")
				}
				if err := do(); err != nil || shown != value || events(t) == 0 {
					t.Errorf("retry: %q, %v, %d events", shown, err, events(t))
				}
			},
		}
	})
}

func TestFaultsInDeleteProfile(t *testing.T) {
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		user := w.Account(t, fmt.Sprintf("user%d@example.com", mark))
		_, d := w.Developer(t, fmt.Sprintf("dev%d@example.com", mark))
		p, grant := furnish(t, w, user.ID, d.ID, mark)
		do := func() error { return w.Store.DeleteProfile(t.Context(), d.ID, p.ID, storetest.By(0)) }
		// left reports whether it is there; half of it is an error.
		left := func(t *testing.T) bool {
			rows := [5]int{
				w.Count(t, `profiles WHERE id = $1`, p.ID), w.Count(t, `secrets WHERE profile_id = $1`, p.ID), w.Count(t, `grants WHERE id = $1`, grant),
				w.Count(t, `logos WHERE hash = $1`, p.Logo[:]), 1 - w.Count(t, `events WHERE profile_id = $1 AND kind = $2`, p.ID, string(audit.ProfileDeleted)),
			}
			switch rows {
			case [5]int{1, 1, 1, 1, 1}:
				return true
			case [5]int{}:
				return false
			}
			t.Errorf("deleted in part: profiles, secrets, grants, logos, no event: %v", rows)
			return false
		}
		return flow{
			do: do,
			check: func(t *testing.T, err error) {
				there := left(t)
				if err == nil && there {
					t.Error("told that it is deleted, and it is not")
				}
				want := error(nil)
				if !there {
					want = store.ErrNotFound
				}
				wantErr(t, "retry", do(), want)
				if left(t) {
					t.Error("there after the retry")
				}
				wantNoOrphans(t, w)
			},
		}
	})
}
