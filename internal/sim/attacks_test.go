package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
)

// TestScriptInEveryParameter: whatever a link says, no page makes it live
// (GO-2026-4861, CVE-2026-42849).
func TestScriptInEveryParameter(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}javascript:alert(1)`
	w := New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	owner := w.Developer("Grace Hopper")
	page := user.Open(app.AuthorizeURL(Amazon))
	paths := []string{"/ap/oa", "/oauth2/authorize", "/consent", "/sdk/relay", "/oauth2/logout", "/sign-in", "/sign-up", "/recover", "/confirm-email", "/account", "/account/applications", "/console", "/console/profiles/new", "/help", "/"}
	names := []string{
		"client_id", "redirect_uri", "response_type", "scope", "state", "error", "error_hint", "error_description", "code_challenge", "code_challenge_method",
		"scope_data", "prompt", "login_hint", "claims", "id_token_hint", "acr_values", "response_mode", "post_logout_redirect_uri", "logout_hint", "ui_locales", "request", "continue", "expired", "typed", "email", "q", "after", "before", "done", "saved", "token",
	}
	for _, b := range []*Browser{w.NewBrowser(), user.Browser, owner.Browser} {
		for _, path := range paths {
			for _, name := range names {
				query := url.Values{"client_id": {app.ID}, "redirect_uri": {app.ReturnURL}, "response_type": {"code"}, "scope": {"profile"}}
				query.Set(name, evil)
				got := b.Send(http.MethodGet, path+"?"+query.Encode(), nil)
				checkInert(t, fmt.Sprintf("GET %s with %s", path, name), got)
			}
			form := url.Values{}
			for _, name := range append(names, "name", "company", "country", "postal_code", "decision", "account", "grant", "session", "confirm", "suggest.email", "add") {
				form.Set(name, evil)
			}
			checkInert(t, "POST "+path, b.Send(http.MethodPost, path, form))
		}
		checkInert(t, "unknown path", b.Send(http.MethodGet, "/"+url.PathEscape(evil), nil))
	}
	checkInert(t, "consent", user.Send(http.MethodPost, page.URL.String(), url.Values{"decision": {evil}, "scope": {evil}, "account": {evil}}))
}

func checkInert(t *testing.T, what string, p *Page) {
	t.Helper()
	for _, live := range []string{"<script>alert", "<img src=x", `="javascript:`, "'><", "onerror=alert(1)>{"} {
		if strings.Contains(p.Body, live) {
			t.Errorf("%s: the page holds %s", what, live)
		}
	}
	if p.Status >= 500 && p.Status != http.StatusServiceUnavailable { // no mail server
		t.Errorf("%s: %d", what, p.Status)
	}
	to := p.Header.Get("Location")
	if strings.HasPrefix(to, "javascript:") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\r\n<>") {
		t.Errorf("%s leads to %q", what, to)
	}
	if strings.Contains(p.Header.Get("Content-Type"), "html") && !strings.Contains(p.Header.Get("Content-Security-Policy"), "script-src 'self';") {
		t.Errorf("%s: policy %q", what, p.Header.Get("Content-Security-Policy"))
	}
}

// TestForwardedHeaders: what only a proxy may say is not believed from strangers,
// and the Host header has no say in anything (CVE-2026-29067, GHSA-2wmj-46rj-qm2w,
// CVE-2026-33495).
func TestForwardedHeaders(t *testing.T) {
	for name, proxies := range map[string][]netip.Prefix{"no proxy": nil, "a trusted proxy": {netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("198.51.100.0/24")}} {
		t.Run(name, func(t *testing.T) {
			w := NewWith(t, Options{TrustedProxies: proxies})
			app := w.NewApplication()
			user := w.SignUp("Ada Lovelace")
			token := app.Redeem(Amazon, user.Code(app, Amazon)).Text("access_token")
			lie := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example;proto=https", "X-Original-Url", "/console", "X-Rewrite-Url", "/console"}
			for _, path := range []string{"/", "/sign-in", "/console", "/help", app.AuthorizeURL(Amazon), "/auth/o2/tokeninfo?access_token=" + url.QueryEscape(token), "/oauth2/clients/" + app.ID} {
				honest := w.Do(w.Request(http.MethodGet, path, nil))
				r := w.Request(http.MethodGet, path, nil, lie...)
				r.Host = "evil.example"
				got := w.Do(r)
				if strings.Contains(got.Body+fmt.Sprint(got.Header), "evil") || got.Status != honest.Status {
					t.Errorf("%s: %v", path, got)
				}
				if strings.Contains(fmt.Sprint(got.Header["Set-Cookie"]), "Secure") || got.Header.Get("Strict-Transport-Security") != "" {
					t.Errorf("%s: https was believed: %v", path, got.Header)
				}
			}
		})
	}
}

