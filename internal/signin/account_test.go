package signin

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

func TestAccountDetails(t *testing.T) {
	w := newWorld(t, onLoopback)
	ann := w.account("ann@example.com", "Ann")
	b := w.browser()
	if got := b.get("/account"); got.status != 303 || got.to != "/sign-in?continue=%2Faccount" {
		t.Errorf("not signed in: %d to %q", got.status, got.to)
	}
	b.signIn("ann@example.com")
	b.get("/account").want(t, 200, `value="Ann"`, ">Postal code</label>", "ann@example.com", "This browser", "Account created")
	b.post("/account", "name", "Ann B.", "postal_code", "SW1A 1AA", "version", "1").leads(t, "/account?done=details")
	b.get("/account?done=details").want(t, 200, `value="Ann B."`, `value="SW1A 1AA"`, "Saved")
	b.post("/account", "name", "", "postal_code", "§", "version", "2").want(t, 422, "Enter your name.", `value="§"`)

	// Two at once: the second sees both.
	b.post("/account", "name", "Anna", "postal_code", "SW1A 1AA", "version", "1").want(t, 409, "it is “Ann B.” now", `value="Anna"`, `name="version" value="2"`)
	b.post("/account", "name", "Anna", "postal_code", "SW1A 1AA", "version", "2").leads(t, "/account?done=details")
	if a, err := w.store.Account(t.Context(), ann.ID); err != nil || a.Name != "Anna" || a.PostalCode != "SW1A 1AA" {
		t.Errorf("saved %+v, %v", a, err)
	}
	b.get("/account?done=<b>nonsense</b>").lacks(t, "nonsense")

	// Typed before the session ran out: shown, not saved.
	w.wait(account.SessionIdle + time.Minute)
	page := b.post("/account", "name", "Annabel", "postal_code", "", "version", "3")
	sealed := typedField.FindStringSubmatch(page.body)
	if page.status != 401 || sealed == nil {
		t.Fatalf("%d\n%s", page.status, page.body)
	}
	b.signIn("ann@example.com")
	b.post("/account", "typed", sealed[1]).want(t, 200, `value="Annabel"`)
	if a, err := w.store.Account(t.Context(), ann.ID); err != nil || a.Name != "Anna" {
		t.Errorf("saved %+v, %v", a, err)
	}
}

func TestChangeEmailOnLoopback(t *testing.T) {
	w := newWorld(t, onLoopback)
	w.account("ann@example.com", "Ann")
	w.account("bob@example.com", "Bob")
	b := w.browser()
	b.signIn("ann@example.com")
	b.post("/account/email", "email", "new@example.com", "password", "wrong").want(t, 422, "not your present password", `value="new@example.com"`)
	b.post("/account/email", "email", "bob@example.com", "password", password).want(t, 422, "another account")
	b.post("/account/email", "email", "ann@example.com", "password", password).want(t, 422, "your address already")
	b.post("/account/email", "email", "new@example.com", "password", password).leads(t, "/account?done=email")
	w.browser().post("/sign-in", "email", "ann@example.com", "password", password).want(t, 422)
	w.browser().signIn("new@example.com")
}

func TestChangeEmailByMail(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	w.account("bob@example.com", "Bob")
	b := w.browser()
	b.signIn("ann@example.com")
	b.post("/account/email", "email", "bob@example.com", "password", password).leads(t, "/account?done=email-asked")
	if m := w.inbox(1)[0]; m.To != "bob@example.com" || strings.Contains(m.Text, "confirm-email") {
		t.Errorf("mail to the owner of the taken address: %+v", m)
	}
	b.post("/account/email", "email", "first@example.com", "password", password).leads(t, "/account?done=email-asked")
	first := w.inbox(2)[1]
	b.post("/account/email", "email", "second@example.com", "password", password).leads(t, "/account?done=email-asked")
	second := w.inbox(3)[2]
	if first.To != "first@example.com" || second.To != "second@example.com" {
		t.Fatalf("mails to %s and %s", first.To, second.To)
	}
	b.get("/account").want(t, 200, "ann@example.com") // nothing has changed yet

	_, token, _ := strings.Cut(w.link(second), "token=")
	b.post("/confirm-email", "token", token).leads(t, "/account?done=email-confirmed")
	got := b.get("/account")
	got.want(t, 200, "second@example.com")
	got.lacks(t, "Not confirmed")
	// A link that was sent before the change does not undo it.
	_, token, _ = strings.Cut(w.link(first), "token=")
	b.post("/confirm-email", "token", token).want(t, 410)
	w.browser().signIn("second@example.com")
}

