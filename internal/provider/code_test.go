package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"gatelodge/internal/oauth"
	"gatelodge/internal/sim"
)

// dialects are the two sets of paths, by name.
var dialects = map[string]oauth.Dialect{"standard": sim.Standard, "amazon": sim.Amazon}

// TestOAuth2Library has golang.org/x/oauth2 as an independent judge of the code
// flow with PKCE, in each way in which it can send the secret.
func TestOAuth2Library(t *testing.T) {
	styles := map[string]oauth2.AuthStyle{
		"header": oauth2.AuthStyleInHeader, "body": oauth2.AuthStyleInParams, "auto-detect": oauth2.AuthStyleAutoDetect,
	}
	w := sim.New(t)
	for path, d := range dialects {
		for name, style := range styles {
			t.Run(path+" "+name, func(t *testing.T) {
				app := w.NewSample(d, style)
				user := w.SignUp("Ada Lovelace")
				page := user.Open(app.StartURL()).Press("Allow")
				if want := "Hello, Ada Lovelace!"; page.Title() != want {
					t.Fatalf("the application shows %q (%d %s), want %q", page.Title(), page.Status, page.Text(), want)
				}
				first := app.Tokens[0]
				if first.TokenType != "bearer" || first.ExpiresIn != 3600 {
					t.Errorf("token_type %q, expires_in %d, want bearer and 3600", first.TokenType, first.ExpiresIn)
				}
				first.Expiry = first.Expiry.AddDate(-1, 0, 0) // so that the library refreshes
				second, err := app.Config.TokenSource(app.Context(), first).Token()
				if err != nil {
					t.Fatal(err)
				}
				if second.AccessToken == first.AccessToken {
					t.Error("the refresh gave the old access token")
				}
				if second.RefreshToken != first.RefreshToken {
					t.Error("the refresh gave another refresh token")
				}
			})
		}
	}
}

// TestBasicRefusedKeepsCode: a client that tries Basic with something else first
// and then the body (as x/oauth2 does) still has its code.
func TestBasicRefusedKeepsCode(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for path, d := range dialects {
		t.Run(path, func(t *testing.T) {
			code := user.Code(app, d)
			refused := w.Post(sim.TokenPath(d), app.RedeemForm(code, "client_id", sim.Omit, "client_secret", sim.Omit),
				"Authorization", basic(app.ID, "not the secret"))
			if refused.Status != http.StatusUnauthorized || refused.Text("error") != "invalid_client" {
				t.Fatalf("a wrong secret by Basic: %v", refused)
			}
			if got := refused.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
				t.Errorf("WWW-Authenticate %q, want the scheme that was tried", got)
			}
			if got := app.Redeem(d, code); got.Status != http.StatusOK {
				t.Errorf("the body, with the same code: %v", got)
			}
		})
	}
}

func basic(id, secret string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}

// TestCodeIsBound: a code is good for one application, one return URL and one
// verifier, and a refused try does not use it up.
func TestCodeIsBound(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication("https://one.example/return", "https://one.example/other")
	other, sibling := w.NewApplication("https://one.example/return"), app.Sibling("https://one.example/return")
	w.Host("one.example", http.NotFoundHandler())
	user := w.SignUp("Ada Lovelace")
	s256 := []string{"code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256"}
	wrong := strings.Repeat("a", 43)
	tests := []struct {
		name    string
		as      *sim.Application
		ask     []string
		pairs   []string
		err     string
		dialect oauth.Dialect
	}{
		{name: "another application", as: other, err: "invalid_grant"},
		{name: "another application of the developer", as: sibling, err: "invalid_grant"},
		{name: "another return URL", pairs: []string{"redirect_uri", "https://one.example/other"}, err: "invalid_grant"},
		{name: "return URL in other spelling", pairs: []string{"redirect_uri", "https://one.example/Return"}, err: "invalid_grant"},
		{name: "no return URL", pairs: []string{"redirect_uri", sim.Omit}, err: "invalid_request"},
		{name: "no return URL and no secret", dialect: sim.Amazon, ask: s256, pairs: []string{"redirect_uri", sim.Omit, "client_secret", sim.Omit, "code_verifier", sim.Verifier}, err: "invalid_request"},
		{name: "another verifier", ask: s256, pairs: []string{"code_verifier", wrong}, err: "invalid_grant"},
		{name: "no verifier", ask: s256, err: "invalid_grant"},
		{name: "challenge as verifier", ask: s256, pairs: []string{"code_verifier", sim.S256(sim.Verifier)}, err: "invalid_grant"},
		{name: "verifier without challenge", pairs: []string{"code_verifier", sim.Verifier}, err: "invalid_grant"},
		{name: "verifier too short", ask: s256, pairs: []string{"code_verifier", "short"}, err: "invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			as := tt.as
			if as == nil {
				as = app
			}
			code := user.Code(app, tt.dialect, tt.ask...)
			got := as.Redeem(tt.dialect, code, tt.pairs...)
			if got.Status != http.StatusBadRequest || got.Text("error") != tt.err {
				t.Errorf("%v, want 400 %s", got, tt.err)
			}
			right := []string{}
			if tt.ask != nil {
				right = []string{"code_verifier", sim.Verifier}
			}
			if got := app.Redeem(tt.dialect, code, right...); got.Status != http.StatusOK {
				t.Errorf("the right exchange afterwards: %v", got)
			}
		})
	}
}

