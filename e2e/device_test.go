package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
)

// television is a device as its maker writes it: it has a client ID, a screen for a
// code, and no secret.
type television struct {
	app      *application
	clientID string
}

// newTelevision makes a profile with a client ID for devices, in the console.
func newTelevision(t *testing.T, s *server) *television {
	t.Helper()
	dev := ada.develop(t, s)
	app := &application{t: t, issuer: s.issuer, credentials: downloader.create(dev)}
	dev.press("TVs and Other Devices")
	dev.sees("None yet.")
	dev.fill("Client ID name", "Living room TV app")
	dev.press("Generate")
	dev.sees("Living room TV app", "In effect here now")
	return &television{app, evaluate[string](dev, `document.querySelector("td [data-copy-text]").dataset.copyText`)}
}

func (tv *television) post(path string, form url.Values) (status int, body map[string]any) {
	tv.app.t.Helper()
	r, err := http.NewRequestWithContext(tv.app.t.Context(), http.MethodPost, tv.app.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		tv.app.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept-Language", "de-DE")
	return tv.app.do(r)
}

// pair is what the television got to show and to keep.
type pair struct{ userCode, deviceCode, address string }

func (tv *television) start() pair {
	tv.app.t.Helper()
	status, body := tv.post("/auth/O2/create/codepair", url.Values{"response_type": {"device_code"}, "client_id": {tv.clientID}, "scope": {"profile"},
		"scope_data": {`{"profile":{"essential":true}}`}})
	text := func(name string) string { s, _ := body[name].(string); return s }
	p := pair{text("user_code"), text("device_code"), text("verification_uri")}
	if status != http.StatusOK || p.deviceCode == "" || body["interval"] != float64(30) {
		tv.app.t.Fatalf("codepair: %d %v", status, body)
	}
	return p
}

func (tv *television) poll(p pair) (status int, body map[string]any) {
	tv.app.t.Helper()
	return tv.post("/auth/O2/token", url.Values{"grant_type": {"device_code"}, "device_code": {p.deviceCode}, "user_code": {p.userCode}})
}

// TestDevice: somebody lets a television in, from the code on its screen to tokens that
// it refreshes without a secret.
func TestDevice(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	tv := newTelevision(t, s)
	codes := tv.start()
	if codes.address != s.issuer+"/de/code" {
		t.Errorf("verification_uri %s", codes.address)
	}
	if status, body := tv.poll(codes); status != http.StatusBadRequest || body["error"] != "authorization_pending" {
		t.Errorf("before: %d %v", status, body)
	}

	user := newPage(t, s)
	user.open(codes.address)
	user.fill("Code on your device", strings.ToLower(codes.userCode[:3])+" "+codes.userCode[3:])
	user.press("Continue")
	user.press("Create an account")
	brook.fillSignUp(user)
	user.press("Create your account")
	user.press("Continue")
	user.sees(downloader.name, "by "+ada.name, codes.userCode, "Is this code on the device in front of you?", brook.email, "Use another account")
	user.press("Allow")
	user.sees("You can go back to your device")

	status, body := tv.poll(codes)
	refresh, _ := body["refresh_token"].(string)
	access, _ := body["access_token"].(string)
	if status != http.StatusOK || !strings.HasPrefix(access, "Atza|") || !strings.HasPrefix(refresh, "Atzr|") || body["token_type"] != "bearer" {
		t.Fatalf("tokens: %d %v", status, body)
	}
	if status, claims := tv.app.profile(access); status != http.StatusOK || claims["email"] != brook.email {
		t.Errorf("profile: %d %v", status, claims)
	}
	again := func() (int, map[string]any) {
		return tv.post("/auth/O2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {tv.clientID}})
	}
	if status, body := again(); status != http.StatusOK || body["refresh_token"] != refresh || body["access_token"] == access {
		t.Errorf("refresh: %d %v", status, body)
	}

	user.open("/account/applications")
	user.press("Remove", downloader.name)
	ended(t, "refresh", http.StatusBadRequest, again)
}

func deviceLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite)
	tv := newTelevision(t, s)
	user := newPage(t, s)
	user.open("/device")
	l.at(user, "device")
	user.open("/us/code")
	l.chain(user)
	user.fill("Code on your device", "AEIOU")
	user.pressWith(http.StatusUnprocessableEntity, "Continue")
	l.at(user, "device-wrong")
	brook.signUpAt(user, "/sign-up?continue=/device")
	codes := tv.start()
	user.open("/us/code?user_code=" + codes.userCode)
	l.at(user, "device-filled")
	user.press("Continue")
	l.at(user, "device-consent")
	user.press("Allow")
	l.at(user, "device-done")
	user.open("/device")
	user.fill("Code on your device", codes.userCode)
	user.press("Continue")
	user.sees("You can go back to your device") // pressed twice

	codes = tv.start()
	other := newPage(t, s)
	carol.signUpAt(other, "/sign-up?continue=/device")
	enter := func(p *page, code string) {
		p.open("/device")
		p.fill("Code on your device", code)
	}
	enter(user, codes.userCode)
	user.press("Continue")
	user.press("Cancel")
	l.at(user, "device-cancelled")
	enter(other, codes.userCode)
	other.pressWith(http.StatusConflict, "Continue")
	l.at(other, "device-used")
	for range 10 {
		enter(other, "BBBB-BBBB")
		other.pressWith(http.StatusUnprocessableEntity, "Continue")
	}
	enter(other, "BBBB-BBBB")
	other.pressWith(http.StatusTooManyRequests, "Continue")
	l.at(other, "device-too-many")
}

// deviceConsoleLooks looks at the tab of a profile for its devices.
func deviceConsoleLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite)
	p := ada.develop(t, s)
	downloader.create(p)
	p.press("TVs and Other Devices")
	l.at(p, "devices-empty")
	tab := p.address()
	p.fill("Client ID name", strings.Repeat("Long name ", 8))
	p.pressWith(http.StatusUnprocessableEntity, "Generate")
	l.at(p, "devices-wrong")
	for _, name := range []string{"Kitchen radio", "A loudspeaker with a rather long name of its own"} {
		p.open(tab)
		p.fill("Client ID name", name)
		p.press("Generate")
	}
	l.at(p, "devices")
	p.press("Remove… (Kitchen radio)")
	l.at(p, "device-remove")
	p.press("Remove")
	p.sees("In effect here now")
	p.lacks("Kitchen radio")
}
