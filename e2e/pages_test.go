package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
)

// TestPages looks at every page of the route list, in its empty, full and error
// states. A page that nobody looked at fails it.
func TestPages(t *testing.T) {
	t.Parallel()
	if shared.noChrome != "" {
		without(t, shared.noChrome)
	}
	patterns := pageRoutes(t)
	l := newLooks(t, patterns)
	t.Run("all", func(t *testing.T) {
		for name, look := range map[string]func(*testing.T, *looks){
			"site": siteLooks, "sign-in": signInLooks, "console": consoleLooks, "operator": operatorLooks, "web-settings": webSettingsLooks, "run": runLooks,
			"account": accountLooks, "authorization": authorizationLooks, "failures": failureLooks, "mail": mailLooks,
			"regions": regionsLooks, "device": deviceLooks, "devices": deviceConsoleLooks,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				look(t, l)
			})
		}
	})
	for _, p := range patterns {
		if !l.seen[p] {
			t.Errorf("nobody looked at %s", p)
		}
	}
}

func siteLooks(t *testing.T, l *looks) {
	p := newPage(t, serve(t, sqldb.SQLite, "--contact", "help@example.com"))
	p.open("/")
	l.at(p, "home")
	p.open("/help")
	l.at(p, "help")
	pages := evaluate[[]string](p, `[...new Set([...document.querySelectorAll('main a[href^="/help/"]')].map((a) => a.getAttribute("href")))]`)
	if len(pages) < 4 {
		t.Errorf("help leads to %v", pages)
	}
	for _, page := range pages {
		p.open(page)
		l.at(p, strings.ReplaceAll(page[1:], "/", "-"))
	}
	p.open("/help/contact")
	p.sees("help@example.com")
	p.openWith("/nothing/here", http.StatusNotFound)
	l.at(p, "not-found")
	p.openWith("/help/nothing", http.StatusNotFound)
	ada.signUpAt(p, "/sign-up")
	p.open("/")
	l.at(p, "home-signed-in")
}

// signUpAt signs up at a path, as a developer or as a user.
func (who person) signUpAt(p *page, path string) {
	p.t.Helper()
	p.open(path)
	who.fillSignUp(p)
	if p.has("Create your developer account") {
		p.press("Create your developer account")
	} else {
		p.press("Create your account")
	}
}

func signInLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite)
	p := newPage(t, s)
	p.open("/sign-in")
	l.at(p, "sign-in")
	p.pressWith(http.StatusUnprocessableEntity, "Sign in")
	l.at(p, "sign-in-empty")
	ada.signInWith(p, http.StatusUnprocessableEntity)
	l.at(p, "sign-in-wrong")
	p.open("/sign-in?expired=1")
	l.at(p, "sign-in-expired")
	p.open("/sign-up")
	l.at(p, "sign-up")
	p.fill("Email", "ada@")
	p.fill("Password", "short")
	p.pressWith(http.StatusUnprocessableEntity, "Create your developer account")
	l.at(p, "sign-up-wrong")
	p.open("/sign-up?continue=/consent%3Frequest%3Dx")
	l.at(p, "sign-up-user")
	p.open("/recover")
	p.sees("gatelodge user recover")
	l.at(p, "recover-no-mail")
	p.openWith("/recover/wrong", http.StatusGone)
	l.at(p, "recover-dead")
	p.open("/sign-out")
	l.at(p, "sign-out-nobody")

	ada.signUpAt(p, "/sign-up")
	p.open("/sign-out")
	l.at(p, "sign-out")
	p.press("Sign out")
	p.open("/account")
	ada.signIn(p, "Sign in")

	link, _ := s.run(t, "user", "recover", "--email", ada.email)["link"].(string)
	if link == "" {
		t.Fatal("gatelodge user recover printed no link")
	}
	p.open(link)
	l.at(p, "recover-link")
	p.fill("New password", "short")
	p.pressWith(http.StatusUnprocessableEntity, "Set the new password")
	l.at(p, "recover-link-wrong")

	guess := newPage(t, s)
	guess.open("/sign-in")
	for range 25 {
		answer, err := http.PostForm(s.issuer+"/sign-in", url.Values{"email": {ada.email}, "password": {"a guess of a stranger"}})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	ada.signInWith(guess, http.StatusTooManyRequests) // the right one does not help here either
	guess.sees("Too many attempts")
	l.at(guess, "sign-in-too-many")

	closed := newPage(t, serve(t, sqldb.SQLite, "--sign-up", "closed"))
	closed.open("/sign-up")
	l.at(closed, "sign-up-closed")
	invite := newPage(t, serve(t, sqldb.SQLite, "--sign-up", "invite"))
	invite.open("/sign-up")
	l.at(invite, "sign-up-invite")
}

