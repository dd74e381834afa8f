package e2e

import (
	"database/sql"
	"net/http"
	"testing"

	"gatelodge/internal/sqldb"
)

// typedInto is what a developer types into the form for a profile.
func typedInto(f profile) map[string]string {
	return map[string]string{
		"Security Profile Name": f.name, "Security Profile Description": f.description, "Consent Privacy Notice URL": f.privacy,
	}
}

// TestSessionExpired: the session ends while a form is being filled in. After
// signing in, what was typed is there again, and saved by nobody but the person.
func TestSessionExpired(t *testing.T) {
	t.Parallel()
	for _, js := range []scripting{withJavaScript, withoutJavaScript} {
		t.Run(string(js), func(t *testing.T) {
			t.Parallel()
			s := serve(t, sqldb.SQLite)
			dev := ada.develop(t, s)
			dev.scripts(js)
			other := newPage(t, s)
			other.open("/sign-in")
			ada.signIn(other, "Sign in")

			logo := pictureFile(t, "gate.png")
			dev.open("/console/profiles/new")
			downloader.fill(dev)
			dev.choose("Consent Logo Image", logo)

			other.open("/account")
			other.press("End all others")
			dev.pressWith(http.StatusUnauthorized, "Save")
			dev.sees("Your session has expired", "Please sign in to continue")
			ada.signIn(dev, "Sign In")
			dev.goOn(js, "Security Profile Name")
			dev.sees("It is not saved yet", "gate.png is kept")
			dev.holds(typedInto(downloader))

			other.open("/console")
			other.sees("Make your first security profile")
			dev.press("Save")
			dev.sees("“" + downloader.name + "” was created")
			if src := evaluate[string](dev, `document.querySelector("table img")?.getAttribute("src") ?? ""`); src == "" {
				t.Error("the logo that was chosen before the session ran out is lost")
			}
		})
	}
}

// TestSessionExpiredAnotherAccount: whoever signs in instead reads nothing of it.
func TestSessionExpiredAnotherAccount(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	carol.develop(t, s)
	dev := ada.develop(t, s)
	dev.open("/console/profiles/new")
	f := downloader
	f.name = "Not for Carol"
	f.fill(dev)
	dev.forget("gatelodge_session")
	dev.pressWith(http.StatusUnauthorized, "Save")
	dev.sees("Your session has expired")
	dev.lacks(f.name)
	carol.signIn(dev, "Sign In")
	dev.sees("typed by another account")
	dev.lacks(f.name, f.description)
	dev.press("Continue")
	dev.lacks(f.name, f.description)
	dev.open("/console")
	dev.sees("Make your first security profile")
}

// TestExpiredEdit: the same for the form with the return URLs, whose rows are many.
func TestExpiredEdit(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	f := downloader
	f.returnURL = "https://localhost"
	dev := ada.develop(t, s)
	f.create(dev)
	dev.press("Edit")
	dev.click("Add another")
	dev.fill("Allowed Return URLs (added)", "https://reports.example.com/back")
	dev.fill("Note for this URL", "staging")
	dev.forget("gatelodge_session")
	dev.pressWith(http.StatusUnauthorized, "Save")
	ada.signIn(dev, "Sign In")
	dev.goOn(withJavaScript, "Allowed Return URLs (2)")
	dev.holds(map[string]string{
		"Allowed Return URLs": "https://localhost", "Allowed Return URLs (2)": "https://reports.example.com/back", "Note for URL 2": "staging",
	})
	dev.press("Save")
	dev.sees("In effect here now", "https://reports.example.com/back", "staging")
}

// goOn waits for a field of the form that comes back after sign-in. Without
// JavaScript there is a page in between.
func (p *page) goOn(js scripting, field string) {
	p.t.Helper()
	if js == withoutJavaScript {
		p.sees("You are signed in again")
		p.press("Continue")
	}
	p.find(fields, field)
}

// TestServerFailed: the store fails under a form. The page gives everything back
// that was typed, and Try again does it once the fault is mended.
func TestServerFailed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dialect sqldb.Dialect
		js      scripting
	}{{sqldb.SQLite, withJavaScript}, {sqldb.SQLite, withoutJavaScript}, {sqldb.Postgres, withJavaScript}} {
		t.Run(c.dialect.String()+" "+string(c.js), func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.dialect)
			dev := ada.develop(t, s)
			dev.scripts(c.js)
			dev.open("/console/profiles/new")
			downloader.fill(dev)
			dev.choose("Consent Logo Image", pictureFile(t, "gate.png"))
			mend := s.breakProfiles(t)
			for range 2 {
				if dev.has("Try again") {
					dev.pressWith(http.StatusInternalServerError, "Try again")
				} else {
					dev.pressWith(http.StatusInternalServerError, "Save")
				}
				dev.sees("Internal Server error! Please try again", "What you typed is all here", "Request id", "gate.png is kept")
				dev.holds(typedInto(downloader))
			}
			mend()
			dev.press("Try again")
			dev.sees("“"+downloader.name+"” was created", downloader.description)

			mend = s.breakProfiles(t)
			dev.openWith("/console", http.StatusInternalServerError)
			dev.sees("Internal Server error! Please try again", "Request id")
			mend()
			dev.press("Try again")
			dev.sees("Security profiles 1", downloader.name)
		})
	}
}

// breakProfiles takes a table away from under the server, until it is mended.
func (s *server) breakProfiles(t *testing.T) (mend func()) {
	t.Helper()
	driver, address := "sqlite", s.database.Path
	if s.database.URL != "" {
		driver, address = "pgx", s.database.URL
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(query string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	exec("ALTER TABLE profiles RENAME TO profiles_away")
	return func() {
		t.Helper()
		exec("ALTER TABLE profiles_away RENAME TO profiles")
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
