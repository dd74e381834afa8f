package portal_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sim"
	"gatelodge/slate/store"
)

// transport is a client that asks by a function.
type transport func(r *http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestGatelodgeDown: who is signed in goes on; who is not reads whose turn it is, and
// gets in once Gatelodge is back.
func TestGatelodgeDown(t *testing.T) {
	w := sqlite(t)
	ann := w.person("Ann Archer")
	alpha := w.account("Alpha Pictures", ann, store.Rights{Manage: true, Reports: true})
	down := true
	w.open(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if down {
			return nil, errors.New("connection refused")
		}
		return w.Client().Transport.RoundTrip(r)
	})})
	wantText(t, "signed in", ann.Open(path(alpha, "reporting")), http.StatusOK, "Reporting")
	page := ann.Open(path(alpha, "applications", "new")).Press("Add application", "Client ID", w.app.ID, "Reporting", "yes", "What it is for", "It fetches reports.")
	wantText(t, "adding an application", page, http.StatusServiceUnavailable, "Gatelodge does not answer", "Nothing was added", "It fetches reports.")
	if !strings.Contains(page.Body, w.app.ID) || page.Header.Get("Retry-After") != "30" {
		t.Errorf("what was typed is lost, or Retry-After: %v\n%s", page.Header, page.Body)
	}
	down = false
	wantText(t, "the same once more", page.Press("Add application"), http.StatusOK, "The application was added")
	down = true
	bob := w.SignUp("Bob Baker")
	page = bob.Open(path(alpha, "reporting"))
	wantText(t, "signing in", page, http.StatusServiceUnavailable, "Gatelodge does not answer", "Our turn")
	if page.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	down = false
	page = page.Follow("Try again").Press("Allow")
	if !strings.HasSuffix(page.URL.Path, "/reporting") {
		t.Errorf("does not come to the page that was asked for but to %s", page.URL)
	}
	down = true
	w.open(&http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })})
	wantText(t, "signing out", bob.Open(address).Press("Sign out"), http.StatusOK, "You are signed out of Slate")
}

