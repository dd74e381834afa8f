package store

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"gatelodge/internal/audit"
)

// Usage is when profiles, secrets and grants were last used, by id.
type Usage struct {
	Profiles, Secrets, Grants map[int64]time.Time
}

// FlushUsage moves the times of last use forward, in the order of ids: servers that
// flush at the same moment do not wait for one another in a circle. It is no change
// that a view has to know of.
func (s *Store) FlushUsage(ctx context.Context, u Usage) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		for _, part := range []struct {
			query string
			times map[int64]time.Time
		}{
			{`UPDATE profiles SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`, u.Profiles},
			{`UPDATE secrets SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`, u.Secrets},
			{`UPDATE grants SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`, u.Grants},
		} {
			for _, id := range slices.Sorted(maps.Keys(part.times)) {
				if _, err := t.Exec(ctx, part.query, micros(part.times[id]), id); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// AddRefusals merges refusals into their profiles' lists, by cause, and keeps the
// newest [audit.MaxRefusals] of each. Like FlushUsage it goes in the order of keys.
func (s *Store) AddRefusals(ctx context.Context, all []audit.Refusal) error {
	all = slices.SortedFunc(slices.Values(all), func(a, b audit.Refusal) int {
		causeA, causeB := a.Cause(), b.Cause()
		return cmp.Or(cmp.Compare(a.ProfileID, b.ProfileID), bytes.Compare(causeA[:], causeB[:]))
	})
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		for i, r := range all {
			cause := r.Cause()
			if _, err := t.Exec(ctx, `INSERT INTO refusals (profile_id, cause, endpoint, code, words, sent, nearest, request_id, count, first_at, last_at)
				SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 WHERE EXISTS (SELECT 1 FROM profiles WHERE id = $1)
				ON CONFLICT (profile_id, cause) DO UPDATE SET count = refusals.count + $9, last_at = $11, request_id = $8, nearest = $7`,
				r.ProfileID, cause[:], storable(r.Endpoint), storable(r.Code), storable(r.Words), storable(r.Sent), storable(r.Nearest), storable(r.RequestID),
				r.Count, micros(r.FirstAt), micros(r.LastAt)); err != nil {
				return err
			}
			if last := i == len(all)-1 || all[i+1].ProfileID != r.ProfileID; !last {
				continue
			}
			if _, err := t.Exec(ctx, `DELETE FROM refusals WHERE profile_id = $1 AND cause NOT IN
				(SELECT cause FROM refusals WHERE profile_id = $1 ORDER BY last_at DESC LIMIT $2)`, r.ProfileID, audit.MaxRefusals); err != nil {
				return err
			}
		}
		return nil
	})
}

// Refusals reads a profile's refusals, the newest first.
func (s *Store) Refusals(ctx context.Context, profileID int64) ([]audit.Refusal, error) {
	rows, err := s.db.Query(ctx, `SELECT endpoint, code, words, sent, nearest, request_id, count, first_at, last_at FROM refusals WHERE profile_id = $1 ORDER BY last_at DESC`, profileID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []audit.Refusal
	for rows.Next() {
		r := audit.Refusal{ProfileID: profileID}
		var first, last int64
		if err := rows.Scan(&r.Endpoint, &r.Code, &r.Words, &r.Sent, &r.Nearest, &r.RequestID, &r.Count, &first, &last); err != nil {
			return nil, err
		}
		r.FirstAt, r.LastAt = fromMicros(first), fromMicros(last)
		all = append(all, r)
	}
	return all, rows.Err()
}
