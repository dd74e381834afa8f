package store

import (
	"context"
	"fmt"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
)

// SigningKey is a key of package signing as it is kept: its private part, PKCS #8,
// is sealed in the column.
type SigningKey struct {
	ID         string
	Algorithm  string
	Private    []byte
	CreatedAt  time.Time
	UsableFrom time.Time
	RetiredAt  time.Time
}

func signingKeyPlace(id string) keyring.Place {
	return keyring.Place{Table: "signing_keys", Column: "private", Row: []byte(id)}
}

// AddSigningKey publishes a key that signs from its UsableFrom on.
func (s *Store) AddSigningKey(ctx context.Context, k SigningKey, by audit.By) error {
	sealed, err := s.ring.Seal(signingKeyPlace(k.ID), k.Private)
	if err != nil {
		return err
	}
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, `INSERT INTO signing_keys (id, alg, private, created_at, usable_from, retired_at) VALUES ($1, $2, $3, $4, $5, 0)`,
			k.ID, k.Algorithm, sealed, micros(k.CreatedAt), micros(k.UsableFrom)); err != nil {
			return err
		}
		t.changed(KeysChanged, 0)
		return t.event(ctx, by, audit.Event{Kind: audit.KeyRotated, Detail: k.Algorithm + " signing key"})
	})
}

// SigningKeys reads all signing keys.
func (s *Store) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	rows, err := s.db.Query(ctx, `SELECT id, alg, private, created_at, usable_from, retired_at FROM signing_keys ORDER BY usable_from, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []SigningKey
	for rows.Next() {
		var k SigningKey
		var sealed []byte
		var created, from, retired int64
		if err := rows.Scan(&k.ID, &k.Algorithm, &sealed, &created, &from, &retired); err != nil {
			return nil, err
		}
		if k.Private, err = s.ring.Open(signingKeyPlace(k.ID), sealed); err != nil {
			return nil, fmt.Errorf("store: signing key %s: %w", k.ID, err)
		}
		k.CreatedAt, k.UsableFrom, k.RetiredAt = fromMicros(created), fromMicros(from), fromMicros(retired)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

func (s *Store) resealSigningKeys(ctx context.Context, t *tx) (int, error) {
	type row struct {
		id     string
		sealed []byte
	}
	all, err := collect(ctx, t.Tx, `SELECT id, private FROM signing_keys ORDER BY id`, nil, func(r scanner) (row, error) {
		var k row
		err := r.Scan(&k.id, &k.sealed)
		return k, err
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, k := range all {
		if !s.ring.NeedsReseal(k.sealed) {
			continue
		}
		fresh, err := s.reseal(signingKeyPlace(k.id), k.sealed)
		if err != nil {
			return n, err
		}
		if _, err := t.Exec(ctx, `UPDATE signing_keys SET private = $1 WHERE id = $2`, fresh, k.id); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
