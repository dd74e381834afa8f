package store_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/store"
)

// TestFollowLogout: a logout token has its effect once, at whatever process; those whose
// time is over are forgotten a few at a time.
func TestFollowLogout(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(t testing.TB) *sqldb.DB) {
		ctx := t.Context()
		db := open(t)
		ok(t, db.Migrate(ctx, store.Migrations()))
		here, there := store.New(db), store.New(open(t))
		ann := must[store.Person](t)(here.SignIn(ctx, "ANN", "Ann", "ann@example.com", noon))
		session := [32]byte{7}
		sign := func() { ok(t, here.StartSession(ctx, session, ann.ID, "sid", noon, noon.Add(time.Hour))) }
		sign()
		ok(t, there.FollowLogout(ctx, "token", "ANN", "", noon, noon.Add(time.Minute)))
		_, err := here.Session(ctx, session, noon)
		wantErr(t, "after the logout token", err, store.ErrNotFound)
		sign()
		wantErr(t, "the same token here", here.FollowLogout(ctx, "token", "ANN", "", noon, noon.Add(time.Minute)), store.ErrTaken)
		must[store.Person](t)(here.Session(ctx, session, noon))

		for i := range 20 {
			ok(t, here.FollowLogout(ctx, strconv.Itoa(i), "BOB", "", noon, noon.Add(time.Minute)))
		}
		count := func() (n int) {
			ok(t, db.Write(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
				return tx.QueryRow(ctx, `SELECT COUNT(*) FROM logouts`).Scan(&n)
			}))
			return n
		}
		if n := count(); n != 21 {
			t.Errorf("%d are remembered", n)
		}
		ok(t, here.FollowLogout(ctx, "later", "BOB", "", noon.Add(time.Hour), noon.Add(2*time.Hour)))
		if n := count(); n != 17 {
			t.Errorf("%d are remembered after one more, want 5 fewer", n)
		}
		for i := range 5 {
			ok(t, here.FollowLogout(ctx, "later "+strconv.Itoa(i), "BOB", "", noon.Add(time.Hour), noon.Add(2*time.Hour)))
		}
		if n := count(); n != 6 {
			t.Errorf("%d are remembered in the end", n)
		}
	})
}
