package provider_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

// signedBy makes the application's ID tokens be signed by an algorithm.
func signedBy(alg string) func(*registry.Settings) {
	return func(s *registry.Settings) { s.IDTokenAlg = alg }
}

// TestRelyingParty has github.com/coreos/go-oidc as an independent judge: it knows
// the issuer alone, and verifies ID tokens by what the metadata says.
func TestRelyingParty(t *testing.T) {
	w := sim.New(t)
	for _, alg := range registry.IDTokenAlgs() {
		t.Run(alg, func(t *testing.T) {
			app := w.NewApplication()
			app.Set(signedBy(alg))
			rp := w.NewRelyingParty(app, "profile", "email", "address")
			user := w.SignUp("Ada Lovelace")
			before := time.Now().Add(-time.Second)
			got := rp.SignIn(user)
			if header := headerOf(t, got.RawID); header["alg"] != alg || header["typ"] != "JWT" || header["kid"] == "" {
				t.Errorf("header %v", header)
			}
			names := slices.Sorted(maps.Keys(got.Claims))
			if want := []string{"acr", "amr", "at_hash", "aud", "auth_time", "email", "email_verified", "exp", "iat", "iss", "name", "nonce", "sub", "updated_at"}; !slices.Equal(names, want) {
				t.Errorf("claims %v, want %v: what the scopes release, as UserInfo does", names, want)
			}
			authTime := time.Unix(int64(got.Claims["auth_time"].(float64)), 0)
			if authTime.Before(before.Truncate(time.Second).Add(-time.Minute)) || authTime.After(time.Now()) {
				t.Errorf("auth_time %v", authTime)
			}
			if left := got.ID.Expiry.Sub(got.ID.IssuedAt); left != time.Hour {
				t.Errorf("good for %v", left)
			}
			want := map[string]any{
				"sub": got.ID.Subject, "name": "Ada Lovelace", "updated_at": got.Profile["updated_at"], "email": user.Email, "email_verified": true,
			}
			if diff := cmp.Diff(want, got.Profile); diff != "" { // no postal code was entered
				t.Errorf("UserInfo (-want +got)\n%s", diff)
			}
			if info := w.TokenInfo(got.Token.AccessToken); info.Text("user_id") != got.ID.Subject {
				t.Errorf("tokeninfo says %v, the ID token %s", info, got.ID.Subject)
			}
			// Another's ID token is nobody else's.
			if _, err := w.NewRelyingParty(w.NewApplication()).Verify(got.RawID); err == nil {
				t.Error("another relying party takes the ID token for its own")
			}
		})
	}
}

func headerOf(t *testing.T, jwt string) map[string]string {
	t.Helper()
	first, _, _ := strings.Cut(jwt, ".")
	var header map[string]string
	if err := json.Unmarshal(decode(t, first), &header); err != nil {
		t.Fatal(err)
	}
	return header
}

// TestSubjectIsPairwise: applications of one developer account know a user by one
// name, those of another by another (Core section 8.1).
func TestSubjectIsPairwise(t *testing.T) {
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	app := w.NewApplication()
	sub := func(a *sim.Application) string { return w.NewRelyingParty(a).SignIn(user).ID.Subject }
	one, sibling, other := sub(app), sub(app.Sibling("https://sibling.example/return")), sub(w.NewApplication())
	if one != sibling || one == other || one == "" {
		t.Errorf("sub %s, of the same developer %s, of another %s", one, sibling, other)
	}
	if again := sub(app); again != one {
		t.Errorf("sub %s, and then %s", one, again)
	}
}

// TestRefreshGivesAnIDToken, for the same user and without the nonce (Core section 12.2).
func TestRefreshGivesAnIDToken(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		rp := w.NewRelyingParty(w.NewApplication(), "profile")
		first := rp.SignIn(w.SignUp("Ada Lovelace"))
		time.Sleep(2 * time.Hour)
		token, err := rp.Config.TokenSource(rp.Context(), first.Token).Token()
		if err != nil {
			t.Fatal(err)
		}
		second := sim.SignedIn{Token: token}
		if err := rp.Read(&second); err != nil {
			t.Fatal(err)
		}
		if second.ID.Subject != first.ID.Subject || second.ID.Issuer != first.ID.Issuer || !slices.Equal(second.ID.Audience, first.ID.Audience) {
			t.Errorf("of another: %v, before %v", second.Claims, first.Claims)
		}
		if _, there := second.Claims["nonce"]; there {
			t.Errorf("there is a nonce: %v", second.Claims)
		}
		// Clients that require auth_time require it here too.
		if at := second.Claims["auth_time"]; at == nil || at != first.Claims["auth_time"] {
			t.Errorf("auth_time %v, at first %v", at, first.Claims["auth_time"])
		}
		if iat := second.ID.IssuedAt; !iat.Equal(time.Now().Truncate(time.Second)) {
			t.Errorf("issued at %v", iat)
		}
		// Who asks for less than openid gets no ID token.
		less := rp.Refresh(sim.Standard, token.RefreshToken, "scope", "profile")
		if less.Status != http.StatusOK || strings.Contains(less.Body, "id_token") {
			t.Errorf("without openid: %v", less)
		}
	})
}

