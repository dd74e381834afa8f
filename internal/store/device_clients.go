package store

import (
	"context"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
)

const deviceColumns = `id, client_key, name, created_at`

// AddDevice makes a client ID for a profile's devices. It answers ErrTooMany when
// there are [registry.MaxDevices].
func (s *Store) AddDevice(ctx context.Context, developerID, profileID int64, name string, by audit.By) (registry.DeviceClient, error) {
	d := registry.DeviceClient{ID: s.ids.next(by.At), Client: registry.NewClientKey(), Name: name, CreatedAt: by.At}
	return d, s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if err := t.ownProfile(ctx, developerID, profileID); err != nil {
			return err
		}
		var there int
		if err := t.QueryRow(ctx, `SELECT COUNT(*) FROM device_clients WHERE profile_id = $1`, profileID).Scan(&there); err != nil {
			return err
		}
		if there >= registry.MaxDevices {
			return ErrTooMany
		}
		if _, err := t.Exec(ctx, `INSERT INTO device_clients (`+deviceColumns+`, profile_id) VALUES ($1, $2, $3, $4, $5)`,
			d.ID, d.Client[:], storable(name), micros(by.At), profileID); err != nil {
			return err
		}
		t.changed(ProfileChanged, profileID)
		return t.event(ctx, by, audit.Event{Kind: audit.DeviceAdded, ProfileID: profileID, Detail: name})
	})
}

// RemoveDevice ends a device's client ID: its tokens, and what waits for its users.
func (s *Store) RemoveDevice(ctx context.Context, developerID, profileID, deviceID int64, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if err := t.ownProfile(ctx, developerID, profileID); err != nil {
			return err
		}
		var name string
		if err := t.QueryRow(ctx, `DELETE FROM device_clients WHERE id = $1 AND profile_id = $2 RETURNING name`, deviceID, profileID).Scan(&name); err != nil {
			return notFound(err)
		}
		if _, err := t.Exec(ctx, `DELETE FROM device_pairs WHERE profile_id = $1 AND device = $2`, profileID, deviceID); err != nil {
			return err
		}
		t.changed(ProfileChanged, profileID)
		t.changed(DeviceEnded, deviceID)
		return t.event(ctx, by, audit.Event{Kind: audit.DeviceRemoved, ProfileID: profileID, Detail: name})
	})
}