func TestChangeEmailWithoutMail(t *testing.T) {
	w := newWorld(t, func(o *Options) { onLoopback(o); o.Email = account.ConfirmRequired })
	w.account("ann@example.com", "Ann")
	b := w.browser()
	b.signIn("ann@example.com")
	b.get("/account/email").want(t, 200, "sends no mail")
	b.post("/account/email", "email", "new@example.com", "password", password).want(t, 503, "sends no mail")
	b.get("/account").want(t, 200, "ann@example.com")
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	b, other := w.browser(), w.browser()
	b.signIn("ann@example.com")
	other.signIn("ann@example.com")
	b.post("/account/password", "password", "wrong", "new_password", fresh).want(t, 422, "not your present password")
	b.post("/account/password", "password", password, "new_password", password).want(t, 422, "Choose another")
	b.post("/account/password", "password", password, "new_password", "password1").want(t, 422, "first that anyone would try")
	b.post("/account/password", "password", password, "new_password", fresh).leads(t, "/account?done=password")
	if !b.signedIn() || other.signedIn() {
		t.Errorf("this browser in: %v, want true; the other in: %v, want false", b.signedIn(), other.signedIn())
	}
	w.browser().post("/sign-in", "email", "ann@example.com", "password", fresh).leads(t, "/account")
	if m := w.inbox(1)[0]; m.To != "ann@example.com" || !strings.Contains(m.Subject, "was changed") {
		t.Errorf("the owner was told %+v", m)
	}
}

var sessionButton = regexp.MustCompile(`name="session" value="([^"]+)"`)

func TestSessions(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	w.account("eve@example.com", "Eve")
	b, phone, tablet, eve := w.browser(), w.browser(), w.browser(), w.browser()
	b.signIn("ann@example.com")
	w.wait(time.Minute)
	phone.address = "198.51.100.4"
	phone.signIn("ann@example.com")
	tablet.signIn("ann@example.com")
	eve.signIn("eve@example.com")

	page := b.get("/account")
	page.want(t, 200, "198.51.100.4", "End all others")
	all := sessionButton.FindAllStringSubmatch(page.body, -1)
	if len(all) != 3 {
		t.Fatalf("%d sessions, want 3\n%s", len(all), page.body)
	}
	for _, one := range all {
		eve.post("/account/sessions", "session", one[1])
	}
	if !phone.signedIn() || !b.signedIn() {
		t.Fatal("another account ended the session")
	}
	eve.post("/account/sessions", "session", "nonsense").want(t, 404)

	row := page.body[:strings.Index(page.body, "198.51.100.4")+600]
	id := sessionButton.FindStringSubmatch(row[strings.Index(row, "198.51.100.4"):])
	b.post("/account/sessions", "session", id[1]).leads(t, "/account?done=session")
	if phone.signedIn() || !tablet.signedIn() {
		t.Error("not the session that was named has ended")
	}
	b.post("/account/sessions", "others", "1").leads(t, "/account?done=sessions")
	if tablet.signedIn() || !b.signedIn() || !eve.signedIn() {
		t.Error("ending all others: not the account's others have ended")
	}
	b.get("/account").lacks(t, "End all others")
}

func scopeSet(names ...string) oauth.ScopeSet {
	scopes, err := registry.NewScopes(registry.BuiltIn())
	if err != nil {
		panic(err)
	}
	set, _ := scopes.Parse(names)
	return set
}

