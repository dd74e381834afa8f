package signin

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/account"
)

func TestSignUpOnLoopback(t *testing.T) {
	w := newWorld(t, onLoopback)
	b := w.browser()
	b.get("/sign-up").want(t, 200, ">Name</label>", ">Email</label>", ">Password</label>", ">Create your developer account</button>", `value="US" selected`)
	b.do("GET", "/sign-up", nil, "Accept-Language", "de-CH, de;q=0.9").want(t, 200, `value="CH" selected`)

	// Three fields are enough.
	got := b.do("POST", "/sign-up", url.Values{"name": {"Ann"}, "email": {"ann@example.com"}, "password": {password}}, "Accept-Language", "fr-CA")
	got.leads(t, "/console")
	if !b.signedIn() {
		t.Fatal("not signed in after signing up")
	}
	a, _, err := w.store.AccountByEmail(t.Context(), "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	d, err := w.store.DeveloperOf(t.Context(), a.ID)
	if err != nil || d.Company != "Ann" || d.Country != "CA" {
		t.Errorf("developer account %+v, %v, want Ann's in CA", d, err)
	}
	if a.EmailConfirmedAt.IsZero() {
		t.Error("the address is not confirmed, but nobody asks for it here")
	}

	taken := w.browser().post("/sign-up", "name", "Eve", "email", "Ann@Example.com", "password", password)
	taken.want(t, 422, "account with this address already", `value="Eve"`, `href="/sign-in"`)
	taken.lacks(t, password)

	w.browser().post("/sign-up", "name", "Bob", "email", "bob@example.com", "password", password, "company", "Bob & Co", "country", "SE").leads(t, "/console")
	bob, _, err := w.store.AccountByEmail(t.Context(), "bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if d, err := w.store.DeveloperOf(t.Context(), bob.ID); err != nil || d.Company != "Bob & Co" || d.Country != "SE" {
		t.Errorf("developer account %+v, %v, want Bob & Co in SE", d, err)
	}
}

// Who comes from an application, or to their own page, gets no developer account.
func TestSignUpOfUser(t *testing.T) {
	w := newWorld(t, onLoopback)
	for email, to := range map[string]string{"ann@example.com": "/consent?r=x", "bob@example.com": "/account/applications"} {
		b := w.browser()
		page := b.get("/sign-up?" + url.Values{"continue": {to}}.Encode())
		page.want(t, 200, ">Create your account</button>")
		page.lacks(t, "developer", "Company")
		b.post("/sign-up", "name", "A", "email", email, "password", password, "continue", to, "company", "X").leads(t, to)
		a, _, err := w.store.AccountByEmail(t.Context(), email)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := w.store.DeveloperOf(t.Context(), a.ID); err == nil {
			t.Errorf("%s: made a developer account %+v", to, d)
		}
	}
	w.browser().post("/sign-up", "name", "C", "email", "c@example.com", "password", password, "continue", "//evil.example").leads(t, "/console")
}

func TestSignUpRefuses(t *testing.T) {
	w := newWorld(t, onLoopback)
	b := w.browser()
	for name, tc := range map[string]struct {
		fields []string
		want   string
	}{
		"no name":        {[]string{"email", "a@example.com", "password", password}, "Enter your name."},
		"no email":       {[]string{"name", "Ann", "password", password}, "Enter your e-mail address"},
		"short password": {[]string{"name", "Ann", "email", "a@example.com", "password", "sesame7"}, "Choose a longer password"},
		"own password":   {[]string{"name", "Ann Example", "email", "a@example.com", "password", "annexample"}, "not your name"},
		"bad country":    {[]string{"name", "Ann", "email", "a@example.com", "password", password, "country", "Atlantis"}, "Choose your country"},
		"long company":   {[]string{"name", "Ann", "email", "a@example.com", "password", password, "company", strings.Repeat("x", 101)}, "at most 100 characters"},
	} {
		got := b.post("/sign-up", tc.fields...)
		got.want(t, 422, tc.want)
		got.lacks(t, "sesame7", password)
		for i := 0; i < len(tc.fields); i += 2 {
			if tc.fields[i] == "name" && !strings.Contains(got.body, `value="`+tc.fields[i+1]+`"`) {
				t.Errorf("%s: the name is lost", name)
			}
		}
	}
	b.post("/sign-up", "name", "Ann", "email", "mailto:ann@example.com", "password", password).want(t, 422, "Use this instead", `value="ann@example.com"`)
	b.post("/sign-up", "name", "Ann", "email", "mailto:ann@example.com", "suggest.email", "ann@example.com").want(t, 200, `value="ann@example.com"`)
}

func TestSignUpNameIsText(t *testing.T) {
	w := newWorld(t, onLoopback)
	const name = `"><script>alert(1)</script>`
	b := w.browser()
	b.post("/sign-up", "name", name, "email", "a@example.com", "password", "short").lacks(t, "<script>alert")
	b.post("/sign-up", "name", name, "email", "a@example.com", "password", password).leads(t, "/console")
	for _, path := range []string{"/account", "/account/email", "/account/delete", "/sign-out"} {
		b.get(path).lacks(t, "<script>alert")
	}
}

// On a server that sends mail the answer does not say whether an address is taken.
func TestSignUpByMail(t *testing.T) {
	w := newWorld(t)
	w.account("Ann@example.com", "Ann")
	stranger := w.browser()
	free := stranger.post("/sign-up", "name", "Bob", "email", "bob@example.com", "password", password, "continue", "/consent?r=x")
	free.want(t, 200, "Check your mail", `href="/sign-in?continue=%2Fconsent%3Fr%3Dx"`)
	taken := stranger.post("/sign-up", "name", "Bob", "email", "ann@example.com", "password", password, "continue", "/consent?r=x")
	taken.want(t, 200, "Check your mail")
	if got := strings.ReplaceAll(words(taken.body), "ann@", "bob@"); got != words(free.body) {
		t.Errorf("free and taken address are answered differently:\n%s\n---\n%s", words(free.body), got)
	}
	if stranger.cookie("gatelodge_session") != "" {
		t.Error("a session says that the address was free")
	}

	mails := w.inbox(2)
	toBob, toAnn := mails[0], mails[1]
	if toBob.To == "Ann@example.com" {
		toBob, toAnn = toAnn, toBob
	}
	if toAnn.To != "Ann@example.com" || !strings.Contains(toAnn.Text, issuer+"/sign-in") || !strings.Contains(toAnn.Text, issuer+"/recover") {
		t.Errorf("mail to the owner of the taken address: %+v", toAnn)
	}
	link := w.link(toBob)

	bob := w.browser()
	bob.get(link).leads(t, "/sign-in?"+url.Values{"continue": {link}}.Encode())
	bob.post("/sign-in", "email", "bob@example.com", "password", password, "continue", link).leads(t, link)
	bob.get("/account").want(t, 200, "Not confirmed", "Send the mail again")
	bob.get(link).want(t, 200, "bob@example.com", ">Confirm</button>")
	bob.get("/account").want(t, 200, "Not confirmed") // GET confirms nothing
	token := strings.TrimPrefix(link, "/confirm-email?token=")

	ann := w.browser()
	ann.signIn("ann@example.com")
	ann.post("/confirm-email", "token", token).want(t, 403, "another account")
	bob.get("/account").want(t, 200, "Not confirmed")

	bob.post("/confirm-email", "token", token).leads(t, "/account?done=email-confirmed")
	page := bob.get("/account?done=email-confirmed")
	page.want(t, 200, "Your e-mail address is confirmed")
	page.lacks(t, "Not confirmed")
	bob.post("/confirm-email", "token", token[:len(token)-2]).want(t, 410)
	bob.get("/confirm-email").want(t, 410)
}

func TestConfirmationEnds(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.post("/sign-up", "name", "Ann", "email", "ann@example.com", "password", password).want(t, 200)
	link := w.link(w.inbox(1)[0])
	w.wait(account.ConfirmationLifetime)
	b.signIn("ann@example.com")
	b.get(link).want(t, 410, "cannot be used any more")

	b.post("/account/confirmation").leads(t, "/account?done=confirmation")
	b.get(w.link(w.inbox(2)[1])).want(t, 200, ">Confirm</button>")
	for range 5 {
		b.post("/account/confirmation").leads(t, "/account?done=confirmation")
	}
	time.Sleep(20 * time.Millisecond)
	if n := len(w.inbox(2)); n != account.RecoveryByAccount.Rate().Burst+1 {
		t.Errorf("%d mails, want one for the sign-up and %d more", n, account.RecoveryByAccount.Rate().Burst)
	}
}

func TestSignUpIsSlowed(t *testing.T) {
	w := newWorld(t, onLoopback)
	b := w.browser()
	for i := range account.SignUpByAddress.Rate().Burst {
		b.post("/sign-up", "name", "A", "email", string(rune('a'+i))+"@example.com", "password", password).leads(t, "/console")
	}
	got := b.post("/sign-up", "name", "Zoe", "email", "z@example.com", "password", password)
	got.want(t, 429, "Wait 6 minutes", `value="Zoe"`)
	if got.header.Get("Retry-After") != "360" {
		t.Errorf("Retry-After %q, want 360", got.header.Get("Retry-After"))
	}
}

func TestSignUpWhenNotOpen(t *testing.T) {
	for rule, want := range map[SignUp]string{Invite: "New accounts are by invitation", Closed: "New accounts cannot be made here"} {
		w := newWorld(t, func(o *Options) { o.SignUp = rule })
		b := w.browser()
		b.get("/sign-up").want(t, 200, want, `href="/help/contact">Contact us`)
		b.post("/sign-up", "name", "A", "email", "a@example.com", "password", password).want(t, 403, want)
		if _, _, err := w.store.AccountByEmail(t.Context(), "a@example.com"); err == nil {
			t.Errorf("%s: an account was made", rule)
		}
		b.get("/sign-in").lacks(t, "/sign-up")
	}
}

func TestPreferredCountry(t *testing.T) {
	for header, want := range map[string]string{
		"": "US", "de": "US", "de-CH": "CH", "de-ch;q=0.8, fr-FR": "CH", "en, pt-BR;q=0.5": "BR", "zh-Hant-TW": "TW",
		"es-419, es-MX": "MX", "*": "US", "en-x-de": "US", "-,--,;": "US", "en-ZZ": "US",
	} {
		if got := preferredCountry(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
