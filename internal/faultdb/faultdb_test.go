package faultdb_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// each runs test on an empty table of both dialects, by way of connections that
// faults wraps.
func each(t *testing.T, test func(t *testing.T, pool *sql.DB, faults *faultdb.DB)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			var faults faultdb.DB
			var connector driver.Connector
			cfg := sqldbtest.Config(t, dialect)
			cfg.Wrap = func(inner driver.Connector) driver.Connector {
				if connector == nil { // the first one may write
					connector = inner
				}
				return inner
			}
			sqldbtest.Open(t, cfg)
			pool := sql.OpenDB(faults.Wrap(connector))
			t.Cleanup(func() {
				if err := pool.Close(); err != nil {
					t.Error(err)
				}
			})
			if _, err := pool.Exec(`CREATE TABLE things (id INTEGER PRIMARY KEY)`); err != nil {
				t.Fatal(err)
			}
			faults.Reset()
			test(t, pool, &faults)
		})
	}
}

func count(t *testing.T, pool *sql.DB) (n int) {
	t.Helper()
	if err := pool.QueryRow(`SELECT COUNT(*) FROM things`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCounts(t *testing.T) {
	each(t, func(t *testing.T, pool *sql.DB, faults *faultdb.DB) {
		tx, err := pool.Begin()
		if err != nil {
			t.Fatal(err)
		}
		insert, err := tx.Prepare(`INSERT INTO things (id) VALUES ($1)`)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if _, err := insert.Exec(i); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := count(t, pool); n != 3 {
			t.Errorf("%d rows, want 3", n)
		}
		want := faultdb.Counts{Queries: 1, Execs: 3, Begins: 1, Commits: 1}
		if got := faults.Counts(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		faults.Reset()
		if got := faults.Counts(); got != (faultdb.Counts{}) {
			t.Errorf("%+v after Reset", got)
		}
	})
}

func TestFaults(t *testing.T) {
	exec := func(pool *sql.DB) error {
		_, err := pool.Exec(`INSERT INTO things (id) VALUES (1)`)
		return err
	}
	prepared := func(pool *sql.DB) error {
		stmt, err := pool.Prepare(`INSERT INTO things (id) VALUES ($1)`)
		if err != nil {
			return err
		}
		_, err = stmt.Exec(1)
		return errors.Join(err, stmt.Close())
	}
	query := func(pool *sql.DB) error {
		var id int
		return pool.QueryRow(`INSERT INTO things (id) VALUES (1) RETURNING id`).Scan(&id)
	}
	commit := func(pool *sql.DB) error {
		tx, err := pool.Begin()
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO things (id) VALUES (1)`)
		return errors.Join(err, tx.Commit())
	}
	tests := []struct {
		name    string
		run     func(*sql.DB) error
		kind    faultdb.Call
		outcome faultdb.Outcome
		rows    int
	}{
		{"exec", exec, faultdb.Exec, faultdb.Failed, 0},
		{"exec applied", exec, faultdb.Exec, faultdb.FailedButApplied, 1},
		{"prepared", prepared, faultdb.Exec, faultdb.Failed, 0},
		{"prepared applied", prepared, faultdb.Exec, faultdb.FailedButApplied, 1},
		{"query", query, faultdb.Query, faultdb.Failed, 0},
		{"query applied", query, faultdb.Query, faultdb.FailedButApplied, 1},
		{"begin", commit, faultdb.Begin, faultdb.Failed, 0},
		{"begin applied", commit, faultdb.Begin, faultdb.FailedButApplied, 0},
		{"commit", commit, faultdb.Commit, faultdb.Failed, 0},
		{"commit applied", commit, faultdb.Commit, faultdb.FailedButApplied, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, pool *sql.DB, faults *faultdb.DB) {
				faults.Fail(1, test.outcome, test.kind)
				err := test.run(pool)
				fault, ok := errors.AsType[*faultdb.Error](err)
				if !ok || fault.Call != test.kind || fault.Outcome != test.outcome {
					t.Errorf("got %v", err)
				}
				if !sqldb.IsUnavailable(err) {
					t.Errorf("%v does not look like a database that is gone", err)
				}
				if faults.Pending() {
					t.Error("the fault is still to come")
				}
				if n := count(t, pool); n != test.rows {
					t.Errorf("%d rows, want %d", n, test.rows)
				}
			})
		})
	}
}

func TestFailCountsCalls(t *testing.T) {
	each(t, func(t *testing.T, pool *sql.DB, faults *faultdb.DB) {
		faults.Fail(3, faultdb.Failed)
		for i := 1; i <= 4; i++ {
			var n int
			err := pool.QueryRow(`SELECT 1`).Scan(&n)
			if (err != nil) != (i == 3) {
				t.Errorf("call %d: %v", i, err)
			}
		}
		faults.FailFrom(2, faultdb.Failed)
		for i := 1; i <= 4; i++ {
			var n int
			err := pool.QueryRow(`SELECT 1`).Scan(&n)
			if (err != nil) != (i >= 2) {
				t.Errorf("from the second on, call %d: %v", i, err)
			}
		}
		faults.Reset()
		faults.Fail(1, faultdb.Failed, faultdb.Commit)
		if count(t, pool); !faults.Pending() {
			t.Error("a query used up the fault of a commit")
		}
		faults.Reset()
		if faults.Pending() {
			t.Error("Reset left a fault")
		}
	})
}
