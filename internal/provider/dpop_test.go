package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
)

// proved posts a form to a path with a proof beside it.
func proved(w *sim.World, k *sim.ClientKey, path string, form url.Values, changes ...sim.Claims) sim.Answer {
	return w.Post(path, form, "DPoP", w.Proof(k, http.MethodPost, path, "", changes...))
}

// bound gives tokens that are bound to the key.
func bound(t *testing.T, w *sim.World, app *sim.Application, k *sim.ClientKey, user *sim.Person, pairs ...string) (access, refresh string) {
	t.Helper()
	got := proved(w, k, "/oauth2/token", app.RedeemForm(user.Code(app, sim.Standard, append([]string{"scope", "openid profile"}, pairs...)...)))
	if got.Status != http.StatusOK || got.Text("token_type") != "DPoP" || got.Header.Get("DPoP-Nonce") == "" {
		t.Fatalf("%v, nonce %q", got, got.Header.Get("DPoP-Nonce"))
	}
	return got.Text("access_token"), got.Text("refresh_token")
}

// resources are where access tokens are taken.
var resources = map[string]string{
	"/oauth2/userinfo": "sub", "/user/profile": "user_id", "/ap/user/profile": "Request-Id", "/auth/o2/tokeninfo": "app_id",
}

// present asks a resource with a token and a proof.
func present(w *sim.World, k *sim.ClientKey, path, token string, changes ...sim.Claims) sim.Answer {
	return w.Get(path, "Authorization", "DPoP "+token, "DPoP", w.Proof(k, http.MethodGet, path, token, changes...))
}

// noProof is a resource's refusal of a token that has to be proved (RFC 9449 section 7.1).
func noProof(t *testing.T, what string, got sim.Answer, code string) {
	t.Helper()
	challenge := got.Header.Get("WWW-Authenticate")
	if got.Status != http.StatusUnauthorized || got.Text("error") != code ||
		!strings.HasPrefix(challenge, `DPoP error="`+code+`"`) || !strings.HasSuffix(challenge, `, algs="ES256 RS256 PS256"`) {
		t.Errorf("%s: %v, challenge %q, want %s", what, got, challenge, code)
	}
}

