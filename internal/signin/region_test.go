package signin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/account"
	"gatelodge/internal/mail"
	"gatelodge/internal/region"
	"gatelodge/internal/sim"
	"gatelodge/internal/store"
)

const (
	naIssuer = "http://localhost:8080"
	euIssuer = "http://127.0.0.1:9090"
)

// regions makes two: the first knows the second, in which Germany is at home. The first
// tunes the first, the second the second.
func regions(t *testing.T, tune ...func(*sim.Options)) (na, eu *sim.World) {
	t.Helper()
	there := sim.Options{Issuer: euIssuer}
	if len(tune) > 1 {
		tune[1](&there)
	}
	eu = sim.NewWith(t, there)
	setting, err := region.NewSetting([]region.Region{
		{Name: "na", Title: "North America", Issuer: naIssuer, Countries: []string{"US"}},
		{Name: "eu", Title: "Europe", Issuer: euIssuer, Countries: []string{"FR", "DE"}, Credentials: eu.Admit("na", "North America", naIssuer)},
	}, naIssuer)
	if err != nil {
		t.Fatal(err)
	}
	o := sim.Options{Issuer: naIssuer, Regions: setting}
	if len(tune) > 0 {
		tune[0](&o)
	}
	na = sim.NewWith(t, o)
	na.Reach(eu)
	return na, eu
}

// noMail makes a server that confirms addresses, and whose mails nobody reads.
type noMail struct{}

func (noMail) Send(context.Context, mail.Message) error { return nil }

func withMails(o *sim.Options) { o.Mail = noMail{} }

const (
	withEurope   = "Sign in with your account of Europe"
	goToEurope   = "Continue in Europe"
	hilda, hilde = "Hilda Geiringer", "hilda@example.com"
)

// arrive is a developer of Germany who makes her account in Europe, and is back.
func arrive(t *testing.T, na *sim.World) *sim.Browser {
	t.Helper()
	b := na.NewBrowser()
	b.Header.Set("Accept-Language", "de-DE, en;q=0.5")
	b.Open("/console/profiles/new?from=mail")
	page := b.Open("/sign-up?continue=" + url.QueryEscape("/console/profiles/new?from=mail"))
	wantPage(t, page, 200, "Your account lives in Europe", "Developers in Germany have their account at 127.0.0.1:9090")
	page = page.Press(goToEurope)
	wantAt(t, page, euIssuer+"/sign-in")
	page = page.Follow("Create an account").Press("Create your account", "Name", hilda, "Email", hilde, "Password", sim.Password)
	wantAt(t, page, euIssuer+"/consent")
	wantPage(t, page, 200, "Another region of the same service.", "North America", hilda, hilde)
	page = page.Press("Allow")
	wantAt(t, page, naIssuer+"/console/profiles/new")
	if page.URL.RawQuery != "from=mail" {
		t.Errorf("came back to %s", page.URL)
	}
	return b
}

func wantPage(t *testing.T, p *sim.Page, status int, words ...string) {
	t.Helper()
	if p.Status != status {
		t.Fatalf("status %d of %s, want %d:\n%s", p.Status, p.URL, status, p.Text())
	}
	for _, w := range words {
		if !strings.Contains(p.Text(), w) {
			t.Errorf("%s does not say %q:\n%s", p.URL, w, p.Text())
		}
	}
}

func wantAt(t *testing.T, p *sim.Page, address string) {
	t.Helper()
	at := *p.URL
	at.RawQuery = ""
	if at.String() != address {
		t.Fatalf("at %s (%d), want %s:\n%s", p.URL, p.Status, address, p.Text())
	}
}

func emailed(t *testing.T, w *sim.World, email string) (account.Account, string) {
	t.Helper()
	a, hash, err := w.Store.AccountByEmail(t.Context(), account.EmailKey(email))
	if err != nil {
		t.Fatal(err)
	}
	return a, hash
}

