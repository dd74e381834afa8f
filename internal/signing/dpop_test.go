package signing

import (
	"encoding/base64"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/internal/oauth"
)

// RFC 9449 sections 4.1 and 7.1.
const (
	rfcKey        = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	rfcTokenProof = rfcKey + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfcUseProof   = rfcKey + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcToken      = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	rfcThumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
)

func TestParseDPoPExamples(t *testing.T) {
	for name, tc := range map[string]struct {
		proof string
		want  DPoPRequest
		id    string
		at    int64
	}{
		"section 4.1": {rfcTokenProof, DPoPRequest{Method: "POST", URL: "https://server.example.com/token", Now: time.Unix(1562262616, 0)}, "-BwC3ESc6acc2lTc", 1562262616},
		"section 7.1": {rfcUseProof, DPoPRequest{Method: "GET", URL: "https://resource.example.org/protectedresource", AccessToken: rfcToken,
			Now: time.Unix(1562262618, 0)}, "e1j3V_bKic8-LAEB", 1562262618},
	} {
		got, err := ParseDPoP(tc.proof, tc.want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// Section 6.1 has the thumbprint.
		if thumbprint := base64.RawURLEncoding.EncodeToString(got.Thumbprint[:]); thumbprint != rfcThumbprint || got.ID != tc.id || got.IssuedAt.Unix() != tc.at {
			t.Errorf("%s: %+v, thumbprint %s", name, got, thumbprint)
		}
	}
}

func wantProof(now time.Time) DPoPRequest {
	return DPoPRequest{Method: "POST", URL: tokenURL, Now: now}
}

func proofWith(changes object) object {
	claims := object{"jti": "once", "htm": "POST", "htu": tokenURL, "iat": noon.Unix()}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// dpop makes a proof as clients do.
func dpop(t testing.TB, alg jose.SignatureAlgorithm, private any, claims object) string {
	t.Helper()
	jwk := jose.JSONWebKey{Key: private}
	return signed(t, alg, private, object{"typ": "dpop+jwt", "jwk": jwk.Public()}, claims)
}

func TestParseDPoPAlgorithms(t *testing.T) {
	ec, err := newKey(ecKey())
	if err != nil {
		t.Fatal(err)
	}
	rs, err := newKey(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[jose.SignatureAlgorithm]Key{jose.ES256: ec, jose.RS256: rs, jose.PS256: rs} {
		got, err := ParseDPoP(dpop(t, alg, key.Private, proofWith(nil)), wantProof(noon))
		if err != nil || base64.RawURLEncoding.EncodeToString(got.Thumbprint[:]) != key.ID || got.ID != "once" || !got.IssuedAt.Equal(noon) {
			t.Errorf("%s: %+v, %v", alg, got, err)
		}
	}
}

func TestParseDPoPClaims(t *testing.T) {
	const (
		types = "The claims of the DPoP proof are not a JSON object with each member once, in the types of RFC 9449."
		jti   = "The DPoP proof has no jti of 1 to 256 characters."
		htm   = "The htm of the DPoP proof is not the method of the request."
		htu   = "The htu of the DPoP proof is not the URL of the request."
		iat   = "The iat of the DPoP proof is more than 60 seconds from now."
	)
	for name, tc := range map[string]struct {
		change object
		want   string
	}{
		"good":                   {nil, ""},
		"query and fragment":     {object{"htu": tokenURL + "?a=b#c"}, ""},
		"made a minute ago":      {object{"iat": noon.Add(-60 * time.Second).Unix()}, ""},
		"by a fast clock":        {object{"iat": noon.Add(60 * time.Second).Unix()}, ""},
		"ath where none belongs": {object{"ath": "x"}, ""},
		"nonce nobody gave out":  {object{"nonce": "x"}, ""},
		"claims not known":       {object{"exp": 1, "cnf": object{}}, ""},
		"no jti":                 {object{"jti": nil}, jti},
		"empty jti":              {object{"jti": ""}, jti},
		"long jti":               {object{"jti": strings.Repeat("j", 257)}, jti},
		"jti is a number":        {object{"jti": 1}, types},
		"no htm":                 {object{"htm": nil}, htm},
		"another method":         {object{"htm": "GET"}, htm},
		"method in other case":   {object{"htm": "post"}, htm},
		"no htu":                 {object{"htu": nil}, htu},
		"another htu":            {object{"htu": issuer + "/oauth2/userinfo"}, htu},
		"no iat":                 {object{"iat": nil}, "The DPoP proof has no iat."},
		"old":                    {object{"iat": noon.Add(-61 * time.Second).Unix()}, iat},
		"from the future":        {object{"iat": noon.Add(61 * time.Second).Unix()}, iat},
		"iat is text":            {object{"iat": "1773489600"}, types},
		"iat beyond all":         {object{"iat": 1e308}, types},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDPoP(dpop(t, jose.ES256, ecKey(), proofWith(tc.change)), wantProof(noon))
			if tc.want == "" && err == nil {
				return
			}
			wantRefusal(t, err, oauth.InvalidDPoPProof, tc.want, "")
		})
	}
}

func TestParseDPoPAccessToken(t *testing.T) {
	const not = "The ath of the DPoP proof is not the hash of the access token."
	want := wantProof(noon)
	want.AccessToken = rfcToken
	for name, tc := range map[string]struct{ ath, want any }{
		"right":              {"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", nil},
		"missing":            {nil, not},
		"empty":              {"", not},
		"another token's":    {"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEp", not},
		"padded":             {"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo=", not},
		"the token as it is": {rfcToken, not},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDPoP(dpop(t, jose.ES256, ecKey(), proofWith(object{"ath": tc.ath})), want)
			if tc.want == nil && err == nil {
				return
			}
			reason, _ := tc.want.(string)
			wantRefusal(t, err, oauth.InvalidDPoPProof, reason, "")
		})
	}
}

