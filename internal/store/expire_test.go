package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// lasting says of tables whose rows name their end what bounds them instead.
var lasting = map[string]string{
	"secrets":        "at most two live ones of a profile, and the ended ones go with the next",
	"logout_notices": "TestLogoutNoticesExpire",
}

// expiring is a kind of row that goes some time after it was made.
type expiring struct {
	table  string
	insert func(i int, now time.Time) error
	later  time.Duration // when what is inserted has expired
}

func expiringKinds(t *testing.T, w *storetest.World) []expiring {
	t.Helper()
	ctx := t.Context()
	a := w.Account(t, "ann@example.com")
	_, d := w.Developer(t, "dev@example.com")
	p, _ := w.Profile(t, d.ID, "Reports")
	g := allow(t, w, a.ID, p.ID)
	rate := account.Rate{Burst: 1, Every: time.Minute}
	return []expiring{
		// The first: some of the others write events too.
		{"events", func(i int, now time.Time) error {
			return w.Store.SetProfileSuspended(ctx, p.ID, time.Time{}, audit.By{At: now})
		}, audit.Retention + 24*time.Hour},
		{"sessions", func(i int, now time.Time) error {
			_, s := account.NewSession(a.ID, "", "", now)
			return w.Store.CreateSession(ctx, s)
		}, account.SessionIdle},
		{"recoveries", func(i int, now time.Time) error {
			_, r := account.NewRecovery(a.ID, now)
			return w.Store.CreateRecovery(ctx, r, "", now)
		}, account.RecoveryLifetime},
		{"throttles", func(i int, now time.Time) error {
			_, err := w.Store.Take(ctx, account.ThrottleKey("test", fmt.Sprint(i)), rate, now)
			return err
		}, time.Minute},
		{"redemptions", func(i int, now time.Time) error {
			_, err := w.Store.Redeem(ctx, store.Redeem{Code: authz.Family{byte(i)}, GrantID: g.ID}, now)
			return err
		}, authz.RedemptionRetention},
		{"ended_families", func(i int, now time.Time) error {
			return w.Store.EndFamily(ctx, store.FamilyEnd{GrantID: g.ID, Family: authz.Family{byte(i), 2}, Rotating: true}, now)
		}, authz.EndedRetention},
		{"proofs", func(i int, now time.Time) error {
			_, err := w.Store.UseProof(ctx, [32]byte{byte(i)}, now.Add(time.Minute), now)
			return err
		}, time.Minute},
		{"pushed_requests", func(i int, now time.Time) error {
			return w.Store.PushRequest(ctx, [32]byte{byte(i)}, p.ID, []byte("sealed"), now)
		}, store.PushedLifetime},
		{"device_pairs", func(i int, now time.Time) error {
			pair := pairOf(p.ID, authz.OwnDevice, byte(i))
			pair.ExpiresAt = now.Add(authz.DeviceLifetime)
			return w.Store.CreateDevicePair(ctx, pair, now)
		}, authz.DeviceLifetime + authz.DeviceRetention},
		{"session_clients", func(i int, now time.Time) error {
			_, s := account.NewSession(a.ID, "", "", now)
			if err := w.Store.CreateSession(ctx, s); err != nil {
				return err
			}
			_, err := w.Store.Redeem(ctx, store.Redeem{
				Code: authz.Family{byte(i), 1}, GrantID: g.ID,
				Session: store.SessionClient{SessionID: s.ID, ProfileID: p.ID, UserID: a.ID},
			}, now)
			return err
		}, account.SessionLifetime},
		{"initial_tokens", func(i int, now time.Time) error {
			k := registry.InitialToken{DeveloperID: d.ID, UsesLeft: 1, ExpiresAt: now.Add(time.Hour)}
			_, err := w.Store.CreateInitialToken(ctx, k, [32]byte{byte(i)}, audit.By{At: now})
			return err
		}, 30*24*time.Hour + time.Hour},
	}
}

// Every table whose rows name their end is one of the kinds below, or it is said why
// not: a kind that nobody deletes grows for ever.
func TestEveryExpiringKindIsKnown(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	kinds := expiringKinds(t, w)
	tables, err := w.DB.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, table := range tables {
		ends := slices.ContainsFunc(table.Columns, func(c sqldb.Column) bool { return c.Name == "expires_at" || c.Name == "full_at" })
		if !ends || lasting[table.Name] != "" {
			continue
		}
		found++
		if !slices.ContainsFunc(kinds, func(k expiring) bool { return k.table == table.Name }) {
			t.Errorf("rows of %s expire, and no test deletes any: add the kind to expiringKinds", table.Name)
		}
		if !slices.ContainsFunc(table.Indexes, func(i sqldb.Index) bool {
			return i.Columns[0] == "expires_at" || i.Columns[0] == "full_at"
		}) {
			t.Errorf("%s has no index by which the expired rows are found", table.Name)
		}
	}
	if found < 9 {
		t.Errorf("found only %d tables", found)
	}
}

