package portal_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/slate/portal"
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

// TestBackChannelLogout: sessions end with those at Gatelodge, and by nothing else
// (Back-Channel Logout 1.0 section 2.6).
func TestBackChannelLogout(t *testing.T) {
	w := sqlite(t)
	ann := w.person("Ann Archer")
	subject := w.known(ann).Subject
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	known := true // to the key set
	reachable := true
	// Gatelodge as it is, but with one key more, which the test has.
	client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/oauth2/jwks" && !reachable {
			return nil, errors.New("connection refused")
		}
		response, err := w.Client().Transport.RoundTrip(r)
		if err != nil || r.URL.Path != "/oauth2/jwks" || !known {
			return response, err
		}
		var keys jose.JSONWebKeySet
		if err := json.NewDecoder(response.Body).Decode(&keys); err != nil {
			return nil, err
		}
		keys.Keys = append(keys.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"})
		body, err := json.Marshal(keys)
		response.Body = io.NopCloser(bytes.NewReader(body))
		return response, err
	})}
	w.open(client)
	sign := func(key any, algorithm jose.SignatureAlgorithm, claims map[string]any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k").WithType("logout+jwt"))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := token.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	// claims are good ones, changed by pairs of names and values; nil takes one away.
	claims := func(pairs ...any) map[string]any {
		now := w.now().Unix()
		c := map[string]any{
			"iss": w.Issuer, "aud": w.client.ID, "sub": subject, "iat": now, "exp": now + 120, "jti": rand.Text(),
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if c[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
				delete(c, pairs[i].(string))
			}
		}
		return c
	}
	good := func(pairs ...any) string { return sign(key, jose.RS256, claims(pairs...)) }
	send := func(form url.Values) sim.Answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+portal.BackChannelPath, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.Do(r)
	}
	signedIn := func() bool { return ann.Open(address + "/").Has("Sign out") }
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good(), ".")[1] + "."
	now := w.now().Unix()
	for name, token := range map[string]string{
		"nothing":             "",
		"no token":            "x",
		"not signed":          unsigned,
		"a stranger’s key":    sign(stranger, jose.RS256, claims()),
		"Slate’s own secret":  sign([]byte(w.client.Secret), jose.HS256, claims()),
		"another issuer":      good("iss", "https://evil.example"),
		"another audience":    good("aud", w.app.ID),
		"no audience":         good("aud", nil),
		"over":                good("exp", now-1),
		"old":                 good("iat", now-3600),
		"of the future":       good("iat", now+3600, "exp", now+7200),
		"of no time":          good("iat", nil),
		"of nobody":           good("sub", nil),
		"no events":           good("events", nil),
		"another event":       good("events", map[string]any{"https://evil.example/event": map[string]any{}}),
		"an event of text":    good("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": "yes"}),
		"an ID token’s nonce": good("nonce", "n"),
		"no id":               good("jti", nil),
		"an id of a number":   good("jti", 7),
	} {
		if got := send(url.Values{"logout_token": {token}}); got.Status != http.StatusBadRequest || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := send(url.Values{"logout_token": {good(), good()}}); got.Status != http.StatusBadRequest {
		t.Errorf("two tokens: %v", got)
	}
	if got := send(url.Values{"logout_token": {strings.Repeat("a", 20_000)}}); got.Status != http.StatusRequestEntityTooLarge || got.Text("error") == "" {
		t.Errorf("a long one: %v", got)
	}
	if got := send(url.Values{"logout_token": {good("sub", "amzn1.account.SOMEBODYELSE")}}); got.Status != http.StatusOK {
		t.Errorf("somebody whom Slate does not know: %v", got)
	}
	if !signedIn() {
		t.Fatal("signed out by one of these")
	}
	token := good()
	if got := send(url.Values{"logout_token": {token}}); got.Status != http.StatusOK || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a good one: %v", got)
	}
	if signedIn() {
		t.Error("still signed in")
	}
	w.signIn(ann)
	if got := send(url.Values{"logout_token": {token}}); got.Status != http.StatusBadRequest {
		t.Errorf("for the second time: %v", got)
	}
	w.open(client) // another process on the database, or this one after a restart
	if got := send(url.Values{"logout_token": {token}}); got.Status != http.StatusBadRequest {
		t.Errorf("for the third time, elsewhere: %v", got)
	}
	known = false
	w.open(client)
	if got := send(url.Values{"logout_token": {good()}}); got.Status != http.StatusBadRequest {
		t.Errorf("a key that Gatelodge does not have: %v", got)
	}
	reachable = false
	w.open(client)
	if got := send(url.Values{"logout_token": {good()}}); got.Status != http.StatusServiceUnavailable {
		t.Errorf("keys that cannot be read: %v", got)
	}
	if !signedIn() {
		t.Error("signed out by one of the last")
	}
	for range 200 {
		got := send(url.Values{"logout_token": {"x"}})
		if got.Status == http.StatusTooManyRequests {
			if got.Header.Get("Retry-After") != "1" {
				t.Errorf("%v", got.Header)
			}
			return
		}
	}
	t.Error("200 bad tokens, and no end of it")
}

