package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatelodge/internal/audit"
)

// Usage is when profiles, secrets and grants were last used, by id.
type Usage struct {
	Profiles, Secrets, Grants map[int64]time.Time
}

// flushTogether is how many times of last use one statement writes, and one
// transaction at most: codes and sign-ins wait no longer than for that.
const flushTogether = 250

// usageQuery moves the times of a table's rows forward. It takes flushTogether pairs
// of id and time. On PostgreSQL rows that another transaction holds are passed over,
// so that servers that flush at the same moment do not wait for one another in a
// circle: the other one's time is as good.
func (s *Store) usageQuery(table string) string {
	values := make([]string, flushTogether)
	for i := range values {
		values[i] = fmt.Sprintf("(CAST($%d AS BIGINT), CAST($%d AS BIGINT))", 2*i+1, 2*i+2)
	}
	free := (&tx{store: s}).passingOver()
	return `WITH used (id, at) AS (VALUES ` + strings.Join(values, ", ") + `)
		UPDATE ` + table + ` SET last_used_at = used.at FROM used WHERE used.id = ` + table + `.id AND ` + table + `.last_used_at < used.at
		AND ` + table + `.id IN (SELECT t.id FROM ` + table + ` AS t WHERE t.id IN (SELECT id FROM used)` + free + `)`
}

// FlushUsage moves the times of last use forward, a few in each transaction: with a
// hundred thousand grants in use, one would keep all others waiting. What was written
// before an error stays. It is no change that a view has to know of.
func (s *Store) FlushUsage(ctx context.Context, u Usage) error {
	type statement struct {
		text string
		args []any
	}
	var together []statement
	rows := 0
	write := func() error {
		all := together
		together, rows = nil, 0
		return s.write(ctx, func(ctx context.Context, t *tx) error {
			for _, st := range all {
				if _, err := t.Exec(ctx, st.text, st.args...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, part := range []struct {
		table string
		times map[int64]time.Time
	}{{"profiles", u.Profiles}, {"secrets", u.Secrets}, {"grants", u.Grants}} {
		if len(part.times) == 0 {
			continue
		}
		query := s.usageQuery(part.table)
		for ids := range slices.Chunk(slices.Sorted(maps.Keys(part.times)), flushTogether) {
			if rows > 0 && rows+len(ids) > flushTogether {
				if err := write(); err != nil {
					return err
				}
			}
			args := make([]any, 0, 2*flushTogether)
			for i := range flushTogether {
				id := ids[min(i, len(ids)-1)] // the last one fills up: the text is always the same
				args = append(args, id, micros(part.times[id]))
			}
			together, rows = append(together, statement{query, args}), rows+len(ids)
		}
	}
	if rows == 0 {
		return nil
	}
	return write()
}

// AddRefusals merges refusals into their profiles' lists, by cause, and keeps the
// newest [audit.MaxRefusals] of each. It goes in the order of keys: servers that do so
// at the same moment do not wait for one another in a circle.
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
