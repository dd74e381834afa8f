package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

// TestImplicit: a token in the fragment, for profiles that have it switched on
// (login-with-amazon.md section 5).
func TestImplicit(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")

	back := user.Authorize(app, sim.Amazon, "response_type", "token")
	if back.Get("error") != "unauthorized_client" || back.Get("state") != "s t&a=te" || user.Page.URL.Fragment == "" || user.Page.URL.RawQuery != "" {
		t.Errorf("switched off: %v at %s", back, user.Page.URL)
	}
	app.Set(func(s *registry.Settings) { s.Implicit = true })
	if back := user.Authorize(app, sim.Standard, "response_type", "token"); back.Get("error") != "unsupported_response_type" || user.Page.URL.Fragment != "" {
		t.Errorf("on the standard path: %v at %s", back, user.Page.URL)
	}

	back = user.Authorize(app, sim.Amazon, "response_type", "token", "response_mode", "query")
	token := back.Get("access_token")
	if user.Page.URL.RawQuery != "" || !strings.HasPrefix(token, "Atza|") || back.Get("token_type") != "bearer" || back.Get("expires_in") != "3600" ||
		back.Get("scope") != "profile" || back.Get("state") != "s t&a=te" || back.Has("refresh_token") || back.Has("code") || back.Has("iss") {
		t.Fatalf("%v at %s", back, user.Page.URL)
	}
	if info := w.TokenInfo(token); info.Status != http.StatusOK || info.Text("aud") != app.ID {
		t.Errorf("tokeninfo: %v", info)
	}
	if got := w.UserProfile(token); got.Text("name") != "Ada Lovelace" {
		t.Errorf("profile: %v", got)
	}
	// It is nothing that the token endpoint would take.
	refused(t, "as a refresh token", app.Refresh(sim.Amazon, token), "invalid_grant")
	refused(t, "as a code", app.Redeem(sim.Amazon, token), "invalid_grant")

	cancelled := w.SignUp("Grace Hopper")
	page := cancelled.Open(app.AuthorizeURL(sim.Amazon, "response_type", "token"))
	if back, ok := app.Received(page.Press("Cancel")); !ok || back.Get("error") != "access_denied" || cancelled.Page.URL.RawQuery != "" {
		t.Errorf("cancelled: %v at %s", back, cancelled.Page.URL)
	}
	app.Delete()
	refused(t, "token of a deleted application", w.TokenInfo(token), "invalid_token")
}
