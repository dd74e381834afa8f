package signing

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxJWKS       = 64 << 10
	maxClientKeys = 10
	maxKeyID      = 256
)

// ClientKeys are the public keys of a client, checked and prepared. They are
// immutable and safe for concurrent use. The zero value has no key.
type ClientKeys struct {
	keys []clientKey
}

type clientKey struct {
	id     string // "" when the set gives none
	public any
	algs   []jose.SignatureAlgorithm
}

// KeySetError says what is wrong with a client's key set, in a sentence for its
// owner.
type KeySetError struct{ Message string }

func (e *KeySetError) Error() string { return "signing: key set refused: " + e.Message }

// memberOf has what is looked at in a JWK before the library reads it.
type memberOf struct {
	Type       string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	KeyID      string   `json:"kid"`
	Curve      string   `json:"crv"`
	// Members of private and symmetric keys (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1).
	D      json.RawMessage `json:"d"`
	P      json.RawMessage `json:"p"`
	Q      json.RawMessage `json:"q"`
	DP     json.RawMessage `json:"dp"`
	DQ     json.RawMessage `json:"dq"`
	QI     json.RawMessage `json:"qi"`
	Others json.RawMessage `json:"oth"`
	K      json.RawMessage `json:"k"`
}

// ParseJWKS reads a client's JSON Web Key Set (RFC 7517 section 5). Keys for other
// purposes than signing, and of kinds that are not taken here, are passed over, as
// key sets that serve several servers have them. Its errors are *[KeySetError].
func ParseJWKS(data []byte) (ClientKeys, error) {
	if len(data) > maxJWKS {
		return ClientKeys{}, refuseKeys("The key set has %d bytes; at most %d are read.", len(data), maxJWKS)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := decode(data, &set); err != nil || set.Keys == nil {
		return ClientKeys{}, refuseKeys(`This is not a JSON Web Key Set: an object with an array "keys", each member once.`)
	}
	if len(set.Keys) > maxClientKeys {
		return ClientKeys{}, refuseKeys("The key set has %d keys; at most %d are taken.", len(set.Keys), maxClientKeys)
	}
	var keys ClientKeys
	var passedOver string
	for i, raw := range set.Keys {
		key, reason, err := parseJWK(i+1, raw)
		switch {
		case err != nil:
			return ClientKeys{}, err
		case reason != "":
			passedOver = reason
		default:
			keys.keys = append(keys.keys, key)
		}
	}
	if len(keys.keys) == 0 {
		if passedOver == "" {
			passedOver = "It is empty."
		}
		return ClientKeys{}, refuseKeys("The key set has no key that can be used here. %s", passedOver)
	}
	return keys, nil
}

// parseJWK reads the n-th key. The reason says why a key is passed over.
func parseJWK(n int, raw json.RawMessage) (key clientKey, reason string, err error) {
	var m memberOf
	if err := decode(raw, &m); err != nil || m.Type == "" {
		return clientKey{}, "", refuseKeys("Key %d is not a JSON Web Key: an object with a kty, each member once.", n)
	}
	for _, private := range []json.RawMessage{m.D, m.P, m.Q, m.DP, m.DQ, m.QI, m.Others, m.K} {
		if private != nil {
			return clientKey{}, "", refuseKeys("Key %d has its private part, which nobody but the application may have. "+
				"Make a new pair, and give only the public part here.", n)
		}
	}
	algs := fittingAlgorithms(m)
	switch {
	case len(m.KeyID) > maxKeyID:
		return clientKey{}, "", refuseKeys("Key %d has a kid of more than %d bytes.", n, maxKeyID)
	case m.Use != "" && m.Use != "sig" || m.Operations != nil && !slices.Contains(m.Operations, "verify"):
		return clientKey{}, fmt.Sprintf("Key %d is not for signatures.", n), nil
	case len(algs) == 0:
		return clientKey{}, fmt.Sprintf("Key %d is not one for RS256, PS256 or ES256.", n), nil
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return clientKey{}, "", refuseKeys("Key %d is not valid, or is an RSA key of more than %d bits.", n, maxRSABits)
	}
	if problem := checkPublic(jwk.Key); problem != "" {
		return clientKey{}, "", refuseKeys("Key %d %s.", n, problem)
	}
	return clientKey{id: m.KeyID, public: jwk.Key, algs: algs}, "", nil
}

// fittingAlgorithms are those that a key may be used with: its alg pins it to one
// (RFC 8725 section 3.1).
func fittingAlgorithms(m memberOf) []jose.SignatureAlgorithm {
	var algs []jose.SignatureAlgorithm
	switch {
	case m.Type == "RSA":
		algs = []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
	case m.Type == "EC" && m.Curve == "P-256":
		algs = []jose.SignatureAlgorithm{jose.ES256}
	}
	if m.Algorithm != "" {
		algs = slices.DeleteFunc(algs, func(alg jose.SignatureAlgorithm) bool { return string(alg) != m.Algorithm })
	}
	return algs
}

// checkPublic says what is wrong with the key of a client, "" when nothing is. The
// library has refused RSA keys of more than 4096 bits, which would be slow to verify
// with, and points that are not on their curve.
func checkPublic(key any) (problem string) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < rsaBits:
			// RFC 7518 section 3.3: 2048 bits or larger MUST be used.
			return fmt.Sprintf("is an RSA key of %d bits; at least %d are needed", bits, rsaBits)
		case key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 || key.E > math.MaxInt32:
			return "is not a valid RSA key"
		}
		return ""
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "is on another curve than P-256"
		}
		return ""
	default:
		return "is neither an RSA nor an EC key"
	}
}

func refuseKeys(format string, args ...any) error {
	return &KeySetError{Message: fmt.Sprintf(format, args...)}
}
