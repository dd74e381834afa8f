package provider_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"gatelodge/internal/sim"
)

// TestDuplicateParameters: sent twice is an error, in safe ways (RFC 6749 sections
// 3.1 and 3.2).
func TestDuplicateParameters(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	address := app.AuthorizeURL(sim.Amazon)
	for _, name := range []string{"client_id", "redirect_uri"} {
		u, _ := url.Parse(address)
		page := user.Open(address + "&" + url.Values{name: {u.Query().Get(name)}}.Encode())
		if page.Status != http.StatusBadRequest || page.URL.Host != "localhost:8080" {
			t.Errorf("%s twice: %d at %s", name, page.Status, page.URL)
		}
	}
	for _, name := range []string{"response_type", "scope", "state", "code_challenge", "prompt", "scope_data"} {
		page := user.Open(address + "&" + name + "=a&" + name + "=b")
		back, ok := app.Received(page)
		if !ok || back.Get("error") != "invalid_request" || name == "state" && back.Has("state") {
			t.Errorf("%s twice: %s", name, page.URL)
		}
	}
	for _, name := range []string{"grant_type", "code", "client_id", "client_secret", "redirect_uri", "code_verifier", "refresh_token"} {
		form := app.RedeemForm("ANabcdefghijklmnopqr")
		form[name] = []string{"a", "a"}
		wire{400, "invalid_request", invalid + name}.check(t, w.Post("/auth/o2/token", form))
	}
	if got := w.Get("/auth/o2/tokeninfo?access_token=a&access_token=a"); got.Text("error") != "invalid_request" {
		t.Errorf("access_token twice: %v", got)
	}
	// Unknown ones are ignored, repeated or not.
	if back := user.Authorize(app, sim.Amazon, "unknown", "x"); back.Get("code") == "" {
		t.Errorf("unknown parameter: %v", back)
	}
}

// TestBadInput: malformed, oversized and wrongly encoded requests get a right
// error, never a 500, and never act.
func TestBadInput(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	ok := app.RedeemForm("ANabcdefghijklmnopqr").Encode()
	var parts bytes.Buffer
	m := multipart.NewWriter(&parts)
	_ = m.WriteField("grant_type", "authorization_code")
	_ = m.Close()
	const form = "application/x-www-form-urlencoded"
	bodies := []struct {
		name, kind, body string
		status           int
		code             string
	}{
		{"no body", form, "", 400, "invalid_request"},
		{"no content type", "", ok, 400, "invalid_request"},
		{"wrong content type", "text/plain", ok, 400, "invalid_request"},
		{"malformed content type", "application/x-www-form-urlencoded; =", ok, 400, "invalid_request"},
		{"multipart", m.FormDataContentType(), parts.String(), 400, "invalid_request"},
		{"malformed escape", form, ok + "&state=%zz", 400, "invalid_request"},
		{"semicolons", form, strings.ReplaceAll(ok, "&", ";"), 400, "invalid_request"},
		{"not UTF-8", form, "grant_type=authorization_code&code=%ff&client_id=" + app.ID, 400, "invalid_request"},
		{"zero byte", form, "grant_type=authorization_code&code=%00&client_id=" + app.ID, 400, "invalid_request"},
		{"oversized value", form, ok + "&code_verifier=" + strings.Repeat("a", 5000), 400, "invalid_request"},
		{"oversized body", form, ok + "&x=" + strings.Repeat("a", 65<<10), 400, "invalid_request"},
		{"body beyond every limit", form, strings.Repeat("a=b&", 1<<20), 400, "invalid_request"},
		{"too many parameters", form, ok + strings.Repeat("&a=b", 200), 400, "invalid_request"},
		{"empty JSON", "application/json", "", 400, "invalid_request"},
		{"JSON array", "application/json", "[]", 400, "invalid_request"},
		{"JSON nested", "application/json", `{"code":{"a":1}}`, 400, "invalid_request"},
		{"JSON deep", "application/json", strings.Repeat("[", 20_000), 400, "invalid_request"},
		{"JSON twice", "application/json", `{"code":"a","code":"b"}`, 400, "invalid_request"},
		{"JSON cut", "application/json", `{"code":"a`, 400, "invalid_request"},
		{"JSON null", "application/json", `null`, 400, "invalid_request"},
		{"JSON not UTF-8", "application/json", "{\"code\":\"\xff\"}", 400, "invalid_request"},
		{"JSON unpaired surrogate", "application/json", `{"grant_type":"authorization_code","code":"\ud800","client_id":"` + app.ID + `","client_secret":"` + app.Secret + `"}`, 400, "invalid_grant"},
	}
	for path, d := range dialects {
		for _, tt := range bodies {
			t.Run(path+" "+tt.name, func(t *testing.T) {
				got := w.Do(w.Request(http.MethodPost, sim.TokenPath(d), strings.NewReader(tt.body), "Content-Type", tt.kind))
				code := tt.code
				if d == sim.Standard {
					code = "invalid_request" // no JSON there
				}
				if got.Status != tt.status || got.Text("error") != code {
					t.Errorf("%v, want %d %s", got, tt.status, code)
				}
			})
		}
	}
	headers := []struct {
		name  string
		value []string
		want  wire
	}{
		{"Bearer", []string{"Bearer x"}, wire{401, "invalid_client", noClient}},
		{"Basic without base64", []string{"Basic !"}, wire{401, "invalid_client", noClient}},
		{"Basic of nothing", []string{"Basic "}, wire{401, "invalid_client", noClient}},
		{"Basic without colon", []string{"Basic YQ=="}, wire{401, "invalid_client", noClient}},
		{"Basic with bytes", []string{"Basic " + "/////w=="}, wire{401, "invalid_client", noClient}},
		{"twice", []string{basic(app.ID, app.Secret), basic(app.ID, app.Secret)}, wire{400, "invalid_request", invalid + "Authorization"}},
		{"oversized", []string{"Basic " + strings.Repeat("YWFh", 10_000)}, wire{401, "invalid_client", noClient}},
		{"empty", []string{""}, wire{401, "invalid_client", noClient}},
	}
	for _, tt := range headers {
		t.Run("Authorization "+tt.name, func(t *testing.T) {
			r := w.Request(http.MethodPost, "/oauth2/token", strings.NewReader("grant_type=authorization_code&code=x"), "Content-Type", form)
			r.Header["Authorization"] = tt.value
			tt.want.check(t, w.Do(r))
		})
	}

	queries := []struct{ name, query, want string }{
		{"malformed escape in an unknown parameter", "&x=%zz", "invalid_request"},
		{"cut escape", "&nonce=%", "invalid_request"},
		{"semicolon", "&x=a;b", "consent"},
		{"not UTF-8", "&login_hint=%ff", "invalid_request"},
		{"zero byte", "&ui_locales=%00", "invalid_request"},
		{"unknown parameter of 30,000 bytes", "&x=" + strings.Repeat("a", 30_000), "invalid_request"},
		{"longest values", "&scope_data=" + strings.Repeat("+", 8191) + "{}", "invalid_request"},
		{"everything at its limit", "&claims=" + strings.Repeat("%22", 8192) + "&nonce=" + strings.Repeat("%22", 1024), "invalid_request"},
		{"too many parameters", strings.Repeat("&a=b", 200), "page"},
	}
	for path, d := range dialects {
		for _, tt := range queries {
			t.Run(path+" query: "+tt.name, func(t *testing.T) {
				page := user.Open(app.AuthorizeURL(d) + tt.query)
				back, received := app.Received(page)
				switch tt.want {
				case "consent":
					if !page.Has("Allow") {
						t.Errorf("%d at %.300s", page.Status, page.URL)
					}
				case "page":
					if page.Status != http.StatusBadRequest || received {
						t.Errorf("%d at %.300s", page.Status, page.URL)
					}
				default:
					if !received || back.Get("error") != tt.want || back.Get("state") == "" {
						t.Errorf("%d at %.300s", page.Status, page.URL)
					}
				}
			})
		}
	}
	for _, address := range []string{"/consent", "/consent?request=", "/consent?request=x", "/consent?request=" + strings.Repeat("A", 20_000), "/consent?request=%ff", "/consent?request=a&request=b"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if page := user.Send(method, address, url.Values{"decision": {"allow"}}); page.Status != http.StatusBadRequest {
				t.Errorf("%s %.60s: %d", method, address, page.Status)
			}
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "BREW"} {
		for _, path := range []string{
			"/oauth2/token", "/auth/o2/token", "/auth/o2/tokeninfo", "/user/profile", "/ap/user/profile",
			"/oauth2/clients/amzn1.application-oa2-client.00000000000000000000000000000000",
		} {
			got := w.Do(w.Request(method, path, nil))
			if got.Status != http.StatusMethodNotAllowed || !json.Valid([]byte(got.Body)) {
				t.Errorf("%s %s: %v", method, path, got)
			}
		}
		for _, path := range []string{"/oauth2/authorize", "/ap/oa", "/consent"} {
			if got := w.Do(w.Request(method, path, nil)); got.Status/100 != 4 {
				t.Errorf("%s %s: %v", method, path, got)
			}
		}
	}
}

