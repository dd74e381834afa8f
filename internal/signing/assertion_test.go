package signing

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/internal/oauth"
)

const (
	clientID = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
	tokenURL = issuer + "/oauth2/token"
)

func wantAssertion(now time.Time) AssertionRequest {
	return AssertionRequest{ClientID: clientID, Audiences: []string{issuer, tokenURL}, Now: now}
}

func clientKeys(t testing.TB, keys ...object) ClientKeys {
	t.Helper()
	parsed, err := ParseJWKS(jwks(keys...))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// claimsWith are good claims with some of them changed; nil takes one out.
func claimsWith(changes object) object {
	claims := object{
		"iss": clientID, "sub": clientID, "aud": issuer, "jti": "once",
		"iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix(),
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func TestVerifyAssertion(t *testing.T) {
	keys := clientKeys(t, jwkOf(ecKey().Public(), object{"kid": "ec"}), jwkOf(rsaKey().Public(), object{"kid": "rsa"}), jwkOf(otherEC().Public(), nil))
	for name, tc := range map[string]struct {
		alg            jose.SignatureAlgorithm
		key            any
		header, change object
		until          time.Duration // after noon
	}{
		"ES256":                      {jose.ES256, ecKey(), object{"kid": "ec"}, nil, 2 * time.Minute},
		"RS256":                      {jose.RS256, rsaKey(), object{"kid": "rsa"}, nil, 2 * time.Minute},
		"PS256":                      {jose.PS256, rsaKey(), object{"kid": "rsa"}, nil, 2 * time.Minute},
		"no kid":                     {jose.ES256, ecKey(), nil, nil, 2 * time.Minute},
		"a key registered without":   {jose.ES256, otherEC(), object{"kid": "anything"}, nil, 2 * time.Minute},
		"typ JWT":                    {jose.ES256, ecKey(), object{"typ": "JWT"}, nil, 2 * time.Minute},
		"typ of the coming standard": {jose.ES256, ecKey(), object{"typ": "client-authentication+jwt"}, nil, 2 * time.Minute},
		"for the token endpoint":     {jose.ES256, ecKey(), nil, object{"aud": tokenURL}, 2 * time.Minute},
		"for both":                   {jose.ES256, ecKey(), nil, object{"aud": []string{issuer, tokenURL}}, 2 * time.Minute},
		"for others too":             {jose.ES256, ecKey(), nil, object{"aud": []string{"https://other.example", issuer}}, 2 * time.Minute},
		"no iat":                     {jose.ES256, ecKey(), nil, object{"iat": nil}, 2 * time.Minute},
		"iat by a fast clock":        {jose.ES256, ecKey(), nil, object{"iat": noon.Add(30 * time.Second).Unix()}, 2 * time.Minute},
		"nbf by a fast clock":        {jose.ES256, ecKey(), nil, object{"nbf": noon.Add(30 * time.Second).Unix()}, 2 * time.Minute},
		"just expired":               {jose.ES256, ecKey(), nil, object{"exp": noon.Add(-29 * time.Second).Unix()}, 31 * time.Second},
		"the longest":                {jose.ES256, ecKey(), nil, object{"exp": noon.Add(time.Hour).Unix()}, time.Hour + time.Minute},
		"a fraction of a second":     {jose.ES256, ecKey(), nil, object{"exp": float64(noon.Unix()) + 60.9}, 2 * time.Minute},
		"an exponent":                {jose.ES256, ecKey(), nil, object{"nbf": 1e9}, 2 * time.Minute},
		"claims not known":           {jose.ES256, ecKey(), nil, object{"scope": []int{1}, "ISS": "x"}, 2 * time.Minute},
		"a certificate's address":    {jose.ES256, ecKey(), object{"x5u": "https://evil.example", "jku": "https://evil.example", "x5t": "AA"}, nil, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			token := signed(t, tc.alg, tc.key, tc.header, claimsWith(tc.change))
			got, err := VerifyAssertion(keys, token, wantAssertion(noon))
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != "once" || !got.CountUntil.Equal(noon.Add(tc.until)) {
				t.Errorf("%+v, want to count it until %v", got, noon.Add(tc.until))
			}
			if id, err := AssertionClient(token); err != nil || id != clientID {
				t.Errorf("AssertionClient = %q, %v", id, err)
			}
		})
	}
}

// The id of an assertion is counted for as long as any replica would take it.
func TestAssertionIsCountedLongEnough(t *testing.T) {
	keys := clientKeys(t, jwkOf(ecKey().Public(), nil))
	token := signed(t, jose.ES256, ecKey(), nil, claimsWith(nil))
	got, err := VerifyAssertion(keys, token, wantAssertion(noon))
	if err != nil {
		t.Fatal(err)
	}
	replica := got.CountUntil.Add(-30 * time.Second) // its clock is late by as much as one may be
	if _, err := VerifyAssertion(keys, token, wantAssertion(replica)); err == nil {
		t.Error("taken by a replica after its id was forgotten")
	}
	if _, err := VerifyAssertion(keys, token, wantAssertion(replica.Add(-time.Second))); err != nil {
		t.Errorf("just before: %v", err)
	}
}

func TestVerifyAssertionClaims(t *testing.T) {
	keys := clientKeys(t, jwkOf(ecKey().Public(), nil))
	const (
		types = "The assertion's claims are not a JSON object with each member once, in the types of RFC 7519."
		both  = "The assertion's iss and sub are not both the client ID."
		aud   = "The assertion's aud is neither the issuer nor the URL of the token endpoint."
		jti   = "The assertion has no jti of 1 to 256 characters."
	)
	for name, tc := range map[string]struct {
		change object
		want   string
	}{
		"no iss":               {object{"iss": nil}, both},
		"no sub":               {object{"sub": nil}, both},
		"neither":              {object{"iss": nil, "sub": nil}, both},
		"another's sub":        {object{"sub": "other"}, both},
		"another client":       {object{"iss": "other", "sub": "other"}, "The assertion's iss and sub are not the client ID."},
		"iss in other case":    {object{"iss": strings.ToUpper(clientID)}, both},
		"iss is a number":      {object{"iss": 1}, types},
		"no aud":               {object{"aud": nil}, aud},
		"empty aud":            {object{"aud": ""}, aud},
		"empty list":           {object{"aud": []string{}}, aud},
		"another's aud":        {object{"aud": "https://other.example"}, aud},
		"aud with a slash":     {object{"aud": issuer + "/"}, aud},
		"aud begins like us":   {object{"aud": issuer + ".evil.example"}, aud},
		"aud in other case":    {object{"aud": "https://LODGE.example"}, aud},
		"aud is an object":     {object{"aud": object{}}, types},
		"aud has a number":     {object{"aud": []any{issuer, 1}}, types},
		"no exp":               {object{"exp": nil}, "The assertion has no exp."},
		"expired":              {object{"exp": noon.Add(-30 * time.Second).Unix()}, "The assertion has expired, or a clock is wrong."},
		"exp of long ago":      {object{"exp": 0}, "The assertion has expired, or a clock is wrong."},
		"exp too far":          {object{"exp": noon.Add(time.Hour + 31*time.Second).Unix()}, "The assertion's exp is more than an hour ahead."},
		"exp in milliseconds":  {object{"exp": noon.Add(time.Minute).UnixMilli()}, types},
		"exp is text":          {object{"exp": "1773489660"}, types},
		"exp is negative":      {object{"exp": -1}, types},
		"exp beyond all":       {object{"exp": 1e300}, types},
		"nbf in the future":    {object{"nbf": noon.Add(31 * time.Second).Unix()}, "The assertion's nbf is in the future, or a clock is wrong."},
		"iat in the future":    {object{"iat": noon.Add(31 * time.Second).Unix()}, "The assertion's iat is in the future, or a clock is wrong."},
		"no jti":               {object{"jti": nil}, jti},
		"empty jti":            {object{"jti": ""}, jti},
		"long jti":             {object{"jti": strings.Repeat("j", 257)}, jti},
		"jti with a zero byte": {object{"jti": "a\x00b"}, jti},
		"jti is a number":      {object{"jti": 7}, types},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := VerifyAssertion(keys, signed(t, jose.ES256, ecKey(), nil, claimsWith(tc.change)), wantAssertion(noon))
			wantRefusal(t, err, oauth.InvalidClient, "Client authentication failed", tc.want)
		})
	}
	for name, payload := range map[string]string{
		"name twice": strings.Replace(text(claimsWith(nil)), `{`, `{"aud":"https://lodge.example",`, 1),
		"array":      `[]`,
		"not JSON":   `iss=` + clientID,
		"not UTF-8":  strings.Replace(text(claimsWith(nil)), "once", "\xff", 1),
		"two values": text(claimsWith(nil)) + `{}`,
	} {
		_, err := VerifyAssertion(keys, forged(`{"alg":"ES256"}`, payload, byES256(ecKey())), wantAssertion(noon))
		t.Run(name, func(t *testing.T) { wantRefusal(t, err, oauth.InvalidClient, "Client authentication failed", types) })
	}
}

