package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"time"
)

// MaxLiveSecrets is how many secrets of one profile may be good at the same time: one in use, and one to move to.
const MaxLiveSecrets = 2

// ClientSecret is one of a profile's secrets as the server compares it. The value itself is sealed in the store.
type ClientSecret struct {
	ID         int64
	Digest     [32]byte
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
	ExpiresAt  time.Time // zero: no end
}

// NewClientSecret returns the value of a new secret, with 256 random bits.
func NewClientSecret(ns Namespace) string {
	var random [32]byte
	rand.Read(random[:]) // never fails
	return string(ns) + kindSecret + hex.EncodeToString(random[:])
}

// Digest is what a secret is compared by: SHA-256 over the whole value, whatever its length. A fast hash is enough,
// since the value is random and not chosen by a person.
func Digest(value string) [32]byte { return sha256.Sum256([]byte(value)) }

// Live reports whether the secret is good at now.
func (s ClientSecret) Live(now time.Time) bool {
	return s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt)
}

// LiveSecrets returns the secrets that are good at now, in the profile's order.
func (p *SecurityProfile) LiveSecrets(now time.Time) []ClientSecret {
	var live []ClientSecret
	for _, s := range p.Secrets {
		if s.Live(now) {
			live = append(live, s)
		}
	}
	return live
}

// CanAddSecret reports whether the profile has room for another live secret.
func (p *SecurityProfile) CanAddSecret(now time.Time) bool {
	return len(p.LiveSecrets(now)) < MaxLiveSecrets
}

// SecretMatching returns the live secret whose value this is. Every secret is compared, in constant time, so that the
// duration tells nothing about which one came close.
func (p *SecurityProfile) SecretMatching(value string, now time.Time) (ClientSecret, bool) {
	s, ok := p.secretMatching(value)
	if !ok || !s.Live(now) {
		return ClientSecret{}, false
	}
	return s, true
}

// ExpiredSecretMatching returns the expired secret whose value this is. It gives the owner the reason of a refusal
// that the wire does not tell; it never authenticates.
func (p *SecurityProfile) ExpiredSecretMatching(value string, now time.Time) (ClientSecret, bool) {
	s, ok := p.secretMatching(value)
	if !ok || s.Live(now) {
		return ClientSecret{}, false
	}
	return s, true
}

func (p *SecurityProfile) secretMatching(value string) (ClientSecret, bool) {
	digest := Digest(value)
	match := -1
	for i := range p.Secrets {
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(p.Secrets[i].Digest[:], digest[:]), i, match)
	}
	if match < 0 {
		return ClientSecret{}, false
	}
	return p.Secrets[match], true
}