// TestDPoP: tokens that are worth nothing without the key (RFC 9449).
func TestDPoP(t *testing.T) {
	w := sim.New(t)
	app, key := w.NewApplication(), w.NewClientKey()
	user := w.SignUp("Ada Lovelace")
	access, refresh := bound(t, w, app, key, user)
	for path, member := range resources {
		if got := present(w, key, path, access); got.Status != http.StatusOK || got.Text(member) == "" || got.Header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s: %v, nonce %q", path, got, got.Header.Get("DPoP-Nonce"))
		}
	}
	if got := w.Post("/oauth2/userinfo", nil, "Authorization", "DPoP "+access, "DPoP", w.Proof(key, http.MethodPost, "/oauth2/userinfo", access)); got.Text("sub") == "" {
		t.Errorf("UserInfo by POST: %v", got)
	}
	t.Run("introspection", func(t *testing.T) {
		for name, token := range map[string]string{"access token": access, "refresh token": refresh} {
			var got struct {
				Active    bool
				TokenType string               `json:"token_type"`
				Key       struct{ JKT string } `json:"cnf"`
			}
			if err := json.Unmarshal([]byte(introspect(w, app, token).Body), &got); err != nil {
				t.Fatal(err)
			}
			// Section 5: a client with a secret proves itself by that when it refreshes.
			wantType, wantKey := "DPoP", key.Thumbprint()
			if token == refresh {
				wantType, wantKey = "", ""
			}
			if !got.Active || got.TokenType != wantType || got.Key.JKT != wantKey {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
	t.Run("refresh", func(t *testing.T) {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {app.ID}, "client_secret": {app.Secret}}
		next := w.NewClientKey()
		got := proved(w, next, "/oauth2/token", form)
		if got.Text("token_type") != "DPoP" || got.Text("refresh_token") != refresh {
			t.Fatalf("%v", got)
		}
		if got := present(w, next, "/user/profile", got.Text("access_token")); got.Status != http.StatusOK {
			t.Errorf("with its key: %v", got)
		}
		noProof(t, "with the key of before", present(w, key, "/user/profile", got.Text("access_token")), "invalid_token")
		if got := w.Post("/oauth2/token", form); got.Text("token_type") != "bearer" || w.UserProfile(got.Text("access_token")).Status != http.StatusOK {
			t.Errorf("without a proof: %v", got)
		}
	})
	t.Run("client credentials", func(t *testing.T) {
		got := proved(w, key, "/oauth2/token", clientCredentials(app))
		if got.Text("token_type") != "DPoP" || present(w, key, "/auth/o2/tokeninfo", got.Text("access_token")).Status != http.StatusOK {
			t.Errorf("%v", got)
		}
		noProof(t, "as bearer", w.TokenInfo(got.Text("access_token")), "invalid_token")
	})
	t.Run("Login with Amazon", func(t *testing.T) { // in any case of the path
		got := proved(w, key, "/auth/O2/token", app.RedeemForm(user.Code(app, sim.Amazon)))
		token := got.Text("access_token")
		if got.Text("token_type") != "DPoP" || present(w, key, "/auth/O2/tokeninfo", token).Status != http.StatusOK {
			t.Errorf("%v", got)
		}
	})
	t.Run("revocation", func(t *testing.T) { // needs no proof
		access, _ := bound(t, w, app, key, user)
		w.Post("/oauth2/revoke", url.Values{"token": {access}}, "Authorization", basic(app.ID, app.Secret))
		noProof(t, "afterwards", present(w, key, "/user/profile", access), "invalid_token")
	})
	t.Run("a proof beside a bearer token", func(t *testing.T) { // says nothing
		token := app.Redeem(sim.Standard, user.Code(app, sim.Standard)).Text("access_token")
		if got := w.Get("/user/profile", "Authorization", "Bearer "+token, "DPoP", "x"); got.Status != http.StatusOK {
			t.Errorf("%v", got)
		}
	})
	t.Run("scope", func(t *testing.T) {
		got := proved(w, key, "/oauth2/token", app.RedeemForm(user.Code(app, sim.Standard, "scope", "profile")))
		refusal := present(w, key, "/oauth2/userinfo", got.Text("access_token"))
		if refusal.Status != http.StatusForbidden || !strings.HasPrefix(refusal.Header.Get("WWW-Authenticate"), `DPoP error="insufficient_scope"`) {
			t.Errorf("%v", refusal)
		}
	})
}

// TestStolenBoundToken: whoever has the token and not the key has nothing.
func TestStolenBoundToken(t *testing.T) {
	w := sim.New(t)
	app, key, thief := w.NewApplication(), w.NewClientKey(), w.NewClientKey()
	user := w.SignUp("Ada Lovelace")
	access, _ := bound(t, w, app, key, user)
	second, _ := bound(t, w, app, key, user)
	plain := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid profile")).Text("access_token")
	for path := range resources {
		for _, other := range []string{"/oauth2/userinfo", "/user/profile"} {
			if other != path {
				noProof(t, path+" with the proof for another resource", present(w, key, path, access, sim.Claims{"htu": w.Issuer + other}), "invalid_dpop_proof")
			}
		}
		seen := w.Proof(key, http.MethodGet, path, second)
		query := path + "?" + url.Values{"access_token": {access}}.Encode()
		for name, tt := range map[string]struct {
			got  sim.Answer
			code string
		}{
			"by another key":                    {present(w, thief, path, access), "invalid_token"},
			"without a proof":                   {w.Get(path, "Authorization", "DPoP "+access), "invalid_dpop_proof"},
			"with the proof for another token":  {w.Get(path, "Authorization", "DPoP "+access, "DPoP", seen), "invalid_dpop_proof"},
			"without ath":                       {present(w, key, path, access, sim.Claims{"ath": nil}), "invalid_dpop_proof"},
			"for another method":                {present(w, key, path, access, sim.Claims{"htm": "POST"}), "invalid_dpop_proof"},
			"for another server":                {present(w, key, path, access, sim.Claims{"htu": "https://evil.example" + path}), "invalid_dpop_proof"},
			"of two minutes ago":                {present(w, key, path, access, sim.Claims{"iat": time.Now().Unix() - 120}), "use_dpop_nonce"},
			"with an invented nonce":            {present(w, key, path, access, sim.Claims{"nonce": "x"}), "use_dpop_nonce"},
			"a bearer token":                    {present(w, key, path, plain), "invalid_token"},
			"an invented token":                 {present(w, key, path, "gl_at_x"), "invalid_token"},
			"two proofs":                        {w.Get(path, "Authorization", "DPoP "+access, "DPoP", w.Proof(key, "GET", path, access), "DPoP", w.Proof(key, "GET", path, access)), "invalid_dpop_proof"},
			"two proofs in one line":            {w.Get(path, "Authorization", "DPoP "+access, "DPoP", w.Proof(key, "GET", path, access)+", "+w.Proof(key, "GET", path, access)), "invalid_dpop_proof"},
			"not a proof":                       {w.Get(path, "Authorization", "DPoP "+access, "DPoP", "x"), "invalid_dpop_proof"},
			"an assertion of the key as proof":  {w.Get(path, "Authorization", "DPoP "+access, "DPoP", app.Assertion(key)), "invalid_dpop_proof"},
			"the whole proof without signature": {w.Get(path, "Authorization", "DPoP "+access, "DPoP", seen[:strings.LastIndexByte(seen, '.')+1]), "invalid_dpop_proof"},
		} {
			noProof(t, path+" "+name, tt.got, tt.code)
		}
		if path != "/auth/o2/tokeninfo" { // which looks at the query and the scheme DPoP alone
			noProof(t, path+" as a bearer token", w.Get(path, "Authorization", "Bearer "+access), "invalid_token")
			noProof(t, path+" as a bearer token, with a proof", w.Get(path, "Authorization", "Bearer "+access, "DPoP", w.Proof(key, "GET", path, access)), "invalid_token")
		}
		if path != "/oauth2/userinfo" { // which takes none from the address
			noProof(t, path+" in the query", w.Get(query), "invalid_token")
			noProof(t, path+" in the query, with a proof", w.Get(query, "DPoP", w.Proof(key, "GET", path, access)), "invalid_token")
		}
		if path == "/user/profile" {
			noProof(t, path+" in Amazon's header", w.Get(path, "x-amz-access-token", access), "invalid_token")
		}
		refusedRequest(t, path+" in two schemes", w.Get(path, "Authorization", "DPoP "+access, "Authorization", "DPoP "+access))
	}
	// The Host header has no say in what the proof is for.
	r := w.Request(http.MethodGet, "/user/profile", nil, "Authorization", "DPoP "+access, "DPoP",
		w.Proof(key, http.MethodGet, "/user/profile", access, sim.Claims{"htu": "http://evil.example/user/profile"}))
	r.Host = "evil.example"
	noProof(t, "by another Host", w.Do(r), "invalid_dpop_proof")
	wantWords(t, w, app, "An access token that is bound to a key came without a proof. Send it as “Authorization: DPoP”, with a proof beside it.")
	wantWords(t, w, app, "The DPoP proof is by another key than the one that the access token is bound to.")
}

func refusedRequest(t *testing.T, what string, got sim.Answer) {
	t.Helper()
	if got.Status != http.StatusBadRequest || got.Text("error") != "invalid_request" {
		t.Errorf("%s: %v", what, got)
	}
}

// TestNonces: a nonce is taken by every replica for five minutes, and makes up for a
// clock that is wrong (RFC 9449 sections 8 and 9).
func TestNonces(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, key := w.NewApplication(), w.NewClientKey()
		user := w.SignUp("Ada Lovelace")
		yesterday := sim.Claims{"iat": time.Now().Add(-24 * time.Hour).Unix()}
		refusal := proved(w, key, "/oauth2/token", clientCredentials(app), yesterday)
		refused(t, "by a wrong clock", refusal, "use_dpop_nonce")
		nonce := sim.Claims{"nonce": refusal.Header.Get("DPoP-Nonce")}
		given := proved(w, key, "/oauth2/token", app.RedeemForm(user.Code(app, sim.Standard)), yesterday, nonce)
		if given.Text("token_type") != "DPoP" {
			t.Fatalf("with the nonce: %v", given)
		}
		access := given.Text("access_token")
		time.Sleep(5*time.Minute - time.Second)
		if got := present(w, key, "/user/profile", access, yesterday, nonce); got.Status != http.StatusOK {
			t.Errorf("at a resource, five minutes later: %v", got)
		}
		time.Sleep(time.Second)
		refused(t, "after five minutes", proved(w, key, "/oauth2/token", clientCredentials(app), nonce), "use_dpop_nonce")
		noProof(t, "after five minutes, at a resource", present(w, key, "/user/profile", access, nonce), "use_dpop_nonce")
	})
	cfg, keys := sqldb.Config{Path: t.TempDir() + "/gatelodge.db"}, t.TempDir()+"/keys"
	w, replica := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys}), sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
	app, key := w.NewApplication(), w.NewClientKey()
	nonce := proved(w, key, "/oauth2/token", clientCredentials(app)).Header.Get("DPoP-Nonce")
	w.DB.Reset()
	replica.DB.Reset()
	if got := proved(replica, key, "/oauth2/token", clientCredentials(app), sim.Claims{"nonce": nonce, "iat": 1}); got.Status != http.StatusOK {
		t.Errorf("at another replica: %v", got)
	}
	another := sim.New(t)
	foreign := proved(another, key, "/oauth2/token", clientCredentials(another.NewApplication())).Header.Get("DPoP-Nonce")
	refused(t, "another server's nonce", proved(w, key, "/oauth2/token", clientCredentials(app), sim.Claims{"nonce": foreign}), "use_dpop_nonce")
}

