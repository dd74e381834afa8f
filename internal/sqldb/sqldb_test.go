package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// one is a migration that makes the table of most tests here.
var one = fstest.MapFS{"00001_things.sql": {Data: []byte(`
-- +goose Up
CREATE TABLE things (
  id {id},
  name TEXT NOT NULL UNIQUE,
  parent {int} REFERENCES things (id)
) {strict};
`)}}

const (
	insertThing = `INSERT INTO things (id, name) VALUES ($1, $2)`
	countThings = `SELECT COUNT(*) FROM things`
)

func migrate(t testing.TB, db *sqldb.DB) *sqldb.DB {
	t.Helper()
	if err := db.Migrate(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	return db
}

// insert returns what a Write does that adds a thing.
func insert(id int, name string) func(context.Context, *sqldb.Tx) error {
	return func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, insertThing, id, name)
		return err
	}
}

func wantThings(t testing.TB, db *sqldb.DB, want int) {
	t.Helper()
	var got int
	if err := db.QueryRow(t.Context(), countThings).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("there are %d things, want %d", got, want)
	}
}

// both runs test with one open and migrated database per dialect.
func both(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		test(t, migrate(t, open(t)))
	})
}

func TestParametersAreBoundByNumber(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		const text = `SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($2 AS TEXT)`
		check := func(a, b, c string, err error) {
			t.Helper()
			if err != nil || a != "second" || b != "first" || c != "second" {
				t.Errorf("got %q, %q, %q, %v", a, b, c, err)
			}
		}
		var a, b, c string
		err := db.QueryRow(t.Context(), text, "first", "second").Scan(&a, &b, &c)
		check(a, b, c, err)
		err = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, text, "first", "second").Scan(&a, &b, &c)
		})
		check(a, b, c, err)
	})
}

func TestOneWinnerOfAConditionalInsert(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		const text = `INSERT INTO things (id, name) VALUES ($1, 'x') ON CONFLICT (name) DO NOTHING`
		var won [16]bool
		var wg sync.WaitGroup
		for i := range won {
			wg.Go(func() {
				err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
					n, err := tx.Exec(ctx, text, i)
					won[i] = n == 1
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		winners := 0
		for _, w := range won {
			if w {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("%d winners, want 1", winners)
		}
		wantThings(t, db, 1)
	})
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		stop := errors.New("stop")
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			if err := insert(1, "a")(ctx, tx); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Errorf("got %v, want %v", err, stop)
		}
		wantThings(t, db, 0)
	})
}

func TestViolations(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		if err := db.Write(t.Context(), insert(1, "a")); err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			name string
			fn   func(context.Context, *sqldb.Tx) error
			want bool
		}{
			{"primary key", insert(1, "b"), true},
			{"unique", insert(2, "a"), true},
			{"foreign key", func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO things (id, name, parent) VALUES (3, 'c', 99)`)
				return err
			}, false},
			{"not null", func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO things (id) VALUES (4)`)
				return err
			}, false},
		}
		for _, test := range tests {
			err := db.Write(t.Context(), test.fn)
			if err == nil || sqldb.IsUnique(err) != test.want || sqldb.IsMissing(err) != (test.name == "foreign key") || sqldb.IsUnavailable(err) {
				t.Errorf("%s: %v: IsUnique %t, IsMissing %t, IsUnavailable %t", test.name, err, sqldb.IsUnique(err), sqldb.IsMissing(err), sqldb.IsUnavailable(err))
			}
		}
		wantThings(t, db, 1)
	})
}

// After a failed statement a transaction is given up, whatever fn makes of it.
func TestFailedStatementGivesTheTransactionUp(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		var later error
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_ = insert(1, "a")(ctx, tx)
			_ = insert(2, "a")(ctx, tx)
			later = insert(3, "c")(ctx, tx)
			return nil
		})
		if !sqldb.IsUnique(err) {
			t.Errorf("Write: %v", err)
		}
		if later == nil {
			t.Error("a statement ran after one had failed")
		}
		wantThings(t, db, 0)
	})
}

