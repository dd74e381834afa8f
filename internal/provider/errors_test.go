package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"gatelodge/internal/oauth"
	"gatelodge/internal/sim"
)

// wire is an error as section 8 of login-with-amazon.md has it.
type wire struct {
	status      int
	code        string
	description string
}

const (
	missing  = "The request is missing a required parameter : "
	invalid  = "The request has an invalid parameter : "
	badGrant = "The request has an invalid grant parameter : "
	noClient = "Client authentication failed"
)

var requestID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// check compares an answer with the wire, to the letter: clients match on it.
func (want wire) check(t *testing.T, got sim.Answer) {
	t.Helper()
	var body map[string]string
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		t.Fatalf("%v: %v", got, err)
	}
	if got.Status != want.status || body["error"] != want.code || body["error_description"] != want.description {
		t.Errorf("%v, want %d %s %q", got, want.status, want.code, want.description)
	}
	if id := body["request_id"]; !requestID.MatchString(id) || id != got.Header.Get("X-Amzn-Requestid") {
		t.Errorf("request_id %q, header %q", id, got.Header.Get("X-Amzn-Requestid"))
	}
	if len(body) != 3 {
		t.Errorf("members %v", body)
	}
	for name, value := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"} {
		if got.Header.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if kind := got.Header.Get("Content-Type"); kind != "application/json;charset=UTF-8" {
		t.Errorf("Content-Type %q", kind)
	}
}

// TestTokenErrors: the errors of the token endpoint, on both paths.
func TestTokenErrors(t *testing.T) {
	w := sim.New(t)
	app, other := w.NewApplication(), w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	given := other.Redeem(sim.Amazon, user.Code(other, sim.Amazon))
	badRefresh := wire{400, "invalid_grant", badGrant + "refresh_token. User may have revoked or didn't grant the permission."}
	tests := []struct {
		name  string
		pairs []string
		want  wire
	}{
		{"no grant_type", []string{"grant_type", sim.Omit}, wire{400, "invalid_request", missing + "grant_type"}},
		{"empty grant_type", []string{"grant_type", ""}, wire{400, "invalid_request", missing + "grant_type"}},
		{"no code", []string{"code", sim.Omit}, wire{400, "invalid_request", missing + "code"}},
		{"no client_id", []string{"client_id", sim.Omit}, wire{400, "invalid_request", missing + "client_id"}},
		{"no refresh_token", []string{"grant_type", "refresh_token"}, wire{400, "invalid_request", missing + "refresh_token"}},
		{"unknown client", []string{"client_id", "amzn1.application-oa2-client.00000000000000000000000000000000"}, wire{401, "invalid_client", noClient}},
		{"application id as client", []string{"client_id", "amzn1.application.00000000000000000000000000000000"}, wire{401, "invalid_client", noClient}},
		{"client_id of nothing", []string{"client_id", "x"}, wire{401, "invalid_client", noClient}},
		{"wrong secret", []string{"client_secret", "amzn1.oa2-cs.v1.0000"}, wire{401, "invalid_client", noClient}},
		{"secret of another", []string{"client_secret", other.Secret}, wire{401, "invalid_client", noClient}},
		{"invented code", []string{"code", "ANabcdefghijklmnopqr"}, wire{400, "invalid_grant", badGrant + "code"}},
		{"a token as code", []string{"code", given.Text("access_token")}, wire{400, "invalid_grant", badGrant + "code"}},
		{"invented refresh token", []string{"grant_type", "refresh_token", "refresh_token", "Atzr|x"}, badRefresh},
		{"refresh token of another", []string{"grant_type", "refresh_token", "refresh_token", given.Text("refresh_token")}, badRefresh},
		{"access token as refresh token", []string{"grant_type", "refresh_token", "refresh_token", given.Text("access_token")}, badRefresh},
		{"access token in the clothes of a refresh token", []string{"grant_type", "refresh_token", "refresh_token", "Atzr|" + given.Text("access_token")[5:]}, badRefresh},
		{"unknown grant type", []string{"grant_type", "password"}, wire{400, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server"}},
		{"grant type in another case", []string{"grant_type", "Authorization_Code"}, wire{400, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server"}},
		{"client credentials", []string{"grant_type", "client_credentials", "scope", "profile"}, wire{400, "invalid_scope", invalid + "scope"}},
		{"verifier of the wrong length", []string{"code_verifier", "a"}, wire{400, "invalid_request", invalid + "code_verifier"}},
	}
	for path, d := range dialects {
		for _, tt := range tests {
			t.Run(path+" "+tt.name, func(t *testing.T) {
				tt.want.check(t, app.Redeem(d, "ANabcdefghijklmnopqr", tt.pairs...))
			})
		}
		t.Run(path+" suspended profile", func(t *testing.T) {
			suspended := w.NewApplication()
			suspended.Suspend()
			wire{400, "unauthorized_client", "Not authorized for requested operation"}.check(t, suspended.Redeem(d, "ANabcdefghijklmnopqr"))
		})
		t.Run(path+" GET", func(t *testing.T) {
			got := w.Get(sim.TokenPath(d) + "?" + app.RedeemForm("ANabcdefghijklmnopqr").Encode())
			wire{405, "invalid_request", "Only POST is supported"}.check(t, got)
			if got.Header.Get("Allow") != "POST" {
				t.Errorf("Allow %q", got.Header.Get("Allow"))
			}
		})
		t.Run(path+" neither form nor JSON", func(t *testing.T) {
			r := w.Request(http.MethodPost, sim.TokenPath(d), nil, "Content-Type", "text/plain")
			wire{400, "invalid_request", map[oauth.Dialect]string{
				oauth.Standard:        "The Content-Type must be application/x-www-form-urlencoded",
				oauth.LoginWithAmazon: "The Content-Type must be application/x-www-form-urlencoded or application/json",
			}[d]}.check(t, w.Do(r))
		})
	}
}

// TestRefreshScope: a refresh may ask for less than the token has, never for more
// (RFC 6749 section 6).
func TestRefreshScope(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	user.Code(app, sim.Standard, "scope", "profile postal_code")
	narrow := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "postal_code")).Text("refresh_token")
	wide := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "profile postal_code")).Text("refresh_token")
	if got := app.Refresh(sim.Standard, wide, "scope", "postal_code"); got.Text("scope") != "postal_code" {
		t.Errorf("less: %v", got)
	} else if got := w.UserProfile(got.Text("access_token")); got.Text("name") != "" || got.Text("user_id") == "" {
		t.Errorf("the profile by a narrower token: %v", got)
	}
	if got := app.Refresh(sim.Standard, wide); got.Text("scope") != "profile postal_code" {
		t.Errorf("all again: %v", got)
	}
	tooMuch := wire{400, "invalid_scope", invalid + "scope"}
	tooMuch.check(t, app.Refresh(sim.Standard, narrow, "scope", "profile"))
	tooMuch.check(t, app.Refresh(sim.Standard, narrow, "scope", "no_such_scope"))
	if got := app.Refresh(sim.Standard, narrow); got.Text("scope") != "postal_code" {
		t.Errorf("a grant that grew has widened a token of before: %v", got)
	}
}