func wantRefusal(t *testing.T, err *oauth.Error, code oauth.ErrorCode, description, reason string) {
	t.Helper()
	if err == nil || err.Code != code || err.Description != description || err.Reason != reason {
		t.Errorf("%v; want %s: %s (%s)", err, code, description, reason)
	}
}

func TestVerifyAssertionSignature(t *testing.T) {
	keys := clientKeys(t, jwkOf(ecKey().Public(), object{"kid": "ec"}), jwkOf(rsaKey().Public(), object{"kid": "rsa", "alg": "RS256"}))
	const (
		unsafe = "The assertion is not a compact JWT signed with ES256, RS256 or PS256, without critical extensions."
		not    = "The assertion is not signed by a key of the client, in the algorithm of that key."
	)
	claims := text(claimsWith(nil))
	der := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	header := func(alg string, more object) string {
		h := object{"alg": alg}
		maps.Copy(h, more)
		return text(h)
	}
	evil := jwkOf(otherEC().Public(), object{"kid": "ec"})
	type vector struct{ token, want string }
	vectors := map[string]vector{
		"CVE-2022-23540: none":                   {forged(header("none", nil), claims, unsigned), unsafe},
		"nOnE":                                   {forged(header("nOnE", nil), claims, unsigned), unsafe},
		"empty alg":                              {forged(header("", nil), claims, unsigned), unsafe},
		"no alg":                                 {forged(`{}`, claims, byES256(ecKey())), unsafe},
		"alg is null":                            {forged(`{"alg":null}`, claims, byES256(ecKey())), unsafe},
		"alg is a list":                          {forged(`{"alg":["ES256"]}`, claims, byES256(ecKey())), unsafe},
		"CVE-2022-23541: HS256 with the PEM key": {forged(header("HS256", object{"kid": "rsa"}), claims, byHS256(asPEM)), unsafe},
		"HS256 with the DER key":                 {forged(header("HS256", object{"kid": "rsa"}), claims, byHS256(der)), unsafe},
		"HS256 with the modulus":                 {forged(header("HS256", object{"kid": "rsa"}), claims, byHS256(rsaKey().N.Bytes())), unsafe},
		"HS256 with an empty secret":             {forged(header("HS256", nil), claims, byHS256(nil)), unsafe},
		"ES384":                                  {forged(header("ES384", nil), claims, byES384(p384Key())), unsafe},
		"ES256 by a key on P-384":                {forged(header("ES256", nil), claims, byES384(p384Key())), not},
		"CVE-2022-23539: RS256 with the EC kid":  {forged(header("RS256", object{"kid": "ec"}), claims, byRS256(rsaKey())), not},
		"ES256 with the RSA kid":                 {forged(header("ES256", object{"kid": "rsa"}), claims, byES256(ecKey())), not},
		"PS256 by a key for RS256":               {signed(t, jose.PS256, rsaKey(), nil, claimsWith(nil)), not},
		"another's key":                          {forged(header("ES256", nil), claims, byES256(otherEC())), not},
		"another's key, our kid":                 {forged(header("ES256", object{"kid": "ec"}), claims, byES256(otherEC())), not},
		"kid of nobody":                          {forged(header("ES256", object{"kid": "../../dev/null"}), claims, byES256(ecKey())), not},
		"kid as SQL":                             {forged(header("ES256", object{"kid": "ec' OR '1'='1"}), claims, byES256(ecKey())), not},
		"its own jwk":                            {forged(header("ES256", object{"jwk": evil}), claims, byES256(otherEC())), not},
		"its own jwk and kid":                    {forged(header("ES256", object{"jwk": evil, "kid": "ec"}), claims, byES256(otherEC())), not},
		"its own jku":                            {forged(header("ES256", object{"jku": "https://evil.example/jwks"}), claims, byES256(otherEC())), not},
		"its own x5u":                            {forged(header("ES256", object{"x5u": "https://evil.example/cert"}), claims, byES256(otherEC())), not},
		"its own x5c":                            {forged(header("ES256", object{"x5c": []string{"AAAA"}}), claims, byES256(otherEC())), unsafe},
		"critical extension":                     {forged(header("ES256", object{"crit": []string{"x"}, "x": 1}), claims, byES256(ecKey())), unsafe},
		"critical b64":                           {forged(header("ES256", object{"crit": []string{"b64"}, "b64": false}), claims, byES256(ecKey())), unsafe},
		"empty crit":                             {forged(header("ES256", object{"crit": []string{}}), claims, byES256(ecKey())), unsafe},
		"zero signature":                         {forged(header("ES256", nil), claims, func(string) string { return strings.Repeat("\x00", 64) }), not},
		"signature over something else":          {forged(header("ES256", nil), claims, func(string) string { return byES256(ecKey())("x") }), not},
		"header twice":                           {forged(`{"alg":"ES256","alg":"none"}`, claims, byES256(ecKey())), unsafe},
		"a proof of possession":                  {forged(header("ES256", object{"typ": "dpop+jwt"}), claims, byES256(ecKey())), "The assertion's typ says that it is a JWT for something else."},
		"an access token":                        {forged(header("ES256", object{"typ": "application/at+jwt"}), claims, byES256(ecKey())), "The assertion's typ says that it is a JWT for something else."},
		"too long":                               {forged(header("ES256", object{"x": strings.Repeat("x", 8<<10)}), claims, byES256(ecKey())), unsafe},
		"encrypted":                              {strings.Repeat("AAAA.", 4) + "AAAA", unsafe},
	}
	good := forged(header("ES256", nil), claims, byES256(ecKey()))
	if _, err := VerifyAssertion(keys, good, wantAssertion(noon)); err != nil {
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
			_, err := VerifyAssertion(keys, tc.token, wantAssertion(noon))
			wantRefusal(t, err, oauth.InvalidClient, "Client authentication failed", tc.want)
		})
	}
	if _, err := VerifyAssertion(ClientKeys{}, good, wantAssertion(noon)); err == nil {
		t.Error("taken without any key")
	}
}

