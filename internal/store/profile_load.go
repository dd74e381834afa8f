package store

import (
	"cmp"
	"context"
	"slices"

	"gatelodge/internal/registry"
)

// A profile is loaded with all that it has by one statement. One of its rows is the
// profile itself; each of the others is a thing that it has, in those columns of a
// profile that are most like its own.
const (
	profileByID        = profileRows + ` = $1` + urlRows + ` = $1` + postLogoutRows + ` = $1` + originRows + ` = $1` + secretRows + ` = $1` + deviceRows + ` = $1` + scopeRows + ` = $1`
	profileByClient    = `WITH found AS (SELECT COALESCE((SELECT id FROM profiles WHERE client_key = $1), (SELECT profile_id FROM device_clients WHERE client_key = $1)) AS id) ` + profileFound
	profileByAudience  = `WITH found AS (SELECT id FROM profiles WHERE audience = $1 AND audience <> '') ` + profileFound
	profileByOrigin    = `WITH found AS (SELECT MIN(profile_id) AS id FROM origins WHERE value = $1) ` + profileFound
	profileOfDeveloper = `WITH found AS (SELECT id FROM profiles WHERE developer_id = $1 AND application_key = $2) ` + profileFound

	profileFound = profileRows + found + urlRows + found + postLogoutRows + found + originRows + found + secretRows + found + deviceRows + found + scopeRows + found
	found        = ` = (SELECT id FROM found)`

	profileRows    = `SELECT 0, ` + profileColumns + `, epoch, newest FROM profiles, ` + inFeed + ` WHERE id`
	urlRows        = ` UNION ALL SELECT 1, ` + addressColumns + ` FROM return_urls WHERE profile_id`
	postLogoutRows = ` UNION ALL SELECT 2, ` + addressColumns + ` FROM post_logout_urls WHERE profile_id`
	originRows     = ` UNION ALL SELECT 3, ` + addressColumns + ` FROM origins WHERE profile_id`
	secretRows     = ` UNION ALL SELECT 4, id, NULL, digest, NULL, NULL, NULL, NULL, NULL, created_at, NULL, last_used_at, expires_at` + settingsNull + ` FROM secrets WHERE profile_id`
	deviceRows     = ` UNION ALL SELECT 5, id, NULL, client_key, NULL, name, NULL, NULL, NULL, created_at, NULL, NULL, NULL` + settingsNull + ` FROM device_clients WHERE profile_id`
	scopeRows      = ` UNION ALL SELECT 6, number, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL` + settingsNull + ` FROM profile_scopes WHERE profile_id`
	addressColumns = `position, NULL, NULL, NULL, value, note, NULL, NULL, NULL, NULL, NULL, NULL` + settingsNull
	settingsNull   = `, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL` // and what follows them
)

// What such rows are.
const (
	itself = iota
	itsReturnURL
	itsPostLogoutURL
	itsOrigin
	itsSecret
	itsDevice
	itsScope
)

// belonging is a thing that a profile has.
type belonging struct {
	what                 small
	id                   number
	key                  []byte
	value, note          words
	created, used, ended number
}

func (s *Store) loadProfile(ctx context.Context, query string, args ...any) (p registry.SecurityProfile, at Cursor, err error) {
	var what small
	var r profileRow
	into := append(append(make([]any, 0, 32), &what), r.into()...) // with room for the place
	all := make([]belonging, 0, 4)
	at, err = s.load(ctx, query, args, func(row scanner, place ...any) error {
		if err := row.Scan(append(into, place...)...); err != nil {
			return err
		}
		if what != itself {
			all = append(all, belonging{what: what, id: r.id, key: r.client, value: r.name, note: r.description, created: r.created, used: r.used, ended: r.suspended})
			return nil
		}
		var err error
		p, err = r.profile()
		return err
	})
	if err != nil {
		return p, at, err
	}
	// Sorted here: the database would take longer, for all columns.
	slices.SortFunc(all, func(a, b belonging) int { return cmp.Compare(a.id, b.id) })
	for _, b := range all {
		if err := b.give(&p); err != nil {
			return p, at, err
		}
	}
	return p, at, nil
}

// give puts the thing to those of its kind.
func (b *belonging) give(p *registry.SecurityProfile) error {
	switch b.what {
	case itsReturnURL:
		p.ReturnURLs = append(p.ReturnURLs, registry.ReturnURL{Value: string(b.value), Note: string(b.note)})
	case itsPostLogoutURL:
		p.PostLogoutURLs = append(p.PostLogoutURLs, registry.ReturnURL{Value: string(b.value), Note: string(b.note)})
	case itsOrigin:
		p.Origins = append(p.Origins, registry.AllowedOrigin{Value: string(b.value), Note: string(b.note)})
	case itsSecret:
		c := registry.ClientSecret{ID: int64(b.id), CreatedAt: b.created.time(), LastUsedAt: b.used.time(), ExpiresAt: b.ended.time()}
		p.Secrets = append(p.Secrets, c)
		return fixed(p.Secrets[len(p.Secrets)-1].Digest[:], b.key, "secrets.digest")
	case itsDevice:
		p.Devices = append(p.Devices, registry.DeviceClient{ID: int64(b.id), Name: string(b.value), CreatedAt: b.created.time()})
		return fixed(p.Devices[len(p.Devices)-1].Client[:], b.key, "device_clients.client_key")
	case itsScope:
		p.Granted = p.Granted.With(int(b.id))
	}
	return nil
}
