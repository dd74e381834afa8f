package sim

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// TestWalk goes from "Create your developer account" to a user's profile read with
// a token, by the names on the screen alone, on both databases.
func TestWalk(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			walk(t, NewWith(t, Options{Database: sqldbtest.Config(t, dialect)}))
		})
	}
}

func walk(t *testing.T, w *World) {
	w.Use(t)
	// 1. Make a profile.
	developer := w.NewBrowser()
	page := developer.Open("/console")
	page = page.Follow("Create your developer account")
	page = page.Press("Create your developer account", "Name", "Grace Hopper", "Email", "grace@example.com", "Password", Password)
	page = page.Follow("Create a New Security Profile")
	page.Press("Save",
		"Security Profile Name", "Video Report Downloader",
		"Security Profile Description", "Downloads the daily reports",
		"Consent Privacy Notice URL", "https://slate.example/privacy")
	page = developer.Open("/console")
	if !strings.Contains(page.Text(), "Downloads the daily reports") {
		t.Fatalf("not in the list:\n%s", page.Text())
	}
	// 2. Say where users are sent back to.
	page = page.Follow("Web Settings").Follow("Edit")
	page = page.Press("Save", "Allowed Return URLs", "https://localhost")
	// 3. Take the credentials.
	page = page.Press("Show Secret")
	id := regexp.MustCompile(`amzn1\.application-oa2-client\.[0-9a-f]{32}`).FindString(page.Body)
	secret := regexp.MustCompile(`amzn1\.oa2-cs\.v1\.[0-9a-f]{64}`).FindString(page.Body)
	if id == "" || secret == "" {
		t.Fatalf("no credentials on the page:\n%s", page.Text())
	}
	again := developer.Open("/console").Follow("Web Settings").Press("Show Secret")
	if !strings.Contains(again.Body, secret) {
		t.Error("the secret cannot be shown again")
	}

	// A user authorizes the application and copies the code from the address bar.
	user := w.SignUp("Ada Lovelace")
	page = user.Open("/ap/oa?" + url.Values{
		"client_id": {id}, "scope": {"profile"}, "response_type": {"code"}, "redirect_uri": {"https://localhost"}, "state": {"xyz"},
	}.Encode())
	page = page.Press("Allow")
	if page.URL.Host != "localhost" || page.URL.Query().Get("state") != "xyz" {
		t.Fatalf("came to %s", page.URL)
	}
	tokens := w.Post("/auth/o2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {page.URL.Query().Get("code")}, "redirect_uri": {"https://localhost"},
		"client_id": {id}, "client_secret": {secret},
	})
	if tokens.Status != http.StatusOK {
		t.Fatal(tokens)
	}
	refreshed := w.Post("/auth/o2/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {tokens.Text("refresh_token")}, "client_id": {id}, "client_secret": {secret},
	})
	for _, token := range []string{tokens.Text("access_token"), refreshed.Text("access_token")} {
		if got := w.UserProfile(token); got.Text("name") != "Ada Lovelace" || got.Text("email") != user.Email {
			t.Errorf("the profile: %v", got)
		}
	}
	// The user takes it back.
	user.Open("/account/applications").Press("Remove")
	if got := w.UserProfile(refreshed.Text("access_token")); got.Text("error") != "invalid_token" {
		t.Errorf("after Remove: %v", got)
	}
}
