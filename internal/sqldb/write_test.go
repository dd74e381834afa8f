package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// faulty runs test with an open and migrated database per dialect whose calls
// are counted from zero.
func faulty(t *testing.T, test func(t *testing.T, db *sqldb.DB, faults *faultdb.DB)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			db, faults := openFaulty(t, dialect)
			test(t, db, faults)
		})
	}
}

func openFaulty(t *testing.T, dialect sqldb.Dialect) (*sqldb.DB, *faultdb.DB) {
	t.Helper()
	var faults faultdb.DB
	cfg := sqldbtest.Config(t, dialect)
	cfg.Wrap = faults.Wrap
	db := migrate(t, sqldbtest.Open(t, cfg))
	faults.Reset()
	return db, &faults
}

func TestLoneWriteCostsOneStatement(t *testing.T) {
	faulty(t, func(t *testing.T, db *sqldb.DB, faults *faultdb.DB) {
		if err := db.Write(t.Context(), insert(1, "a")); err != nil {
			t.Fatal(err)
		}
		if got, want := faults.Counts(), (faultdb.Counts{Execs: 1, Begins: 1, Commits: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestPanicUndoes(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v", r)
				}
			}()
			_ = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				_ = insert(1, "a")(ctx, tx)
				panic("boom")
			})
		}()
		if err := db.Write(t.Context(), insert(2, "b")); err != nil {
			t.Error(err)
		}
		wantThings(t, db, 1)
	})
}

func TestCancelledBefore(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := db.Write(ctx, func(context.Context, *sqldb.Tx) error { return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCancelledWithinUndoes(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			defer cancel()
			return insert(1, "a")(ctx, tx)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		err = db.Write(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			cancel()
			return insert(2, "b")(ctx, tx)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		wantThings(t, db, 0)
	})
}

func TestFailedCommit(t *testing.T) {
	tests := []struct {
		outcome faultdb.Outcome
		things  int
	}{
		{faultdb.Failed, 0},
		{faultdb.FailedButApplied, 1},
	}
	for _, test := range tests {
		faulty(t, func(t *testing.T, db *sqldb.DB, faults *faultdb.DB) {
			faults.Fail(1, test.outcome, faultdb.Commit)
			err := db.Write(t.Context(), insert(1, "a"))
			// Nobody can tell the two apart from the outside.
			if !errors.Is(err, sqldb.ErrOutcomeUnknown) || !sqldb.IsUnavailable(err) {
				t.Errorf("got %v", err)
			}
			wantThings(t, db, test.things)
			if err := db.Write(t.Context(), insert(2, "b")); err != nil {
				t.Errorf("the write after: %v", err)
			}
			wantThings(t, db, test.things+1)
		})
	}
}

// A commit that the database refuses has a known outcome.
func TestRefusedCommit(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		err := db.Migrate(t.Context(), with("00002_deferred.sql", `
-- +goose Up
CREATE TABLE later (id {int} REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED) {strict};
`))
		if err != nil {
			t.Fatal(err)
		}
		err = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO later (id) VALUES (99)`)
			return err
		})
		if err == nil || errors.Is(err, sqldb.ErrOutcomeUnknown) || sqldb.IsUnavailable(err) {
			t.Errorf("got %v", err)
		}
		if err := db.Write(t.Context(), insert(2, "b")); err != nil {
			t.Errorf("the write after: %v", err)
		}
	})
}

func TestFailedBegin(t *testing.T) {
	faulty(t, func(t *testing.T, db *sqldb.DB, faults *faultdb.DB) {
		faults.Fail(1, faultdb.Failed, faultdb.Begin)
		err := db.Write(t.Context(), insert(1, "a"))
		if !sqldb.IsUnavailable(err) || errors.Is(err, sqldb.ErrOutcomeUnknown) {
			t.Errorf("got %v", err)
		}
		if err := db.Write(t.Context(), insert(1, "a")); err != nil {
			t.Errorf("the write after: %v", err)
		}
		wantThings(t, db, 1)
	})
}

// A statement that takes too long ends, and the writer goes on.
func TestStatementIsBounded(t *testing.T) {
	db := migrate(t, sqldbtest.Open(t, sqldbtest.Config(t, sqldb.SQLite)))
	db.BoundWrites(50 * time.Millisecond)
	err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO things (id, name)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n WHERE i < 0`)
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) || !sqldb.IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
	if err := db.Write(t.Context(), insert(1, "a")); err != nil {
		t.Errorf("the write after: %v", err)
	}
	wantThings(t, db, 1)
}

// Two processes write the same file: each waits for the other.
func TestTwoHandlesOnOneFile(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		first := migrate(t, open(t))
		second := open(t)
		const each = 50
		var wg sync.WaitGroup
		for i, db := range []*sqldb.DB{first, second} {
			wg.Go(func() {
				for j := range each {
					id := i*each + j
					if err := db.Write(t.Context(), insert(id, fmt.Sprint(id))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		wantThings(t, first, 2*each)
		wantThings(t, second, 2*each)
	})
}

// TestStandby: a server that has become a standby under a connection refuses to write.
// The connection is not used again, so that the next one looks for the primary.
func TestStandby(t *testing.T) {
	db := migrate(t, sqldbtest.Open(t, sqldbtest.Config(t, sqldb.Postgres)))
	backend := func(ctx context.Context, tx *sqldb.Tx) (pid int64) {
		t.Helper()
		if err := tx.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		return pid
	}
	var before, after int64
	err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		before = backend(ctx, tx)
		if _, err := tx.Exec(ctx, "SET TRANSACTION READ ONLY"); err != nil {
			return err
		}
		return insert(1, "a")(ctx, tx)
	})
	if !sqldb.IsUnavailable(err) || errors.Is(err, sqldb.ErrOutcomeUnknown) {
		t.Errorf("%v, want unavailable and nothing unknown", err)
	}
	err = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		after = backend(ctx, tx)
		return insert(1, "a")(ctx, tx)
	})
	if err != nil || after == before {
		t.Errorf("%v, by backend %d after %d", err, after, before)
	}
}
