package guard_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/guard"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

const apiURL = "https://api.example/v1"

// wire counts what a guard asks the server, and can be cut.
type wire struct {
	next http.RoundTripper

	mu   sync.Mutex
	seen map[string]int
	// silent paths get no answer, as through a proxy that drops packets.
	silent map[string]bool
	down   bool
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.seen[r.URL.Path]++
	silent, down := w.silent[r.URL.Path], w.down
	w.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	if silent {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return w.next.RoundTrip(r)
}

func (w *wire) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[path]
}

func (w *wire) set(change func(*wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// scene is an API behind a guard, an application and its user.
type scene struct {
	*sim.World
	t     *testing.T
	api   *sim.Application
	app   *sim.Application
	user  *sim.Person
	wire  *wire
	guard *guard.Guard
}

// inScene runs test in virtual time, the guard following the endings if follow.
func inScene(t *testing.T, format registry.TokenFormat, follow func(s *scene), test func(t *testing.T, s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(t)
		s := &scene{World: w, t: t, api: w.NewApplication(), app: w.NewApplication(), user: w.SignUp("Ada Lovelace")}
		s.api.BecomeAPI(apiURL)
		s.api.Set(func(n *registry.Settings) { n.TokenFormat = format })
		for _, name := range []string{"reports:read", "reports:write"} {
			w.NewScope(registry.Scope{Name: name, Essential: true, WithoutUser: true, Audience: s.api.Profile.ID})
		}
		s.wire = &wire{next: w.Client().Transport, seen: map[string]int{}, silent: map[string]bool{}}
		var err error
		s.guard, err = guard.New(guard.Options{
			Issuer: w.Issuer, Audience: apiURL, ClientID: s.api.ID, ClientSecret: s.api.Secret, URL: apiURL,
			Client: &http.Client{Transport: s.wire, Timeout: time.Minute}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		if follow != nil {
			follow(s)
			wg.Go(func() { s.guard.Run(ctx) })
			time.Sleep(5 * time.Second)
		}
		test(t, s)
	})
}

func (s *scene) token(scope string) string {
	s.t.Helper()
	got := s.app.Redeem(sim.Standard, s.user.Code(s.app, sim.Standard, "scope", scope))
	if got.Status != http.StatusOK {
		s.t.Fatal(got)
	}
	return got.Text("access_token")
}

// call asks the API for what needs reports:read.
func (s *scene) call(headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/reports?page=2", nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	s.guard.Require("reports:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := guard.From(r.Context())
		if !ok {
			s.t.Error("no principal")
		}
		json.NewEncoder(w).Encode(map[string]any{"sub": p.Subject, "client": p.ClientID, "scopes": p.Scopes, "user": p.User()})
	})).ServeHTTP(recorder, r)
	return recorder
}

func (s *scene) with(token string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.call("Authorization", "Bearer "+token)
}

func following(*scene) {}

