package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

func TestClose(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	db, err := sqldb.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	wantThings(t, migrate(t, db), 0)
	if err := db.Write(t.Context(), insert(1, "a")); err != nil { // the writer has a prepared statement from here on
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(1, "a")); !sqldb.IsUnavailable(err) {
		t.Errorf("write after Close: %v", err)
	}
	if _, err := os.Stat(cfg.Path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Close left the -wal file: %v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20.db") // characters with a meaning in a URI
	db := migrate(t, sqldbtest.Open(t, sqldb.Config{Path: path}))
	if err := db.Write(t.Context(), insert(1, "a")); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %q is %v", info.Name(), info.Mode())
		}
	}
}

func TestSettings(t *testing.T) {
	db := sqldbtest.Open(t, sqldbtest.Config(t, sqldb.SQLite))
	tests := []struct{ pragma, want string }{
		{"journal_mode", "wal"},
		{"synchronous", "2"}, // FULL
		{"foreign_keys", "1"},
		{"busy_timeout", "10000"},
	}
	for _, test := range tests {
		var got string
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QueryRow(ctx, "PRAGMA "+test.pragma).Scan(&got)
		})
		if err != nil || got != test.want {
			t.Errorf("%s is %q, want %q (%v)", test.pragma, got, test.want, err)
		}
	}
}

func TestOpenFails(t *testing.T) {
	tests := map[string]sqldb.Config{
		"no folder":   {Path: filepath.Join(t.TempDir(), "missing", "test.db")},
		"a folder":    {Path: t.TempDir()},
		"no server":   {URL: "postgres://someone:hush@127.0.0.1:1/none?connect_timeout=2"},
		"not a URL":   {URL: "postgres://someone:hush@127.0.0.1:port/none"},
		"not a value": {URL: "postgres://someone:hush@127.0.0.1/none?sslmode=perhaps"},
	}
	for name, cfg := range tests {
		db, err := sqldb.Open(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: opened", name)
			_ = db.Close()
			continue
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestUnavailable(t *testing.T) {
	tests := []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("read: %w", context.DeadlineExceeded), true},
		{fmt.Errorf("commit: %w", sqldb.ErrOutcomeUnknown), true},
		{context.Canceled, false},                                       // whoever asked has left
		{&pgconn.PgError{Code: "57P01"}, true},                          // the server is shut down
		{&pgconn.PgError{Code: "57P03"}, true},                          // it starts or recovers
		{&pgconn.PgError{Code: "53300"}, true},                          // too many connections
		{&pgconn.PgError{Code: "53100"}, true},                          // disk full
		{fmt.Errorf("write: %w", &pgconn.PgError{Code: "25006"}), true}, // a standby
		{&pgconn.PgError{Code: "40001"}, true},                          // serialization failure
		{&pgconn.PgError{Code: "40P01"}, true},                          // deadlock
		{&pgconn.PgError{Code: "08006"}, true},                          // connection failure
		{&pgconn.PgError{Code: "28P01"}, false},                         // wrong password
		{&pgconn.PgError{Code: "42P01"}, false},                         // no such table
		{&pgconn.PgError{Code: "23505"}, false},                         // not unique
		{io.ErrUnexpectedEOF, true},                                     // the connection was lost
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{sqldb.ErrNoRows, false},
		{errors.New("anything else"), false},
		{nil, false},
	}
	for _, test := range tests {
		if got := sqldb.IsUnavailable(test.err); got != test.want {
			t.Errorf("IsUnavailable(%v) = %t", test.err, got)
		}
	}
	_, err := sqldb.Open(t.Context(), sqldb.Config{URL: "postgres://127.0.0.1:1/none?connect_timeout=2"})
	if !sqldb.IsUnavailable(err) {
		t.Errorf("a server that is not there: %v", err)
	}
	u, err := url.Parse(sqldbtest.Config(t, sqldb.Postgres).URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/nobody_has_made_this"
	if _, err := sqldb.Open(t.Context(), sqldb.Config{URL: u.String()}); !sqldb.IsUnavailable(err) {
		t.Errorf("a server that does not let us in: %v", err)
	}
}
