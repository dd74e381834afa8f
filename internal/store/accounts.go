package store

import (
	"context"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/sqldb"
)

const accountColumns = `id, email, name, postal_code, email_confirmed_at, created_at, updated_at, disabled_at, operator_since, version`

func scanAccount(row scanner, more ...any) (account.Account, error) {
	var a account.Account
	var confirmed, created, updated, disabled, operator int64
	err := row.Scan(append([]any{&a.ID, &a.Email, &a.Name, &a.PostalCode, &confirmed, &created, &updated, &disabled, &operator, &a.Version}, more...)...)
	a.EmailConfirmedAt, a.CreatedAt = fromMicros(confirmed), fromMicros(created)
	a.UpdatedAt, a.DisabledAt, a.OperatorSince = fromMicros(updated), fromMicros(disabled), fromMicros(operator)
	return a, notFound(err)
}

// NewAccount is what an account begins with.
type NewAccount struct {
	Email string
	// EmailKey is the canonical form: two addresses with the same one are the
	// same account's.
	EmailKey     string
	Name         string
	PostalCode   string
	PasswordHash string
	// Confirmed: the operator, or an issuer that does not ask, vouches for the address.
	Confirmed time.Time
	// Operator is the time from which on the account is an operator's, zero for never.
	Operator time.Time
	// Developer, when set, is made together with the account.
	Developer *NewDeveloper
	// Home, when set, is where the account lives.
	Home *account.Home
}

// NewDeveloper is what a developer account begins with.
type NewDeveloper struct{ Company, Country string }

// CreateAccount makes an account, and its developer account where one is given.
// It answers ErrEmailTaken when the address has an account, and ErrHomeTaken when
// somebody's home has one.
func (s *Store) CreateAccount(ctx context.Context, n NewAccount, by audit.By) (account.Account, error) {
	a := account.Account{
		ID: s.ids.next(by.At), Email: n.Email, Name: n.Name, PostalCode: n.PostalCode,
		EmailConfirmedAt: n.Confirmed, CreatedAt: by.At, UpdatedAt: by.At, OperatorSince: n.Operator, Version: 1,
	}
	if by.AccountID == 0 {
		by.AccountID = a.ID
	}
	err := s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `INSERT INTO accounts (`+accountColumns+`, email_key, password_hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11) ON CONFLICT (email_key) DO NOTHING`,
			a.ID, a.Email, a.Name, a.PostalCode, micros(n.Confirmed), micros(by.At), micros(by.At), micros(n.Operator), a.Version, n.EmailKey, n.PasswordHash)
		if err := need(rows, err, ErrEmailTaken); err != nil {
			return err
		}
		if err := t.event(ctx, by, audit.Event{Kind: audit.AccountCreated, AccountID: a.ID}); err != nil {
			return err
		}
		if n.Home != nil {
			if err := t.linkHome(ctx, a.ID, *n.Home, by); err != nil {
				return err
			}
		}
		if n.Developer == nil {
			return nil
		}
		_, err = t.createDeveloper(ctx, a.ID, *n.Developer, by)
		return err
	})
	return a, err
}

// Account reads one account.
func (s *Store) Account(ctx context.Context, id int64) (account.Account, error) {
	return scanAccount(s.db.QueryRow(ctx, `SELECT `+accountColumns+` FROM accounts WHERE id = $1`, id))
}

// AccountSnapshot is Account with the place in the feed that it was read at.
func (s *Store) AccountSnapshot(ctx context.Context, id int64) (a account.Account, at Cursor, err error) {
	at, err = s.load(ctx, `SELECT `+accountColumns+`, epoch, newest FROM accounts, `+inFeed+` WHERE id = $1`, []any{id}, func(row scanner, place ...any) (err error) {
		a, err = scanAccount(row, place...)
		return err
	})
	return a, at, err
}

// AccountByEmail reads the account with this canonical address and its password
// hash.
func (s *Store) AccountByEmail(ctx context.Context, emailKey string) (a account.Account, passwordHash string, err error) {
	if emailKey != storable(emailKey) {
		return a, "", ErrNotFound
	}
	a, err = scanAccount(s.db.QueryRow(ctx, `SELECT `+accountColumns+`, password_hash FROM accounts WHERE email_key = $1`, emailKey), &passwordHash)
	return a, passwordHash, err
}

