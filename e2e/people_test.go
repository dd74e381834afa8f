package e2e

import (
	"net/http"
	"testing"
)

// person is somebody with an account.
type person struct{ name, email, password string }

var (
	ada   = person{"Ada Byron", "ada@example.com", "an engine of many wheels"}
	brook = person{"Brook Taylor", "brook@example.com", "a series of small steps"}
	carol = person{"Carol Shaw", "carol@example.com", "a river raid at midnight"}
)

// fillSignUp fills in no more than sign-up has to ask for.
func (who person) fillSignUp(p *page) {
	p.t.Helper()
	p.fill("Name", who.name)
	p.fill("Email", who.email)
	p.fill("Password", who.password)
}

func (who person) fillSignIn(p *page) {
	p.t.Helper()
	p.fill("Email", who.email)
	p.fill("Password", who.password)
}

// develop signs up as a developer and opens the console.
func (who person) develop(t *testing.T, s *server) *page {
	t.Helper()
	p := newPage(t, s)
	p.open("/sign-up?continue=/console")
	who.fillSignUp(p)
	p.press("Create your developer account")
	return p
}

// profile is what a developer types for a security profile.
type profile struct{ name, description, privacy, returnURL string }

func (f profile) fill(p *page) {
	p.t.Helper()
	p.fill("Security Profile Name", f.name)
	p.fill("Security Profile Description", f.description)
	p.fill("Consent Privacy Notice URL", f.privacy)
}

// credentials are what a developer takes along.
type credentials struct{ clientID, clientSecret string }

// create makes a profile and leaves the page at its Web Settings, with the secret shown.
func (f profile) create(p *page) credentials {
	p.t.Helper()
	p.open("/console/profiles/new")
	f.fill(p)
	p.press("Save")
	p.sees("“" + f.name + "” was created")
	p.click("Manage", f.name)
	p.press("Web Settings")
	if f.returnURL != "" {
		p.press("Edit")
		p.fill("Allowed Return URLs", f.returnURL)
		p.press("Save")
	}
	return p.credentials()
}

// credentials reads them off the page.
func (p *page) credentials() credentials {
	p.t.Helper()
	p.click("Show Secret")
	p.find(pressable, "Hide") // is there once the secret is shown
	return credentials{p.value("Client ID"), p.value("Client Secret")}
}

// signIn signs in at the page that asks for it.
func (who person) signIn(p *page, button string) {
	p.t.Helper()
	who.fillSignIn(p)
	p.pressWith(http.StatusOK, button)
}
