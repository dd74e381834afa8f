// Package sqldb owns the mechanics of both SQL dialects: opening, connection
// pools, transactions, migrations and the classes of errors. It knows no table.
//
// One SQL text serves SQLite and PostgreSQL. Parameters are written $1, $2, …
// and are bound by number. SQL texts are constants: on SQLite each text is
// prepared once and kept for as long as the database is open.
//
// On SQLite there is one writing connection, and writes that wait for it share
// one commit (see [DB.Write]; on PostgreSQL those of [DB.Exec] do); reads go to a
// pool of read-only connections and see what was committed when they began. Other
// processes may read and write the same file at the same time. An empty BLOB reads back as a nil slice on SQLite
// and as an empty one on PostgreSQL.
package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"modernc.org/sqlite"
)

// Dialect is the kind of database behind a DB.
type Dialect int

const (
	SQLite Dialect = iota
	Postgres
)

func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case Postgres:
		return "PostgreSQL"
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

const (
	// sqliteReaders is the number of read-only connections. Each costs up to
	// 2 MB of page cache; reads are short, so more would only queue for cores.
	sqliteReaders = 4

	// walKept is the size that the -wal file is cut back to. It is about 4 MB as long
	// as reads are short.
	walKept = 16 << 20

	// postgresConns leaves room for several replicas under PostgreSQL's default
	// of 100 connections. Beside them are those of Exec, Watch and Listen.
	postgresConns    = 20
	postgresIdleTime = 5 * time.Minute

	// connectTimeout is how long one host may take to let us in, unless the URL says
	// otherwise: with several, those that are down must not hold up the one that is not.
	connectTimeout = 2 * time.Second

	// busyTimeout is how long a SQLite connection waits for another process.
	busyTimeout = 10 * time.Second

	// writeBound is how long the statements of one Write may take.
	writeBound = 10 * time.Second
)

// Config says which database to open.
type Config struct {
	Path string // SQLite file; made with mode 0600 if there is none, its folder must exist
	URL  string // postgres://…; when set, Path is ignored

	// Wrap, when set, wraps what makes the driver's connections. It is for tests
	// that count or fail driver calls.
	Wrap func(driver.Connector) driver.Connector
}

// DB is an open database. Its methods are safe for concurrent use.
type DB struct {
	dialect Dialect

	// pool is all connections on PostgreSQL and the read-only ones on SQLite.
	pool       *sql.DB
	statements sync.Map // SQL text → *sql.Stmt on pool; SQLite only

	watch     *sql.DB         // of one connection, for Watch; PostgreSQL only
	listening *pgx.ConnConfig // makes Listen's connections; PostgreSQL only

	writing driver.Connector // makes connections that may write
	writer  *writer          // nil on PostgreSQL
	sharer  *sharer          // nil on SQLite
	meter   *meter
	lock    *os.File // shared by all who have the file open; SQLite only
}

// Open opens the database of cfg and checks that it answers.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.URL != "" {
		return openPostgres(ctx, cfg)
	}
	return openSQLite(ctx, cfg)
}

func (cfg Config) wrap(c driver.Connector) driver.Connector {
	if cfg.Wrap == nil {
		return c
	}
	return cfg.Wrap(c)
}

func openPostgres(ctx context.Context, cfg Config) (*DB, error) {
	// pgx takes the password out of what it says of a URL that does not parse.
	config, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", err)
	}
	harden(config)
	var primaries primaries
	sharing := config.Copy()
	if _, set := sharing.RuntimeParams["lock_timeout"]; !set {
		sharing.RuntimeParams["lock_timeout"] = sharedLockTimeout
	}
	connector := cfg.wrap(primaries.connector(config))
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	pool.SetConnMaxIdleTime(postgresIdleTime)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), pool.Close())
	}
	watch := sql.OpenDB(connector)
	watch.SetMaxOpenConns(1)
	meter := newMeter()
	return &DB{
		dialect: Postgres, pool: pool, watch: watch, listening: config, writing: connector, meter: meter,
		sharer: startSharer(cfg.wrap(batching{primaries.connector(sharing)}), meter),
	}, nil
}

func openSQLite(ctx context.Context, cfg Config) (_ *DB, err error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	lock, err := lockFile(path, shared)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	// SQLite gives its -wal and -shm files the mode of the file itself. O_EXCL,
	// because closing a descriptor of a file that this process has open drops
	// the POSIX locks that SQLite holds on it.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		err = file.Close()
	case errors.Is(err, fs.ErrExist):
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}

	writing, err := sqliteConnector(path, url.Values{
		"_txlock":       {"immediate"}, // so that a transaction cannot fail with BUSY after its first statement
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"}, // a commit that was answered survives the loss of power
		// A read that takes long, such as a backup, lets the -wal file grow. SQLite would
		// keep it at that size.
		"_pragma": {"journal_size_limit(" + strconv.Itoa(walKept) + ")"},
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	// Not mode=ro: after such a connection the -wal file can stay behind on Close.
	reading, err := sqliteConnector(path, url.Values{"_query_only": {"on"}})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	writing, reading = cfg.wrap(writing), cfg.wrap(reading)

	// The writer first: it turns WAL on, which a reader may not.
	meter := newMeter()
	w, err := startWriter(ctx, writing, meter)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool := sql.OpenDB(reading)
	pool.SetMaxOpenConns(sqliteReaders)
	pool.SetMaxIdleConns(sqliteReaders)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), pool.Close(), w.stop())
	}
	return &DB{dialect: SQLite, pool: pool, writing: writing, writer: w, meter: meter, lock: lock}, nil
}

func sqliteConnector(path string, query url.Values) (driver.Connector, error) {
	query.Set("_busy_timeout", strconv.FormatInt(busyTimeout.Milliseconds(), 10))
	query.Set("_foreign_keys", "on")
	query.Set("_dqs", "false") // "x" is a name, never a string, as on PostgreSQL
	uri := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	return sqlite.NewConnector(uri.String())
}

// Close waits for the write in progress, refuses those that wait, and closes all
// connections.
func (db *DB) Close() error {
	err := db.pool.Close()
	if db.watch != nil {
		err = errors.Join(err, db.watch.Close())
	}
	if db.sharer != nil {
		err = errors.Join(err, db.sharer.stop())
	}
	if db.writer != nil {
		// The writing connection last: the last one to close empties the -wal file.
		err = errors.Join(err, db.writer.stop())
	}
	if db.lock != nil {
		err = errors.Join(err, db.lock.Close())
	}
	return err
}

// Dialect returns the kind of database this is.
func (db *DB) Dialect() Dialect { return db.dialect }
