package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"

	"gatelodge/internal/sqldb"
)

// Person is somebody who has signed in at least once.
type Person struct {
	ID       int64
	Subject  string // as Gatelodge knows them here
	Name     string
	Email    string // "" while it is not confirmed
	UserCode string // passed on to be let into an account
}

const personColumns = `id, subject, name, email, user_code`

func scanPerson(r scanner) (Person, error) {
	var p Person
	err := r.Scan(&p.ID, &p.Subject, &p.Name, &p.Email, &p.UserCode)
	return p, notFound(err)
}

// userCodeLetters leaves out what is mistaken for something else.
const userCodeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// newUserCode makes ten letters and digits (slate.md section 10).
func newUserCode() string {
	b := make([]byte, 10)
	rand.Read(b)
	for i, c := range b {
		b[i] = userCodeLetters[int(c)%len(userCodeLetters)]
	}
	return string(b)
}

// SignIn notes that somebody has signed in, with the name and the confirmed address
// that Gatelodge tells now, and lets them into the accounts that invited the address.
func (s *Store) SignIn(ctx context.Context, subject, name, confirmedEmail string, now time.Time) (p Person, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		p, err = scanPerson(t.QueryRow(ctx, `INSERT INTO people (id, subject, name, email, email_key, user_code, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
			ON CONFLICT (subject) DO UPDATE SET name = $3, email = $4, email_key = $5, seen_at = $7 RETURNING `+personColumns,
			s.nextID(now), subject, name, confirmedEmail, emailKey(confirmedEmail), newUserCode(), micros(now)))
		if err != nil || confirmedEmail == "" {
			return err
		}
		return s.acceptInvitations(ctx, t, p, now)
	})
	return p, err
}

func (s *Store) acceptInvitations(ctx context.Context, t *sqldb.Tx, p Person, now time.Time) error {
	type invited struct {
		account int64
		rights  Rights
	}
	all, err := collect(ctx, inside{t}, func(r scanner) (invited, error) {
		var i invited
		var manage, reports int64
		err := r.Scan(&i.account, &manage, &reports)
		i.rights = Rights{manage != 0, reports != 0}
		return i, err
	}, `DELETE FROM invitations WHERE email_key = $1 AND expires_at > $2 RETURNING account_id, manage, reports`, emailKey(p.Email), micros(now))
	if err != nil {
		return err
	}
	for _, i := range all {
		if err := s.putMember(ctx, t, i.account, p.ID, i.rights, now); err != nil {
			return err
		}
		if err := s.event(ctx, t, i.account, Actor{p.ID, now}, "member.accepted", p.Name); err != nil {
			return err
		}
	}
	return nil
}

// PersonBySubject finds somebody by the subject of a token.
func (s *Store) PersonBySubject(ctx context.Context, subject string) (Person, error) {
	return scanPerson(s.db.QueryRow(ctx, `SELECT `+personColumns+` FROM people WHERE subject = $1`, subject))
}

// PersonByEmail finds somebody by their confirmed address, for the operator.
func (s *Store) PersonByEmail(ctx context.Context, email string) (Person, error) {
	return scanPerson(s.db.QueryRow(ctx, `SELECT `+personColumns+` FROM people WHERE email_key = $1 AND email_key <> '' ORDER BY seen_at DESC LIMIT 1`, emailKey(email)))
}

// PersonByCode finds somebody by the code that they passed on.
func (s *Store) PersonByCode(ctx context.Context, code string) (Person, error) {
	code = strings.ToUpper(strings.Join(strings.Fields(code), ""))
	return scanPerson(s.db.QueryRow(ctx, `SELECT `+personColumns+` FROM people WHERE user_code = $1`, code))
}

// StartSession begins a session; digest is of the cookie's value.
func (s *Store) StartSession(ctx context.Context, digest [32]byte, personID int64, gatelodgeSID string, now, expires time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO sessions (digest, person_id, gatelodge_sid, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			digest[:], personID, gatelodgeSID, micros(now), micros(expires)); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, micros(now))
		return err
	})
}

// Session gives who a session is of.
func (s *Store) Session(ctx context.Context, digest [32]byte, now time.Time) (Person, error) {
	return scanPerson(s.db.QueryRow(ctx, `SELECT p.id, p.subject, p.name, p.email, p.user_code FROM sessions AS s JOIN people AS p ON p.id = s.person_id
		WHERE s.digest = $1 AND s.expires_at > $2`, digest[:], micros(now)))
}

// EndSession ends one session.
func (s *Store) EndSession(ctx context.Context, digest [32]byte) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		_, err := t.Exec(ctx, `DELETE FROM sessions WHERE digest = $1`, digest[:])
		return err
	})
}

// FollowLogout ends the sessions that began with a session of Gatelodge, or all of a
// subject when sid is "" (Back-Channel Logout 1.0 section 2.7), once for each id of a
// logout token: ErrTaken when it was followed before, by whatever process. Ids are
// remembered until expires.
func (s *Store) FollowLogout(ctx context.Context, tokenID, subject, sid string, now, expires time.Time) error {
	digest := sha256.Sum256([]byte(tokenID))
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		noted, err := t.Exec(ctx, `INSERT INTO logouts (digest, expires_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`, digest[:], micros(expires))
		if err != nil {
			return err
		}
		if noted == 0 {
			return ErrTaken
		}
		if _, err := t.Exec(ctx, `DELETE FROM logouts WHERE digest IN (SELECT digest FROM logouts WHERE expires_at <= $1 ORDER BY expires_at LIMIT 5)`, micros(now)); err != nil {
			return err
		}
		_, err = t.Exec(ctx, `DELETE FROM sessions WHERE (gatelodge_sid = $1 OR $1 = '') AND (person_id IN (SELECT id FROM people WHERE subject = $2) OR ($2 = '' AND $1 <> ''))`, sid, subject)
		return err
	})
}
