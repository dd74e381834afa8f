package store

import (
	"context"
	"slices"
	"strings"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
)

// ensureScopes adds those of the built-in scopes that the database does not have. What
// the operator has made of the others stays.
func (s *Store) ensureScopes(ctx context.Context, builtIn []registry.Scope) error {
	stored, _, err := s.Scopes(ctx)
	if err != nil {
		return err
	}
	known := map[int]bool{}
	for _, scope := range stored {
		known[scope.Number] = true
	}
	var missing []registry.Scope
	for _, scope := range builtIn {
		if !known[scope.Number] {
			missing = append(missing, scope)
		}
	}
	if missing == nil {
		return nil
	}
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		for _, scope := range missing {
			// The name may be one of the operator's own: theirs stays.
			var taken int
			if err := t.QueryRow(ctx, `SELECT COUNT(*) FROM scope_names WHERE name = $1`, scope.Name).Scan(&taken); err != nil {
				return err
			}
			if taken > 0 {
				continue
			}
			// Another process may have been first, which is as well.
			if _, err := t.insertScope(ctx, scope); err != nil {
				return err
			}
		}
		t.changed(ScopesChanged, 0)
		return nil
	})
}

func scopeValues(s registry.Scope) []any {
	claims := make([]string, len(s.Claims))
	for i, c := range s.Claims {
		claims[i] = string(c)
	}
	return []any{s.Number, s.Name, strings.Join(s.Aliases, " "), flag(s.Essential), flag(s.Restricted), flag(s.WithoutUser), strings.Join(claims, " "), s.Audience}
}

// insertScope reports whether it was this call that made the scope.
func (t *tx) insertScope(ctx context.Context, s registry.Scope) (bool, error) {
	rows, err := t.Exec(ctx, `INSERT INTO scopes (number, name, aliases, essential, restricted, without_user, claims, audience, retired_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 1) ON CONFLICT DO NOTHING`, scopeValues(s)...)
	if err != nil || rows == 0 {
		return false, err
	}
	if err := t.writeNames(ctx, s); err != nil {
		return false, err
	}
	return true, t.writeWords(ctx, s)
}

// writeNames takes the scope's names, or answers ErrNameTaken.
func (t *tx) writeNames(ctx context.Context, s registry.Scope) error {
	if _, err := t.Exec(ctx, `DELETE FROM scope_names WHERE number = $1`, s.Number); err != nil {
		return err
	}
	// In one order, so that two who take the same names do not wait for each other.
	for _, name := range slices.Sorted(slices.Values(append([]string{s.Name}, s.Aliases...))) {
		rows, err := t.Exec(ctx, `INSERT INTO scope_names (name, number) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, s.Number)
		if err := need(rows, err, ErrNameTaken); err != nil {
			return err
		}
	}
	return nil
}

// writeWords puts the scope's words in the place of those that are there.
func (t *tx) writeWords(ctx context.Context, s registry.Scope) error {
	if _, err := t.Exec(ctx, `DELETE FROM scope_words WHERE number = $1`, s.Number); err != nil {
		return err
	}
	for _, w := range append([]registry.Words{{Language: registry.English, Label: s.Label, Detail: s.Detail}}, s.Translations...) {
		if _, err := t.Exec(ctx, `INSERT INTO scope_words (number, language, label, detail) VALUES ($1, $2, $3, $4)`, s.Number, w.Language, w.Label, w.Detail); err != nil {
			return err
		}
	}
	return nil
}

// Scopes reads all scopes, those that have ended too, in the order of their numbers.
func (s *Store) Scopes(ctx context.Context) (all []registry.Scope, at Cursor, err error) {
	at, err = s.snapshot(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		var err error
		if all, err = collect(ctx, t, `SELECT number, name, aliases, essential, restricted, without_user, claims, audience, retired_at, version FROM scopes ORDER BY number`, nil, scanScope); err != nil {
			return err
		}
		type words struct {
			number int
			registry.Words
		}
		spoken, err := collect(ctx, t, `SELECT number, language, label, detail FROM scope_words ORDER BY number, language`, nil, func(row scanner) (words, error) {
			var w words
			err := row.Scan(&w.number, &w.Language, &w.Label, &w.Detail)
			return w, err
		})
		byNumber := map[int]*registry.Scope{}
		for i := range all {
			byNumber[all[i].Number] = &all[i]
		}
		for _, w := range spoken {
			scope := byNumber[w.number]
			if w.Language == registry.English {
				scope.Label, scope.Detail = w.Label, w.Detail
				continue
			}
			scope.Translations = append(scope.Translations, w.Words)
		}
		return err
	})
	return all, at, err
}

func scanScope(row scanner) (registry.Scope, error) {
	var s registry.Scope
	var aliases, claims string
	var essential, restricted, withoutUser, retired int64
	if err := row.Scan(&s.Number, &s.Name, &aliases, &essential, &restricted, &withoutUser, &claims, &s.Audience, &retired, &s.Version); err != nil {
		return s, err
	}
	s.Aliases, s.RetiredAt = strings.Fields(aliases), fromMicros(retired)
	s.Essential, s.Restricted, s.WithoutUser = essential != 0, restricted != 0, withoutUser != 0
	for _, c := range strings.Fields(claims) {
		s.Claims = append(s.Claims, registry.Claim(c))
	}
	return s, nil
}

func (t *tx) grantScopes(ctx context.Context, profileID int64, set oauth.ScopeSet) error {
	for n := range set.Numbers() {
		if _, err := t.Exec(ctx, `INSERT INTO profile_scopes (profile_id, number) VALUES ($1, $2) ON CONFLICT DO NOTHING`, profileID, n); err != nil {
			return err
		}
	}
	return nil
}
