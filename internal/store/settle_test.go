package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// A commit that was not answered is still this caller's, whatever became of it: nobody
// has to sign in once more because of it.
func TestRedeemFindsItsOwnCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		for i, outcome := range []faultdb.Outcome{faultdb.FailedButApplied, faultdb.Failed} {
			code := authz.Family{byte(i + 1)}
			redeem := func() (authz.Redemption, error) {
				return w.Store.Redeem(t.Context(), store.Redeem{Code: code, GrantID: g.ID, Rotating: true}, storetest.Now())
			}
			w.Faults.Fail(1, outcome, faultdb.Commit)
			if got, err := redeem(); got != authz.Redeemed || err != nil {
				t.Errorf("outcome %d: %v, %v", outcome, got, err)
			}
			if step, err := w.Store.FamilyStep(t.Context(), g.ID, code); step != 0 || err != nil {
				t.Errorf("outcome %d: its refresh token is at step %d, %v", outcome, step, err)
			}
			// One that lost cannot mistake the winner's row for its own.
			w.Faults.Fail(1, outcome, faultdb.Commit)
			if got, err := redeem(); got != authz.Replayed || err != nil {
				t.Errorf("outcome %d, a replay: %v, %v", outcome, got, err)
			}
			if after, _, err := w.Store.GrantSnapshot(t.Context(), g.ID); err != nil || after.Live(code) {
				t.Errorf("outcome %d: the family goes on after a replay, %v", outcome, err)
			}
		}
	})
}

// The password that was typed is set, though nobody answered; the link works no more.
func TestRecoverFindsItsOwnCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a := w.Account(t, "ann@example.com")
		for i, outcome := range []faultdb.Outcome{faultdb.FailedButApplied, faultdb.Failed} {
			digest := [32]byte{byte(i)}
			link := account.Recovery{Digest: digest, AccountID: a.ID, ExpiresAt: storetest.Now().Add(time.Hour)}
			if err := w.Store.CreateRecovery(t.Context(), link, "", storetest.Now()); err != nil {
				t.Fatal(err)
			}
			hash := "hash " + string(rune('a'+i))
			w.Faults.Fail(1, outcome, faultdb.Commit)
			if id, err := w.Store.Recover(t.Context(), digest, hash, storetest.By(0)); id != a.ID || err != nil {
				t.Errorf("outcome %d: %d, %v", outcome, id, err)
			}
			if got, err := w.Store.PasswordHash(t.Context(), a.ID); got != hash || err != nil {
				t.Errorf("outcome %d: the password is %q, %v", outcome, got, err)
			}
			_, err := w.Store.Recover(t.Context(), digest, hash, storetest.By(0))
			wantErr(t, "the link once more", err, store.ErrNotFound)
		}
	})
}

// What a person has asked for is there once, whatever became of the commit that was not
// answered, and the person is told so.
func TestSettled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		mark := byte(0)
		for name, begin := range settled {
			for outcome, when := range map[faultdb.Outcome]string{faultdb.FailedButApplied: "made", faultdb.Failed: "not made"} {
				t.Run(name+", "+when, func(t *testing.T) {
					mark++
					op := begin(t, w, mark)
					w.Faults.Fail(1, outcome, faultdb.Commit)
					if err := op.do(); err != nil {
						t.Error(err)
					}
					if w.Faults.Pending() {
						t.Error("nothing was committed")
					}
					for from, want := range op.rows {
						if got := w.Count(t, from, op.id); got != want {
							t.Errorf("%d of %s, want %d", got, from, want)
						}
					}
				})
			}
		}
		if n := w.Count(t, `events WHERE kind = ''`); n != 0 {
			t.Errorf("%d events of no kind", n)
		}
		wantNoOrphans(t, w)
	})
}

// settling is what somebody does once, and how many rows there are of it then, by the
// query, which has the id as its only parameter.
type settling struct {
	do   func() error
	id   any
	rows map[string]int
}

const eventsOf = `events WHERE kind = '%s' AND %s = $1`

