package signin_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/signin"
	"gatelodge/internal/sim"
	"gatelodge/internal/store"
)

// TestWhoMayComeFromARegion: unconfirmed addresses, closed doors and disabled accounts.
func TestWhoMayComeFromARegion(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		na, eu := regions(t, func(o *sim.Options) { o.SignUp = signin.Closed })
		b := na.NewBrowser()
		someone := eu.SignUp("Emmy Noether")
		page := b.Open("/sign-in?continue=/console").Press(withEurope).Press("Sign in", "Email", someone.Email, "Password", sim.Password).Press("Allow")
		wantPage(t, page, 403, "New accounts cannot be made here")
	})
	t.Run("disabled", func(t *testing.T) {
		na, _ := regions(t)
		b := arrive(t, na)
		a, _ := emailed(t, na, hilde)
		if err := na.Store.SetAccountDisabled(t.Context(), a.ID, a.CreatedAt, audit.By{At: a.CreatedAt}); err != nil {
			t.Fatal(err)
		}
		wantPage(t, b.Open("/sign-in").Press(withEurope), 403, "disabled your account here")
	})
	t.Run("removed at home", func(t *testing.T) {
		na, _ := regions(t)
		b := arrive(t, na)
		page := b.Open(euIssuer + "/account/applications")
		wantPage(t, page, 200, "North America")
		page.Press("Remove")
		b.Submit(naIssuer+"/sign-out", nil)
		page = b.Open(naIssuer + "/sign-in").Press(withEurope)
		wantAt(t, page, euIssuer+"/consent")
		wantPage(t, page.Press("Cancel"), 403, "You did not allow it")
	})
	t.Run("e-mail changed at home", func(t *testing.T) {
		na, eu := regions(t)
		b := arrive(t, na)
		there, _ := emailed(t, eu, hilde)
		if err := eu.Store.ChangeEmail(t.Context(), there.ID, "h.geiringer@example.com", "h.geiringer@example.com", there.CreatedAt, audit.By{At: there.CreatedAt}); err != nil {
			t.Fatal(err)
		}
		b.Submit("/sign-out", nil)
		b.Open("/sign-in").Press(withEurope)
		wantPage(t, b.Open("/account"), 200, "h.geiringer@example.com")
	})
	t.Run("e-mail not confirmed at home", func(t *testing.T) {
		na, _ := regions(t, func(*sim.Options) {}, withMails)
		b := na.NewBrowser()
		page := b.Open("/sign-in?continue=/console").Press(withEurope).Follow("Create an account").Press("Create your account", "Name", hilda, "Email", hilde, "Password", sim.Password)
		page = page.Follow("Sign in").Press("Sign in", "Email", hilde, "Password", sim.Password).Press("Allow")
		wantPage(t, page, 403, "Your e-mail address is not confirmed yet", "127.0.0.1:9090")
		if _, _, err := na.Store.AccountByEmail(t.Context(), hilde); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an account was made all the same: %v", err)
		}
	})
}

// TestConfirmedAtHome: a secret is shown only after another sign-in at home, of the same
// person.
func TestConfirmedAtHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		na, eu := regions(t)
		other := eu.SignUp("Emmy Noether")
		b := arrive(t, na)
		b.Open("/console/profiles/new").Press("Save", "Security Profile Name", "Report", "Security Profile Description", "Mine", "Consent Privacy Notice URL", "https://example.com/privacy")
		settings := b.Open("/console").Follow("Web Settings").URL.String()
		wantPage(t, b.Open(settings).Press("Show Secret"), 200, "Shown on this page only.")
		time.Sleep(time.Hour)

		page := b.Open(settings).Press("Show Secret")
		wantPage(t, page, 200, "Confirm that it is you", "Your account lives in Europe")
		page = page.Press(goToEurope)
		wantAt(t, page, euIssuer+"/sign-in") // though she is signed in there
		wantPage(t, page.Press("Sign in", "Email", other.Email, "Password", sim.Password).Press("Allow"), 403, "That is another account")

		time.Sleep(time.Minute)
		page = b.Open(settings).Press("Show Secret")
		page = page.Press(goToEurope).Press("Sign in", "Email", hilde, "Password", sim.Password)
		wantAt(t, page, strings.Split(settings, "?")[0])
		wantPage(t, page.Press("Show Secret"), 200, "Shown on this page only.")

		// The same for the end of the account.
		time.Sleep(time.Hour)
		page = b.Open(naIssuer + "/account/delete")
		wantPage(t, page, 200, "Confirm that it is you")
		page = page.Press(goToEurope).Press("Sign in", "Email", hilde, "Password", sim.Password)
		wantPage(t, page, 200, "not your account in the region where it lives")
		wantPage(t, page.Press("Delete the account", "Type delete to confirm", "delete"), 200, "deleted")
		wantPage(t, b.Open(euIssuer+"/account"), 200, hilda)
	})
}

// TestOldSignInAtHome: who has been signed in at home for long is not taken for fresh.
func TestOldSignInAtHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		na, eu := regions(t)
		someone := eu.Developer("Emmy Noether")
		time.Sleep(time.Hour)
		b := na.NewBrowser()
		someone.SignIn(eu.NewBrowser())
		b.Open(euIssuer+"/sign-in").Press("Sign in", "Email", someone.Email, "Password", sim.Password)
		time.Sleep(time.Hour)
		b.Open(naIssuer + "/sign-in?continue=/console").Press(withEurope).Press("Allow")
		b.Open(naIssuer+"/console/profiles/new").Press("Save", "Security Profile Name", "Report", "Security Profile Description", "Mine", "Consent Privacy Notice URL", "https://example.com/privacy")
		page := b.Open(naIssuer + "/console").Follow("Web Settings").Press("Show Secret")
		wantPage(t, page, 200, "Confirm that it is you")
	})
}

// TestTypedOnTheWay: what was typed before the session ran out comes back after a sign-in
// at home too.
func TestTypedOnTheWay(t *testing.T) {
	na, _ := regions(t)
	b := arrive(t, na)
	page := b.Open("/console/profiles/new")
	a, _ := emailed(t, na, hilde)
	if err := na.Store.EndOtherSessions(t.Context(), a.ID, [32]byte{}, audit.By{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	page = page.Press("Save", "Security Profile Name", "Long thought of", "Security Profile Description", "Mine", "Consent Privacy Notice URL", "https://example.com/privacy")
	wantPage(t, page, 401, "What you typed is kept.")
	page = page.Press(withEurope).GoOn()
	if !strings.Contains(page.Body, "Long thought of") {
		t.Errorf("%s has lost it:\n%s", page.URL, page.Text())
	}
}

// TestForgedEnd: nobody is signed out by a token that is not a logout token of the home
// region.
func TestForgedEnd(t *testing.T) {
	na, eu := regions(t)
	b := arrive(t, na)
	app := eu.NewApplication()
	user := eu.SignUp("Emmy Noether")
	answer := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid"))
	idToken := answer.Text("id_token")
	if idToken == "" {
		t.Fatalf("no ID token: %+v", answer)
	}
	header, rest, _ := strings.Cut(idToken, ".")
	payload, _, _ := strings.Cut(rest, ".")
	for _, token := range []string{"", "x.y.z", idToken, header + "." + payload + ".", "eyJhbGciOiJub25lIn0." + payload + "."} {
		if answer := na.Post("/sign-in/ended", url.Values{"logout_token": {token}}); answer.Status != 400 || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%.20s…: %d %v", token, answer.Status, answer.Header)
		}
	}
	wantPage(t, b.Open("/account"), 200, hilda)
}
