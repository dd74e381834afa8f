package store

import (
	"context"

	"gatelodge/internal/sqldb"
)

// AccountEnd is what deleting an account takes with it.
type AccountEnd struct {
	Applications int      // connected applications
	Companies    []string // developer accounts without another member
	Profiles     int      // security profiles of these
}

// AccountEnd reads what [Store.DeleteAccount] would end, for the person to know
// before.
func (s *Store) AccountEnd(ctx context.Context, id int64) (e AccountEnd, err error) {
	const alone = `SELECT m.developer_id FROM members AS m WHERE m.account_id = $1
		AND NOT EXISTS (SELECT 1 FROM members AS o WHERE o.developer_id = m.developer_id AND o.account_id <> $1)`
	_, err = s.snapshot(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		if err := t.QueryRow(ctx, `SELECT COUNT(*) FROM grants WHERE account_id = $1`, id).Scan(&e.Applications); err != nil {
			return err
		}
		if err := t.QueryRow(ctx, `SELECT COUNT(*) FROM profiles WHERE developer_id IN (`+alone+`)`, id).Scan(&e.Profiles); err != nil {
			return err
		}
		e.Companies, err = collect(ctx, t, `SELECT company FROM developers WHERE id IN (`+alone+`) ORDER BY id`, []any{id}, scanOne[string])
		return err
	})
	return e, err
}
