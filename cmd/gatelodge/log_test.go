package main

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// browser is a person's, without JavaScript.
type browser struct {
	t      *testing.T
	client *http.Client
	issuer string
}

func newBrowser(t *testing.T, issuer string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t, &http.Client{Jar: jar, CheckRedirect: stay}, issuer}
}

func (b *browser) send(method, address string, form url.Values, headers ...string) answer {
	b.t.Helper()
	r := newRequest(b.t, method, address, form)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return do(b.t, b.client, r)
}

// post sends a form of a page of the server, and wants a status.
func (b *browser) post(path string, form url.Values, status int, headers ...string) answer {
	b.t.Helper()
	a := b.send(http.MethodPost, b.issuer+path, form, headers...)
	if a.status != status {
		b.t.Fatalf("POST %s: %d, want %d\n%s", path, a.status, status, a.body)
	}
	return a
}

// open goes to a page and what it redirects to on the server. It gives the address
// that it ends at.
func (b *browser) open(address string) (answer, string) {
	b.t.Helper()
	for range 10 {
		a := b.send(http.MethodGet, address, nil)
		location := a.header.Get("Location")
		if location == "" || !strings.HasPrefix(location, "/") && !strings.HasPrefix(location, b.issuer) {
			return a, address
		}
		address = b.issuer + strings.TrimPrefix(location, b.issuer)
	}
	b.t.Fatalf("too many redirects, the last to %s", address)
	return answer{}, ""
}

// cookies are the values of all cookies.
func (b *browser) cookies() (values []string) {
	b.t.Helper()
	u, err := url.Parse(b.issuer + "/consent")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		values = append(values, c.Value)
	}
	if values == nil {
		b.t.Fatal("the browser has no cookie")
	}
	return values
}

// found is what a page has in the place of the parentheses.
func found(t *testing.T, a answer, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no %s in %d %s", pattern, a.status, a.body)
	}
	return m[1]
}

