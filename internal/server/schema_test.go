package server

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// schemas are the migrations of four releases. The third adds to the second, so that
// programs of the second go on working; the fourth takes away what these need.
func schemas(releases int) fs.FS {
	all := []string{
		"CREATE TABLE a (id {id});", "CREATE TABLE b (id {id});",
		"-- oldest program: 2\nCREATE TABLE c (id {id});", "-- oldest program: 3\nDROP TABLE b;",
	}
	files := fstest.MapFS{}
	for i, text := range all[:releases] {
		files["0000"+string(rune('1'+i))+"_release.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text + "\n")}
	}
	return files
}

// TestSchema: who may change the schema of an existing database. The embedded one
// has one program; a database server's tables may be in use by servers of the older
// program, so that only the operator can say when.
func TestSchema(t *testing.T) {
	const (
		newer = "the database's schema (version 4) is for programs that know version 3 at least; this one knows 2: run a newer program"
		older = "the database's schema (version 1) is older than this program's (2): run `gatelodge migrate` once"
	)
	type prepare = func(context.Context, *sqldb.DB, fs.FS) error
	for _, tc := range []struct {
		name     string
		dialect  sqldb.Dialect
		has      int // release of the database
		prepare  prepare
		problem  string
		hasAfter int64
	}{
		{"new", sqldb.SQLite, 0, prepareSchema, "", 2},
		{"new", sqldb.Postgres, 0, prepareSchema, "", 2},
		{"new, for a command", sqldb.SQLite, 0, prepareExisting, ErrNoDatabase.Error(), 0},
		{"new, for a command", sqldb.Postgres, 0, prepareExisting, ErrNoDatabase.Error(), 0},
		{"older", sqldb.SQLite, 1, prepareSchema, "", 2},
		{"older", sqldb.Postgres, 1, prepareSchema, older, 1},
		{"older, for a command", sqldb.SQLite, 1, prepareExisting, "", 2},
		{"older, for a command", sqldb.Postgres, 1, prepareExisting, older, 1},
		{"the same", sqldb.SQLite, 2, prepareSchema, "", 2},
		{"the same", sqldb.Postgres, 2, prepareExisting, "", 2},
		{"newer by an addition", sqldb.SQLite, 3, prepareSchema, "", 3},
		{"newer by an addition", sqldb.Postgres, 3, prepareSchema, "", 3},
		{"newer by an addition, for a command", sqldb.Postgres, 3, prepareExisting, "", 3},
		{"newer", sqldb.SQLite, 4, prepareSchema, newer, 4},
		{"newer", sqldb.Postgres, 4, prepareSchema, newer, 4},
		{"newer, for a command", sqldb.SQLite, 4, prepareExisting, newer, 4},
	} {
		t.Run(tc.dialect.String()+"/"+tc.name, func(t *testing.T) {
			t.Parallel()
			db := sqldbtest.Open(t, sqldbtest.Config(t, tc.dialect))
			if tc.has > 0 {
				if err := db.Migrate(t.Context(), schemas(tc.has)); err != nil {
					t.Fatal(err)
				}
			}
			got := ""
			if err := tc.prepare(t.Context(), db, schemas(2)); err != nil {
				got = err.Error()
			}
			if got != tc.problem {
				t.Errorf("%q, want %q", got, tc.problem)
			}
			after, _, err := db.SchemaVersion(t.Context(), schemas(4))
			if err != nil || after != tc.hasAfter {
				t.Errorf("then it has version %d, want %d (%v)", after, tc.hasAfter, err)
			}
		})
	}
}

// TestNothingHereYet: commands that have nothing to do on a new database leave it
// as it is.
func TestNothingHereYet(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			c := sqldbtest.Config(t, dialect)
			for range 2 { // the first made nothing that the second finds
				if _, _, err := OpenExisting(t.Context(), c, nil); !errors.Is(err, ErrNoDatabase) {
					t.Fatalf("%v, want ErrNoDatabase", err)
				}
			}
		})
	}
}
