package store

import (
	"context"
	"errors"
	"time"

	"gatelodge/internal/sqldb"
)

// PushedLifetime is how long a pushed authorization request waits for its user's
// browser (RFC 9126 section 2.2).
const PushedLifetime = 90 * time.Second

// PushRequest keeps the sealed parameters of an authorization request under the
// digest of its id. It answers ErrNotFound when the profile has ended. When the outcome
// of the commit is unknown, it is made again: nobody else knows the id yet.
func (s *Store) PushRequest(ctx context.Context, id [32]byte, profileID int64, sealed []byte, now time.Time) error {
	return s.settle(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `INSERT INTO pushed_requests (id, profile_id, sealed, expires_at) SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM profiles WHERE id = $2)
			ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed`,
			id[:], profileID, sealed, micros(now.Add(PushedLifetime)))
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		return t.expire(ctx, "pushed_requests", "id", "expires_at", micros(now))
	})
}

// TakeRequest gives a profile's pushed request to one caller and to nobody after
// (RFC 9126 section 7.3). Another profile's request is not found and stays. When the
// outcome of the commit is unknown, it is made again; a request that is gone by then
// was this caller's, who had it in hand. If another came in between, both have it, as a
// browser would that loads the page once more (section 4 allows that).
func (s *Store) TakeRequest(ctx context.Context, id [32]byte, profileID int64, now time.Time) (sealed []byte, err error) {
	err = s.settle(ctx, func(ctx context.Context, t *tx) error {
		err := t.QueryRow(ctx, `DELETE FROM pushed_requests WHERE id = $1 AND profile_id = $2 AND expires_at > $3 RETURNING sealed`,
			id[:], profileID, micros(now)).Scan(&sealed)
		if errors.Is(err, sqldb.ErrNoRows) && sealed != nil {
			return nil
		}
		return notFound(err)
	})
	if err != nil {
		return nil, err // also when it was perhaps taken: then nobody has it
	}
	return sealed, nil
}
