package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

// popup makes an authorization request as login.js does for a page of the origin.
func popup(w *sim.World, app *sim.Application, origin string, pairs ...string) string {
	return app.AuthorizeURL(sim.Amazon, append([]string{
		"redirect_uri", registry.RelayURL(w.Issuer, origin), "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256",
	}, pairs...)...)
}

// TestPopup: sign-up, consent and answer in a popup of a page of an Allowed Origin,
// which then exchanges the code without a secret.
func TestPopup(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	app.AllowOrigins(pageOrigin)
	b := w.NewBrowser()
	page := b.Open(popup(w, app, pageOrigin))
	openerKept(t, page)
	page = page.Follow("Create an account")
	openerKept(t, page)
	page = page.Press("Create your account", "Name", "Ada", "Email", "ada@example.org", "Password", sim.Password)
	openerKept(t, page)
	if text := page.Text(); !strings.Contains(text, "www.example.com") || strings.Contains(text, "localhost:8080") {
		t.Errorf("the consent page does not say where the answer goes:\n%s", text)
	}
	page = page.Press("Allow")
	openerKept(t, page)
	q := page.URL.Query()
	if page.Status != http.StatusOK || page.URL.Path != registry.RelayPath || q.Get("origin") != pageOrigin || q.Get("state") != "s t&a=te" || q.Get("code") == "" {
		t.Fatalf("%d at %s", page.Status, page.URL)
	}
	if !strings.Contains(page.Body, `data-relay="`+pageOrigin+`"`) || strings.Contains(page.Body, q.Get("code")) {
		t.Errorf("the relay page:\n%s", page.Body)
	}
	exchange := app.RedeemForm(q.Get("code"), "redirect_uri", registry.RelayURL(w.Issuer, pageOrigin), "client_secret", sim.Omit, "code_verifier", sim.Verifier)
	got := w.Post("/auth/o2/token", exchange, "Origin", pageOrigin)
	if got.Status != http.StatusOK || got.Text("refresh_token") != "" || reads(t, "exchange", got) != pageOrigin {
		t.Fatalf("%v %v", got, got.Header)
	}
	profile := w.Get("/ap/user/profile", "Authorization", "Bearer "+got.Text("access_token"), "Origin", pageOrigin)
	if !strings.Contains(profile.Body, `"Name":"Ada"`) || reads(t, "profile", profile) != pageOrigin {
		t.Errorf("%v", profile)
	}
	// Signed in and known: straight to the relay page, as an answer or as an error.
	openerKept(t, b.Open(popup(w, app, pageOrigin)))
	page = b.Open(popup(w, app, pageOrigin, "scope", "admin"))
	openerKept(t, page)
	if page.URL.Path != registry.RelayPath || page.URL.Query().Get("error") != "invalid_scope" {
		t.Errorf("an error came back to %s", page.URL)
	}
	standard := app.AuthorizeURL(sim.Standard, "redirect_uri", registry.RelayURL(w.Issuer, pageOrigin), "response_mode", "form_post",
		"code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256")
	page = b.Open(standard)
	if page.URL.Path != registry.RelayPath || page.Status != http.StatusOK || page.URL.Query().Get("error") != "invalid_request" {
		t.Errorf("a form came back to %s", page.URL)
	}
	app.Set(func(s *registry.Settings) { s.Implicit = true })
	page = b.Open(popup(w, app, pageOrigin, "response_type", "token"))
	if page.URL.Path != registry.RelayPath || !strings.Contains(page.URL.Fragment, "access_token=Atza") {
		t.Errorf("a token came back to %s", page.URL)
	}
}

// openerKept: one page or redirect with another policy would sever the windows for good.
func openerKept(t *testing.T, page *sim.Page) {
	t.Helper()
	if got := page.Header.Get("Cross-Origin-Opener-Policy"); got != "unsafe-none" {
		t.Errorf("%s: Cross-Origin-Opener-Policy %q", page.URL, got)
	}
}

