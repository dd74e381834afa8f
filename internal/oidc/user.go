package oidc

import (
	"encoding/json"
	"iter"
	"time"
)

// ClaimSet is a set of those claims about a user (Core section 5.1) that are known
// here. sub is not among them: it is always told.
type ClaimSet uint8

const (
	Name ClaimSet = 1 << iota
	Email
	EmailVerified
	Address
	UpdatedAt
)

// claimNames are in the order of the bits.
var claimNames = [...]string{"name", "email", "email_verified", "address", "updated_at"}

// ClaimNamed gives the claim of a name, the empty set for one that is not known.
func ClaimNamed(name string) ClaimSet {
	for i, known := range claimNames {
		if name == known {
			return 1 << i
		}
	}
	return 0
}

// Names yields the names of the claims.
func (s ClaimSet) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, name := range claimNames {
			if s&(1<<i) != 0 && !yield(name) {
				return
			}
		}
	}
}

// ScopeClaims are the claims that a scope of Core section 5.4 asks for. The scopes
// openid and offline_access ask for none, and phone for none that is known.
func ScopeClaims(scope string) ClaimSet {
	switch scope {
	case "profile":
		return Name | UpdatedAt
	case "email":
		return Email | EmailVerified
	case "address":
		return Address
	default:
		return 0
	}
}

// User is what is known about a user, as one client may know it. An empty field is
// not known.
type User struct {
	Subject       string
	Name          string
	Email         string
	EmailVerified bool // of Email
	PostalCode    string
	UpdatedAt     time.Time
}

// userClaims is the wire form. Claims without a value are left out and not null
// (Core section 5.3.2).
type userClaims struct {
	Name          string   `json:"name,omitempty"`
	Email         string   `json:"email,omitempty"`
	EmailVerified *bool    `json:"email_verified,omitempty"`
	Address       *address `json:"address,omitempty"`
	UpdatedAt     int64    `json:"updated_at,omitempty"`
}

// address is for Core section 5.1.1, as far as it is known.
type address struct {
	PostalCode string `json:"postal_code"`
}

func (u User) claims(release ClaimSet) userClaims {
	var c userClaims
	if release&Name != 0 {
		c.Name = u.Name
	}
	if release&Email != 0 {
		c.Email = u.Email
	}
	if release&EmailVerified != 0 && u.Email != "" {
		c.EmailVerified = &u.EmailVerified
	}
	if release&Address != 0 && u.PostalCode != "" {
		c.Address = &address{PostalCode: u.PostalCode}
	}
	if release&UpdatedAt != 0 {
		c.UpdatedAt = numericDate(u.UpdatedAt)
	}
	return c
}

// UserInfo is the answer of the UserInfo endpoint (Core section 5.3.2).
func (u User) UserInfo(release ClaimSet) ([]byte, error) {
	return json.Marshal(struct {
		Subject string `json:"sub"`
		userClaims
	}{u.Subject, u.claims(release)})
}

// numericDate is for RFC 7519 section 2; a time that is not set is 0, to be left out.
func numericDate(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
