package store

import (
	"context"
	"errors"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/sqldb"
)

// Take takes one attempt from the key's bucket and answers 0, or takes nothing and
// answers how long to wait. It is GCRA with one moment per key, so that one
// conditional statement decides, on any number of replicas: [account.Rate.Take] in
// SQL.
func (s *Store) Take(ctx context.Context, key [32]byte, r account.Rate, now time.Time) (wait time.Duration, err error) {
	every := r.Every.Microseconds()
	slack := int64(r.Burst-1) * every
	err = s.write(ctx, func(ctx context.Context, t *tx) error {
		wait = 0
		var fullAt int64
		err := t.QueryRow(ctx, `INSERT INTO throttles (key, full_at) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE SET full_at = CASE WHEN throttles.full_at > $3 AND throttles.full_at <= $6 THEN throttles.full_at ELSE $3 END + $4
			WHERE throttles.full_at <= $5 OR throttles.full_at > $6 RETURNING full_at`,
			key[:], micros(now)+every, micros(now), every, micros(now)+slack, micros(now.Add(r.Span()+account.ClockFault))).Scan(&fullAt)
		if err == nil {
			return t.expire(ctx, "throttles", "key", "full_at", micros(now))
		}
		if !errors.Is(err, sqldb.ErrNoRows) {
			return err
		}
		if err := t.QueryRow(ctx, `SELECT full_at FROM throttles WHERE key = $1`, key[:]).Scan(&fullAt); err != nil {
			return err
		}
		wait = time.Duration(fullAt-slack-micros(now)) * time.Microsecond
		return nil
	})
	return wait, err
}

// Forgive empties the key's bucket of what was taken: after a success, the
// attempts before it were not guesses.
func (s *Store) Forgive(ctx context.Context, key [32]byte) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `DELETE FROM throttles WHERE key = $1`, key[:])
		return err
	})
}

// GiveBack puts one attempt back into the key's bucket: it was a success.
func (s *Store) GiveBack(ctx context.Context, key [32]byte, r account.Rate) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE throttles SET full_at = full_at - $1 WHERE key = $2`, r.Every.Microseconds(), key[:])
		return err
	})
}