// TestRequire: who is let in, and what the others hear (RFC 6750 section 3).
func TestRequire(t *testing.T) {
	inScene(t, registry.Opaque, nil, func(t *testing.T, s *scene) {
		good := s.token("profile reports:read")
		own := s.Post("/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"reports:read"}, "client_id": {s.app.ID}, "client_secret": {s.app.Secret}}).Text("access_token")
		for name, tc := range map[string]struct {
			headers   []string
			status    int
			challenge string
		}{
			"no token":           {nil, 401, "Bearer"},
			"another scheme":     {[]string{"Authorization", "Basic YTpi"}, 401, "Bearer"},
			"two headers":        {[]string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, 400, `Bearer error="invalid_request"`},
			"no such token":      {[]string{"Authorization", "Bearer gl_at_AAAA"}, 401, `Bearer error="invalid_token"`},
			"nothing":            {[]string{"Authorization", "Bearer "}, 401, `Bearer error="invalid_token"`},
			"quotation mark":     {[]string{"Authorization", `Bearer a"b`}, 401, `Bearer error="invalid_token"`},
			"good":               {[]string{"Authorization", "bearer " + good}, 200, ""},
			"application alone":  {[]string{"Authorization", "Bearer " + own}, 200, ""},
			"less scope":         {[]string{"Authorization", "Bearer " + s.token("reports:write")}, 403, `Bearer error="insufficient_scope", error_description="The access token lacks a scope that this needs", scope="reports:read"`},
			"not for this API":   {[]string{"Authorization", "Bearer " + s.token("profile")}, 401, `Bearer error="invalid_token"`},
			"the API's own user": {[]string{"Authorization", "Bearer " + s.api.Redeem(sim.Standard, s.user.Code(s.api, sim.Standard)).Text("access_token")}, 401, `Bearer error="invalid_token"`},
		} {
			got := s.call(tc.headers...)
			challenge := got.Header().Get("WWW-Authenticate")
			if got.Code != tc.status || tc.challenge == "" && challenge != "" || !strings.HasPrefix(challenge, tc.challenge) {
				t.Errorf("%s: %d, %s", name, got.Code, challenge)
			}
			if tc.status != 200 && !strings.Contains(got.Body.String(), `"error":"`) {
				t.Errorf("%s: %s", name, got.Body)
			}
		}
		sub := s.TokenInfo(s.api.Redeem(sim.Standard, s.user.Code(s.api, sim.Standard)).Text("access_token")).Text("user_id")
		if got := s.with(good).Body.String(); !strings.Contains(got, `"sub":"`+sub+`"`) || !strings.Contains(got, `"scopes":["reports:read"]`) || !strings.Contains(got, `"user":true`) {
			t.Errorf("principal %s, want the subject %s", got, sub)
		}
		if got := s.with(own).Body.String(); !strings.Contains(got, `"user":false`) || !strings.Contains(got, `"client":"`+s.app.ID+`"`) {
			t.Errorf("principal of the application: %s", got)
		}
		// Nothing follows the endings, so each request is asked about.
		before := s.wire.count("/oauth2/introspect")
		s.with(good)
		s.with(good)
		if asked := s.wire.count("/oauth2/introspect") - before; asked != 2 {
			t.Errorf("asked %d times about 2 requests", asked)
		}
		s.wire.set(func(w *wire) { w.down = true })
		if got := s.with(good); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
			t.Errorf("the server is down: %d", got.Code)
		}
	})
}

// TestAnswersAreKept: a token is asked about once, and its end is heard of.
func TestAnswersAreKept(t *testing.T) {
	for name, format := range map[string]registry.TokenFormat{"opaque": registry.Opaque, "JWT": registry.JWT} {
		t.Run(name, func(t *testing.T) {
			inScene(t, format, following, func(t *testing.T, s *scene) {
				time.Sleep(time.Minute) // so that the token is younger than what is known
				token := s.token("reports:read")
				for range 5 {
					if got := s.with(token); got.Code != http.StatusOK {
						t.Fatal(got.Code, got.Body)
					}
				}
				want := 1
				if format == registry.JWT {
					want = 0
				}
				if asked := s.wire.count("/oauth2/introspect"); asked != want {
					t.Errorf("asked %d times, want %d", asked, want)
				}
				s.user.Open("/account/applications").Press("Remove")
				time.Sleep(100 * time.Millisecond)
				if got := s.with(token); got.Code != http.StatusUnauthorized {
					t.Errorf("after the consent was removed: %d", got.Code)
				}
				again := s.token("reports:read")
				if got := s.with(again); got.Code != http.StatusOK {
					t.Errorf("allowed again: %d", got.Code)
				}
				time.Sleep(time.Hour)
				if got := s.with(again); got.Code != http.StatusUnauthorized {
					t.Errorf("after an hour: %d", got.Code)
				}
			})
		})
	}
}

// TestSilence: an answer is never older than the bound, though the feed says nothing
// and no connection breaks.
func TestSilence(t *testing.T) {
	for name, format := range map[string]registry.TokenFormat{"opaque": registry.Opaque, "JWT": registry.JWT} {
		t.Run(name, func(t *testing.T) {
			inScene(t, format, following, func(t *testing.T, s *scene) {
				time.Sleep(time.Minute)
				token := s.token("reports:read")
				s.with(token)
				s.wire.set(func(w *wire) { w.silent["/oauth2/changes"] = true })
				time.Sleep(3 * time.Second) // the request that waited was answered
				s.user.Open("/account/applications").Press("Remove")
				time.Sleep(6 * time.Second)
				if got := s.with(token); got.Code != http.StatusUnauthorized {
					t.Errorf("6 s after the consent was removed: %d", got.Code)
				}
				s.wire.set(func(w *wire) { w.down = true })
				if got := s.with(s.token("reports:read")); got.Code != http.StatusServiceUnavailable {
					t.Errorf("nobody can be asked: %d", got.Code)
				}
				// It recovers by itself.
				s.wire.set(func(w *wire) { w.down, w.silent = false, map[string]bool{} })
				time.Sleep(20 * time.Second)
				fresh := s.token("reports:read")
				s.with(fresh)
				before := s.wire.count("/oauth2/introspect")
				if got := s.with(fresh); got.Code != http.StatusOK || s.wire.count("/oauth2/introspect") != before {
					t.Errorf("followed again: %d", got.Code)
				}
			})
		})
	}
}