func TestParseDPoPNonce(t *testing.T) {
	const (
		needed = "The DPoP proof needs the nonce of the header DPoP-Nonce."
		clock  = "The iat of the DPoP proof is too far from now: use the nonce of the header DPoP-Nonce."
	)
	required := func(nonce string) bool { return nonce == "good" }
	optional := func(nonce string) bool { return nonce == "good" || nonce == "" }
	hourOff := noon.Add(-time.Hour).Unix()
	for name, tc := range map[string]struct {
		nonce  func(string) bool
		change object
		want   string
	}{
		"required and good":                {required, object{"nonce": "good"}, ""},
		"required and missing":             {required, nil, needed},
		"required and bad":                 {required, object{"nonce": "bad"}, needed},
		"good, by a wrong clock":           {required, object{"nonce": "good", "iat": hourOff}, ""},
		"optional and missing":             {optional, nil, ""},
		"optional and bad":                 {optional, object{"nonce": "bad"}, needed},
		"optional, missing, a wrong clock": {optional, object{"iat": hourOff}, clock},
	} {
		t.Run(name, func(t *testing.T) {
			want := wantProof(noon)
			want.Nonce = tc.nonce
			_, err := ParseDPoP(dpop(t, jose.ES256, ecKey(), proofWith(tc.change)), want)
			if tc.want == "" && err == nil {
				return
			}
			wantRefusal(t, err, oauth.UseDPoPNonce, tc.want, "")
		})
	}
}

