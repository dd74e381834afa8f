package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
)

func authorizationLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite)
	app := newApplication(t, s, "")
	f := downloader
	f.returnURL = app.returnURL
	dev := ada.develop(t, s)
	app.credentials = f.create(dev)
	dev.open("/console")
	dev.press(f.name)
	dev.choose("Consent Logo Image", pictureFile(t, "gate.png"))
	dev.press("Save")

	p := newPage(t, s)
	p.openWith(app.authorizeAt(app.returnURL+"/", "profile", ""), http.StatusBadRequest)
	l.at(p, "refused-stranger")
	p.openWith("/ap/oa?client_id=unknown", http.StatusBadRequest)
	l.at(p, "refused-unknown")
	p.open(app.authorizeURL("profile", ""))
	l.at(p, "sign-in-application")
	brook.signUpAt(p, strings.TrimPrefix(evaluate[string](p, `[...document.querySelectorAll("a")].find((a) => a.pathname === "/sign-up").href`), s.issuer))
	l.at(p, "consent")
	consent := p.address()
	ask := "&" + url.Values{"scope_data": {`{"profile":{"essential":false},"postal_code":{"essential":false}}`}}.Encode()
	p.open(app.authorizeURL("profile postal_code", "") + ask)
	l.at(p, "consent-voluntary")
	for _, box := range p.all([]string{"checkbox"}, "") {
		t.Errorf("a check box without a name: %v", box)
	}
	p.pressWith(http.StatusUnprocessableEntity, "Allow")
	l.at(p, "consent-nothing-ticked")
	verifier := url.Values{"code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"}}.Encode()
	p.open(strings.Replace(app.authorizeURL("profile", ""), "/ap/oa", "/oauth2/authorize", 1) + "&" + verifier)
	p.sees(f.name, "Allow")
	l.chain(p)

	logout := func(address string) string {
		return "/oauth2/logout?" + url.Values{"client_id": {app.clientID}, "post_logout_redirect_uri": {address}}.Encode()
	}
	s.allowPostLogout(t, app)
	p.open(logout(app.returnURL))
	l.at(p, "logout")
	p.openWith(logout("https://elsewhere.example/"), http.StatusBadRequest)
	l.at(p, "logout-refused")
	posts := newPage(t, s)
	posts.scripts(withoutJavaScript)
	posts.open(strings.Replace(app.authorizeURL("profile", ""), "/ap/oa", "/oauth2/authorize", 1) + "&prompt=none&response_mode=form_post")
	posts.scripts(withJavaScript) // axe-core needs them
	l.at(posts, "form-post")

	stranger := newPage(t, s)
	stranger.open("/oauth2/logout")
	l.at(stranger, "logout-done")
	stranger.openWith(logout("https://elsewhere.example/"), http.StatusBadRequest)
	l.at(stranger, "logout-refused-stranger")
	stranger.openWith(consent, http.StatusBadRequest)
	l.at(stranger, "consent-of-another-browser")

	p.open(consent)
	p.press("Allow")
	p.sees("Back at the application")
	app.exchange(app.answer().Get("code"))
	p.open("/account/applications")
	l.at(p, "applications")
	p.press("Remove", f.name)
	l.at(p, "applications-removed")
}

func failureLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite, "--contact", "https://help.example.com/")
	carol.develop(t, s)
	p := ada.develop(t, s)
	p.open("/console/profiles/new")
	downloader.fill(p)
	p.choose("Consent Logo Image", pictureFile(t, "gate.png"))
	mend := s.breakProfiles(t)
	p.pressWith(http.StatusInternalServerError, "Save")
	l.at(p, "failed-form")
	p.openWith("/console", http.StatusInternalServerError)
	l.at(p, "failed")
	mend()

	// With scripts the page "You are signed in again" is gone before anybody sees it.
	quiet := newPage(t, s)
	quiet.open("/console/profiles/new")
	ada.signIn(quiet, "Sign in")
	at := func(name string) {
		quiet.scripts(withJavaScript) // axe-core needs them
		l.at(quiet, name)
		quiet.scripts(withoutJavaScript)
	}
	for _, who := range []person{ada, carol} {
		quiet.scripts(withoutJavaScript)
		quiet.open("/console/profiles/new")
		downloader.fill(quiet)
		quiet.forget("gatelodge_session")
		quiet.pressWith(http.StatusUnauthorized, "Save")
		at("expired")
		who.signIn(quiet, "Sign In")
		if who == carol {
			at("signed-in-as-another")
			continue
		}
		at("signed-in-again")
		quiet.goOn(withoutJavaScript, "Security Profile Name")
		at("typed-again")
	}

	// A form of another site is refused before anything else is looked at.
	elsewhere := newApplication(t, s, "")
	p.open(strings.TrimSuffix(elsewhere.returnURL, "/cb") + "/forge?" + url.Values{"to": {s.issuer + "/console/profiles/new"}}.Encode())
	p.pressWith(http.StatusForbidden, "Forge")
	l.at(p, "cross-origin")
}
