package store

import (
	"context"
	"encoding/binary"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/registry"
)

func secretPlace(id int64) keyring.Place {
	return keyring.Place{Table: "secrets", Column: "sealed", Row: binary.BigEndian.AppendUint64(nil, uint64(id))}
}

func (s *Store) sealSecret(value string, now time.Time) (registry.ClientSecret, []byte, error) {
	c := registry.ClientSecret{ID: s.ids.next(now), Digest: registry.Digest(value), CreatedAt: now}
	sealed, err := s.ring.Seal(secretPlace(c.ID), []byte(value))
	return c, sealed, err
}

func (t *tx) insertSecret(ctx context.Context, profileID int64, c registry.ClientSecret, sealed []byte) error {
	_, err := t.Exec(ctx, `INSERT INTO secrets (id, profile_id, sealed, digest, created_at, last_used_at, expires_at) VALUES ($1, $2, $3, $4, $5, 0, 0)`,
		c.ID, profileID, sealed, c.Digest[:], micros(c.CreatedAt))
	return err
}

// ownProfile locks the profile's row, so that rules about all of its secrets hold
// against others who write at the same time.
func (t *tx) ownProfile(ctx context.Context, developerID, profileID int64) error {
	rows, err := t.Exec(ctx, `UPDATE profiles SET version = version WHERE id = $1 AND developer_id = $2`, profileID, developerID)
	return need(rows, err, ErrNotFound)
}

// AddSecret makes another live secret beside the ones there are. It answers
// ErrTooMany when [registry.MaxLiveSecrets] are live.
func (s *Store) AddSecret(ctx context.Context, developerID, profileID int64, value string, by audit.By) (registry.ClientSecret, error) {
	c, sealed, err := s.sealSecret(value, by.At)
	if err != nil {
		return c, err
	}
	return c, s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if err := t.ownProfile(ctx, developerID, profileID); err != nil {
			return err
		}
		// Ended secrets are of no more use: their rows would only pile up.
		if _, err := t.Exec(ctx, `DELETE FROM secrets WHERE profile_id = $1 AND expires_at > 0 AND expires_at <= $2`, profileID, micros(by.At)); err != nil {
			return err
		}
		var live int
		if err := t.QueryRow(ctx, `SELECT COUNT(*) FROM secrets WHERE profile_id = $1`, profileID).Scan(&live); err != nil {
			return err
		}
		if live >= registry.MaxLiveSecrets {
			return ErrTooMany
		}
		if err := t.insertSecret(ctx, profileID, c, sealed); err != nil {
			return err
		}
		t.changed(ProfileChanged, profileID)
		return t.event(ctx, by, audit.Event{Kind: audit.SecretCreated, ProfileID: profileID})
	})
}

// EndSecret ends a secret at a time, now or later, or with a zero time takes a set
// end back. One that has ended already stays ended. It answers ErrTooMany rather
// than leave the profile without a secret that has no end.
func (s *Store) EndSecret(ctx context.Context, developerID, profileID, secretID int64, at time.Time, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if err := t.ownProfile(ctx, developerID, profileID); err != nil {
			return err
		}
		if !at.IsZero() {
			var others int
			if err := t.QueryRow(ctx, `SELECT COUNT(*) FROM secrets WHERE profile_id = $1 AND id <> $2 AND expires_at = 0`, profileID, secretID).Scan(&others); err != nil {
				return err
			}
			if others == 0 {
				return ErrTooMany
			}
		}
		rows, err := t.Exec(ctx, `UPDATE secrets SET expires_at = $1 WHERE id = $2 AND profile_id = $3 AND (expires_at = 0 OR expires_at > $4)`,
			micros(at), secretID, profileID, micros(by.At))
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		t.changed(ProfileChanged, profileID)
		detail := "has no end again"
		if !at.IsZero() {
			detail = "ends " + at.UTC().Format(time.RFC3339)
		}
		return t.event(ctx, by, audit.Event{Kind: audit.SecretEnded, ProfileID: profileID, Detail: detail})
	})
}

// ShowSecret opens a secret's value for its owner. That it was shown is remembered
// before the value is given.
func (s *Store) ShowSecret(ctx context.Context, developerID, profileID, secretID int64, by audit.By) (string, error) {
	return s.openSecret(ctx, developerID, profileID, secretID, audit.SecretShown, by)
}

// UseSecret opens a secret's value for a request that its owner has the console make.
func (s *Store) UseSecret(ctx context.Context, developerID, profileID, secretID int64, by audit.By) (string, error) {
	return s.openSecret(ctx, developerID, profileID, secretID, audit.SecretUsed, by)
}

func (s *Store) openSecret(ctx context.Context, developerID, profileID, secretID int64, why audit.Kind, by audit.By) (string, error) {
	var sealed []byte
	err := s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		err := t.QueryRow(ctx, `SELECT s.sealed FROM secrets AS s JOIN profiles AS p ON p.id = s.profile_id
			WHERE s.id = $1 AND p.id = $2 AND p.developer_id = $3`, secretID, profileID, developerID).Scan(&sealed)
		if err != nil {
			return notFound(err)
		}
		return t.event(ctx, by, audit.Event{Kind: why, ProfileID: profileID})
	})
	if err != nil {
		return "", err
	}
	value, err := s.ring.Open(secretPlace(secretID), sealed)
	return string(value), err
}
