package store

import (
	"context"
	"errors"
	"fmt"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
)

// CreateScope keeps a scope of the operator's under the next number. It answers
// ErrNameTaken, or ErrTooMany when no number is left: one that was ever given out is in
// grants and tokens, and is not given again.
func (s *Store) CreateScope(ctx context.Context, scope registry.Scope, by audit.By) (registry.Scope, error) {
	err := s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		// The row of the first scope is held by who gives out a number.
		if _, err := t.Exec(ctx, `UPDATE scopes SET version = version WHERE number = (SELECT MIN(number) FROM scopes)`); err != nil {
			return err
		}
		var newest int
		if err := t.QueryRow(ctx, `SELECT COALESCE(MAX(number), 0) FROM scopes`).Scan(&newest); err != nil {
			return err
		}
		scope.Number, scope.Version = max(newest+1, registry.FirstOwnNumber), 1
		if scope.Number >= registry.MaxScopes {
			return fmt.Errorf("%w: %d scopes of your own, with those that are retired", ErrTooMany, registry.MaxScopes-registry.FirstOwnNumber)
		}
		if err := t.holdAudience(ctx, scope.Audience); err != nil {
			return err
		}
		made, err := t.insertScope(ctx, scope)
		switch {
		case err != nil:
			return err
		case !made:
			return fmt.Errorf("store: scope number %d is there already", scope.Number)
		}
		t.changed(ScopesChanged, 0)
		return t.event(ctx, by, audit.Event{Kind: audit.ScopeCreated, Detail: scope.Name})
	})
	return scope, err
}

// holdAudience makes sure that the profile that a scope is for is an API, and stays one
// until the commit; else it answers ErrNotFound.
func (t *tx) holdAudience(ctx context.Context, profileID int64) error {
	if profileID == 0 {
		return nil
	}
	rows, err := t.Exec(ctx, `UPDATE profiles SET audience = audience WHERE id = $1 AND audience <> ''`, profileID)
	return need(rows, err, ErrNotFound)
}

// UpdateScope saves a scope over its version. It answers ErrStale when somebody saved
// it since, ErrNotFound when it is retired or its API is none any more, ErrNameTaken
// when another scope has one of its names.
func (s *Store) UpdateScope(ctx context.Context, scope registry.Scope, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE scopes SET (name, aliases, essential, restricted, without_user, claims, audience, version) = ($2, $3, $4, $5, $6, $7, $8, version + 1)
			WHERE number = $1 AND version = $9 AND retired_at = 0`, append(scopeValues(scope), scope.Version)...)
		if err != nil {
			return err
		}
		if rows == 0 {
			return t.missedScope(ctx, scope.Number)
		}
		if err := t.holdAudience(ctx, scope.Audience); err != nil {
			return err
		}
		if err := t.writeNames(ctx, scope); err != nil {
			return err
		}
		if err := t.writeWords(ctx, scope); err != nil {
			return err
		}
		t.changed(ScopesChanged, 0)
		return t.event(ctx, by, audit.Event{Kind: audit.ScopeChanged, Detail: scope.Name})
	})
}

// missedScope says why no row was touched.
func (t *tx) missedScope(ctx context.Context, number int) error {
	var one int
	err := t.QueryRow(ctx, `SELECT 1 FROM scopes WHERE number = $1 AND retired_at = 0`, number).Scan(&one)
	if err != nil {
		return notFound(err)
	}
	return ErrStale
}

// RetireScope ends one of the operator's scopes: nobody can ask for it any more, and
// tokens that have it are good for what else they have. Its row stays, so that its
// number is not given again; its names can be.
func (s *Store) RetireScope(ctx context.Context, number int, version int64, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		var name string
		err := t.QueryRow(ctx, `UPDATE scopes SET retired_at = $1, version = version + 1
			WHERE number = $2 AND version = $3 AND retired_at = 0 AND number >= $4 RETURNING name`, micros(by.At), number, version, registry.FirstOwnNumber).Scan(&name)
		if errors.Is(err, sqldb.ErrNoRows) {
			return t.missedScope(ctx, number)
		}
		if err != nil {
			return err
		}
		for _, table := range []string{"scope_names", "profile_scopes"} {
			if _, err := t.Exec(ctx, `DELETE FROM `+table+` WHERE number = $1`, number); err != nil {
				return err
			}
		}
		t.changed(ScopesChanged, 0)
		return t.event(ctx, by, audit.Event{Kind: audit.ScopeRetired, Detail: name})
	})
}

// GrantScopes lets a profile ask for more. Names are for the record. It is the
// operator's, as all of this file: no developer account is asked for.
func (s *Store) GrantScopes(ctx context.Context, profileID int64, set oauth.ScopeSet, names string, by audit.By) error {
	return s.changeScopes(ctx, profileID, by, audit.Event{Kind: audit.ScopesGranted, ProfileID: profileID, Detail: names}, func(t *tx) error {
		return t.grantScopes(ctx, profileID, set)
	})
}

// WithdrawScopes takes back what was granted to a profile. What tokens have of it they
// lose.
func (s *Store) WithdrawScopes(ctx context.Context, profileID int64, set oauth.ScopeSet, names string, by audit.By) error {
	return s.changeScopes(ctx, profileID, by, audit.Event{Kind: audit.ScopesWithdrawn, ProfileID: profileID, Detail: names}, func(t *tx) error {
		for n := range set.Numbers() {
			if _, err := t.Exec(ctx, `DELETE FROM profile_scopes WHERE profile_id = $1 AND number = $2`, profileID, n); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) changeScopes(ctx context.Context, profileID int64, by audit.By, e audit.Event, change func(*tx) error) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE profiles SET version = version + 1 WHERE id = $1`, profileID)
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		if err := change(t); err != nil {
			return err
		}
		t.changed(ProfileChanged, profileID)
		return t.event(ctx, by, e)
	})
}

