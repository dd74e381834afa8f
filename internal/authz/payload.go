package authz

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"gatelodge/internal/oauth"
)

// Lifetimes of contract.md, "Shapes".
const (
	CodeLifetime        = 5 * time.Minute
	AccessTokenLifetime = time.Hour
	// ClockSkew is how far the clocks of two replicas may be apart.
	ClockSkew = 30 * time.Second
	// RedemptionRetention is how long the row that marks a code as redeemed is
	// kept: no replica, at the limit of its clock, may take the code for unused.
	RedemptionRetention = CodeLifetime + 2*ClockSkew
)

// ErrPayload says that bytes are not an encoding made here. It never happens to a
// value that was sealed by this version of the program.
var ErrPayload = errors.New("authz: not a payload of this kind")

// epoch makes 32 bits of seconds last until 2160.
var epoch = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()

func appendTime(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(t.Unix()-epoch))
}

func decodeTime(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint32(b))+epoch, 0).UTC()
}

const (
	flagLoginWithAmazon = 1 << iota
	flagChallenge
	flagPlain
	flagClientOnly
	flagRotating
	flagAuthTime
	flagNonce
	flagExtra
)

func dialectFlag(d oauth.Dialect) byte {
	if d == oauth.LoginWithAmazon {
		return flagLoginWithAmazon
	}
	return 0
}

func dialectOf(flags byte) oauth.Dialect {
	if flags&flagLoginWithAmazon != 0 {
		return oauth.LoginWithAmazon
	}
	return oauth.Standard
}

// Code is what an authorization code stands for. It is bound to the return URL
// and to the PKCE verifier by digests, so that all of it fits the 128 characters
// that Login with Amazon documents (design.md, "Sealed values").
type Code struct {
	GrantID  int64
	Scopes   oauth.ScopeSet
	Dialect  oauth.Dialect
	Redirect [16]byte
	Method   oauth.ChallengeMethod
	Verifier [24]byte
	IssuedAt time.Time
	// AuthTime is when the user last gave the password, zero where no ID token will
	// tell it. Nonce is the request's (OpenID Connect Core section 3.1.2.1).
	AuthTime time.Time
	Nonce    string
	Extra    Extra
}

// NewCode binds a code to the return URL as sent and to the challenge.
func NewCode(grantID int64, scopes oauth.ScopeSet, d oauth.Dialect, redirect string, c oauth.Challenge, now time.Time) Code {
	code := Code{GrantID: grantID, Scopes: scopes, Dialect: d, Redirect: redirectDigest(redirect), Method: c.Method, IssuedAt: now}
	switch c.Method {
	case oauth.S256:
		// RFC 7636 section 4.2: the challenge is the digest of the verifier.
		if sum, err := base64.RawURLEncoding.DecodeString(c.Value); err == nil {
			copy(code.Verifier[:], sum)
		}
	case oauth.Plain:
		code.Verifier = verifierDigest(c.Value)
	}
	return code
}

func redirectDigest(uri string) [16]byte {
	sum := sha256.Sum256([]byte(uri))
	return [16]byte(sum[:16])
}

func verifierDigest(verifier string) [24]byte {
	sum := sha256.Sum256([]byte(verifier))
	return [24]byte(sum[:24])
}

// Expired reports whether the code's five minutes have passed, or lie further in
// the future than another replica's clock may.
func (c Code) Expired(now time.Time) bool {
	return !now.Before(c.IssuedAt.Add(CodeLifetime)) || now.Before(c.IssuedAt.Add(-ClockSkew))
}

// ReturnsTo reports whether uri is the return URL that the code was made for.
func (c Code) ReturnsTo(uri string) bool {
	d := redirectDigest(uri)
	return subtle.ConstantTimeCompare(d[:], c.Redirect[:]) == 1
}

// VerifiedBy checks the PKCE verifier (RFC 7636 section 4.6). A verifier without
// a challenge is refused like a challenge without a verifier, else leaving the
// challenge out would switch the check off (RFC 9700 section 4.8.2).
func (c Code) VerifiedBy(verifier string) bool {
	if c.Method == oauth.PKCENone {
		return verifier == ""
	}
	d := verifierDigest(verifier)
	return verifier != "" && subtle.ConstantTimeCompare(d[:], c.Verifier[:]) == 1
}

