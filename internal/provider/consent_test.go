package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/sim"
)

// consentPage opens an authorization request and expects to be asked.
func consentPage(t *testing.T, user *sim.Person, app *sim.Application, address string) *sim.Page {
	t.Helper()
	page := user.Open(address)
	if page.Status != http.StatusOK || !page.Has("Allow") || !page.Has("Cancel") {
		t.Fatalf("not the consent page but %d at %s:\n%s", page.Status, page.URL, page.Text())
	}
	return page
}

func TestConsentPage(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	page := consentPage(t, user, app, app.AuthorizeURL(sim.Amazon, "scope", "profile postal_code"))
	for _, want := range []string{
		"Video Report Downloader", "Company 1", "app-1.example", "Ada Lovelace", user.Email,
		"Privacy notice", "Use another account", "You have not entered one",
	} {
		if !strings.Contains(page.Text(), want) {
			t.Errorf("the page does not say %q:\n%s", want, page.Text())
		}
	}
	if !strings.Contains(page.Body, `href="https://slate.example/privacy"`) {
		t.Error("no link to the privacy notice")
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, " https:") || !strings.Contains(policy, " http://localhost:*") {
		t.Errorf("the browser may not follow the redirect after the form: %s", policy)
	}
	if !strings.Contains(page.Press("Allow").URL.RawQuery, "code=") {
		t.Errorf("Allow leads to %s", user.Page.URL)
	}
}

// TestCancel sends the user back with access_denied and the state.
func TestCancel(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for name, d := range dialects {
		page := consentPage(t, user, app, app.AuthorizeURL(d)).Press("Cancel")
		want := app.ReturnURL + "?error_description=Access%20not%20permitted.&state=s%20t%26a%3Dte&error=access_denied"
		if d == sim.Standard {
			want += "&iss=" + url.QueryEscape(w.Issuer)
		}
		if page.URL.String() != want {
			t.Errorf("%s: Cancel leads to\n%s, want\n%s", name, page.URL, want)
		}
	}
}

// TestAuthorizationResponse: code, state as sent, and the scopes granted.
func TestAuthorizationResponse(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication("https://app.example/return?registered=query")
	w.Host("app.example", http.NotFoundHandler())
	user := w.SignUp("Ada Lovelace")
	state := "a b+c%20&d=é\"<>"
	back := user.Authorize(app, sim.Amazon, "state", state, "scope", "postal_code profile")
	if got := back.Get("state"); got != state {
		t.Errorf("state %q, want %q", got, state)
	}
	if got := back.Get("scope"); got != "postal_code profile" {
		t.Errorf("scope %q", got)
	}
	if got := back.Get("registered"); got != "query" {
		t.Errorf("the query of the return URL is gone: %v", back)
	}
	if back := user.Authorize(app, sim.Amazon, "state", sim.Omit); back.Has("state") {
		t.Errorf("a state that was not sent comes back: %v", back)
	}
}

// TestConsentIsRemembered: who has allowed the same is not asked again; who is
// asked for more is (login-with-amazon.md section 4).
func TestConsentIsRemembered(t *testing.T) {
	w := sim.New(t)
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			app := w.NewApplication()
			user := w.SignUp("Ada Lovelace")
			consentPage(t, user, app, app.AuthorizeURL(d)).Press("Allow")
			if page := user.Open(app.AuthorizeURL(d)); page.URL.Query().Get("code") == "" {
				t.Errorf("asked again: %s", page.URL)
			}
			consentPage(t, user, app, app.AuthorizeURL(d, "scope", "profile postal_code")).Press("Cancel")
			consentPage(t, user, app, app.AuthorizeURL(d, "scope", "profile postal_code")).Press("Allow")
			if page := user.Open(app.AuthorizeURL(d, "scope", "postal_code")); page.URL.Query().Get("code") == "" {
				t.Errorf("asked for less than allowed: %s", page.URL)
			}
			consentPage(t, user, app, app.AuthorizeURL(d, "prompt", "consent"))
		})
	}
}

