package provider_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/provider"
	"gatelodge/internal/sim"
)

// TestRegistrationAttacks tries what others were broken with.
func TestRegistrationAttacks(t *testing.T) {
	w := ownScopesWorld(t, sim.Options{Registration: provider.RegistrationOpen})
	user := w.SignUp("Ada Lovelace")
	app := map[string]any{"redirect_uris": []string{"https://evil.example/cb"}, "client_name": "Video Report Downloader"}
	with := func(name string, value any) map[string]any {
		return map[string]any{"redirect_uris": app["redirect_uris"], name: value}
	}
	t.Run("CVE-2026-101062", func(t *testing.T) { // open registration without consent
		evil := w.Registered(w.Register("", app))
		for _, d := range []string{"/ap/oa", "/oauth2/authorize"} {
			address := d + strings.TrimPrefix(evil.AuthorizeURL(sim.Amazon, "scope", "profile:user_id"), "/ap/oa")
			page := user.Open(address)
			if _, left := evil.Received(page); left || !page.Has("Allow") || !strings.Contains(page.Text(), "Nobody has checked") {
				t.Errorf("%s goes on unasked to %s", d, page.URL)
			}
			if back, _ := evil.Received(user.Open(address + "&prompt=none")); back.Get("code") != "" {
				t.Errorf("%s: prompt=none gives a code", d)
			}
		}
	})
	t.Run("CVE-2026-61466", func(t *testing.T) { // scopes that a client gives itself
		if got := w.Register("", with("scope", "admin:reports")); got.Status != http.StatusBadRequest {
			t.Errorf("%v", got)
		}
		got := w.Register("", with("scope", "openid admin:reports reports:read"))
		if got.Text("scope") != "openid" {
			t.Errorf("scope %q", got.Text("scope"))
		}
		evil := w.Registered(got)
		for _, scope := range []string{"admin:reports", "reports:read", "email", "openid profile"} {
			if back := user.Authorize(evil, sim.Standard, "scope", scope); back.Get("error") != "invalid_scope" {
				t.Errorf("asks for %s: %v", scope, back)
			}
		}
	})
	t.Run("CVE-2026-75866", func(t *testing.T) { // registered, answered, and not enforced
		evil := w.Registered(w.Register("", with("grant_types", []string{"authorization_code"})))
		for _, grant := range []string{"client_credentials", "urn:ietf:params:oauth:grant-type:device_code"} {
			got := w.Post("/oauth2/token", clientCredentials(evil, "grant_type", grant, "device_code", "x"))
			if got.Text("error") != "unauthorized_client" {
				t.Errorf("%s: %v", grant, got)
			}
		}
		back, _ := evil.Received(user.Open(evil.AuthorizeURL(sim.Amazon, "response_type", "token")))
		if back.Get("error") != "unauthorized_client" || back.Has("access_token") {
			t.Errorf("implicit: %v", back)
		}
		// It registered with a secret: PKCE does not stand in for it.
		code := user.Code(evil, sim.Standard, publicAsk...)
		if got := evil.Redeem(sim.Standard, code, publicRedeem...); got.Text("error") != "invalid_client" {
			t.Errorf("without the secret: %v", got)
		}
		if got := evil.Redeem(sim.Standard, code, "code_verifier", sim.Verifier); got.Status != http.StatusOK {
			t.Errorf("with the secret: %v", got)
		}
		for _, grant := range []string{"client_credentials", "urn:ietf:params:oauth:grant-type:device_code"} {
			if got := w.Register("", with("grant_types", []string{grant})); got.Status != http.StatusBadRequest {
				t.Errorf("an unknown one registers for %s: %v", grant, got)
			}
		}
	})
	t.Run("secret of a public client", func(t *testing.T) {
		evil := w.Registered(w.Register("", with("token_endpoint_auth_method", "none")))
		if evil.Secret != "" || len(evil.Profile.Secrets) != 0 {
			t.Error("it has a secret")
		}
		if got := w.Post("/oauth2/introspect", url.Values{"client_id": {evil.ID}, "client_secret": {"x"}, "token": {"x"}}); got.Text("error") != "invalid_client" {
			t.Errorf("%v", got)
		}
	})
}