func TestDeveloperOfAnotherRegion(t *testing.T) {
	na, eu := regions(t)
	b := arrive(t, na)

	a, hash := emailed(t, na, hilde)
	d, err := na.Store.DeveloperOf(t.Context(), a.ID)
	if hash != "" || a.Name != hilda || a.EmailConfirmedAt.IsZero() || err != nil || d.Country != "DE" || d.Company != hilda {
		t.Errorf("the account here: %+v with the password hash %q, %+v, %v", a, hash, d, err)
	}
	home, signsInHere, err := na.Store.HomeOf(t.Context(), a.ID)
	if home.Issuer != euIssuer || signsInHere || err != nil {
		t.Errorf("lives at %+v, signs in here %t, %v", home, signsInHere, err)
	}
	there, _ := emailed(t, eu, hilde)
	if strings.Contains(home.Subject, hilde) || there.ID == a.ID {
		t.Errorf("known as %q", home.Subject)
	}

	page := b.Open("/account")
	wantPage(t, page, 200, "Home region", "Europe")
	if strings.Contains(page.Body, "Change password") || strings.Contains(page.Body, "Change e-mail address") {
		t.Error("the account page offers to change what is kept elsewhere")
	}
	wantPage(t, b.Open("/account/password"), 200, "Your password is kept in Europe")
	wantPage(t, b.Open("/account/email"), 200, "Your e-mail address is kept in Europe")
	wantPage(t, b.Submit("/account/password", url.Values{"password": {""}, "new_password": {"another long password"}}), 409, "Your password is kept in Europe")
	if _, hash := emailed(t, na, hilde); hash != "" {
		t.Error("she has a password here")
	}

	// A profile of hers is one like any other.
	page = b.Open("/console/profiles/new").Press("Save", "Security Profile Name", "Report", "Security Profile Description", "Mine", "Consent Privacy Notice URL", "https://example.com/privacy")
	wantPage(t, page, 200, "Report")

	// She signs out here, and is told that she is still signed in there.
	page = b.Submit("/sign-out", nil)
	wantPage(t, page, 200, "You are signed out here")
	page = page.Follow("Sign out in Europe too")
	wantAt(t, page, euIssuer+"/oauth2/logout")
	page = page.Press("Sign out")
	wantAt(t, page, naIssuer+"/")

	// The next time nothing is asked but who she is.
	page = b.Open("/console")
	wantAt(t, page, naIssuer+"/sign-in")
	page = page.Press(withEurope)
	wantAt(t, page, euIssuer+"/sign-in")
	page = page.Press("Sign in", "Email", hilde, "Password", sim.Password)
	wantAt(t, page, naIssuer+"/console")
	wantPage(t, page, 200, "Report")
	if again, _ := emailed(t, na, hilde); again.ID != a.ID {
		t.Error("another account was made")
	}

	// Her password of Europe is none here, and nobody learns why.
	right := na.NewBrowser().Submit("/sign-in", url.Values{"email": {hilde}, "password": {sim.Password}})
	nobody := na.NewBrowser().Submit("/sign-in", url.Values{"email": {"nobody@example.com"}, "password": {sim.Password}})
	for _, page := range []*sim.Page{right, nobody} {
		wantPage(t, page, 422, "Email or password is not right. Check both and try again. If your account lives in another region, sign in with it below.")
	}
	if a, b := strings.ReplaceAll(right.Body, hilde, "E"), strings.ReplaceAll(nobody.Body, "nobody@example.com", "E"); a != b {
		t.Error("the answer tells whether an address has an account")
	}
}

func TestNothingChangesWithoutRegions(t *testing.T) {
	w := sim.New(t)
	b := w.NewBrowser()
	b.Header.Set("Accept-Language", "de-DE")
	for path, status := range map[string]int{"/sign-in": 200, "/sign-up": 200, "/sign-in/with/eu": 404, "/sign-in/return": 404, "/sign-in/join": 404} {
		page := b.Open(path)
		wantPage(t, page, status)
		if strings.Contains(strings.ToLower(page.Text()), "region") {
			t.Errorf("%s speaks of regions:\n%s", path, page.Text())
		}
	}
}

// TestWhereADeveloperGoes: the country decides, a form without one says nothing, and who
// comes from an application is asked for none.
func TestWhereADeveloperGoes(t *testing.T) {
	na, _ := regions(t)
	for i, tc := range []struct {
		language, continues, country string
		abroad                       bool
	}{
		{"", "/console", "", false},
		{"en-US", "/console", "", false},
		{"de-DE", "/console", "", true},
		{"de-DE", "", "", true},
		{"de-DE", "/console", "US", false},
		{"en-US", "/console", "FR", true},
		{"en-US", "/console", "JP", false}, // nobody names it
		{"de-DE", "/account", "", false},
		{"de-DE", "/consent?request=x", "DE", false},
	} {
		b := na.NewBrowser()
		b.Header.Set("Accept-Language", tc.language)
		form := url.Values{"name": {"Ada"}, "email": {fmt.Sprint("a", i) + "@example.com"}, "password": {sim.Password}, "continue": {tc.continues}}
		if tc.country != "" {
			form.Set("country", tc.country)
		}
		page := b.Send(http.MethodPost, "/sign-up", form)
		if abroad := strings.HasPrefix(page.Header.Get("Location"), "/sign-in/with/eu?"); page.Status != 303 || abroad != tc.abroad {
			t.Errorf("%+v: %d to %s", tc, page.Status, page.Header.Get("Location"))
		}
	}
}