// TestOpenerPolicy: what did not begin in a popup keeps to itself.
func TestOpenerPolicy(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	app.AllowOrigins(pageOrigin)
	user := w.Developer("Ada Lovelace")
	fresh := w.NewBrowser()
	for name, page := range map[string]*sim.Page{
		"authorize": w.NewBrowser().Open(app.AuthorizeURL(sim.Amazon)), "consent": user.Open(app.AuthorizeURL(sim.Amazon)),
		"console": user.Open("/console"), "account": user.Open("/account"), "sign-in": fresh.Open("/sign-in"), "sign-up": fresh.Open("/sign-up"),
		"console by a link":   fresh.Open("/sign-in?continue=/console%3Fpopup%3D1%26"),
		"account by a link":   user.Open("/account?popup=1&redirect_uri=" + url.QueryEscape(registry.RelayURL(w.Issuer, pageOrigin))),
		"console with marker": user.Open("/console?popup=1&request=x"),
		"other's return URL":  user.Open(app.AuthorizeURL(sim.Amazon, "redirect_uri", "https://evil.example/sdk/relay?origin=x")),
	} {
		if got := page.Header.Get("Cross-Origin-Opener-Policy"); got != "same-origin" {
			t.Errorf("%s: Cross-Origin-Opener-Policy %q", name, got)
		}
	}
	// Each redirect of a popup's way counts as much as its pages.
	response, err := w.Client().Get(w.Issuer + popup(w, app, pageOrigin))
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get("Cross-Origin-Opener-Policy"); response.StatusCode != http.StatusSeeOther || got != "unsafe-none" {
		t.Errorf("redirect to sign-in: %d, %q", response.StatusCode, got)
	}
	page := w.NewBrowser().Open(popup(w, app, pageOrigin))
	page = page.Press("Sign in", "Email", "nobody@example.org", "Password", "a wrong password")
	openerKept(t, page)
}

// TestRefusedOrigin: the page names the origin and says where to add it; the owner
// finds it in the console as well.
func TestRefusedOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(t)
		owner := w.Developer("Grace Hopper")
		app := owner.NewApplication("https://app.example/return")
		app.AllowOrigins(pageOrigin)
		const refused = "http://localhost:3000"
		page := w.NewBrowser().Open(popup(w, app, refused))
		openerKept(t, page) // the window stays the application's, which learns when it is closed
		if text := page.Text(); page.Status != http.StatusBadRequest || page.Title() != "This page’s origin is not allowed" ||
			!strings.Contains(text, refused) || strings.Contains(text, pageOrigin) || !strings.Contains(text, "Allowed Origins") {
			t.Errorf("%d %s", page.Status, text)
		}
		page = owner.Open(popup(w, app, refused))
		if text := page.Text(); !strings.Contains(text, "The nearest that is allowed") || !strings.Contains(text, "s://www.example.com") {
			t.Errorf("the owner reads %s", text)
		}
		form := page.Follow("Edit Allowed Origins")
		if !strings.Contains(form.Body, `value="`+refused+`"`) || !strings.Contains(form.Text(), "not saved yet") {
			t.Errorf("the form is not filled in: %s", form.Text())
		}
		time.Sleep(2 * time.Second)
		all, err := w.Store.Refusals(t.Context(), app.Profile.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 1 || all[0].Code != audit.OriginNotAllowed || all[0].Sent != refused || all[0].Nearest != pageOrigin || all[0].Count != 2 {
			t.Errorf("%+v", all)
		}
		activity := owner.Open("/console/profiles/" + app.Profile.Application.String() + "/activity")
		if text := activity.Text(); !strings.Contains(text, "://localhost:3000") || !strings.Contains(text, "Add the origin that was sent") {
			t.Errorf("Activity: %s", text)
		}
		app.AllowOrigins(pageOrigin, refused)
		if text := owner.Open(activity.URL.Path).Text(); !strings.Contains(text, "Allowed now") {
			t.Errorf("Activity after it was allowed: %s", text)
		}
	})
}

