package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lockSuffix makes the name of the file that is locked beside a SQLite database.
const lockSuffix = "-lock"

// ErrInUse: another process has the database open, or is replacing it.
var ErrInUse = errors.New("another process is using the database")

// Backup writes a copy of a SQLite database, as of one moment, to a new file of
// mode 0600 that is whole and on the disk when Backup returns nil; otherwise there
// is none. The database goes on being read and written meanwhile. A file that is
// there is never replaced: the error is then fs.ErrExist.
func (db *DB) Backup(ctx context.Context, path string) (err error) {
	if db.dialect != SQLite {
		return errors.New("backup: this is for SQLite")
	}
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "backup", Path: path, Err: fs.ErrExist}
	}
	// In a folder of its own until it is whole: under its name nobody finds half of it.
	folder, err := os.MkdirTemp(filepath.Dir(path), ".backup-*")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	copied := filepath.Join(folder, filepath.Base(path))
	if err := db.vacuumInto(ctx, copied); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := settle(copied); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	// Taking the name with O_EXCL is what keeps a file that came meanwhile.
	name, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := errors.Join(name.Close(), os.Rename(copied, path)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return settleFolder(path)
}

// vacuumInto copies on a connection of its own, in one read transaction. The copy is
// as small as it can be.
func (db *DB) vacuumInto(ctx context.Context, path string) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	pool := sql.OpenDB(db.writing)
	defer func() { err = errors.Join(err, pool.Close()) }()
	_, err = pool.ExecContext(ctx, `VACUUM INTO $1`, path)
	return err
}

// settle makes what is in a file survive the loss of power.
func settle(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// settleFolder does the same for the names in the folder of path.
func settleFolder(path string) error {
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// OpenBackup opens a file that Backup wrote, for reading; nothing is written to it
// or beside it. A copy of the files of a database in use is refused: what is in its
// -wal file would be missing.
func OpenBackup(ctx context.Context, path string) (*DB, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, fmt.Errorf("%s is not a backup: it is empty, or no file", path)
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return nil, fmt.Errorf("%s is not a backup but the file of a database in use: part of it is in %s-wal", path, filepath.Base(path))
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	reading, err := sqliteConnector(full, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_query_only": {"on"}})
	if err != nil {
		return nil, err
	}
	db := &DB{dialect: SQLite, pool: sql.OpenDB(reading), writing: reading, meter: newMeter()}
	db.pool.SetMaxOpenConns(sqliteReaders)
	if err := db.Check(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.pool.Close())
	}
	return db, nil
}

// Check reads a whole SQLite database and says whether it is sound.
func (db *DB) Check(ctx context.Context) error {
	found, err := damage(ctx, db.pool, `PRAGMA integrity_check(5)`)
	if err != nil {
		return fmt.Errorf("the file cannot be read as a database: %w", err)
	}
	if len(found) > 0 {
		return fmt.Errorf("the file is damaged: %s", strings.Join(found, "; "))
	}
	return nil
}

// Restore puts a backup in the place of the SQLite database at path, whole or not at
// all. Before that, prepare works on a copy that is open as a database of its own;
// its error leaves everything as it was. What was there before is kept under the
// name that Restore returns, "" if there was nothing.
//
// It answers ErrInUse when another process has the database open.
func Restore(ctx context.Context, backup, path string, now time.Time, prepare func(context.Context, *DB) error) (kept string, err error) {
	lock, err := lockFile(path, alone)
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	old := true
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		old = false
	} else if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), ".restore-*")
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	fresh := filepath.Join(folder, filepath.Base(path))
	if err := copyFile(fresh, backup); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if err := prepareCopy(ctx, fresh, prepare); err != nil {
		return "", err
	}
	if err := settle(fresh); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if old {
		kept = path + ".replaced-" + now.UTC().Format("20060102T150405Z")
		if err := setAside(ctx, path, kept); err != nil {
			return "", fmt.Errorf("restore: %w", err)
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return kept, fmt.Errorf("restore: %w", err)
	}
	return kept, settleFolder(path)
}

func prepareCopy(ctx context.Context, path string, prepare func(context.Context, *DB) error) error {
	db, err := Open(ctx, Config{Path: path})
	if err != nil {
		return err
	}
	if err := errors.Join(prepare(ctx, db), db.Close()); err != nil {
		return err
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return errors.New("restore: the copy could not be closed")
	}
	return nil
}

// setAside gives the database at path a second name, so that there is one at path
// until the other takes its place. A -wal file must not stay: SQLite would play it
// into the other database. So it is merged first, which also finds out whether a
// program has the database open that knows nothing of the lock.
func setAside(ctx context.Context, path, kept string) error {
	// Nor may one that was kept by a restore in the same second.
	if _, err := os.Lstat(kept); err == nil {
		return &fs.PathError{Op: "keep", Path: kept, Err: fs.ErrExist}
	}
	switch err := mergeWAL(ctx, path); {
	case err == nil:
	case isBusy(err):
		return ErrInUse
	default: // it is damaged, which may be why there is a restore
		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Rename(path+suffix, kept+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := os.Link(path, kept); err != nil {
		return os.Rename(path, kept) // a file system without links
	}
	return nil
}

func mergeWAL(ctx context.Context, path string) (err error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	// Leaving WAL mode takes the database alone.
	c, err := sqliteConnector(full, url.Values{})
	if err != nil {
		return err
	}
	pool := sql.OpenDB(c)
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	if _, err := pool.ExecContext(ctx, `PRAGMA busy_timeout = 0`); err != nil {
		return err
	}
	var mode string
	if err := pool.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode); err != nil {
		return err
	}
	return nil
}

func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (primary(e) == sqlite3.SQLITE_BUSY || primary(e) == sqlite3.SQLITE_LOCKED)
}

func copyFile(to, from string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, source)
	return errors.Join(err, f.Sync(), f.Close())
}
