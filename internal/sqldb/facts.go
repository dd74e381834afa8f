package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// Facts is what an operator wants to know of a database. What is not of the
// dialect is left at its zero value.
type Facts struct {
	Version string // of the database's program

	// PostgreSQL.
	Clock             time.Time // the server's, read between Asked and Answered
	Asked, Answered   time.Time
	ReadOnly          bool // a standby, or set so
	SynchronousCommit string
	Isolation         string // default of transactions
	Fsync             string
	MaxConnections    int
	Connections       int // open now, everybody's

	// SQLite.
	JournalMode string
	Damage      []string // what quick_check found
	Size        int64    // of the file
	Free        int64    // of the disk, -1 where that is not known
}

// PoolLimit is how many connections this program opens at most.
func (db *DB) PoolLimit() int { return db.pool.Stats().MaxOpenConnections }

// Facts looks at the database. On SQLite it reads the whole file.
func (db *DB) Facts(ctx context.Context) (Facts, error) {
	if db.dialect == Postgres {
		return db.postgresFacts(ctx)
	}
	return db.sqliteFacts(ctx)
}

func (db *DB) postgresFacts(ctx context.Context) (Facts, error) {
	f := Facts{Asked: time.Now()}
	var micros int64
	err := db.pool.QueryRowContext(ctx, `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
		current_setting('server_version'), pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
		current_setting('synchronous_commit'), current_setting('default_transaction_isolation'), current_setting('fsync'),
		current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')`).Scan(
		&micros, &f.Version, &f.ReadOnly, &f.SynchronousCommit, &f.Isolation, &f.Fsync, &f.MaxConnections, &f.Connections)
	f.Answered, f.Clock = time.Now(), time.UnixMicro(micros)
	return f, err
}

func (db *DB) sqliteFacts(ctx context.Context) (Facts, error) {
	var f Facts
	var path string
	err := db.pool.QueryRowContext(ctx, `SELECT sqlite_version(), (SELECT journal_mode FROM pragma_journal_mode), (SELECT file FROM pragma_database_list WHERE name = 'main')`).Scan(&f.Version, &f.JournalMode, &path)
	if err != nil {
		return f, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return f, err
	}
	f.Size, f.Free = info.Size(), freeBytes(path)
	f.Damage, err = damage(ctx, db.pool, `PRAGMA quick_check(5)`)
	return f, err
}

// damage runs a check of SQLite's, which answers "ok" or what is wrong.
func damage(ctx context.Context, pool *sql.DB, check string) (found []string, err error) {
	rows, err := pool.QueryContext(ctx, check)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, fmt.Errorf("check: %w", err)
		}
		if line != "ok" {
			found = append(found, line)
		}
	}
	return found, rows.Err()
}
