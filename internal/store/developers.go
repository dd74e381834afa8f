package store

import (
	"context"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
)

// CreateDeveloper makes a developer account and its first member.
func (s *Store) CreateDeveloper(ctx context.Context, accountID int64, n NewDeveloper, by audit.By) (d account.DeveloperAccount, err error) {
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		d, err = t.createDeveloper(ctx, accountID, n, by)
		return err
	})
	return d, err
}

func (t *tx) createDeveloper(ctx context.Context, accountID int64, n NewDeveloper, by audit.By) (account.DeveloperAccount, error) {
	d := account.DeveloperAccount{ID: t.store.ids.next(by.At), Company: n.Company, Country: n.Country, CreatedAt: by.At}
	if _, err := t.Exec(ctx, `INSERT INTO developers (id, company, country, created_at) VALUES ($1, $2, $3, $4)`, d.ID, d.Company, d.Country, micros(by.At)); err != nil {
		return d, err
	}
	if _, err := t.Exec(ctx, `INSERT INTO members (developer_id, account_id, created_at) VALUES ($1, $2, $3)`, d.ID, accountID, micros(by.At)); err != nil {
		return d, err
	}
	return d, t.event(ctx, by, audit.Event{Kind: audit.DeveloperCreated, AccountID: accountID, Detail: d.Company})
}

// DeveloperOf reads the developer account that the account is a member of: the
// oldest, where there are several.
func (s *Store) DeveloperOf(ctx context.Context, accountID int64) (account.DeveloperAccount, error) {
	var d account.DeveloperAccount
	var created int64
	err := s.db.QueryRow(ctx, `SELECT d.id, d.company, d.country, d.created_at FROM developers AS d JOIN members AS m ON m.developer_id = d.id
		WHERE m.account_id = $1 ORDER BY d.id LIMIT 1`, accountID).Scan(&d.ID, &d.Company, &d.Country, &created)
	d.CreatedAt = fromMicros(created)
	return d, notFound(err)
}

// Developer reads a developer account: the publisher of its profiles.
func (s *Store) Developer(ctx context.Context, id int64) (account.DeveloperAccount, error) {
	var d account.DeveloperAccount
	var created int64
	err := s.db.QueryRow(ctx, `SELECT id, company, country, created_at FROM developers WHERE id = $1`, id).Scan(&d.ID, &d.Company, &d.Country, &created)
	d.CreatedAt = fromMicros(created)
	return d, notFound(err)
}
