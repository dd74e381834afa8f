package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

const tokenBytes = 32

// NewToken makes a value that only its bearer knows (a session's cookie, a
// recovery link) and the digest that is kept of it, so that a copy of the
// database signs nobody in. The value has 256 random bits, which is why a plain
// hash suffices.
func NewToken() (value string, digest [32]byte) {
	var raw [tokenBytes]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw[:]), sha256.Sum256(raw[:])
}

// DigestToken is the digest by which the token value is looked up; false when
// value cannot be a token. Each token has exactly one spelling.
func DigestToken(value string) ([32]byte, bool) {
	// The length comes first: the decoder skips line breaks, which would give one
	// token several spellings, and a stranger's value may be long.
	if len(value) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return [32]byte{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(raw) != tokenBytes {
		return [32]byte{}, false
	}
	return sha256.Sum256(raw), true
}
