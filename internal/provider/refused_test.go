package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/live"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// TestRefusedReturnURL: the page says which application, what was sent and what is
// wrong; the owner alone sees what is registered, and the way to change it.
func TestRefusedReturnURL(t *testing.T) {
	w := sim.New(t)
	owner, stranger, nobody := w.Developer("Grace Hopper"), w.Developer("Mallory"), w.NewBrowser()
	app := owner.NewApplication("https://app.example/return", "https://staging.example/return")
	const sent = "https://app.example/return/"
	address := app.AuthorizeURL(sim.Amazon, "redirect_uri", sent)

	for name, b := range map[string]*sim.Browser{"stranger": stranger.Browser, "nobody": nobody} {
		page := b.Open(address)
		if page.Status != http.StatusBadRequest || page.Title() != "This return URL is not allowed" || !strings.Contains(page.Text(), sent) || !strings.Contains(page.Text(), "Video Report Downloader") {
			t.Errorf("%s: %d\n%s", name, page.Status, page.Text())
		}
		rest := strings.ReplaceAll(page.Text(), sent, "")
		if strings.Contains(rest, "app.example") || strings.Contains(rest, "staging") || strings.Contains(page.Body, "web-settings") {
			t.Errorf("%s sees what is registered:\n%s", name, page.Text())
		}
	}

	page := owner.Open(address)
	if !strings.Contains(page.Text(), "The two differ in the “/” at the end") || !strings.Contains(page.Text(), "The nearest that is allowed https://app.example/return") ||
		!strings.Contains(page.Body, "https://app.example/return<mark>/</mark>") {
		t.Errorf("the owner reads:\n%s", page.Text())
	}
	form := page.Follow("Edit Allowed Return URLs")
	if !strings.Contains(form.Body, `value="`+sent+`"`) {
		t.Fatalf("the form does not hold what was sent: %d %s\n%s", form.Status, form.URL, form.Text())
	}
	form.Press("Save")
	if page := owner.Open(address); !page.Has("Allow") {
		t.Errorf("after saving: %d\n%s", page.Status, page.Text())
	}
}

// TestRequestGrowsOld: a sign-in or consent page is good for an hour.
func TestRequestGrowsOld(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		page := consentPage(t, user, app, app.AuthorizeURL(sim.Amazon))
		time.Sleep(time.Hour + time.Second)
		if after := page.Press("Allow"); after.Status != http.StatusBadRequest || after.Title() != "This page can no longer be used" {
			t.Errorf("%d at %s", after.Status, after.URL)
		}
	})
}

// TestReplicas: what ends at one server has ended at the others within the bound.
func TestReplicas(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *sim.World) {
		cfg, keys := sqldbtest.Config(t, sqldb.SQLite), t.TempDir()+"/keys"
		w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
		replica := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
		for name, end := range map[string]func(*sim.Application, *sim.Person){
			"profile deleted": func(a *sim.Application, _ *sim.Person) { a.Delete() },
			"suspended":       func(a *sim.Application, _ *sim.Person) { a.Suspend() },
			"grant removed":   func(_ *sim.Application, p *sim.Person) { p.Open("/account/applications").Press("Remove") },
			"account disabled": func(_ *sim.Application, p *sim.Person) {
				if err := w.Store.SetAccountDisabled(t.Context(), p.ID, time.Now(), audit.By{At: time.Now()}); err != nil {
					t.Error(err)
				}
			},
		} {
			app := w.NewApplication()
			user := w.SignUp("Ada Lovelace")
			given := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon))
			token := given.Text("access_token")
			if got := replica.TokenInfo(token); got.Status != http.StatusOK {
				t.Fatal(got)
			}
			end(app, user)
			time.Sleep(live.Bound)
			refused(t, name+": tokeninfo at the replica", replica.TokenInfo(token), "invalid_token")
			if got := app.In(replica).Refresh(sim.Amazon, given.Text("refresh_token")); got.Status == http.StatusOK {
				t.Errorf("%s: refresh at the replica: %v", name, got)
			}
		}
	})
}

// TestCredentialsInTheWrongPlace: a link that carries a secret or a token is not
// made longer by us: nothing of it comes back.
func TestCredentialsInTheWrongPlace(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	address := app.AuthorizeURL(sim.Amazon) + "&" + url.Values{"client_secret": {app.Secret}}.Encode()
	page := user.Open(address)
	if strings.Contains(page.Body, app.Secret) || strings.Contains(page.URL.String(), app.Secret) {
		t.Error("the secret comes back")
	}
	page = user.Open(address + "&redirect_uri=https://evil.example")
	if strings.Contains(page.Body, app.Secret) {
		t.Error("the secret comes back on the page of an error")
	}
}