// TestResourceErrors: tokeninfo and the profile.
func TestResourceErrors(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon))
	badToken := wire{400, "invalid_token", invalid + "access_token"}
	for name, token := range map[string]string{
		"invented": "Atza|x", "no token": "x", "refresh token": given.Text("refresh_token"),
		"refresh token in the clothes of an access token": "Atza|" + given.Text("refresh_token")[5:],
		"cut short":              given.Text("access_token")[:100],
		"another prefix":         "Atc|" + given.Text("access_token")[5:],
		"last character changed": flip(given.Text("access_token")),
		"with a line break":      given.Text("access_token") + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			badToken.check(t, w.TokenInfo(token))
			if strings.Contains(token, "\n") {
				return // cannot be sent in a header
			}
			got := w.UserProfile(token)
			badToken.check(t, got)
			if challenge := got.Header.Get("WWW-Authenticate"); challenge != `Bearer error="invalid_token"` {
				t.Errorf("WWW-Authenticate %q", challenge)
			}
		})
	}
	for _, path := range []string{"/auth/o2/tokeninfo", "/user/profile", "/ap/user/profile"} {
		wire{400, "invalid_request", missing + "access_token"}.check(t, w.Get(path))
	}
	// Only the query form is documented.
	wire{400, "invalid_request", missing + "access_token"}.check(t, w.Get("/auth/o2/tokeninfo", "Authorization", "Bearer "+given.Text("access_token")))
	wire{405, "invalid_request", "Only GET is supported"}.check(t, w.Post("/auth/o2/tokeninfo", url.Values{"access_token": {given.Text("access_token")}}))
}

// flip changes the last character of a token to another one of its alphabet.
func flip(token string) string {
	last := byte('A')
	if token[len(token)-1] == last {
		last = 'B'
	}
	return token[:len(token)-1] + string(last)
}

