package portal_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/faultdb"
	"gatelodge/slate/store"
)

// TestDatabaseAway: whichever question of a page to the database is not answered, the
// page says that it will pass; what was typed is on it, and can be sent again whether
// it was written or not.
func TestDatabaseAway(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ann, bob := w.person("Ann Archer"), w.person("Bob Baker")
		alpha := w.account("Alpha Pictures", ann, store.Rights{Manage: true, Reports: true})
		w.weeks(alpha.ID, "Sample (US)", 2)
		w.account("Beta Films", ann, store.Rights{Manage: true})
		app, err := w.store.AddApplication(t.Context(), store.Application{AccountID: alpha.ID, ClientID: "client", Reporting: true, Name: "Downloader"}, store.Actor{At: w.now()})
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range []string{address, path(alpha), path(alpha, "reporting", "channels"), path(alpha, "users"), path(alpha, "activity"), address + "/user-settings"} {
			for n := 1; ; n++ {
				w.db.FailFrom(n, faultdb.Failed)
				got := ann.Open(page)
				left := w.db.Pending()
				w.db.Reset()
				if left {
					break
				}
				wantText(t, page, got, http.StatusServiceUnavailable, "We cannot answer at the moment! Please try again", "Try again")
				if got.Header.Get("Retry-After") != "1" {
					t.Errorf("%s: Retry-After %q", page, got.Header.Get("Retry-After"))
				}
			}
		}

		const typed = "It fetches reports; the finance team runs it."
		for name, form := range map[string]struct {
			page   string
			button string
			fields func() []string
			again  []string // says one of these when it is sent again
		}{
			"add application": {path(alpha, "applications", "new"), "Add application", func() []string {
				return []string{"Client ID", w.NewApplication().ID, "Reporting", "yes", "What it is for", typed}
			}, []string{"The application was added", "It was added on"}},
			"describe": {path(alpha, "applications", app), "Save", func() []string { return []string{"What it is for", typed} }, []string{"Saved"}},
			"invite":   {path(alpha, "users", "invite"), "Invite", func() []string { return []string{"Email", "carol@example.com"} }, []string{"The invitation waits"}},
		} {
			for _, outcome := range []faultdb.Outcome{faultdb.Failed, faultdb.FailedButApplied} {
				page, fields := ann.Open(form.page), form.fields()
				w.db.FailFrom(1, outcome, faultdb.Commit)
				got := page.Press(form.button, fields...)
				w.db.Reset()
				wantText(t, name, got, http.StatusServiceUnavailable, "Whether your change was made is not known", "What you typed is all here")
				for i := 1; i < len(fields); i += 2 {
					if !strings.Contains(got.Body, fields[i]) {
						t.Errorf("%s: %q is lost:\n%s", name, fields[i], got.Text())
					}
				}
				text := got.Press("Try again").Text()
				if !strings.Contains(text, form.again[0]) && !strings.Contains(text, form.again[len(form.again)-1]) {
					t.Errorf("%s, sent again: %s", name, text)
				}
			}
		}

		// Signing in: the code is used up by then, so the way on is a new sign-in.
		bob.Open(address).Press("Sign out")
		w.db.FailFrom(1, faultdb.Failed, faultdb.Begin)
		page := bob.Open(address + "/sign-in?continue=/user-settings")
		w.db.Reset()
		wantText(t, "signing in", page, http.StatusServiceUnavailable, "We cannot sign you in at the moment", "Our turn")
		if page.Header.Get("Retry-After") != "30" {
			t.Errorf("signing in: Retry-After %q", page.Header.Get("Retry-After"))
		}
		wantText(t, "signing in again", page.Follow("Sign in again"), http.StatusOK, "My user settings", "User code")
		if _, err := w.store.PersonByEmail(t.Context(), bob.Email); errors.Is(err, store.ErrNotFound) {
			t.Error("Bob is not known")
		}
	})
}