// TestOldJWT: a JWT that is older than what the guard knows of endings is asked about.
func TestOldJWT(t *testing.T) {
	var token string
	revoked := func(s *scene) {
		token = s.token("reports:read")
		s.Post("/oauth2/revoke", url.Values{"token": {token}, "client_id": {s.app.ID}, "client_secret": {s.app.Secret}})
	}
	inScene(t, registry.JWT, revoked, func(t *testing.T, s *scene) {
		if got := s.with(token); got.Code != http.StatusUnauthorized {
			t.Errorf("a JWT that was revoked before the guard began: %d", got.Code)
		}
	})
}

// TestForgedJWT: what is not signed by the server is not taken, whatever it says.
func TestForgedJWT(t *testing.T) {
	inScene(t, registry.JWT, following, func(t *testing.T, s *scene) {
		time.Sleep(time.Minute)
		token := s.token("reports:write")
		parts := strings.Split(token, ".")
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		wider := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), "reports:write", "reports:read", 1)))
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
		for name, forged := range map[string]string{
			"other claims": parts[0] + "." + wider + "." + parts[2],
			"alg none":     none + "." + wider + ".",
			"ID token":     s.app.Redeem(sim.Standard, s.user.Code(s.app, sim.Standard, "scope", "openid")).Text("id_token"),
		} {
			if got := s.with(forged); got.Code != http.StatusUnauthorized {
				t.Errorf("%s: %d", name, got.Code)
			}
		}
	})
}

// prover makes DPoP proofs with a key of its own.
type prover struct{ key *ecdsa.PrivateKey }

func newProver(t *testing.T) prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return prover{key}
}

