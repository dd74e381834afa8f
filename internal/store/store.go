package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"gatelodge/internal/keyring"
	"gatelodge/internal/sqldb"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations is the schema's history, with sqldb's type tokens.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

var (
	// ErrNotFound: there is no such row, or it is not the caller's to see.
	ErrNotFound = errors.New("store: not found")
	// ErrEmailTaken: another account has this address.
	ErrEmailTaken = errors.New("store: e-mail address is taken")
	// ErrHomeTaken: this home is another account's.
	ErrHomeTaken = errors.New("store: home is taken")
	// ErrStale: the row was changed since the caller read it.
	ErrStale = errors.New("store: changed by somebody else meanwhile")
	// ErrNameTaken: the name or identifier belongs to something else.
	ErrNameTaken = errors.New("store: name is taken")
	// ErrInUse: something else depends on it.
	ErrInUse = errors.New("store: in use")
	// ErrTooMany: a stated limit would be passed.
	ErrTooMany = errors.New("store: limit reached")
)

// Store holds every query. It is safe for concurrent use.
type Store struct {
	db   *sqldb.DB
	ring *keyring.Ring
	ids  ids

	swept swept

	mu        sync.Mutex
	observers []func([]Change)
}

// New gives the queries of a migrated database. Secrets in columns are sealed
// with ring.
func New(db *sqldb.DB, ring *keyring.Ring) *Store {
	return &Store{db: db, ring: ring}
}

// Observe calls fn with the changes of each transaction that this process
// commits, after the commit and before the writer's caller is answered.
func (s *Store) Observe(fn func([]Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observers = append(s.observers, fn)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.QueryRow(ctx, `SELECT 1`).Scan(&one)
}

// tx is a write transaction that gathers the changes it makes.
type tx struct {
	*sqldb.Tx
	store   *Store
	changes []Change
	eventID int64 // of the first event, 0 for any
}

func (t *tx) changed(kind ChangeKind, id int64) {
	t.changes = append(t.changes, Change{Kind: kind, Subject: idSubject(id)})
}

// write runs fn in one transaction. What fn says it changed is appended to the
// feed as the transaction's last statements and told to the observers after the
// commit.
func (s *Store) write(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	var done []Change
	err := s.db.Write(ctx, func(ctx context.Context, raw *sqldb.Tx) error {
		t := &tx{Tx: raw, store: s}
		if err := fn(ctx, t); err != nil {
			return err
		}
		if err := t.appendChanges(ctx); err != nil {
			return err
		}
		done = t.changes
		return nil
	})
	if len(done) > 0 && (err == nil || errors.Is(err, sqldb.ErrOutcomeUnknown)) {
		s.mu.Lock()
		observers := s.observers
		s.mu.Unlock()
		for _, fn := range observers {
			fn(done)
		}
	}
	return err
}

// IsUnavailable reports whether err says no more than that the database cannot answer
// now. What is asked again may succeed; whatever else went wrong will go wrong again.
func IsUnavailable(err error) bool { return sqldb.IsUnavailable(err) }

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// storable is s as both databases take it: PostgreSQL refuses text with NUL or with
// bytes that are not UTF-8, which strangers can send, and SQLite keeps them.
func storable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

func notFound(err error) error {
	if errors.Is(err, sqldb.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// need turns "no row was touched" into err.
func need(rows int64, err, otherwise error) error {
	if err != nil {
		return err
	}
	if rows == 0 {
		return otherwise
	}
	return nil
}

// key makes fixed-size bytes out of a column, or an error that names it.
func fixed(dst []byte, src []byte, column string) error {
	if len(src) != len(dst) {
		return fmt.Errorf("store: %s has %d bytes, want %d", column, len(src), len(dst))
	}
	copy(dst, src)
	return nil
}
