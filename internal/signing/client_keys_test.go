package signing

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// RFC 7517 appendix A.1, with the alg and use that fit here.
const rfc7517Keys = `{"keys":[
 {"kty":"EC","crv":"P-256",
  "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
  "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
 {"kty":"RSA",
  "n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
  "e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}`

func TestParseJWKS(t *testing.T) {
	rs, es := rsaKey().Public(), ecKey().Public()
	type key struct {
		ID   string
		Algs string
	}
	for name, tc := range map[string]struct {
		set  []byte
		want []key
	}{
		"RFC 7517 appendix A.1":   {[]byte(rfc7517Keys), []key{{"2011-04-29", "RS256"}}},
		"EC":                      {jwks(jwkOf(es, object{"kid": "a"})), []key{{"a", "ES256"}}},
		"EC for ES256":            {jwks(jwkOf(es, object{"alg": "ES256", "use": "sig"})), []key{{"", "ES256"}}},
		"RSA":                     {jwks(jwkOf(rs, object{"key_ops": []string{"verify"}})), []key{{"", "RS256 PS256"}}},
		"RSA for PS256":           {jwks(jwkOf(rs, object{"alg": "PS256"})), []key{{"", "PS256"}}},
		"two of one kid":          {jwks(jwkOf(rs, object{"kid": "a"}), jwkOf(es, object{"kid": "a"})), []key{{"a", "RS256 PS256"}, {"a", "ES256"}}},
		"beside keys not for us":  {jwks(object{"kty": "OKP", "crv": "Ed25519", "x": "AA"}, jwkOf(p384Key().Public(), nil), jwkOf(es, nil)), []key{{"", "ES256"}}},
		"beside a kind not known": {jwks(object{"kty": "AKP"}, jwkOf(es, nil)), []key{{"", "ES256"}}},
		"members not known":       {jwks(jwkOf(es, object{"x-made": 5, "D": "not d"})), []key{{"", "ES256"}}},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := ParseJWKS(tc.set)
			if err != nil {
				t.Fatal(err)
			}
			var got []key
			for _, k := range parsed.keys {
				var algs []string
				for _, alg := range k.algs {
					algs = append(algs, string(alg))
				}
				got = append(got, key{k.id, strings.Join(algs, " ")})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseJWKSRefuses(t *testing.T) {
	const notSet = `This is not a JSON Web Key Set: an object with an array "keys", each member once.`
	const private = "Key 1 has its private part, which nobody but the application may have. Make a new pair, and give only the public part here."
	es := jwkOf(ecKey().Public(), nil)
	with := func(member string, value any) []byte { return jwks(jwkOf(ecKey().Public(), object{member: value})) }
	coordinate := strings.Repeat("A", 42) + "E"
	modulus := func(n []byte) object {
		return object{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(n), "e": "AQAB"}
	}
	even := rsaKey().N.Bytes()
	even[len(even)-1] &^= 1
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	for name, tc := range map[string]struct {
		set  []byte
		want string
	}{
		"nothing":              {nil, notSet},
		"not JSON":             {[]byte("-----BEGIN PUBLIC KEY-----"), notSet},
		"array":                {[]byte("[]"), notSet},
		"null":                 {[]byte("null"), notSet},
		"one key":              {[]byte(text(es)), notSet},
		"keys is null":         {[]byte(`{"keys":null}`), notSet},
		"keys is an object":    {[]byte(`{"keys":{}}`), notSet},
		"keys twice":           {[]byte(`{"keys":[],"keys":[]}`), notSet},
		"in other case":        {[]byte(`{"KEYS":[]}`), notSet},
		"not UTF-8":            {[]byte("{\"keys\":[],\"\xff\":1}"), notSet},
		"text behind":          {[]byte(`{"keys":[]} x`), notSet},
		"empty":                {[]byte(`{"keys":[]}`), "The key set has no key that can be used here. It is empty."},
		"too long":             {[]byte(strings.Repeat(" ", 64<<10+1)), "The key set has 65537 bytes; at most 65536 are read."},
		"too many":             {jwks(es, es, es, es, es, es, es, es, es, es, es), "The key set has 11 keys; at most 10 are taken."},
		"private EC key":       {jwks(jwkOf(ecKey(), nil)), private},
		"private RSA key":      {jwks(jwkOf(rsaKey(), nil)), private},
		"private Ed25519 key":  {jwks(object{"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}), private},
		"private by one prime": {with("p", "AQ"), private},
		"secret":               {jwks(object{"kty": "oct", "k": "c2VjcmV0"}), private},
		"key is not an object": {[]byte(`{"keys":["x"]}`), "Key 1 is not a JSON Web Key: an object with a kty, each member once."},
		"no kty":               {[]byte(`{"keys":[{}]}`), "Key 1 is not a JSON Web Key: an object with a kty, each member once."},
		"member twice":         {[]byte(`{"keys":[{"kty":"RSA","kty":"EC"}]}`), "Key 1 is not a JSON Web Key: an object with a kty, each member once."},
		"for encryption":       {with("use", "enc"), "The key set has no key that can be used here. Key 1 is not for signatures."},
		"for signing only":     {with("key_ops", []string{"sign"}), "The key set has no key that can be used here. Key 1 is not for signatures."},
		"for RS256, but EC":    {with("alg", "RS256"), "The key set has no key that can be used here. Key 1 is not one for RS256, PS256 or ES256."},
		"for none":             {with("alg", "none"), "The key set has no key that can be used here. Key 1 is not one for RS256, PS256 or ES256."},
		"P-384":                {jwks(jwkOf(p384Key().Public(), nil)), "The key set has no key that can be used here. Key 1 is not one for RS256, PS256 or ES256."},
		"P-384 says P-256":     {jwks(jwkOf(p384Key().Public(), object{"crv": "P-256"})), "Key 1 is not valid, or is an RSA key of more than 4096 bits."},
		"not on the curve":     {jwks(object{"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate}), "Key 1 is not valid, or is an RSA key of more than 4096 bits."},
		"no coordinates":       {jwks(object{"kty": "EC", "crv": "P-256"}), "Key 1 is not valid, or is an RSA key of more than 4096 bits."},
		"weak RSA":             {jwks(es, jwkOf(weak.Public(), nil)), "Key 2 is an RSA key of 1024 bits; at least 2048 are needed."},
		"huge RSA":             {jwks(modulus([]byte(strings.Repeat("\xff", 513)))), "Key 1 is not valid, or is an RSA key of more than 4096 bits."},
		"even modulus":         {jwks(modulus(even)), "Key 1 is not a valid RSA key."},
		"exponent 1":           {jwks(jwkOf(rsaKey().Public(), object{"e": "AQ"})), "Key 1 is not valid, or is an RSA key of more than 4096 bits."},
		"even exponent":        {jwks(jwkOf(rsaKey().Public(), object{"e": "AQAA"})), "Key 1 is not a valid RSA key."},
		"huge exponent":        {jwks(jwkOf(rsaKey().Public(), object{"e": "AQAAAAE"})), "Key 1 is not a valid RSA key."},
		"long kid":             {with("kid", strings.Repeat("k", 257)), "Key 1 has a kid of more than 256 bytes."},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := ParseJWKS(tc.set)
			refused, ok := errors.AsType[*KeySetError](err)
			if !ok || refused.Message != tc.want || len(keys.keys) != 0 {
				t.Errorf("%v, %v; want %s", keys, err, tc.want)
			}
		})
	}
}

// A set that is taken has only keys that are safe to verify with, whoever wrote it.
func FuzzParseJWKS(f *testing.F) {
	f.Add([]byte(rfc7517Keys))
	f.Add(jwks(jwkOf(ecKey().Public(), object{"kid": "a", "alg": "ES256"})))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseJWKS(data)
		if err != nil {
			if _, ok := errors.AsType[*KeySetError](err); !ok || len(keys.keys) != 0 {
				t.Fatalf("%v with %d keys", err, len(keys.keys))
			}
			return
		}
		if len(keys.keys) == 0 || len(keys.keys) > 10 || !json.Valid(data) {
			t.Fatalf("%d keys from %q", len(keys.keys), data)
		}
		for _, k := range keys.keys {
			jwk := jose.JSONWebKey{Key: k.public}
			if !jwk.IsPublic() || !jwk.Valid() || len(k.algs) == 0 {
				t.Fatalf("key %q for %v", k.id, k.algs)
			}
			if key, ok := k.public.(interface{ Size() int }); ok && (key.Size() < 256 || key.Size() > 512) {
				t.Fatalf("RSA key of %d bytes", key.Size())
			}
			if key, ok := k.public.(interface{ Params() *elliptic.CurveParams }); ok && key.Params().Name != "P-256" {
				t.Fatalf("key on %s", key.Params().Name)
			}
		}
	})
}

func TestClientKeysLack(t *testing.T) {
	named := clientKeys(t, jwkOf(ecKey().Public(), object{"kid": "a"}))
	unnamed := clientKeys(t, jwkOf(ecKey().Public(), nil))
	for name, tc := range map[string]struct {
		keys  ClientKeys
		token string
		want  bool
	}{
		"named":                  {named, signed(t, jose.ES256, ecKey(), object{"kid": "a"}, nil), false},
		"another's by that name": {named, signed(t, jose.ES256, otherEC(), object{"kid": "a"}, nil), false}, // judged by VerifyAssertion
		"not named":              {named, signed(t, jose.ES256, ecKey(), nil, nil), false},
		"another name":           {named, signed(t, jose.ES256, ecKey(), object{"kid": "b"}, nil), true},
		"another algorithm":      {named, signed(t, jose.RS256, rsaKey(), object{"kid": "a"}, nil), true},
		"key without name":       {unnamed, signed(t, jose.ES256, ecKey(), object{"kid": "b"}, nil), false},
		"no keys":                {ClientKeys{}, signed(t, jose.ES256, ecKey(), nil, nil), true},
		"no assertion":           {named, "a.b.c", false},
	} {
		if got := tc.keys.Lack(tc.token); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