func TestApplications(t *testing.T) {
	w := newWorld(t)
	ann := w.account("ann@example.com", "Ann")
	w.account("eve@example.com", "Eve")
	b, eve := w.browser(), w.browser()
	b.signIn("ann@example.com")
	eve.signIn("eve@example.com")
	b.get("/account/applications").want(t, 200, "No application is connected")

	p := w.application("Video <b>Reports</b>")
	g, err := w.store.Allow(t.Context(), store.Allowance{
		AccountID: ann.ID, ProfileID: p.ID, Asked: scopeSet("profile", "postal_code"), Allowed: scopeSet("profile"), Words: "w",
	}, audit.By{AccountID: ann.ID, At: w.now()})
	if err != nil {
		t.Fatal(err)
	}
	page := b.get("/account/applications")
	page.want(t, 200, "Video &lt;b&gt;Reports&lt;/b&gt;", "by Video", "Your name and e-mail address", "2 Mar 2026", "Never",
		`href="https://app.example/privacy"`, ">Remove</button>")
	page.lacks(t, "Your postal code", "<b>Reports")
	id := regexp.MustCompile(`name="grant" value="(\d+)"`).FindStringSubmatch(page.body)[1]

	eve.post("/account/applications", "grant", id).want(t, 404, "not connected")
	for _, wrong := range []string{"", "x", "99999999999999999999", "-1"} {
		b.post("/account/applications", "grant", wrong).want(t, 404)
	}
	if _, _, err := w.store.GrantFor(t.Context(), ann.ID, p.ID); err != nil {
		t.Fatalf("the grant is gone: %v", err)
	}
	b.post("/account/applications", "grant", id).leads(t, "/account/applications?done=removed")
	b.get("/account/applications?done=removed").want(t, 200, "From now on it gets nothing more. What it has received already stays with it.", "No application is connected")
	if _, _, err := w.store.GrantSnapshot(t.Context(), g.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the grant is still there: %v", err)
	}
	b.post("/account/applications", "grant", id).want(t, 404)
}

func TestDeleteAccount(t *testing.T) {
	w := newWorld(t)
	ann := w.account("ann@example.com", "Ann")
	d, err := w.store.CreateDeveloper(t.Context(), ann.ID, store.NewDeveloper{Company: "Ann's Works", Country: "GB"}, audit.By{At: w.now()})
	if err != nil {
		t.Fatal(err)
	}
	own, foreign := w.profile(d.ID, "Own"), w.application("Foreign")
	g, err := w.store.Allow(t.Context(), store.Allowance{AccountID: ann.ID, ProfileID: foreign.ID, Asked: scopeSet("profile"), Allowed: scopeSet("profile"), Words: "w"}, audit.By{At: w.now()})
	if err != nil {
		t.Fatal(err)
	}
	b, other := w.browser(), w.browser()
	b.signIn("ann@example.com")
	other.signIn("ann@example.com")
	b.get("/account/delete").want(t, 200, "1 connected application:", "Ann&#39;s Works", "1 security profile ", ">Type delete to confirm</label>")
	b.post("/account/delete", "confirm", "remove", "password", password).want(t, 422, "Type the word delete")
	b.post("/account/delete", "confirm", "delete", "password", "wrong").want(t, 422, "not your present password")
	if !b.signedIn() {
		t.Fatal("deleted too early")
	}
	b.post("/account/delete", "confirm", "delete", "password", password).want(t, 200, "Your account is deleted")
	if b.signedIn() || other.signedIn() {
		t.Error("a session lives on")
	}
	if _, err := w.store.Account(t.Context(), ann.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the account: %v", err)
	}
	if _, _, err := w.store.GrantSnapshot(t.Context(), g.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("its grant: %v", err)
	}
	if _, _, err := w.store.ProfileByID(t.Context(), own.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("its profile: %v", err)
	}
	if _, _, err := w.store.ProfileByID(t.Context(), foreign.ID); err != nil {
		t.Errorf("somebody else's profile: %v", err)
	}
	w.browser().post("/sign-in", "email", "ann@example.com", "password", password).want(t, 422)
}

func TestDeviceInWords(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":   "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":           "Safari on Mac",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36":           "Chrome on Android",
		"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0":                                                          "Firefox on Linux",
		"curl/8.5.0": "curl",
		"":           "Unknown device",
		"<script>":   "Unknown device",
	} {
		if got := deviceInWords(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