// TestLogHoldsNoSecrets: after the whole walk, with its failures, nothing in the
// log lets its reader in anywhere, or tells who did what.
func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	const (
		email         = "ada.lovelace@example.com"
		wrongPassword = "Tr0ub4dor-and-3"
		state         = "state-of-the-application"
		nonsense      = "nonsense-in-a-query"
	)
	in := &installation{flags: []string{"--data", t.TempDir()}}
	s := in.serve(t)
	b := newBrowser(t, s.issuer)
	secrets := map[string]string{
		"the password": password, "a wrong password": wrongPassword, "the state": state, "a query": nonsense, "an e-mail address": email, "its other spelling": url.QueryEscape(email),
	}

	// A developer signs up, fails to sign in, signs in, and looks at a client secret.
	b.post("/sign-up", url.Values{"name": {"Ada Lovelace"}, "email": {email}, "password": {password}, "continue": {"/console"}}, http.StatusSeeOther)
	secrets["a session"] = strings.Join(b.cookies(), "\n")
	c := in.client(t, email)
	secrets["the client secret"] = c.secret
	b.post("/sign-out", nil, http.StatusSeeOther)
	b.post("/sign-in", url.Values{"email": {email}, "password": {wrongPassword}}, http.StatusUnprocessableEntity)
	b.post("/sign-in", url.Values{"email": {email}, "password": {password}}, http.StatusSeeOther)
	list, _ := b.open(s.issuer + "/console")
	settings, _ := b.open(s.issuer + found(t, list, `"(/console/profiles/[^/"]+/web-settings)"`))
	shown := b.post(found(t, settings, `"(/console/profiles/[^/"]+/secrets/[^/"]+/show)"`), nil, http.StatusOK, "Accept", "application/json")
	if shown.text("secret") != c.secret {
		t.Errorf("the console shows the secret as %s", shown.body)
	}

	// A user allows the application, which first sends a wrong secret.
	authorize := url.Values{"client_id": {c.id}, "redirect_uri": {returnURL}, "response_type": {"code"}, "scope": {"profile"}, "state": {state}}
	consent, address := b.open(s.issuer + "/ap/oa?" + authorize.Encode())
	secrets["cookies"] = strings.Join(b.cookies(), "\n")
	sealed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range sealed.Query() {
		secrets["the parameter "+name+" of the consent page"] = values[0]
	}
	back, err := url.Parse(b.post(strings.TrimPrefix(address, s.issuer), url.Values{
		"decision": {"allow"}, "account": {found(t, consent, `name="account" value="(\d+)"`)},
	}, http.StatusSeeOther).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	code := back.Query().Get("code")
	exchange := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {returnURL}}
	wrong := client{c.id, "amzn1.oa2-cs.v1." + strings.Repeat("5", 64)}
	secrets["a wrong client secret"] = wrong.secret
	if a := s.token(t, wrong, exchange); a.status != http.StatusUnauthorized {
		t.Errorf("a wrong client secret: %d %s", a.status, a.body)
	}
	tokens := s.token(t, c, exchange)
	if replayed := s.token(t, c, url.Values{"grant_type": {"authorization_code"}, "code": {"nonsense"}, "redirect_uri": {returnURL}}); replayed.status != http.StatusBadRequest {
		t.Errorf("a made-up code: %d %s", replayed.status, replayed.body)
	}
	refreshed := s.refresh(t, c, tokens.text("refresh_token"))
	secrets["the code"], secrets["an access token"] = code, tokens.text("access_token")
	secrets["a refresh token"], secrets["another access token"] = tokens.text("refresh_token"), refreshed.text("access_token")
	if a := s.profile(t, refreshed.text("access_token")); a.text("email") != email {
		t.Errorf("the profile: %d %s", a.status, a.body)
	}

	// Secrets in addresses, where they may be and where they have nothing to do.
	for _, path := range []string{
		"/auth/o2/tokeninfo?" + url.Values{"access_token": {tokens.text("access_token")}}.Encode(),
		"/auth/o2/tokeninfo?access_token=" + nonsense,
		"/auth/o2/token?" + exchange.Encode(),
		"/nowhere/" + nonsense + "?" + exchange.Encode(),
		"/sign-in?continue=/console?q=" + nonsense,
		"/console/profiles/" + nonsense,
	} {
		b.send(http.MethodGet, s.issuer+path, nil, "User-Agent", nonsense, "Referer", s.issuer+"/?"+nonsense)
	}
	link := in.run(t, "", "user", "recover", "--email", email)["link"].(string)
	if a := b.send(http.MethodGet, link, nil); a.status != http.StatusOK {
		t.Errorf("the recovery link: %d %s", a.status, a.body)
	}
	secrets["a recovery token"] = strings.TrimPrefix(link, s.issuer+"/recover/")
	s.stop(syscall.SIGTERM)

	log := s.log.String()
	for what, all := range secrets {
		for secret := range strings.SplitSeq(all, "\n") {
			if secret == "" {
				t.Errorf("the walk brought no %s", what)
			} else if strings.Contains(log, secret) {
				t.Errorf("the log holds %s", what)
			}
		}
	}
	// One JSON object per line, and every kind of request among them.
	routes := map[string]bool{}
	for line := range strings.Lines(log) {
		var l struct{ Time, Level, Msg, Route, Method, Request_id string }
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Time == "" || l.Level == "" || l.Msg == "" {
			t.Errorf("a line of the log is %q: %v", line, err)
		}
		if l.Msg == "request" && (l.Method == "" || l.Request_id == "") {
			t.Errorf("a request is logged as %s", line)
		}
		routes[l.Route] = true
	}
	for _, route := range []string{"/sign-up", "/sign-in", "/ap/oa", "/consent", "/user/profile", "/recover/{token}"} {
		if !routes[route] {
			t.Errorf("no request of %s in the log:\n%s", route, log)
		}
	}
}
