package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/sqldb"
)

// ChangeKind says what a change concerns.
type ChangeKind int64

const (
	ProfileChanged ChangeKind = iota + 1
	GrantChanged
	AccountChanged
	SessionChanged
	KeysChanged
	ScopesChanged
	// DeviceEnded: a device client of a profile was removed.
	DeviceEnded
	// LogoutsDue makes nothing old: applications wait to be told that somebody, the
	// subject, has signed out.
	LogoutsDue
)

// Change is one entry of the feed: something that a view of the database must
// forget. Subject is the id (8 bytes) or, of a session, the digest. Of a grant that
// has ended its scopes follow, so that those whom it concerns can be told.
type Change struct {
	Number  int64
	Kind    ChangeKind
	Subject string
}

func idSubject(id int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

// ID is the subject of a change whose subject is an id.
func (c Change) ID() int64 {
	if c.Kind == SessionChanged || len(c.Subject) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64([]byte(c.Subject[:8])))
}

// Scopes are those of a grant that has ended, if it was ended for itself and not with
// its account or its profile.
func (c Change) Scopes() (oauth.ScopeSet, bool) {
	if c.Kind != GrantChanged || len(c.Subject) <= 8 {
		return oauth.ScopeSet{}, false
	}
	scopes, err := oauth.ParseScopeSet([]byte(c.Subject[8:]))
	return scopes, err == nil
}

// keptChanges is how many entries the feed keeps. A reader that is further behind
// has to forget everything.
const keptChanges = 10_000

// trimEvery is how many entries may be there beyond keptChanges.
const trimEvery = 100

func (t *tx) appendChanges(ctx context.Context) error {
	if len(t.changes) == 0 {
		return nil
	}
	// Told at the commit, wherever it is called: here it does not lengthen the time
	// for which the feed is locked.
	if err := t.Notify(ctx); err != nil {
		return fmt.Errorf("store: notify: %w", err)
	}
	n := int64(len(t.changes))
	var newest int64
	if err := t.QueryRow(ctx, `UPDATE feed SET newest = newest + $1 WHERE id = 1 RETURNING newest`, n).Scan(&newest); err != nil {
		return fmt.Errorf("store: number changes: %w", err)
	}
	for i := range t.changes {
		c := &t.changes[i]
		c.Number = newest - n + int64(i) + 1
		if _, err := t.Exec(ctx, `INSERT INTO changes (number, kind, subject) VALUES ($1, $2, $3)`, c.Number, int64(c.Kind), []byte(c.Subject)); err != nil {
			return fmt.Errorf("store: append change: %w", err)
		}
	}
	// Everybody else's changes wait for this commit, so most of them do not trim.
	if newest/trimEvery == (newest-n)/trimEvery {
		return nil
	}
	_, err := t.Exec(ctx, `DELETE FROM changes WHERE number <= $1`, newest-keptChanges)
	return err
}

// Cursor is a place in the feed of one life of the database. Epoch differs after
// a restore from a backup.
type Cursor struct {
	Epoch  string
	Number int64
}

// Feed reads what has come after the cursor, in order. Reload is set when the
// entries in between are gone, or the database is another than the cursor's: all
// that was read before has to be forgotten. Next is where to go on.
type Feed struct {
	Changes []Change
	Next    Cursor
	Reload  bool
}

// Changes reads the feed behind after.
func (s *Store) Changes(ctx context.Context, after Cursor) (Feed, error) {
	var f Feed
	err := s.db.Read(ctx, func(t *sqldb.Tx) error {
		var err error
		f, err = readFeed(ctx, t, after)
		return err
	})
	return f, err
}

// WatchChanges is Changes for the one reader of a process that keeps its view true.
// It does not wait for the others, gives up when the database has not answered within
// the time, and tells how far the database's clock is ahead of this machine's.
func (s *Store) WatchChanges(ctx context.Context, after Cursor, within time.Duration) (f Feed, ahead time.Duration, err error) {
	ahead, err = s.db.Watch(ctx, within, func(t *sqldb.Tx) error {
		var err error
		f, err = readFeed(ctx, t, after)
		return err
	})
	return f, ahead, err
}

// Listen calls heard when it listens, and then soon after each commit that appended to
// the feed, as far as that can be heard. It returns when ctx ends or it cannot hear any
// more.
func (s *Store) Listen(ctx context.Context, heard func()) error { return s.db.Listen(ctx, heard) }

func readFeed(ctx context.Context, t *sqldb.Tx, after Cursor) (Feed, error) {
	newest, err := readCursor(ctx, t)
	f := Feed{Next: newest}
	if err != nil || newest == after {
		return f, err
	}
	if newest.Epoch != after.Epoch || newest.Number < after.Number || newest.Number-after.Number > keptChanges {
		f.Reload = true
		return f, nil
	}
	rows, err := t.Query(ctx, `SELECT number, kind, subject FROM changes WHERE number > $1 ORDER BY number`, after.Number)
	if err != nil {
		return f, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Change
		var subject []byte
		if err := rows.Scan(&c.Number, &c.Kind, &subject); err != nil {
			return f, err
		}
		c.Subject = string(subject)
		f.Changes = append(f.Changes, c)
	}
	return f, rows.Err()
}

func readCursor(ctx context.Context, t *sqldb.Tx) (Cursor, error) {
	var epoch []byte
	var c Cursor
	err := t.QueryRow(ctx, `SELECT epoch, newest FROM feed WHERE id = 1`).Scan(&epoch, &c.Number)
	c.Epoch = string(epoch)
	return c, err
}

// snapshot runs fn in one read transaction and says which changes fn has seen.
func (s *Store) snapshot(ctx context.Context, fn func(ctx context.Context, t *sqldb.Tx) error) (Cursor, error) {
	var at Cursor
	err := s.db.Read(ctx, func(t *sqldb.Tx) error {
		var err error
		if at, err = readCursor(ctx, t); err != nil {
			return err
		}
		return fn(ctx, t)
	})
	return at, notFound(err)
}
