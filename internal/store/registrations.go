package store

import (
	"context"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
)

// keptInitialTokens is how long a token that has ended is still listed.
const keptInitialTokens = 30 * 24 * time.Hour

// openUnusedFor is how long an application that registered without a token is kept
// when nobody uses it.
const openUnusedFor = 24 * time.Hour

const initialTokenColumns = `id, developer_id, label, uses_left, created_at, expires_at`

func scanInitialToken(row scanner) (registry.InitialToken, error) {
	var k registry.InitialToken
	var created, expires int64
	err := row.Scan(&k.ID, &k.DeveloperID, &k.Label, &k.UsesLeft, &created, &expires)
	k.CreatedAt, k.ExpiresAt = fromMicros(created), fromMicros(expires)
	return k, notFound(err)
}

// CreateInitialToken keeps an initial access token by the digest of its value.
func (s *Store) CreateInitialToken(ctx context.Context, k registry.InitialToken, digest [32]byte, by audit.By) (registry.InitialToken, error) {
	k.ID, k.CreatedAt = s.ids.next(by.At), by.At
	err := s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO initial_tokens (`+initialTokenColumns+`, digest) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			k.ID, k.DeveloperID, k.Label, k.UsesLeft, micros(k.CreatedAt), micros(k.ExpiresAt), digest[:]); err != nil {
			return err
		}
		if err := t.expire(ctx, "initial_tokens", "id", "expires_at", micros(by.At.Add(-keptInitialTokens))); err != nil {
			return err
		}
		return t.event(ctx, by, audit.Event{Kind: audit.InitialTokenCreated, Detail: k.Label})
	})
	return k, err
}

// InitialToken reads a live initial access token by the digest of its value, without
// using it up.
func (s *Store) InitialToken(ctx context.Context, digest [32]byte, now time.Time) (registry.InitialToken, error) {
	return scanInitialToken(s.db.QueryRow(ctx, `SELECT `+initialTokenColumns+` FROM initial_tokens WHERE digest = $1 AND uses_left > 0 AND expires_at > $2`, digest[:], micros(now)))
}

// InitialTokens reads all initial access tokens, the newest first.
func (s *Store) InitialTokens(ctx context.Context) ([]registry.InitialToken, error) {
	rows, err := s.db.Query(ctx, `SELECT `+initialTokenColumns+` FROM initial_tokens ORDER BY id DESC`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []registry.InitialToken
	for rows.Next() {
		k, err := scanInitialToken(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

// RevokeInitialToken ends an initial access token. What registered with it stays.
func (s *Store) RevokeInitialToken(ctx context.Context, id int64, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		var label string
		if err := t.QueryRow(ctx, `DELETE FROM initial_tokens WHERE id = $1 RETURNING label`, id).Scan(&label); err != nil {
			return notFound(err)
		}
		return t.event(ctx, by, audit.Event{Kind: audit.InitialTokenRevoked, Detail: label})
	})
}

// Register makes the profile of an application that registers itself, and takes one
// use of the initial access token with this digest: ErrNotFound when it has none left.
// The profile is the token's developer account's.
func (s *Store) Register(ctx context.Context, n NewProfile, digest [32]byte, by audit.By) (registry.SecurityProfile, error) {
	n.Dynamic = true
	p, sealed, err := s.newProfile(n, by)
	if err != nil {
		return p, err
	}
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if err := t.QueryRow(ctx, `UPDATE initial_tokens SET uses_left = uses_left - 1 WHERE digest = $1 AND uses_left > 0 AND expires_at > $2 RETURNING developer_id`,
			digest[:], micros(by.At)).Scan(&p.DeveloperID); err != nil {
			return notFound(err)
		}
		return t.insertProfile(ctx, p, n.Logo, sealed, audit.ProfileRegistered, by)
	})
	return p, err
}

// RegisterOpen is Register for an application that has no token. It gets a developer
// account of its own, so that it knows nobody by the ids of another application. Of
// these there are at most so many: the oldest that nobody has used makes room, and
// ErrTooMany says that all are in use.
func (s *Store) RegisterOpen(ctx context.Context, n NewProfile, most int, by audit.By) (registry.SecurityProfile, error) {
	n.Dynamic, n.DeveloperID = true, s.ids.next(by.At)
	p, sealed, err := s.newProfile(n, by)
	if err != nil {
		return p, err
	}
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		// One after the other: the count holds only if nobody else counts meanwhile.
		if _, err := t.Exec(ctx, `INSERT INTO meta (name, value) VALUES ('open_registration', $1) ON CONFLICT (name) DO UPDATE SET value = $1`, []byte{}); err != nil {
			return err
		}
		if err := t.dropUnused(ctx, firstID(by.At.Add(-openUnusedFor)), 4, by.At); err != nil {
			return err
		}
		const countOpen = `SELECT COUNT(*) FROM profiles WHERE dynamic = 2`
		var there int
		if err := t.QueryRow(ctx, countOpen).Scan(&there); err != nil {
			return err
		}
		if there >= most {
			if err := t.dropUnused(ctx, p.ID, there-most+1, by.At); err != nil {
				return err
			}
			if err := t.QueryRow(ctx, countOpen).Scan(&there); err != nil {
				return err
			}
			if there >= most {
				return ErrTooMany
			}
		}
		if _, err := t.Exec(ctx, `INSERT INTO developers (id, company, country, created_at) VALUES ($1, '', '', $2)`, p.DeveloperID, micros(by.At)); err != nil {
			return err
		}
		if err := t.insertProfile(ctx, p, n.Logo, sealed, audit.ProfileRegistered, by); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `UPDATE profiles SET dynamic = 2 WHERE id = $1`, p.ID)
		return err
	})
	return p, err
}
