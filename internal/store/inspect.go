package store

import (
	"context"
	"time"

	"gatelodge/internal/sqldb"
)

// Summary is what a database holds, as an operator wants to read it.
type Summary struct {
	Identity  Identity
	Accounts  int64
	Profiles  int64
	Grants    int64
	LastEvent time.Time // when the newest event of the audit was written, zero without any
}

// Inspect reads what the database holds and changes nothing. It answers ErrNotSetUp
// and *WrongKeyError as Identify does. It reads what has been there since the first
// schema, so that it serves for a database of any age.
func (s *Store) Inspect(ctx context.Context) (Summary, error) {
	var sum Summary
	var err error
	if sum.Identity, err = s.identity(ctx, ""); err != nil {
		return sum, err
	}
	err = s.db.Read(ctx, func(t *sqldb.Tx) error {
		var last int64
		err := t.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM accounts), (SELECT COUNT(*) FROM profiles), (SELECT COUNT(*) FROM grants), (SELECT COALESCE(MAX(at), 0) FROM events WHERE id = (SELECT MAX(id) FROM events))`).Scan(
			&sum.Accounts, &sum.Profiles, &sum.Grants, &last)
		sum.LastEvent = fromMicros(last)
		return err
	})
	return sum, err
}
