package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
)

const profileColumns = `id, developer_id, client_key, application_key, name, description, privacy_url, logo, created_at, updated_at, last_used_at, suspended_at, ` + settingsColumns + `, audience, dynamic, region, version`

// settingsColumns are in the order of settingsValues.
const settingsColumns = `kind, id_token_alg, implicit, auth_method, jwks, jwks_uri, require_dpop, require_par, backchannel_logout_uri, token_format`

func settingsValues(n registry.Settings) []any {
	return []any{int64(n.Kind), n.IDTokenAlg, flag(n.Implicit), int64(n.Auth), n.JWKS, n.JWKSURI, flag(n.RequireDPoP), flag(n.RequirePAR), n.BackChannelLogoutURI, int64(n.TokenFormat)}
}

// profileRow is a row of profileColumns.
type profileRow struct {
	id, developer, created, updated, used, suspended, version           number
	client, application, logo                                           []byte
	name, description, privacy, alg, jwks, jwksURI, logoutURI, audience words
	kind, implicit, auth, dpop, par, format, dynamic                    small
	region                                                              words
}

// into is where Scan puts the columns.
func (r *profileRow) into() []any {
	return []any{&r.id, &r.developer, &r.client, &r.application, &r.name, &r.description, &r.privacy, &r.logo, &r.created, &r.updated, &r.used, &r.suspended,
		&r.kind, &r.alg, &r.implicit, &r.auth, &r.jwks, &r.jwksURI, &r.dpop, &r.par, &r.logoutURI, &r.format, &r.audience, &r.dynamic, &r.region, &r.version}
}

func (r *profileRow) profile() (registry.SecurityProfile, error) {
	p := registry.SecurityProfile{
		ID: int64(r.id), DeveloperID: int64(r.developer), Version: int64(r.version),
		Name: string(r.name), Description: string(r.description), PrivacyURL: string(r.privacy),
		CreatedAt: r.created.time(), UpdatedAt: r.updated.time(), LastUsedAt: r.used.time(), SuspendedAt: r.suspended.time(),
		Settings: registry.Settings{
			Kind: registry.Kind(r.kind), IDTokenAlg: string(r.alg), Implicit: r.implicit != 0, Auth: registry.AuthMethod(r.auth),
			JWKS: string(r.jwks), JWKSURI: string(r.jwksURI), RequireDPoP: r.dpop != 0, RequirePAR: r.par != 0,
			BackChannelLogoutURI: string(r.logoutURI), TokenFormat: registry.TokenFormat(r.format),
		},
		Audience: string(r.audience), Dynamic: r.dynamic != 0, Region: string(r.region),
	}
	err := errors.Join(fixed(p.Client[:], r.client, "profiles.client_key"), fixed(p.Application[:], r.application, "profiles.application_key"))
	if err == nil && len(r.logo) > 0 {
		err = fixed(p.Logo[:], r.logo, "profiles.logo")
	}
	return p, err
}

func scanProfile(row scanner) (registry.SecurityProfile, error) {
	var r profileRow
	if err := row.Scan(r.into()...); err != nil {
		return registry.SecurityProfile{}, notFound(err)
	}
	return r.profile()
}

// LogoChange says what saving a profile does to its logo.
type LogoChange struct {
	// Remove takes the logo away.
	Remove bool
	// Hash and PNG, when set, are the new logo.
	Hash registry.LogoHash
	PNG  []byte
}

// NewProfile is what a profile begins with.
type NewProfile struct {
	DeveloperID int64
	Form        registry.ProfileForm
	Settings    registry.Settings
	Logo        LogoChange
	ReturnURLs  []registry.ReturnURL
	Origins     []registry.AllowedOrigin
	// PostLogoutURLs, Granted and Dynamic are of applications that register
	// themselves, and of the operator's command.
	PostLogoutURLs []registry.ReturnURL
	Granted        oauth.ScopeSet
	Dynamic        bool
	// Secret is the value of the first client secret, "" for none.
	Secret string
	// Attempt, where it is not "", names what was sent: the same words under the same
	// name are the same profile.
	Attempt string
}