// TestConsentAnswers: what is not an answer of the page is asked again.
func TestConsentAnswers(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	page := consentPage(t, user, app, app.AuthorizeURL(sim.Amazon))
	for name, tt := range map[string]struct {
		form   url.Values
		status int
	}{
		"nothing":          {nil, 422},
		"another decision": {url.Values{"decision": {"maybe"}}, 422},
		"upper case":       {url.Values{"decision": {"ALLOW"}}, 422},
		"no account":       {url.Values{"decision": {"allow"}}, 409},
		"another account":  {url.Values{"decision": {"allow"}, "account": {"1"}}, 409},
	} {
		t.Run(name, func(t *testing.T) {
			after := user.Submit(page.URL.String(), tt.form)
			if after.Status != tt.status || !after.Has("Allow") {
				t.Errorf("%d at %s", after.Status, after.URL)
			}
		})
	}
	// Scopes that were not asked for cannot be ticked into the answer.
	after := page.Press("Allow")
	if got := after.URL.Query().Get("scope"); got != "profile" {
		t.Errorf("scope %q", got)
	}
	if _, _, err := w.Store.GrantFor(t.Context(), user.ID, app.Profile.ID); err != nil {
		t.Error(err)
	}
}

// TestClientFacts: what is public of an application, and no more than a stranger
// may ask for.
func TestClientFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(t)
		app := w.NewApplication()
		got := w.Get("/oauth2/clients/" + app.ID)
		want := `{"client_id":"` + app.ID + `","client_name":"Video Report Downloader","publisher":"Company 1","policy_uri":"https://slate.example/privacy"}`
		if got.Status != http.StatusOK || got.Body != want {
			t.Errorf("%v, want %s", got, want)
		}
		if got := w.Get("/oauth2/clients/amzn1.application-oa2-client.00000000000000000000000000000000"); got.Status != http.StatusNotFound {
			t.Errorf("unknown: %v", got)
		}
		for range 70 {
			got = w.Get("/oauth2/clients/" + app.ID)
		}
		if got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
			t.Errorf("after 70 requests: %v", got)
		}
	})
}
