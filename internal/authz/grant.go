package authz

import (
	"slices"
	"time"

	"gatelodge/internal/oauth"
)

// Family names what one authorization code started: the id of that code.
type Family [12]byte

// Grant is one account's permission to one security profile (RFC 6749 section 1.3,
// "authorization grant" in the sense of what the user has allowed). There is at
// most one per account and profile.
type Grant struct {
	ID        int64
	AccountID int64
	ProfileID int64
	// Scopes is what the user allowed, Asked what the user was asked for: the
	// difference is what was left unticked.
	Scopes oauth.ScopeSet
	Asked  oauth.ScopeSet
	// Ended lists the families that have ended, as long as anybody may have a token of
	// theirs that is not told otherwise.
	Ended []Family
	// EndedUntil: refresh tokens that do not rotate and were issued by then have ended.
	// It takes the place of the oldest in Ended where there are many.
	EndedUntil time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time
}

// Live reports whether tokens of family f are still good as far as the grant goes.
func (g *Grant) Live(f Family) bool { return !slices.Contains(g.Ended, f) }

// Refreshes reports whether a refresh token is still good as far as the grant goes.
// Of one that rotates its family's row knows more.
func (g *Grant) Refreshes(t RefreshToken) bool {
	return g.Live(t.Family) && (t.Rotating || t.IssuedAt.After(g.EndedUntil))
}

// EndedRetention is how long a family that has ended is remembered for its access
// tokens: until the last of them has expired by every clock.
const EndedRetention = AccessTokenLifetime + 10*ClockSkew

// Effective is what a token of scopes t may still do: a scope taken out of the
// grant leaves all its tokens at once, and a grant that grew does not widen
// tokens given before.
func (g *Grant) Effective(t oauth.ScopeSet) oauth.ScopeSet { return t.Intersect(g.Scopes) }

// Consent records that an account was asked and what it allowed.
type Consent struct {
	ID      int64
	GrantID int64
	Asked   oauth.ScopeSet
	Allowed oauth.ScopeSet
	// Text names the words that the user was shown.
	Text string
	At   time.Time
}

// Redemption is how an attempt to redeem a code ended. Losing is a value and not
// an error, because the end of the family that follows from it has to commit.
type Redemption uint8

const (
	// Redeemed: this caller, and no other, may have the tokens.
	Redeemed Redemption = iota + 1
	// Replayed: the code was redeemed before; its family has been ended.
	Replayed
	// GrantGone: the user or the owner ended the grant after the code was made.
	GrantGone
)

// RotationGrace is how long a rotated refresh token may be sent once more: by a
// client that did not get the answer. It then gets the same successor.
const RotationGrace = 10 * time.Second

// Rotation is how an attempt to use a rotating refresh token ended.
type Rotation uint8

const (
	// Rotated: the successor may be given.
	Rotated Rotation = iota + 1
	// Reused: an older token than the last one came back; the family has been ended.
	Reused
	// FamilyGone: the family or its grant has ended.
	FamilyGone
)