// TestAuthorizationErrors: what may be sent to the return URL is sent there, in the
// query and with the state (RFC 6749 section 4.1.2.1).
func TestAuthorizationErrors(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	s256 := sim.S256(sim.Verifier)
	tests := []struct {
		name        string
		pairs       []string
		code        string
		description string
	}{
		{"no response_type", []string{"response_type", sim.Omit}, "invalid_request", missing + "response_type"},
		{"ID token alone", []string{"response_type", "id_token"}, "unsupported_response_type", "The response type is not supported by the authorization server"},
		{"hybrid", []string{"response_type", "code token"}, "unsupported_response_type", "The response type is not supported by the authorization server"},
		{"unknown scope", []string{"scope", "profile everything"}, "invalid_scope", "An unknown scope was requested"},
		{"scope in another case", []string{"scope", "Profile"}, "invalid_scope", "An unknown scope was requested"},
		{"scope with a character no scope has", []string{"scope", "pro\"file"}, "invalid_scope", invalid + "scope"},
		{"scope_data is no JSON", []string{"scope_data", "{"}, "invalid_request", invalid + "scope_data"},
		{"essential is no boolean", []string{"scope_data", `{"profile":{"essential":"no"}}`}, "invalid_request", invalid + "scope_data"},
		{"challenge too short", []string{"code_challenge", "abc", "code_challenge_method", "S256"}, "invalid_request", invalid + "code_challenge"},
		{"challenge in hexadecimal", []string{"code_challenge", strings.Repeat("ab", 32), "code_challenge_method", "S256"}, "invalid_request", invalid + "code_challenge"},
		{"challenge with padding", []string{"code_challenge", s256 + "=", "code_challenge_method", "S256"}, "invalid_request", invalid + "code_challenge"},
		{"unknown method", []string{"code_challenge", s256, "code_challenge_method", "s256"}, "invalid_request", invalid + "code_challenge_method"},
		{"method without challenge", []string{"code_challenge_method", "S256"}, "invalid_request", missing + "code_challenge"},
		{"login_hint too long", []string{"login_hint", strings.Repeat("a", 257)}, "invalid_request", invalid + "login_hint"},
	}
	for path, d := range dialects {
		for _, tt := range tests {
			t.Run(path+" "+tt.name, func(t *testing.T) {
				back := user.Authorize(app, d, tt.pairs...)
				want := url.Values{"error": {tt.code}, "error_description": {tt.description}, "state": {"s t&a=te"}}
				if d == sim.Standard {
					want.Set("iss", w.Issuer)
				}
				if back.Encode() != want.Encode() {
					t.Errorf("%v, want %v", back, want)
				}
			})
		}
	}
	for path, want := range map[string]string{"standard": "invalid_scope", "amazon": "invalid_request"} {
		if back := user.Authorize(app, dialects[path], "scope", sim.Omit); back.Get("error") != want {
			t.Errorf("%s, no scope: %v, want %s", path, back, want)
		}
	}
	if back := user.Authorize(app, sim.Amazon, "state", strings.Repeat("s", 4097)); back.Get("error") != "invalid_request" || back.Has("state") {
		t.Errorf("state too long: %.200v", back)
	}
}

// TestLongestState: a state of 4,096 bytes comes back whole, also by way of the
// sign-in page.
func TestLongestState(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for _, state := range []string{strings.Repeat("s", 4096), strings.Repeat("é", 2048), strings.Repeat("&", 4096), strings.Repeat(`{"a":1};`, 512)} {
		page := w.NewBrowser().Open(app.AuthorizeURL(sim.Amazon, "state", state))
		page = page.Press("Sign in", "Email", user.Email, "Password", sim.Password)
		if page.Has("Allow") {
			page = page.Press("Allow")
		}
		if back, ok := app.Received(page); !ok || back.Get("state") != state {
			t.Errorf("state of %.10s…: came to %.100s", state, page.URL)
		}
	}
}

// TestUnsafeTargets: with the client or the return URL in doubt the browser stays
// here, on a page that says what was wrong.
func TestUnsafeTargets(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication("https://app.example/return")
	w.Host("app.example", http.NotFoundHandler())
	user := w.SignUp("Ada Lovelace")
	tests := []struct {
		name  string
		pairs []string
		says  string
	}{
		{"no client", []string{"client_id", sim.Omit}, "This application is not known here"},
		{"empty client", []string{"client_id", ""}, "This application is not known here"},
		{"unknown client", []string{"client_id", "amzn1.application-oa2-client.00000000000000000000000000000000"}, "No application has this client ID."},
		{"another namespace", []string{"client_id", "other.application-oa2-client.00000000000000000000000000000000"}, "This application is not known here"},
		{"application id as client", []string{"client_id", "amzn1.application.00000000000000000000000000000000"}, "This application is not known here"},
		{"client too long", []string{"client_id", strings.Repeat("a", 101)}, "This application is not known here"},
		{"no return URL", []string{"redirect_uri", sim.Omit}, "The request of Video Report Downloader cannot be answered"},
		{"other return URL", []string{"redirect_uri", "https://evil.example/return"}, "This return URL is not allowed"},
		{"return URL too long", []string{"redirect_uri", "https://app.example/return" + strings.Repeat("a", 2000)}, "The request of Video Report Downloader cannot be answered"},
	}
	for path, d := range dialects {
		for _, tt := range tests {
			t.Run(path+" "+tt.name, func(t *testing.T) {
				page := user.Send(http.MethodGet, app.AuthorizeURL(d, tt.pairs...), nil)
				if page.Status != http.StatusBadRequest || page.Header.Get("Location") != "" || !strings.Contains(page.Text(), tt.says) {
					t.Errorf("%d %s\n%s", page.Status, page.Header.Get("Location"), page.Text())
				}
				if id := page.Header.Get("X-Amzn-Requestid"); !strings.Contains(page.Body, id) {
					t.Error("the page does not show its request id")
				}
			})
		}
	}
}