// TestLogInjection: the log has one line of JSON per request, with nothing that a
// stranger wrote (CVE-2026-16100).
func TestLogInjection(t *testing.T) {
	const evil = "evil\"}\n{\"level\":\"ERROR\",\"msg\":\"forged\"}"
	w := New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for _, path := range []string{"/" + url.PathEscape(evil), "/auth/" + url.PathEscape(evil), app.AuthorizeURL(Amazon, "state", evil, "client_id", evil), app.AuthorizeURL(Amazon, "scope", evil), "/user/profile?access_token=" + url.QueryEscape(evil)} {
		user.Send(http.MethodGet, path, nil)
	}
	w.Do(w.Request("EVIL", "/oauth2/token", nil, "User-Agent", "evil"))
	app.Redeem(Amazon, evil, "grant_type", evil, "redirect_uri", evil)
	w.Post("/sign-in", url.Values{"email": {"evil@example.org"}, "password": {evil}})
	for line := range strings.Lines(w.Log()) {
		if !json.Valid([]byte(line)) || strings.Contains(line, "evil") || strings.Contains(line, "EVIL") {
			t.Errorf("log line: %s", line)
		}
	}
}

// TestForgedCookies: cookies say nothing that was not sealed or kept here
// (CVE-2026-109373, CVE-2026-119128).
func TestForgedCookies(t *testing.T) {
	w := New(t)
	user := w.SignUp("Ada Lovelace")
	own := map[string]string{}
	for _, c := range user.Cookies() {
		own[c.Name] = c.Value
	}
	for name, value := range own {
		for what, forged := range map[string]string{
			"empty": "", "account id": itoa64(user.ID), "zeros": strings.Repeat("A", len(value)),
			"last character changed": value[:len(value)-1] + other(value[len(value)-1]), "cut": value[:len(value)/2],
			"another cookie's": own[another(own, name)],
		} {
			r := w.Request(http.MethodGet, "/account", nil, "Cookie", name+"="+forged)
			if got := w.Do(r); got.Status != http.StatusSeeOther || strings.Contains(got.Body, user.Email) {
				t.Errorf("%s, %s: %v", name, what, got)
			}
		}
	}
	if got := w.Do(w.Request(http.MethodGet, "/account", nil, "Cookie", "gatelodge_session="+own["gatelodge_session"])); got.Status != http.StatusOK {
		t.Errorf("the true one: %v", got)
	}
}

func itoa64(n int64) string { return fmt.Sprint(n) }

func other(c byte) string {
	if c == 'A' {
		return "Q"
	}
	return "A"
}

func another(own map[string]string, name string) string {
	for n := range own {
		if n != name {
			return n
		}
	}
	return name
}

// TestMalformedAddresses: no odd spelling of an address opens what is closed
// (CVE-2021-32637), and none of an e-mail address makes a second account
// (GHSA-j748-h363-wqj8, GHSA-hjj4-hfjm-fmrj).
func TestMalformedAddresses(t *testing.T) {
	w := New(t)
	user := w.SignUp("Ada Lovelace")
	for _, path := range []string{
		"//console", "/./console", "/console/", "/console//", "/Console", "/console%2f", "/%63onsole", "/console;x=1", "/console/..;/console", "/sign-in/../console",
		"/help/../account", "/help/%2e%2e/account", "/assets/../account", "/assets/..%2f..%2faccount", "/logos/../account", "/logos/..%2f..%2fetc%2fpasswd", "/account%00", "/account/.", "/account?%zz",
	} {
		got := w.Get(path)
		if got.Status == http.StatusOK && (strings.Contains(got.Body, "Sign out") || strings.Contains(got.Body, "Create a New Security Profile")) || got.Status >= 500 {
			t.Errorf("%s: %v", path, got)
		}
	}
	for _, email := range []string{strings.ToUpper(user.Email), " " + user.Email + " ", strings.Replace(user.Email, "example", "EXAMPLE", 1), user.Email + "\u200b", user.Email + "\x00"} {
		page := w.NewBrowser().Submit("/sign-up", url.Values{"name": {"Mallory"}, "email": {email}, "password": {Password}})
		if page.Status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d %s", email, page.Status, page.URL)
		}
	}
}

// TestInjection: the parameters of lists are values, not SQL (GHSA-r9w3-57w2-gch2,
// CVE-2022-24124).
func TestInjection(t *testing.T) {
	w := New(t)
	foreign := w.NewApplication()
	owner := w.Developer("Grace Hopper")
	for _, evil := range []string{"'", "' OR '1'='1", "%' OR 1=1 --", "1; DROP TABLE profiles", "\x00", "%", "_", "\\", "-1", "99999999999999999999", "\xff", "NaN", strings.Repeat("a", 5000)} {
		for _, name := range []string{"q", "after", "before", "field", "sort", "page"} {
			page := owner.Open("/console?" + url.Values{name: {evil}}.Encode())
			if page.Status >= 500 || strings.Contains(page.Text(), "Video Report Downloader") {
				t.Errorf("%s=%q: %d\n%s", name, evil, page.Status, page.Text())
			}
		}
	}
	if got := foreign.Redeem(Amazon, "x"); got.Text("error") != "invalid_grant" {
		t.Errorf("the table of profiles: %v", got)
	}
}

