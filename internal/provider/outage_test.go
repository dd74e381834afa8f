package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// TestAuthorizeOutage lets the database go away at each call that a cold server makes for
// an authorization request. With prompt=none nobody sees a page, so the application is
// told as soon as its return URL is known to be good (RFC 6749 section 4.1.2.1). Who
// sits before the browser gets a page with Try again.
func TestAuthorizeOutage(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	keys := t.TempDir() + "/keys"
	w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
	app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
	idToken := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid profile")).Text("id_token")
	var cookies []string
	for _, c := range user.Cookies() {
		cookies = append(cookies, c.String())
	}
	for name, pairs := range map[string][]string{
		"somebody there": nil,
		"nobody there":   {"prompt", "none"},
		"with a hint":    {"prompt", "none", "id_token_hint", idToken},
	} {
		silent, pages, told := pairs != nil, 0, 0
		pairs = append([]string{"scope", "openid profile", "state", "s"}, pairs...)
		for n, done := 1, false; !done; n++ {
			cold := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			browser := cold.NewBrowser()
			browser.Header.Set("Cookie", strings.Join(cookies, "; "))
			cold.DB.Reset()
			cold.DB.FailFrom(n, faultdb.Failed)
			page := browser.Open(app.In(cold).AuthorizeURL(sim.Standard, pairs...))
			cold.DB.Reset()
			back, left := app.Received(page)
			switch {
			case left && back.Get("code") != "": // it went away after that
				done = true
			case left && silent && back.Get("error") == "temporarily_unavailable" && back.Get("state") == "s" && back.Get("iss") == cold.Issuer && back.Get("error_description") != "":
				told++
			case !left && page.Status == http.StatusServiceUnavailable && page.Header.Get("Retry-After") != "" && strings.Contains(page.Body, "Try again"):
				pages++
				if told > 0 {
					t.Errorf("%s, call %d: a page, after the return URL was known", name, n)
				}
			default:
				t.Errorf("%s, call %d: %d at %s", name, n, page.Status, page.URL)
			}
			if n > 100 {
				t.Fatalf("%s: no code", name)
			}
		}
		if pages == 0 || silent && told < 4 || !silent && (told > 0 || pages < 8) {
			t.Errorf("%s: %d pages, and the application was told %d times", name, pages, told)
		}
	}
}

// TestAuthorizeBroken: what trying again does not mend is another error.
func TestAuthorizeBroken(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	w := sim.NewWith(t, sim.Options{Database: cfg})
	app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
	breakTable(t, cfg, "consents")
	breakTable(t, cfg, "grants")
	for prompt, want := range map[string]string{"none": "server_error", "consent": ""} {
		page := user.Open(app.AuthorizeURL(sim.Standard, "prompt", prompt))
		if back, left := app.Received(page); left != (want != "") || back.Get("error") != want {
			t.Errorf("%s: %d at %s, want %q", prompt, page.Status, page.URL, want)
		} else if !left && page.Status != http.StatusInternalServerError {
			t.Errorf("%s: %d, want 500", prompt, page.Status)
		}
	}
}
