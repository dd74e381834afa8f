package store

import (
	"context"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
)

const sessionColumns = `digest, account_id, created_at, authenticated_at, last_seen_at, expires_at, user_agent, address, id, home_session`

func scanSession(row scanner, more ...any) (account.Session, error) {
	var s account.Session
	var digest []byte
	var created, authenticated, seen, expires int64
	if err := row.Scan(append([]any{&digest, &s.AccountID, &created, &authenticated, &seen, &expires, &s.UserAgent, &s.Address, &s.ID, &s.HomeSession}, more...)...); err != nil {
		return s, notFound(err)
	}
	s.CreatedAt, s.AuthenticatedAt = fromMicros(created), fromMicros(authenticated)
	s.LastSeenAt, s.ExpiresAt = fromMicros(seen), fromMicros(expires)
	return s, fixed(s.Digest[:], digest, "sessions.digest")
}

// CreateSession keeps a session. When the outcome of the commit is unknown, it is made
// again: nobody else can have its digest.
func (s *Store) CreateSession(ctx context.Context, n account.Session) error {
	return s.settle(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO sessions (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (digest) DO NOTHING`,
			n.Digest[:], n.AccountID, micros(n.CreatedAt), micros(n.AuthenticatedAt), micros(n.LastSeenAt), micros(n.ExpiresAt), n.UserAgent, n.Address, n.ID, n.HomeSession); err != nil {
			return err
		}
		return t.expire(ctx, "sessions", "digest", "expires_at", micros(n.CreatedAt))
	})
}

// RenewSession lets n take the place of its account's session old: another digest and
// other times, and to applications the same session. It answers ErrNotFound when old
// has ended. When the outcome of the commit is unknown, it is made again: nobody else
// can have made a session of that digest.
func (s *Store) RenewSession(ctx context.Context, old [32]byte, n account.Session) error {
	return s.settle(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE sessions SET digest = $1, created_at = $2, authenticated_at = $3, last_seen_at = $4, expires_at = $5, user_agent = $6, address = $7,
			id = CASE id WHEN 0 THEN $8 ELSE id END, home_session = $11 WHERE digest = $9 AND account_id = $10 AND expires_at > $2`,
			n.Digest[:], micros(n.CreatedAt), micros(n.AuthenticatedAt), micros(n.LastSeenAt), micros(n.ExpiresAt), n.UserAgent, n.Address, n.ID, old[:], n.AccountID, n.HomeSession)
		if err != nil {
			return err
		}
		if rows == 0 {
			var one int64
			return notFound(t.QueryRow(ctx, `SELECT account_id FROM sessions WHERE digest = $1`, n.Digest[:]).Scan(&one))
		}
		t.sessionChanged(old)
		return nil
	})
}

// SessionSnapshot reads a session, expired or not, with the place in the feed that
// it was read at.
func (s *Store) SessionSnapshot(ctx context.Context, digest [32]byte) (n account.Session, at Cursor, err error) {
	at, err = s.load(ctx, `SELECT `+sessionColumns+`, epoch, newest FROM sessions, `+inFeed+` WHERE digest = $1`, []any{digest[:]}, func(row scanner, place ...any) (err error) {
		n, err = scanSession(row, place...)
		return err
	})
	return n, at, err
}

// Sessions lists an account's sessions that have not expired, the last used first.
func (s *Store) Sessions(ctx context.Context, accountID int64, now time.Time) ([]account.Session, error) {
	rows, err := s.db.Query(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE account_id = $1 AND expires_at > $2 ORDER BY last_seen_at DESC`, accountID, micros(now))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []account.Session
	for rows.Next() {
		n, err := scanSession(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// TouchSession moves the session's end with its use.
func (s *Store) TouchSession(ctx context.Context, digest [32]byte, seen, expires time.Time) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE sessions SET last_seen_at = $1, expires_at = $2 WHERE digest = $3 AND last_seen_at < $1`, micros(seen), micros(expires), digest[:])
		if rows > 0 {
			t.sessionChanged(digest)
		}
		return err
	})
}

// ReauthenticateSession notes that the password was given again.
func (s *Store) ReauthenticateSession(ctx context.Context, digest [32]byte, now time.Time) error {
	return s.settle(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE sessions SET authenticated_at = $1 WHERE digest = $2`, micros(now), digest[:])
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		t.sessionChanged(digest)
		return nil
	})
}

// EndSession ends one session of an account. One that is not there is no error.
func (s *Store) EndSession(ctx context.Context, accountID int64, digest [32]byte, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE sessions SET expires_at = 0 WHERE digest = $1 AND account_id = $2`, digest[:], accountID)
		if err != nil || rows == 0 {
			return err
		}
		t.sessionChanged(digest)
		if err := t.dropEndedSessions(ctx, accountID, by.At); err != nil {
			return err
		}
		return t.event(ctx, by, audit.Event{Kind: audit.SessionEnded, AccountID: accountID})
	})
}

// EndOtherSessions ends all sessions of an account but keep.
func (s *Store) EndOtherSessions(ctx context.Context, accountID int64, keep [32]byte, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if err := t.endSessions(ctx, accountID, keep, by.At); err != nil {
			return err
		}
		return t.event(ctx, by, audit.Event{Kind: audit.SessionEnded, AccountID: accountID, Detail: "all others"})
	})
}

func (t *tx) sessionChanged(digest [32]byte) {
	t.changes = append(t.changes, Change{Kind: SessionChanged, Subject: string(digest[:])})
}

func (t *tx) endSessions(ctx context.Context, accountID int64, keep [32]byte, now time.Time) error {
	digests, err := collect(ctx, t.Tx, `UPDATE sessions SET expires_at = 0 WHERE account_id = $1 AND digest <> $2 RETURNING digest`, []any{accountID, keep[:]}, func(row scanner) ([32]byte, error) {
		var b []byte
		var d [32]byte
		if err := row.Scan(&b); err != nil {
			return d, err
		}
		return d, fixed(d[:], b, "sessions.digest")
	})
	if err != nil || len(digests) == 0 {
		return err
	}
	for _, d := range digests {
		t.sessionChanged(d)
	}
	return t.dropEndedSessions(ctx, accountID, now)
}

// dropEndedSessions deletes an account's sessions that this transaction has marked by
// ending them at 0, with a notice for each application that is to hear of it. Marked
// rows are locked: no exchange of a code can add an application any more.
func (t *tx) dropEndedSessions(ctx context.Context, accountID int64, now time.Time) error {
	const ended = ` FROM sessions AS s WHERE s.account_id = $1 AND s.expires_at = 0`
	rows, err := t.Exec(ctx, `INSERT INTO logout_notices (`+noticeColumns+`)
		SELECT c.session_id, c.profile_id, $1, 0, $2, $3 FROM session_clients AS c WHERE c.session_id IN (SELECT s.id`+ended+`) ON CONFLICT DO NOTHING`,
		accountID, micros(now), micros(now.Add(noticeLifetime)))
	if err != nil {
		return err
	}
	if rows > 0 {
		t.changed(LogoutsDue, accountID)
		if _, err := t.Exec(ctx, `DELETE FROM session_clients WHERE session_id IN (SELECT s.id`+ended+`)`, accountID); err != nil {
			return err
		}
	}
	_, err = t.Exec(ctx, `DELETE FROM sessions WHERE account_id = $1 AND expires_at = 0`, accountID)
	return err
}