func TestParseDPoPSignature(t *testing.T) {
	const (
		unsafe = "The DPoP proof is not a compact JWT signed with ES256, RS256 or PS256 that has a public key in its header."
		not    = "The signature of the DPoP proof is not by the key in its header."
	)
	claims := text(proofWith(nil))
	header := func(alg string, more object) string {
		h := object{"alg": alg, "typ": "dpop+jwt", "jwk": jwkOf(ecKey().Public(), nil)}
		maps.Copy(h, more)
		maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
		return text(h)
	}
	rsaJWK := jwkOf(rsaKey().Public(), nil)
	type vector struct{ token, want string }
	vectors := map[string]vector{
		"none":                      {forged(header("none", nil), claims, unsigned), unsafe},
		"HS256 with the public key": {forged(header("HS256", object{"jwk": rsaJWK}), claims, byHS256(rsaKey().N.Bytes())), unsafe},
		"HS256 with a key it brings": {forged(header("HS256", object{"jwk": object{"kty": "oct", "k": "c2VjcmV0"}}), claims,
			byHS256([]byte("secret"))), unsafe},
		"ES256 with a secret":   {forged(header("ES256", object{"jwk": object{"kty": "oct", "k": "c2VjcmV0"}}), claims, byES256(ecKey())), unsafe},
		"private key":           {forged(header("ES256", object{"jwk": jwkOf(ecKey(), nil)}), claims, byES256(ecKey())), unsafe},
		"private RSA key":       {forged(header("RS256", object{"jwk": jwkOf(rsaKey(), nil)}), claims, byRS256(rsaKey())), unsafe},
		"no jwk":                {forged(header("ES256", object{"jwk": nil}), claims, byES256(ecKey())), "The header of the DPoP proof has no jwk."},
		"jwk is null":           {forged(`{"alg":"ES256","typ":"dpop+jwt","jwk":null}`, claims, byES256(ecKey())), "The header of the DPoP proof has no jwk."},
		"jwk of another key":    {forged(header("ES256", nil), claims, byES256(otherEC())), not},
		"jwk for another alg":   {forged(header("ES256", object{"jwk": jwkOf(ecKey().Public(), object{"alg": "ES384"})}), claims, byES256(ecKey())), "The jwk of the DPoP proof is for another alg."},
		"RS256 with an EC key":  {forged(header("RS256", nil), claims, byRS256(rsaKey())), not},
		"ES256 with an RSA key": {forged(header("ES256", object{"jwk": rsaJWK}), claims, byES256(ecKey())), not},
		"P-384":                 {forged(header("ES256", object{"jwk": jwkOf(p384Key().Public(), nil)}), claims, byES384(p384Key())), "The jwk of the DPoP proof is on another curve than P-256."},
		"ES384":                 {forged(header("ES384", object{"jwk": jwkOf(p384Key().Public(), nil)}), claims, byES384(p384Key())), unsafe},
		"weak RSA key":          {forged(header("RS256", object{"jwk": object{"kty": "RSA", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(rsaKey().N.Bytes()[:128])}}), claims, unsigned), "The jwk of the DPoP proof is an RSA key of 1024 bits; at least 2048 are needed."},
		"huge RSA key":          {forged(header("RS256", object{"jwk": object{"kty": "RSA", "e": "AQAB", "n": strings.Repeat("_", 684)}}), claims, unsigned), unsafe},
		"not a point":           {forged(header("ES256", object{"jwk": object{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}), claims, byES256(ecKey())), unsafe},
		"typ JWT":               {forged(header("ES256", object{"typ": "JWT"}), claims, byES256(ecKey())), "The typ of the DPoP proof is not dpop+jwt."},
		"no typ":                {forged(header("ES256", object{"typ": nil}), claims, byES256(ecKey())), "The typ of the DPoP proof is not dpop+jwt."},
		"critical extension":    {forged(header("ES256", object{"crit": []string{"b64"}, "b64": true}), claims, byES256(ecKey())), unsafe},
		"zero signature":        {forged(header("ES256", nil), claims, func(string) string { return strings.Repeat("\x00", 64) }), not},
		"claim twice":           {forged(header("ES256", nil), `{"htm":"GET",`+claims[1:], byES256(ecKey())), "The claims of the DPoP proof are not a JSON object with each member once, in the types of RFC 9449."},
		"too long":              {forged(header("ES256", object{"x": strings.Repeat("x", 4<<10)}), claims, byES256(ecKey())), unsafe},
	}
	good := forged(header("ES256", nil), claims, byES256(ecKey()))
	if _, err := ParseDPoP(good, wantProof(noon)); err != nil {
		t.Fatal(err)
	}
	for name, token := range respelled(good) {
		vectors[name] = vector{token, unsafe}
	}
	for _, name := range []string{"no signature", "signature cut short", "signature by halves", "signature too long", "payload left out"} {
		vectors[name] = vector{vectors[name].token, not} // well-formed
	}
	for name, tc := range vectors {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDPoP(tc.token, wantProof(noon))
			wantRefusal(t, err, oauth.InvalidDPoPProof, tc.want, "")
		})
	}
}

