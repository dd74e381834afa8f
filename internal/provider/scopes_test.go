package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// TestScopesWithoutUser: what the operator allows an application to have for itself
// (CVE-2024-52287: and nothing else by that grant).
func TestScopesWithoutUser(t *testing.T) {
	w := sim.New(t)
	push := w.NewScope(registry.Scope{Name: "messaging:push", Aliases: []string{"push"}, Restricted: true, WithoutUser: true})
	w.NewScope(registry.Scope{Name: "reports:read"})
	app, other := w.NewApplication(), w.NewApplication()
	app.Grant(push)
	prefixes := map[string]string{"/auth/o2/token": "Atc|", "/oauth2/token": "gl_at_"}
	for path, d := range dialects {
		token := sim.TokenPath(d)
		// The answer names the scope as it was asked for, and has no refresh token.
		for _, asked := range []string{"messaging:push", "push"} {
			got := w.Post(token, clientCredentials(app, "scope", asked))
			access := got.Text("access_token")
			if got.Status != http.StatusOK || got.Text("scope") != asked || got.Text("refresh_token") != "" || !strings.HasPrefix(access, prefixes[token]) {
				t.Errorf("%s %s: %v", path, asked, got)
			}
			if info := w.TokenInfo(access); info.Text("aud") != app.ID || info.Text("user_id") != "" {
				t.Errorf("%s: tokeninfo: %v", path, info)
			}
			if got := introspect(w, app, access); got.Text("scope") != "messaging:push" {
				t.Errorf("%s: introspection: %v", path, got)
			}
		}
		refused(t, path+": not granted", w.Post(token, clientCredentials(other, "scope", "messaging:push")), "invalid_scope")
		refused(t, path+": only with a user", w.Post(token, clientCredentials(app, "scope", "reports:read")), "invalid_scope")
		refused(t, path+": one of two", w.Post(token, clientCredentials(app, "scope", "messaging:push profile")), "invalid_scope")
		refused(t, path+": without secret", w.Post(token, clientCredentials(app, "scope", "messaging:push", "client_secret", sim.Omit)), "invalid_client")
	}
	ownerReads(t, w, other, "The scope messaging:push is known, but not granted to this profile.")
	ownerReads(t, w, app, "The scope reports:read cannot be had without a user.")

	// A token loses what is withdrawn from its application.
	held := w.Post("/auth/o2/token", clientCredentials(app, "scope", "messaging:push")).Text("access_token")
	app.Withdraw(push)
	if got := introspect(w, app, held); got.Text("scope") != "" || !strings.Contains(got.Body, `"active":true`) {
		t.Errorf("withdrawn: %v", got)
	}
	refused(t, "asked again", w.Post("/auth/o2/token", clientCredentials(app, "scope", "messaging:push")), "invalid_scope")
}

