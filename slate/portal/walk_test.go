package portal_test

import (
	"archive/zip"
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"gatelodge/slate/store"
)

// TestWalk is the story of a partner, by the names on the screen alone: sign-in, user
// code, accounts, users, an application, reports.
func TestWalk(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		// Somebody who is in no account passes on the user code.
		ann := w.SignUp("Ann Archer")
		page := ann.Open(address + "/")
		wantText(t, "nobody is signed in", page, http.StatusOK, "Your titles, your figures")
		page = page.Follow("Sign in")
		page = page.Press("Allow")
		code := w.known(ann).UserCode
		wantText(t, "in no account", page, http.StatusOK, "Ann Archer", "You are not in an account yet", code)
		wantText(t, "settings", page.Follow("My user settings"), http.StatusOK, "User code", code, ann.Email)

		alpha := w.account("Alpha Pictures", ann, store.Rights{Manage: true, Reports: true})
		beta := w.account("Beta Films", ann, store.Rights{Reports: true})
		page = ann.Open(address + "/")
		wantText(t, "in two accounts", page, http.StatusOK, "Alpha Pictures", "Beta Films")
		page = page.Follow("Alpha Pictures")
		wantText(t, "the dashboard", page, http.StatusOK, "No figures yet", "Manage, Reports: View Only")
		page = page.Follow("Reporting")
		wantText(t, "the account list keeps the page", page.Follow("Beta Films "+strconv.FormatInt(beta.ID, 10)), http.StatusOK, "The reports of Beta Films")

		// An application can be looked at before it is let in.
		page = ann.Open(path(alpha)).Follow("Applications").Follow("Add Application")
		page = page.Press("Look up", "Client ID", w.app.ID, "Reporting", "yes", "What it is for", "Fetches the weekly reports.\n<b>For finance.</b>")
		wantText(t, "what is let in", page, http.StatusOK, "Is this the right application?", "Video Report Downloader", "by Company 2", "https://slate.example/privacy")
		page = page.Press("Add application")
		wantText(t, "added", page, http.StatusOK, "The application was added", "by Company 2", "by Ann Archer", "Never")
		all, err := w.store.Applications(t.Context(), alpha.ID)
		if err != nil || len(all) != 1 || all[0].ClientID != w.app.ID || !all[0].Reporting || all[0].Purpose != "Fetches the weekly reports.\r\n<b>For finance.</b>" && all[0].Purpose != "Fetches the weekly reports.\n<b>For finance.</b>" {
			t.Fatalf("%+v, %v", all, err)
		}
		public := w.NewBrowser().Open(address + "/applications/" + strconv.FormatInt(all[0].ID, 10))
		wantText(t, "its page for everybody", public, http.StatusOK, "Video Report Downloader", "Alpha Pictures", "Fetches the weekly reports. <b>For finance.</b>", "How to take it back", w.app.ID)
		page = page.Follow("Video Report Downloader").Press("Save", "What it is for", "Something else")
		wantText(t, "described anew", page, http.StatusOK, "Saved", "Something else")
		// It can as well be let in at once.
		page = ann.Open(path(beta, "applications"))
		wantText(t, "not where Ann does not manage", page, http.StatusForbidden, "Manage")
		gamma := w.account("Gamma Media", ann, store.Rights{Manage: true})
		page = ann.Open(path(gamma, "applications", "new")).Press("Add application", "Client ID", w.app.ID, "Reporting", "yes")
		wantText(t, "added at once", page, http.StatusOK, "The application was added", "Video Report Downloader", "by Company 2")

		// Bob is added by his code, Cid is invited by mail.
		bob := w.person("Bob Baker")
		wantText(t, "not yet", bob.Open(path(alpha)), http.StatusNotFound, "no such account")
		page = ann.Open(path(alpha, "users", "new")).Press("Add user", "User code", strings.ToLower(w.known(bob).UserCode), "Reports: View Only", "yes")
		wantText(t, "added by code", page, http.StatusOK, "The user was added", "Bob Baker")
		wantText(t, "Bob is in", bob.Open(path(alpha, "reporting")), http.StatusOK, "No reports yet")
		wantText(t, "Bob does not manage", bob.Open(path(alpha, "users")), http.StatusForbidden, "Manage", "Ask Ann Archer")
		cid := w.SignUp("Cid Cole")
		page = ann.Open(path(alpha, "users", "invite")).Press("Invite", "Email", strings.ToUpper(cid.Email), "Good for", "1", "Reports: View Only", "", "Manage", "yes")
		wantText(t, "invited", page, http.StatusOK, "Invitations that wait 1", "Slate sends no mail")
		w.signIn(cid)
		wantText(t, "Cid is in", cid.Open(path(alpha)), http.StatusOK, "Your permissions: Manage")
		wantText(t, "Cid reads no reports", cid.Open(path(alpha, "reporting")), http.StatusForbidden, "Reports: View Only")

		// What Cid does not have he cannot give.
		bobPage := path(alpha, "users", w.known(bob).ID)
		page = cid.Open(bobPage).Press("Save", "Reports: View Only", "")
		wantText(t, "Cid takes it away", page, http.StatusOK, "Saved")
		wantText(t, "Bob has lost it", bob.Open(path(alpha, "reporting")), http.StatusForbidden)
		page = cid.Open(bobPage).Press("Save", "Reports: View Only", "yes")
		wantText(t, "Cid gives it back", page, http.StatusUnprocessableEntity, "You do not have this permission yourself")
		wantText(t, "Ann gives it back", ann.Open(bobPage).Press("Save", "Reports: View Only", "yes"), http.StatusOK, "Saved")

		// Managers go, but for the last.
		wantText(t, "Cid leaves", cid.Open(path(alpha, "users", w.known(cid).ID)).Press("Remove"), http.StatusOK, "You are not in an account yet")
		wantText(t, "the last manager stays", ann.Open(path(alpha, "users", w.known(ann).ID)).Press("Remove"), http.StatusConflict, "last user with the permission Manage")
		page = ann.Open(path(alpha, "users", w.known(ann).ID)).Press("Save", "Manage", "")
		wantText(t, "the last manager stays one", page, http.StatusUnprocessableEntity, "last user with the permission Manage")

		// Reports.
		w.weeks(alpha.ID, "Sample Channel (US)", 30)
		w.put(strconv.FormatInt(alpha.ID, 10)+"/channels/Sample Channel (US)/Subscription Weekly/2020-01-06_2020-01-12.csv", "Date,Subscriptions,Minutes Streamed\n")
		page = bob.Open(path(alpha, "reporting")).Follow("Channels Usage and subscriptions of your channels, by territory.")
		wantText(t, "channels", page, http.StatusOK, "Sample Channel", "US")
		page = page.Follow("Sample Channel (US)")
		wantText(t, "types", page, http.StatusOK, "Subscription", "Weekly", "31")
		page = page.Follow("Subscription")
		wantText(t, "periods", page, http.StatusOK, "1–26 of 31")
		if strings.Contains(page.Text(), "No activity") {
			t.Error("the oldest period is on the first page")
		}
		newest, err := w.lastReport(alpha.ID)
		if err != nil {
			t.Fatal(err)
		}
		file := bob.Open(path(alpha, "reports", newest.ID, "download"))
		if archive, err := zip.NewReader(bytes.NewReader([]byte(file.Body)), int64(len(file.Body))); file.Status != http.StatusOK || err != nil || len(archive.File) != 1 {
			t.Errorf("the download: %d at %s, %v", file.Status, file.URL.Path, err)
		}
		bob.Page = page
		wantText(t, "the oldest", page.Follow("Next"), http.StatusOK, "6 – 12 Jan 2020", "No activity", "27–31 of 31")
		wantText(t, "figures", bob.Open(path(alpha)), http.StatusOK, "Subscriptions", "Minutes streamed", "Subscriptions as a table", "16,")

		// The application goes, and everything has been noted.
		page = ann.Open(path(alpha, "applications")).Press("Remove Video Report Downloader")
		wantText(t, "removed", page, http.StatusOK, "The application was removed", "No application is let in")
		wantText(t, "its page is gone", public.Follow("Sign in"), http.StatusOK)
		page = ann.Open(path(alpha, "activity"))
		wantText(t, "activity", page, http.StatusOK, "Application added", "Application described", "Application removed", "User invited", "Invitation accepted", "User removed", "Ann Archer", "Operator")

		// Out again.
		page = ann.Open(address + "/").Press("Sign out")
		wantText(t, "at Gatelodge as well?", page, http.StatusOK, "Sign out of Gatelodge?")
		page = page.Press("Sign out")
		wantText(t, "signed out", page, http.StatusOK, "You are signed out of Slate")
		if page = ann.Open(path(alpha)); page.URL.Host == host && strings.Contains(page.Text(), "No figures yet") {
			t.Error("still in")
		}
	})
}
