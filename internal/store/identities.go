package store

import (
	"context"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
)

// AccountByHome reads the account that lives in another region under this name.
func (s *Store) AccountByHome(ctx context.Context, h account.Home) (account.Account, error) {
	if h.Subject != storable(h.Subject) {
		return account.Account{}, ErrNotFound
	}
	return scanAccount(s.db.QueryRow(ctx, `SELECT `+accountColumns+` FROM accounts WHERE id =
		(SELECT account_id FROM identities WHERE issuer = $1 AND subject = $2)`, h.Issuer, h.Subject))
}

// HomeOf reads where an account lives, ErrNotFound for one that lives here. signsInHere
// says that it has a password here all the same.
func (s *Store) HomeOf(ctx context.Context, accountID int64) (h account.Home, signsInHere bool, err error) {
	var hash string
	err = s.db.QueryRow(ctx, `SELECT i.issuer, i.subject, a.password_hash FROM identities AS i JOIN accounts AS a ON a.id = i.account_id
		WHERE i.account_id = $1`, accountID).Scan(&h.Issuer, &h.Subject, &hash)
	return h, hash != "", notFound(err)
}

// LinkHome gives an account its home, in place of one that it had. It answers
// ErrHomeTaken when that is another account's.
func (s *Store) LinkHome(ctx context.Context, accountID int64, h account.Home, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, `DELETE FROM identities WHERE account_id = $1`, accountID); err != nil {
			return err
		}
		return t.linkHome(ctx, accountID, h, by)
	})
}

func (t *tx) linkHome(ctx context.Context, accountID int64, h account.Home, by audit.By) error {
	rows, err := t.Exec(ctx, `INSERT INTO identities (issuer, subject, account_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		h.Issuer, h.Subject, accountID, micros(by.At))
	if err := need(rows, err, ErrHomeTaken); err != nil {
		return err
	}
	return t.event(ctx, by, audit.Event{Kind: audit.HomeLinked, AccountID: accountID, Detail: h.Issuer})
}

// EndHomeSession ends the sessions that began with a session at home. That there is
// none is no error.
func (s *Store) EndHomeSession(ctx context.Context, h account.Home, session string, by audit.By) error {
	if h.Subject != storable(h.Subject) || session == "" || session != storable(session) {
		return nil
	}
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		type ended struct {
			account int64
			digest  [32]byte
		}
		all, err := collect(ctx, t.Tx, `UPDATE sessions SET expires_at = 0 WHERE home_session = $1 AND account_id =
			(SELECT account_id FROM identities WHERE issuer = $2 AND subject = $3) RETURNING account_id, digest`,
			[]any{session, h.Issuer, h.Subject}, func(row scanner) (e ended, err error) {
				var digest []byte
				if err := row.Scan(&e.account, &digest); err != nil {
					return e, err
				}
				return e, fixed(e.digest[:], digest, "sessions.digest")
			})
		if err != nil || len(all) == 0 {
			return err
		}
		for _, e := range all {
			t.sessionChanged(e.digest)
		}
		if err := t.dropEndedSessions(ctx, all[0].account, by.At); err != nil {
			return err
		}
		return t.event(ctx, by, audit.Event{Kind: audit.HomeSessionGone, AccountID: all[0].account, Detail: h.Issuer})
	})
}