func (p prover) proof(t *testing.T, method, address, token string, change map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(token))
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": time.Now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(hash[:])}
	if token == "" {
		delete(claims, "ath")
	}
	for name, value := range change {
		claims[name] = value
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestBoundToken: a token that is bound to a key is nothing without it (RFC 9449
// section 7).
func TestBoundToken(t *testing.T) {
	inScene(t, registry.Opaque, following, func(t *testing.T, s *scene) {
		key, thief := newProver(t), newProver(t)
		form := s.app.RedeemForm(s.user.Code(s.app, sim.Standard, "scope", "reports:read"))
		given := s.Post("/oauth2/token", form, "DPoP", key.proof(t, http.MethodPost, s.Issuer+"/oauth2/token", "", nil))
		token := given.Text("access_token")
		if given.Text("token_type") != "DPoP" {
			t.Fatal(given)
		}
		const target = apiURL + "/reports"
		once := key.proof(t, http.MethodGet, target, token, nil)
		if got := s.call("Authorization", "DPoP "+token, "DPoP", once); got.Code != http.StatusOK {
			t.Fatalf("%d %s", got.Code, got.Header())
		}
		if got := s.call("Authorization", "Bearer "+token); got.Code != http.StatusUnauthorized || !strings.HasPrefix(got.Header().Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("as a bearer token: %d %s", got.Code, got.Header())
		}
		for name, proof := range map[string]string{
			"used before":    once,
			"another key":    thief.proof(t, http.MethodGet, target, token, nil),
			"another method": key.proof(t, http.MethodPost, target, token, nil),
			"another page":   key.proof(t, http.MethodGet, apiURL+"/accounts", token, nil),
			"another host":   key.proof(t, http.MethodGet, "https://evil.example/v1/reports", token, nil),
			"another token":  key.proof(t, http.MethodGet, target, token+"x", nil),
			"old":            key.proof(t, http.MethodGet, target, token, map[string]any{"iat": time.Now().Add(-2 * time.Minute).Unix()}),
			"of the future":  key.proof(t, http.MethodGet, target, token, map[string]any{"iat": time.Now().Add(2 * time.Minute).Unix()}),
			"without a jti":  key.proof(t, http.MethodGet, target, token, map[string]any{"jti": ""}),
			"no JWT":         "x",
		} {
			if got := s.call("Authorization", "DPoP "+token, "DPoP", proof); got.Code != http.StatusUnauthorized || !strings.Contains(got.Header().Get("WWW-Authenticate"), "invalid_dpop_proof") {
				t.Errorf("%s: %d %s", name, got.Code, got.Header())
			}
		}
		if got := s.call("Authorization", "DPoP "+token); got.Code != http.StatusUnauthorized {
			t.Errorf("without a proof: %d", got.Code)
		}
		plain := s.token("reports:read")
		if got := s.call("Authorization", "DPoP "+plain, "DPoP", key.proof(t, http.MethodGet, target, plain, nil)); got.Code != http.StatusUnauthorized {
			t.Errorf("a bearer token with a proof: %d", got.Code)
		}
	})
}

// TestKeyOfTheAPI: an API whose profile authenticates by key asks and follows like others.
func TestKeyOfTheAPI(t *testing.T) {
	inScene(t, registry.Opaque, nil, func(t *testing.T, s *scene) {
		key := s.NewClientKey()
		s.api.UseKey(key)
		var fail error
		var err error
		s.guard, err = guard.New(guard.Options{
			Issuer: s.Issuer, Audience: apiURL, ClientID: s.api.ID, Client: &http.Client{Transport: s.wire}, Logger: slog.New(slog.DiscardHandler),
			Assertion: func(context.Context) (string, error) { return s.api.Assertion(key), fail },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.guard.Run(ctx) })
		defer running.Wait()
		defer cancel()
		time.Sleep(time.Minute)
		token := s.token("reports:read")
		for range 3 {
			if got := s.with(token); got.Code != http.StatusOK {
				t.Fatal(got.Code, got.Body)
			}
		}
		if asked := s.wire.count("/oauth2/introspect"); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		s.user.Open("/account/applications").Press("Remove")
		time.Sleep(100 * time.Millisecond)
		if got := s.with(token); got.Code != http.StatusUnauthorized {
			t.Errorf("after the consent was removed: %d", got.Code)
		}
		fail = errors.New("the key is locked")
		if got := s.with(s.token("reports:read")); got.Code != http.StatusServiceUnavailable {
			t.Errorf("without an assertion: %d", got.Code)
		}
	})
}

// TestNewContext: a handler's test needs no server.
func TestNewContext(t *testing.T) {
	want := guard.Principal{Subject: "u", ClientID: "c", Scopes: []string{"reports:read"}}
	if got, ok := guard.From(guard.NewContext(t.Context(), want)); !ok || got.Subject != "u" || !got.User() {
		t.Errorf("%+v, %v", got, ok)
	}
	if got, ok := guard.From(t.Context()); ok || got.Subject != "" {
		t.Errorf("of nobody: %+v, %v", got, ok)
	}
}

func TestNewRefuses(t *testing.T) {
	good := guard.Options{Issuer: "https://id.example.com", Audience: "a", ClientID: "c", ClientSecret: "s"}
	if _, err := guard.New(good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*guard.Options){
		"no issuer":       func(o *guard.Options) { o.Issuer = "" },
		"a slash":         func(o *guard.Options) { o.Issuer += "/" },
		"another scheme":  func(o *guard.Options) { o.Issuer = "ftp://id.example.com" },
		"no audience":     func(o *guard.Options) { o.Audience = "" },
		"no secret":       func(o *guard.Options) { o.ClientSecret = "" },
		"no client ID":    func(o *guard.Options) { o.ClientID = "" },
		"secret and key":  func(o *guard.Options) { o.Assertion = func(context.Context) (string, error) { return "", nil } },
		"no tokens":       func(o *guard.Options) { o.MaxTokens = -1 },
		"too small bound": func(o *guard.Options) { o.MaxStale = time.Second },
	} {
		o := good
		spoil(&o)
		if _, err := guard.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
