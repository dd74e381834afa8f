package store

import (
	"context"
	"time"

	"gatelodge/internal/account"
)

// SessionClient is an application that was given an ID token in a session, and is to
// hear when that ends (Back-Channel Logout 1.0 section 2.5).
type SessionClient struct {
	SessionID int64
	ProfileID int64
	UserID    int64
}

// LogoutNotice waits to be told.
type LogoutNotice struct {
	SessionClient
	// Attempts counts those begun, this one included.
	Attempts int
}

const noticeColumns = `session_id, profile_id, user_id, attempts, next_at, expires_at`

const (
	// noticeLifetime bounds what a server that is down leaves behind.
	noticeLifetime = 24 * time.Hour
	// noticeLease is how long a claimed notice is nobody else's: longer than telling
	// takes, so that only a server that died in between is followed by another.
	noticeLease = 30 * time.Second
	// noticeDelay lets an answer reach its application before the end of its session does.
	noticeDelay = 5 * time.Second
)

// noteClient keeps that the application was given tokens in the session. One that has
// ended since the code was made is told of at once.
func (t *tx) noteClient(ctx context.Context, c SessionClient, now time.Time) error {
	if c.SessionID == 0 {
		return nil
	}
	// Locks the row: whoever ends the session waits, and then finds the application.
	there, err := t.Exec(ctx, `UPDATE sessions SET id = $1 WHERE id = $1`, c.SessionID)
	if err != nil {
		return err
	}
	if there == 0 {
		_, err := t.Exec(ctx, `INSERT INTO logout_notices (`+noticeColumns+`) VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT DO NOTHING`,
			c.SessionID, c.ProfileID, c.UserID, micros(now.Add(noticeDelay)), micros(now.Add(noticeLifetime)))
		return err
	}
	if _, err := t.Exec(ctx, `INSERT INTO session_clients (session_id, profile_id, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (session_id, profile_id) DO UPDATE SET expires_at = $3`, c.SessionID, c.ProfileID, micros(now.Add(account.SessionLifetime))); err != nil {
		return err
	}
	return t.expire(ctx, "session_clients", "session_id, profile_id", "expires_at", micros(now))
}

// NextLogout is when the next notice is due; zero when none waits.
func (s *Store) NextLogout(ctx context.Context) (time.Time, error) {
	var at int64
	err := s.db.QueryRow(ctx, `SELECT COALESCE(MIN(next_at), 0) FROM logout_notices`).Scan(&at)
	return fromMicros(at), err
}

// ClaimLogouts takes up to limit notices that are due. Of any number of servers one
// gets each; it has noticeLease to tell it, and answers for it with [Store.DropLogout]
// or [Store.PutOffLogout].
func (s *Store) ClaimLogouts(ctx context.Context, now time.Time, limit int) (all []LogoutNotice, err error) {
	err = s.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, `DELETE FROM logout_notices WHERE expires_at <= $1`, micros(now)); err != nil {
			return err
		}
		all, err = collect(ctx, t.Tx, `UPDATE logout_notices SET attempts = attempts + 1, next_at = $1 WHERE next_at <= $2 AND (session_id, profile_id) IN
			(SELECT session_id, profile_id FROM logout_notices WHERE next_at <= $2 ORDER BY next_at LIMIT $3`+t.passingOver()+`)
			RETURNING session_id, profile_id, user_id, attempts`,
			[]any{micros(now.Add(noticeLease)), micros(now), limit}, func(row scanner) (n LogoutNotice, err error) {
				err = row.Scan(&n.SessionID, &n.ProfileID, &n.UserID, &n.Attempts)
				return n, err
			})
		return err
	})
	return all, err
}

// DropLogout forgets a notice: it has been told, or is given up.
func (s *Store) DropLogout(ctx context.Context, n LogoutNotice) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `DELETE FROM logout_notices WHERE session_id = $1 AND profile_id = $2`, n.SessionID, n.ProfileID)
		return err
	})
}

// PutOffLogout lets a notice be claimed again from next on, unless somebody has claimed
// it since.
func (s *Store) PutOffLogout(ctx context.Context, n LogoutNotice, next time.Time) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `UPDATE logout_notices SET next_at = $1 WHERE session_id = $2 AND profile_id = $3 AND attempts = $4`,
			micros(next), n.SessionID, n.ProfileID, n.Attempts)
		return err
	})
}