// ownerReads looks for a refusal in the words for the application's owner.
func ownerReads(t *testing.T, w *sim.World, app *sim.Application, words string) {
	t.Helper()
	w.View.Flush(t.Context())
	refusals, err := w.Store.Refusals(t.Context(), app.Profile.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refusals {
		if strings.HasPrefix(r.Words, words) {
			return
		}
	}
	t.Errorf("the owner does not read %q but %+v", words, refusals)
}

// TestRestrictedScope: CVE-2026-75866, what is not granted cannot be had by any way.
func TestRestrictedScope(t *testing.T) {
	for path, d := range dialects {
		t.Run(path, func(t *testing.T) {
			w := sim.New(t)
			reports := w.NewScope(registry.Scope{Name: "reports:read", Aliases: []string{"reports"}, Restricted: true, Essential: true})
			app := w.NewApplication()
			user := w.SignUp("Ada Lovelace")
			for _, scope := range []string{"reports:read", "reports", "profile reports:read"} {
				if back := user.Authorize(app, d, "scope", scope); back.Get("error") != "invalid_scope" {
					t.Errorf("not granted, %q: %v", scope, back)
				}
			}
			ownerReads(t, w, app, "The scope reports:read is known, but not granted to this profile. This profile may ask for: profile, ")
			app.Grant(reports)
			given := app.Redeem(d, user.Code(app, d, "scope", "profile reports:read"))
			access, refresh := given.Text("access_token"), given.Text("refresh_token")
			if got := introspect(w, app, access); got.Text("scope") != "profile reports:read" {
				t.Fatalf("granted: %v", got)
			}
			alone := app.Redeem(d, user.Code(app, d, "scope", "reports:read"))
			unused := user.Code(app, d, "scope", "reports:read")

			// What is withdrawn leaves the tokens that are there, and those to come.
			app.Withdraw(reports)
			for what, token := range map[string]string{"access token": access, "refresh token": refresh, "refreshed": app.Refresh(d, refresh).Text("access_token")} {
				if got := introspect(w, app, token); got.Text("scope") != "profile" {
					t.Errorf("%s after it was withdrawn: %v", what, got)
				}
			}
			refused(t, "code of before", app.Redeem(d, unused), "invalid_grant")
			refused(t, "refresh of it alone", app.Refresh(d, alone.Text("refresh_token")), "invalid_grant")
			refused(t, "asked at the refresh", app.Refresh(d, refresh, "scope", "reports:read"), "invalid_scope")
			inactive(t, "access token of it alone", introspect(w, app, alone.Text("access_token")))
			inactive(t, "refresh token of it alone", introspect(w, app, alone.Text("refresh_token")))

			// It is back with the grant: nothing was lost for good.
			app.Grant(reports)
			if got := introspect(w, app, access); got.Text("scope") != "profile reports:read" {
				t.Errorf("granted again: %v", got)
			}
		})
	}
}

// TestRetiredScope: a token of a scope that is retired is none of the scope that has
// its name now.
func TestRetiredScope(t *testing.T) {
	w := sim.New(t)
	old := w.NewScope(registry.Scope{Name: "reports:read", Essential: true, Claims: []registry.Claim{registry.ClaimEmail}})
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "profile:user_id reports:read"))
	if got := w.UserProfile(given.Text("access_token")); got.Text("email") != user.Email {
		t.Fatalf("before: %v", got)
	}
	w.Retire(old)
	if back := user.Authorize(app, sim.Standard, "scope", "reports:read"); back.Get("error") != "invalid_scope" {
		t.Errorf("asked for: %v", back)
	}
	if page := user.Open("/account/applications"); strings.Contains(page.Text(), "The scope reports:read") {
		t.Errorf("the user reads:\n%s", page.Text())
	}
	w.NewScope(registry.Scope{Name: "reports:read", Essential: true, Claims: []registry.Claim{registry.ClaimEmail}})
	for _, token := range []string{given.Text("access_token"), given.Text("refresh_token"), app.Refresh(sim.Standard, given.Text("refresh_token")).Text("access_token")} {
		if got := introspect(w, app, token); got.Text("scope") != "profile:user_id" {
			t.Errorf("%v", got)
		}
	}
	if got := w.UserProfile(given.Text("access_token")); got.Text("email") != "" || got.Text("user_id") == "" {
		t.Errorf("after: %v", got)
	}
	// The user is asked anew.
	consentPage(t, user, app, app.AuthorizeURL(sim.Standard, "scope", "profile:user_id reports:read"))
}

// TestScopeIsNamedAsAsked: a client that compares the scope of an answer with what it
// sent finds the same, or nothing (RFC 6749 section 5.1).
func TestScopeIsNamedAsAsked(t *testing.T) {
	w := sim.New(t)
	w.NewScope(registry.Scope{Name: "reports:read", Aliases: []string{"reports", "urn:example:reports"}, Essential: true})
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for _, tt := range []struct {
		asked, back, token, refreshed string
		leave                         bool // what is voluntary unticked
	}{
		{"reports:read profile", "reports:read profile", "profile reports:read", "profile reports:read", false},
		{"profile reports", "profile reports", "", "", false},
		{"urn:example:reports reports", "urn:example:reports reports", "", "", false},
		// Something is missing, which has to be told; then each is called by its own name.
		{"urn:example:reports email", "email", "email", "email", true},
	} {
		t.Run(tt.asked, func(t *testing.T) {
			pairs := []string{"scope", tt.asked, "prompt", "consent"}
			if tt.leave {
				pairs = append(pairs, "scope_data", `{"urn:example:reports":{"essential":false}}`)
			}
			back := user.Authorize(app, sim.Standard, pairs...)
			if got := back.Get("scope"); got != tt.back {
				t.Errorf("the authorization response says %q, want %q", got, tt.back)
			}
			given := app.Redeem(sim.Standard, back.Get("code"))
			if got := given.Text("scope"); given.Status != http.StatusOK || got != tt.token {
				t.Errorf("the token response says %q, want %q: %v", got, tt.token, given)
			}
			if got := app.Refresh(sim.Standard, given.Text("refresh_token")); got.Status != http.StatusOK || got.Text("scope") != tt.refreshed {
				t.Errorf("the refresh says %q, want %q: %v", got.Text("scope"), tt.refreshed, got)
			}
		})
	}
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "profile reports"))
	if got := app.Refresh(sim.Standard, given.Text("refresh_token"), "scope", "reports"); got.Text("scope") != "reports" {
		t.Errorf("asked for at the refresh: %v", got)
	}
	if got := introspect(w, app, given.Text("access_token")); got.Text("scope") != "profile reports:read" {
		t.Errorf("introspection: %v", got)
	}
}

