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
	take := statement{`INSERT INTO proofs (digest, attempt, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (digest) DO UPDATE SET attempt = excluded.attempt WHERE proofs.attempt = excluded.attempt`,
		[]any{digest[:], attempt[:], micros(until)}}
	all := func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, take.text, take.args...)
		if first = rows == 1; err != nil || !first {
			return err
		}
		return t.expire(ctx, "proofs", "digest", "expires_at", micros(now))
	}
	if !s.swept.lately("proofs", micros(now)) {
		err = s.settle(ctx, all)
		return first && err == nil, err
	}
	done, err := s.settleFirst(ctx, take, all)
	return (done || first) && err == nil, err
}
