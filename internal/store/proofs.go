package store

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"gatelodge/internal/sqldb"
)

// UseProof counts a client assertion or a DPoP proof, which are good for one request
// (RFC 7523 section 3, RFC 9449 section 11.1). It reports whether this caller is the
// first one with the digest. until is when nobody would take the proof any more, so
// that it need not be remembered. When the outcome of the commit is unknown, the row
// is read back: it names the attempt that made it.
func (s *Store) UseProof(ctx context.Context, digest [32]byte, until, now time.Time) (first bool, err error) {
	var attempt [16]byte
	rand.Read(attempt[:])
	err = s.write(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `INSERT INTO proofs (digest, attempt, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			digest[:], attempt[:], micros(until))
		if first = rows == 1; err != nil || !first {
			return err
		}
		return t.expire(ctx, "proofs", "digest", "expires_at", micros(now))
	})
	if errors.Is(err, sqldb.ErrOutcomeUnknown) {
		return s.settleProof(ctx, digest, attempt, err)
	}
	return first && err == nil, err
}

// settleProof finds out who has used a proof. Nobody has when there is no row, and
// then the request is to be sent again.
func (s *Store) settleProof(ctx context.Context, digest [32]byte, attempt [16]byte, cause error) (bool, error) {
	var user []byte
	if err := s.db.QueryRow(ctx, `SELECT attempt FROM proofs WHERE digest = $1`, digest[:]).Scan(&user); err != nil {
		return false, cause
	}
	return string(user) == string(attempt[:]), nil
}
