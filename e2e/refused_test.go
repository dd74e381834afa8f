package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
)

// TestRefusedReturnURL: a return URL that is not allowed gives a page in words.
// What is registered stands there for the owner alone.
func TestRefusedReturnURL(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	f := downloader
	f.returnURL = "https://reports.example.com/back"
	dev := ada.develop(t, s)
	app := &application{t: t, issuer: s.issuer, credentials: f.create(dev)}
	const sent = "https://reports.example.com/Back/"
	refused := app.authorizeAt(sent, "profile", "x")

	for name, stranger := range map[string]*page{"nobody": newPage(t, s), "another developer": carol.develop(t, s)} {
		stranger.openWith(refused, http.StatusBadRequest)
		stranger.sees("This return URL is not allowed", f.name, sent, "Nothing was allowed", "Request id")
		stranger.lacks(f.returnURL)
		if stranger.has("Edit Allowed Return URLs") {
			t.Errorf("%s is offered the edit form", name)
		}
	}

	dev.openWith(refused, http.StatusBadRequest)
	dev.sees("This return URL is not allowed", sent, "The nearest that is allowed", f.returnURL)
	if got := evaluate[[]string](dev, `[...document.querySelectorAll("mark")].map((e) => e.textContent)`); len(got) != 2 || got[0] != "Back/" || got[1] != "back" {
		t.Errorf("marked as different: %q", got)
	}
	dev.press("Edit Allowed Return URLs")
	dev.sees("is not saved yet")
	dev.holds(map[string]string{"Allowed Return URLs": f.returnURL, "Allowed Return URLs (2)": sent})
	dev.open("/console")
	dev.press(f.name)
	dev.press("Activity")
	dev.sees("The return URL is not one of the Allowed Return URLs", sent)
	dev.press("Add the URL that was sent")
	dev.press("Save")
	dev.sees("In effect here now", sent)
	dev.open(refused)
	dev.sees(f.name, "reports.example.com", "Allow")
}

// TestRefusedTokenRequest: what was wrong with a token request stands in words on
// the profile's page.
func TestRefusedTokenRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	f := downloader
	f.returnURL = "https://reports.example.com/back"
	dev := ada.develop(t, s)
	app := &application{t: t, issuer: s.issuer, credentials: f.create(dev)}
	settings := dev.address()
	if status, body := app.refresh("Atzr|made-up"); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
		t.Errorf("a made-up refresh token: %d %v", status, body)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		dev.open(settings)
		dev.press("Activity")
		if text := dev.text(); strings.Contains(text, "invalid_grant") && strings.Contains(text, "/auth/o2/token") {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("Activity does not tell of the refused request:\n%s", text)
		}
	}
}

// TestUnknownApplication: without a known application there is nobody to send
// anything to.
func TestUnknownApplication(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	p := newPage(t, s)
	app := &application{t: t, issuer: s.issuer}
	app.clientID = "amzn1.application-oa2-client.00000000000000000000000000000000"
	p.openWith(app.authorizeAt("https://elsewhere.example.com/", "profile", "x"), http.StatusBadRequest)
	p.sees("This application is not known here", "Request id")
	if p.has("Allow") {
		t.Error("there is something to allow")
	}
}