var settled = map[string]func(*testing.T, *storetest.World, byte) settling{
	"allow": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, p := personAndProfile(t, w, mark)
		return settling{func() error {
			g, err := w.Store.Allow(t.Context(), allowance(a.ID, p.ID, 0), storetest.By(0))
			_, _, missing := w.Store.GrantSnapshot(t.Context(), g.ID)
			return errors.Join(err, missing)
		}, a.ID, map[string]int{
			`grants WHERE account_id = $1`: 1,
			`consents AS c JOIN grants AS g ON g.id = c.grant_id WHERE g.account_id = $1`: 1,
			fmt.Sprintf(eventsOf, audit.GrantGiven, "account_id"):                         1,
		}}
	},
	"allow more": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, p := personAndProfile(t, w, mark)
		g := allow(t, w, a.ID, p.ID)
		return settling{func() error {
			wider, err := w.Store.Allow(t.Context(), allowance(a.ID, p.ID, 1), storetest.By(0))
			if err == nil && (wider.ID != g.ID || !wider.Scopes.Has(1)) {
				err = fmt.Errorf("grant %+v", wider)
			}
			return err
		}, g.ID, map[string]int{`consents WHERE grant_id = $1`: 2}}
	},
	"allow a device": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, p := personAndProfile(t, w, mark)
		pair := pairOf(p.ID, 0, mark)
		create(t, w, pair)
		return settling{func() error {
			return w.Store.AllowDevice(t.Context(), pair.UserCode, allowance(a.ID, p.ID, 0), storetest.Now(), storetest.By(0))
		}, a.ID, map[string]int{
			`device_pairs AS d JOIN grants AS g ON g.id = d.grant_given WHERE g.account_id = $1`: 1,
			`consents AS c JOIN grants AS g ON g.id = c.grant_id WHERE g.account_id = $1`:        1,
			fmt.Sprintf(eventsOf, audit.GrantGiven, "account_id"):                                1,
		}}
	},
	"deny a device": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		pair := pairOf(p.ID, 0, mark)
		create(t, w, pair)
		return settling{func() error { return w.Store.DenyDevice(t.Context(), pair.UserCode, storetest.Now()) },
			p.ID, map[string]int{fmt.Sprintf(`device_pairs WHERE state = %d AND profile_id = $1`, authz.DeviceDenied): 1}}
	},
	"remove an application": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, p := personAndProfile(t, w, mark)
		g := allow(t, w, a.ID, p.ID)
		return settling{func() error { return w.Store.RemoveGrant(t.Context(), a.ID, g.ID, storetest.By(0)) },
			a.ID, map[string]int{`grants WHERE account_id = $1`: 0, fmt.Sprintf(eventsOf, audit.GrantRemoved, "account_id"): 1}}
	},
	"revoke": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, p := personAndProfile(t, w, mark)
		g := allow(t, w, a.ID, p.ID)
		return settling{func() error {
			return w.Store.EndFamily(t.Context(), store.FamilyEnd{GrantID: g.ID, Family: authz.Family{mark}}, storetest.Now())
		},
			g.ID, map[string]int{`ended_families WHERE grant_id = $1`: 1}}
	},
	"push a request": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		return settling{func() error {
			return w.Store.PushRequest(t.Context(), [32]byte{mark}, p.ID, []byte("sealed"), storetest.Now())
		}, p.ID, map[string]int{`pushed_requests WHERE profile_id = $1`: 1}}
	},
	"take a request": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		if err := w.Store.PushRequest(t.Context(), [32]byte{mark}, p.ID, []byte("sealed"), storetest.Now()); err != nil {
			t.Fatal(err)
		}
		return settling{func() error {
			sealed, err := w.Store.TakeRequest(t.Context(), [32]byte{mark}, p.ID, storetest.Now())
			if err == nil && string(sealed) != "sealed" {
				err = fmt.Errorf("took %q", sealed)
			}
			if _, again := w.Store.TakeRequest(t.Context(), [32]byte{mark}, p.ID, storetest.Now()); !errors.Is(again, store.ErrNotFound) {
				t.Errorf("taken twice: %v", again)
			}
			return err
		}, p.ID, map[string]int{`pushed_requests WHERE profile_id = $1`: 0}}
	},
	"sign in": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, _ := personAndProfile(t, w, mark)
		_, n := account.NewSession(a.ID, "", "", storetest.Now())
		return settling{func() error { return w.Store.CreateSession(t.Context(), n) }, a.ID, map[string]int{`sessions WHERE account_id = $1`: 1}}
	},
	"sign in again": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, _ := personAndProfile(t, w, mark)
		_, old := account.NewSession(a.ID, "", "", storetest.Now())
		_, n := account.NewSession(a.ID, "", "", storetest.Now())
		if err := w.Store.CreateSession(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		return settling{func() error { return w.Store.RenewSession(t.Context(), old.Digest, n) }, n.Digest[:], map[string]int{`sessions WHERE digest = $1`: 1}}
	},
	"sign out": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, _ := personAndProfile(t, w, mark)
		_, n := account.NewSession(a.ID, "", "", storetest.Now())
		if err := w.Store.CreateSession(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		return settling{func() error { return w.Store.EndSession(t.Context(), a.ID, n.Digest, storetest.By(0)) },
			a.ID, map[string]int{`sessions WHERE account_id = $1`: 0, fmt.Sprintf(eventsOf, audit.SessionEnded, "account_id"): 1}}
	},
	"sign up": func(t *testing.T, w *storetest.World, mark byte) settling {
		email := fmt.Sprintf("new%d@example.com", mark)
		return settling{func() error {
			_, err := w.Store.CreateAccount(t.Context(), store.NewAccount{Email: email, EmailKey: email, Developer: &store.NewDeveloper{Company: "New", Country: "GB"}}, storetest.By(0))
			return err
		}, email, map[string]int{`accounts AS a JOIN members AS m ON m.account_id = a.id WHERE a.email = $1`: 1}}
	},
	"change the password": func(t *testing.T, w *storetest.World, mark byte) settling {
		a, _ := personAndProfile(t, w, mark)
		return settling{func() error { return w.Store.ChangePassword(t.Context(), a.ID, "hash", [32]byte{}, storetest.By(0)) },
			a.ID, map[string]int{fmt.Sprintf(eventsOf, audit.PasswordChanged, "account_id"): 1}}
	},
	"new profile": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, d := w.Developer(t, fmt.Sprintf("dev%d@example.com", mark))
		return settling{func() error {
			p, err := w.Store.CreateProfile(t.Context(), store.NewProfile{DeveloperID: d.ID, Form: registry.ProfileForm{Name: "Reports"}, Secret: "x"}, storetest.By(0))
			return errors.Join(err, errOf(w.Store.Profile(t.Context(), d.ID, p.Application)))
		}, d.ID, map[string]int{`profiles AS p JOIN secrets AS s ON s.profile_id = p.id WHERE p.developer_id = $1`: 1}}
	},
	"save a profile": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		return settling{func() error {
			return w.Store.UpdateProfile(t.Context(), p.DeveloperID, p.ID, p.Version, registry.ProfileForm{Name: "Reports 2"}, store.LogoChange{}, storetest.By(0))
		}, p.ID, map[string]int{`profiles WHERE version = 2 AND name = 'Reports 2' AND id = $1`: 1, fmt.Sprintf(eventsOf, audit.ProfileChanged, "profile_id"): 1}}
	},
	"save web settings": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		return settling{func() error {
			return w.Store.SaveWebSettings(t.Context(), p.DeveloperID, p.ID, p.Version, nil, p.ReturnURLs, storetest.By(0))
		}, p.ID, map[string]int{`profiles WHERE version = 2 AND id = $1`: 1, `return_urls WHERE profile_id = $1`: len(p.ReturnURLs)}}
	},
	"save settings": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		return settling{func() error {
			return w.Store.SaveSettings(t.Context(), p.DeveloperID, p.ID, p.Version, p.Settings, nil, storetest.By(0))
		}, p.ID, map[string]int{`profiles WHERE version = 2 AND id = $1`: 1, fmt.Sprintf(eventsOf, audit.SettingsChanged, "profile_id"): 1}}
	},
	"add a secret": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		return settling{func() error {
			_, err := w.Store.AddSecret(t.Context(), p.DeveloperID, p.ID, "another", storetest.By(0))
			return err
		}, p.ID, map[string]int{`secrets WHERE profile_id = $1`: 2, fmt.Sprintf(eventsOf, audit.SecretCreated, "profile_id"): 1}}
	},
	"end a secret": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		if _, err := w.Store.AddSecret(t.Context(), p.DeveloperID, p.ID, "another", storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		return settling{func() error {
			return w.Store.EndSecret(t.Context(), p.DeveloperID, p.ID, p.Secrets[0].ID, storetest.Now(), storetest.By(0))
		}, p.ID, map[string]int{`secrets WHERE expires_at > 0 AND profile_id = $1`: 1, fmt.Sprintf(eventsOf, audit.SecretEnded, "profile_id"): 1}}
	},
	"show a secret": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		return settling{func() error {
			_, err := w.Store.ShowSecret(t.Context(), p.DeveloperID, p.ID, p.Secrets[0].ID, storetest.By(0))
			return err
		}, p.ID, map[string]int{fmt.Sprintf(eventsOf, audit.SecretShown, "profile_id"): 1}}
	},
	"delete a profile": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		return settling{func() error { return w.Store.DeleteProfile(t.Context(), p.DeveloperID, p.ID, storetest.By(0)) },
			p.ID, map[string]int{`profiles WHERE id = $1`: 0, fmt.Sprintf(eventsOf, audit.ProfileDeleted, "profile_id"): 1}}
	},
	"add a device": func(t *testing.T, w *storetest.World, mark byte) settling {
		_, p := personAndProfile(t, w, mark)
		return settling{func() error {
			_, err := w.Store.AddDevice(t.Context(), p.DeveloperID, p.ID, "TV", storetest.By(0))
			return err
		}, p.ID, map[string]int{`device_clients WHERE profile_id = $1`: 1}}
	},
	"new scope": func(t *testing.T, w *storetest.World, mark byte) settling {
		name := fmt.Sprint("reports:", mark)
		return settling{func() error {
			_, err := w.Store.CreateScope(t.Context(), registry.Scope{Name: name}, storetest.By(0))
			return err
		}, name, map[string]int{`scopes WHERE name = $1`: 1}}
	},
}