func TestMissingRowIsNoFailure(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			var id int
			if err := tx.QueryRow(ctx, `SELECT id FROM things`).Scan(&id); !errors.Is(err, sqldb.ErrNoRows) {
				t.Errorf("got %v, want ErrNoRows", err)
			}
			return insert(1, "a")(ctx, tx)
		})
		if err != nil {
			t.Error(err)
		}
		wantThings(t, db, 1)
	})
}

func TestReadSeesOneSnapshot(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
			var before, after int
			if err := tx.QueryRow(t.Context(), countThings).Scan(&before); err != nil {
				return err
			}
			if err := db.Write(t.Context(), insert(1, "a")); err != nil {
				return err
			}
			if err := tx.QueryRow(t.Context(), countThings).Scan(&after); err != nil {
				return err
			}
			if before != 0 || after != 0 {
				t.Errorf("the snapshot has %d and then %d things", before, after)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		wantThings(t, db, 1)
	})
}

// Reads that hold all connections can still use texts that are not prepared yet.
func TestReadsNeedNoSecondConnection(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		const readers = 4
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var begun, ended sync.WaitGroup
		begun.Add(readers)
		for i := range readers {
			ended.Go(func() {
				err := db.Read(ctx, func(tx *sqldb.Tx) error {
					begun.Done()
					begun.Wait()
					var n int
					for range 2 {
						if err := tx.QueryRow(ctx, fmt.Sprintf(`SELECT %d`, i)).Scan(&n); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		ended.Wait()
	})
}

func TestReadRefusesToWrite(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
			_, _ = tx.Exec(t.Context(), insertThing, 1, "a")
			return nil
		})
		if err == nil {
			t.Error("wrote in a read transaction")
		}
		wantThings(t, db, 0)
	})
}

func TestQueryRefusesToWrite(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	db := migrate(t, sqldbtest.Open(t, cfg))
	var id int
	err := db.QueryRow(t.Context(), `INSERT INTO things (id, name) VALUES (1, 'a') RETURNING id`).Scan(&id)
	if err == nil {
		t.Error("a reading connection wrote")
	}
	wantThings(t, db, 0)
}

func TestQuery(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		for i, name := range []string{"a", "b", "c"} {
			if err := db.Write(t.Context(), insert(i, name)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time with the prepared statement
			rows, err := db.Query(t.Context(), `SELECT name FROM things WHERE id > $1 ORDER BY id`, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var names strings.Builder
			for rows.Next() {
				var name string
				if err := rows.Scan(&name); err != nil {
					t.Fatal(err)
				}
				names.WriteString(name)
			}
			if rows.Err() != nil || names.String() != "bc" {
				t.Errorf("got %q, %v", &names, rows.Err())
			}
		}
		if _, err := db.Query(t.Context(), `SELECT nothing`); err == nil {
			t.Error("a wrong query succeeded")
		}
		if err := db.QueryRow(t.Context(), `SELECT nothing`).Scan(); err == nil {
			t.Error("a wrong query succeeded")
		}
	})
}

// A load sees what was committed, and does not begin for a caller who has gone.
func TestLoad(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		if err := db.Write(t.Context(), insert(1, "a")); err != nil {
			t.Fatal(err)
		}
		load := func(ctx context.Context) (names []string, err error) {
			rows, err := db.Load(ctx, `SELECT name FROM things WHERE id = $1`, 1)
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			for rows.Next() {
				var name string
				if err := rows.Scan(&name); err != nil {
					return nil, err
				}
				names = append(names, name)
			}
			return names, rows.Err()
		}
		if names, err := load(t.Context()); err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("loaded %q, %v", names, err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := load(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("a load for a caller who has gone: %v", err)
		}
	})
}
