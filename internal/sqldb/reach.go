package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3/database"
)

// reachTable holds how old a program can be that uses the schema, in its one row.
const reachTable = "schema_reach"

// oldestPattern is the line by which a migration says that programs which do not know
// it go on working: "-- oldest program: 3". They are those whose own newest migration
// is that number or higher. Without it, only programs that know the migration work.
var oldestPattern = regexp.MustCompile(`(?m)^-- oldest program: (\d+)$`)

// reaches reads what each migration says.
func reaches(migrations fs.FS) (map[int64]int64, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return nil, err
	}
	reach := make(map[int64]int64, len(names))
	for _, name := range names {
		digits, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: its name does not begin with a number", name)
		}
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, err
		}
		reach[version] = version
		if found := oldestPattern.FindSubmatch(text); found != nil {
			oldest, err := strconv.ParseInt(string(found[1]), 10, 64)
			if err != nil || oldest > version {
				return nil, fmt.Errorf("migration %s: %s: no program is as old as that", name, found[0])
			}
			reach[version] = oldest
		}
	}
	return reach, nil
}

// Newest is the schema version that a program with these migrations knows.
func Newest(migrations fs.FS) (int64, error) {
	reach, err := reaches(migrations)
	if err != nil || len(reach) == 0 {
		return 0, err
	}
	return slices.Max(slices.Collect(maps.Keys(reach))), nil
}

// OldestProgram is the lowest schema version that a program may know and still use
// the database as it is. It changes nothing.
func (db *DB) OldestProgram(ctx context.Context) (int64, error) {
	there, err := db.hasTable(ctx, reachTable)
	if err != nil {
		return 0, fmt.Errorf("oldest program: %w", err)
	}
	query := "SELECT oldest FROM " + reachTable
	if !there { // an older program has migrated, from when none could use a newer schema
		if there, err = db.hasTable(ctx, versionTable); err != nil || !there {
			return 0, err
		}
		query = "SELECT COALESCE(MAX(version_id), 0) FROM " + versionTable
	}
	var oldest int64
	if err := db.pool.QueryRowContext(ctx, query).Scan(&oldest); err != nil {
		return 0, fmt.Errorf("oldest program: %w", err)
	}
	return oldest, nil
}

func (db *DB) hasTable(ctx context.Context, name string) (bool, error) {
	exists := "SELECT COUNT(*) FROM sqlite_schema WHERE name = $1"
	if db.dialect == Postgres {
		exists = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
	}
	var tables int64
	err := db.pool.QueryRowContext(ctx, exists, name).Scan(&tables)
	return tables > 0, err
}

// versions is goose's record of what was migrated, with the reach of the schema beside
// it, in the transaction of the migration itself.
type versions struct {
	database.Store
	reach map[int64]int64
	// once refuses to record a migration that is recorded already. goose has no lock
	// for SQLite: it looks up what to do before the transaction in which it does it, so
	// two processes may try the same. The second gets here after the first has
	// committed, is refused, and what it did in the transaction is undone.
	once bool
}

func (v versions) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	if v.once {
		switch _, err := v.GetMigration(ctx, db, req.Version); {
		case err == nil:
			return fmt.Errorf("migration %d has been run by another process", req.Version)
		case !errors.Is(err, database.ErrVersionNotFound):
			return err
		}
	}
	if err := v.Store.Insert(ctx, db, req); err != nil || req.Version == 0 { // goose's own
		return err
	}
	_, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+reachTable+` (id BIGINT PRIMARY KEY, oldest BIGINT NOT NULL)`)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO `+reachTable+` (id, oldest) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET oldest = $1`, v.reach[req.Version])
	return err
}
