package store

import (
	"context"
	"errors"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
)

const grantColumns = `id, account_id, profile_id, scopes, asked, created_at, updated_at, last_used_at, ended_until`

func scanGrant(row scanner, more ...any) (authz.Grant, error) {
	var g authz.Grant
	var scopes, asked []byte
	var created, updated, used, ended int64
	err := row.Scan(append([]any{&g.ID, &g.AccountID, &g.ProfileID, &scopes, &asked, &created, &updated, &used, &ended}, more...)...)
	if err != nil {
		return g, notFound(err)
	}
	g.CreatedAt, g.UpdatedAt, g.LastUsedAt, g.EndedUntil = fromMicros(created), fromMicros(updated), fromMicros(used), fromMicros(ended)
	if g.Scopes, err = oauth.ParseScopeSet(scopes); err != nil {
		return g, err
	}
	g.Asked, err = oauth.ParseScopeSet(asked)
	return g, err
}

func scopeColumn(s oauth.ScopeSet) []byte { return s.AppendBinary([]byte{}) }

// grantWhere ends with a condition.
const grantWhere = `SELECT ` + grantColumns + `, family, epoch, newest FROM ` + inFeed + `, grants LEFT JOIN ended_families ON grant_id = id WHERE `

// GrantSnapshot reads a grant with the families that have ended, and the place in
// the feed that it was read at.
func (s *Store) GrantSnapshot(ctx context.Context, id int64) (authz.Grant, Cursor, error) {
	return s.loadGrant(ctx, grantWhere+`id = $1`, id)
}

// GrantFor reads the grant of an account to a profile.
func (s *Store) GrantFor(ctx context.Context, accountID, profileID int64) (authz.Grant, Cursor, error) {
	return s.loadGrant(ctx, grantWhere+`account_id = $1 AND profile_id = $2`, accountID, profileID)
}

func (s *Store) loadGrant(ctx context.Context, query string, args ...any) (g authz.Grant, at Cursor, err error) {
	var ended []authz.Family
	at, err = s.load(ctx, query, args, func(row scanner, place ...any) error {
		var family []byte
		var err error
		if g, err = scanGrant(row, append([]any{&family}, place...)...); err != nil || family == nil {
			return err
		}
		ended = append(ended, authz.Family{})
		return fixed(ended[len(ended)-1][:], family, "ended_families.family")
	})
	g.Ended = ended
	return g, at, err
}

// Allowance is a user's answer on the consent page.
type Allowance struct {
	AccountID int64
	ProfileID int64
	Asked     oauth.ScopeSet
	Allowed   oauth.ScopeSet
	// Words names the text that the user was shown.
	Words string
}

// keptConsents is how many consents to one grant are remembered, the newest: users of
// native applications are asked each time.
const keptConsents = 100

// Allow makes the account's grant to the profile, or widens the one there is, and
// keeps the consent. It answers ErrNotFound when account or profile have ended.
func (s *Store) Allow(ctx context.Context, a Allowance, by audit.By) (g authz.Grant, err error) {
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		g, err = t.allow(ctx, a, by)
		return err
	})
	return g, err
}

