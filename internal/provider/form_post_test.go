package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/sim"
)

// TestFormPost: the answer is posted to the return URL, errors too (OAuth 2.0 Form
// Post Response Mode section 2).
func TestFormPost(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication("https://app.example/cb?a=1&b=%2F")
	w.Host("app.example", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	rp := w.NewRelyingParty(app)
	ada := w.SignUp("Ada Lovelace")
	const state = `"><script>alert(1)</script>&<é`
	page := ada.Open(app.AuthorizeURL(sim.Standard, "response_mode", "form_post", "state", state)).Press("Allow")
	if page.Status != http.StatusOK || !page.Has("Continue") || strings.Contains(page.Body, "<script>alert") || !strings.Contains(page.Body, "app.example") {
		t.Fatalf("%d at %s:\n%s", page.Status, page.URL, page.Body)
	}
	if got := page.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	policy := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self';") || !strings.Contains(policy, "form-action 'self' ") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	after := page.Press("Continue")
	back, ok := app.Received(after)
	if !ok || after.URL.String() != app.ReturnURL || back.Get("code") == "" || back.Get("state") != state || back.Get("iss") != w.Issuer || back.Get("scope") != "profile" {
		t.Errorf("%v at %s", back, after.URL)
	}
	if got := app.Redeem(sim.Standard, back.Get("code")); got.Status != http.StatusOK {
		t.Error(got)
	}
	if got := rp.SignIn(ada, "response_mode", "form_post"); got.ID.Subject == "" {
		t.Error("no ID token")
	}
	for want, pairs := range map[string][]string{
		"consent_required": {"prompt", "none", "scope", "postal_code"},
		"invalid_scope":    {"scope", "unknown"},
		"invalid_request":  {"max_age", "x"},
	} {
		pairs = append(pairs, "response_mode", "form_post")
		page := ada.Open(app.AuthorizeURL(sim.Standard, pairs...))
		back, ok := app.Received(page.GoOn())
		if !ok || page.Status != http.StatusOK || back.Get("error") != want || back.Get("state") != "s t&a=te" || back.Get("error_description") == "" || back.Get("iss") != w.Issuer {
			t.Errorf("%v: %v at %s", pairs, back, page.URL)
		}
	}
	page = ada.Open(app.AuthorizeURL(sim.Standard, "response_mode", "form_post", "prompt", "consent")).Press("Cancel")
	if back, ok := app.Received(page.GoOn()); !ok || back.Get("error") != "access_denied" {
		t.Errorf("cancelled: %v at %s", back, page.URL)
	}
	// Login with Amazon does not know the parameter.
	if page := ada.Open(app.AuthorizeURL(sim.Amazon, "response_mode", "form_post")); page.URL.Host != "app.example" || page.URL.Query().Get("code") == "" {
		t.Errorf("Login with Amazon: %d at %s", page.Status, page.URL)
	}
}

// TestFormPostToOwnScheme: no browser posts to an app, so it is said instead.
func TestFormPostToOwnScheme(t *testing.T) {
	w := sim.New(t)
	app := nativeApplication(w, "com.example.app:/cb")
	ada := w.SignUp("Ada Lovelace")
	page := ada.Open(app.AuthorizeURL(sim.Standard, append([]string{"response_mode", "form_post"}, publicAsk...)...))
	back, ok := app.Received(page)
	if !ok || back.Get("error") != "invalid_request" || back.Get("state") != "s t&a=te" {
		t.Errorf("%v at %s", back, page.URL)
	}
	w.View.Flush(t.Context())
	refusals, err := w.Store.Refusals(t.Context(), app.Profile.ID)
	if err != nil || len(refusals) != 1 || !strings.Contains(refusals[0].Words, "own scheme") {
		t.Errorf("%+v, %v", refusals, err)
	}
}