// TestScopeWords: users read what an application asks for in their language, and the
// consent says in which.
func TestScopeWords(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	w := sim.NewWith(t, sim.Options{Database: cfg})
	db := sqldbtest.Open(t, cfg)
	w.NewScope(registry.Scope{
		Name: "reports:read", Label: "Your reports", Detail: "It reads your reports.", Essential: true,
		Translations: []registry.Words{{Language: "de", Label: "Ihre Berichte", Detail: "Ihre Berichte werden gelesen."}, {Language: "pt-BR", Label: "Seus relatórios", Detail: "Seus relatórios são lidos."}},
	})
	for _, tt := range []struct{ accept, uiLocales, scope, want, words string }{
		{"", "", "reports:read", "Your reports", "consent-page/1 en"},
		{"de-AT,de;q=0.9,en;q=0.1", "", "reports:read", "Ihre Berichte", "consent-page/1 de"},
		{"fr, pt-br;q=0.5, en;q=0.4", "", "reports:read", "Seus relatórios", "consent-page/1 pt-BR"},
		{"de;q=0.2, en;q=0.8", "", "reports:read", "Your reports", "consent-page/1 en"},
		{"en", "fr de", "reports:read", "Ihre Berichte", "consent-page/1 de"},
		{"de;q=0, *", "", "reports:read", "Your reports", "consent-page/1 en"},
		{"de", "", "profile reports:read", "Ihre Berichte", "consent-page/1 de en"},
	} {
		t.Run(tt.accept+" "+tt.uiLocales, func(t *testing.T) {
			app := w.NewApplication()
			user := w.SignUp("Ada Lovelace")
			user.Header.Set("Accept-Language", tt.accept)
			page := consentPage(t, user, app, app.AuthorizeURL(sim.Standard, "scope", tt.scope, "ui_locales", tt.uiLocales))
			if !strings.Contains(page.Text(), tt.want) {
				t.Errorf("the page does not say %q:\n%s", tt.want, page.Text())
			}
			page.Press("Allow")
			var words string
			if err := db.QueryRow(t.Context(), `SELECT words FROM consents ORDER BY id DESC LIMIT 1`).Scan(&words); err != nil || words != tt.words {
				t.Errorf("the consent was given to %q, %v; want %q", words, err, tt.words)
			}
		})
	}
	user := w.SignUp("Grace Hopper")
	user.Code(w.NewApplication(), sim.Standard, "scope", "reports:read")
	user.Header.Set("Accept-Language", "de")
	if page := user.Open("/account/applications"); !strings.Contains(page.Text(), "Ihre Berichte") || !strings.Contains(page.Body, `lang="de"`) {
		t.Errorf("connected applications:\n%s", page.Text())
	}
}

// TestScopeClaims: an own scope releases what the operator says, on both paths.
func TestScopeClaims(t *testing.T) {
	w := sim.New(t)
	w.NewScope(registry.Scope{Name: "contact", Essential: true, Claims: []registry.Claim{registry.ClaimName, registry.ClaimEmail}})
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid contact"))
	got := w.Get("/oauth2/userinfo", "Authorization", "Bearer "+given.Text("access_token"))
	if got.Text("name") != "Ada Lovelace" || got.Text("email") != user.Email || !strings.Contains(got.Body, `"email_verified":true`) || strings.Contains(got.Body, "updated_at") {
		t.Errorf("userinfo: %v", got)
	}
	if got := w.UserProfile(given.Text("access_token")); got.Text("name") != "Ada Lovelace" || got.Text("email") != user.Email {
		t.Errorf("profile: %v", got)
	}
	bare := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid"))
	if got := w.Get("/oauth2/userinfo", "Authorization", "Bearer "+bare.Text("access_token")); got.Text("name") != "" || got.Text("email") != "" {
		t.Errorf("without the scope: %v", got)
	}
}
