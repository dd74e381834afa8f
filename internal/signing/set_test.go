package signing

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

// ours is a key of the server around a key of the test run.
func ours(t testing.TB, private crypto.Signer, usableFrom time.Time) Key {
	t.Helper()
	k, err := newKey(private)
	if err != nil {
		t.Fatal(err)
	}
	k.CreatedAt, k.UsableFrom = usableFrom.Add(-PublishAhead), usableFrom
	return k
}

func newSet(t testing.TB, keys ...Key) *Set {
	t.Helper()
	s, err := NewSet(issuer, keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPrivateKeyRoundTrip(t *testing.T) {
	for _, alg := range Algorithms() {
		made, err := Generate(alg, noon, noon.Add(PublishAhead))
		if err != nil {
			t.Fatal(err)
		}
		if made.Algorithm != alg || len(made.ID) != 43 || made.CreatedAt != noon || made.UsableFrom != noon.Add(24*time.Hour) || !made.RetiredAt.IsZero() {
			t.Errorf("Generate(%s) = %v, created %v, usable from %v", alg, made, made.CreatedAt, made.UsableFrom)
		}
		der, err := made.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		read, err := ParsePrivate(der)
		if err != nil {
			t.Fatal(err)
		}
		equal := read.Private.(interface{ Equal(crypto.PrivateKey) bool }).Equal(made.Private)
		if read.ID != made.ID || read.Algorithm != alg || !equal {
			t.Errorf("ParsePrivate = %v, equal %v; want %v", read, equal, made)
		}
		if got, want := fmt.Sprintf("%v %+v %#v", made, made, made), string(alg)+" key "+made.ID; got != want+" "+want+" "+want {
			t.Errorf("formatted as %s", got)
		}
	}
	if k, err := Generate("HS256", noon, noon); err == nil {
		t.Errorf("Generate(HS256) = %v", k)
	}
}

func TestParsePrivateRefuses(t *testing.T) {
	for name, der := range map[string][]byte{
		"nothing":      nil,
		"not DER":      []byte("-----BEGIN PRIVATE KEY-----"),
		"P-384":        must(x509.MarshalPKCS8PrivateKey(p384Key())),
		"a public one": must(x509.MarshalPKIXPublicKey(ecKey().Public())),
	} {
		if k, err := ParsePrivate(der); err == nil {
			t.Errorf("%s: %v", name, k)
		}
	}
}

// What is signed is verified by the library with the published JWKS and nothing else.
func TestSignJWT(t *testing.T) {
	rs, es := ours(t, rsaKey(), noon), ours(t, ecKey(), noon)
	s := newSet(t, rs, es)
	var published jose.JSONWebKeySet
	if err := json.Unmarshal(s.JWKS(noon), &published); err != nil {
		t.Fatal(err)
	}
	claims := `{"iss":"https://lodge.example","sub":"u"}`
	for _, key := range []Key{rs, es} {
		for _, typ := range []Type{"JWT", "at+jwt", "logout+jwt"} {
			token, err := s.SignJWT(key.Algorithm, typ, []byte(claims), noon)
			if err != nil {
				t.Fatal(err)
			}
			jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm)})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := jws.Verify(published); err != nil || string(got) != claims {
				t.Errorf("%s %s: %s, %v", key.Algorithm, typ, got, err)
			}
			if header := jws.Signatures[0].Protected; header.KeyID != key.ID || typeOf(header) != string(typ) {
				t.Errorf("%s %s: header %+v", key.Algorithm, typ, header)
			}
			if got, err := s.Verify(token, typ, noon); err != nil || string(got) != claims {
				t.Errorf("Verify(%s %s) = %s, %v", key.Algorithm, typ, got, err)
			}
		}
	}
	if token, err := s.SignJWT(ES256, "dpop+jwt", []byte(claims), noon); err == nil {
		t.Errorf("type dpop+jwt: %s", token)
	}
	if _, err := newSet(t, rs).SignJWT(ES256, IDToken, []byte(claims), noon); !errors.Is(err, ErrNoKey) {
		t.Errorf("no ES256 key: %v", err)
	}
}

// ECDSA signatures are 64 bytes however small R and S come out.
func TestJoined(t *testing.T) {
	for name, tc := range map[string]struct{ der, want string }{
		"small":        {"\x30\x06\x02\x01\x01\x02\x01\x02", strings.Repeat("\x00", 31) + "\x01" + strings.Repeat("\x00", 31) + "\x02"},
		"with a sign":  {"\x30\x08\x02\x02\x00\xff\x02\x02\x00\x80", strings.Repeat("\x00", 31) + "\xff" + strings.Repeat("\x00", 31) + "\x80"},
		"too long":     {"\x30\x26\x02\x21\x01" + strings.Repeat("\x01", 32) + "\x02\x01\x01", ""},
		"not a number": {"\x30\x03\x04\x01\x01", ""},
		"nothing":      {"", ""},
	} {
		got, err := joined([]byte(tc.der))
		if string(got) != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: %x, %v; want %x", name, got, err, tc.want)
		}
	}
}

