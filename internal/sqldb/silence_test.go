package sqldb_test

import (
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// relay passes bytes on between a client and a PostgreSQL server, until it falls
// silent: then what comes is taken and nothing is answered, on connections that stay
// open. New ones are served.
type relay struct {
	address string

	mu     sync.Mutex
	silent chan struct{} // closed when those of this time have fallen silent
	conns  []net.Conn
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: l.Addr().String(), silent: make(chan struct{})}
	t.Cleanup(func() {
		l.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.conns {
			c.Close()
		}
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			backend, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, client, backend)
			silent := r.silent
			r.mu.Unlock()
			go pass(backend, client, silent)
			go pass(client, backend, silent)
		}
	}()
	return r
}

func pass(to, from net.Conn, silent <-chan struct{}) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			select {
			case <-silent: // the other side hears nothing of it
			default:
				to.Close()
			}
			return
		}
		select {
		case <-silent:
			continue
		default:
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// fallSilent silences the connections that there are.
func (r *relay) fallSilent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.silent)
	r.silent = make(chan struct{})
}

// TestSilence: a server that stops under open connections does not hold requests up
// for ever, and only the first of them waits at all.
func TestSilence(t *testing.T) {
	for name, ask := range map[string]func(*testing.T, *sqldb.DB) error{
		"row": func(t *testing.T, db *sqldb.DB) error {
			var n int
			return db.QueryRow(t.Context(), "SELECT 1").Scan(&n)
		},
		"rows": func(t *testing.T, db *sqldb.DB) error {
			rows, err := db.Query(t.Context(), "SELECT 1")
			if err != nil {
				return err
			}
			return rows.Close()
		},
		"snapshot": func(t *testing.T, db *sqldb.DB) error {
			return db.Read(t.Context(), func(tx *sqldb.Tx) error {
				var n int
				return tx.QueryRow(t.Context(), "SELECT 1").Scan(&n)
			})
		},
		"write": func(t *testing.T, db *sqldb.DB) error { return db.Write(t.Context(), insert(1, "a")) },
		"statement": func(t *testing.T, db *sqldb.DB) error {
			_, err := db.Exec(t.Context(), insertThing, 1, "a")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := sqldbtest.Config(t, sqldb.Postgres)
			u, err := url.Parse(cfg.URL)
			if err != nil {
				t.Fatal(err)
			}
			r := newRelay(t, u.Host)
			u.Host = r.address
			db := migrate(t, sqldbtest.Open(t, sqldb.Config{URL: u.String()}))
			var wg sync.WaitGroup
			for range 5 { // several connections in the pool
				wg.Go(func() {
					var n int
					if err := db.QueryRow(t.Context(), "SELECT 1").Scan(&n); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if _, err := db.Exec(t.Context(), insertThing, 9, "z"); err != nil { // it has one of its own
				t.Fatal(err)
			}
			r.fallSilent()
			first := make(chan error, 1)
			go func() { first <- ask(t, db) }()
			select {
			case err := <-first:
				if !sqldb.IsUnavailable(err) {
					t.Errorf("%v, want unavailable", err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("no answer")
			}
			if err := ask(t, db); err != nil {
				t.Errorf("the next: %v", err)
			}
		})
	}
}