// TestRegistrationLimits: so many from one address, by a count that restarts do not forget.
func TestRegistrationLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openWorld(t)
		app := map[string]any{"redirect_uris": []string{"https://app.example/cb"}}
		register := func() int {
			t.Helper()
			got := w.Register("", app)
			if got.Status == http.StatusTooManyRequests && (got.Header.Get("Retry-After") == "" || got.Text("error") != "temporarily_unavailable") {
				t.Errorf("%v %v", got, got.Header)
			}
			return got.Status
		}
		for i := range 10 {
			if got := register(); got != http.StatusCreated {
				t.Fatalf("%d: status %d", i, got)
			}
		}
		if got := register(); got != http.StatusTooManyRequests {
			t.Errorf("the eleventh: status %d", got)
		}
		if got := w.Register("", map[string]any{}); got.Status != http.StatusBadRequest {
			t.Errorf("a wrong one is told why: %v", got)
		}
		if got := w.Register(w.NewApplication().InitialToken(1), app); got.Status != http.StatusCreated {
			t.Errorf("with a token: %v", got)
		}
		time.Sleep(6 * time.Minute)
		if got := register(); got != http.StatusCreated {
			t.Errorf("six minutes later: status %d", got)
		}
	})
}

// TestRegisteredLogo: drawn anew and served here; the application's server is asked
// once and never by a user.
func TestRegisteredLogo(t *testing.T) {
	canvas := image.NewRGBA(image.Rect(0, 0, 900, 300))
	canvas.Set(1, 1, color.White)
	var picture bytes.Buffer
	if err := png.Encode(&picture, canvas); err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/logo.png":
			_, _ = w.Write(picture.Bytes())
		case "/logo.svg":
			_, _ = w.Write([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`))
		case "/elsewhere":
			http.Redirect(w, r, "/logo.png", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	w := openWorld(t)
	register := func(path string) sim.Answer {
		return w.Register("", map[string]any{"redirect_uris": []string{"https://app.example/cb"}, "logo_uri": server.URL + path})
	}
	got := register("/logo.png")
	logo := got.Text("logo_uri")
	if !strings.HasPrefix(logo, w.Issuer+"/logos/") || asked != 1 {
		t.Fatalf("%v, asked %d times", got, asked)
	}
	served := w.Get(strings.TrimPrefix(logo, w.Issuer))
	if c, err := png.DecodeConfig(strings.NewReader(served.Body)); err != nil || c.Width != 512 || served.Body == picture.String() {
		t.Errorf("served %v, %+v, %v", served.Header, c, err)
	}
	page := w.SignUp("Ada Lovelace").Open(w.Registered(got).AuthorizeURL(sim.Standard, publicAsk...))
	if strings.Contains(page.Body, server.URL) || asked != 1 {
		t.Error("the consent page has the application's own address")
	}
	for _, path := range []string{"/logo.svg", "/elsewhere", "/none"} {
		if got := register(path); got.Status != http.StatusCreated || strings.Contains(got.Body, "logo_uri") {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// FuzzRegistration: whatever is sent is refused in words or makes an application;
// and what the answer says is in force can be registered again to the same answer.
func FuzzRegistration(f *testing.F) {
	w, _, token := tokenWorld(f)
	for _, body := range []string{
		`{"redirect_uris":["https://app.example/cb"]}`,
		`{"redirect_uris":["com.example.app:/cb"],"application_type":"native","client_name":"App"}`,
		`{"redirect_uris":["http://127.0.0.1/cb","http://[::1]:80/"],"token_endpoint_auth_method":"none","scope":"openid  email"}`,
		`{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://a.example/k","id_token_signed_response_alg":"ES256"}`,
		`{"grant_types":["client_credentials"],"client_name":" x "}`,
		`{"grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"policy_uri":" https://a.example/p "}`,
		`{"redirect_uris":["https://a.example/"],"post_logout_redirect_uris":["https://a.example/bye"],"backchannel_logout_uri":"https://a.example/out","dpop_bound_access_tokens":true,"require_pushed_authorization_requests":true}`,
		`{"a":1,"a":2}`, `[]`, `{"jwks":{}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "logo") {
			t.Skip("no requests to the network")
		}
		w.Use(t)
		got := w.RegisterText(token, body)
		switch got.Status {
		case http.StatusBadRequest:
			if code := got.Text("error"); code != "invalid_client_metadata" && code != "invalid_redirect_uri" && code != "invalid_software_statement" || got.Text("error_description") == "" {
				t.Fatalf("%v", got)
			}
		case http.StatusCreated:
			members := inForce(t, got)
			if again := inForce(t, w.Register(token, members)); !cmp.Equal(again, members) {
				t.Fatalf("registered again: %s", cmp.Diff(members, again))
			}
		default:
			t.Fatalf("%v", got)
		}
	})
}
