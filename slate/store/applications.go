package store

import (
	"context"
	"time"

	"gatelodge/internal/sqldb"
)

// Application is a client that an account has let in.
type Application struct {
	ID        int64
	AccountID int64
	ClientID  string
	// Reporting is the one feature that there is.
	Reporting bool
	// Name and Publisher are what Gatelodge said of the client when it was added.
	Name, Publisher string
	// Purpose is what whoever added it wrote about it, for the users who allow it.
	Purpose    string
	AddedBy    string
	AddedAt    time.Time
	LastCallAt time.Time
}

const applicationColumns = `a.id, a.account_id, a.client_id, a.reporting, a.name, a.publisher, a.purpose, COALESCE(p.name, ''), a.added_at, a.last_call_at`

const applicationTables = ` FROM applications AS a LEFT JOIN people AS p ON p.id = a.added_by `

func scanApplication(r scanner) (Application, error) {
	var a Application
	var reporting, added, called int64
	err := r.Scan(&a.ID, &a.AccountID, &a.ClientID, &reporting, &a.Name, &a.Publisher, &a.Purpose, &a.AddedBy, &added, &called)
	a.Reporting, a.AddedAt, a.LastCallAt = reporting != 0, fromMicros(added), fromMicros(called)
	return a, notFound(err)
}