func TestSameTarget(t *testing.T) {
	const called = "https://lodge.example/oauth2/token"
	for name, tc := range map[string]struct {
		htu, called string
		want        bool
	}{
		"the same":                    {called, called, true},
		"query":                       {called + "?a=b", called, true},
		"empty query":                 {called + "?", called, true},
		"fragment":                    {called + "#a", called, true},
		"query of the request":        {called, called + "?a=b", true},
		"case of scheme and host":     {"HTTPS://Lodge.EXAMPLE/oauth2/token", called, true},
		"default port":                {"https://lodge.example:443/oauth2/token", called, true},
		"empty port":                  {"https://lodge.example:/oauth2/token", called, true},
		"default port of http":        {"http://localhost:80/oauth2/token", "http://localhost/oauth2/token", true},
		"same port":                   {"http://LOCALHOST:8080/oauth2/token", "http://localhost:8080/oauth2/token", true},
		"IPv6":                        {"http://[::1]:80/t", "http://[::1]/t", true},
		"escape not needed":           {"https://lodge.example/oauth2/%74oken", called, true},
		"case of an escape":           {"https://lodge.example/a%c3%a9", "https://lodge.example/a%C3%A9", true},
		"dot segments":                {"https://lodge.example/x/../oauth2/./token", called, true},
		"escaped dot segments":        {"https://lodge.example/x/%2e%2E/oauth2/token", called, true},
		"empty path":                  {"https://lodge.example", "https://lodge.example/", true},
		"empty path and query":        {"https://lodge.example?x", "https://lodge.example/", true},
		"case of the path":            {"https://lodge.example/oauth2/Token", called, false},
		"slash at the end":            {called + "/", called, false},
		"slash twice":                 {"https://lodge.example//oauth2/token", called, false},
		"escaped slash":               {"https://lodge.example/oauth2%2Ftoken", called, false},
		"escaped twice":               {"https://lodge.example/oauth2/%2574oken", called, false},
		"another scheme":              {"http://lodge.example/oauth2/token", called, false},
		"other scheme's default port": {"https://lodge.example:80/oauth2/token", called, false},
		"another host":                {"https://lodge.example.evil/oauth2/token", called, false},
		"dot behind the host":         {"https://lodge.example./oauth2/token", called, false},
		"host in front":               {"https://evil.example/https://lodge.example/oauth2/token", called, false},
		"user":                        {"https://lodge.example@evil.example/oauth2/token", called, false},
		"user at the right host":      {"https://evil@lodge.example/oauth2/token", called, false},
		"backslash":                   {`https://lodge.example\oauth2\token`, called, false},
		"path only":                   {"/oauth2/token", called, false},
		"no scheme":                   {"//lodge.example/oauth2/token", called, false},
		"opaque":                      {"https:lodge.example/oauth2/token", called, false},
		"malformed escape":            {"https://lodge.example/oauth2/%7token", called, false},
		"zero byte":                   {called + "\x00", called, false},
		"blank":                       {" " + called, called, false},
		"empty":                       {"", called, false},
		"both malformed":              {"%", "%zz", false},
	} {
		if got := sameTarget(tc.htu, tc.called); got != tc.want {
			t.Errorf("%s: sameTarget(%q, %q) = %v", name, tc.htu, tc.called, got)
		}
	}
}

// A proof is taken only for the host and method it names, and only as it was made.
func FuzzParseDPoP(f *testing.F) {
	genuine := dpop(f, jose.ES256, ecKey(), proofWith(nil))
	f.Add(uint16(0), "", "POST", tokenURL, int64(0))
	f.Add(uint16(200), "A", "GET", "https://lodge.example:443/x/../oauth2/%74oken?q#f", int64(60))
	f.Add(uint16(400), "\n", "post", "https://lodge.example@evil.example/oauth2/token", int64(-61))
	f.Fuzz(func(t *testing.T, at uint16, with, htm, htu string, off int64) {
		if changed := replace(genuine, int(at), with); changed != genuine {
			if got, err := ParseDPoP(changed, wantProof(noon)); err == nil {
				t.Fatalf("%q, made of %q, taken as %+v", changed, genuine, got)
			}
		}
		off %= 200
		claims := text(proofWith(object{"htm": htm, "htu": htu, "iat": noon.Unix() + off}))
		got, err := ParseDPoP(forged(text(object{"alg": "ES256", "typ": "dpop+jwt", "jwk": jwkOf(ecKey().Public(), nil)}), claims, byES256(ecKey())), wantProof(noon))
		if err != nil {
			if err.Code != oauth.InvalidDPoPProof || err.Status() != 400 {
				t.Fatalf("%s: %v", claims, err)
			}
			return
		}
		u, parseErr := url.Parse(htu)
		if parseErr != nil || !strings.EqualFold(u.Scheme, "https") || !strings.EqualFold(u.Hostname(), "lodge.example") || u.User != nil ||
			htm != "POST" || off < -60 || off > 60 || got.IssuedAt.Unix() != noon.Unix()+off {
			t.Fatalf("%s taken as %+v", claims, got)
		}
	})
}
