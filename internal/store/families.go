package store

import (
	"context"
	"errors"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/sqldb"
)

// keptFamilies is how many families of rotating refresh tokens one grant has at most.
// Each installation of an application has one, and leaves it behind when it is
// removed; the one that was not used for longest makes room, and whoever still has
// its token signs in again.
const keptFamilies = 100

func (t *tx) beginFamily(ctx context.Context, grantID int64, family authz.Family, now time.Time) error {
	if _, err := t.Exec(ctx, `INSERT INTO families (grant_id, family, step, stepped_at) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING`, grantID, family[:], micros(now)); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `DELETE FROM families WHERE grant_id = $1 AND family IN
		(SELECT family FROM families WHERE grant_id = $1 ORDER BY stepped_at DESC, family LIMIT 4 OFFSET $2`+t.passingOver()+`)`, grantID, keptFamilies)
	return err
}

// Rotate uses step of a family's refresh token up. One caller moves the family to
// the next step; whoever comes with the same step within [authz.RotationGrace]
// gets the same successor, so that a rotation whose outcome is unknown can be made
// again; any other reuse ends the family.
//
// A family that has ended has no row, except where a program that knows schema 4 and no
// more has ended it: that [authz.Grant.Live] tells.
func (s *Store) Rotate(ctx context.Context, grantID int64, family authz.Family, step uint32, now time.Time) (authz.Rotation, error) {
	take := statement{`UPDATE families SET step = step + 1, stepped_at = $1 WHERE grant_id = $2 AND family = $3 AND step = $4`,
		[]any{micros(now), grantID, family[:], int64(step)}}
	var result authz.Rotation
	done, err := s.settleFirst(ctx, take, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, take.text, take.args...)
		if err != nil {
			return err
		}
		if rows == 1 {
			result = authz.Rotated
			return nil
		}
		var at, steppedAt int64
		err = t.QueryRow(ctx, `SELECT step, stepped_at FROM families WHERE grant_id = $1 AND family = $2`, grantID, family[:]).Scan(&at, &steppedAt)
		switch {
		case errors.Is(err, sqldb.ErrNoRows):
			result = authz.FamilyGone
			return nil
		case err != nil:
			return err
		case at == int64(step)+1 && now.Sub(fromMicros(steppedAt)) <= authz.RotationGrace:
			result = authz.Rotated
			return nil
		}
		result = authz.Reused
		var accountID, profileID int64
		err = t.QueryRow(ctx, `SELECT account_id, profile_id FROM grants WHERE id = $1`, grantID).Scan(&accountID, &profileID)
		if errors.Is(err, sqldb.ErrNoRows) {
			result = authz.FamilyGone // a moment ago
			return nil
		}
		if err != nil {
			return err
		}
		ended, err := t.endFamily(ctx, FamilyEnd{GrantID: grantID, Family: family, Rotating: true}, now)
		if err != nil || !ended {
			return err
		}
		return t.event(ctx, audit.By{At: now}, audit.Event{Kind: audit.TokenReused, AccountID: accountID, ProfileID: profileID})
	})
	switch {
	case sqldb.IsMissing(err): // the grant went while the family was being ended
		return authz.FamilyGone, nil
	case err != nil:
		return 0, err
	case done:
		return authz.Rotated, nil
	}
	return result, nil
}

// FamilyStep is the step that a family's refresh token is at, or ErrNotFound.
func (s *Store) FamilyStep(ctx context.Context, grantID int64, family authz.Family) (uint32, error) {
	var step int64
	err := s.db.QueryRow(ctx, `SELECT step FROM families WHERE grant_id = $1 AND family = $2`, grantID, family[:]).Scan(&step)
	return uint32(step), notFound(err)
}