// applicationKey follows from the attempt, if that has a name. The developer account is
// part of it, so nobody can take another's.
func (n NewProfile) applicationKey() registry.ApplicationKey {
	if n.Attempt == "" {
		return registry.NewApplicationKey()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q %q %q %v", n.DeveloperID, n.Attempt, n.Form.Name, n.Form.Description, n.Form.PrivacyURL, n.Settings.Kind))
	return registry.ApplicationKey(sum[:16])
}

// CreateProfile makes a profile with its first secret. The same attempt gives the
// profile that it has made before.
func (s *Store) CreateProfile(ctx context.Context, n NewProfile, by audit.By) (registry.SecurityProfile, error) {
	p, sealed, err := s.newProfile(n, by)
	if err != nil {
		return p, err
	}
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		return t.insertProfile(ctx, p, n.Logo, sealed, audit.ProfileCreated, by)
	})
	if sqldb.IsUnique(err) && n.Attempt != "" {
		return s.Profile(ctx, n.DeveloperID, p.Application)
	}
	return p, err
}

// newProfile gives the profile that is to be inserted, and its secret sealed.
func (s *Store) newProfile(n NewProfile, by audit.By) (p registry.SecurityProfile, sealed []byte, err error) {
	p = registry.SecurityProfile{
		ID: s.ids.next(by.At), DeveloperID: n.DeveloperID,
		Client: registry.NewClientKey(), Application: n.applicationKey(),
		Name: n.Form.Name, Description: n.Form.Description, PrivacyURL: n.Form.PrivacyURL, Logo: n.Logo.Hash,
		CreatedAt: by.At, UpdatedAt: by.At, Version: 1, Settings: n.Settings, ReturnURLs: n.ReturnURLs, Origins: n.Origins,
		PostLogoutURLs: n.PostLogoutURLs, Granted: n.Granted, Dynamic: n.Dynamic,
	}
	if p.Settings.IDTokenAlg == "" {
		p.Settings.IDTokenAlg = registry.DefaultIDTokenAlg
	}
	if n.Secret == "" {
		return p, nil, nil
	}
	secret, sealed, err := s.sealSecret(n.Secret, by.At)
	p.Secrets = []registry.ClientSecret{secret}
	return p, sealed, err
}

func (t *tx) insertProfile(ctx context.Context, p registry.SecurityProfile, logo LogoChange, sealed []byte, kind audit.Kind, by audit.By) error {
	if err := t.putLogo(ctx, logo); err != nil {
		return err
	}
	values := append([]any{p.ID, p.DeveloperID, p.Client[:], p.Application[:], p.Name, p.Description, p.PrivacyURL, logoColumn(p.Logo),
		micros(by.At), micros(by.At), 0, 0}, settingsValues(p.Settings)...)
	values = append(values, p.Audience, flag(p.Dynamic), p.Region, p.Version, searchText(p.Name, p.Description))
	if _, err := t.Exec(ctx, `INSERT INTO profiles (`+profileColumns+`, search_text) VALUES (`+placeholders(len(values))+`)`, values...); err != nil {
		return err
	}
	for _, secret := range p.Secrets {
		if err := t.insertSecret(ctx, p.ID, secret, sealed); err != nil {
			return err
		}
	}
	if err := t.insertURLs(ctx, p); err != nil {
		return err
	}
	if err := t.grantScopes(ctx, p.ID, p.Granted); err != nil {
		return err
	}
	t.changed(ProfileChanged, p.ID)
	return t.event(ctx, by, audit.Event{Kind: kind, ProfileID: p.ID, Detail: p.Name})
}

// logoColumn: a profile without a logo has an empty value.
func logoColumn(h registry.LogoHash) []byte {
	if h == (registry.LogoHash{}) {
		return []byte{}
	}
	return h[:]
}

func (t *tx) putLogo(ctx context.Context, l LogoChange) error {
	if l.PNG == nil {
		return nil
	}
	// A row that is there is locked, so that nobody drops it before this profile has it.
	_, err := t.Exec(ctx, `INSERT INTO logos (hash, png) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET hash = $1`, l.Hash[:], l.PNG)
	return err
}

