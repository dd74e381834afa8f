package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

// nativeApplication is one that comes back by a scheme of its own or to a port of
// the user's computer.
func nativeApplication(w *sim.World, returnURL string) *sim.Application {
	app := w.NewApplication(returnURL)
	app.Become(registry.Native)
	return app
}

// TestOwnScheme goes through the walk of a native application that the system opens
// by its scheme, without a secret.
func TestOwnScheme(t *testing.T) {
	w := sim.New(t)
	app := nativeApplication(w, "com.example.app:/callback")
	user := w.SignUp("Ada Lovelace")
	page := consentPage(t, user, app, app.AuthorizeURL(sim.Standard, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256"))
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, " com.example.app:") {
		t.Errorf("the browser may not open the application after the form: %s", policy)
	}
	if !strings.Contains(page.Text(), "An app on this device, opened by com.example.app:") {
		t.Errorf("the page does not say where one goes next:\n%s", page.Text())
	}
	back, ok := app.Received(page.Press("Allow"))
	if !ok || back.Get("state") != "s t&a=te" || back.Get("iss") != w.Issuer {
		t.Fatalf("came back to %s", user.Page.URL)
	}
	answer := app.Redeem(sim.Standard, back.Get("code"), "client_secret", sim.Omit, "code_verifier", sim.Verifier)
	if answer.Status != http.StatusOK || answer.Text("refresh_token") == "" {
		t.Fatalf("the exchange: %d %s", answer.Status, answer.Body)
	}
	// RFC 8252 section 8.6: another application may have taken the scheme since.
	consentPage(t, user, app, app.AuthorizeURL(sim.Standard, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256"))
	back, _ = app.Received(user.Open(app.AuthorizeURL(sim.Standard, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256", "prompt", "none", "scope", "openid")))
	if got := back.Get("error"); got != "consent_required" {
		t.Errorf("prompt=none: error %q, want consent_required", got)
	}
}

// TestLoopbackPort: the port is the system's to give (RFC 8252 section 7.3), and the
// exchange is held to the one that was used.
func TestLoopbackPort(t *testing.T) {
	w := sim.New(t)
	app := nativeApplication(w, "http://127.0.0.1/callback")
	user := w.SignUp("Ada Lovelace")
	const sent = "http://127.0.0.1:51004/callback"
	request := app.AuthorizeURL(sim.Standard, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256", "redirect_uri", sent)
	for _, exchanged := range []string{"http://127.0.0.1/callback", "http://127.0.0.1:51005/callback", sent} {
		page := consentPage(t, user, app, request).Press("Allow")
		if !strings.HasPrefix(page.URL.String(), sent+"?code=") {
			t.Fatalf("came back to %s", page.URL)
		}
		answer := app.Redeem(sim.Standard, page.URL.Query().Get("code"), "client_secret", sim.Omit, "code_verifier", sim.Verifier, "redirect_uri", exchanged)
		if (answer.Status == http.StatusOK) != (exchanged == sent) {
			t.Errorf("the exchange with %s: %d %s", exchanged, answer.Status, answer.Body)
		}
	}
	app.Become(registry.Web)
	if page := user.Open(request); page.Status != http.StatusBadRequest {
		t.Errorf("a web application on another port: %d at %s", page.Status, page.URL)
	}
}

// TestNativeRedirectAttacks: the port may differ for a native application, and
// nothing else.
func TestNativeRedirectAttacks(t *testing.T) {
	tests := []struct {
		id, registered string
		sent           []string
	}{
		{"CVE-2020-15233", "http://127.0.0.1:9000/cb?x=1", []string{
			"http://127.0.0.1:9001/evil?x=1", "http://127.0.0.1:9001/cb?x=2", "http://127.0.0.1:9001/cb", "http://localhost:9001/cb?x=1",
			"http://127.0.0.2:9001/cb?x=1", "http://127.1:9001/cb?x=1", "http://evil.example:9001/cb?x=1", "https://127.0.0.1:9001/cb?x=1",
		}},
		{"CVE-2024-8883", "http://localhost:80", []string{"http://localhost:80@evil.example", "http://localhost:8080@evil.example/"}},
		{"CVE-2020-10776", "com.example.app:/cb", []string{"javascript:/cb", "data:/cb", "com.example.app:/cb/../x", "com.example.app://evil.example/cb", "COM.EXAMPLE.APP:/cb"}},
		{"https", "https://localhost", []string{"https://localhost:8443", "http://localhost:8080"}},
	}
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			app := nativeApplication(w, tt.registered)
			for _, d := range dialects {
				for _, sent := range tt.sent {
					page := user.Send(http.MethodGet, app.AuthorizeURL(d, "redirect_uri", sent), nil)
					if page.Status != http.StatusBadRequest || page.Header.Get("Location") != "" {
						t.Errorf("%s: %d to %q", sent, page.Status, page.Header.Get("Location"))
					}
				}
				if page := user.Open(app.AuthorizeURL(d, publicAsk...)); page.Status != http.StatusOK || !page.Has("Allow") {
					t.Errorf("the registered URL: %d at %s", page.Status, page.URL)
				}
			}
		})
	}
}
