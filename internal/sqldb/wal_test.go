package sqldb_test

import (
	"context"
	"os"
	"testing"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// A read that takes long keeps the -wal file from being used again. It is cut back
// afterwards.
func TestWALIsCutBack(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	db := sqldbtest.Open(t, cfg)
	exec := func(text string, args ...any) {
		t.Helper()
		if err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, text, args...)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(cfg.Path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	exec(`CREATE TABLE big (id INTEGER PRIMARY KEY, value BLOB NOT NULL)`)
	const mib = 1 << 20
	err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		var n int
		if err := tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM big`).Scan(&n); err != nil {
			return err
		}
		for range 24 {
			exec(`INSERT INTO big (value) VALUES ($1)`, make([]byte, mib))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := size(); n < 24*mib {
		t.Fatalf("%d bytes: the read did not keep the file", n)
	}
	for range 3 { // one to write everything back, and one to begin at the front
		exec(`INSERT INTO big (value) VALUES ($1)`, make([]byte, mib))
	}
	if n := size(); n > 17*mib {
		t.Errorf("%d bytes are left, want 16 MiB", n)
	}
}
