package store

import (
	"context"
	"time"

	"gatelodge/internal/sqldb"
)

// Rights are what somebody may do in an account.
type Rights struct {
	// Manage: users and applications of the account.
	Manage bool
	// Reports: "View Only".
	Reports bool
}

// Account is a partner company.
type Account struct {
	ID   int64
	Name string
	// StatementID is the id of its financial statements, "" for none.
	StatementID string
}

// Membership is an account with what somebody may do in it.
type Membership struct {
	Account
	Rights
}

// firstAccount is the number of the first account.
const firstAccount = 1001

// CreateAccount makes an account; it is the operator's.
func (s *Store) CreateAccount(ctx context.Context, name string, by Actor) (a Account, err error) {
	a.Name = name
	err = s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		if err := t.QueryRow(ctx, `INSERT INTO accounts (id, name, statement_id, created_at) SELECT COALESCE(MAX(id) + 1, $1), $2, '', $3 FROM accounts RETURNING id`,
			firstAccount, name, micros(by.At)).Scan(&a.ID); err != nil {
			return err
		}
		return s.event(ctx, t, a.ID, by, "account.created", name)
	})
	return a, err
}

// SetStatementID links an account with its financial statements, or with none for "".
// It answers ErrTaken for an id of another account, its number included: addresses of
// the API have either in the same place.
func (s *Store) SetStatementID(ctx context.Context, accountID int64, statementID string, by Actor) error {
	err := s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		var others int
		if err := t.QueryRow(ctx, `SELECT COUNT(*) FROM accounts WHERE CAST(id AS TEXT) = $1 AND id <> $2`, statementID, accountID).Scan(&others); err != nil {
			return err
		}
		if others > 0 {
			return ErrTaken
		}
		if err := need(t.Exec(ctx, `UPDATE accounts SET statement_id = $1 WHERE id = $2`, statementID, accountID)); err != nil {
			return err
		}
		return s.event(ctx, t, accountID, by, "account.statements_linked", statementID)
	})
	if sqldb.IsUnique(err) {
		return ErrTaken
	}
	return err
}

func scanAccount(r scanner) (Account, error) {
	var a Account
	err := r.Scan(&a.ID, &a.Name, &a.StatementID)
	return a, notFound(err)
}

// Account reads an account, whoever asks; it is the operator's.
func (s *Store) Account(ctx context.Context, id int64) (Account, error) {
	return scanAccount(s.db.QueryRow(ctx, `SELECT id, name, statement_id FROM accounts WHERE id = $1`, id))
}

// Accounts lists all accounts; it is the operator's.
func (s *Store) Accounts(ctx context.Context) ([]Account, error) {
	return collect(ctx, outside{s.db}, scanAccount, `SELECT id, name, statement_id FROM accounts ORDER BY id`)
}

const membershipColumns = `a.id, a.name, a.statement_id, m.manage, m.reports`

func scanMembership(r scanner) (Membership, error) {
	var m Membership
	var manage, reports int64
	err := r.Scan(&m.ID, &m.Name, &m.StatementID, &manage, &reports)
	m.Manage, m.Reports = manage != 0, reports != 0
	return m, notFound(err)
}

// Memberships lists the accounts of somebody in the order of their numbers.
func (s *Store) Memberships(ctx context.Context, personID int64) ([]Membership, error) {
	return collect(ctx, outside{s.db}, scanMembership, `SELECT `+membershipColumns+` FROM members AS m JOIN accounts AS a ON a.id = m.account_id WHERE m.person_id = $1 ORDER BY a.id`, personID)
}

// Membership reads an account that somebody is a member of, or answers ErrNotFound.
func (s *Store) Membership(ctx context.Context, personID, accountID int64) (Membership, error) {
	return scanMembership(s.db.QueryRow(ctx, `SELECT `+membershipColumns+` FROM members AS m JOIN accounts AS a ON a.id = m.account_id WHERE m.person_id = $1 AND a.id = $2`, personID, accountID))
}

// Member is somebody in an account.
type Member struct {
	Person
	Rights
	Since time.Time
}

// Members lists who is in an account.
func (s *Store) Members(ctx context.Context, accountID int64) ([]Member, error) {
	return collect(ctx, outside{s.db}, scanMember, `SELECT `+memberColumns+` FROM members AS m JOIN people AS p ON p.id = m.person_id
		WHERE m.account_id = $1 ORDER BY m.created_at, p.id`, accountID)
}

func (s *Store) putMember(ctx context.Context, t *sqldb.Tx, accountID, personID int64, r Rights, now time.Time) error {
	_, err := t.Exec(ctx, `INSERT INTO members (account_id, person_id, manage, reports, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, person_id) DO UPDATE SET manage = $3, reports = $4`, accountID, personID, flag(r.Manage), flag(r.Reports), micros(now))
	return err
}