// TestUserIDScope: /ap/oa never asks for profile:user_id alone, not even the first
// time; the standard path does (contract.md; login-with-amazon.md section 4).
func TestUserIDScope(t *testing.T) {
	w := sim.New(t)
	app, other := w.NewApplication(), w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	consentPage(t, user, app, app.AuthorizeURL(sim.Standard, "scope", "profile:user_id"))
	consentPage(t, user, app, app.AuthorizeURL(sim.Amazon, "scope", "profile:user_id profile"))
	page := user.Open(app.AuthorizeURL(sim.Amazon, "scope", "profile:user_id"))
	code := page.URL.Query().Get("code")
	if code == "" {
		t.Fatalf("asked on /ap/oa: %s", page.URL)
	}
	got := w.UserProfile(app.Redeem(sim.Amazon, code).Text("access_token"))
	if got.Text("user_id") == "" || got.Text("name") != "" {
		t.Errorf("%v", got)
	}
	// The grant can be seen and taken back like any other.
	if page := user.Open("/account/applications"); !strings.Contains(page.Text(), "Video Report Downloader") {
		t.Errorf("not among the connected applications:\n%s", page.Text())
	}
	if back := user.Authorize(other, sim.Amazon, "scope", "profile:user_id", "prompt", "none"); back.Get("code") == "" {
		t.Errorf("prompt=none: %v", back)
	}
}

// TestVoluntaryScopes: scope_data makes a scope voluntary; the answer and the
// tokens cover what was left ticked (login-with-amazon.md section 4).
func TestVoluntaryScopes(t *testing.T) {
	w := sim.New(t)
	const data = `{"profile":{"essential":true},"postal_code":{"essential":false}}`
	for name, d := range dialects {
		for _, tick := range []string{"", "yes"} {
			t.Run(name+" ticked:"+tick, func(t *testing.T) {
				app := w.NewApplication()
				user := w.SignUp("Ada Lovelace")
				address := app.AuthorizeURL(d, "scope", "profile postal_code", "scope_data", data)
				page := consentPage(t, user, app, address)
				if strings.Contains(page.Body, "checked") {
					t.Error("a voluntary scope is ticked before the user does it")
				}
				page = page.Press("Allow", "scope", tick)
				scope, want := page.URL.Query().Get("scope"), "profile"
				if tick != "" {
					want = "profile postal_code"
				}
				if scope != want {
					t.Errorf("scope %q, want %q", scope, want)
				}
				token := app.Redeem(d, page.URL.Query().Get("code")).Text("access_token")
				user.Open("/account").Press("Save", "Postal code", "12345")
				if got := w.UserProfile(token); (got.Text("postal_code") != "") != (tick != "") {
					t.Errorf("%v", got)
				}
				// The answer is remembered, also what was left out.
				if page := user.Open(address); page.URL.Query().Get("scope") != want {
					t.Errorf("the second time: %s", page.URL)
				}
			})
		}
	}
	t.Run("nothing ticked", func(t *testing.T) {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		page := consentPage(t, user, app, app.AuthorizeURL(sim.Amazon, "scope_data", `{"profile":{"essential":false}}`)).Press("Allow")
		if page.Status != http.StatusUnprocessableEntity || !page.Has("Cancel") {
			t.Errorf("%d %s", page.Status, page.Text())
		}
	})
}