// signInWith tries to sign in, for an answer that is an error.
func (who person) signInWith(p *page, want int) {
	p.t.Helper()
	who.fillSignIn(p)
	p.pressWith(want, "Sign in")
}

func accountLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite)
	p := ada.develop(t, s)
	p.open("/account/applications")
	l.at(p, "applications-empty")
	p.open("/account")
	other := newPage(t, s)
	other.open("/sign-in")
	ada.signIn(other, "Sign in")
	p.fill("Postal code", "SW1A 1AA")
	p.press("Save")
	l.at(p, "account-saved")
	p.fill("Name", "")
	p.fill("Postal code", strings.Repeat("1", 30))
	p.pressWith(http.StatusUnprocessableEntity, "Save")
	l.at(p, "account-wrong")
	other.open("/account")
	p.open("/account")
	other.fill("Name", "Augusta")
	other.press("Save")
	p.fill("Name", "Ada King")
	p.pressWith(http.StatusConflict, "Save")
	l.at(p, "account-conflict")

	p.open("/account/email")
	l.at(p, "email")
	p.fill("New e-mail address", "ada@@example.com")
	p.pressWith(http.StatusUnprocessableEntity, "Change e-mail address")
	l.at(p, "email-wrong")
	p.open("/account/password")
	l.at(p, "password")
	p.pressWith(http.StatusUnprocessableEntity, "Change password")
	l.at(p, "password-wrong")
	p.open("/account/delete")
	l.at(p, "delete")
	p.pressWith(http.StatusUnprocessableEntity, "Delete the account")
	l.at(p, "delete-wrong")
	for _, to := range []string{"/account/sessions", "/account/confirmation"} {
		p.open(to)
		l.chain(p) // leads to the account, which has been looked at
	}
	p.openWith("/confirm-email?token=wrong", http.StatusGone)
	l.at(p, "confirm-email-dead")

	p.open("/account/delete")
	p.fill("Type delete to confirm", "delete")
	p.fill("Password", ada.password)
	p.press("Delete the account")
	l.at(p, "deleted")
}

func mailLooks(t *testing.T, l *looks) {
	box := newMailbox(t)
	s := serve(t, sqldb.SQLite, "--smtp", box.url)
	p := newPage(t, s)
	ada.signUpAt(p, "/sign-up")
	p.sees("Check your mail", ada.email)
	l.at(p, "sign-up-sent")
	link := box.link()
	p.open(link)
	ada.signIn(p, "Sign in")
	l.at(p, "confirm-email")
	p.open("/account")
	p.sees("Not confirmed")
	l.at(p, "account-unconfirmed")
	p.open("/account/email")
	l.at(p, "email-with-mail")
	p.open(link)
	p.press("Confirm")
	p.sees("Your account")
	p.open("/account")
	p.lacks("Not confirmed")

	p.open("/recover")
	l.at(p, "recover")
	p.pressWith(http.StatusUnprocessableEntity, "Send the link")
	l.at(p, "recover-wrong")
	p.fill("Email", ada.email)
	p.press("Send the link")
	l.at(p, "recover-sent")
	reset := newPage(t, s)
	reset.open(box.link())
	reset.fill("New password", "another engine altogether")
	reset.press("Set the new password")
	reset.sees("Your account")
}