// TestRemoveSaysTheTruth: an application that could not be removed is not said to
// be, and one that is said to be is (CVE-2020-15223).
func TestRemoveSaysTheTruth(t *testing.T) {
	w := New(t)
	for _, outcome := range []faultdb.Outcome{faultdb.Failed, faultdb.FailedButApplied} {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		token := app.Redeem(Amazon, user.Code(app, Amazon)).Text("access_token")
		for n := 1; ; n++ {
			page := user.Open("/account/applications")
			if !page.Has("Remove") {
				break // a fault that came after the fact
			}
			w.DB.Reset()
			w.DB.Fail(n, outcome, faultdb.Exec, faultdb.Begin, faultdb.Commit)
			after := page.Press("Remove")
			pending := w.DB.Pending()
			w.DB.Reset()
			gone := w.TokenInfo(token).Text("error") == "invalid_token"
			if after.Status == http.StatusOK && !gone {
				t.Errorf("outcome %d, call %d: said to be removed, and the token works", outcome, n)
			}
			if after.Status != http.StatusOK && after.Status != http.StatusServiceUnavailable {
				t.Errorf("outcome %d, call %d: %d", outcome, n, after.Status)
			}
			if pending {
				break
			}
		}
		if got := w.TokenInfo(token); got.Text("error") != "invalid_token" {
			// The last call's fault may have been after the commit: the feed tells within its bound.
			time.Sleep(1200 * time.Millisecond)
			if got := w.TokenInfo(token); got.Text("error") != "invalid_token" {
				t.Errorf("outcome %d: removed at last, and the token works: %v", outcome, got)
			}
		}
	}
}

// TestConsoleRefusesOtherSites: no form of the console may be sent by another
// site's page (CVE-2023-34927).
func TestConsoleRefusesOtherSites(t *testing.T) {
	w := New(t)
	owner := w.Developer("Grace Hopper")
	owner.Open("/console/profiles/new").Press("Save", "Security Profile Name", "App", "Security Profile Description", "x", "Consent Privacy Notice URL", "https://slate.example/privacy")
	path := regexp.MustCompile(`/console/profiles/[0-9a-f]{32}`).FindString(owner.Open("/console").Body)
	settings := owner.Open(path + "/web-settings")
	secret := regexp.MustCompile(path + `/secrets/\d+`).FindString(settings.Body)
	form := url.Values{"name": {"Taken over"}, "description": {"x"}, "privacy_url": {"https://evil.example/"}, "return_urls.0": {"https://evil.example/"}, "confirm": {"delete"}, "end": {"now"}, "format": {"env"}}
	for _, to := range []string{"/console/register", "/console/profiles/new", path, path + "/delete", path + "/web-settings", path + "/code", path + "/secrets", secret + "/show", secret + "/download", secret + "/end"} {
		for name, header := range map[string]http.Header{
			"cross-site": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
			"opaque":     {"Sec-Fetch-Site": nil, "Origin": {"null"}},
		} {
			owner.Header = header
			page := owner.Submit(to, form)
			if page.Status != http.StatusForbidden || strings.Contains(page.Body, ".oa2-cs.") {
				t.Errorf("%s %s: %d", name, to, page.Status)
			}
		}
	}
	owner.Header = http.Header{}
	key, err := registry.ParseApplicationKey(path[strings.LastIndex(path, "/")+1:])
	if err != nil {
		t.Fatal(err)
	}
	developer, err := w.Store.DeveloperOf(t.Context(), owner.ID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Store.Profile(t.Context(), developer.ID, key)
	if err != nil || p.Name != "App" || len(p.ReturnURLs) > 0 || len(p.Secrets) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestNoPageIsFramed: every kind of page forbids to be framed and cached
// (clickjacking), and sends no address of ours on.
func TestNoPageIsFramed(t *testing.T) {
	w := New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for _, path := range []string{"/", "/help", "/help/contact", "/sign-in", "/sign-up", "/recover", "/account", "/account/applications", "/console", "/nothing", app.AuthorizeURL(Amazon), app.AuthorizeURL(Amazon, "redirect_uri", "https://evil.example")} {
		page := user.Open(path)
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff"} {
			if got := page.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
}

// TestSignOutStaysHere: signing out leads nowhere else (CVE-2021-29456), and what
// it ended cannot be used again.
func TestSignOutStaysHere(t *testing.T) {
	w := New(t)
	user := w.SignUp("Ada Lovelace")
	var old bytes.Buffer
	for _, c := range user.Cookies() {
		fmt.Fprintf(&old, "%s=%s; ", c.Name, c.Value)
	}
	evil := url.Values{"continue": {"https://evil.example"}, "rd": {"//evil.example"}, "post_logout_redirect_uri": {"https://evil.example"}}
	page := user.Send(http.MethodPost, "/sign-out?"+evil.Encode(), evil)
	if to := page.Header.Get("Location"); to != "/" {
		t.Errorf("leads to %q", to)
	}
	if got := w.Get("/account", "Cookie", old.String()); got.Status == http.StatusOK {
		t.Errorf("the old cookies: %v", got)
	}
}
