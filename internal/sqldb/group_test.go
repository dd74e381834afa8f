package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
)

// hold keeps the writer busy with a write of its own, so that those that come
// meanwhile form a group, until the function that it returns is called. That
// returns when all in wg are done. It runs in a bubble, where synctest.Wait tells
// when all others wait.
func hold(t *testing.T, db *sqldb.DB, wg *sync.WaitGroup) (release func()) {
	held := make(chan struct{})
	wg.Go(func() {
		err := db.Write(t.Context(), func(context.Context, *sqldb.Tx) error { <-held; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return func() {
		synctest.Wait()
		close(held)
		wg.Wait()
	}
}

// group runs fns in one group, in that order, and returns what their Writes do.
func group(t *testing.T, db *sqldb.DB, fns ...func(context.Context, *sqldb.Tx) error) []error {
	errs := make([]error, len(fns))
	var wg sync.WaitGroup
	release := hold(t, db, &wg)
	for i, fn := range fns {
		wg.Go(func() { errs[i] = db.Write(t.Context(), fn) })
		synctest.Wait() // so that they queue in order
	}
	release()
	return errs
}

func TestWritesShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, faults := openFaulty(t, sqldb.SQLite)
		var fns []func(context.Context, *sqldb.Tx) error
		for i := range 16 {
			fns = append(fns, insert(i, fmt.Sprint(i)))
		}
		for _, err := range group(t, db, fns...) {
			if err != nil {
				t.Error(err)
			}
		}
		// One for the write that kept the others waiting, one for all of them.
		if got := faults.Counts(); got.Commits != 2 || got.Begins != 2 {
			t.Errorf("%+v, want 2 begins and 2 commits", got)
		}
		wantThings(t, db, 16)
	})
}

func TestGroupUndoesOnlyWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, _ := openFaulty(t, sqldb.SQLite)
		stop := errors.New("stop")
		errs := group(t, db,
			insert(1, "a"),
			func(ctx context.Context, tx *sqldb.Tx) error { return errors.Join(insert(2, "b")(ctx, tx), stop) },
			insert(3, "b"),
			insert(4, "a"), // taken by the first
			insert(5, "c"),
		)
		if errs[0] != nil || !errors.Is(errs[1], stop) || errs[2] != nil || !sqldb.IsUnique(errs[3]) || errs[4] != nil {
			t.Errorf("got %v", errs)
		}
		wantThings(t, db, 3)
	})
}

func TestGroupOutlivesPanicAndGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, _ := openFaulty(t, sqldb.SQLite)
		var recovered any
		var wg sync.WaitGroup
		release := hold(t, db, &wg)
		wg.Go(func() {
			defer func() { recovered = recover() }()
			_ = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				_ = insert(1, "a")(ctx, tx)
				panic("boom")
			})
		})
		wg.Go(func() {
			_ = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
				_ = insert(2, "b")(ctx, tx)
				runtime.Goexit()
				return nil
			})
		})
		wg.Go(func() {
			if err := db.Write(t.Context(), insert(3, "c")); err != nil {
				t.Error(err)
			}
		})
		release()
		if recovered != "boom" {
			t.Errorf("recovered %v", recovered)
		}
		wantThings(t, db, 1)
	})
}

func TestCancelledWhileWaitingDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, faults := openFaulty(t, sqldb.SQLite)
		var wg sync.WaitGroup
		release := hold(t, db, &wg)
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			err := db.Write(ctx, func(context.Context, *sqldb.Tx) error {
				t.Error("ran after it was cancelled")
				return nil
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		cancel()
		release()
		if err := db.Write(t.Context(), insert(1, "a")); err != nil {
			t.Error(err)
		}
		if got := faults.Counts().Begins; got != 2 {
			t.Errorf("%d begins, want 2: one for each that ran", got)
		}
	})
}

// A member of a group that is cancelled when its turn is over takes nothing of
// the others with it.
func TestCancelledInGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, _ := openFaulty(t, sqldb.SQLite)
		var wg sync.WaitGroup
		release := hold(t, db, &wg)
		ctx, cancel := context.WithCancel(t.Context())
		var cancelled, kept error
		wg.Go(func() { kept = db.Write(t.Context(), insert(1, "a")) })
		synctest.Wait()
		wg.Go(func() {
			cancelled = db.Write(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
				defer cancel()
				return insert(2, "b")(ctx, tx)
			})
		})
		release()
		if kept != nil || !errors.Is(cancelled, context.Canceled) {
			t.Errorf("kept %v, cancelled %v", kept, cancelled)
		}
		wantThings(t, db, 1)
	})
}

func TestFailedCommitFailsTheWholeGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, faults := openFaulty(t, sqldb.SQLite)
		faults.Fail(2, faultdb.Failed, faultdb.Commit) // the first is of the write that keeps the others waiting
		for _, err := range group(t, db, insert(1, "a"), insert(2, "a"), insert(3, "c")) {
			if !errors.Is(err, sqldb.ErrOutcomeUnknown) {
				t.Errorf("got %v", err)
			}
		}
		wantThings(t, db, 0)
	})
}

// Whichever call of a group fails, each Write tells what a reader finds, unless
// it tells that the outcome is unknown.
func TestEveryFaultInAGroup(t *testing.T) {
	for _, outcome := range []faultdb.Outcome{faultdb.Failed, faultdb.FailedButApplied} {
		for n, pending := 1, false; !pending && !t.Failed(); n++ {
			synctest.Test(t, func(t *testing.T) {
				db, faults := openFaulty(t, sqldb.SQLite)
				errs := make([]error, 3)
				var wg sync.WaitGroup
				release := hold(t, db, &wg)
				for i := range errs {
					wg.Go(func() { errs[i] = db.Write(t.Context(), insert(i, fmt.Sprint(i))) })
				}
				synctest.Wait()
				faults.Fail(n+1, outcome) // the first is the commit of the write that keeps the others waiting
				release()
				pending = faults.Pending()
				faults.Reset()
				for i, err := range errs {
					var rows int
					if e := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM things WHERE id = $1`, i).Scan(&rows); e != nil {
						t.Fatal(e)
					}
					if !errors.Is(err, sqldb.ErrOutcomeUnknown) && (err == nil) != (rows == 1) {
						t.Errorf("fault %d (%d): write %d left %d rows and said %v", n, outcome, i, rows, err)
					}
				}
				if err := db.Write(t.Context(), insert(9, "after")); err != nil {
					t.Errorf("fault %d (%d): the write after: %v", n, outcome, err)
				}
			})
		}
	}
}

// When SQLite rolls back by itself, all that ran are told so, and those whose
// turn had not come run in a transaction of their own.
func TestLostTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, _ := openFaulty(t, sqldb.SQLite)
		errs := group(t, db,
			insert(1, "a"),
			func(ctx context.Context, tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, `INSERT OR ROLLBACK INTO things (id, name) VALUES (1, 'b')`)
				return err
			},
			insert(3, "c"),
		)
		if !sqldb.IsUnavailable(errs[0]) || sqldb.IsUnique(errs[0]) {
			t.Errorf("the innocent write: %v", errs[0])
		}
		if !sqldb.IsUnique(errs[1]) || errs[2] != nil {
			t.Errorf("the others: %v", errs[1:])
		}
		wantThings(t, db, 1)
	})
}