// Of all texts near an assertion only the assertion itself is taken, and nothing
// that its client has not signed.
func FuzzVerifyAssertion(f *testing.F) {
	keys := clientKeys(f, jwkOf(ecKey().Public(), nil))
	public := must(x509.MarshalPKIXPublicKey(ecKey().Public()))
	genuine := signed(f, jose.ES256, ecKey(), nil, claimsWith(nil))
	f.Add("", uint16(0), "", `{"alg":"none"}`, "")
	f.Add(genuine, uint16(3), "A", `{"alg":"ES256"}`, text(claimsWith(nil)))
	f.Add("eyJhbGciOiJub25lIn0.e30.", uint16(300), "\n", `{"alg":"HS256","kid":"a"}`, text(claimsWith(object{"aud": []string{issuer}})))
	f.Fuzz(func(t *testing.T, token string, at uint16, with, header, payload string) {
		for name, tc := range map[string]string{
			"made up":        token,
			"unsigned":       forged(header, payload, unsigned),
			"another's":      forged(header, payload, byES256(otherEC())),
			"by HMAC":        forged(header, payload, byHS256(public)),
			"near a genuine": replace(genuine, int(at), with),
		} {
			if tc == genuine {
				continue
			}
			if got, err := VerifyAssertion(keys, tc, wantAssertion(noon)); err == nil {
				t.Fatalf("%s: %q taken as %+v", name, tc, got)
			}
		}
		// What the client has signed is taken only if it says the right things.
		got, err := VerifyAssertion(keys, forged(`{"alg":"ES256"}`, payload, byES256(ecKey())), wantAssertion(noon))
		if err != nil {
			return
		}
		var said struct {
			Issuer  string  `json:"iss"`
			Subject string  `json:"sub"`
			ID      string  `json:"jti"`
			Expires float64 `json:"exp"`
		}
		if err := json.Unmarshal([]byte(payload), &said); err != nil || said.Issuer != clientID || said.Subject != clientID || said.ID != got.ID ||
			said.Expires <= float64(noon.Unix()-30) || said.Expires >= float64(noon.Unix()+3631) || int64(said.Expires)+60 != got.CountUntil.Unix() {
			t.Fatalf("%q taken as %+v", payload, got)
		}
	})
}

// replace writes with over the text from at on.
func replace(text string, at int, with string) string {
	at = min(at, len(text))
	return text[:at] + with + text[min(at+len(with), len(text)):]
}
