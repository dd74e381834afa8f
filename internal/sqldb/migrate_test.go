package sqldb_test

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// with is the migration one and another.
func with(name, text string) fstest.MapFS {
	files := maps.Clone(one)
	files[name] = &fstest.MapFile{Data: []byte(text)}
	return files
}

// tokens uses each type token.
const tokens = `
-- +goose Up
CREATE TABLE owners (
  id {id},
  key {bytes} NOT NULL UNIQUE,
  seen {int},
  note TEXT NOT NULL
) {strict};
CREATE INDEX owners_by_seen ON owners (seen DESC, id);
CREATE UNIQUE INDEX owners_noted ON owners (note) WHERE note <> '';

CREATE TABLE keyed (
  digest {bytes} NOT NULL,
  step {int} NOT NULL,
  owner {int} NOT NULL REFERENCES owners (id),
  PRIMARY KEY (digest, step)
) {keyed};

CREATE TABLE plain (
  digest {bytes} NOT NULL PRIMARY KEY
) {strict};
`

func TestSchemaIsAlikeOnBothDialects(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		db := open(t)
		err := db.Migrate(t.Context(), fstest.MapFS{"00001_tokens.sql": {Data: []byte(tokens)}})
		if err != nil {
			t.Fatal(err)
		}
		want := []sqldb.Table{
			{
				Name: "keyed",
				Columns: []sqldb.Column{
					{Name: "digest", Type: "bytes"},
					{Name: "step", Type: "int"},
					{Name: "owner", Type: "int"},
				},
				Indexes: []sqldb.Index{{Columns: []string{"digest", "step"}, Primary: true, Unique: true}},
			},
			{
				Name: "owners",
				Columns: []sqldb.Column{
					{Name: "id", Type: "int"},
					{Name: "key", Type: "bytes"},
					{Name: "seen", Type: "int", Nullable: true},
					{Name: "note", Type: "text"},
				},
				Indexes: []sqldb.Index{
					{Columns: []string{"id"}, Primary: true, Unique: true},
					{Columns: []string{"key"}, Unique: true},
					{Name: "owners_by_seen", Columns: []string{"seen DESC", "id"}},
					{Name: "owners_noted", Columns: []string{"note"}, Unique: true, Partial: true},
				},
			},
			{
				Name:    "plain",
				Columns: []sqldb.Column{{Name: "digest", Type: "bytes"}},
				Indexes: []sqldb.Index{{Columns: []string{"digest"}, Primary: true, Unique: true}},
			},
		}
		got, err := db.Schema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// What only SQLite has of a token is seen in the text that it keeps.
func TestSQLiteTables(t *testing.T) {
	db := sqldbtest.Open(t, sqldbtest.Config(t, sqldb.SQLite))
	err := db.Migrate(t.Context(), fstest.MapFS{"00001_tokens.sql": {Data: []byte(tokens)}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		table         string
		keyed, strict bool
	}{
		{"keyed", true, true},
		{"owners", false, true},
	}
	for _, test := range tests {
		var keyed, strict bool
		err := db.QueryRow(t.Context(), `SELECT wr, strict FROM pragma_table_list($1)`, test.table).Scan(&keyed, &strict)
		if err != nil || keyed != test.keyed || strict != test.strict {
			t.Errorf("%s: without rowid %t, strict %t, %v", test.table, keyed, strict, err)
		}
	}
}

func TestUnknownTokenMigratesNothing(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		db := open(t)
		files := with("00002_wrong.sql", "-- +goose Up\nCREATE TABLE wrong (id {uuid} PRIMARY KEY);\n")
		err := db.Migrate(t.Context(), files)
		if err == nil || !strings.Contains(err.Error(), "{uuid}") {
			t.Errorf("got %v", err)
		}
		if current, _, err := db.SchemaVersion(t.Context(), files); current != 0 || err != nil {
			t.Errorf("schema %d, %v", current, err)
		}
	})
}

func TestFailedMigrationIsUndone(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		db := open(t)
		files := with("00002_wrong.sql", "-- +goose Up\nDROP TABLE things;\nSELECT nothing;\n")
		if err := db.Migrate(t.Context(), files); err == nil {
			t.Error("a wrong migration succeeded")
		}
		if current, newest, err := db.SchemaVersion(t.Context(), files); current != 1 || newest != 2 || err != nil {
			t.Errorf("schema %d of %d, %v", current, newest, err)
		}
		wantThings(t, db, 0)
	})
}

func TestSchemaVersion(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		db := open(t)
		two := with("00002_more.sql", "-- +goose Up\nCREATE TABLE more (id {id}) {strict};\n")
		want := func(files fstest.MapFS, current, newest int64) {
			t.Helper()
			c, n, err := db.SchemaVersion(t.Context(), files)
			if c != current || n != newest || err != nil {
				t.Errorf("schema %d of %d, %v; want %d of %d", c, n, err, current, newest)
			}
		}
		want(one, 0, 1)
		migrate(t, db)
		want(one, 1, 1)
		want(two, 1, 2)
		migrate(t, db) // nothing to do
		if err := db.Migrate(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		want(two, 2, 2)
		if err := db.Migrate(t.Context(), one); err == nil {
			t.Error("a program took a schema that is newer than it knows")
		}
	})
}

// more is a migration that could be run twice without an error from the database.
var more = with("00002_more.sql", `
-- +goose Up
INSERT INTO things (id, name) SELECT COUNT(*), 'thing ' || COUNT(*) FROM things;
`)

// migrateAtOnce is several processes that start at once.
func migrateAtOnce(t *testing.T, wg *sync.WaitGroup, open func(testing.TB) *sqldb.DB) {
	for range 4 {
		db := open(t)
		wg.Go(func() {
			if err := db.Migrate(t.Context(), more); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMigrateEmptyAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		var wg sync.WaitGroup
		migrateAtOnce(t, &wg, open)
		wg.Wait()
		wantThings(t, open(t), 1)
	})
}

func TestMigrateFurtherAtOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		db := migrate(t, open(t))
		var wg sync.WaitGroup
		// While this write keeps the SQLite file locked, all find that there is
		// something to do.
		err := db.Write(t.Context(), func(context.Context, *sqldb.Tx) error {
			migrateAtOnce(t, &wg, open)
			time.Sleep(200 * time.Millisecond)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		wg.Wait()
		wantThings(t, db, 1)
	})
}

func TestMigrateWhileWriting(t *testing.T) {
	both(t, func(t *testing.T, db *sqldb.DB) {
		two := with("00002_more.sql", "-- +goose Up\nCREATE TABLE more (id {id}) {strict};\n")
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := db.Migrate(t.Context(), two); err != nil {
				t.Error(err)
			}
		})
		for i := range 20 {
			if err := db.Write(t.Context(), insert(i, strings.Repeat("x", i))); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO more (id) VALUES (1)`)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		wantThings(t, db, 20)
	})
}
