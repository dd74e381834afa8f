package store

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/binary"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"time"

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
	ErrNotFound = errors.New("slate: not found")
	// ErrTaken: there is one already.
	ErrTaken = errors.New("slate: there already")
	// ErrLastManager: an account keeps somebody who may manage it.
	ErrLastManager = errors.New("slate: the last one who may manage the account")
)

// IsUnavailable reports whether err says no more than that the database cannot answer
// now, or that it is not known whether a write was made.
func IsUnavailable(err error) bool { return sqldb.IsUnavailable(err) }

// Store holds every query. It is safe for concurrent use.
type Store struct {
	db    *sqldb.DB
	lists *lists

	mu   sync.Mutex // guards last
	last int64
}

// New gives the queries of a migrated database.
func New(db *sqldb.DB) *Store { return &Store{db: db, lists: newLists(maxKept, maxPages)} }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.QueryRow(ctx, `SELECT 1`).Scan(&one)
}

// nextID makes ids that ascend in time: milliseconds since 2024 and random bits below.
func (s *Store) nextID(now time.Time) int64 {
	var b [8]byte
	rand.Read(b[:])
	const random = 20
	id := (now.UnixMilli()-1_704_067_200_000)<<random | int64(binary.BigEndian.Uint64(b[:])&(1<<random-1))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(id, s.last+1)
	return s.last
}

// Secret is random bytes that the database keeps under a name, made when they are
// first asked for.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	err := s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		_, err := t.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, fresh)
		return err
	})
	if err != nil {
		return nil, err
	}
	var kept []byte
	err = s.db.QueryRow(ctx, `SELECT value FROM meta WHERE name = $1`, name).Scan(&kept)
	return kept, err
}

type scanner interface{ Scan(dest ...any) error }

// querier is a database or a transaction.
type querier interface {
	rows(ctx context.Context, text string, args []any) (rows, error)
}

type rows interface {
	scanner
	Next() bool
	Err() error
	Close() error
}

type outside struct{ *sqldb.DB }

func (o outside) rows(ctx context.Context, text string, args []any) (rows, error) {
	return o.Query(ctx, text, args...)
}

type inside struct{ *sqldb.Tx }

func (i inside) rows(ctx context.Context, text string, args []any) (rows, error) {
	return i.Query(ctx, text, args...)
}

func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), text string, args ...any) ([]T, error) {
	r, err := q.rows(ctx, text, args)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all []T
	for r.Next() {
		v, err := scan(r)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, r.Err()
}

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

func flag(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func notFound(err error) error {
	if errors.Is(err, sqldb.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// need turns "no row was touched" into ErrNotFound.
func need(touched int64, err error) error {
	if err == nil && touched == 0 {
		return ErrNotFound
	}
	return err
}

// emailKey is how addresses are compared.
func emailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// Actor is who does something, when; 0 is the operator.
type Actor struct {
	PersonID int64
	At       time.Time
}

// Event is one thing that was done in an account.
type Event struct {
	Kind, Detail, Actor string
	At                  time.Time
}

func (s *Store) event(ctx context.Context, t *sqldb.Tx, accountID int64, by Actor, kind, detail string) error {
	_, err := t.Exec(ctx, `INSERT INTO events (id, account_id, actor_id, kind, detail, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		s.nextID(by.At), accountID, by.PersonID, kind, detail, micros(by.At))
	return err
}

// Events lists what was done in an account, the newest first.
func (s *Store) Events(ctx context.Context, accountID int64, limit int) ([]Event, error) {
	return collect(ctx, outside{s.db}, func(r scanner) (Event, error) {
		var e Event
		var at int64
		err := r.Scan(&e.Kind, &e.Detail, &e.Actor, &at)
		e.At = fromMicros(at)
		return e, err
	}, `SELECT e.kind, e.detail, COALESCE(p.name, ''), e.at FROM events AS e LEFT JOIN people AS p ON p.id = e.actor_id WHERE e.account_id = $1 ORDER BY e.id DESC LIMIT $2`, accountID, limit)
}