// TestSignInAttacks: an answer that does not belong to what this browser began signs
// nobody in.
func TestSignInAttacks(t *testing.T) {
	w := sqlite(t)
	ann, mallory := w.person("Ann Archer"), w.person("Mallory")
	// begin goes to Gatelodge and back by hand, and gives the answer without opening it.
	begin := func(p *sim.Person) *url.URL {
		p.Submit(address+"/sign-out", nil)
		page := p.Send(http.MethodGet, address+"/sign-in", nil)
		page = p.Send(http.MethodGet, page.Header.Get("Location"), nil)
		answer, err := url.Parse(page.Header.Get("Location"))
		if err != nil || answer.Host != host || answer.Query().Get("code") == "" {
			t.Fatalf("no answer but %d %s, %v", page.Status, page.Header.Get("Location"), err)
		}
		return answer
	}
	signedIn := func(p *sim.Person) bool { return p.Open(address + "/").Has("Sign out") }
	for name, attack := range map[string]func() *sim.Page{
		"another browser’s answer":  func() *sim.Page { begin(ann); return ann.Open(begin(mallory).String()) },
		"an answer without a state": func() *sim.Page { return ann.Open(with(begin(ann), "state", "")) },
		"another state":             func() *sim.Page { return ann.Open(with(begin(ann), "state", "x")) },
		"another issuer":            func() *sim.Page { return ann.Open(with(begin(ann), "iss", "https://evil.example")) },
		"no issuer":                 func() *sim.Page { return ann.Open(with(begin(ann), "iss", "")) },
		"another’s code":            func() *sim.Page { return ann.Open(with(begin(ann), "code", begin(mallory).Query().Get("code"))) },
		"an answer for the second time": func() *sim.Page {
			answer := begin(ann).String()
			ann.Open(answer).Press("Sign out")
			return ann.Open(answer)
		},
		"an error": func() *sim.Page {
			return ann.Open(with(begin(ann), "error", "<script>alert(1)</script>"))
		},
		"cancelled": func() *sim.Page { return ann.Open(with(begin(ann), "error", "access_denied")) },
	} {
		page := attack()
		if page.Status < 400 || page.Status == http.StatusInternalServerError || page.URL.Host != host {
			t.Errorf("%s: %d at %s", name, page.Status, page.URL)
		}
		if strings.Contains(page.Body, "<script>alert") {
			t.Errorf("%s: the page has the script", name)
		}
		if signedIn(ann) {
			t.Errorf("%s: signed in", name)
		}
	}
	if answer := begin(ann); !ann.Open(answer.String()).Has("Sign out") {
		t.Error("an honest answer does not sign in")
	}
	for _, secret := range []string{"code=", "state=", w.client.Secret} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func with(u *url.URL, name, value string) string {
	changed := *u
	q := changed.Query()
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	changed.RawQuery = q.Encode()
	return changed.String()
}

// TestContinue: after sign-in the browser stays at Slate.
func TestContinue(t *testing.T) {
	w := sqlite(t)
	ann := w.person("Ann Archer")
	for to, want := range map[string]string{
		"/help": "/help", "/accounts/1?weeks=13": "/accounts/1?weeks=13", "": "/", "help": "/",
		"https://evil.example/": "/", "//evil.example": "/", "/\\evil.example": "/", "/\t/evil.example": "/", "\\/evil.example": "/",
		"javascript:alert(1)": "/", "/" + strings.Repeat("a", 2000): "/",
	} {
		page := ann.Send(http.MethodGet, address+"/sign-in?"+url.Values{"continue": {to}}.Encode(), nil)
		if got := page.Header.Get("Location"); got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
}

// TestCookies: who has a copy of the database has no session, and who is signed out
// has none either.
func TestCookies(t *testing.T) {
	w := sqlite(t)
	ann := w.SignUp("Ann Archer")
	page := w.signIn(ann)
	var cookie *http.Cookie
	begin := ann.Send(http.MethodGet, address+"/sign-in", nil)
	if begin.Header.Get("Set-Cookie") != "" {
		t.Error("who is signed in begins another sign-in")
	}
	ann.Page = page
	page.Press("Sign out")
	answer := ann.Send(http.MethodGet, address+"/sign-in", nil)
	answer = ann.Send(http.MethodGet, answer.Header.Get("Location"), nil)
	answer = ann.Send(http.MethodGet, answer.Header.Get("Location"), nil)
	for _, c := range (&http.Response{Header: answer.Header}).Cookies() {
		if c.Name == "__Host-slate-session" {
			cookie = c
		}
	}
	if cookie == nil || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" || len(cookie.Value) < 43 {
		t.Fatalf("the session’s cookie: %+v", cookie)
	}
	stranger := w.NewBrowser()
	stranger.Header.Set("Cookie", cookie.Name+"="+cookie.Value)
	if !stranger.Open(address + "/").Has("Sign out") {
		t.Fatal("the cookie is not the session")
	}
	ann.Open(address + "/").Press("Sign out")
	if stranger.Open(address + "/").Has("Sign out") {
		t.Error("the session goes on after signing out")
	}
	w.signIn(ann)
	w.wait(13 * time.Hour)
	if page := ann.Send(http.MethodGet, address+"/user-settings", nil); page.Status != http.StatusSeeOther {
		t.Errorf("after 13 hours: %d", page.Status)
	}
}

// TestOthers: what belongs to another account is not there, whatever the address.
func TestOthers(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		ann, mallory := w.person("Ann Archer"), w.person("Mallory")
		alpha := w.account("Alpha Pictures", ann, store.Rights{Manage: true, Reports: true})
		other := w.account("Evil Films", mallory, store.Rights{Manage: true, Reports: true})
		w.weeks(alpha.ID, "Sample (US)", 1)
		by := store.Actor{PersonID: w.known(ann).ID, At: w.now()}
		application, err := w.store.AddApplication(t.Context(), store.Application{AccountID: alpha.ID, ClientID: w.app.ID, Reporting: true, Name: "Downloader"}, by)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.Invite(t.Context(), alpha.ID, "dana@example.com", store.Rights{Manage: true}, w.now().Add(time.Hour), by); err != nil {
			t.Fatal(err)
		}
		invitations, err := w.store.Invitations(t.Context(), alpha.ID, w.now())
		if err != nil {
			t.Fatal(err)
		}
		report, err := w.lastReport(alpha.ID)
		if err != nil {
			t.Fatal(err)
		}
		channels, _, err := w.store.Channels(t.Context(), alpha.ID, store.GroupChannels, store.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		annID, channel := w.known(ann).ID, channels[0].ID
		for _, get := range []string{
			path(alpha), path(alpha, "reporting"), path(alpha, "reporting", "channels"), path(alpha, "applications"), path(alpha, "applications", application),
			path(alpha, "users"), path(alpha, "users", annID), path(alpha, "activity"), path(alpha, "reports", report.ID, "download"),
			path(other, "applications", application), path(other, "users", annID), path(other, "reports", report.ID, "download"),
			path(other, "reporting", "channels", channel), path(other, "reporting", "channels", channel, report.TypeID),
			path(other, "reporting", "rentOrBuy", channel), path(other, "reporting", "nothing"), path(other, "reporting", "channels", "x"),
			path(other, "applications", "0x1"), path(other, "users", "99999999999999999999"), address + "/accounts/0", address + "/accounts/-1", address + "/accounts/+1001",
		} {
			if page := mallory.Open(get); page.Status != http.StatusNotFound || strings.Contains(page.Text(), "Alpha") {
				t.Errorf("GET %s: %d %s", get, page.Status, page.Text())
			}
		}
		for _, post := range []string{
			path(alpha, "applications", "new"), path(alpha, "applications", application), path(alpha, "applications", application, "remove"),
			path(alpha, "users", "new"), path(alpha, "users", "invite"), path(alpha, "users", annID), path(alpha, "users", annID, "remove"),
			path(alpha, "invitations", invitations[0].ID, "take-back"),
			path(other, "applications", application), path(other, "applications", application, "remove"), path(other, "users", annID), path(other, "users", annID, "remove"),
			path(other, "invitations", invitations[0].ID, "take-back"),
		} {
			page := mallory.Submit(post, url.Values{"manage": {"yes"}, "purpose": {"taken"}})
			if page.Status != http.StatusNotFound {
				t.Errorf("POST %s: %d %s", post, page.Status, page.Text())
			}
		}
		if a, err := w.store.Application(t.Context(), application); err != nil || a.Purpose != "" {
			t.Errorf("the application: %+v, %v", a, err)
		}
		if m, err := w.store.Member(t.Context(), alpha.ID, annID); err != nil || m.Rights != (store.Rights{Manage: true, Reports: true}) {
			t.Errorf("Ann: %+v, %v", m, err)
		}
		if left, err := w.store.Invitations(t.Context(), alpha.ID, w.now()); err != nil || len(left) != 1 {
			t.Errorf("invitations: %v, %v", left, err)
		}
	})
}