// AddApplication lets a client into an account, or answers ErrTaken.
func (s *Store) AddApplication(ctx context.Context, a Application, by Actor) (int64, error) {
	id := s.nextID(by.At)
	err := s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO applications (id, account_id, client_id, reporting, name, publisher, purpose, added_by, added_at, last_call_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)`,
			id, a.AccountID, a.ClientID, flag(a.Reporting), a.Name, a.Publisher, a.Purpose, by.PersonID, micros(by.At)); err != nil {
			return err
		}
		return s.event(ctx, t, a.AccountID, by, "application.added", a.Name)
	})
	if sqldb.IsUnique(err) {
		return 0, ErrTaken
	}
	return id, err
}

// SetPurpose changes what is written about an application.
func (s *Store) SetPurpose(ctx context.Context, accountID, id int64, purpose string, by Actor) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		var name string
		if err := t.QueryRow(ctx, `UPDATE applications SET purpose = $1 WHERE id = $2 AND account_id = $3 RETURNING name`, purpose, id, accountID).Scan(&name); err != nil {
			return notFound(err)
		}
		return s.event(ctx, t, accountID, by, "application.described", name)
	})
}

// RemoveApplication ends a client's access to an account.
func (s *Store) RemoveApplication(ctx context.Context, accountID, id int64, by Actor) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		var name string
		if err := t.QueryRow(ctx, `DELETE FROM applications WHERE id = $1 AND account_id = $2 RETURNING name`, id, accountID).Scan(&name); err != nil {
			return notFound(err)
		}
		return s.event(ctx, t, accountID, by, "application.removed", name)
	})
}

// Applications lists the clients of an account.
func (s *Store) Applications(ctx context.Context, accountID int64) ([]Application, error) {
	return collect(ctx, outside{s.db}, scanApplication, `SELECT `+applicationColumns+applicationTables+`WHERE a.account_id = $1 ORDER BY a.id`, accountID)
}

// Application reads one by its id, whoever asks: its page explains it to everybody.
func (s *Store) Application(ctx context.Context, id int64) (Application, error) {
	return scanApplication(s.db.QueryRow(ctx, `SELECT `+applicationColumns+applicationTables+`WHERE a.id = $1`, id))
}

// Access is what a client may do for somebody in one account, looked up at each call:
// a change of rights is in effect at the next one.
type Access struct {
	Membership
	// Application is 0 when the account has not let the client in.
	Application int64
	Reporting   bool
}

const (
	accessColumns = membershipColumns + `, COALESCE(x.id, 0), COALESCE(x.reporting, 0)`
	accessTables  = ` FROM people AS p JOIN members AS m ON m.person_id = p.id JOIN accounts AS a ON a.id = m.account_id
		LEFT JOIN applications AS x ON x.account_id = a.id AND x.client_id = $2 `
)

// scan reads what accessColumns name.
func (a *Access) scan(r scanner) error {
	var manage, reports, reporting int64
	err := r.Scan(&a.ID, &a.Name, &a.StatementID, &manage, &reports, &a.Application, &reporting)
	a.Manage, a.Reports, a.Reporting = manage != 0, reports != 0, reporting != 0
	return notFound(err)
}

// Access lists the accounts of which the subject is a member, each with what the
// client may do there.
func (s *Store) Access(ctx context.Context, subject, clientID string) ([]Access, error) {
	return collect(ctx, outside{s.db}, func(r scanner) (a Access, err error) {
		err = a.scan(r)
		return a, err
	}, `SELECT `+accessColumns+accessTables+`WHERE p.subject = $1 ORDER BY a.id`, subject, clientID)
}

// AccessTo is Access to the account with a number, or ErrNotFound.
func (s *Store) AccessTo(ctx context.Context, subject, clientID string, accountID int64) (a Access, err error) {
	err = a.scan(s.db.QueryRow(ctx, `SELECT `+accessColumns+accessTables+`WHERE p.subject = $1 AND a.id = $3 AND m.account_id = $3`, subject, clientID, accountID))
	return a, err
}

// AccessToStatements is Access to the account with an id of financial statements, or
// ErrNotFound.
func (s *Store) AccessToStatements(ctx context.Context, subject, clientID, statementID string) (a Access, err error) {
	err = a.scan(s.db.QueryRow(ctx, `SELECT `+accessColumns+accessTables+`WHERE p.subject = $1 AND a.statement_id = $3 AND a.statement_id <> ''`, subject, clientID, statementID))
	return a, err
}

// Place is where a call for reports leads: the application that was let in, a channel and
// a type. Of these it has what such a call needs.
type Place struct {
	Application int64
	Channel     Channel
	Type        ReportType
}

// PlaceOf finds a channel of a group and a type of it by their ids, and both halves of the
// rights of the call, in one statement. It answers ErrNotFound when any of them is missing.
func (s *Store) PlaceOf(ctx context.Context, subject, clientID string, accountID int64, group string, channelID, typeID int64) (p Place, err error) {
	p.Channel.ID, p.Type.ID, p.Type.ChannelID = channelID, typeID, channelID
	err = s.db.QueryRow(ctx, `SELECT x.id, c.folder, t.folder, t.name, t.list_version
		FROM people AS p JOIN members AS m ON m.person_id = p.id AND m.account_id = $3 AND m.reports <> 0
		JOIN applications AS x ON x.account_id = $3 AND x.client_id = $2 AND x.reporting <> 0
		JOIN channels AS c ON c.id = $5 AND c.account_id = $3 AND c.group_id = $4
		JOIN report_types AS t ON t.id = $6 AND t.channel_id = $5
		WHERE p.subject = $1`, subject, clientID, accountID, group, channelID, typeID).
		Scan(&p.Application, &p.Channel.Folder, &p.Type.Folder, &p.Type.Name, &p.Type.version)
	return p, notFound(err)
}

// Called notes when applications were last used.
func (s *Store) Called(ctx context.Context, at map[int64]time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		for id, moment := range at {
			if _, err := t.Exec(ctx, `UPDATE applications SET last_call_at = $1 WHERE id = $2 AND last_call_at < $1`, micros(moment), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// ApplicationOf reads one of an account's.
func (s *Store) ApplicationOf(ctx context.Context, accountID, id int64) (Application, error) {
	return scanApplication(s.db.QueryRow(ctx, `SELECT `+applicationColumns+applicationTables+`WHERE a.id = $1 AND a.account_id = $2`, id, accountID))
}
