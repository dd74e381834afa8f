package portal_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/slate/portal"
)

// TestBackChannelLogout: sessions end with those at Gatelodge, and by nothing else
// (Back-Channel Logout 1.0 section 2.6).
func TestBackChannelLogout(t *testing.T) {
	w := sqlite(t)
	ann := w.person("Ann Archer")
	subject := w.known(ann).Subject
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	known := true // to the key set
	reachable := true
	// Gatelodge as it is, but with one key more, which the test has.
	client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/oauth2/jwks" && !reachable {
			return nil, errors.New("connection refused")
		}
		response, err := w.Client().Transport.RoundTrip(r)
		if err != nil || r.URL.Path != "/oauth2/jwks" || !known {
			return response, err
		}
		var keys jose.JSONWebKeySet
		if err := json.NewDecoder(response.Body).Decode(&keys); err != nil {
			return nil, err
		}
		keys.Keys = append(keys.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"})
		body, err := json.Marshal(keys)
		response.Body = io.NopCloser(bytes.NewReader(body))
		return response, err
	})}
	w.open(client)
	sign := func(key any, algorithm jose.SignatureAlgorithm, claims map[string]any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k").WithType("logout+jwt"))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := token.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	// claims are good ones, changed by pairs of names and values; nil takes one away.
	claims := func(pairs ...any) map[string]any {
		now := w.now().Unix()
		c := map[string]any{
			"iss": w.Issuer, "aud": w.client.ID, "sub": subject, "iat": now, "exp": now + 120, "jti": rand.Text(),
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if c[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
				delete(c, pairs[i].(string))
			}
		}
		return c
	}
	good := func(pairs ...any) string { return sign(key, jose.RS256, claims(pairs...)) }
	send := func(form url.Values) sim.Answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+portal.BackChannelPath, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.Do(r)
	}
	signedIn := func() bool { return ann.Open(address + "/").Has("Sign out") }
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good(), ".")[1] + "."
	now := w.now().Unix()
	for name, token := range map[string]string{
		"nothing":             "",
		"no token":            "x",
		"not signed":          unsigned,
		"a stranger’s key":    sign(stranger, jose.RS256, claims()),
		"Slate’s own secret":  sign([]byte(w.client.Secret), jose.HS256, claims()),
		"another issuer":      good("iss", "https://evil.example"),
		"another audience":    good("aud", w.app.ID),
		"no audience":         good("aud", nil),
		"over":                good("exp", now-1),
		"old":                 good("iat", now-3600),
		"of the future":       good("iat", now+3600, "exp", now+7200),
		"of no time":          good("iat", nil),
		"of nobody":           good("sub", nil),
		"no events":           good("events", nil),
		"another event":       good("events", map[string]any{"https://evil.example/event": map[string]any{}}),
		"an event of text":    good("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": "yes"}),
		"an ID token’s nonce": good("nonce", "n"),
		"no id":               good("jti", nil),
		"an id of a number":   good("jti", 7),
	} {
		if got := send(url.Values{"logout_token": {token}}); got.Status != http.StatusBadRequest || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := send(url.Values{"logout_token": {good(), good()}}); got.Status != http.StatusBadRequest {
		t.Errorf("two tokens: %v", got)
	}
	if got := send(url.Values{"logout_token": {strings.Repeat("a", 20_000)}}); got.Status != http.StatusRequestEntityTooLarge || got.Text("error") == "" {
		t.Errorf("a long one: %v", got)
	}
	if got := send(url.Values{"logout_token": {good("sub", "amzn1.account.SOMEBODYELSE")}}); got.Status != http.StatusOK {
		t.Errorf("somebody whom Slate does not know: %v", got)
	}
	if !signedIn() {
		t.Fatal("signed out by one of these")
	}
	token := good()
	if got := send(url.Values{"logout_token": {token}}); got.Status != http.StatusOK || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a good one: %v", got)
	}
	if signedIn() {
		t.Error("still signed in")
	}
	w.signIn(ann)
	if got := send(url.Values{"logout_token": {token}}); got.Status != http.StatusBadRequest {
		t.Errorf("for the second time: %v", got)
	}
	w.open(client) // another process on the database, or this one after a restart
	if got := send(url.Values{"logout_token": {token}}); got.Status != http.StatusBadRequest {
		t.Errorf("for the third time, elsewhere: %v", got)
	}
	known = false
	w.open(client)
	if got := send(url.Values{"logout_token": {good()}}); got.Status != http.StatusBadRequest {
		t.Errorf("a key that Gatelodge does not have: %v", got)
	}
	reachable = false
	w.open(client)
	if got := send(url.Values{"logout_token": {good()}}); got.Status != http.StatusServiceUnavailable {
		t.Errorf("keys that cannot be read: %v", got)
	}
	if !signedIn() {
		t.Error("signed out by one of the last")
	}
	for range 200 {
		got := send(url.Values{"logout_token": {"x"}})
		if got.Status == http.StatusTooManyRequests {
			if got.Header.Get("Retry-After") != "1" {
				t.Errorf("%v", got.Header)
			}
			return
		}
	}
	t.Error("200 bad tokens, and no end of it")
}

// TestSignedOutAtGatelodge: Gatelodge's own logout token ends the session here, and
// that of the same browser alone.
func TestSignedOutAtGatelodge(t *testing.T) {
	w := sqlite(t)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	w.portal(address, w.Client()).Routes(mux)
	w.client.Set(func(s *registry.Settings) { s.BackChannelLogoutURI = server.URL + portal.BackChannelPath })
	ann := w.person("Ann Archer")
	elsewhere := w.NewBrowser()
	ann.SignIn(elsewhere)
	if !elsewhere.Open(address + "/sign-in").Has("Sign out") {
		t.Fatal("not signed in elsewhere")
	}
	ann.Open("/sign-out").Press("Sign out")
	for deadline := time.Now().Add(10 * time.Second); ann.Open(address + "/").Has("Sign out"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still signed in at Slate")
		}
	}
	if !elsewhere.Open(address + "/").Has("Sign out") {
		t.Error("signed out elsewhere too")
	}
}
