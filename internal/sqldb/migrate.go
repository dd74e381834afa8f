package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

// tokens are what a migration text may hold in braces, so that one text serves
// both dialects. Ids are made by the application, never by the database.
var tokens = map[string][2]string{
	"{id}":     {SQLite: "INTEGER PRIMARY KEY", Postgres: "BIGINT PRIMARY KEY"},
	"{int}":    {SQLite: "INTEGER", Postgres: "BIGINT"},
	"{bytes}":  {SQLite: "BLOB", Postgres: "BYTEA"},
	"{strict}": {SQLite: "STRICT", Postgres: ""},
	"{keyed}":  {SQLite: "STRICT, WITHOUT ROWID", Postgres: ""}, // a table stored in its primary key
}

var tokenPattern = regexp.MustCompile(`\{[^{}]*\}`)

func (d Dialect) expand(text string) (string, error) {
	var unknown []string
	text = tokenPattern.ReplaceAllStringFunc(text, func(token string) string {
		expansion, ok := tokens[token]
		if !ok {
			unknown = append(unknown, token)
		}
		return expansion[d]
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("unknown type token: %s", strings.Join(unknown, " "))
	}
	return text, nil
}

// expandedFS is migrations whose .sql files are expanded for a dialect as they
// are opened.
type expandedFS struct {
	migrations fs.FS
	dialect    Dialect
}

func (e expandedFS) Open(name string) (fs.File, error) {
	file, err := e.migrations.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return file, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	expanded, err := e.dialect.expand(string(text))
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "expand", Path: name, Err: err}, file.Close())
	}
	return expandedFile{file, strings.NewReader(expanded)}, nil
}

type expandedFile struct {
	fs.File
	text *strings.Reader
}

func (f expandedFile) Read(p []byte) (int, error) { return f.text.Read(p) }

const versionTable = "goose_db_version"

// Migrate brings the schema to the newest of migrations, which are goose files
// with type tokens. Of several processes that start at once, one migrates and the
// others wait for it. A schema that is newer than all of migrations is left as it is;
// it is an error unless a program may be as old as this one ([DB.OldestProgram]).
func (db *DB) Migrate(ctx context.Context, migrations fs.FS) error {
	for {
		before, newest, err := db.SchemaVersion(ctx, migrations)
		if err != nil {
			return err
		}
		if before == newest {
			return nil
		}
		if before > newest {
			oldest, err := db.OldestProgram(ctx)
			if err != nil || oldest <= newest {
				return err
			}
			return fmt.Errorf("migrate: the database has schema %d, this program knows %d at most", before, newest)
		}
		if err = db.up(ctx, migrations); err == nil {
			return nil
		}
		// On SQLite another process may have run the same migration first: then this
		// one has failed, was undone as a whole and the version has moved on.
		after, _, versionErr := db.SchemaVersion(ctx, migrations)
		if versionErr != nil || after == before {
			return fmt.Errorf("migrate: %w", err)
		}
	}
}

func (db *DB) up(ctx context.Context, migrations fs.FS) (err error) {
	// A pool of its own: on SQLite the writer keeps its connection to itself.
	pool := sql.OpenDB(db.writing)
	defer func() { err = errors.Join(err, pool.Close()) }()
	provider, err := db.provider(ctx, pool, migrations)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// SchemaVersion returns the number of the newest migration that the database has,
// 0 if it has none, and of the newest among migrations. It changes nothing.
func (db *DB) SchemaVersion(ctx context.Context, migrations fs.FS) (current, newest int64, err error) {
	sources, err := goose.NewProvider(goose.DialectSQLite3, db.pool, expandedFS{migrations, db.dialect},
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", err)
	}
	for _, source := range sources.ListSources() {
		newest = max(newest, source.Version)
	}
	there, err := db.hasTable(ctx, versionTable)
	if err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", err)
	}
	if !there {
		return 0, newest, nil
	}
	err = db.pool.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM "+versionTable).Scan(&current)
	if err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", err)
	}
	return current, newest, nil
}

// provider returns goose for both dialects. goose prints only when it is told to
// be verbose.
func (db *DB) provider(ctx context.Context, pool *sql.DB, migrations fs.FS) (*goose.Provider, error) {
	files := expandedFS{migrations, db.dialect}
	reach, err := reaches(migrations)
	if err != nil {
		return nil, err
	}
	if db.dialect == SQLite {
		store, err := database.NewStore(goose.DialectSQLite3, versionTable)
		if err != nil {
			return nil, err
		}
		return goose.NewProvider(goose.DialectCustom, pool, files,
			goose.WithStore(versions{Store: store, reach: reach, once: true}), goose.WithDisableGlobalRegistry(true))
	}

	// Advisory locks belong to a database, tables to a schema of it.
	var schema string
	if err := pool.QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return nil, err
	}
	id := fnv.New64a()
	_, _ = io.WriteString(id, "gatelodge migrations of "+schema) // a hash never fails
	locker, err := lock.NewPostgresSessionLocker(
		lock.WithLockID(int64(id.Sum64())), lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 30))
	if err != nil {
		return nil, err
	}
	store, err := database.NewStore(goose.DialectPostgres, versionTable)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectCustom, pool, files,
		goose.WithStore(versions{Store: store, reach: reach}), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
}