// TestNoIDTokenUnasked: whoever leaves openid out speaks OAuth alone (Core section 3.1.2.1).
func TestNoIDTokenUnasked(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for path, d := range dialects {
		got := app.Redeem(d, user.Code(app, d, "nonce", "n"))
		if got.Status != http.StatusOK || strings.Contains(got.Body, "id_token") {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// TestLongestNonce: what is taken at the authorization endpoint comes back whole,
// and the code stays within its 1,024 characters.
func TestLongestNonce(t *testing.T) {
	w := sim.New(t)
	rp := w.NewRelyingParty(w.NewApplication())
	user := w.SignUp("Ada Lovelace")
	for _, nonce := range []string{strings.Repeat("n", 512), strings.Repeat("é", 256), strings.Repeat(`"`, 512), " ", "0"} {
		code := user.Code(rp.Application, sim.Standard, "scope", "openid", "nonce", nonce)
		if len(code) > 1024 {
			t.Errorf("a code of %d characters", len(code))
		}
		id, err := rp.Verify(rp.Redeem(sim.Standard, code).Text("id_token"))
		if err != nil || id.Nonce != nonce {
			t.Errorf("nonce %q: %+v, %v", nonce, id, err)
		}
	}
	if back := user.Authorize(rp.Application, sim.Standard, "scope", "openid", "nonce", strings.Repeat("n", 513)); back.Get("error") != "invalid_request" {
		t.Errorf("too long: %v", back)
	}
}

// TestPromptsOfRelyingParty: when a user is asked, and when not (Core section 3.1.2.1).
func TestPromptsOfRelyingParty(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		rp := w.NewRelyingParty(w.NewApplication(), "profile")
		user := w.SignUp("Ada Lovelace")
		ask := func(b *sim.Browser, pairs ...string) url.Values {
			t.Helper()
			page := b.Open(rp.StartURL(pairs...))
			back, ok := rp.Received(page)
			if !ok {
				t.Fatalf("%v: stays at %s (%d)", pairs, page.URL, page.Status)
			}
			if back.Get("iss") != w.Issuer || back.Get("state") != "the state" {
				t.Errorf("%v: %v", pairs, back)
			}
			return back
		}
		signIn := func(pairs ...string) sim.SignedIn {
			t.Helper()
			page := user.Open(rp.StartURL(pairs...))
			if !page.Has("Sign in") {
				t.Fatalf("%v: not asked to sign in but at %s (%d)", pairs, page.URL, page.Status)
			}
			page = page.Press("Sign in", "Email", user.Email, "Password", sim.Password)
			back, _ := rp.Received(page)
			got, err := rp.Finish(back)
			if err != nil {
				t.Fatalf("%v: %v at %s", pairs, err, page.URL)
			}
			if now := float64(time.Now().Unix()); got.Claims["auth_time"] != now {
				t.Errorf("%v: auth_time %v, and the password was given at %v", pairs, got.Claims["auth_time"], now)
			}
			return got
		}
		if got := ask(w.NewBrowser(), "prompt", "none").Get("error"); got != "login_required" {
			t.Errorf("prompt=none, nobody signed in: %q", got)
		}
		if got := ask(user.Browser, "prompt", "none").Get("error"); got != "consent_required" {
			t.Errorf("prompt=none, never asked: %q", got)
		}
		first := rp.SignIn(user)
		time.Sleep(time.Minute)
		silent, err := rp.Finish(ask(user.Browser, "prompt", "none"))
		if err != nil || silent.Claims["auth_time"] != first.Claims["auth_time"] || silent.ID.Subject != first.ID.Subject {
			t.Errorf("prompt=none: %v, %v; the first was %v", silent.Claims, err, first.Claims)
		}
		if got := ask(user.Browser, "prompt", "none", "max_age", "59").Get("error"); got != "login_required" {
			t.Errorf("prompt=none, max_age gone by: %q", got)
		}
		if _, err := rp.Finish(ask(user.Browser, "max_age", "60")); err != nil {
			t.Errorf("max_age not gone by: %v", err)
		}
		signIn("max_age", "59")
		time.Sleep(time.Second)
		signIn("max_age", "0")
		time.Sleep(time.Second)
		signIn("prompt", "login")
		for _, prompt := range []string{"consent", "select_account"} {
			page := user.Open(rp.StartURL("prompt", prompt))
			if !page.Has("Allow") {
				t.Fatalf("prompt=%s: not asked but at %s", prompt, page.URL)
			}
			back, _ := rp.Received(page.Press("Allow"))
			if _, err := rp.Finish(back); err != nil {
				t.Errorf("prompt=%s: %v", prompt, err)
			}
		}
		for _, wrong := range [][]string{{"prompt", "none login"}, {"max_age", "-1"}, {"max_age", "1.5"}} {
			if got := ask(user.Browser, wrong...).Get("error"); got != "invalid_request" {
				t.Errorf("%v: %q", wrong, got)
			}
		}
	})
}

// TestRequestObjectsRefused: an OpenID Connect request that says more in a request
// object is not answered as if it did not (Core sections 6.1 and 6.2).
func TestRequestObjectsRefused(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for name, want := range map[string]string{"request": "request_not_supported", "request_uri": "request_uri_not_supported"} {
		for path, d := range dialects {
			if back := user.Authorize(app, d, "scope", "openid", name, "https://app.example/object"); back.Get("error") != want || back.Get("state") == "" {
				t.Errorf("%s %s: %v, want %s", path, name, back, want)
			}
		}
	}
}

// TestUserInfo: who may ask, and how (Core section 5.3, RFC 6750).
func TestUserInfo(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	token := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid profile")).Text("access_token")
	amazon := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon, "scope", "openid")).Text("access_token")
	plain := app.Redeem(sim.Standard, user.Code(app, sim.Standard)).Text("access_token")
	own := w.Post("/oauth2/token", clientCredentials(app)).Text("access_token")
	const path = "/oauth2/userinfo"
	bearer := func(text string) []string { return []string{"Authorization", "Bearer " + text} }
	tests := []struct {
		name      string
		got       sim.Answer
		status    int
		challenge string
	}{
		{"GET", w.Get(path, bearer(token)...), 200, ""},
		{"POST with header", w.Do(w.Request(http.MethodPost, path, nil, bearer(token)...)), 200, ""},
		{"POST with form", w.Post(path, url.Values{"access_token": {token}}), 200, ""},
		{"token of the other path", w.Get(path, bearer(amazon)...), 200, ""},
		{"no token", w.Get(path), 401, "Bearer"},
		{"in the address", w.Get(path + "?access_token=" + url.QueryEscape(token)), 401, "Bearer"},
		{"twice", w.Post(path, url.Values{"access_token": {token}}, bearer(token)...), 400, "invalid_request"},
		{"invented", w.Get(path, bearer("gl_at_invented")...), 401, "invalid_token"},
		{"changed", w.Get(path, bearer(flip(token))...), 401, "invalid_token"},
		{"without openid", w.Get(path, bearer(plain)...), 403, "insufficient_scope"},
		{"of the application alone", w.Get(path, bearer(own)...), 403, "insufficient_scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			challenge := tt.got.Header.Get("WWW-Authenticate")
			if tt.got.Status != tt.status || (tt.challenge == "") != (challenge == "") || !strings.Contains(challenge, tt.challenge) {
				t.Errorf("%v, WWW-Authenticate %q", tt.got, challenge)
			}
			if tt.challenge == "Bearer" && (challenge != "Bearer" || tt.got.Body != "") { // RFC 6750 section 3.1
				t.Errorf("no token was sent, and yet: %s %s", challenge, tt.got.Body)
			}
			if tt.status == http.StatusOK && (tt.got.Text("sub") == "" || tt.got.Header.Get("Cache-Control") != "no-store") {
				t.Errorf("%v", tt.got)
			}
		})
	}
	user.Open("/account/applications").Press("Remove")
	if got := w.Get(path, bearer(token)...); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_token" {
		t.Errorf("after Remove: %v", got)
	}
}

