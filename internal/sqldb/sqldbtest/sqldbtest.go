// Package sqldbtest gives tests fresh databases of both dialects.
package sqldbtest

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named pgx

	"gatelodge/internal/sqldb"
)

// serverVariable names the environment variable with the postgres:// URL of a
// server on which tests may make schemas.
const serverVariable = "GATELODGE_TEST_POSTGRES"

// Each runs test once per dialect, each time with an empty database. Every call
// of open opens that database again, until the end of the t that open is given.
func Each(t *testing.T, test func(t *testing.T, open func(t testing.TB) *sqldb.DB)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			cfg := Config(t, dialect)
			test(t, func(t testing.TB) *sqldb.DB { return Open(t, cfg) })
		})
	}
}

// Open opens the database of cfg until the end of t.
func Open(t testing.TB, cfg sqldb.Config) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	return db
}

// Config returns the configuration of an empty database that is removed at the
// end of t. For PostgreSQL without a server it skips t, but under CI it fails.
func Config(t testing.TB, dialect sqldb.Dialect) sqldb.Config {
	t.Helper()
	if dialect == sqldb.SQLite {
		return sqldb.Config{Path: filepath.Join(t.TempDir(), "test.db")}
	}

	server := os.Getenv(serverVariable)
	if server == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not set: CI tests PostgreSQL too", serverVariable)
		}
		t.Skipf("%s is not set: it takes the postgres:// URL of a server to make schemas on", serverVariable)
	}
	address, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s does not hold a URL", serverVariable) // the error would show the password
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Close(); err != nil {
			t.Error(err)
		}
	})
	// A schema is made in a fraction of the time that a database takes.
	schema := "test_" + strings.ToLower(rand.Text())
	if _, err := admin.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	query := address.Query()
	query.Set("search_path", schema)
	address.RawQuery = query.Encode()
	return sqldb.Config{URL: address.String()}
}