// PasswordHash reads an account's password hash.
func (s *Store) PasswordHash(ctx context.Context, id int64) (string, error) {
	var hash string
	err := s.db.QueryRow(ctx, `SELECT password_hash FROM accounts WHERE id = $1`, id).Scan(&hash)
	return hash, notFound(err)
}

// AccountDetails is what a person edits of an account.
type AccountDetails struct{ Name, PostalCode string }

// UpdateAccount saves details over version, or answers ErrStale.
func (s *Store) UpdateAccount(ctx context.Context, id, version int64, d AccountDetails, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE accounts SET name = $1, postal_code = $2, updated_at = $3, version = version + 1 WHERE id = $4 AND version = $5`,
			d.Name, d.PostalCode, micros(by.At), id, version)
		if err := need(rows, err, ErrStale); err != nil {
			return err
		}
		t.changed(AccountChanged, id)
		return t.event(ctx, by, audit.Event{Kind: audit.AccountChanged, AccountID: id, Detail: "name or postal code"})
	})
}

// ChangeEmail gives the account another address, unconfirmed unless confirmed says
// otherwise. Recovery links of the old address end.
func (s *Store) ChangeEmail(ctx context.Context, id int64, email, emailKey string, confirmed time.Time, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE accounts SET email = $1, email_key = $2, email_confirmed_at = $3, updated_at = $4, version = version + 1 WHERE id = $5`,
			email, emailKey, micros(confirmed), micros(by.At), id)
		if sqldb.IsUnique(err) {
			return ErrEmailTaken
		}
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `DELETE FROM recoveries WHERE account_id = $1`, id); err != nil {
			return err
		}
		t.changed(AccountChanged, id)
		return t.event(ctx, by, audit.Event{Kind: audit.AccountChanged, AccountID: id, Detail: "e-mail address"})
	})
}

// ConfirmEmail marks the address as confirmed, if it still is the account's.
func (s *Store) ConfirmEmail(ctx context.Context, id int64, emailKey string, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE accounts SET email_confirmed_at = $1, version = version + 1 WHERE id = $2 AND email_key = $3 AND email_confirmed_at = 0`,
			micros(by.At), id, emailKey)
		if err != nil {
			return err
		}
		if rows == 0 {
			var one int64
			return notFound(t.QueryRow(ctx, `SELECT id FROM accounts WHERE id = $1 AND email_key = $2`, id, emailKey).Scan(&one))
		}
		t.changed(AccountChanged, id)
		return t.event(ctx, by, audit.Event{Kind: audit.EmailConfirmed, AccountID: id})
	})
}

// ChangePassword replaces the password hash and ends all sessions but keep (which
// may be the zero digest) and all recovery links.
func (s *Store) ChangePassword(ctx context.Context, id int64, hash string, keep [32]byte, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		return t.changePassword(ctx, id, hash, keep, audit.PasswordChanged, by)
	})
}

// RehashPassword replaces a hash by one of the same password with newer
// parameters, unless the password was changed meanwhile.
func (s *Store) RehashPassword(ctx context.Context, id int64, old, fresh string) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE accounts SET password_hash = $1 WHERE id = $2 AND password_hash = $3`, fresh, id, old)
		return err
	})
}

func (t *tx) changePassword(ctx context.Context, id int64, hash string, keep [32]byte, kind audit.Kind, by audit.By) error {
	rows, err := t.Exec(ctx, `UPDATE accounts SET password_hash = $1, updated_at = $2, version = version + 1 WHERE id = $3`, hash, micros(by.At), id)
	if err := need(rows, err, ErrNotFound); err != nil {
		return err
	}
	if err := t.endSessions(ctx, id, keep, by.At); err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `DELETE FROM recoveries WHERE account_id = $1`, id); err != nil {
		return err
	}
	t.changed(AccountChanged, id)
	return t.event(ctx, by, audit.Event{Kind: kind, AccountID: id})
}

// SetAccountDisabled disables an account at by.At, or enables it again with a
// zero disabledAt. Its sessions end; its tokens are refused while it lasts.
func (s *Store) SetAccountDisabled(ctx context.Context, id int64, disabledAt time.Time, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE accounts SET disabled_at = $1, version = version + 1 WHERE id = $2`, micros(disabledAt), id)
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		kind := audit.AccountEnabled
		if !disabledAt.IsZero() {
			kind = audit.AccountDisabled
			if err := t.endSessions(ctx, id, [32]byte{}, by.At); err != nil {
				return err
			}
		}
		t.changed(AccountChanged, id)
		return t.event(ctx, by, audit.Event{Kind: kind, AccountID: id})
	})
}

// SetOperator lets an account do what is the operator's from a time on, or ends that
// with a zero one.
func (s *Store) SetOperator(ctx context.Context, id int64, since time.Time, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE accounts SET operator_since = $1, version = version + 1 WHERE id = $2`, micros(since), id)
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		kind := audit.OperatorMade
		if since.IsZero() {
			kind = audit.OperatorRemoved
		}
		t.changed(AccountChanged, id)
		return t.event(ctx, by, audit.Event{Kind: kind, AccountID: id})
	})
}

