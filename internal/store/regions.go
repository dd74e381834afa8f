package store

import (
	"context"
	"encoding/binary"
	"errors"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
)

// metaRegions holds the id of the developer account of all regions. It outlives their
// profiles: the ids that a region knows people by follow from it, and a region that is
// admitted once more has to know the same people by the same ids.
const metaRegions = "regions_developer"

// regionsPublisher is who users read as the publisher of another region.
const regionsPublisher = "this service"

// AdmitRegion makes the profile with which another region of this service signs people
// in. It answers ErrNameTaken when a region of that name is admitted already.
func (s *Store) AdmitRegion(ctx context.Context, name string, n NewProfile, by audit.By) (registry.SecurityProfile, error) {
	p, sealed, err := s.newProfile(n, by)
	if err != nil {
		return p, err
	}
	p.Region = name
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		var there int64
		switch err := t.QueryRow(ctx, `SELECT id FROM profiles WHERE region = $1`, name).Scan(&there); {
		case err == nil:
			return ErrNameTaken
		case !errors.Is(err, sqldb.ErrNoRows):
			return err
		}
		if p.DeveloperID, err = t.regionsDeveloper(ctx, by); err != nil {
			return err
		}
		return t.insertProfile(ctx, p, n.Logo, sealed, audit.RegionAdmitted, by)
	})
	if sqldb.IsUnique(err) {
		err = ErrNameTaken
	}
	return p, err
}

// regionsDeveloper gives the developer account of the regions, which has no members,
// and makes it for the first.
func (t *tx) regionsDeveloper(ctx context.Context, by audit.By) (int64, error) {
	id := t.store.ids.next(by.At)
	rows, err := t.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, metaRegions, binary.BigEndian.AppendUint64(nil, uint64(id)))
	if err != nil {
		return 0, err
	}
	if rows > 0 {
		_, err := t.Exec(ctx, `INSERT INTO developers (id, company, country, created_at) VALUES ($1, $2, '', $3)`, id, regionsPublisher, micros(by.At))
		return id, err
	}
	var value []byte
	if err := t.QueryRow(ctx, `SELECT value FROM meta WHERE name = $1`, metaRegions).Scan(&value); err != nil {
		return 0, err
	}
	var fixedSize [8]byte
	err = fixed(fixedSize[:], value, "meta."+metaRegions)
	return int64(binary.BigEndian.Uint64(fixedSize[:])), err
}

// Regions reads the profiles of all regions that are admitted, by name.
func (s *Store) Regions(ctx context.Context) ([]registry.SecurityProfile, error) {
	rows, err := s.db.Query(ctx, `SELECT `+profileColumns+` FROM profiles WHERE region <> '' ORDER BY region`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []registry.SecurityProfile
	for rows.Next() {
		p, err := scanProfile(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// RenewRegion gives a region another secret beside the newest that it has; older ones
// end. The region goes on with the one it has until it is given the new one.
func (s *Store) RenewRegion(ctx context.Context, name, secret string, by audit.By) (registry.SecurityProfile, error) {
	c, sealed, err := s.sealSecret(secret, by.At)
	if err != nil {
		return registry.SecurityProfile{}, err
	}
	var p registry.SecurityProfile
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		// Locks the row against others who renew it.
		if _, err := t.Exec(ctx, `UPDATE profiles SET version = version WHERE region = $1`, name); err != nil {
			return err
		}
		if p, err = scanProfile(t.QueryRow(ctx, `SELECT `+profileColumns+` FROM profiles WHERE region = $1`, name)); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `DELETE FROM secrets WHERE profile_id = $1 AND id <> (SELECT MAX(id) FROM secrets WHERE profile_id = $1)`, p.ID); err != nil {
			return err
		}
		if err := t.insertSecret(ctx, p.ID, c, sealed); err != nil {
			return err
		}
		t.changed(ProfileChanged, p.ID)
		return t.event(ctx, by, audit.Event{Kind: audit.SecretCreated, ProfileID: p.ID})
	})
	return p, err
}