// dropLogo deletes a logo that no profile has any more. It is locked first: a
// statement of its own then sees the profile of whoever held the lock.
func (t *tx) dropLogo(ctx context.Context, logo []byte) error {
	if len(logo) == 0 {
		return nil
	}
	if _, err := t.Exec(ctx, `UPDATE logos SET hash = $1 WHERE hash = $1`, logo); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `DELETE FROM logos WHERE hash = $1 AND NOT EXISTS (SELECT 1 FROM profiles WHERE logo = $1)`, logo)
	return err
}

// Logo reads a logo's PNG.
func (s *Store) Logo(ctx context.Context, h registry.LogoHash) ([]byte, error) {
	var png []byte
	err := s.db.QueryRow(ctx, `SELECT png FROM logos WHERE hash = $1`, h[:]).Scan(&png)
	return png, notFound(err)
}

// Profile reads a developer account's profile by its application key, whole.
// Another's profile is not found.
func (s *Store) Profile(ctx context.Context, developerID int64, key registry.ApplicationKey) (registry.SecurityProfile, error) {
	p, _, err := s.loadProfile(ctx, profileOfDeveloper, developerID, key[:])
	return p, err
}

// ProfileByClient reads a profile by its client key or that of one of its devices,
// whoever's it is: for the protocol and for the operator.
func (s *Store) ProfileByClient(ctx context.Context, key registry.ClientKey) (registry.SecurityProfile, Cursor, error) {
	return s.loadProfile(ctx, profileByClient, key[:])
}

// ProfileByAudience reads the profile of the API that has this identifier.
func (s *Store) ProfileByAudience(ctx context.Context, audience string) (registry.SecurityProfile, Cursor, error) {
	return s.loadProfile(ctx, profileByAudience, audience)
}

// ProfileByOrigin is a profile that has the origin among its Allowed Origins: which
// of several does not matter to who asks whether there is one.
func (s *Store) ProfileByOrigin(ctx context.Context, origin string) (registry.SecurityProfile, Cursor, error) {
	return s.loadProfile(ctx, profileByOrigin, origin)
}

// ProfileByID is ProfileByClient by id.
func (s *Store) ProfileByID(ctx context.Context, id int64) (registry.SecurityProfile, Cursor, error) {
	return s.loadProfile(ctx, profileByID, id)
}

// UpdateProfile saves the General form over version, or answers ErrStale.
func (s *Store) UpdateProfile(ctx context.Context, developerID, id, version int64, f registry.ProfileForm, l LogoChange, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		var old []byte
		if err := t.QueryRow(ctx, `SELECT logo FROM profiles WHERE id = $1 AND developer_id = $2`, id, developerID).Scan(&old); err != nil {
			return notFound(err)
		}
		logo := append([]byte{}, old...) // SQLite reads an empty value as nil, which it would write as NULL
		switch {
		case l.PNG != nil:
			logo = l.Hash[:]
		case l.Remove:
			logo = []byte{}
		}
		if err := t.putLogo(ctx, l); err != nil {
			return err
		}
		rows, err := t.Exec(ctx, `UPDATE profiles SET name = $1, description = $2, privacy_url = $3, logo = $4, updated_at = $5, search_text = $6, version = version + 1
			WHERE id = $7 AND developer_id = $8 AND version = $9`, f.Name, f.Description, f.PrivacyURL, logo, micros(by.At), searchText(f.Name, f.Description), id, developerID, version)
		if err := need(rows, err, ErrStale); err != nil {
			return err
		}
		if err := t.dropLogo(ctx, old); err != nil {
			return err
		}
		t.changed(ProfileChanged, id)
		return t.event(ctx, by, audit.Event{Kind: audit.ProfileChanged, ProfileID: id, Detail: f.Name})
	})
}