// SetAudience makes a profile the API of that identifier, or none with "". It answers
// ErrNameTaken when another profile has the identifier, and ErrInUse when a profile is
// to be none that scopes are for.
func (s *Store) SetAudience(ctx context.Context, profileID int64, audience string, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		// First, so that no scope is made for it meanwhile.
		rows, err := t.Exec(ctx, `UPDATE profiles SET audience = $1, version = version + 1 WHERE id = $2`, audience, profileID)
		if sqldb.IsUnique(err) {
			return ErrNameTaken
		}
		if err := need(rows, err, ErrNotFound); err != nil {
			return err
		}
		var scopes int
		if err := t.QueryRow(ctx, `SELECT COUNT(*) FROM scopes WHERE audience = $1 AND retired_at = 0`, profileID).Scan(&scopes); err != nil {
			return err
		}
		if audience == "" && scopes > 0 {
			return ErrInUse
		}
		t.changed(ProfileChanged, profileID)
		return t.event(ctx, by, audit.Event{Kind: audit.AudienceChanged, ProfileID: profileID, Detail: audience})
	})
}

// APIs are the profiles that have an identifier as an API, by it, as a list has them.
func (s *Store) APIs(ctx context.Context) (all []registry.SecurityProfile, err error) {
	_, err = s.snapshot(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		all, err = collect(ctx, t, `SELECT `+profileColumns+` FROM profiles WHERE audience <> '' ORDER BY audience`, nil, scanProfile)
		return err
	})
	return all, err
}

// Holder is a profile that a scope was granted to.
type Holder struct {
	Number int
	Client registry.ClientKey
	Name   string
}

// Holders are the profiles that scopes were granted to, by scope, the newest first;
// not more than limit.
func (s *Store) Holders(ctx context.Context, limit int) (all []Holder, err error) {
	_, err = s.snapshot(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		all, err = collect(ctx, t, `SELECT s.number, p.client_key, p.name FROM profile_scopes AS s JOIN profiles AS p ON p.id = s.profile_id
			ORDER BY s.number, p.id DESC LIMIT $1`, []any{limit}, func(row scanner) (Holder, error) {
			var h Holder
			var client []byte
			if err := row.Scan(&h.Number, &client, &h.Name); err != nil {
				return h, err
			}
			return h, fixed(h.Client[:], client, "profiles.client_key")
		})
		return err
	})
	return all, err
}