// personAndProfile are somebody and the profile of somebody else.
func personAndProfile(t *testing.T, w *storetest.World, mark byte) (account.Account, registry.SecurityProfile) {
	t.Helper()
	_, d := w.Developer(t, fmt.Sprintf("dev%d@example.com", mark))
	p, _ := w.Profile(t, d.ID, "Reports")
	return w.Account(t, fmt.Sprintf("user%d@example.com", mark)), p
}

func allowance(accountID, profileID int64, scope int) store.Allowance {
	return store.Allowance{AccountID: accountID, ProfileID: profileID, Asked: scopes(scope), Allowed: scopes(scope)}
}

// A form that is sent again when nobody waits for the first answer any more, and by
// several at once, makes one profile of its developer account.
func TestCreateProfileOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		_, other := w.Developer(t, "other@example.com")
		made := make([]registry.SecurityProfile, 8)
		for _, err := range race(len(made), func(i int) (err error) {
			made[i], err = w.Store.CreateProfile(t.Context(), store.NewProfile{
				DeveloperID: []int64{d.ID, other.ID}[i%2], Form: registry.ProfileForm{Name: "Reports"}, Secret: fmt.Sprint("secret ", i), Attempt: "one",
			}, storetest.By(0))
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		for i, p := range made {
			if p.ID != made[i%2].ID || len(p.Secrets) != 1 || p.Secrets[0].Digest != made[i%2].Secrets[0].Digest {
				t.Errorf("%d has another profile or secret", i)
			}
		}
		if n := w.Count(t, `profiles`); n != 2 || made[0].ID == made[1].ID {
			t.Errorf("%d profiles, want one of each developer account", n)
		}
	})
}

