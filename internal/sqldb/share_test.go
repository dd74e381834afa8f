package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// holdThing locks a thing until release is called, which returns when it is free.
func holdThing(t *testing.T, db *sqldb.DB, id int) (release func()) {
	t.Helper()
	held, free, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		if err := db.Write(context.Background(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE things SET name = name WHERE id = $1`, id)
			close(held)
			<-free
			return err
		}); err != nil {
			t.Error(err)
		}
	}()
	<-held
	return sync.OnceFunc(func() {
		close(free)
		<-gone
	})
}

// patient opens a PostgreSQL database on which statements that share a commit wait for
// rows, so that a test can make others queue behind one.
func patient(t *testing.T) (*sqldb.DB, *faultdb.DB) {
	t.Helper()
	cfg := sqldbtest.Config(t, sqldb.Postgres)
	cfg.URL += "&lock_timeout=9000"
	var faults faultdb.DB
	cfg.Wrap = faults.Wrap
	db := migrate(t, sqldbtest.Open(t, cfg))
	if _, err := db.Exec(t.Context(), insertThing, 0, "held"); err != nil {
		t.Fatal(err)
	}
	faults.Reset()
	return db, &faults
}

// shared makes statements while another one, which waits for a row, keeps them all
// waiting, and returns what becomes of them.
func shared(t *testing.T, db *sqldb.DB, statements ...func() error) []error {
	t.Helper()
	release := holdThing(t, db, 0)
	defer release()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := db.Exec(context.Background(), `UPDATE things SET name = 'free' WHERE id = 0`); err != nil {
			t.Error(err)
		}
	})
	for n := 0; n == 0; {
		if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	errs := make([]error, len(statements))
	var answered atomic.Int64
	for i, statement := range statements {
		wg.Go(func() {
			errs[i] = statement()
			answered.Add(1)
		})
	}
	for limit := time.Now().Add(5 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if int(answered.Load())+inTheQueue() > len(statements) { // and the one that they wait for
			break
		}
	}
	release()
	wg.Wait()
	return errs
}

// inTheQueue is how many wait for their turn to write, or for the outcome.
func inTheQueue() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "sqldb.(*sharer).exec(")
}

func inserting(ctx context.Context, db *sqldb.DB, id int, name string) func() error {
	return func() error {
		rows, err := db.Exec(ctx, insertThing, id, name)
		if err == nil && rows != 1 {
			return fmt.Errorf("%d rows", rows)
		}
		return err
	}
}

// TestStatementsShareACommit: on PostgreSQL as on SQLite.
func TestStatementsShareACommit(t *testing.T) {
	db, _ := patient(t)
	var statements []func() error
	for i := 1; i <= 16; i++ {
		statements = append(statements, inserting(t.Context(), db, i, fmt.Sprint(i)))
	}
	for _, err := range shared(t, db, statements...) {
		if err != nil {
			t.Error(err)
		}
	}
	wantThings(t, db, 17)
	var transactions int
	if err := db.QueryRow(t.Context(), `SELECT COUNT(DISTINCT xmin::text) FROM things WHERE id > 0`).Scan(&transactions); err != nil {
		t.Fatal(err)
	}
	if transactions > 8 {
		t.Errorf("16 statements in %d transactions", transactions)
	}
}

// TestSharedFailureIsOneStatements: what fails undoes only itself, and whoever has
// gone meanwhile does nothing.
func TestSharedFailureIsOneStatements(t *testing.T) {
	db, _ := patient(t)
	gone, leave := context.WithCancel(t.Context())
	leave()
	errs := shared(t, db,
		inserting(t.Context(), db, 1, "a"),
		inserting(t.Context(), db, 0, "z"), // taken
		inserting(t.Context(), db, 3, "b"),
		func() error { _, err := db.Exec(t.Context(), `UPDATE nothing SET id = 1`); return err },
		inserting(gone, db, 4, "c"),
	)
	if errs[0] != nil || !sqldb.IsUnique(errs[1]) || errs[2] != nil || errs[3] == nil || !errors.Is(errs[4], context.Canceled) {
		t.Errorf("got %v", errs)
	}
	for _, err := range errs {
		if errors.Is(err, sqldb.ErrOutcomeUnknown) {
			t.Errorf("%v", err)
		}
	}
	wantThings(t, db, 3)
}

// TestSharedAnswerIsLost: nobody who shared the commit is told that it was made, or
// that it was not.
func TestSharedAnswerIsLost(t *testing.T) {
	for outcome, things := range map[faultdb.Outcome]int{faultdb.Failed: 1, faultdb.FailedButApplied: 5} {
		db, faults := patient(t)
		release := holdThing(t, db, 0)
		defer release()
		var wg sync.WaitGroup
		errs := make([]error, 4)
		faults.Reset()
		faults.Fail(1, outcome, faultdb.Exec)
		for i := range errs {
			wg.Go(func() { errs[i] = inserting(t.Context(), db, i+1, fmt.Sprint(i))() })
		}
		wg.Wait()
		release()
		unknown := 0
		for _, err := range errs {
			if errors.Is(err, sqldb.ErrOutcomeUnknown) {
				unknown++
			} else if err != nil {
				t.Error(err)
			}
		}
		if unknown == 0 {
			t.Error("nobody's outcome is unknown")
		}
		if outcome == faultdb.Failed {
			things += len(errs) - unknown
		}
		wantThings(t, db, things)
	}
}

// TestWaitingStatementGoesAlone: what waits for a row keeps nobody else waiting.
func TestWaitingStatementGoesAlone(t *testing.T) {
	db := migrate(t, sqldbtest.Open(t, sqldbtest.Config(t, sqldb.Postgres)))
	if _, err := db.Exec(t.Context(), insertThing, 1, "a"); err != nil {
		t.Fatal(err)
	}
	release := holdThing(t, db, 1)
	defer release()
	waiting := make(chan error, 1)
	go func() {
		rows, err := db.Exec(context.Background(), `UPDATE things SET name = 'b' WHERE id = 1`)
		if err == nil && rows != 1 {
			err = fmt.Errorf("%d rows", rows)
		}
		waiting <- err
	}()
	for i := 2; i < 20; i++ {
		if err := inserting(t.Context(), db, i, fmt.Sprint(i))(); err != nil {
			t.Error(err)
		}
	}
	select {
	case err := <-waiting:
		t.Fatalf("did not wait: %v", err)
	default:
	}
	release()
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

// TestSharingConnectionIsGone: a connection that was closed meanwhile costs nobody a
// statement that was not sent, and at worst an unknown outcome.
func TestSharingConnectionIsGone(t *testing.T) {
	db := migrate(t, sqldbtest.Open(t, sqldbtest.Config(t, sqldb.Postgres)))
	if _, err := db.Exec(t.Context(), insertThing, 1, "a"); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		rows, err := tx.Query(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO things%' AND pid <> pg_backend_pid() AND datname = current_database()`)
		if err != nil {
			return err
		}
		return errors.Join(rows.Close(), rows.Err())
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), insertThing, 2, "b"); err != nil && !errors.Is(err, sqldb.ErrOutcomeUnknown) {
		t.Error(err)
	}
	if _, err := db.Exec(t.Context(), insertThing, 3, "c"); err != nil {
		t.Errorf("the next one: %v", err)
	}
}