// TestForms: forms of other sites change nothing, what was typed stays, and names that
// are markup are text.
func TestForms(t *testing.T) {
	w := sqlite(t)
	const markup = `<img src=x onerror=alert(1)>"'`
	ann := w.person("Ann " + markup)
	alpha := w.account("Alpha "+markup, ann, store.Rights{Manage: true, Reports: true})
	if _, err := w.store.AddApplication(t.Context(), store.Application{AccountID: alpha.ID, ClientID: "x" + markup, Reporting: true, Name: markup, Publisher: markup, Purpose: markup},
		store.Actor{PersonID: w.known(ann).ID, At: w.now()}); err != nil {
		t.Fatal(err)
	}
	all, err := w.store.Applications(t.Context(), alpha.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.put(strconv.FormatInt(alpha.ID, 10)+"/channels/<b>bold<b> (US)/<i>x<i> Weekly/2026-01-05_2026-01-11.csv", "Date,Subscriptions\n1,2\n")
	ids := []string{address + "/", path(alpha), path(alpha, "applications"), path(alpha, "applications", all[0].ID), path(alpha, "users"), path(alpha, "activity"), path(alpha, "reporting", "channels"),
		path(alpha, "users", w.known(ann).ID), address + "/user-settings", address + "/applications/" + strconv.FormatInt(all[0].ID, 10)}
	for _, get := range ids {
		page := ann.Open(get)
		if page.Status != http.StatusOK {
			t.Errorf("%s: %d", get, page.Status)
		}
		for _, bad := range []string{"<img src=x", "<b>bold", "<i>x"} {
			if strings.Contains(page.Body, bad) {
				t.Errorf("%s: the page has %q", get, bad)
			}
		}
		if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", get, policy)
		}
	}

	ann.Header.Set("Sec-Fetch-Site", "cross-site")
	for _, post := range []string{path(alpha, "users", "new"), path(alpha, "applications", all[0].ID, "remove"), address + "/sign-out"} {
		if page := ann.Submit(post, url.Values{"code": {"X"}}); page.Status != http.StatusForbidden {
			t.Errorf("a form of another site at %s: %d", post, page.Status)
		}
	}
	ann.Header.Del("Sec-Fetch-Site")

	page := ann.Open(path(alpha, "applications", "new"))
	for _, tc := range []struct{ id, reporting, purpose, want string }{
		{"", "yes", "", "Enter the client ID"},
		{"short", "yes", "", "knows no application"},
		{"../../oauth2/jwks", "yes", "", "knows no application"},
		{"amzn1.application-oa2-client.00000000000000000000000000000000", "yes", "", "knows no application"},
		{"x" + markup, "yes", "", "It was added on"},
		{w.app.ID, "", "kept words", "Tick Reporting"},
		{w.app.ID, "yes", strings.Repeat("ä", 1001), "there is room for 1000"},
		{w.app.ID, "yes", "zero \x00 byte", "no text"},
	} {
		page = page.Press("Add application", "Client ID", tc.id, "Reporting", tc.reporting, "What it is for", tc.purpose)
		wantText(t, tc.id, page, http.StatusUnprocessableEntity, tc.want)
		if tc.purpose == "kept words" && !strings.Contains(page.Body, "kept words") {
			t.Error("what was typed is gone")
		}
	}
	// What is added is what was shown.
	page = ann.Open(path(alpha, "applications", "new")).Press("Look up", "Client ID", w.app.ID, "Reporting", "yes")
	other := w.NewApplication()
	page = page.Press("Add application", "Client ID", other.ID)
	wantText(t, "another one than was shown", page, http.StatusOK, "Is this the right application?")
	if all, err := w.store.Applications(t.Context(), alpha.ID); err != nil || len(all) != 1 {
		t.Errorf("%d applications, %v", len(all), err)
	}
	for _, tc := range []struct{ email, days, want string }{
		{"", "7", "Enter one address"}, {"Ann <ann@example.com>", "7", "Enter one address"}, {"a@b, c@d", "7", "Enter one address"},
		{"x@example.com", "3000", "Choose one of these"}, {ann.Email, "7", "is a user of this account already"},
	} {
		page := ann.Submit(path(alpha, "users", "invite"), url.Values{"email": {tc.email}, "days": {tc.days}, "reports": {"yes"}})
		wantText(t, tc.email+" "+tc.days, page, http.StatusUnprocessableEntity, tc.want)
	}
	wantText(t, "no permission at all", ann.Submit(path(alpha, "users", "invite"), url.Values{"email": {"x@example.com"}, "days": {"7"}}), http.StatusUnprocessableEntity, "at least one permission")
	wantText(t, "oneself", ann.Submit(path(alpha, "users", "new"), url.Values{"code": {w.known(ann).UserCode}, "reports": {"yes"}}), http.StatusUnprocessableEntity, "already")
	ann.Submit(address+"/sign-out", nil)
	wantText(t, "signed out meanwhile", ann.Submit(path(alpha, "users", "new"), url.Values{"code": {"X"}}), http.StatusUnauthorized, "Your session has expired", "Please sign in to continue")
}