// Inserts clean up behind those that have expired, a few at a time, and touch
// nothing that has not.
func TestInsertsDeleteWhatExpired(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		for _, kind := range expiringKinds(t, w) {
			now := storetest.Now()
			for i := range 10 {
				if err := kind.insert(i, now); err != nil {
					t.Fatalf("%s: %v", kind.table, err)
				}
			}
			before := w.Count(t, kind.table)
			if before < 10 {
				t.Errorf("%s: %d of 10 are left before they expired", kind.table, before)
			}
			now = now.Add(kind.later + time.Second)
			for i := range 6 {
				if err := kind.insert(10+i, now); err != nil {
					t.Fatalf("%s: %v", kind.table, err)
				}
				if left, least := w.Count(t, kind.table), before-3*(i+1); left < least {
					t.Errorf("%s: %d rows after %d inserts, want at least %d: too much work at once", kind.table, left, i+1, least)
				}
			}
			if left := w.Count(t, kind.table); left != 6 {
				t.Errorf("%s: %d rows are left, want the 6 last", kind.table, left)
			}
		}
	})
}

// Steady traffic keeps no more rows than are live, and one period after it has ended a
// little traffic has cleaned up behind all of it.
func TestStorageDrains(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		for _, kind := range expiringKinds(t, w) {
			if kind.table == "events" {
				continue // the other kinds write some too
			}
			now, made := storetest.Now(), 0
			for range 200 {
				now = now.Add(kind.later / 100)
				if err := kind.insert(made, now); err != nil {
					t.Fatalf("%s: %v", kind.table, err)
				}
				made++
			}
			// 100 are live at any moment, and a row more or less at either end.
			if n := w.Count(t, kind.table); n > 102 {
				t.Errorf("%s: %d rows under steady traffic, want the 100 that are live", kind.table, n)
			}
			now = now.Add(2 * kind.later)
			for range 40 {
				if err := kind.insert(made, now); err != nil {
					t.Fatalf("%s: %v", kind.table, err)
				}
				made++
			}
			if n := w.Count(t, kind.table); n != 40 {
				t.Errorf("%s: %d rows one period later, want the 40 last", kind.table, n)
			}
		}
	})
}

// What waits to be told to an application that is never there goes after a day, with
// the next look at what is due.
func TestLogoutNoticesExpire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		g := consented(t, w)
		for i := range 20 {
			if _, err := w.Store.Redeem(ctx, store.Redeem{
				Code: authz.Family{byte(i)}, GrantID: g.ID,
				Session: store.SessionClient{SessionID: int64(1000 + i), ProfileID: g.ProfileID, UserID: g.AccountID}, // has ended
			}, now); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.Count(t, `logout_notices`); n != 20 {
			t.Fatalf("%d notices wait, want 20", n)
		}
		if due, err := w.Store.ClaimLogouts(ctx, now.Add(24*time.Hour+time.Second), 5); len(due) != 0 || err != nil {
			t.Errorf("told of %v, %v", due, err)
		}
		if n := w.Count(t, `logout_notices`); n != 0 {
			t.Errorf("%d notices are left", n)
		}
	})
}

// Native applications ask their user each time, and begin a family each time. What one
// grant can leave behind is bounded, and what was used last stays.
func TestGrantsKeepTheNewest(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		g := consented(t, w)
		for i := range 110 {
			at := storetest.Now().Add(time.Duration(i) * time.Minute)
			a := store.Allowance{AccountID: g.AccountID, ProfileID: g.ProfileID, Asked: scopes(0), Allowed: scopes(0), Words: fmt.Sprint("time ", i)}
			if _, err := w.Store.Allow(ctx, a, audit.By{At: at}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Store.Redeem(ctx, store.Redeem{Code: authz.Family{byte(i)}, GrantID: g.ID, Rotating: true}, at); err != nil {
				t.Fatal(err)
			}
			// The first installation is used every day.
			if got, err := w.Store.Rotate(ctx, g.ID, authz.Family{0}, uint32(i), at.Add(time.Second)); got != authz.Rotated || err != nil {
				t.Fatalf("the family in use, step %d: %v, %v", i, got, err)
			}
		}
		for table, oldest := range map[string]string{"families": "", "consents": " WHERE words = 'time 9'"} {
			if n := w.Count(t, table); n != 100 {
				t.Errorf("%d %s are kept, want 100", n, table)
			}
			if n := w.Count(t, table+oldest); oldest != "" && n != 0 {
				t.Errorf("the oldest of %s is still there", table)
			}
		}
		for family, want := range map[byte]authz.Rotation{1: authz.FamilyGone, 10: authz.FamilyGone, 11: authz.Rotated, 109: authz.Rotated} {
			if got, err := w.Store.Rotate(ctx, g.ID, authz.Family{family}, 0, storetest.Now().Add(24*time.Hour)); got != want || err != nil {
				t.Errorf("family %d: %v, %v; want %v", family, got, err, want)
			}
		}
	})
}