func (t *tx) allow(ctx context.Context, a Allowance, by audit.By) (authz.Grant, error) {
	var application string
	err := t.QueryRow(ctx, `SELECT p.name FROM accounts AS a, profiles AS p WHERE a.id = $1 AND a.disabled_at = 0 AND p.id = $2 AND p.suspended_at = 0`, a.AccountID, a.ProfileID).Scan(&application)
	if err != nil {
		return authz.Grant{}, notFound(err)
	}
	g, err := scanGrant(t.QueryRow(ctx, `INSERT INTO grants (`+grantColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $6, 0, 0)
		ON CONFLICT (account_id, profile_id) DO UPDATE SET updated_at = $6 RETURNING `+grantColumns,
		t.store.ids.next(by.At), a.AccountID, a.ProfileID, scopeColumn(a.Allowed), scopeColumn(a.Asked), micros(by.At)))
	if err != nil {
		return g, err
	}
	// The row is ours until the commit, so the union cannot lose another's.
	g.Scopes, g.Asked = g.Scopes.Union(a.Allowed), g.Asked.Union(a.Asked)
	if _, err := t.Exec(ctx, `UPDATE grants SET scopes = $1, asked = $2 WHERE id = $3`, scopeColumn(g.Scopes), scopeColumn(g.Asked), g.ID); err != nil {
		return g, err
	}
	if _, err := t.Exec(ctx, `INSERT INTO consents (id, grant_id, asked, allowed, words, given_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		t.store.ids.next(by.At), g.ID, scopeColumn(a.Asked), scopeColumn(a.Allowed), a.Words, micros(by.At)); err != nil {
		return g, err
	}
	if _, err := t.Exec(ctx, `DELETE FROM consents WHERE id IN (SELECT id FROM consents WHERE grant_id = $1 ORDER BY id DESC LIMIT 4 OFFSET $2)`, g.ID, keptConsents); err != nil {
		return g, err
	}
	t.changed(GrantChanged, g.ID)
	return g, t.event(ctx, by, audit.Event{Kind: audit.GrantGiven, AccountID: a.AccountID, Detail: application})
}

// ConnectedApplication is a grant as its user sees it.
type ConnectedApplication struct {
	Grant      authz.Grant
	Name       string
	PrivacyURL string
	Logo       registry.LogoHash
	Publisher  string
}

// ConnectedApplications lists what an account has allowed, the newest first.
func (s *Store) ConnectedApplications(ctx context.Context, accountID int64) ([]ConnectedApplication, error) {
	rows, err := s.db.Query(ctx, `SELECT g.id, g.account_id, g.profile_id, g.scopes, g.asked, g.created_at, g.updated_at, g.last_used_at, g.ended_until, p.name, p.privacy_url, p.logo, d.company
		FROM grants AS g JOIN profiles AS p ON p.id = g.profile_id JOIN developers AS d ON d.id = p.developer_id WHERE g.account_id = $1 ORDER BY g.id DESC`, accountID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []ConnectedApplication
	for rows.Next() {
		var c ConnectedApplication
		var logo []byte
		if c.Grant, err = scanGrant(rows, &c.Name, &c.PrivacyURL, &logo, &c.Publisher); err != nil {
			return nil, err
		}
		if len(logo) > 0 {
			if err := fixed(c.Logo[:], logo, "profiles.logo"); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// RemoveGrant ends a grant of an account: every token that hangs on it.
func (s *Store) RemoveGrant(ctx context.Context, accountID, grantID int64, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		var application string
		var scopes []byte
		if err := t.QueryRow(ctx, `DELETE FROM grants WHERE id = $1 AND account_id = $2 RETURNING (SELECT name FROM profiles WHERE id = profile_id), scopes`, grantID, accountID).Scan(&application, &scopes); err != nil {
			return notFound(err)
		}
		t.changes = append(t.changes, Change{Kind: GrantChanged, Subject: idSubject(grantID) + string(scopes)})
		return t.event(ctx, by, audit.Event{Kind: audit.GrantRemoved, AccountID: accountID, Detail: application})
	})
}

// Redeem is an attempt to redeem a code.
type Redeem struct {
	Code    authz.Family
	GrantID int64
	// Rotating: the family's refresh tokens are good for one use each.
	Rotating bool
	// Session, when set, is where the code was given: its client will hear of the end.
	Session SessionClient
}

// Redeem lets exactly one caller win the code. Losing ends the family that the
// code started, in the same transaction. When the outcome of the commit is unknown,
// the attempt is made again: the row names the one that made it.
func (s *Store) Redeem(ctx context.Context, r Redeem, now time.Time) (authz.Redemption, error) {
	code, grantID, attempt := r.Code, r.GrantID, newAttempt()
	take := statement{`INSERT INTO redemptions (code, attempt, expires_at) SELECT $1, $2, $3 WHERE EXISTS (SELECT 1 FROM grants WHERE id = $4)
		ON CONFLICT (code) DO UPDATE SET attempt = excluded.attempt WHERE redemptions.attempt = excluded.attempt`,
		[]any{code[:], attempt[:], micros(now.Add(authz.RedemptionRetention)), grantID}}
	var result authz.Redemption
	all := func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, take.text, take.args...)
		if err != nil {
			return err
		}
		if rows == 1 {
			result = authz.Redeemed
			if r.Rotating {
				if err := t.beginFamily(ctx, grantID, code, now); err != nil {
					return err
				}
			}
			if err := t.noteClient(ctx, r.Session, now); err != nil {
				return err
			}
			return t.expire(ctx, "redemptions", "code", "expires_at", micros(now))
		}
		var accountID, profileID, forgotten int64
		err = t.QueryRow(ctx, `SELECT account_id, profile_id, COALESCE((SELECT expires_at FROM redemptions WHERE code = $2), 0) FROM grants WHERE id = $1`, grantID, code[:]).Scan(&accountID, &profileID, &forgotten)
		if errors.Is(err, sqldb.ErrNoRows) {
			result = authz.GrantGone
			return nil
		}
		if err != nil {
			return err
		}
		result = authz.Replayed
		end := FamilyEnd{GrantID: grantID, Family: code}
		if forgotten != 0 {
			// Its refresh token is of the moment of the redemption, by the clock of who did that.
			end.IssuedBy = fromMicros(forgotten).Add(-authz.RedemptionRetention)
		}
		ended, err := t.endFamily(ctx, end, now)
		if err != nil || !ended {
			return err
		}
		return t.event(ctx, audit.By{At: now}, audit.Event{Kind: audit.FamilyEnded, AccountID: accountID, ProfileID: profileID})
	}
	var done bool
	var err error
	if r.Rotating || r.Session.SessionID != 0 || !s.swept.lately("redemptions", micros(now)) {
		err = s.settle(ctx, all)
	} else {
		done, err = s.settleFirst(ctx, take, all)
	}
	switch {
	case sqldb.IsMissing(err): // the grant went a moment ago
		return authz.GrantGone, nil
	case err != nil:
		return 0, err
	case done:
		return authz.Redeemed, nil
	}
	return result, nil
}
