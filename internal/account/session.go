package account

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// SessionIdle is how long a session lives without being used.
	SessionIdle = 12 * time.Hour
	// SessionLifetime is how long a session lives at most.
	SessionLifetime = 30 * 24 * time.Hour
	// SessionTouchInterval is how exactly a session's use is recorded; within it,
	// requests of one session write nothing.
	SessionTouchInterval = 5 * time.Minute
	// RecentSignIn is how fresh a sign-in must be for what could do lasting harm:
	// showing a client secret, changing the password, deleting the account.
	RecentSignIn = 15 * time.Minute

	userAgentMax = 200 // characters
)

// Session is a browser in which an account is signed in.
type Session struct {
	Digest    [32]byte
	AccountID int64
	// ID names the session where the digest has no business. It stays when the same
	// person signs in again in the same browser; 0 is a session of before there were ids.
	ID              int64
	CreatedAt       time.Time
	AuthenticatedAt time.Time // when the password was last given
	LastSeenAt      time.Time
	ExpiresAt       time.Time
	UserAgent       string
	Address         string
	// HomeSession is the session of another region that this one came from, "" for none.
	HomeSession string
}

// NewSession begins a session and returns the value for its cookie. Each sign-in
// begins a new one: a value that was in the browser before is never promoted
// (session fixation). The user agent is what a stranger sent, so it is cut and
// freed of what a database or a page could stumble over.
func NewSession(accountID int64, userAgent, address string, now time.Time) (value string, s Session) {
	value, digest := NewToken()
	var id [8]byte
	rand.Read(id[:])
	return value, Session{
		Digest:          digest,
		AccountID:       accountID,
		ID:              int64(binary.BigEndian.Uint64(id[:])>>1 | 1),
		CreatedAt:       now,
		AuthenticatedAt: now,
		LastSeenAt:      now,
		ExpiresAt:       now.Add(SessionIdle),
		UserAgent:       printable(userAgent, userAgentMax),
		Address:         printable(address, userAgentMax),
	}
}

// Live reports whether the session may still be used.
func (s Session) Live(now time.Time) bool { return now.Before(s.ExpiresAt) }

// Recent reports whether the person proved at most [RecentSignIn] ago that it is
// still them.
func (s Session) Recent(now time.Time) bool {
	return !s.AuthenticatedAt.IsZero() && now.Sub(s.AuthenticatedAt) <= RecentSignIn
}

// TouchDue reports whether the session's use is to be recorded again.
func (s Session) TouchDue(now time.Time) bool {
	return now.Sub(s.LastSeenAt) >= SessionTouchInterval
}

// Touch is the session after a use at now: it lives on, but never past
// [SessionLifetime]. A session that has ended stays ended.
func (s Session) Touch(now time.Time) Session {
	if !s.Live(now) || now.Before(s.LastSeenAt) {
		return s
	}
	s.LastSeenAt = now
	s.ExpiresAt = now.Add(SessionIdle)
	if end := s.CreatedAt.Add(SessionLifetime); s.ExpiresAt.After(end) {
		s.ExpiresAt = end
	}
	return s
}

// printable cuts s to limit characters and drops what is not visible text.
func printable(s string, limit int) string {
	var b strings.Builder
	left := limit
	for _, r := range s {
		if left == 0 {
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			continue
		}
		b.WriteRune(r)
		left--
	}
	return b.String()
}