const codeFixed = 1 + 8 + 4 + 16

// AppendBinary appends at most 66 bytes, and more only for a nonce and for Extra.
func (c Code) AppendBinary(dst []byte) []byte {
	flags := dialectFlag(c.Dialect) | c.Extra.flag()
	if c.Method != oauth.PKCENone {
		flags |= flagChallenge
	}
	if c.Method == oauth.Plain {
		flags |= flagPlain
	}
	if !c.AuthTime.IsZero() {
		flags |= flagAuthTime
	}
	if c.Nonce != "" {
		flags |= flagNonce
	}
	dst = append(dst, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.GrantID))
	dst = appendTime(dst, c.IssuedAt)
	dst = append(dst, c.Redirect[:]...)
	if c.Method != oauth.PKCENone {
		dst = append(dst, c.Verifier[:]...)
	}
	if !c.AuthTime.IsZero() {
		dst = appendTime(dst, c.AuthTime)
	}
	if c.Nonce != "" {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(c.Nonce)))
		dst = append(dst, c.Nonce...)
	}
	return c.Scopes.AppendBinary(c.Extra.append(dst))
}

// ParseCode reads what AppendBinary wrote.
func ParseCode(b []byte) (Code, error) {
	if len(b) < codeFixed {
		return Code{}, ErrPayload
	}
	c := Code{
		Dialect:  dialectOf(b[0]),
		GrantID:  int64(binary.BigEndian.Uint64(b[1:])),
		IssuedAt: decodeTime(b[9:]),
		Redirect: [16]byte(b[13:29]),
	}
	rest := b[codeFixed:]
	if b[0]&flagChallenge != 0 {
		if len(rest) < len(c.Verifier) {
			return Code{}, ErrPayload
		}
		c.Method = oauth.S256
		if b[0]&flagPlain != 0 {
			c.Method = oauth.Plain
		}
		c.Verifier = [24]byte(rest[:24])
		rest = rest[24:]
	}
	if b[0]&flagAuthTime != 0 {
		if len(rest) < 4 {
			return Code{}, ErrPayload
		}
		c.AuthTime, rest = decodeTime(rest), rest[4:]
	}
	if b[0]&flagNonce != 0 {
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return Code{}, ErrPayload
		}
		n := 2 + int(binary.BigEndian.Uint16(rest))
		c.Nonce, rest = string(rest[2:n]), rest[n:]
	}
	var err error
	if c.Extra, rest, err = parseExtra(b[0], rest); err != nil {
		return Code{}, err
	}
	if c.Scopes, err = oauth.ParseScopeSet(rest); err != nil {
		return Code{}, ErrPayload
	}
	return c, nil
}

// AccessToken is what an access token stands for (RFC 6749 section 1.4).
type AccessToken struct {
	// GrantID and Family are zero for a token of client credentials, which
	// stands for the profile alone.
	GrantID   int64
	Family    Family
	ProfileID int64
	Scopes    oauth.ScopeSet
	Dialect   oauth.Dialect
	IssuedAt  time.Time
	ExpiresAt time.Time
	Extra     Extra
}

// ClientOnly reports whether no user stands behind the token.
func (t AccessToken) ClientOnly() bool { return t.GrantID == 0 }

// Expired reports whether the token's time is over, or lies further in the
// future than another replica's clock may.
func (t AccessToken) Expired(now time.Time) bool {
	return !now.Before(t.ExpiresAt) || now.Before(t.IssuedAt.Add(-ClockSkew))
}

// AppendBinary appends at most 50 bytes, and more only for Extra.
func (t AccessToken) AppendBinary(dst []byte) []byte {
	flags := dialectFlag(t.Dialect) | t.Extra.flag()
	if t.ClientOnly() {
		flags |= flagClientOnly
	}
	dst = append(dst, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.ProfileID))
	dst = appendTime(dst, t.IssuedAt)
	dst = appendTime(dst, t.ExpiresAt)
	if !t.ClientOnly() {
		dst = binary.BigEndian.AppendUint64(dst, uint64(t.GrantID))
		dst = append(dst, t.Family[:]...)
	}
	return t.Scopes.AppendBinary(t.Extra.append(dst))
}