// AddMember lets somebody into an account, or changes what they may do there. An
// account keeps somebody who may manage it: ErrLastManager.
func (s *Store) AddMember(ctx context.Context, accountID, personID int64, r Rights, by Actor) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		if err := lockAccount(ctx, t, accountID); err != nil {
			return err
		}
		managed, err := managers(ctx, t, accountID)
		if err != nil {
			return err
		}
		if err := s.putMember(ctx, t, accountID, personID, r, by.At); err != nil {
			return err
		}
		if left, err := managers(ctx, t, accountID); err != nil {
			return err
		} else if managed > 0 && left == 0 {
			return ErrLastManager
		}
		return s.event(ctx, t, accountID, by, "member.rights", describeMember(ctx, t, personID, r))
	})
}

// RemoveMember takes somebody out of an account; ErrLastManager as AddMember.
func (s *Store) RemoveMember(ctx context.Context, accountID, personID int64, by Actor) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		if err := lockAccount(ctx, t, accountID); err != nil {
			return err
		}
		if err := need(t.Exec(ctx, `DELETE FROM members WHERE account_id = $1 AND person_id = $2`, accountID, personID)); err != nil {
			return err
		}
		if left, err := managers(ctx, t, accountID); err != nil {
			return err
		} else if left == 0 {
			return ErrLastManager
		}
		return s.event(ctx, t, accountID, by, "member.removed", describeMember(ctx, t, personID, Rights{}))
	})
}

// lockAccount lets one change of an account's members happen at a time.
func lockAccount(ctx context.Context, t *sqldb.Tx, accountID int64) error {
	return need(t.Exec(ctx, `UPDATE accounts SET id = id WHERE id = $1`, accountID))
}

func managers(ctx context.Context, t *sqldb.Tx, accountID int64) (n int, err error) {
	err = t.QueryRow(ctx, `SELECT COUNT(*) FROM members WHERE account_id = $1 AND manage = 1`, accountID).Scan(&n)
	return n, err
}

func describeMember(ctx context.Context, t *sqldb.Tx, personID int64, r Rights) string {
	var name string
	if err := t.QueryRow(ctx, `SELECT name FROM people WHERE id = $1`, personID).Scan(&name); err != nil {
		name = "somebody"
	}
	switch {
	case r.Manage && r.Reports:
		return name + ": Manage, Reports: View Only"
	case r.Manage:
		return name + ": Manage"
	case r.Reports:
		return name + ": Reports: View Only"
	}
	return name
}

// Invitation waits for somebody to sign in with a confirmed address.
type Invitation struct {
	ID    int64
	Email string
	Rights
	ExpiresAt time.Time
}

// Invite invites an address into an account until expires; a second invitation of it
// takes the place of the first.
func (s *Store) Invite(ctx context.Context, accountID int64, email string, r Rights, expires time.Time, by Actor) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO invitations (id, account_id, email, email_key, manage, reports, invited_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (account_id, email_key) DO UPDATE SET manage = $5, reports = $6, invited_by = $7, expires_at = $9`,
			s.nextID(by.At), accountID, email, emailKey(email), flag(r.Manage), flag(r.Reports), by.PersonID, micros(by.At), micros(expires)); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `DELETE FROM invitations WHERE expires_at <= $1`, micros(by.At)); err != nil {
			return err
		}
		return s.event(ctx, t, accountID, by, "member.invited", email)
	})
}

// Invitations lists those that wait in an account.
func (s *Store) Invitations(ctx context.Context, accountID int64, now time.Time) ([]Invitation, error) {
	return collect(ctx, outside{s.db}, func(r scanner) (Invitation, error) {
		var i Invitation
		var manage, reports, expires int64
		err := r.Scan(&i.ID, &i.Email, &manage, &reports, &expires)
		i.Manage, i.Reports, i.ExpiresAt = manage != 0, reports != 0, fromMicros(expires)
		return i, err
	}, `SELECT id, email, manage, reports, expires_at FROM invitations WHERE account_id = $1 AND expires_at > $2 ORDER BY id`, accountID, micros(now))
}

// Uninvite takes an invitation back.
func (s *Store) Uninvite(ctx context.Context, accountID, id int64, by Actor) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		var email string
		if err := t.QueryRow(ctx, `DELETE FROM invitations WHERE id = $1 AND account_id = $2 RETURNING email`, id, accountID).Scan(&email); err != nil {
			return notFound(err)
		}
		return s.event(ctx, t, accountID, by, "member.uninvited", email)
	})
}
