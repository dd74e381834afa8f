package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

var restoredAt = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// pairs writes two things at a time until the end of ctx.
func pairs(ctx context.Context, t *testing.T, db *sqldb.DB) {
	for i := 0; ctx.Err() == nil; i += 2 {
		err := db.Write(context.WithoutCancel(ctx), func(ctx context.Context, tx *sqldb.Tx) error {
			return errors.Join(insert(i, fmt.Sprint("thing ", i))(ctx, tx), insert(i+1, fmt.Sprint("thing ", i+1))(ctx, tx))
		})
		if err != nil {
			t.Error(err)
			return
		}
	}
}

func count(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM things`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBackupWhileWriting: a backup is of one moment, whatever is written meanwhile.
func TestBackupWhileWriting(t *testing.T) {
	db := migrate(t, sqldbtest.Open(t, sqldbtest.Config(t, sqldb.SQLite)))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pairs(ctx, t, db)
	}()
	folder := t.TempDir()
	before := 0
	for _, name := range []string{"1.db", "2.db", "3.db"} {
		for count(t, db) < before+20 { // something is written between any two
			select {
			case <-done:
				t.FailNow()
			case <-time.After(time.Millisecond):
			}
		}
		low := count(t, db)
		file := filepath.Join(folder, name)
		if err := db.Backup(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		copied, err := sqldb.OpenBackup(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, copied); n < low || n%2 != 0 {
			t.Errorf("%s has %d rows, want at least %d and an even number", name, n, low)
		}
		before = count(t, copied)
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	<-done
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files lie in the folder, want 3 (%v)", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestBackupReplacesNothing(t *testing.T) {
	db := migrate(t, sqldbtest.Open(t, sqldbtest.Config(t, sqldb.SQLite)))
	file := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(t.Context(), file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want fs.ErrExist", err)
	}
	if text, err := os.ReadFile(file); string(text) != "mine" {
		t.Errorf("the file is %q now, %v", text, err)
	}
	if err := db.Backup(t.Context(), filepath.Join(t.TempDir(), "missing", "backup")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
}

// backedUp is a database with n things, closed, and a backup of it.
func backedUp(t *testing.T, n int) (path, file string) {
	t.Helper()
	path, file = filepath.Join(t.TempDir(), "test.db"), filepath.Join(t.TempDir(), "backup.db")
	db := migrate(t, openAt(t, path))
	for i := range n {
		if err := db.Write(t.Context(), insert(i, fmt.Sprint(strings.Repeat("x", 500), i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Backup(t.Context(), file), db.Close()); err != nil {
		t.Fatal(err)
	}
	return path, file
}

func openAt(t *testing.T, path string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestOpenBackupRefuses(t *testing.T) {
	_, file := backedUp(t, 100)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := []byte(string(whole))
	copy(damaged[len(damaged)/2:], strings.Repeat("damage! ", 1000))
	for name, tc := range map[string]struct {
		text, wal string
		want      string
	}{
		"nothing":           {"", "", "it is empty"},
		"another file":      {strings.Repeat("words ", 1000), "", "cannot be read as a database"},
		"half":              {string(whole[:len(whole)/2]), "", ""},
		"damaged":           {string(damaged), "", ""},
		"of one in use":     {string(whole), "more", "a database in use"},
		"beside an old one": {string(whole), "", "-"},
	} {
		path := filepath.Join(t.TempDir(), "test.db")
		if err := errors.Join(os.WriteFile(path, []byte(tc.text), 0o600), os.WriteFile(path+"-wal", []byte(tc.wal), 0o600)); err != nil {
			t.Fatal(err)
		}
		db, err := sqldb.OpenBackup(t.Context(), path)
		if tc.want == "-" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if err == nil {
			_ = db.Close()
		}
	}
}

func noWork(context.Context, *sqldb.DB) error { return nil }

func TestRestore(t *testing.T) {
	path, file := backedUp(t, 3)
	db := openAt(t, path)
	if err := errors.Join(db.Write(t.Context(), insert(7, "later")), db.Close()); err != nil {
		t.Fatal(err)
	}
	prepared := 0
	kept, err := sqldb.Restore(t.Context(), file, path, restoredAt, func(ctx context.Context, db *sqldb.DB) error {
		prepared = count(t, db)
		return db.Write(ctx, insert(9, "prepared"))
	})
	if err != nil || prepared != 3 || kept != path+".replaced-20260301T120000Z" {
		t.Fatalf("kept %q, %d rows were prepared, %v", kept, prepared, err)
	}
	for name, want := range map[string]int{path: 4, kept: 4, file: 3} {
		db := openAt(t, name)
		if n := count(t, db); n != want {
			t.Errorf("%s has %d rows, want %d", name, n, want)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestRestoreOverDamage: what cannot be read can be replaced, and its -wal file is
// not played into the other database.
func TestRestoreOverDamage(t *testing.T) {
	path, file := backedUp(t, 3)
	for _, name := range []string{path, path + "-wal"} {
		if err := os.WriteFile(name, []byte(strings.Repeat("nonsense", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sqldb.Restore(t.Context(), file, path, restoredAt, noWork); err != nil {
		t.Fatal(err)
	}
	db := openAt(t, path)
	defer db.Close()
	if n := count(t, db); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

// TestRestoreRefused leaves everything as it was.
// TestRestoreTwiceAtOnce: what the first restore has kept is not replaced by the second.
func TestRestoreTwiceAtOnce(t *testing.T) {
	path, file := backedUp(t, 3)
	kept, err := sqldb.Restore(t.Context(), file, path, restoredAt, noWork)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqldb.Restore(t.Context(), file, path, restoredAt, noWork); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second restore: %v", err)
	}
	after, err := os.Stat(kept)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("what was kept is another file now: %v", err)
	}
}

func TestRestoreRefused(t *testing.T) {
	path, file := backedUp(t, 3)
	open := openAt(t, path)
	if _, err := sqldb.Restore(t.Context(), file, path, restoredAt, noWork); !errors.Is(err, sqldb.ErrInUse) {
		t.Errorf("while the database is open: %v", err)
	}
	// A program that knows nothing of the lock: its lock is on another file.
	if err := os.Remove(path + "-lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqldb.Restore(t.Context(), file, path, restoredAt, noWork); !errors.Is(err, sqldb.ErrInUse) {
		t.Errorf("while another program has the database open: %v", err)
	}
	if err := errors.Join(open.Write(t.Context(), insert(7, "later")), open.Close()); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	_, err := sqldb.Restore(t.Context(), file, path, restoredAt, func(ctx context.Context, _ *sqldb.DB) error {
		// Nobody may open a database that is being replaced.
		if _, err := sqldb.Open(ctx, sqldb.Config{Path: path}); !errors.Is(err, sqldb.ErrInUse) {
			t.Errorf("opened meanwhile: %v", err)
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("%v, want the error of prepare", err)
	}
	db := openAt(t, path)
	defer db.Close()
	if n := count(t, db); n != 4 {
		t.Errorf("%d rows, want 4", n)
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(hidden) > 0 || strings.Contains(strings.Join(names, " "), "replaced") {
		t.Errorf("left behind: %q %q, %v", names, hidden, err)
	}
}
