package sqldb_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// withQuery is an address with one parameter changed.
func withQuery(t *testing.T, address, name string, change func(string) string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, change(q.Get(name)))
	u.RawQuery = q.Encode()
	return u.String()
}

func exec(t *testing.T, db *sqldb.DB, text string) {
	t.Helper()
	err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestListen: what another connection commits is heard, what it undoes is not, nor
// what happens in another schema. When the connection is lost, Listen says so.
func TestListen(t *testing.T) {
	t.Parallel()
	cfg := sqldbtest.Config(t, sqldb.Postgres)
	listener := sqldbtest.Open(t, sqldb.Config{URL: withQuery(t, cfg.URL, "application_name", func(string) string { return "listener" })})
	writer := sqldbtest.Open(t, cfg)
	other := sqldbtest.Open(t, sqldbtest.Config(t, sqldb.Postgres))
	heard := make(chan struct{}, 10)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- listener.Listen(ctx, func() { heard <- struct{}{} }) }()
	hear := func(what string) {
		t.Helper()
		select {
		case <-heard:
		case err := <-ended:
			t.Fatalf("%s: %v", what, err)
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: nothing heard", what)
		}
	}
	hear("at the start")
	undone := errors.New("undone")
	notify := func(db *sqldb.DB, end error) {
		t.Helper()
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			if err := tx.Notify(ctx); err != nil {
				return err
			}
			return end
		})
		if err != end {
			t.Fatal(err)
		}
	}
	notify(other, nil)
	notify(writer, undone)
	notify(writer, nil)
	hear("a commit")
	notify(writer, nil)
	hear("the next") // notifications come in the order of commits, so an extra one would be there by now
	if len(heard) != 0 {
		t.Errorf("%d heard too much", len(heard))
	}
	exec(t, writer, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN gatelodge' AND application_name = 'listener'`)
	select {
	case err := <-ended:
		if !sqldb.IsUnavailable(err) {
			t.Errorf("a lost connection: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a lost connection went unnoticed")
	}
}

// shadowed is a database in which functions of PostgreSQL's can be given another body,
// beside one in which they keep their own.
func shadowed(t *testing.T) (db, beside *sqldb.DB) {
	t.Helper()
	cfg := sqldbtest.Config(t, sqldb.Postgres)
	beside = sqldbtest.Open(t, cfg)
	cfg.URL = withQuery(t, cfg.URL, "search_path", func(own string) string { return own + ",pg_catalog" })
	return sqldbtest.Open(t, cfg), beside
}

func watch(t *testing.T, db *sqldb.DB) (time.Duration, error) {
	t.Helper()
	return db.Watch(t.Context(), 10*time.Second, func(tx *sqldb.Tx) error {
		var one int
		return tx.QueryRow(t.Context(), `SELECT 1`).Scan(&one)
	})
}

func TestWatchTellsTheClock(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		if ahead, err := watch(t, open(t)); err != nil || ahead != 0 {
			t.Errorf("on this machine: %v ahead, %v", ahead, err)
		}
	})
	t.Run("another machine", func(t *testing.T) {
		db, beside := shadowed(t)
		for interval, want := range map[string]time.Duration{"+ interval '1 minute'": time.Minute, "- interval '1 hour'": -time.Hour} {
			exec(t, beside, `CREATE OR REPLACE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() `+interval+` $$`)
			if ahead, err := watch(t, db); err != nil || (ahead-want).Abs() > 20*time.Second {
				t.Errorf("%s: %v ahead, %v", interval, ahead, err)
			}
		}
	})
}

// TestPrimaryOnly: a standby is refused at once, and when one takes the place of the
// primary under a connection.
func TestPrimaryOnly(t *testing.T) {
	t.Parallel()
	db, beside := shadowed(t)
	standby := func(is string) {
		t.Helper()
		exec(t, beside, `CREATE OR REPLACE FUNCTION pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT `+is+`'`)
	}
	standby("false")
	if _, err := watch(t, db); err != nil {
		t.Fatal(err)
	}
	standby("true")
	for range 2 { // the connection that there is, and a new one
		if _, err := watch(t, db); err == nil || !strings.Contains(err.Error(), "is a standby: give the address of the primary") {
			t.Errorf("a server that is a standby by now: %v", err)
		}
	}
	standby("false")
	if _, err := watch(t, db); err != nil {
		t.Errorf("the primary again: %v", err)
	}
}
