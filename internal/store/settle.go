package store

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"gatelodge/internal/sqldb"
)

const (
	// settleFor is how long a write whose outcome is unknown is asked about: longer than
	// it takes to make a standby the primary, and shorter than proxies wait for an
	// answer. Whoever is told "later" instead comes back to find that it was done and
	// cannot be done again.
	settleFor = 40 * time.Second
	// settleEvery is how often.
	settleEvery = 250 * time.Millisecond
)

// settle is write for what can happen only once and has to tell its own work from
// another's, such as by the attempt that a row names: when the outcome of the commit
// is unknown, fn is run again until an answer comes.
//
// It is run again and not only read back, since what is read is less sure. A commit
// that is still on its way cannot be seen, and a primary that fails can show one that
// its successor does not have; but when the second commit is answered, what it has
// found or made is durable everywhere ([Store.again] sees to that).
func (s *Store) settle(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	return s.again(ctx, s.write(ctx, fn), fn)
}

// settleEvent is settle for what is remembered as an event, and so for nearly all that
// people do on pages: the event's id, chosen before, names the attempt. fn need not
// know its own work. It is run again only if the attempt before was undone, so what it
// gave its caller is of the one that counts.
func (s *Store) settleEvent(ctx context.Context, now time.Time, fn func(ctx context.Context, t *tx) error) error {
	id := s.ids.next(now)
	attempt := func(ctx context.Context, t *tx) error {
		t.eventID = id
		return fn(ctx, t)
	}
	return s.again(ctx, s.write(ctx, attempt), func(ctx context.Context, t *tx) error {
		if done, err := t.happened(ctx, id); err != nil || done {
			return err
		}
		return attempt(ctx, t)
	})
}

// happened reports whether there is the event with this id. A transaction that is about
// to remember it is waited for: the id is taken for a moment, which only one can.
func (t *tx) happened(ctx context.Context, id int64) (bool, error) {
	rows, err := t.Exec(ctx, `INSERT INTO events (id, kind, at, account_id, actor_id, profile_id, detail, address, request_id)
		VALUES ($1, '', 0, 0, 0, 0, '', '', '') ON CONFLICT (id) DO NOTHING`, id)
	if err != nil || rows == 0 {
		return rows == 0, err
	}
	_, err = t.Exec(ctx, `DELETE FROM events WHERE id = $1`, id)
	return false, err
}

// statement is one that is a whole transaction.
type statement struct {
	text string
	args []any
}

// settleFirst is settle where one statement is most often all. It is made alone first,
// which PostgreSQL answers in a third of the time, and reports whether that changed a
// row. If not, or if nobody knows, fn is run, which has to make it once more.
func (s *Store) settleFirst(ctx context.Context, alone statement, fn func(ctx context.Context, t *tx) error) (done bool, err error) {
	rows, err := s.db.Exec(ctx, alone.text, alone.args...)
	switch {
	case err != nil:
		return false, s.again(ctx, err, fn)
	case rows == 0:
		return false, s.settle(ctx, fn)
	}
	return true, nil
}

// again runs fn until an answer comes, if the outcome of what was tried is unknown.
// Each run writes something, whatever fn finds: PostgreSQL waits for its standbys only
// at the commit of a transaction that has written.
func (s *Store) again(ctx context.Context, unknown error, fn func(ctx context.Context, t *tx) error) error {
	if !errors.Is(unknown, sqldb.ErrOutcomeUnknown) {
		return unknown
	}
	sure := func(ctx context.Context, t *tx) error {
		if err := fn(ctx, t); err != nil {
			return err
		}
		// The row that is locked last in any case (changes.go).
		_, err := t.Exec(ctx, `UPDATE feed SET newest = newest WHERE id = 1`)
		return err
	}
	within, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	for {
		if err := s.write(within, sure); err == nil || !sqldb.IsUnavailable(err) {
			return err
		}
		select {
		case <-time.After(settleEvery):
		case <-within.Done():
			return unknown
		}
	}
}

// newAttempt names an attempt at what only one caller can have.
func newAttempt() (attempt [16]byte) {
	rand.Read(attempt[:])
	return attempt
}
