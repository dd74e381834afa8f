package store

import (
	"context"

	"gatelodge/internal/audit"
)

// event remembers what this transaction does, in it.
func (t *tx) event(ctx context.Context, by audit.By, e audit.Event) error {
	if err := t.expire(ctx, "events", "id", "id", firstID(by.At.Add(-audit.Retention))-1); err != nil {
		return err
	}
	id := t.eventID
	if t.eventID = 0; id == 0 {
		id = t.store.ids.next(by.At)
	}
	_, err := t.Exec(ctx, `INSERT INTO events (id, kind, at, account_id, actor_id, profile_id, detail, address, request_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id, string(e.Kind), micros(by.At), e.AccountID, by.AccountID, e.ProfileID, e.Detail, by.Address, by.RequestID)
	return err
}

const eventQuery = `SELECT e.id, e.kind, e.at, e.account_id, e.actor_id, COALESCE(a.name, ''), e.profile_id, e.detail, e.address, e.request_id
	FROM events AS e LEFT JOIN accounts AS a ON a.id = e.actor_id `

// ProfileEvents reads the newest events of a profile.
func (s *Store) ProfileEvents(ctx context.Context, profileID int64, limit int) ([]audit.Event, error) {
	return s.events(ctx, eventQuery+`WHERE e.profile_id = $1 ORDER BY e.id DESC LIMIT $2`, profileID, limit)
}

// AccountEvents reads the newest events that concern an account.
func (s *Store) AccountEvents(ctx context.Context, accountID int64, limit int) ([]audit.Event, error) {
	return s.events(ctx, eventQuery+`WHERE e.account_id = $1 ORDER BY e.id DESC LIMIT $2`, accountID, limit)
}

func (s *Store) events(ctx context.Context, query string, args ...any) ([]audit.Event, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []audit.Event
	for rows.Next() {
		var e audit.Event
		var at int64
		if err := rows.Scan(&e.ID, &e.Kind, &at, &e.AccountID, &e.ActorID, &e.ActorName, &e.ProfileID, &e.Detail, &e.Address, &e.RequestID); err != nil {
			return nil, err
		}
		e.At = fromMicros(at)
		all = append(all, e)
	}
	return all, rows.Err()
}
