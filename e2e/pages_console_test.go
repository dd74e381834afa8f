package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
)

func consoleLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite)
	late := newPage(t, s)
	carol.signUpAt(late, "/sign-up?continue=/account")
	late.open("/console")
	late.sees("Create your developer account")
	l.at(late, "register")
	late.fill("Company", strings.Repeat("long ", 40))
	late.pressWith(http.StatusUnprocessableEntity, "Create your developer account")
	l.at(late, "register-wrong")

	p := ada.develop(t, s)
	l.at(p, "list-empty")
	p.open("/console/profiles/new")
	l.at(p, "new")
	p.fill("Security Profile Name", strings.Repeat("Long name ", 8))
	p.fill("Consent Privacy Notice URL", "reports.example.com/privacy")
	p.choose("Consent Logo Image", pictureFile(t, "gate.png"))
	p.pressWith(http.StatusUnprocessableEntity, "Save")
	l.at(p, "new-wrong")
	downloader.fill(p)
	p.press("Save")
	l.at(p, "list-created")
	p.click("Manage", downloader.name)
	l.at(p, "list-menu")
	for i := range 3 {
		p.open("/console/profiles/new")
		profile{name: fmt.Sprintf("Profile of a rather long name, number %d", i), description: strings.Repeat("what it is for ", 10), privacy: "http://example.com/p"}.fill(p)
		p.press("Save")
	}
	p.open("/console")
	l.at(p, "list")
	p.open("/console?q=nothing+like+it")
	l.at(p, "list-not-found")
	p.openWith("/console/profiles/00000000000000000000000000000000", http.StatusNotFound)
	l.at(p, "profile-not-found")

	p.open("/console")
	p.press(downloader.name)
	l.at(p, "general")
	general := p.address()
	p.fill("Security Profile Name", "")
	p.pressWith(http.StatusUnprocessableEntity, "Save")
	l.at(p, "general-wrong")
	p.open(general)
	p.fill("Type delete to confirm", "yes")
	p.pressWith(http.StatusUnprocessableEntity, "Delete Security Profile")
	l.at(p, "general-delete-wrong")

	other := newPage(t, s)
	other.open("/sign-in")
	ada.signIn(other, "Sign in")
	other.open(general)
	p.open(general)
	other.fill("Security Profile Description", "Saved in another window")
	other.press("Save")
	p.fill("Security Profile Description", "Typed here")
	p.pressWith(http.StatusConflict, "Save")
	p.sees("Saved in another window")
	l.at(p, "general-conflict")
	p.press("Save")
	p.sees("In effect here now")
	l.at(p, "general-saved")

	p.open(general + "/login-button")
	p.sees("No origin is allowed yet")
	l.at(p, "login-button-empty")
	p.open(general + "/settings")
	l.chain(p)
	l.at(p, "settings")
	p.hides("Key set", "Back-channel logout address")
	p.click("More settings")
	p.find(fields, "Key set")
	l.at(p, "settings-more")
	p.click("Device")
	p.hides("Key set", "Back-channel logout address")
	l.at(p, "settings-more-device")
	p.click("Web application")
	p.click("Signed assertion")
	p.fill("Key set", `{"keys": [{"kty": "EC", "d": "the private part"}]}`)
	p.fill("Back-channel logout address", "http://reports.example.com/logout")
	p.fill("Post-logout URLs", "https://reports.example.com/#bye")
	p.pressWith(http.StatusUnprocessableEntity, "Save")
	p.focused("textbox", "Key set")
	p.sees("Key 1 has its private part")
	l.at(p, "settings-wrong")
	p.fill("Key set", publicKeys)
	p.fill("Back-channel logout address", "https://reports.example.com/logout")
	p.fill("Post-logout URLs", "https://reports.example.com/bye")
	p.press("Save")
	p.sees("In effect here now", "first")
	l.at(p, "settings-more-saved")
	other.open(general + "/settings")
	other.click("Single page")
	other.press("Save")
	p.click("Native app")
	p.pressWith(http.StatusConflict, "Save")
	l.at(p, "settings-conflict")
	p.press("Save")
	p.sees("In effect here now")
	l.at(p, "settings-saved")

	for _, kind := range []string{"Device", "Service"} {
		p.click(kind)
		p.press("Save")
		p.open(general + "/web-settings")
		l.at(p, "web-settings-"+strings.ToLower(kind))
		p.open(general + "/settings")
	}
	p.open(general + "/login-button")
	p.sees("No Login button for this kind")
	l.at(p, "login-button-service")

	for _, to := range []string{"/delete", "/code", "/secrets", "/activity"} {
		p.open(general + to)
		l.chain(p)
	}
	l.at(p, "activity")
	p.open(general)
	p.fill("Type delete to confirm", "delete")
	p.press("Delete Security Profile")
	l.at(p, "list-deleted")
}

// hides fails when something to press or fill in can be reached.
func (p *page) hides(names ...string) {
	p.t.Helper()
	for _, name := range names {
		if p.has(name) {
			p.t.Errorf("%s: %s is there, and nothing needs it", p.address(), name)
		}
	}
}

