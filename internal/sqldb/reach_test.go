package sqldb_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// TestOldestProgram: an addition keeps older programs working, anything else does not.
func TestOldestProgram(t *testing.T) {
	adds := with("00002_adds.sql", "-- +goose Up\n-- oldest program: 1\nCREATE TABLE more (id {id}) {strict};\n")
	takes := fstest.MapFS{"00003_takes.sql": {Data: []byte("-- +goose Up\nDROP TABLE more;\n")}}
	for name, file := range adds {
		takes[name] = file
	}
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		db := open(t)
		want := func(when string, oldest int64) {
			t.Helper()
			if got, err := db.OldestProgram(t.Context()); got != oldest || err != nil {
				t.Errorf("%s: %d, %v, want %d", when, got, err, oldest)
			}
		}
		want("nothing yet", 0)
		migrate(t, db)
		want("the first", 1)
		if err := db.Migrate(t.Context(), adds); err != nil {
			t.Fatal(err)
		}
		want("an addition", 1)
		if err := db.Migrate(t.Context(), one); err != nil {
			t.Errorf("a program that may be older: %v", err)
		}
		if err := db.Migrate(t.Context(), takes); err != nil {
			t.Fatal(err)
		}
		want("what is no addition", 3)
		if err := db.Migrate(t.Context(), adds); err == nil {
			t.Error("a program that is too old took the schema")
		}
		tables, err := db.Schema(t.Context())
		if err != nil || len(tables) != 1 {
			t.Errorf("tables %v, %v, want things alone", tables, err)
		}
		err = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, "DROP TABLE schema_reach")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want("migrated by a program that did not say", 3)
	})
}

func TestReachIsRead(t *testing.T) {
	for text, problem := range map[string]string{
		"-- oldest program: 3":                   "no program is as old as that",
		"-- oldest program: 1":                   "",
		"-- the oldest program: 9":               "", // words, not the line
		"-- oldest program: 1 or so":             "",
		"-- oldest program: 9999999999999999999": "no program is as old as that",
	} {
		db := sqldbtest.Open(t, sqldbtest.Config(t, sqldb.SQLite))
		err := db.Migrate(t.Context(), with("00002_more.sql", "-- +goose Up\n"+text+"\nSELECT 1;\n"))
		if (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", text, err, problem)
		}
	}
}