// TestMixUp: each answer of the standard path names its issuer, errors too (RFC 9207
// section 2), and those of Login with Amazon, whose clients compare addresses, do not.
func TestMixUp(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for path, d := range dialects {
		want := ""
		if d == oauth.Standard {
			want = w.Issuer
		}
		for name, pairs := range map[string][]string{"code": nil, "error": {"scope", "unknown"}, "prompt": {"prompt", "none", "scope", "email"}} {
			if back := user.Authorize(app, d, pairs...); back.Get("iss") != want || back.Has("iss") != (want != "") {
				t.Errorf("%s, %s: %v", path, name, back)
			}
		}
	}
}

// TestForgedIDTokens: the library refuses what was not signed here as it stands,
// so that a relying party can tell (CVE-2022-23540).
func TestForgedIDTokens(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	rp := w.NewRelyingParty(app)
	raw := rp.SignIn(w.SignUp("Ada Lovelace")).RawID
	parts := strings.Split(raw, ".")
	if _, err := rp.Verify(parts[0] + "." + parts[1] + "."); err == nil {
		t.Error("without signature")
	}
	if _, err := rp.Verify(flip(parts[0]+"."+parts[1]+"."+parts[2][:1]) + parts[2][1:]); err == nil {
		t.Error("with another signature")
	}
	other := sim.NewWith(t, sim.Options{Issuer: "http://localhost:9090"})
	if _, err := oidc.NewProvider(oidc.ClientContext(t.Context(), other.Client()), w.Issuer); err == nil {
		t.Error("another server answers for the issuer")
	}
	// It is no access token here, nor anything else.
	refused(t, "ID token as access token", w.TokenInfo(raw), "invalid_token")
	refused(t, "ID token as refresh token", app.Refresh(sim.Standard, raw), "invalid_grant")
	refused(t, "ID token as code", app.Redeem(sim.Standard, raw), "invalid_grant")
}