// TestLocalhostReturnURL walks the fallback of the walk: nobody listens, and the
// code stands in the address.
func TestLocalhostReturnURL(t *testing.T) {
	w := sim.New(t)
	for _, returnURL := range []string{"https://localhost", "https://localhost/", "http://127.0.0.1:9000/cb", "http://[::1]:9000/cb"} {
		t.Run(returnURL, func(t *testing.T) {
			app := w.NewApplication(returnURL)
			user := w.SignUp("Ada Lovelace")
			page := consentPage(t, user, app, app.AuthorizeURL(sim.Amazon)).Press("Allow")
			if page.Status != 0 || !strings.HasPrefix(page.URL.String(), returnURL+"?code=") {
				t.Fatalf("came to %s", page.URL)
			}
			if got := app.Redeem(sim.Amazon, page.URL.Query().Get("code")); got.Status != http.StatusOK {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestSignInFirst: who is not signed in signs in and comes back to the request.
func TestSignInFirst(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for name, open := range map[string]func(*sim.Browser) *sim.Page{
		"GET": func(b *sim.Browser) *sim.Page { return b.Open(app.AuthorizeURL(sim.Standard)) },
		"POST from the application": func(b *sim.Browser) *sim.Page {
			u, _ := url.Parse(app.AuthorizeURL(sim.Standard))
			b.Header.Set("Sec-Fetch-Site", "cross-site")
			b.Header.Set("Origin", "https://app-1.example")
			defer func() { b.Header = http.Header{} }()
			return b.Submit("/oauth2/authorize", u.Query())
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.NewBrowser()
			page := open(b)
			if !page.Has("Sign in") {
				t.Fatalf("%d at %s:\n%s", page.Status, page.URL, page.Text())
			}
			page = page.Press("Sign in", "Email", user.Email, "Password", sim.Password)
			if page.Has("Allow") {
				page = page.Press("Allow")
			}
			if back, ok := app.Received(page); !ok || back.Get("code") == "" {
				t.Errorf("came to %s", page.URL)
			}
		})
	}
}

// TestPrompts: none never shows a page, login asks for the password again.
func TestPrompts(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		nobody := w.NewBrowser()
		if page := nobody.Open(app.AuthorizeURL(sim.Standard, "prompt", "none")); page.URL.Query().Get("error") != "login_required" {
			t.Errorf("prompt=none, nobody signed in: %s", page.URL)
		}
		if back := user.Authorize(app, sim.Standard, "prompt", "none"); back.Get("error") != "consent_required" {
			t.Errorf("prompt=none, never asked: %v", back)
		}
		user.Code(app, sim.Standard)
		if back := user.Authorize(app, sim.Standard, "prompt", "none"); back.Get("code") == "" {
			t.Errorf("prompt=none after consent: %v", back)
		}
		time.Sleep(time.Minute)
		page := user.Open(app.AuthorizeURL(sim.Standard, "prompt", "login"))
		if !page.Has("Sign in") {
			t.Fatalf("prompt=login: %d %s", page.Status, page.URL)
		}
		// Who leaves the sign-in out is sent back to it, by page and by answer.
		request := page.URL.Query().Get("continue")
		if skipped := user.Open(request); !skipped.Has("Sign in") {
			t.Errorf("the page without the password: %d %s", skipped.Status, skipped.URL)
		}
		if skipped := user.Submit(request, url.Values{"decision": {"allow"}, "account": {itoa(user.ID)}}); !skipped.Has("Sign in") {
			t.Errorf("the answer without the password: %d %s", skipped.Status, skipped.URL)
		}
		page = page.Press("Sign in", "Email", user.Email, "Password", sim.Password)
		if page.URL.Query().Get("code") == "" {
			t.Errorf("after the password: %s", page.URL)
		}
	})
}

// TestConsentIsTheAccounts: an answer counts for the account that the page named.
// Somebody who signs in as another in the meantime is asked again.
func TestConsentIsTheAccounts(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	ada, grace := w.SignUp("Ada Lovelace"), w.SignUp("Grace Hopper")
	page := consentPage(t, ada, app, app.AuthorizeURL(sim.Amazon))
	grace.SignIn(ada.Browser) // in another tab
	after := page.Press("Allow")
	if _, left := app.Received(after); left {
		t.Fatalf("Grace's account was let in by Ada's answer: %s", after.URL)
	}
	if !after.Has("Allow") || !strings.Contains(after.Text(), grace.Email) {
		t.Errorf("Grace is not asked: %d %s", after.Status, after.Text())
	}
	if page := after.Press("Allow"); page.URL.Query().Get("code") == "" {
		t.Errorf("Grace's answer leads to %s", page.URL)
	}
}

// TestProfileChangesDuringConsent: what was verified before is verified again when
// the user answers.
func TestProfileChangesDuringConsent(t *testing.T) {
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	for name, change := range map[string]func(*sim.Application) error{
		"return URL removed": func(a *sim.Application) error {
			return w.Store.SaveWebSettings(t.Context(), a.Profile.DeveloperID, a.Profile.ID, a.Profile.Version, nil, nil, audit.By{At: time.Now()})
		},
		"profile deleted": func(a *sim.Application) error { a.Delete(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			app := w.NewApplication()
			page := consentPage(t, user, app, app.AuthorizeURL(sim.Amazon))
			if err := change(app); err != nil {
				t.Fatal(err)
			}
			if after := page.Press("Allow"); after.Status != http.StatusBadRequest {
				t.Errorf("came to %s (%d)", after.URL, after.Status)
			}
		})
	}
	t.Run("profile suspended", func(t *testing.T) {
		app := w.NewApplication()
		page := consentPage(t, user, app, app.AuthorizeURL(sim.Amazon))
		app.Suspend()
		if back, ok := app.Received(page.Press("Allow")); !ok || back.Get("error") != "unauthorized_client" {
			t.Errorf("came to %s", user.Page.URL)
		}
	})
}
