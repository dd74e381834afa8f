package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Algorithm is one that the server signs with (RFC 7518 section 3.1).
type Algorithm string

const (
	RS256 Algorithm = "RS256" // RSA, 2048 bits: every OpenID provider must have it (Discovery section 3)
	ES256 Algorithm = "ES256" // P-256: a fraction of the cost, and shorter
)

// Algorithms are all of them, in the order in which metadata names them.
func Algorithms() []Algorithm { return []Algorithm{RS256, ES256} }

const (
	rsaBits    = 2048
	maxRSABits = 4096
)

// Key is one of the server's signing keys. A zero RetiredAt means that nobody has
// ended it; being followed by a newer key is not an end and is written nowhere.
type Key struct {
	ID         string // kid: the thumbprint of the public key (RFC 7638)
	Algorithm  Algorithm
	Private    crypto.Signer
	CreatedAt  time.Time
	UsableFrom time.Time // published before, signs from here on
	RetiredAt  time.Time
}

// Format keeps the private key out of logs and messages, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "%s key %s", k.Algorithm, k.ID)
}

// Generate makes a key that signs from usableFrom on.
func Generate(alg Algorithm, now, usableFrom time.Time) (Key, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return Key{}, fmt.Errorf("signing: no algorithm %q", alg)
	}
	if err != nil {
		return Key{}, fmt.Errorf("signing: generate %s key: %w", alg, err)
	}
	k, err := newKey(private)
	if err != nil {
		return Key{}, err
	}
	k.CreatedAt, k.UsableFrom = now, usableFrom
	return k, nil
}

// MarshalPrivate gives the private key as PKCS #8 DER (RFC 5958), for the store to
// seal.
func (k Key) MarshalPrivate() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, fmt.Errorf("signing: marshal key %s: %w", k.ID, err)
	}
	return der, nil
}

// ParsePrivate reads what MarshalPrivate wrote. The id and the algorithm follow
// from the key; its times are the caller's to fill in.
func ParsePrivate(der []byte) (Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		// The cause may quote the key.
		return Key{}, errors.New("signing: not a private key in PKCS #8")
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return Key{}, errors.New("signing: not a key that signs")
	}
	return newKey(private)
}

func newKey(private crypto.Signer) (Key, error) {
	k := Key{Private: private}
	switch private := private.(type) {
	case *rsa.PrivateKey:
		if bits := private.N.BitLen(); bits < rsaBits || bits > maxRSABits {
			return Key{}, fmt.Errorf("signing: RSA key of %d bits", bits)
		}
		k.Algorithm = RS256
	case *ecdsa.PrivateKey:
		if private.Curve != elliptic.P256() {
			return Key{}, errors.New("signing: not a key on P-256")
		}
		k.Algorithm = ES256
	default:
		return Key{}, fmt.Errorf("signing: key of type %T", private)
	}
	id, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, fmt.Errorf("signing: thumbprint: %w", err)
	}
	k.ID = base64.RawURLEncoding.EncodeToString(id)
	return k, nil
}