// TestCodeOnce: the second use of a code is refused, and what the first gave ends.
// What another code gave lives on.
func TestCodeOnce(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for path, d := range dialects {
		t.Run(path, func(t *testing.T) {
			unrelated := app.Redeem(d, user.Code(app, d))
			code := user.Code(app, d)
			first := app.Redeem(d, code)
			if first.Status != http.StatusOK {
				t.Fatalf("first use: %v", first)
			}
			if got := app.Redeem(d, code); got.Status != http.StatusBadRequest || got.Text("error") != "invalid_grant" || got.Text("access_token") != "" {
				t.Errorf("second use: %v", got)
			}
			if got := w.TokenInfo(first.Text("access_token")); got.Text("error") != "invalid_token" {
				t.Errorf("access token of the first use: %v", got)
			}
			if got := app.Refresh(d, first.Text("refresh_token")); got.Text("error") != "invalid_grant" {
				t.Errorf("refresh token of the first use: %v", got)
			}
			if got := app.Refresh(d, unrelated.Text("refresh_token")); got.Status != http.StatusOK {
				t.Errorf("refresh token of another code: %v", got)
			}
		})
	}
}

// TestWithoutSecret: S256 stands in for the secret, and there is no refresh token.
func TestWithoutSecret(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for path, d := range dialects {
		t.Run(path, func(t *testing.T) {
			public := []string{"client_secret", sim.Omit}
			code := user.Code(app, d, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256")
			got := app.Redeem(d, code, append(public, "code_verifier", sim.Verifier)...)
			if got.Status != http.StatusOK || got.Text("access_token") == "" {
				t.Fatalf("with S256: %v", got)
			}
			if strings.Contains(got.Body, "refresh_token") {
				t.Errorf("there is a refresh token: %v", got)
			}
			if got := app.Redeem(d, user.Code(app, d), public...); got.Text("access_token") != "" || got.Status != http.StatusUnauthorized {
				t.Errorf("without PKCE: %v", got)
			}
			withSecret := app.Redeem(d, user.Code(app, d))
			if got := app.Refresh(d, withSecret.Text("refresh_token"), public...); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_client" {
				t.Errorf("refresh without secret: %v", got)
			}
		})
	}
}

// TestPlainPKCE: /ap/oa takes the method plain, also left out, from clients with a
// secret; everybody else needs S256 (contract.md, "PKCE").
func TestPlainPKCE(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for name, pairs := range map[string][]string{
		"plain":    {"code_challenge", sim.Verifier, "code_challenge_method", "plain"},
		"left out": {"code_challenge", sim.Verifier},
	} {
		t.Run(name, func(t *testing.T) {
			code := user.Code(app, sim.Amazon, pairs...)
			if got := app.Redeem(sim.Amazon, code, "client_secret", sim.Omit, "code_verifier", sim.Verifier); got.Status == http.StatusOK {
				t.Errorf("without the secret: %v", got)
			}
			if got := app.Redeem(sim.Amazon, code, "code_verifier", strings.Repeat("b", 43)); got.Text("error") != "invalid_grant" {
				t.Errorf("wrong verifier: %v", got)
			}
			// The code may be redeemed at either token path.
			if got := app.Redeem(sim.Standard, code, "code_verifier", sim.Verifier); got.Status != http.StatusOK {
				t.Errorf("with the secret: %v", got)
			}
			if back := user.Authorize(app, sim.Standard, pairs...); back.Get("error") != "invalid_request" {
				t.Errorf("on the standard path: %v, want invalid_request", back)
			}
		})
	}
}

// TestTokenShapes holds contract.md, "Shapes": the prefix follows the path of the
// authorization request, and a code of plain parameters is 18 to 128 characters.
func TestTokenShapes(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	tests := []struct {
		dialect         oauth.Dialect
		access, refresh string
		scope           string
	}{
		{sim.Standard, "gl_at_", "gl_rt_", "profile"},
		{sim.Amazon, "Atza|", "Atzr|", ""},
	}
	for _, tt := range tests {
		code := user.Code(app, tt.dialect, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256")
		if len(code) < 18 || len(code) > 128 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("code %q has %d characters", code, len(code))
		}
		got := app.Redeem(tt.dialect, code, "code_verifier", sim.Verifier)
		access, refresh := got.Text("access_token"), got.Text("refresh_token")
		if !strings.HasPrefix(access, tt.access) || len(access) > 2048 {
			t.Errorf("access token %q", access)
		}
		if !strings.HasPrefix(refresh, tt.refresh) || len(refresh) > 2048 {
			t.Errorf("refresh token %q", refresh)
		}
		if got.Number("expires_in") != 3600 || got.Text("token_type") != "bearer" || got.Text("scope") != tt.scope {
			t.Errorf("answer %v", got)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json;charset=UTF-8"} {
			if got.Header.Get(name) != want {
				t.Errorf("%s %q, want %q", name, got.Header.Get(name), want)
			}
		}
	}
}

// TestCodeTellsNothing: who reads a code learns nothing of what it is tied to
// (RFC 7636 section 4.4).
func TestCodeTellsNothing(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	code := user.Code(app, sim.Standard, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256")
	bytes, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	challenge := sha256.Sum256([]byte(sim.Verifier))
	for what, secret := range map[string]string{
		"challenge": string(challenge[:8]), "challenge as text": sim.S256(sim.Verifier)[:8], "return URL": app.ReturnURL[:12],
	} {
		if strings.Contains(string(bytes), secret) || strings.Contains(code, secret) {
			t.Errorf("the code holds the %s", what)
		}
	}
}
