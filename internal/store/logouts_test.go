package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/account"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// session begins one of an account.
func beginSession(t *testing.T, w *storetest.World, accountID int64, after time.Duration) account.Session {
	t.Helper()
	_, s := account.NewSession(accountID, "Firefox", "192.0.2.1", storetest.Now().Add(after))
	if err := w.Store.CreateSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// redeemIn redeems a code that was given in a session.
func redeemIn(t *testing.T, w *storetest.World, code byte, grantID int64, c store.SessionClient, now time.Time) {
	t.Helper()
	if _, err := w.Store.Redeem(t.Context(), store.Redeem{Code: [12]byte{code}, GrantID: grantID, Session: c}, now); err != nil {
		t.Fatal(err)
	}
}

func TestRenewSession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, later := t.Context(), storetest.Now().Add(time.Hour)
		ann, bob := w.Account(t, "ann@example.com"), w.Account(t, "bob@example.com")
		old := beginSession(t, w, ann.ID, 0)
		_, again := account.NewSession(ann.ID, "Chrome", "192.0.2.2", later)
		_, anothers := account.NewSession(bob.ID, "Chrome", "192.0.2.2", later)
		wantErr(t, "by another account", w.Store.RenewSession(ctx, old.Digest, anothers), store.ErrNotFound)
		if err := w.Store.RenewSession(ctx, old.Digest, again); err != nil {
			t.Fatal(err)
		}
		_, _, err := w.Store.SessionSnapshot(ctx, old.Digest)
		wantErr(t, "by its old value", err, store.ErrNotFound)
		want := again
		want.ID = old.ID
		got, _, err := w.Store.SessionSnapshot(ctx, again.Digest)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		_, third := account.NewSession(ann.ID, "", "", later)
		wantErr(t, "twice", w.Store.RenewSession(ctx, old.Digest, third), store.ErrNotFound)
		_, late := account.NewSession(ann.ID, "", "", again.ExpiresAt)
		wantErr(t, "one that has expired", w.Store.RenewSession(ctx, again.Digest, late), store.ErrNotFound)
		w.Exec(t, `UPDATE sessions SET id = 0`)
		if err := w.Store.RenewSession(ctx, again.Digest, third); err != nil {
			t.Fatal(err)
		}
		if got, _, err := w.Store.SessionSnapshot(ctx, third.Digest); err != nil || got.ID != third.ID {
			t.Errorf("one of before there were ids: %+v, %v", got, err)
		}
	})
}

