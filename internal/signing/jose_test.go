package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const issuer = "https://lodge.example"

var noon = time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC)

// The keys of one test run: making RSA keys takes long.
var (
	rsaKey  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherEC = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type object = map[string]any

// signed makes a compact JWS with the library, as clients do.
func signed(t testing.TB, alg jose.SignatureAlgorithm, key any, header, claims object) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	for name, value := range header {
		opts.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(text(claims)))
	if err != nil {
		t.Fatal(err)
	}
	return must(jws.CompactSerialize())
}

func text(v any) string { return string(must(json.Marshal(v))) }

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forged makes a JWS of any header and payload, however malformed.
func forged(header, payload string, sign func(input string) string) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(sign(input))
}

func unsigned(string) string { return "" }

// byES256 is a correct signature by the key.
func byES256(key *ecdsa.PrivateKey) func(string) string {
	return func(input string) string {
		digest := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			panic(err)
		}
		return rs(r, s, 32)
	}
}

func byES384(key *ecdsa.PrivateKey) func(string) string {
	return func(input string) string {
		digest := sha512.Sum384([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			panic(err)
		}
		return rs(r, s, 48)
	}
}

func rs(r, s *big.Int, size int) string {
	return string(r.FillBytes(make([]byte, size))) + string(s.FillBytes(make([]byte, size)))
}

func byRS256(key *rsa.PrivateKey) func(string) string {
	return func(input string) string {
		digest := sha256.Sum256([]byte(input))
		return string(must(rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])))
	}
}

func byHS256(secret []byte) func(string) string {
	return func(input string) string {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return string(mac.Sum(nil))
	}
}

func jwkOf(key any, more object) object {
	var members object
	if err := json.Unmarshal(must(jose.JSONWebKey{Key: key}.MarshalJSON()), &members); err != nil {
		panic(err)
	}
	for name, value := range more {
		members[name] = value
	}
	return members
}

func jwks(keys ...object) []byte { return []byte(text(object{"keys": keys})) }

// respelled are other texts made of the same three parts, of a token by ES256.
func respelled(token string) map[string]string {
	parts := strings.Split(token, ".")
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", token[len(token)-1])
	// 64 bytes leave four unused bits in the last letter.
	unusedBits := token[:len(token)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1])
	return map[string]string{
		"unused bits":                unusedBits,
		"line break":                 token[:20] + "\n" + token[20:],
		"line break at the end":      token + "\r\n",
		"blank in front":             " " + token,
		"padding":                    token + "==",
		"fourth part":                token + ".",
		"no signature":               parts[0] + "." + parts[1] + ".",
		"two parts":                  parts[0] + "." + parts[1],
		"one part":                   parts[0],
		"nothing":                    "",
		"signature cut short":        token[:len(token)-2],
		"signature too long":         token + "AAAA",
		"signature by halves":        parts[0] + "." + parts[1] + "." + parts[2][:40],
		"JSON serialisation":         text(object{"protected": parts[0], "payload": parts[1], "signature": parts[2]}),
		"payload left out":           parts[0] + ".." + parts[2],
		"header and payload swapped": parts[1] + "." + parts[0] + "." + parts[2],
	}
}