// TestSameAddress: an account here with the same e-mail address is nobody's but who
// knows its password.
func TestSameAddress(t *testing.T) {
	na, _ := regions(t)
	local := na.Developer("Hilda Here")
	b := na.NewBrowser()
	page := b.Open("/sign-in?continue=/console").Press(withEurope).Follow("Create an account").
		Press("Create your account", "Name", "Mallory", "Email", local.Email, "Password", "another password of hers").Press("Allow")
	wantPage(t, page, 200, "You have an account here already", local.Email)
	if _, _, err := na.Store.HomeOf(t.Context(), local.ID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("it is linked already: %v", err)
	}
	if page := b.Open("/account"); page.URL.Path != "/sign-in" {
		t.Fatalf("signed in: %s", page.Text())
	}
	wrong := page.Press("Connect the accounts", "Password", "another password of hers")
	wantPage(t, wrong, 422, "This is not the password of the account here.")
	// Another browser has nothing of it.
	joining := url.Values{"joining": {field(t, page, "joining")}, "password": {sim.Password}}
	wantPage(t, na.NewBrowser().Submit("/sign-in/join", joining), 400, "This page cannot be used any more")

	page = wrong.Press("Connect the accounts", "Password", sim.Password)
	wantAt(t, page, naIssuer+"/console")
	wantPage(t, b.Open("/account"), 200, "Home region", "Change password", "You can sign in here with either")
	other := na.NewBrowser()
	page = other.Open("/sign-in").Press(withEurope).Press("Sign in", "Email", local.Email, "Password", "another password of hers")
	wantAt(t, page, naIssuer+"/console")
	if a, hash := emailed(t, na, local.Email); a.ID != local.ID || hash == "" {
		t.Errorf("account %d with the hash %q, want %d", a.ID, hash, local.ID)
	}
}

func field(t *testing.T, p *sim.Page, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.Body, `name="`+name+`" value="`)
	value, _, _ := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no field %s", name)
	}
	return value
}

// TestAnswersOfARegion: an answer counts once, in the browser that asked, from the region
// that was asked.
func TestAnswersOfARegion(t *testing.T) {
	na, _ := regions(t)
	hers := arrive(t, na)
	begin := func(b *sim.Browser) string {
		t.Helper()
		page := b.Send(http.MethodPost, naIssuer+"/sign-in/with/eu", url.Values{"continue": {"/console"}})
		if page.Status != 303 || !strings.HasPrefix(page.Header.Get("Location"), euIssuer+"/oauth2/authorize?") {
			t.Fatalf("%d to %s", page.Status, page.Header.Get("Location"))
		}
		return page.Header.Get("Location")
	}
	// back follows Europe's redirects until they lead here.
	back := func(b *sim.Browser, address string) *url.URL {
		t.Helper()
		for range 5 {
			page := b.Send(http.MethodGet, address, nil)
			to, err := page.URL.Parse(page.Header.Get("Location"))
			if err != nil || page.Status != 303 && page.Status != 302 {
				t.Fatalf("%s: %d to %v\n%s", address, page.Status, to, page.Text())
			}
			if strings.HasPrefix(to.String(), naIssuer+"/sign-in/return?") {
				return to
			}
			address = to.String()
		}
		t.Fatal("did not come back")
		return nil
	}
	hers.Submit("/sign-out", nil)
	asked, err := url.Parse(begin(hers))
	if err != nil {
		t.Fatal(err)
	}
	q := asked.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("scope") != "openid profile email" || strings.Contains(q.Get("state"), "console") {
		t.Errorf("asked with %v", q)
	}
	at := back(hers, asked.String())
	with := func(pairs ...string) string {
		changed := *at
		q := at.Query()
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		changed.RawQuery = q.Encode()
		return changed.String()
	}
	const notHere, cannot = "This sign-in was not begun here", "This sign-in cannot be used"
	wantPage(t, na.NewBrowser().Open(at.String()), 400, notHere)
	wantPage(t, hers.Open(with("state", "")), 400, notHere)
	wantPage(t, hers.Open(with("state", at.Query().Get("state")[1:])), 400, notHere)
	wantPage(t, hers.Open(with("iss", "")), 400, cannot)
	wantPage(t, hers.Open(with("iss", "https://apac.example.com")), 400, cannot)
	wantPage(t, hers.Open(with("code", "no-code-at-all")), 400, cannot)
	wantPage(t, hers.Open(with("error", "access_denied")), 403, "You did not allow it")
	wantPage(t, hers.Open(with("error", "server_error")), 503, "Europe does not answer now")
	if page := hers.Open("/account"); page.URL.Path != "/sign-in" {
		t.Fatalf("signed in by one of them: %s", page.Text())
	}
	wantAt(t, hers.Open(at.String()), naIssuer+"/console")
	wantPage(t, hers.Open(at.String()), 400, cannot) // once

	// The nonce and the verifier are another question's.
	hers.Submit("/sign-out", nil)
	first := back(hers, begin(hers))
	second := back(hers, begin(hers))
	mixed := *first
	mixedQuery := first.Query()
	mixedQuery.Set("code", second.Query().Get("code"))
	mixed.RawQuery = mixedQuery.Encode()
	wantPage(t, hers.Open(mixed.String()), 400, cannot)
}

// TestRegionDoesNotAnswer: the page says so in words, and the way on works once it does.
func TestRegionDoesNotAnswer(t *testing.T) {
	na, eu := regions(t)
	back := na.Lose(eu)
	b := na.NewBrowser()
	page := b.Open("/sign-in?continue=/console").Press(withEurope)
	wantPage(t, page, 503, "Europe does not answer now", "Try again")
	if page.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	back()
	wantAt(t, b.Open("/sign-in/with/eu?continue=/console"), naIssuer+"/sign-in/with/eu")
}