func TestNewSetRefuses(t *testing.T) {
	key := ours(t, ecKey(), noon)
	if _, err := NewSet("", []Key{key}); err == nil {
		t.Error("made without an issuer")
	}
	if _, err := NewSet(issuer, []Key{key, key}); err == nil {
		t.Error("made with one key twice")
	}
}

// schedule has the same order of events as the life of a server: a first key, the
// next one, and one that was ended by hand.
func schedule(t testing.TB) (first, second Key) {
	t.Helper()
	return ours(t, ecKey(), noon), ours(t, otherEC(), noon.Add(90*day))
}

func TestWhichKeySigns(t *testing.T) {
	first, second := schedule(t)
	ended := second
	ended.RetiredAt = noon.Add(91 * day)
	for _, tc := range []struct {
		name string
		set  *Set
		at   time.Time
		want Key
	}{
		{"the only one", newSet(t, first), noon, first},
		{"by a clock that is late", newSet(t, first), noon.Add(-time.Minute), first},
		{"the next one is published only", newSet(t, second, first), noon.Add(90*day - 1), first},
		{"the next one takes over", newSet(t, first, second), noon.Add(90 * day), second},
		{"the next one was ended", newSet(t, first, ended), noon.Add(91 * day), first},
		{"by a clock before both", newSet(t, second, first), noon.Add(-time.Minute), first},
	} {
		if got := tc.set.current(ES256, tc.at); got == nil || got.ID != tc.want.ID {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	if got := newSet(t, ended).current(ES256, noon.Add(91*day)); got != nil {
		t.Errorf("an ended key signs: %v", got)
	}
}

func TestWhichKeysArePublished(t *testing.T) {
	first, second := schedule(t)
	ended, next := first, second
	ended.RetiredAt, next.RetiredAt = noon.Add(10*day), noon.Add(91*day)
	rs := ours(t, rsaKey(), noon)
	lastMoment := 90*day + time.Hour + time.Minute // an hour for what was signed, a minute for the clocks
	for _, tc := range []struct {
		name string
		set  *Set
		at   time.Time
		want []string
	}{
		{"before it is used", newSet(t, first, second), noon.Add(89 * day), []string{second.ID, first.ID}},
		{"before any is used", newSet(t, first), noon.Add(-time.Hour), []string{first.ID}},
		{"followed a moment ago", newSet(t, first, second), noon.Add(90 * day), []string{second.ID, first.ID}},
		{"its last token may live", newSet(t, first, second), noon.Add(lastMoment - 1), []string{second.ID, first.ID}},
		{"its last token is dead", newSet(t, first, second), noon.Add(lastMoment), []string{second.ID}},
		{"followed in another algorithm only", newSet(t, rs, second), noon.Add(lastMoment), []string{second.ID, rs.ID}},
		{"signs again, for the next one was ended", newSet(t, first, next), noon.Add(92 * day), []string{first.ID}},
		{"ended by hand, its last token may live", newSet(t, ended), noon.Add(10*day + time.Hour), []string{first.ID}},
		{"ended by hand, its last token is dead", newSet(t, ended), noon.Add(10*day + time.Hour + time.Minute), []string{}},
	} {
		var got struct {
			Keys []map[string]string `json:"keys"`
		}
		if err := json.Unmarshal(tc.set.JWKS(tc.at), &got); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		ids := []string{}
		for _, k := range got.Keys {
			ids = append(ids, k["kid"])
		}
		if diff := cmp.Diff(tc.want, ids); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestJWKSMembers(t *testing.T) {
	first, _ := schedule(t)
	var got struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(newSet(t, first, ours(t, rsaKey(), noon.Add(-1))).JWKS(noon), &got); err != nil {
		t.Fatal(err)
	}
	var members [][]string
	for _, k := range got.Keys {
		var names []string
		for name := range k {
			names = append(names, name)
		}
		slices.Sort(names)
		members = append(members, append(names, k["kty"], k["alg"], k["use"]))
	}
	want := [][]string{ // and no private one
		{"alg", "crv", "kid", "kty", "use", "x", "y", "EC", "ES256", "sig"},
		{"alg", "e", "kid", "kty", "n", "use", "RSA", "RS256", "sig"},
	}
	if diff := cmp.Diff(want, members); diff != "" {
		t.Error(diff)
	}
}

func TestRotation(t *testing.T) {
	first, second := schedule(t)
	ended := first
	ended.RetiredAt = noon.Add(day)
	for _, tc := range []struct {
		name string
		keys []Key
		at   time.Time
		want bool
	}{
		{"no key", nil, noon, true},
		{"a key of the other algorithm", []Key{ours(t, rsaKey(), noon)}, noon, true},
		{"a new key", []Key{first}, noon, false},
		{"not yet", []Key{first}, noon.Add(89*day - 1), false},
		{"a day ahead of its end", []Key{first}, noon.Add(89 * day), true},
		{"the next one is made", []Key{second, first}, noon.Add(89 * day), false},
		{"the newest was ended", []Key{ended}, noon.Add(day), true},
	} {
		if got := Due(ES256, tc.keys, tc.at); got != tc.want {
			t.Errorf("%s: due %v, want %v", tc.name, got, tc.want)
		}
	}
	for name, tc := range map[string]struct {
		keys []Key
		want time.Time
	}{
		"first":             {nil, noon},
		"follows":           {[]Key{first}, noon.Add(day)},
		"after the end":     {[]Key{{Algorithm: ES256, UsableFrom: noon, RetiredAt: noon}}, noon},
		"other algorithm's": {[]Key{{Algorithm: RS256, UsableFrom: noon}}, noon},
	} {
		next, err := Next(ES256, tc.keys, noon)
		if err != nil || next.Algorithm != ES256 || next.CreatedAt != noon || next.UsableFrom != tc.want {
			t.Errorf("%s: %v usable from %v, %v; want %v", name, next, next.UsableFrom, err, tc.want)
		}
	}
}

// A key follows its predecessor without a gap or a time in which verifiers do not
// know it, however long the server runs.
func TestRotationForYears(t *testing.T) {
	var keys []Key
	for at := noon; at.Before(noon.Add(2 * 365 * day)); at = at.Add(6 * time.Hour) {
		if Due(ES256, keys, at) {
			next, err := Next(ES256, keys, at)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, next)
		}
		s := newSet(t, keys...)
		signs := s.current(ES256, at)
		if signs.UsableFrom.After(at) || at.Sub(signs.UsableFrom) > RotateAfter+6*time.Hour {
			t.Fatalf("at %v signs a key usable from %v", at, signs.UsableFrom)
		}
		if !strings.Contains(string(s.JWKS(at)), signs.ID) {
			t.Fatalf("at %v signs an unpublished key", at)
		}
		if n := strings.Count(string(s.JWKS(at)), `"kid"`); n > 2 {
			t.Fatalf("at %v the JWKS has %d keys", at, n)
		}
	}
	if len(keys) != 9 {
		t.Errorf("%d keys in two years, want 9", len(keys))
	}
}

func TestVerifyRefuses(t *testing.T) {
	rs, es := ours(t, rsaKey(), noon), ours(t, ecKey(), noon)
	s := newSet(t, rs, es)
	claims := object{"iss": issuer, "sub": "u"}
	header := func(alg string, more object) string {
		h := object{"alg": alg, "kid": es.ID, "typ": "JWT"}
		for name, value := range more {
			h[name] = value
		}
		return text(h)
	}
	good := forged(header("ES256", nil), text(claims), byES256(ecKey()))
	if got, err := s.Verify(good, IDToken, noon); err != nil || string(got) != text(claims) {
		t.Fatalf("the good one: %s, %v", got, err)
	}
	public := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	vectors := map[string]struct {
		token string
		want  error
	}{
		"CVE-2022-23540: none":                  {forged(header("none", nil), text(claims), unsigned), ErrInvalid},
		"None":                                  {forged(header("None", nil), text(claims), unsigned), ErrInvalid},
		"no alg":                                {forged(`{"kid":"`+es.ID+`","typ":"JWT"}`, text(claims), byES256(ecKey())), ErrInvalid},
		"CVE-2022-23541: HS256 with public key": {forged(header("HS256", object{"kid": rs.ID}), text(claims), byHS256(public)), ErrInvalid},
		"CVE-2022-23539: RS256 for an EC key":   {forged(header("RS256", nil), text(claims), byRS256(rsaKey())), ErrInvalid},
		"ES256 for an RSA key":                  {forged(header("ES256", object{"kid": rs.ID}), text(claims), byES256(ecKey())), ErrInvalid},
		"PS256":                                 {signed(t, jose.PS256, rsaKey(), object{"kid": rs.ID, "typ": "JWT"}, claims), ErrInvalid},
		"ES384":                                 {forged(header("ES384", nil), text(claims), byES384(p384Key())), ErrInvalid},
		"CVE-2026-23552: another issuer":        {forged(header("ES256", nil), `{"iss":"https://evil.example"}`, byES256(ecKey())), ErrInvalid},
		"issuer in other case":                  {forged(header("ES256", nil), `{"ISS":"https://lodge.example"}`, byES256(ecKey())), ErrInvalid},
		"issuer twice":                          {forged(header("ES256", nil), `{"iss":"https://lodge.example","iss":"https://lodge.example"}`, byES256(ecKey())), ErrInvalid},
		"no issuer":                             {forged(header("ES256", nil), `{}`, byES256(ecKey())), ErrInvalid},
		"not JSON":                              {forged(header("ES256", nil), `iss`, byES256(ecKey())), ErrInvalid},
		"another's key":                         {forged(header("ES256", nil), text(claims), byES256(otherEC())), ErrInvalid},
		"unknown kid":                           {forged(header("ES256", object{"kid": "x"}), text(claims), byES256(ecKey())), ErrUnknownKey},
		"no kid":                                {forged(`{"alg":"ES256","typ":"JWT"}`, text(claims), byES256(ecKey())), ErrUnknownKey},
		"its own key":                           {forged(header("ES256", object{"jwk": jwkOf(otherEC().Public(), nil)}), text(claims), byES256(otherEC())), ErrInvalid},
		"kid of a path":                         {forged(header("HS256", object{"kid": "../../../../dev/null"}), text(claims), byHS256(nil)), ErrInvalid},
		"another type":                          {forged(header("ES256", object{"typ": "at+jwt"}), text(claims), byES256(ecKey())), ErrInvalid},
		"no type":                               {forged(`{"alg":"ES256","kid":"`+es.ID+`"}`, text(claims), byES256(ecKey())), ErrInvalid},
		"critical extension":                    {forged(header("ES256", object{"crit": []string{"exp"}, "exp": 1}), text(claims), byES256(ecKey())), ErrInvalid},
		"critical b64":                          {forged(header("ES256", object{"crit": []string{"b64"}, "b64": true}), text(claims), byES256(ecKey())), ErrInvalid},
		"b64 alone":                             {forged(header("ES256", object{"b64": true}), text(claims), byES256(ecKey())), ErrInvalid},
		"header twice":                          {forged(`{"alg":"none","alg":"ES256","kid":"`+es.ID+`","typ":"JWT"}`, text(claims), byES256(ecKey())), ErrInvalid},
		"header not an object":                  {forged(`[]`, text(claims), byES256(ecKey())), ErrInvalid},
		"CVE-2022-21449: zero signature":        {forged(header("ES256", nil), text(claims), func(string) string { return strings.Repeat("\x00", 64) }), ErrInvalid},
		"signature in ASN.1":                    {forged(header("ES256", nil), text(claims), func(string) string { return "\x30\x06\x02\x01\x01\x02\x01\x01" }), ErrInvalid},
		"too long":                              {forged(header("ES256", nil), text(object{"iss": issuer, "x": strings.Repeat("x", 8<<10)}), byES256(ecKey())), ErrInvalid},
	}
	for name, token := range respelled(good) {
		vectors[name] = struct {
			token string
			want  error
		}{token, ErrInvalid}
	}
	for name, tc := range vectors {
		if got, err := s.Verify(tc.token, IDToken, noon); !errors.Is(err, tc.want) || got != nil {
			t.Errorf("%s: %s, %v; want %v", name, got, err, tc.want)
		}
	}
}

// A hint is good for as long as its session lasts, which may be longer than its key
// is published; but not when the key was ended.
func TestVerifyByOldKeys(t *testing.T) {
	first, second := schedule(t)
	token, err := newSet(t, first).SignJWT(ES256, IDToken, []byte(`{"iss":"https://lodge.example","exp":1}`), noon)
	if err != nil {
		t.Fatal(err)
	}
	later := noon.Add(200 * day)
	if _, err := newSet(t, first, second).Verify(token, IDToken, later); err != nil {
		t.Errorf("by a key that was followed: %v", err)
	}
	first.RetiredAt = noon.Add(time.Hour)
	s := newSet(t, first, second)
	if _, err := s.Verify(token, IDToken, noon.Add(2*time.Hour)); err != nil {
		t.Errorf("by a key that was ended, while tokens of it may live: %v", err)
	}
	if _, err := s.Verify(token, IDToken, later); !errors.Is(err, ErrInvalid) {
		t.Errorf("by a key that was ended long ago: %v", err)
	}
}

func TestSignConcurrently(t *testing.T) {
	s := newSet(t, ours(t, ecKey(), noon))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 20 {
				claims := fmt.Sprintf(`{"iss":"https://lodge.example","n":%d}`, 100*i+j)
				token, err := s.SignJWT(ES256, IDToken, []byte(claims), noon)
				if err != nil {
					t.Error(err)
				}
				if got, err := s.Verify(token, IDToken, noon); err != nil || string(got) != claims {
					t.Errorf("%s, %v; want %s", got, err, claims)
				}
			}
		})
	}
	wg.Wait()
}
