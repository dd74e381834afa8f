package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// clientKey signs what a client sends; its time is not the server's.
type clientKey struct {
	b       *testing.B
	private *ecdsa.PrivateKey
}

func newClientKey(b *testing.B) clientKey {
	b.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	return clientKey{b, private}
}

func (k clientKey) jwk() jose.JSONWebKey { return jose.JSONWebKey{Key: k.private.Public()} }

func (k clientKey) sign(header map[jose.HeaderKey]any, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.private}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

func (k clientKey) proof(method, target, token string) string {
	return k.proofAt(time.Now(), method, target, token)
}

func (k clientKey) proofAt(now time.Time, method, target, token string) string {
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": target, "iat": now.Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return k.sign(map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": k.jwk()}, claims)
}

// useKey makes the profile prove itself by the key.
func (w world) useKey(k clientKey) {
	k.b.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.jwk()}})
	if err != nil {
		k.b.Fatal(err)
	}
	file := filepath.Join(k.b.TempDir(), "jwks.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		k.b.Fatal(err)
	}
	w.command(k.b, "", "profile", "settings", w.id, "--auth", "key", "--jwks-file", file)
}

// BenchmarkClientCredentials is the same request by the secret, for comparison with
// those by a key.
func BenchmarkClientCredentials(b *testing.B) {
	w := newWorld(b)
	p := w.serve(b)
	drive(b, p, post(p.base+"/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {w.id}, "client_secret": {w.secret}}))
}

func BenchmarkPrivateKeyJWT(b *testing.B) {
	w, k := newWorld(b), newClientKey(b)
	w.useKey(k)
	p := w.serve(b)
	drive(b, p, func() *http.Request {
		assertion := k.sign(nil, map[string]any{"iss": w.id, "sub": w.id, "aud": p.base, "jti": rand.Text(), "exp": time.Now().Unix() + 60})
		return post(p.base+"/oauth2/token", url.Values{
			"grant_type": {"client_credentials"}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		})()
	})
}

func BenchmarkDPoP(b *testing.B) {
	w, k := newWorld(b), newClientKey(b)
	p := w.serve(b)
	target := p.base + "/oauth2/token"
	request := post(target, url.Values{"grant_type": {"client_credentials"}, "client_id": {w.id}, "client_secret": {w.secret}})
	drive(b, p, func() *http.Request {
		r := request()
		r.Header.Set("DPoP", k.proof(http.MethodPost, target, ""))
		return r
	})
}

// BenchmarkDPoPResource is tokeninfo with a token that is bound to a key.
func BenchmarkDPoPResource(b *testing.B) {
	w, k := newWorld(b), newClientKey(b)
	p := w.serve(b)
	target := p.base + "/oauth2/token"
	r := post(target, url.Values{"grant_type": {"client_credentials"}, "client_id": {w.id}, "client_secret": {w.secret}})()
	r.Header.Set("DPoP", k.proof(http.MethodPost, target, ""))
	token := accessToken(b, r)
	resource := p.base + "/auth/o2/tokeninfo"
	drive(b, p, func() *http.Request {
		r, err := http.NewRequest(http.MethodGet, resource, nil)
		if err != nil {
			panic(err)
		}
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header.Set("DPoP", k.proof(http.MethodGet, resource, token))
		return r
	})
}
