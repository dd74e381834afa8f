package registry

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// InitialTokenPrefix begins every initial access token.
const InitialTokenPrefix = "gl_it_"

// InitialToken lets applications register themselves for a developer account (RFC 7591 section 1.2, "initial access
// token"). Its value is known to whom it was given; it is kept as a digest.
type InitialToken struct {
	ID          int64
	DeveloperID int64
	Label       string // the operator's own word for it
	UsesLeft    int64
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// NewInitialToken returns the value of a new initial access token, with 256 random bits.
func NewInitialToken() string {
	var random [32]byte
	rand.Read(random[:]) // never fails
	return InitialTokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
}

// Live reports whether an application can still register with the token at now.
func (t InitialToken) Live(now time.Time) bool { return t.UsesLeft > 0 && now.Before(t.ExpiresAt) }

// ParseInitialTokenLabel checks the operator's word for a token, which may be left out.
func ParseInitialTokenLabel(s string) (problem string) {
	problem, _ = checkText(s, NoteMaxChars)
	return problem
}