// TestRelayAttacks tries to have an answer told to somebody else.
func TestRelayAttacks(t *testing.T) {
	w := sim.New(t)
	app, evil := w.NewApplication(), w.NewApplication()
	app.AllowOrigins(pageOrigin)
	evil.AllowOrigins("https://evil.example")
	user := w.SignUp("Ada Lovelace")
	if page := user.Open(popup(w, app, pageOrigin)).Press("Allow"); page.URL.Query().Get("code") == "" {
		t.Fatalf("%s", page.URL)
	}
	relay := registry.RelayURL(w.Issuer, pageOrigin)
	nothing := func(t *testing.T, page *sim.Page) {
		t.Helper()
		if page.Status != http.StatusBadRequest || page.URL.Query().Has("code") || strings.Contains(page.Body, "data-relay") || strings.Contains(page.Body, `action="http`) {
			t.Errorf("%d at %s:\n%s", page.Status, page.URL, page.Text())
		}
	}
	t.Run("foreign origin", func(t *testing.T) { // of another application, and of nobody
		for _, origin := range []string{
			"https://evil.example", "https://other.example", "http://www.example.com", pageOrigin + ":8443", "https://WWW.example.com",
			"https://a.www.example.com", "https://example.com", pageOrigin + "/", pageOrigin + ".evil.example", "https://www.example.com@evil.example", "*", "/", "",
		} {
			nothing(t, user.Open(popup(w, app, origin)))
		}
	})
	t.Run("opaque origin", func(t *testing.T) {
		app.AllowOrigins(pageOrigin, "null") // as no form lets it through
		nothing(t, user.Open(popup(w, app, "null")))
		if page := user.Open("/sdk/relay?origin=null&code=x&state=y"); page.Status != http.StatusBadRequest || strings.Contains(page.Body, "data-relay") {
			t.Errorf("%d %s", page.Status, page.Text())
		}
	})
	t.Run("open redirector", func(t *testing.T) {
		for _, to := range []string{
			relay + "&origin=https%3A%2F%2Fevil.example", relay + "#https://evil.example", relay + "&next=https://evil.example", w.Issuer + "/sdk/relay?origin=https%3A%2F%2Fevil.example&origin=" + url.QueryEscape(pageOrigin),
			w.Issuer + "/sdk/relay", w.Issuer + "/sdk/relay/../../evil?origin=" + url.QueryEscape(pageOrigin), w.Issuer + "/sdk/relay%3Forigin=https://evil.example",
			strings.Replace(relay, "http://", "https://", 1), strings.Replace(relay, "localhost", "LOCALHOST", 1), strings.Replace(relay, "//", "//evil.example@", 1), strings.ToLower(relay) + " ",
		} {
			nothing(t, user.Open(popup(w, app, "", "redirect_uri", to)))
		}
	})
	t.Run("relay as a return URL", func(t *testing.T) { // the rule of origins does not give way to that of return URLs
		sly := evil.Sibling(registry.RelayURL(w.Issuer, "https://other.example"))
		nothing(t, user.Open(popup(w, sly, "https://other.example")))
	})
	t.Run("script in the address", func(t *testing.T) {
		const script = `"><script>alert(1)</script>`
		for _, q := range []url.Values{
			{"origin": {pageOrigin}, "code": {script}, "state": {script}, "error": {script}, "error_description": {script}, script: {script}},
			{"origin": {pageOrigin + script}}, {"origin": {"javascript:alert(1)"}}, {"origin": {script}}, {"origin": {"https://nobody.example"}}, {"origin": {pageOrigin, script}},
		} {
			page := user.Open("/sdk/relay?" + q.Encode())
			if strings.Contains(page.Body, "alert(1)") {
				t.Errorf("%v is in the page:\n%s", q, page.Body)
			}
			if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
				t.Errorf("the policy is %q", csp)
			}
			if told := strings.Contains(page.Body, "data-relay"); told != (q.Get("origin") == pageOrigin && len(q["origin"]) == 1) {
				t.Errorf("%v: tells somebody: %v (%d)", q, told, page.Status)
			}
		}
	})
	t.Run("code of another page", func(t *testing.T) { // bound to the relay address, and so to the origin
		app.AllowOrigins(pageOrigin, "https://second.example")
		code := user.Open(popup(w, app, pageOrigin)).URL.Query().Get("code")
		form := app.RedeemForm(code, "redirect_uri", registry.RelayURL(w.Issuer, "https://second.example"), "client_secret", sim.Omit, "code_verifier", sim.Verifier)
		refused(t, "exchange", w.Post("/auth/o2/token", form, "Origin", "https://second.example"), "invalid_grant")
	})
	t.Run("origin taken off the list meanwhile", func(t *testing.T) {
		app.AllowOrigins(pageOrigin)
		late := w.SignUp("Grace Hopper")
		page := late.Open(popup(w, app, pageOrigin))
		app.AllowOrigins("https://elsewhere.example")
		nothing(t, page.Press("Allow"))
	})
}

// TestRelayTakesOneSpelling: login.js writes the address by encodeURIComponent, and the
// server by net/url.
func TestRelayTakesOneSpelling(t *testing.T) {
	var got []string
	for _, origin := range []string{"https://www.example.com", "http://localhost:3000", "http://[::1]:3000", "https://xn--bcher-kva.example"} {
		got = append(got, registry.RelayURL("https://id.example", origin))
	}
	want := []string{ // of encodeURIComponent
		"https://id.example/sdk/relay?origin=https%3A%2F%2Fwww.example.com", "https://id.example/sdk/relay?origin=http%3A%2F%2Flocalhost%3A3000",
		"https://id.example/sdk/relay?origin=http%3A%2F%2F%5B%3A%3A1%5D%3A3000", "https://id.example/sdk/relay?origin=https%3A%2F%2Fxn--bcher-kva.example",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