// TestSignedOutAtGatelodge: Gatelodge's own logout token ends the session here, and
// that of the same browser alone.
func TestSignedOutAtGatelodge(t *testing.T) {
	w := sqlite(t)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	w.portal(address, w.Client()).Routes(mux)
	w.client.Set(func(s *registry.Settings) { s.BackChannelLogoutURI = server.URL + portal.BackChannelPath })
	ann := w.person("Ann Archer")
	elsewhere := w.NewBrowser()
	ann.SignIn(elsewhere)
	if !elsewhere.Open(address + "/sign-in").Has("Sign out") {
		t.Fatal("not signed in elsewhere")
	}
	ann.Open("/sign-out").Press("Sign out")
	for deadline := time.Now().Add(10 * time.Second); ann.Open(address + "/").Has("Sign out"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still signed in at Slate")
		}
	}
	if !elsewhere.Open(address + "/").Has("Sign out") {
		t.Error("signed out elsewhere too")
	}
}

// TestFacts: what is told of a client is believed no further than it goes.
func TestFacts(t *testing.T) {
	w := sqlite(t)
	ann := w.person("Ann Archer")
	alpha := w.account("Alpha Pictures", ann, store.Rights{Manage: true})
	var status int
	var body string
	w.open(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if !strings.HasPrefix(r.URL.Path, "/oauth2/clients/") {
			return w.Client().Transport.RoundTrip(r)
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})})
	const id = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
	for name, tc := range map[string]struct {
		status int
		body   string
		want   int
		says   string
	}{
		"good":             {200, `{"client_id":"` + id + `","client_name":"Downloader","publisher":"Company","policy_uri":"https://a.example/p"}`, 200, "by Company"},
		"another client":   {200, `{"client_id":"other","client_name":"Downloader"}`, 503, "does not answer"},
		"no name":          {200, `{"client_id":"` + id + `"}`, 503, "does not answer"},
		"no JSON":          {200, `<html>`, 503, "does not answer"},
		"without end":      {200, `{"client_id":"` + strings.Repeat("a", 100_000), 503, "does not answer"},
		"too many":         {429, ``, 503, "does not answer"},
		"down":             {502, ``, 503, "does not answer"},
		"not known":        {404, `{}`, 422, "knows no application"},
		"a picture abroad": {200, `{"client_id":"` + id + `","client_name":"Downloader","logo_uri":"https://evil.example/x.png","policy_uri":"javascript:alert(1)"}`, 200, "Downloader"},
	} {
		status, body = tc.status, tc.body
		page := ann.Open(path(alpha, "applications", "new")).Press("Look up", "Client ID", id)
		wantText(t, name, page, tc.want, tc.says)
		for _, bad := range []string{"evil.example", "javascript:"} {
			if strings.Contains(page.Body, bad) || strings.Contains(page.Header.Get("Content-Security-Policy"), bad) {
				t.Errorf("%s: the page has %q", name, bad)
			}
		}
	}
}

// TestUnconfirmed: an address that nobody confirmed opens no invitation.
func TestUnconfirmed(t *testing.T) {
	w := sqlite(t)
	ann := w.person("Ann Archer")
	alpha := w.account("Alpha Pictures", ann, store.Rights{Manage: true})
	mallory := w.SignUp("Mallory")
	if err := w.store.Invite(t.Context(), alpha.ID, mallory.Email, store.Rights{Manage: true}, w.now().Add(time.Hour), store.Actor{PersonID: w.known(ann).ID, At: w.now()}); err != nil {
		t.Fatal(err)
	}
	// Gatelodge as it is, but for what it says of addresses.
	w.open(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		response, err := w.Client().Transport.RoundTrip(r)
		if err != nil || r.URL.Path != "/oauth2/userinfo" {
			return response, err
		}
		text, err := io.ReadAll(response.Body)
		changed := bytes.Replace(text, []byte(`"email_verified":true`), []byte(`"email_verified":false`), 1)
		if bytes.Equal(text, changed) {
			t.Errorf("no confirmed address in %s", text)
		}
		response.Body = io.NopCloser(bytes.NewReader(changed))
		return response, err
	})})
	wantText(t, "not confirmed", w.signIn(mallory), http.StatusOK, "You are not in an account yet", "Yours is not confirmed yet")
	w.open(w.Client())
	mallory.Submit(address+"/sign-out", nil)
	wantText(t, "confirmed", w.signIn(mallory), http.StatusOK, "Alpha Pictures")
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