// DeleteAccount removes an account with its grants and sessions, and every
// developer account that has no other member, with its profiles.
func (s *Store) DeleteAccount(ctx context.Context, id int64, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		const alone = `SELECT developer_id FROM members AS m WHERE m.account_id = $1
			AND NOT EXISTS (SELECT 1 FROM members AS o WHERE o.developer_id = m.developer_id AND o.account_id <> $1)`
		ids, err := collect(ctx, t.Tx, `SELECT id FROM profiles WHERE developer_id IN (`+alone+`)`, []any{id}, scanOne[int64])
		if err != nil {
			return err
		}
		for _, profile := range ids {
			t.changed(ProfileChanged, profile)
		}
		logos, err := collect(ctx, t.Tx, `SELECT DISTINCT logo FROM profiles WHERE developer_id IN (`+alone+`) ORDER BY logo`, []any{id}, scanOne[[]byte])
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `DELETE FROM developers WHERE id IN (`+alone+`)`, id); err != nil {
			return err
		}
		for _, logo := range logos {
			if err := t.dropLogo(ctx, logo); err != nil {
				return err
			}
		}
		if err := t.endSessions(ctx, id, [32]byte{}, by.At); err != nil {
			return err
		}
		rows, err := t.Exec(ctx, `DELETE FROM accounts WHERE id = $1`, id)
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		t.changed(AccountChanged, id)
		return t.event(ctx, by, audit.Event{Kind: audit.AccountDeleted, AccountID: id})
	})
}

// AccountPage lists accounts for the operator, by id, after the one given.
func (s *Store) AccountPage(ctx context.Context, after int64, limit int) ([]account.Account, error) {
	rows, err := s.db.Query(ctx, `SELECT `+accountColumns+` FROM accounts WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []account.Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// CreateRecovery keeps a recovery link. mailedTo is the canonical address that the
// link is sent to, "" when the operator hands it over: only who opens a mailed link
// has shown that the mailbox is theirs.
func (s *Store) CreateRecovery(ctx context.Context, r account.Recovery, mailedTo string, now time.Time) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO recoveries (digest, account_id, mailed_to, expires_at) VALUES ($1, $2, $3, $4)`, r.Digest[:], r.AccountID, mailedTo, micros(r.ExpiresAt)); err != nil {
			return err
		}
		return t.expire(ctx, "recoveries", "digest", "expires_at", micros(now))
	})
}

// Recovery says whose recovery link this is, without using it up.
func (s *Store) Recovery(ctx context.Context, digest [32]byte, now time.Time) (account.Account, error) {
	return scanAccount(s.db.QueryRow(ctx, `SELECT `+accountColumns+` FROM accounts WHERE id =
		(SELECT account_id FROM recoveries WHERE digest = $1 AND expires_at > $2)`, digest[:], micros(now)))
}

// Recover uses a recovery link up and sets the password. A link works once:
// everybody but the first gets ErrNotFound. A mailed link confirms the address that it
// was sent to, if that still is the account's.
func (s *Store) Recover(ctx context.Context, digest [32]byte, hash string, by audit.By) (id int64, err error) {
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		var mailedTo string
		err := t.QueryRow(ctx, `DELETE FROM recoveries WHERE digest = $1 AND expires_at > $2 RETURNING account_id, mailed_to`, digest[:], micros(by.At)).Scan(&id, &mailedTo)
		if err != nil {
			return notFound(err)
		}
		by.AccountID = id
		if _, err := t.Exec(ctx, `UPDATE accounts SET email_confirmed_at = $1 WHERE id = $2 AND email_key = $3 AND email_confirmed_at = 0`, micros(by.At), id, mailedTo); err != nil {
			return err
		}
		return t.changePassword(ctx, id, hash, [32]byte{}, audit.PasswordRecovered, by)
	})
	return id, err
}
