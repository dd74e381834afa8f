package sim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/internal/registry"
)

// ClientKey is a key of an application's own: it signs assertions (RFC 7523) and DPoP
// proofs (RFC 9449).
type ClientKey struct {
	t       testing.TB
	Private *ecdsa.PrivateKey
}

// Claims are changes to the claims that a test signs; nil takes one out.
type Claims map[string]any

// NewClientKey makes a key.
func (w *World) NewClientKey() *ClientKey {
	w.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return &ClientKey{w.t, private}
}

func (k *ClientKey) jwk() jose.JSONWebKey { return jose.JSONWebKey{Key: k.Private.Public()} }

// JWKS is the key set that its owner registers.
func (k *ClientKey) JWKS() string {
	k.t.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.jwk()}})
	if err != nil {
		k.t.Fatal(err)
	}
	return string(set)
}

// Thumbprint names the key (RFC 7638).
func (k *ClientKey) Thumbprint() string {
	k.t.Helper()
	jwk := k.jwk()
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		k.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Sign makes a JWT. The header says which key it is, if it is a proof's.
func (k *ClientKey) Sign(header map[jose.HeaderKey]any, claims Claims, changes ...Claims) string {
	k.t.Helper()
	for _, change := range changes {
		maps.Copy(claims, change)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		k.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.Private}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		k.t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		k.t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		k.t.Fatal(err)
	}
	return token
}

// Proof is a DPoP proof for one request to a path; for a protected resource it is for
// the access token too.
func (w *World) Proof(k *ClientKey, method, path, token string, changes ...Claims) string {
	w.t.Helper()
	claims := Claims{"jti": rand.Text(), "htm": method, "htu": w.Issuer + path, "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return k.Sign(map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": k.jwk()}, claims, changes...)
}

// UseKey makes the application prove itself with the key in place of its secret.
func (a *Application) UseKey(k *ClientKey) {
	a.world.t.Helper()
	a.Set(func(s *registry.Settings) { s.Auth, s.JWKS, s.JWKSURI = registry.AuthKey, k.JWKS(), "" })
}

// Assertion is what the application authenticates with, once.
func (a *Application) Assertion(k *ClientKey, changes ...Claims) string {
	a.world.t.Helper()
	now := time.Now()
	return k.Sign(nil, Claims{
		"iss": a.ID, "sub": a.ID, "aud": a.world.Issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}, changes...)
}

// Asserted puts an assertion in the place of the secret of a form.
func Asserted(form url.Values, assertion string) url.Values {
	form.Del("client_secret")
	form.Set("client_assertion", assertion)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	return form
}
