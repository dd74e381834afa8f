package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
)

// TestApplicationRedirectsOnward: Chromium holds every redirect after a form to the
// form's policy, the application's own to another origin included.
func TestApplicationRedirectsOnward(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	home := newApplication(t, s, "")
	onward := strings.TrimSuffix(home.returnURL, "/cb") + "/home"
	app := newApplication(t, s, strings.Replace(onward, "127.0.0.1", "localhost", 1))
	f := downloader
	f.returnURL = app.returnURL
	dev := ada.develop(t, s)
	app.credentials = f.create(dev)

	user := newPage(t, s)
	user.open(app.authorizeURL("profile", "1"))
	user.press("Create an account")
	brook.fillSignUp(user)
	user.press("Create your account")
	user.press("Allow")
	user.sees("Home of the application")
	app.exchange(app.answer().Get("code"))

	// Who has consented before is sent on by the sign-in form itself.
	again := newPage(t, s)
	again.open(app.authorizeURL("profile", "2"))
	brook.signIn(again, "Sign in")
	again.sees("Home of the application")
	app.exchange(app.answer().Get("code"))
}

// TestCancel: the application learns that the user said no, and nothing else.
func TestCancel(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	app := newApplication(t, s, "")
	f := downloader
	f.returnURL = app.returnURL
	dev := ada.develop(t, s)
	app.credentials = f.create(dev)

	dev.open(app.authorizeURL("profile", "no"))
	dev.press("Cancel")
	dev.sees("Back at the application")
	answer := app.answer()
	if answer.Get("error") != "access_denied" || answer.Get("state") != "no" || answer.Has("code") || answer.Get("error_description") == "" {
		t.Errorf("the application got %v", answer)
	}
	dev.open("/account/applications")
	dev.sees("No application is connected")
}

// TestVoluntaryScope: what the user does not tick, the application does not get.
func TestVoluntaryScope(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	app := newApplication(t, s, "")
	f := downloader
	f.returnURL = app.returnURL
	dev := ada.develop(t, s)
	app.credentials = f.create(dev)
	dev.open("/account")
	dev.fill("Postal code", "SW1A 1AA")
	dev.press("Save")

	ask := app.authorizeURL("profile postal_code", "") + "&" + url.Values{"scope_data": {`{"postal_code":{"essential":false}}`}}.Encode()
	dev.open(ask)
	dev.sees("SW1A 1AA", "optional")
	dev.press("Allow")
	dev.sees("Back at the application")
	access, _ := app.exchange(app.answer().Get("code"))
	if _, claims := app.profile(access); claims["name"] != ada.name || claims["postal_code"] != nil {
		t.Errorf("without the tick: %v", claims)
	}
	// It has been asked for and answered; an application that asks again has to say so.
	dev.open(ask + "&prompt=consent")
	dev.click("Your postal code optional")
	dev.press("Allow")
	dev.sees("Back at the application")
	access, _ = app.exchange(app.answer().Get("code"))
	if _, claims := app.profile(access); claims["postal_code"] != "SW1A 1AA" {
		t.Errorf("with the tick: %v", claims)
	}
}

// TestLocalhost: the fallback of those who have no server. Nothing answers at the
// return URL; the code is in the address bar, and the console makes the command.
func TestLocalhost(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	f := downloader
	f.returnURL = "https://localhost"
	dev := ada.develop(t, s)
	app := &application{t: t, issuer: s.issuer, returnURL: f.returnURL, credentials: f.create(dev)}
	settings := dev.address()
	if got, want := dev.block("Authorization URL"), app.authorizeURL("profile", "try-it"); got != want {
		t.Errorf("Authorization URL\n%s, want\n%s", got, want)
	}

	user := newPage(t, s)
	user.open(dev.block("Authorization URL"))
	user.press("Create an account")
	brook.fillSignUp(user)
	user.press("Create your account")
	user.sees("localhost", "on this computer")
	user.loadFails("Allow", user.clicking(user.find(pressable, "Allow")))
	address := user.address()
	if !strings.HasPrefix(address, "https://localhost/?") {
		t.Fatalf("the address bar says %s", address)
	}

	dev.open(settings)
	dev.fill("Address from the browser", address)
	dev.press("Make the command")
	dev.sees("Exchange this code", "the state try-it")
	if strings.Contains(dev.address(), "code=") {
		t.Errorf("the pasted code went into an address: %s", dev.address())
	}
	command := dev.block("Exchange this code")
	if strings.Contains(command, app.clientSecret) {
		t.Errorf("the command holds the secret:\n%s", command)
	}
	status, body := perform(t, command, "CLIENT_SECRET="+app.clientSecret)
	access, _ := body["access_token"].(string)
	if status != http.StatusOK || access == "" {
		t.Fatalf("the command\n%s\nanswers %d %v", command, status, body)
	}
	if status, claims := app.profile(access); status != http.StatusOK || claims["email"] != brook.email {
		t.Errorf("profile: %d %v", status, claims)
	}
	refresh, _ := body["refresh_token"].(string)
	status, body = perform(t, dev.block("Refresh"), "CLIENT_SECRET="+app.clientSecret, "REFRESH_TOKEN="+refresh)
	if status != http.StatusOK || body["access_token"] == nil {
		t.Errorf("the command under Refresh answers %d %v", status, body)
	}
}

// block is what stands in the code block with a title.
func (p *page) block(title string) string {
	p.t.Helper()
	quoted, err := json.Marshal(title)
	p.must(err)
	return evaluate[string](p, `[...document.querySelectorAll("pre")].find((e) => e.ariaLabel === `+string(quoted)+`)?.textContent ?? ""`)
}

// perform has a shell read a curl command with variables set, and does what curl
// would do with the arguments that it is given.
func perform(t *testing.T, command string, variables ...string) (status int, body map[string]any) {
	t.Helper()
	sh := exec.CommandContext(t.Context(), "sh", "-euc", `curl() { printf '%s\0' "$@"; }`+"\n"+command)
	sh.Env = variables
	out, err := sh.Output()
	if err != nil {
		t.Fatalf("the shell does not take this command: %v\n%s", err, command)
	}
	args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	form := url.Values{}
	var user, address string
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "--user":
			i++
			user = args[i]
		case "--data", "--data-urlencode":
			i++
			name, value, _ := strings.Cut(args[i], "=")
			form.Set(name, value)
		default:
			address = args[i]
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	name, password, _ := strings.Cut(user, ":")
	r.SetBasicAuth(name, password)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return (&application{t: t}).do(r)
}