// publicKeys are what somebody pastes under Key set.
const publicKeys = `{"keys": [{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "kid": "first"}]}`

func webSettingsLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite)
	p := ada.develop(t, s)
	app := &application{t: t, issuer: s.issuer, credentials: downloader.create(p)}
	l.at(p, "web-settings-empty")
	settings := p.address()
	p.press("Edit")
	l.at(p, "edit-empty")
	edit := p.address()
	p.fill("Allowed Return URLs", "http://reports.example.com/back")
	p.click("Add another")
	p.fill("Allowed Return URLs (added)", "https://reports.example.com/*")
	p.fill("Allowed Origins", "https://reports.example.com/path")
	p.pressWith(http.StatusUnprocessableEntity, "Save")
	l.at(p, "edit-wrong")
	p.open(edit)
	p.fill("Allowed Return URLs", "https://localhost")
	p.click("Add another")
	p.fill("Allowed Return URLs (added)", "https://reports.example.com/"+strings.Repeat("a-long-path/", 12))
	p.fill("Allowed Origins", "https://reports.example.com")
	p.press("Save")
	l.at(p, "web-settings-saved")

	loginButtonLooks(l, p, app)

	other := newPage(t, s)
	other.open("/sign-in")
	ada.signIn(other, "Sign in")
	other.open(edit)
	p.open(edit)
	other.fill("Allowed Return URLs (2)", "https://reports.example.com/back")
	other.press("Save")
	p.fill("Allowed Return URLs (2)", "https://reports.example.com/elsewhere")
	p.pressWith(http.StatusConflict, "Save")
	l.at(p, "edit-conflict")
	p.open(edit + "&add=https%3A%2F%2Freports.example.com%2FBack")
	l.at(p, "edit-added")

	p.open(settings)
	p.credentials()
	l.at(p, "web-settings-secret")
	p.open(settings)
	p.press("Create a second secret")
	p.fill("Address from the browser", "https://localhost/?code=ANdNAVhyhqirUelHGEHA&scope=profile&state=try-it")
	p.press("Make the command")
	l.at(p, "web-settings-code")
	p.fill("Address from the browser", "https://localhost/?error=access_denied")
	p.pressWith(http.StatusUnprocessableEntity, "Make the command")
	l.at(p, "web-settings-code-wrong")
	p.open(settings)
	end := evaluate[string](p, `document.querySelector('a[href$="/end"]').href`)
	p.open(end)
	l.at(p, "secret-end")
	evaluate[string](p, `document.querySelector("[type=date]").value = "2001-01-01"`)
	p.pressWith(http.StatusUnprocessableEntity, "End at a date")
	l.at(p, "secret-end-wrong")
	for _, to := range []string{"/show", "/download"} {
		p.open(strings.TrimSuffix(end, "/end") + to)
		l.chain(p)
	}
	p.openWith(strings.TrimSuffix(end, "/end")+"999/end", http.StatusNotFound)

	p.openWith(app.authorizeAt("https://reports.example.com/Back", "profile", ""), http.StatusBadRequest)
	l.at(p, "refused-owner")
	p.open(settings)
	l.at(p, "web-settings-refusal")
	p.open(strings.TrimSuffix(strings.SplitN(settings, "?", 2)[0], "/web-settings") + "/activity")
	l.at(p, "activity-full")

	s.run(t, "profile", "suspend", app.clientID)
	p.open(settings)
	p.sees("Suspended")
	l.at(p, "web-settings-suspended")
	p.open("/console")
	l.at(p, "list-suspended")
}

// loginButtonLooks looks at what a profile with an allowed origin has for pages in the
// browser. p is at its Web Settings.
func loginButtonLooks(l *looks, p *page, app *application) {
	settings := p.address()
	p.press("Login button")
	p.sees("https://reports.example.com", app.clientID, "without a secret")
	l.at(p, "login-button")
	p.open(p.address() + "?button=dark-32x32")
	p.sees("chosen", "dark-32x32")
	l.at(p, "login-button-chosen")

	popup := func(origin string) string {
		relay := app.issuer + "/sdk/relay?" + url.Values{"origin": {origin}}.Encode()
		return app.authorizeAt(relay, "profile", "") + "&" + url.Values{"code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"}}.Encode()
	}
	p.openWith(popup("https://reports.example.com:8443"), http.StatusBadRequest)
	p.sees("This page’s origin is not allowed", "You own this security profile")
	l.at(p, "refused-origin-owner")
	p.press("Edit Allowed Origins")
	l.at(p, "edit-origin-added")
	p.open(popup("https://reports.example.com"))
	p.sees("Allow", "reports.example.com")
	p.press("Allow")
	p.sees("has lost the page that opened it")
	l.at(p, "relay-lost")
	p.openWith("/sdk/relay?origin=https%3A%2F%2Fnobody.example", http.StatusBadRequest)
	p.sees("This window has nothing to bring back")
	l.at(p, "relay-stray")
	p.open(settings)
}