// Each end of a session leaves one notice for each application that was given tokens
// in it, in the transaction that ends it.
func TestLogoutNotices(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		other, _ := w.Profile(t, d.ID, "Others")
		code := byte(0)
		for name, end := range map[string]func(accountID int64, s account.Session) error{
			"signed out": func(id int64, s account.Session) error { return w.Store.EndSession(ctx, id, s.Digest, storetest.By(0)) },
			"ended elsewhere": func(id int64, s account.Session) error {
				return w.Store.EndOtherSessions(ctx, id, [32]byte{}, storetest.By(0))
			},
			"password changed": func(id int64, _ account.Session) error {
				return w.Store.ChangePassword(ctx, id, "h", [32]byte{}, storetest.By(0))
			},
			"disabled": func(id int64, _ account.Session) error {
				return w.Store.SetAccountDisabled(ctx, id, now, storetest.By(0))
			},
			"deleted": func(id int64, _ account.Session) error { return w.Store.DeleteAccount(ctx, id, storetest.By(0)) },
		} {
			ann := w.Account(t, name+"@example.com")
			s, kept := beginSession(t, w, ann.ID, 0), beginSession(t, w, w.Account(t, "kept "+name+"@example.com").ID, 0)
			for _, profile := range []int64{p.ID, other.ID} {
				g := allow(t, w, ann.ID, profile)
				for range 2 {
					code++
					redeemIn(t, w, code, g.ID, store.SessionClient{SessionID: s.ID, ProfileID: profile, UserID: ann.ID}, now)
				}
			}
			if due, err := w.Store.ClaimLogouts(ctx, now, 10); err != nil || len(due) != 0 {
				t.Fatalf("%s: before its end %v, %v", name, due, err)
			}
			before := newest(t, w.Store)
			if err := end(ann.ID, s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			feed, err := w.Store.Changes(ctx, before)
			told := 0
			for _, c := range feed.Changes {
				if c.Kind == store.LogoutsDue && c.ID() == ann.ID {
					told++
				}
			}
			if err != nil || told != 1 {
				t.Errorf("%s: the feed says so %d times, %v", name, told, err)
			}
			due, err := w.Store.ClaimLogouts(ctx, now, 10)
			if err != nil || len(due) != 2 || due[0].SessionID != s.ID || due[0].UserID != ann.ID || due[0].Attempts != 1 || due[0].ProfileID == due[1].ProfileID {
				t.Errorf("%s: %+v, %v", name, due, err)
			}
			for _, n := range due {
				if err := w.Store.DropLogout(ctx, n); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := w.Store.SessionSnapshot(ctx, kept.Digest); err != nil {
				t.Errorf("%s: another's session: %v", name, err)
			}
			if n := w.Count(t, `session_clients WHERE session_id = $1`, s.ID) + w.Count(t, `sessions WHERE id = $1`, s.ID); n != 0 {
				t.Errorf("%s: %d rows are left", name, n)
			}
		}
		// A profile that ends has nobody to be told.
		ann := w.Account(t, "last@example.com")
		s := beginSession(t, w, ann.ID, 0)
		redeemIn(t, w, 200, allow(t, w, ann.ID, p.ID).ID, store.SessionClient{SessionID: s.ID, ProfileID: p.ID, UserID: ann.ID}, now)
		if err := w.Store.EndSession(ctx, ann.ID, s.Digest, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		if err := w.Store.DeleteProfile(ctx, d.ID, p.ID, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		if next, err := w.Store.NextLogout(ctx); err != nil || !next.IsZero() {
			t.Errorf("waits until %v, %v", next, err)
		}
	})
}

// A notice is one caller's for a while, then anybody's again; what was put off waits,
// and what is a day old goes.
func TestClaimLogouts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		ann := w.Account(t, "ann@example.com")
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		g := allow(t, w, ann.ID, p.ID)
		const sessions = 20
		for i := range byte(sessions) {
			s := beginSession(t, w, ann.ID, 0)
			redeemIn(t, w, i, g.ID, store.SessionClient{SessionID: s.ID, ProfileID: p.ID, UserID: ann.ID}, now)
		}
		if err := w.Store.EndOtherSessions(ctx, ann.ID, [32]byte{}, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		claimed := map[int64]int{}
		var last store.LogoutNotice
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					due, err := w.Store.ClaimLogouts(ctx, now, 3)
					if err != nil || len(due) == 0 {
						if err != nil {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					for _, n := range due {
						claimed[n.SessionID]++
						last = n
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		// Rows that another held were passed over.
		for due, err := w.Store.ClaimLogouts(ctx, now, sessions); len(due) > 0 || err != nil; due, err = w.Store.ClaimLogouts(ctx, now, sessions) {
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range due {
				claimed[n.SessionID]++
			}
		}
		if len(claimed) != sessions {
			t.Errorf("%d of %d", len(claimed), sessions)
		}
		for id, times := range claimed {
			if times != 1 {
				t.Errorf("session %d was claimed %d times", id, times)
			}
		}
		lease := now.Add(30 * time.Second)
		if next, err := w.Store.NextLogout(ctx); err != nil || !next.Equal(lease) {
			t.Errorf("next at %v, %v", next, err)
		}
		if err := w.Store.PutOffLogout(ctx, last, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		due, err := w.Store.ClaimLogouts(ctx, lease, 100)
		if err != nil || len(due) != sessions-1 || due[0].Attempts != 2 {
			t.Errorf("after the lease %d, %v", len(due), err)
		}
		// Who comes late does not put off what somebody else has claimed since.
		late := due[0]
		late.Attempts = 1
		if err := w.Store.PutOffLogout(ctx, late, now); err != nil {
			t.Fatal(err)
		}
		if due, err := w.Store.ClaimLogouts(ctx, lease, 100); err != nil || len(due) != 0 {
			t.Errorf("put off by who had lost it: %v, %v", due, err)
		}
		if due, err := w.Store.ClaimLogouts(ctx, now.Add(24*time.Hour), 100); err != nil || len(due) != 0 || w.Count(t, `logout_notices`) != 0 {
			t.Errorf("after a day %v, %v", due, err)
		}
	})
}

// Whoever redeems while the session ends: the application is told, either way.
func TestRedeemRacesTheEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		ann := w.Account(t, "ann@example.com")
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		g := allow(t, w, ann.ID, p.ID)
		const rounds = 30
		for i := range byte(rounds) {
			s := beginSession(t, w, ann.ID, 0)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := w.Store.EndSession(ctx, ann.ID, s.Digest, storetest.By(0)); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				got, err := w.Store.Redeem(ctx, store.Redeem{Code: [12]byte{i}, GrantID: g.ID,
					Session: store.SessionClient{SessionID: s.ID, ProfileID: p.ID, UserID: ann.ID}}, now)
				if err != nil || got == 0 {
					t.Error(err)
				}
			})
			wg.Wait()
		}
		if n := w.Count(t, `logout_notices`); n != rounds || w.Count(t, `session_clients`) != 0 {
			t.Errorf("%d notices for %d ends, and %d clients of sessions that ended", n, rounds, w.Count(t, `session_clients`))
		}
	})
}

// A session whose end failed has no notices, and one whose end succeeded has them.
func TestFaultsInLogout(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	ctx, now := context.Background(), storetest.Now()
	ann := w.Account(t, "ann@example.com")
	_, d := w.Developer(t, "dev@example.com")
	p, _ := w.Profile(t, d.ID, "Reports")
	g := allow(t, w, ann.ID, p.ID)
	for n := 1; n < 40; n++ {
		s := beginSession(t, w, ann.ID, 0)
		redeemIn(t, w, byte(n), g.ID, store.SessionClient{SessionID: s.ID, ProfileID: p.ID, UserID: ann.ID}, now)
		w.Faults.Reset()
		w.Faults.Fail(n, faultdb.Failed)
		err := w.Store.EndSession(ctx, ann.ID, s.Digest, storetest.By(0))
		w.Faults.Reset()
		_, _, gone := w.Store.SessionSnapshot(ctx, s.Digest)
		notices := w.Count(t, `logout_notices WHERE session_id = $1`, s.ID)
		if ended := errors.Is(gone, store.ErrNotFound); ended != (err == nil) || ended != (notices == 1) {
			t.Fatalf("call %d failed: %v; ended %v with %d notices", n, err, ended, notices)
		}
		if err == nil {
			return
		}
	}
	t.Error("no end succeeded")
}
