package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
)

// cell is a region: a server at an address of its own, which can go away and come back.
type cell struct {
	*server
	name string
	args []string
	cmd  *exec.Cmd
}

// newCells makes two regions of one service that know each other by one file. Hosts
// differ because cookies are of a host, whatever its port.
func newCells(t *testing.T) (na, eu *cell) {
	t.Helper()
	dir := t.TempDir()
	make := func(name, host string) *cell {
		t.Helper()
		data, port := filepath.Join(dir, name), freePort(t)
		issuer := "http://" + net.JoinHostPort(host, port)
		return &cell{
			server: &server{issuer: issuer, database: sqldb.Config{Path: filepath.Join(data, "gatelodge.db")}, log: &lockedBuffer{}}, name: name,
			args: []string{"serve", "--json", "--listen", net.JoinHostPort("127.0.0.1", port), "--issuer", issuer, "--data", data, "--regions", filepath.Join(dir, "regions.yaml")},
		}
	}
	na, eu = make("na", "localhost"), make("eu", "127.0.0.1")
	// What an operator does: admit each at the other, and bring over what is printed.
	for _, pair := range [][2]*cell{{na, eu}, {eu, na}} {
		at, other := pair[0], pair[1]
		printed, err := exec.Command(shared.binary, "region", "admit", "--name", other.name, "--title", titles[other.name], "--issuer", other.issuer,
			"--json", "--data", filepath.Dir(at.database.Path)).Output()
		if err != nil {
			t.Fatalf("region admit at %s: %v", at.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, at.name+".json"), printed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := fmt.Sprintf(`na:
  title: North America
  issuer: %s
  countries: [CA, US]
  credentials-file: na.json
eu:
  title: Europe
  issuer: %s
  countries: [DE, FR]
  credentials-file: eu.json
`, na.issuer, eu.issuer)
	if err := os.WriteFile(filepath.Join(dir, "regions.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*cell{na, eu} {
		c.up(t)
		t.Cleanup(func() { c.down(t) })
	}
	return na, eu
}

var titles = map[string]string{"na": "North America", "eu": "Europe"}

func (c *cell) up(t *testing.T) {
	t.Helper()
	c.cmd = c.start(t, c.args)
}

func (c *cell) down(t *testing.T) {
	t.Helper()
	if c.cmd != nil {
		c.stop(t, c.cmd)
	}
	c.cmd = nil
}

// age makes all sign-ins of a region that is down older, as time does.
func (c *cell) age(t *testing.T, by time.Duration) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), c.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE sessions SET authenticated_at = authenticated_at - $1`, by.Microseconds())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

const (
	withEurope = "Sign in with your account of Europe"
	goToEurope = "Continue in Europe"
)

// chooseCountry opens the details of the sign-up page and picks a country.
func (p *page) chooseCountry(code string) {
	p.t.Helper()
	if evaluate[string](p, `document.querySelector("details").open = true; document.querySelector("select[name=country]").value = "`+code+`"`) != code {
		p.t.Fatalf("no country %s", code)
	}
}

// at fails the test unless the page is of a region.
func (p *page) at(c *cell, path string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		address := p.address()
		if strings.HasPrefix(address, c.issuer+path) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("at %s, want %s%s:\n%s", address, c.issuer, path, p.text())
		}
	}
}

// TestRegions follows a developer whose country is at home in another region than the
// one that she works in: from the account that she makes there to the day on which she
// takes back what she allowed.
func TestRegions(t *testing.T) {
	t.Parallel()
	na, eu := newCells(t)
	p := newPage(t, na.server)

	// 1. Her country lives elsewhere, which she is told before she types much.
	p.open("/console")
	p.press("Create your developer account")
	p.chooseCountry("DE")
	ada.fillSignUp(p)
	p.press("Create your developer account")
	p.sees("Your account lives in Europe", "Developers in Germany have their account at 127.0.0.1")

	// 2. She makes it there, allows this region to know her, and is back as a developer.
	p.press(goToEurope)
	p.at(eu, "/sign-in")
	p.press("Create an account")
	ada.fillSignUp(p)
	p.press("Create your account")
	p.sees("North America", "Another region of the same service.", ada.name, ada.email)
	p.press("Allow")
	p.at(na, "/console")
	p.sees("Make your first security profile")

	// 3. Her profiles are like any other's.
	credentials := downloader.create(p)
	webSettings := p.address()
	if !strings.HasPrefix(credentials.clientID, "amzn1.application-oa2-client.") || credentials.clientSecret == "" {
		t.Errorf("credentials %+v", credentials)
	}
	p.open("/account")
	p.sees("Home region", "Europe")
	p.lacks("Change password")

	// 4. She signs out, here and there.
	p.press("Sign out")
	p.sees("You are signed out here", "In Europe, where your account lives, you are still signed in")
	p.press("Sign out in Europe too")
	p.sees("Sign out of Gatelodge?", "North America asks for it.")
	p.press("Sign out")
	p.at(na, "/")

	// 5. Another day: she comes from her own region, where she signed in long ago.
	p.open(eu.issuer + "/sign-in")
	ada.signIn(p, "Sign in")
	eu.down(t)
	eu.age(t, time.Hour)
	p.open("/sign-in?continue=/console")
	p.pressWith(http.StatusServiceUnavailable, withEurope)
	p.sees("Europe does not answer now", "Try again in a minute.")
	eu.up(t)
	time.Sleep(2100 * time.Millisecond) // it is not asked again sooner
	p.press("Try again")
	p.press(goToEurope)
	p.at(na, "/console")
	p.sees(downloader.name)

	// 6. The secret needs a fresh sign-in, at home.
	p.open(webSettings)
	p.expect(strings.Replace(evaluate[string](p, `document.querySelector("[data-reveal-form]").action`), "#", "", 1), http.StatusUnauthorized)
	p.click("Show Secret")
	p.sees("Confirm that it is you", "Your account lives in Europe")
	p.press(goToEurope)
	p.at(eu, "/sign-in")
	ada.signIn(p, "Sign in")
	p.at(na, strings.TrimPrefix(strings.Split(webSettings, "?")[0], na.issuer))
	if again := p.credentials(); again != credentials {
		t.Errorf("another secret: %+v", again)
	}

	// 7. What she ends at home ends here: her session at once, her consent at the next
	// sign-in.
	p.open(eu.issuer + "/account/applications")
	p.sees("North America")
	p.press("Remove")
	p.press("Sign out")
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		p.open(na.issuer + "/account")
		if strings.HasPrefix(p.address(), na.issuer+"/sign-in") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the session here goes on")
		}
	}
	p.press(withEurope)
	p.at(eu, "/sign-in")
	ada.signIn(p, "Sign in")
	p.sees("North America", "Another region of the same service.")
	p.press("Allow")
	p.at(na, "/account")
	p.sees("Home region", "Europe", "Session ended by signing out at home")
}

// regionsLooks looks at what a service with regions shows that one without does not.
func regionsLooks(t *testing.T, l *looks) {
	na, eu := newCells(t)
	p := newPage(t, na.server)
	p.open("/sign-in")
	l.at(p, "region-sign-in")
	p.open("/sign-in/join") // back to the sign-in page
	l.chain(p)
	p.fill("Email", "nobody@example.com")
	p.fill("Password", "not a password of anybody")
	p.pressWith(http.StatusUnprocessableEntity, "Sign in")
	l.at(p, "region-sign-in-refused")
	p.open("/sign-up?country=choose")
	l.at(p, "region-sign-up")
	p.open("/sign-in/with/eu?country=DE&continue=/console")
	l.at(p, "region-with-country")
	p.open("/sign-in/with/eu")
	l.at(p, "region-with")
	p.openWith("/sign-in/return?code=x&state=y", http.StatusBadRequest)
	l.at(p, "region-return-of-nobody")
	p.openWith("/sign-in/with/mars", http.StatusNotFound)
	p.open("/help/regions")
	l.at(p, "help-regions")

	// Somebody with an account here, and another there with the same address.
	here := newPage(t, na.server)
	brook.signUpAt(here, "/sign-up?continue=/account")
	p.open("/sign-in?continue=/console")
	p.press(withEurope)
	p.press("Create an account")
	brook.fillSignUp(p)
	p.press("Create your account")
	l.at(p, "region-consent")
	p.press("Allow")
	p.sees("You have an account here already")
	l.at(p, "region-join")
	p.fill("Password", "not the password of that account")
	p.pressWith(http.StatusUnprocessableEntity, "Connect the accounts")
	l.at(p, "region-join-refused")
	p.fill("Password", brook.password)
	p.press("Connect the accounts")
	p.open("/account")
	l.at(p, "region-account-both")

	home := newPage(t, na.server)
	home.open("/sign-in/with/eu?country=DE&continue=/console")
	home.press(goToEurope)
	home.press("Create an account")
	carol.fillSignUp(home)
	home.press("Create your account")
	home.pressWith(http.StatusForbidden, "Cancel")
	l.at(home, "region-not-allowed")
	home.press("Try again")
	home.press(goToEurope)
	home.press("Allow")
	home.open("/account")
	l.at(home, "region-account")
	home.open("/account/password")
	l.at(home, "region-password")
	home.open("/account/delete")
	l.at(home, "region-delete")
	home.open("/sign-in/with/eu?again=1&continue=/console")
	l.at(home, "region-again")
	home.open("/account")
	home.press("Sign out")
	l.at(home, "region-signed-out")

	eu.down(t)
	p.open("/sign-out")
	p.press("Sign out")
	p.open("/sign-in")
	p.pressWith(http.StatusServiceUnavailable, withEurope)
	l.at(p, "region-away")
	eu.up(t)
}
