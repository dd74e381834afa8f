package store

import (
	"context"
	"errors"
	"math"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/sqldb"
)

const (
	// keptEnded is how many families of one grant that have ended are remembered one by
	// one, of those whose refresh token has no end of its own. An application that
	// revokes its token at each sign-out adds one each time.
	keptEnded = 100
	// keptMarked is how long a row stays when the grant's mark says the same: as long as
	// a rolling upgrade may take, since programs of before do not know the mark. It is
	// longer than [authz.EndedRetention].
	keptMarked = 24 * time.Hour
	// never is when a row expires that does not.
	never = math.MaxInt64
)

// FamilyEnd names a family whose tokens are to end.
type FamilyEnd struct {
	GrantID int64
	Family  authz.Family
	// Rotating: its refresh tokens are good for one use each.
	Rotating bool
	// IssuedBy is when its refresh token was issued, or later; zero where that is not known.
	IssuedBy time.Time
}

// EndFamily ends the tokens of one family of a grant, if the grant is still there.
// When the outcome of the commit is unknown, it is made again: ended is ended.
func (s *Store) EndFamily(ctx context.Context, e FamilyEnd, now time.Time) error {
	err := s.settle(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.endFamily(ctx, e, now)
		return err
	})
	if sqldb.IsMissing(err) {
		return nil // the grant has just gone, and with it the family
	}
	return err
}

// endFamily reports whether it was this call that ended the family.
//
// A family whose refresh tokens rotate loses its row in families, so nothing is
// refreshed ever again, and is remembered for its access tokens only. Whether they
// rotate is known by that row, and where it made room for others, from the token.
func (t *tx) endFamily(ctx context.Context, e FamilyEnd, now time.Time) (bool, error) {
	var expires int64
	err := t.QueryRow(ctx, `INSERT INTO ended_families (grant_id, family, ended_at, issued_at, expires_at)
		SELECT $1, $2, $3, $4, CASE WHEN EXISTS (SELECT 1 FROM families WHERE grant_id = $1 AND family = $2) THEN CAST($5 AS BIGINT) ELSE CAST($6 AS BIGINT) END
		WHERE EXISTS (SELECT 1 FROM grants WHERE id = $1) ON CONFLICT DO NOTHING RETURNING expires_at`,
		e.GrantID, e.Family[:], micros(now), micros(e.IssuedBy), micros(now.Add(authz.EndedRetention)), e.expires(now)).Scan(&expires)
	switch {
	case errors.Is(err, sqldb.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	}
	t.changed(GrantChanged, e.GrantID)
	if expires == never {
		err = t.markEnded(ctx, e.GrantID, now)
	} else {
		_, err = t.Exec(ctx, `DELETE FROM families WHERE grant_id = $1 AND family = $2`, e.GrantID, e.Family[:])
	}
	if err != nil {
		return false, err
	}
	return true, t.expire(ctx, "ended_families", "grant_id, family", "expires_at", micros(now))
}

func (e FamilyEnd) expires(now time.Time) int64 {
	if e.Rotating {
		return micros(now.Add(authz.EndedRetention))
	}
	return never
}

// markEnded lets the grant's mark stand for all but the [keptEnded] families that have
// ended and were issued last: what was issued by then has ended, those included that
// nobody has ended. Their rows stay for a while, for access tokens and older programs.
func (t *tx) markEnded(ctx context.Context, grantID int64, now time.Time) error {
	// Who redeemed a code did so before it was ended, by the clock of another server.
	const issued = `CASE issued_at WHEN 0 THEN ended_at + $4 ELSE issued_at END`
	marks, err := collect(ctx, t.Tx, `UPDATE ended_families SET expires_at = $1 WHERE grant_id = $2 AND expires_at = $3 AND family IN
		(SELECT family FROM ended_families WHERE grant_id = $2 AND expires_at = $3 ORDER BY `+issued+` DESC, family LIMIT 1000000 OFFSET $5)
		RETURNING `+issued, []any{micros(now.Add(keptMarked)), grantID, int64(never), (2 * authz.ClockSkew).Microseconds(), keptEnded}, scanOne[int64])
	if err != nil || len(marks) == 0 {
		return err
	}
	mark := marks[0]
	for _, m := range marks {
		mark = max(mark, m)
	}
	if _, err := t.Exec(ctx, `UPDATE grants SET ended_until = $1 WHERE id = $2 AND ended_until < $1`, mark, grantID); err != nil {
		return err
	}
	// Of families that a program of before has ended, whose rows would be told by nothing.
	_, err = t.Exec(ctx, `DELETE FROM families WHERE grant_id = $1 AND family IN (SELECT family FROM ended_families WHERE grant_id = $1)`, grantID)
	return err
}
