package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
)

var downloader = profile{
	name:        "Video Report Downloader",
	description: "Fetches last week's reports every Monday",
	privacy:     "https://reports.example.com/privacy",
}

// TestWalk is what all of this is for: from "Create a New Security Profile" to the
// user's profile read with a token, and the user's way out.
func TestWalk(t *testing.T) {
	t.Parallel()
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			t.Parallel()
			walk(t, serve(t, dialect))
		})
	}
}

func walk(t *testing.T, s *server) {
	app := newApplication(t, s, "")
	dev := newPage(t, s)

	// 1. Make a profile.
	dev.open("/console")
	dev.sees("Sign in", "New here?")
	dev.press("Create your developer account")
	ada.fillSignUp(dev)
	dev.press("Create your developer account")
	dev.sees("Make your first security profile")
	dev.press("Create a New Security Profile")
	downloader.fill(dev)
	dev.press("Save")
	dev.sees("Security profiles 1", downloader.name, downloader.description, "New")

	// 2. Say where users are sent back to.
	dev.click("Manage", downloader.name)
	dev.press("Web Settings")
	dev.sees("None yet.", "https://localhost")
	dev.press("Edit")
	dev.find(fields, "Allowed Origins")
	dev.fill("Allowed Return URLs", app.returnURL)
	dev.press("Save")
	dev.sees(app.returnURL, "In effect here now, and everywhere by")

	// 3. Take the credentials, and again on another day.
	app.credentials = dev.credentials()
	if !regexp.MustCompile(`^amzn1\.application-oa2-client\.[0-9a-f]{32}$`).MatchString(app.clientID) {
		t.Errorf("Client ID %q", app.clientID)
	}
	if !regexp.MustCompile(`^amzn1\.oa2-cs\.v1\.[0-9a-f]{64}$`).MatchString(app.clientSecret) {
		t.Errorf("Client Secret %q", app.clientSecret)
	}
	dev.click("Copy", "Client ID")
	dev.sees("Copied")
	dev.click("Hide")
	dev.lacks(app.clientSecret)
	dev.open("/console")
	dev.press(downloader.name)
	dev.press("Web Settings")
	dev.lacks(app.clientSecret)
	if again := dev.credentials(); again != app.credentials {
		t.Errorf("credentials shown again: %v, before: %v", again, app.credentials)
	}

	// 4. A user authorizes the application.
	user := newPage(t, s)
	user.open(app.authorizeURL("profile", "a state & more"))
	user.sees("Sign in", "to continue to the application")
	user.press("Create an account")
	brook.fillSignUp(user)
	user.press("Create your account")
	user.sees(downloader.name, "by "+ada.name, brook.name, brook.email, "127.0.0.1", "Privacy notice", "Use another account")
	if u := user.address(); !strings.HasPrefix(u, s.issuer+"/") {
		t.Fatalf("the consent page is at %s", u)
	}
	user.press("Allow")
	user.sees("Back at the application")
	answer := app.answer()
	if answer.Get("state") != "a state & more" {
		t.Errorf("state %q", answer.Get("state"))
	}

	// 5. The application gets its tokens.
	access, refresh := app.exchange(answer.Get("code"))
	status, claims := app.profile(access)
	id, _ := claims["user_id"].(string)
	if status != http.StatusOK || claims["name"] != brook.name || claims["email"] != brook.email ||
		!regexp.MustCompile(`^amzn1\.account\.[A-Z2-7]{28}$`).MatchString(id) || len(claims) != 3 {
		t.Fatalf("profile: %d %v", status, claims)
	}
	if status, body := app.tokenInfo(access); status != http.StatusOK || body["aud"] != app.clientID || body["user_id"] != id {
		t.Errorf("tokeninfo: %d %v", status, body)
	}
	status, body := app.refresh(refresh)
	if newer, _ := body["access_token"].(string); status != http.StatusOK || newer == "" || newer == access {
		t.Fatalf("refresh: %d %v", status, body)
	}

	// 6. The user has consented, so the next time there is no page.
	user.open(app.authorizeURL("profile", "again"))
	user.sees("Back at the application")
	if a := app.answer(); a.Get("code") == "" || a.Get("state") != "again" {
		t.Errorf("second time: %v", a)
	}

	// 7. The user takes it back.
	user.open("/account/applications")
	user.sees(downloader.name, "by "+ada.name)
	user.press("Remove", downloader.name)
	user.sees("No application is connected")
	ended(t, "refresh", http.StatusBadRequest, func() (int, map[string]any) { return app.refresh(refresh) })
	ended(t, "profile", http.StatusBadRequest, func() (int, map[string]any) { return app.profile(access) })
	ended(t, "tokeninfo", http.StatusBadRequest, func() (int, map[string]any) { return app.tokenInfo(access) })
	user.open(app.authorizeURL("profile", "once more"))
	user.sees("Allow", "Cancel")
}

// ended waits until something is refused. That it is so within a second is tested
// where the clock is the test's own.
func ended(t *testing.T, what string, want int, ask func() (int, map[string]any)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		status, body := ask()
		if status == want && body["error"] != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s after Remove: %d %v", what, status, body)
			return
		}
	}
}
