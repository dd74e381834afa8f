package provider_test

import (
	"net/http"
	"testing"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/registry"
	"gatelodge/internal/seal"
	"gatelodge/internal/sim"
)

// TestClientCredentials: a token of the application alone (RFC 6749 section 4.4).
func TestClientCredentials(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	got := w.Post("/oauth2/token", clientCredentials(app))
	if got.Status != http.StatusOK || got.Number("expires_in") != 3600 || got.Text("token_type") != "bearer" || len(got.Body) > 512 {
		t.Fatalf("%v", got)
	}
	for _, member := range []string{"refresh_token", "id_token", "scope"} { // section 4.4.3
		if got.Text(member) != "" {
			t.Errorf("there is %s: %v", member, got)
		}
	}
	token := got.Text("access_token")
	if token[:6] != "gl_at_" {
		t.Errorf("token %s", token)
	}
	if info := w.TokenInfo(token); info.Status != http.StatusOK || info.Text("aud") != app.ID || info.Text("user_id") != "" || info.Number("exp") < 3590 {
		t.Errorf("tokeninfo: %v", info)
	}
	if got := w.UserProfile(token); got.Status != http.StatusForbidden || got.Text("error") != "insufficient_scope" {
		t.Errorf("profile: %v", got)
	}
	if got := w.Post("/oauth2/token", clientCredentials(app, "client_id", sim.Omit, "client_secret", sim.Omit), "Authorization", basic(app.ID, app.Secret)); got.Status != http.StatusOK {
		t.Errorf("by Basic: %v", got)
	}
	for path, d := range dialects {
		for _, scope := range []string{"profile", "profile:user_id", "openid", "offline_access", "unknown", "profile unknown"} {
			refused(t, path+" "+scope, w.Post(sim.TokenPath(d), clientCredentials(app, "scope", scope)), "invalid_scope")
		}
		refused(t, path+" without secret", w.Post(sim.TokenPath(d), clientCredentials(app, "client_secret", sim.Omit)), "invalid_client")
	}
	wire{400, "invalid_request", missing + "scope"}.check(t, w.Post("/auth/o2/token", clientCredentials(app)))
	app.Suspend()
	refused(t, "token of a suspended application", w.TokenInfo(token), "invalid_token")
	app.Delete()
	refused(t, "token of a deleted application", w.TokenInfo(token), "invalid_token")
}

// TestAmazonClientToken: on the paths of Login with Amazon the application's own
// token has a prefix of its own, and is good with no other.
func TestAmazonClientToken(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	now := time.Now()
	token := authz.AccessToken{ProfileID: app.Profile.ID, Dialect: sim.Amazon, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	sealed, err := w.View.Keys().Seal(nil, seal.Access, now, token.AppendBinary(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.TokenInfo("Atc|" + string(sealed)); got.Status != http.StatusOK || got.Text("aud") != app.ID || got.Text("user_id") != "" {
		t.Errorf("%v", got)
	}
	for _, prefix := range []string{"Atza|", "gl_at_", "Atzr|", ""} {
		refused(t, prefix, w.TokenInfo(prefix+string(sealed)), "invalid_token")
	}
}

// TestOtherMethods: applications get JSON also for a method that there is not.
func TestOtherMethods(t *testing.T) {
	w := sim.New(t)
	for path, allow := range map[string]string{
		"/oauth2/introspect": "POST", "/oauth2/par": "POST", "/oauth2/revoke": "POST", "/oauth2/userinfo": "GET, POST", "/oauth2/jwks": "GET, HEAD",
		"/.well-known/openid-configuration": "GET, HEAD", "/.well-known/oauth-authorization-server": "GET, HEAD",
	} {
		for _, method := range []string{http.MethodPut, http.MethodDelete, "BREW"} {
			got := w.Do(w.Request(method, path, nil))
			if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != allow || got.Text("error") != "invalid_request" {
				t.Errorf("%s %s: %v, Allow %q", method, path, got, got.Header.Get("Allow"))
			}
		}
	}
}

// TestKinds: what an application is sets what it can do, so that nobody has to know
// the rest (CVE-2026-75866).
func TestKinds(t *testing.T) {
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	for _, kind := range registry.Kinds() {
		t.Run(kind.Name(), func(t *testing.T) {
			app := w.NewApplication()
			given := app.Redeem(sim.Standard, user.Code(app, sim.Standard))
			unused := user.Code(app, sim.Standard)
			app.Become(kind)
			// These never send a user to the authorization endpoint.
			service, device := kind == registry.Service, kind == registry.Device
			for path, d := range dialects {
				back := user.Authorize(app, d, publicAsk...)
				if (service || device) && (back.Get("error") != "unauthorized_client" || back.Get("state") == "") || !service && !device && back.Get("code") == "" {
					t.Errorf("%s, authorization: %v", path, back)
				}
				// Who has no secret needs PKCE, and hears so at once (RFC 7636 section 4.4.1).
				for _, without := range [][]string{nil, {"code_challenge", sim.Verifier, "code_challenge_method", "plain"}} {
					if back := user.Authorize(app, d, without...); kind.Public() && !device && (back.Get("error") != "invalid_request" || back.Has("code")) {
						t.Errorf("%s, without S256 (%v): %v", path, without, back)
					}
				}
			}
			if got := w.Post("/oauth2/token", clientCredentials(app)); kind.Public() {
				refused(t, "client credentials", got, "unauthorized_client")
			} else if got.Status != http.StatusOK {
				t.Errorf("client credentials: %v", got)
			}
			redeemed, refreshed := app.Redeem(sim.Standard, unused), app.Refresh(sim.Standard, given.Text("refresh_token"))
			if service || device {
				refused(t, "code of before", redeemed, "unauthorized_client")
			} else if redeemed.Status != http.StatusOK {
				t.Errorf("code %v", redeemed)
			}
			if service {
				refused(t, "refresh token of before", refreshed, "unauthorized_client")
			} else if refreshed.Status != http.StatusOK {
				t.Errorf("refresh %v", refreshed)
			}
		})
	}
}