// Two who save over one version, each with a commit that is not answered: one has
// saved, and the other is told that somebody else has.
func TestSettledRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, p := personAndProfile(t, w, 1)
		both := []*storetest.World{w, w.Again(t)}
		for version := p.Version; version < p.Version+10; version++ {
			outcome := faultdb.Outcome(version % 2)
			errs := race(len(both), func(i int) error {
				both[i].Faults.Fail(1, outcome, faultdb.Commit)
				return both[i].Store.UpdateProfile(t.Context(), p.DeveloperID, p.ID, version, registry.ProfileForm{Name: fmt.Sprint("Reports ", i)}, store.LogoChange{}, storetest.By(0))
			})
			wantOneWinner(t, errs, store.ErrStale)
		}
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.ProfileChanged)); n != 10 {
			t.Errorf("%d saves in the log, want 10", n)
		}
	})
}

// A database that stays away leaves the outcome unknown: the answer is neither yes nor
// no, and comes while somebody still waits for it.
func TestNothingSettled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Faults.FailFrom(1, faultdb.FailedButApplied, faultdb.Commit)
		got, err := w.Store.Redeem(ctx, store.Redeem{Code: authz.Family{1}, GrantID: g.ID}, storetest.Now())
		w.Faults.Reset()
		if got == authz.Redeemed || !errors.Is(err, sqldb.ErrOutcomeUnknown) {
			t.Errorf("%v, %v, want ErrOutcomeUnknown", got, err)
		}
	})
}