// TestTokenAttacks: an ID token of another sign-in, and UserInfo of somebody else, are
// not believed (Core sections 3.1.3.7 and 5.3.4).
func TestTokenAttacks(t *testing.T) {
	w := sqlite(t)
	ann, mallory := w.person("Ann Archer"), w.person("Mallory")
	ann.Submit(address+"/sign-out", nil)
	request, err := url.Parse(ann.Send(http.MethodGet, address+"/sign-in", nil).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, "another nonce", ann.Open(with(request, "nonce", "another")), http.StatusBadGateway, "You were not signed in", "does not believe it")
	w.open(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		response, err := w.Client().Transport.RoundTrip(r)
		if err != nil || r.URL.Path != "/oauth2/userinfo" {
			return response, err
		}
		text, err := io.ReadAll(response.Body)
		changed := bytes.ReplaceAll(text, []byte(w.known(ann).Subject), []byte(w.known(mallory).Subject))
		if bytes.Equal(text, changed) {
			t.Errorf("no subject in %s", text)
		}
		response.Body = io.NopCloser(bytes.NewReader(changed))
		return response, err
	})})
	wantText(t, "UserInfo of another", ann.Open(address+"/sign-in"), http.StatusBadGateway, "You were not signed in", "does not believe it")
	if ann.Open(address + "/").Has("Sign out") {
		t.Error("signed in")
	}
}