// TestRequireDPoP: a profile can refuse tokens that are worth something to a thief, and
// proofs that were made ahead.
func TestRequireDPoP(t *testing.T) {
	w := sim.New(t)
	app, key := w.NewApplication(), w.NewClientKey()
	user := w.SignUp("Ada Lovelace")
	before := app.Redeem(sim.Standard, user.Code(app, sim.Standard)).Text("refresh_token")
	app.Set(func(s *registry.Settings) { s.RequireDPoP, s.Implicit = true, true })
	for path, d := range dialects {
		got := app.Redeem(d, user.Code(app, d))
		refused(t, path, got, "invalid_dpop_proof")
		nonce := got.Header.Get("DPoP-Nonce")
		form := app.RedeemForm(user.Code(app, d))
		refused(t, path+" without the nonce", proved(w, key, sim.TokenPath(d), form), "use_dpop_nonce")
		if got := proved(w, key, sim.TokenPath(d), form, sim.Claims{"nonce": nonce}); got.Text("token_type") != "DPoP" {
			t.Errorf("%s, with the nonce: %v", path, got)
		}
		refused(t, path+" client credentials", w.Post(sim.TokenPath(d), clientCredentials(app)), "invalid_dpop_proof")
		refused(t, path+" refresh", app.Refresh(d, before), "invalid_dpop_proof")
	}
	if back := user.Authorize(app, sim.Amazon, "response_type", "token"); back.Get("error") != "unauthorized_client" || back.Get("access_token") != "" {
		t.Errorf("the implicit grant goes around it: %v", back)
	}
}