// SaveWebSettings replaces origins and return URLs over version, or answers ErrStale.
func (s *Store) SaveWebSettings(ctx context.Context, developerID, id, version int64, origins []registry.AllowedOrigin, urls []registry.ReturnURL, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE profiles SET updated_at = $1, version = version + 1 WHERE id = $2 AND developer_id = $3 AND version = $4`, micros(by.At), id, developerID, version)
		if err != nil {
			return err
		}
		if rows == 0 {
			var one int64
			if err := t.QueryRow(ctx, `SELECT id FROM profiles WHERE id = $1 AND developer_id = $2`, id, developerID).Scan(&one); err != nil {
				return notFound(err)
			}
			return ErrStale
		}
		for _, table := range []string{"origins", "return_urls"} {
			if _, err := t.Exec(ctx, `DELETE FROM `+table+` WHERE profile_id = $1`, id); err != nil {
				return err
			}
		}
		if err := t.insertURLs(ctx, registry.SecurityProfile{ID: id, Origins: origins, ReturnURLs: urls}); err != nil {
			return err
		}
		t.changed(ProfileChanged, id)
		return t.event(ctx, by, audit.Event{Kind: audit.WebSettingsChanged, ProfileID: id})
	})
}

// SaveSettings saves the Settings form over version, or answers ErrStale.
func (s *Store) SaveSettings(ctx context.Context, developerID, id, version int64, n registry.Settings, postLogout []registry.ReturnURL, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		values := append(settingsValues(n), micros(by.At), id, developerID, version)
		rows, err := t.Exec(ctx, `UPDATE profiles SET (`+settingsColumns+`, updated_at, version) = (`+placeholders(len(values)-3)+`, version + 1)
			WHERE id = $12 AND developer_id = $13 AND version = $14`, values...)
		if err := need(rows, err, ErrStale); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `DELETE FROM post_logout_urls WHERE profile_id = $1`, id); err != nil {
			return err
		}
		if err := t.insertURLs(ctx, registry.SecurityProfile{ID: id, PostLogoutURLs: postLogout}); err != nil {
			return err
		}
		t.changed(ProfileChanged, id)
		return t.event(ctx, by, audit.Event{Kind: audit.SettingsChanged, ProfileID: id, Detail: n.Kind.Name()})
	})
}

// flag is a yes or no as both databases keep it.
func flag(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// insertURLs writes the addresses that p has; those of before are gone.
func (t *tx) insertURLs(ctx context.Context, p registry.SecurityProfile) error {
	insert := func(table string, position int, value, note string) error {
		_, err := t.Exec(ctx, `INSERT INTO `+table+` (profile_id, position, value, note) VALUES ($1, $2, $3, $4)`, p.ID, position, value, note)
		return err
	}
	for i, o := range p.Origins {
		if err := insert("origins", i, o.Value, o.Note); err != nil {
			return err
		}
	}
	for i, u := range p.ReturnURLs {
		if err := insert("return_urls", i, u.Value, u.Note); err != nil {
			return err
		}
	}
	for i, u := range p.PostLogoutURLs {
		if err := insert("post_logout_urls", i, u.Value, u.Note); err != nil {
			return err
		}
	}
	return nil
}

// placeholders are $1 to $n.
func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	return b.String()
}

// DeleteProfile ends a profile with all its credentials and grants, for good.
func (s *Store) DeleteProfile(ctx context.Context, developerID, id int64, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		var logo []byte
		var name string
		if err := t.QueryRow(ctx, `DELETE FROM profiles WHERE id = $1 AND developer_id = $2 RETURNING logo, name`, id, developerID).Scan(&logo, &name); err != nil {
			return notFound(err)
		}
		if err := t.dropLogo(ctx, logo); err != nil {
			return err
		}
		// One that registered itself without a token is alone in a developer account.
		if _, err := t.Exec(ctx, `DELETE FROM developers WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM members WHERE developer_id = $1)
			AND NOT EXISTS (SELECT 1 FROM profiles WHERE developer_id = $1)`, developerID); err != nil {
			return err
		}
		t.changed(ProfileChanged, id)
		return t.event(ctx, by, audit.Event{Kind: audit.ProfileDeleted, ProfileID: id, Detail: name})
	})
}

// SetProfileSuspended suspends a profile at the given time, or resumes it with a
// zero one. It is the operator's: no developer account is asked for.
func (s *Store) SetProfileSuspended(ctx context.Context, id int64, at time.Time, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE profiles SET suspended_at = $1, version = version + 1 WHERE id = $2`, micros(at), id)
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		kind := audit.ProfileSuspended
		if at.IsZero() {
			kind = audit.ProfileResumed
		}
		t.changed(ProfileChanged, id)
		return t.event(ctx, by, audit.Event{Kind: kind, ProfileID: id})
	})
}
