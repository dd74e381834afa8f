package sqldb_test

import (
	"context"
	"errors"
	"testing"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
)

// TestExec: one statement is a transaction by itself, and on PostgreSQL goes there and
// back once.
func TestExec(t *testing.T) {
	faulty(t, func(t *testing.T, db *sqldb.DB, faults *faultdb.DB) {
		rows, err := db.Exec(t.Context(), insertThing, 1, "a")
		if rows != 1 || err != nil {
			t.Fatalf("%d rows, %v", rows, err)
		}
		want := faultdb.Counts{Execs: 1}
		if db.Dialect() == sqldb.SQLite {
			want.Begins, want.Commits = 1, 1
		}
		if got := faults.Counts(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if rows, err := db.Exec(t.Context(), `UPDATE things SET name = 'b' WHERE id = $1`, 7); rows != 0 || err != nil {
			t.Errorf("nothing to change: %d rows, %v", rows, err)
		}
		// The database's own refusal is an outcome.
		if _, err := db.Exec(t.Context(), insertThing, 1, "again"); !sqldb.IsUnique(err) || errors.Is(err, sqldb.ErrOutcomeUnknown) {
			t.Errorf("the same id: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := db.Exec(ctx, insertThing, 2, "c"); !errors.Is(err, context.Canceled) || errors.Is(err, sqldb.ErrOutcomeUnknown) {
			t.Errorf("cancelled before: %v", err)
		}
		wantThings(t, db, 1)
	})
}

// TestExecWithoutAnswer: a statement whose answer is lost was perhaps done.
func TestExecWithoutAnswer(t *testing.T) {
	db, faults := openFaulty(t, sqldb.Postgres)
	faults.Fail(1, faultdb.FailedButApplied, faultdb.Exec)
	if _, err := db.Exec(t.Context(), insertThing, 1, "a"); !errors.Is(err, sqldb.ErrOutcomeUnknown) || !sqldb.IsUnavailable(err) {
		t.Errorf("%v, want an unknown outcome", err)
	}
	wantThings(t, db, 1)
}