// TestCodeIsBoundToKey: dpop_jkt ties the code to the key (RFC 9449 section 10).
func TestCodeIsBoundToKey(t *testing.T) {
	w := sim.New(t)
	app, key, thief := w.NewApplication(), w.NewClientKey(), w.NewClientKey()
	user := w.SignUp("Ada Lovelace")
	code := user.Code(app, sim.Standard, "dpop_jkt", key.Thumbprint())
	refused(t, "without a proof", app.Redeem(sim.Standard, code), "invalid_grant")
	refused(t, "by another key", proved(w, thief, "/oauth2/token", app.RedeemForm(code)), "invalid_grant")
	refused(t, "without a proof, at the other path", app.Redeem(sim.Amazon, code), "invalid_grant")
	if got := proved(w, key, "/oauth2/token", app.RedeemForm(code)); got.Text("token_type") != "DPoP" {
		t.Errorf("by the key: %v", got)
	}
	for _, jkt := range []string{"x", key.Thumbprint() + "A", strings.Repeat("=", 43), strings.Repeat("A", 129)} {
		if back := user.Authorize(app, sim.Standard, "dpop_jkt", jkt); back.Get("error") != "invalid_request" {
			t.Errorf("dpop_jkt %s: %v", jkt, back)
		}
	}
	// Through the pages of sign-in and consent, too.
	fresh := w.NewApplication()
	page := consentPage(t, user, fresh, fresh.AuthorizeURL(sim.Standard, "dpop_jkt", key.Thumbprint())).Press("Allow")
	refused(t, "after consent", fresh.Redeem(sim.Standard, page.URL.Query().Get("code")), "invalid_grant")
}

