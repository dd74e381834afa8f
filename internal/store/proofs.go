package store

import (
	"context"
	"time"
)

// UseProof counts a client assertion or a DPoP proof, which are good for one request
// (RFC 7523 section 3, RFC 9449 section 11.1). It reports whether this caller is the
// first one with the digest. until is when nobody would take the proof any more, so
// that it need not be remembered. When the outcome of the commit is unknown, the
// attempt is made again: the row names the one that made it.
func (s *Store) UseProof(ctx context.Context, digest [32]byte, until, now time.Time) (first bool, err error) {
	attempt := newAttempt()
	err = s.settle(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `INSERT INTO proofs (digest, attempt, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (digest) DO UPDATE SET attempt = excluded.attempt WHERE proofs.attempt = excluded.attempt`,
			digest[:], attempt[:], micros(until))
		if first = rows == 1; err != nil || !first {
			return err
		}
		return t.expire(ctx, "proofs", "digest", "expires_at", micros(now))
	})
	return first && err == nil, err
}
