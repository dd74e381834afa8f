package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrNoRows is what Scan returns when there is no row.
	ErrNoRows = sql.ErrNoRows

	// ErrOutcomeUnknown is wrapped by the error of a Write whose COMMIT may or may
	// not have taken effect. The caller finds out by reading.
	ErrOutcomeUnknown = errors.New("outcome of commit is unknown")

	errClosed = errors.New("database is closed")
	errLost   = errors.New("transaction shared with a write that lost it")
)

// IsUnique reports whether err is the violation of a primary key or a UNIQUE
// constraint.
func IsUnique(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
			return true
		}
	}
	return hasCode(err, "23505") // unique_violation
}

// IsMissing reports whether err is the violation of a foreign key: the row that another
// was to belong to has gone.
func IsMissing(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
	}
	return hasCode(err, "23503") // foreign_key_violation
}

// IsUnavailable reports whether err says that the database cannot answer now:
// the connection was lost, it is busy, its disk fails or is full, it is a standby
// by now, or time ran out. The same call may succeed later.
func IsUnavailable(err error) bool {
	for _, target := range []error{
		context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF,
		ErrOutcomeUnknown, errClosed, errLost,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch primary(e) {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT,
			sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
			return true
		}
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true // whatever the server says to it: it let us in when this program started
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40003", "40P01", // serialization failure, completion unknown, deadlock
			lockNotAvailable, readOnly:
			return true
		}
		// Connection, resources, operator intervention (shutdown), system.
		class := e.Code[:min(2, len(e.Code))]
		return class == "08" || class == "53" || class == "57" || class == "58"
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return pgconn.SafeToRetry(err) // nothing was sent: the connection was gone already
}

// readOnly is what a server answers to a write that has become a standby under a
// connection of ours.
const readOnly = "25006"

// onStandby reports whether the connection that err came from leads to a standby.
func onStandby(err error) bool { return hasCode(err, readOnly) }

// lockNotAvailable is what a statement ends with that waited for longer than
// lock_timeout.
const lockNotAvailable = "55P03"

func hasCode(err error, code string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == code
}

// commitError says what a failed COMMIT means.
func commitError(err error) error {
	if refused(err) {
		return fmt.Errorf("commit: %w", err)
	}
	return fmt.Errorf("commit: %w: %w", ErrOutcomeUnknown, err)
}

// refused reports whether err is the database's own answer that it did not
// commit. Everything else, such as a lost connection, leaves the outcome open.
func refused(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		// When syncing the -wal file fails, the commit record may be on disk all
		// the same and be found after a crash.
		return primary(e) != sqlite3.SQLITE_IOERR
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// FATAL ends the connection and may come after the commit; 08 and 40003 say
		// themselves that the outcome is unknown.
		return e.SeverityUnlocalized == "ERROR" && !strings.HasPrefix(e.Code, "08") && e.Code != "40003"
	}
	return errors.Is(err, pgx.ErrTxCommitRollback)
}

func primary(e *sqlite.Error) int { return e.Code() & 0xff }