// TestBoundRotation: the refresh token of an application without a secret is bound to
// its key (RFC 9449 section 5), and a refused try does not use it up.
func TestBoundRotation(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, key, thief := singlePage(w), w.NewClientKey(), w.NewClientKey()
		user := w.SignUp("Ada Lovelace")
		form := app.RedeemForm(user.Code(app, sim.Standard, publicAsk...), publicRedeem...)
		token := proved(w, key, "/oauth2/token", form).Text("refresh_token")
		refresh := func(token string) url.Values {
			return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {app.ID}}
		}
		for range 3 {
			refused(t, "without a proof", w.Post("/oauth2/token", refresh(token)), "invalid_grant")
			refused(t, "by another key", proved(w, thief, "/oauth2/token", refresh(token)), "invalid_grant")
			refused(t, "with the secret, without a proof", app.Refresh(sim.Standard, token), "invalid_grant")
			proof := w.Proof(key, http.MethodPost, "/oauth2/token", "")
			got := w.Post("/oauth2/token", refresh(token), "DPoP", proof)
			if got.Text("token_type") != "DPoP" || present(w, key, "/user/profile", got.Text("access_token")).Status != http.StatusOK {
				t.Fatalf("%v", got)
			}
			// Sent once more as it was, later: the proof is spent, and so nothing ends.
			time.Sleep(time.Minute)
			refused(t, "the same request", w.Post("/oauth2/token", refresh(token), "DPoP", proof), "invalid_dpop_proof")
			token = got.Text("refresh_token")
			if got := introspect(w, app, token); !strings.Contains(got.Body, key.Thumbprint()) {
				t.Errorf("introspection of the refresh token: %v", got)
			}
		}
	})
}

// TestBoundDevice: a device has no secret, so its refresh token is bound to its key
// (RFC 9449 section 5).
func TestBoundDevice(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, key, thief := w.NewApplication(), w.NewClientKey(), w.NewClientKey()
		device, user := app.NewDevice(), w.SignUp("Ada Lovelace")
		start := started(t, device.Start(sim.Standard))
		poll := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {start.Text("device_code")}, "client_id": {device.ID}}
		// A poll that has to wait does not use the proof up.
		proof := w.Proof(key, http.MethodPost, "/oauth2/token", "")
		waits(t, "at once", w.Post("/oauth2/token", poll, "DPoP", proof), "authorization_pending", 5)
		user.EnterCode(start).Press("Allow")
		given := w.Post("/oauth2/token", poll, "DPoP", proof)
		if given.Text("token_type") != "DPoP" || present(w, key, "/user/profile", given.Text("access_token")).Status != http.StatusOK {
			t.Fatalf("%v", given)
		}
		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {given.Text("refresh_token")}, "client_id": {device.ID}}
		refused(t, "without a proof", w.Post("/oauth2/token", refresh), "invalid_grant")
		refused(t, "by another key", proved(w, thief, "/oauth2/token", refresh), "invalid_grant")
		refused(t, "by a proof that was used", w.Post("/oauth2/token", refresh, "DPoP", proof), "invalid_dpop_proof")
		if got := proved(w, key, "/oauth2/token", refresh); got.Text("token_type") != "DPoP" {
			t.Errorf("by its key: %v", got)
		}
	})
}
