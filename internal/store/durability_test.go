package store_test

import (
	"strings"
	"testing"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// Each redemption that PostgreSQL has acknowledged was synced to its log, as the
// server counts it. (SQLite's syncs are counted in package crashtest.)
func TestPostgresSyncsEachCommit(t *testing.T) {
	w := storetest.New(t, sqldb.Postgres)
	g := consented(t, w)
	w.Config.URL = strings.ReplaceAll(w.Config.URL, "&synchronous_commit=off", "") // as the program opens it
	var fsync string
	var before, after int64
	if err := w.DB.QueryRow(t.Context(), `SHOW fsync`).Scan(&fsync); err != nil {
		t.Fatal(err)
	}
	if fsync != "on" {
		t.Skip("this server runs with fsync off, so it counts no syncs")
	}
	if err := w.DB.QueryRow(t.Context(), `SELECT wal_sync FROM pg_stat_wal`).Scan(&before); err != nil {
		t.Fatal(err)
	}
	const commits = 20
	t.Run("", func(t *testing.T) { // which closes the connections, on which they tell their numbers
		durable := w.Again(t)
		var setting string
		if err := durable.DB.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&setting); err != nil || setting != "on" {
			t.Errorf("synchronous_commit is %q, want on (%v)", setting, err)
		}
		for i := range byte(commits) {
			if got, err := durable.Store.Redeem(t.Context(), store.Redeem{Code: authz.Family{i + 1}, GrantID: g.ID}, storetest.Now()); got != authz.Redeemed || err != nil {
				t.Fatal(got, err)
			}
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err := w.DB.QueryRow(t.Context(), `SELECT wal_sync FROM pg_stat_wal`).Scan(&after); err != nil {
			t.Fatal(err)
		}
		if after-before >= commits {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d syncs for %d commits", after-before, commits)
		}
	}
}
