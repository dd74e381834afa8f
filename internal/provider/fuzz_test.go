package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/sim"
)

// FuzzToken: whatever is posted, the answer is JSON with an error of RFC 6749 and
// a status below 500, or tokens that work.
func FuzzToken(f *testing.F) {
	w := sim.New(f)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon))
	words := strings.NewReplacer("CLIENT", app.ID, "SECRET", app.Secret, "REFRESH", given.Text("refresh_token"),
		"CODE", user.Code(app, sim.Amazon), "RETURN", url.QueryEscape(app.ReturnURL))
	for _, body := range []string{
		"", "grant_type=authorization_code&code=CODE&redirect_uri=RETURN&client_id=CLIENT&client_secret=SECRET",
		"grant_type=refresh_token&refresh_token=REFRESH&client_id=CLIENT&client_secret=SECRET",
		"grant_type=refresh_token&refresh_token=REFRESH&client_id=CLIENT&client_secret=SECRET&scope=profile",
		"grant_type=authorization_code&code=CODE&client_id=CLIENT&code_verifier=" + sim.Verifier,
		`{"grant_type":"refresh_token","refresh_token":"REFRESH","client_id":"CLIENT","client_secret":"SECRET"}`,
		"grant_type=client_credentials&client_assertion=e30.e30.AA&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"grant_type=refresh_token&refresh_token=REFRESH&client_id=CLIENT&client_assertion=CODE&client_assertion_type=x",
		"grant_type=%zz&code=%00", "a=b&a=b;c", "{", `{"code":{}}`,
	} {
		for _, kind := range []string{"application/x-www-form-urlencoded", "application/json"} {
			f.Add(body, kind, "", true)
			f.Add(body, kind, basic("CLIENT", "SECRET"), false)
		}
	}
	codes := map[string]bool{
		"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
		"unsupported_grant_type": true, "invalid_scope": true,
	}
	f.Fuzz(func(t *testing.T, body, kind, authorization string, amazon bool) {
		w.Use(t)
		path := "/oauth2/token"
		if amazon {
			path = "/auth/o2/token"
		}
		r := w.Request(http.MethodPost, path, strings.NewReader(words.Replace(body)))
		r.Header["Content-Type"] = []string{kind}
		if authorization != "" {
			r.Header["Authorization"] = []string{words.Replace(authorization)}
		}
		got := w.Do(r)
		if !json.Valid([]byte(got.Body)) || got.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%v", got)
		}
		if got.Status == http.StatusOK {
			if info := w.TokenInfo(got.Text("access_token")); info.Status != http.StatusOK && info.Text("error") != "invalid_token" {
				t.Fatalf("tokeninfo: %v", info)
			}
			return
		}
		if got.Status != 400 && got.Status != 401 || !codes[got.Text("error")] || got.Text("request_id") == "" {
			t.Fatalf("%v", got)
		}
	})
}

// FuzzAuthorize: whatever is asked, the browser is sent to a return URL of the
// application, byte for byte, or stays here; never a 500.
func FuzzAuthorize(f *testing.F) {
	w := sim.New(f)
	app := w.NewApplication("https://app.example/cb", "https://app.example/cb?x=1", "http://localhost:8000")
	user := w.SignUp("Ada Lovelace")
	words := strings.NewReplacer("CLIENT", app.ID)
	for _, query := range []string{
		"", app.AuthorizeURL(sim.Amazon)[len("/ap/oa?"):], app.AuthorizeURL(sim.Standard, "redirect_uri", "http://localhost:8000")[len("/oauth2/authorize?"):],
		"client_id=CLIENT&redirect_uri=https://app.example/cb?x=1&response_type=code&scope=profile:user_id&state=%ff",
		"client_id=CLIENT&redirect_uri=https://app.example/cb%23&response_type=code&scope=profile",
		"client_id=CLIENT&redirect_uri=//evil.example&response_type=token",
		"client_id=CLIENT&client_id=CLIENT&redirect_uri=https://app.example/cb", "a=%zz;b", "prompt=none&client_id=CLIENT&redirect_uri=https://app.example/cb&response_type=code&scope=profile&scope_data={",
	} {
		f.Add(query, true, false)
		f.Add(query, false, true)
	}
	f.Fuzz(func(t *testing.T, query string, amazon, post bool) {
		w.Use(t)
		d := sim.Standard
		if amazon {
			d = sim.Amazon
		}
		query = words.Replace(query)
		method, address, form := http.MethodGet, sim.AuthorizePath(d), url.Values(nil)
		if post {
			method = http.MethodPost
			form, _ = url.ParseQuery(query)
		} else {
			u := url.URL{Path: address, RawQuery: query}
			if strings.Contains(query, "#") { // the rest would be a fragment, which stays in the browser
				t.Skip("no HTTP client could send it")
			}
			if _, err := url.ParseRequestURI(u.String()); err != nil {
				t.Skip("no HTTP client could send it")
			}
			address = u.String()
		}
		page := user.Send(method, address, form)
		if page.Status >= 500 {
			t.Fatalf("%d for %q", page.Status, query)
		}
		to := page.Header.Get("Location")
		if to == "" {
			if page.Status != http.StatusBadRequest {
				t.Fatalf("%d without a way on for %q", page.Status, query)
			}
			return
		}
		if method == http.MethodPost && strings.HasPrefix(to, address+"?") {
			return // the same request by GET
		}
		for _, start := range []string{"/consent?request=", "https://app.example/cb?x=1&", "https://app.example/cb?", "http://localhost:8000?"} {
			if strings.HasPrefix(to, start) {
				return
			}
		}
		t.Fatalf("%q leads to %q", query, to)
	})
}