// ParseAccessToken reads what AppendBinary wrote.
func ParseAccessToken(b []byte) (AccessToken, error) {
	if len(b) < 17 {
		return AccessToken{}, ErrPayload
	}
	t := AccessToken{
		Dialect:   dialectOf(b[0]),
		ProfileID: int64(binary.BigEndian.Uint64(b[1:])),
		IssuedAt:  decodeTime(b[9:]),
		ExpiresAt: decodeTime(b[13:]),
	}
	rest := b[17:]
	if b[0]&flagClientOnly == 0 {
		if len(rest) < 20 {
			return AccessToken{}, ErrPayload
		}
		t.GrantID = int64(binary.BigEndian.Uint64(rest))
		t.Family = Family(rest[8:20])
		rest = rest[20:]
	}
	var err error
	if t.Extra, rest, err = parseExtra(b[0], rest); err != nil {
		return AccessToken{}, err
	}
	if t.Scopes, err = oauth.ParseScopeSet(rest); err != nil {
		return AccessToken{}, ErrPayload
	}
	return t, nil
}

// RefreshToken is what a refresh token stands for (RFC 6749 section 1.5). It has
// no end of its own: it lives as long as its family and its grant.
type RefreshToken struct {
	GrantID int64
	Family  Family
	Scopes  oauth.ScopeSet
	Dialect oauth.Dialect
	// Rotating tokens are good for one use: Step counts the uses of the family.
	// IssuedAt is then the beginning of the family, so that each step has exactly
	// one text.
	Rotating bool
	Step     uint32
	IssuedAt time.Time
	// AuthTime is the code's: ID tokens of a refresh tell when the user signed in at
	// first (OpenID Connect Core section 12.2).
	AuthTime time.Time
	Extra    Extra
}

// AppendBinary appends at most 46 bytes, and more only for Extra.
func (t RefreshToken) AppendBinary(dst []byte) []byte {
	flags := dialectFlag(t.Dialect) | t.Extra.flag()
	if t.Rotating {
		flags |= flagRotating
	}
	if !t.AuthTime.IsZero() {
		flags |= flagAuthTime
	}
	dst = append(dst, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.GrantID))
	dst = append(dst, t.Family[:]...)
	dst = appendTime(dst, t.IssuedAt)
	if t.Rotating {
		dst = binary.BigEndian.AppendUint32(dst, t.Step)
	}
	if !t.AuthTime.IsZero() {
		dst = appendTime(dst, t.AuthTime)
	}
	return t.Scopes.AppendBinary(t.Extra.append(dst))
}

// ParseRefreshToken reads what AppendBinary wrote.
func ParseRefreshToken(b []byte) (RefreshToken, error) {
	if len(b) < 25 {
		return RefreshToken{}, ErrPayload
	}
	t := RefreshToken{
		Dialect:  dialectOf(b[0]),
		GrantID:  int64(binary.BigEndian.Uint64(b[1:])),
		Family:   Family(b[9:21]),
		Rotating: b[0]&flagRotating != 0,
		IssuedAt: decodeTime(b[21:]),
	}
	rest := b[25:]
	if t.Rotating {
		if len(rest) < 4 {
			return RefreshToken{}, ErrPayload
		}
		t.Step = binary.BigEndian.Uint32(rest)
		rest = rest[4:]
	}
	if b[0]&flagAuthTime != 0 {
		if len(rest) < 4 {
			return RefreshToken{}, ErrPayload
		}
		t.AuthTime, rest = decodeTime(rest), rest[4:]
	}
	var err error
	if t.Extra, rest, err = parseExtra(b[0], rest); err != nil {
		return RefreshToken{}, err
	}
	if t.Scopes, err = oauth.ParseScopeSet(rest); err != nil {
		return RefreshToken{}, ErrPayload
	}
	return t, nil
}
