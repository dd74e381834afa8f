package bench

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const (
	returnURL = "http://127.0.0.1:3999/cb"
	verifier  = "bench-bench-bench-bench-bench-bench-bench-bench"
)

// signedIn is the person of the world in front of a browser.
type signedIn struct {
	w       world
	p       *process
	client  *http.Client
	cookies []string
}

func (w world) signIn(b *testing.B, p *process) signedIn {
	b.Helper()
	s := signedIn{w: w, p: p, client: newClient()}
	s.submit(b, "/sign-in", url.Values{"email": {"bench@example.com"}, "password": {"Bench passphrase 99!"}})
	return s
}

// submit posts a form as a page of the server does.
func (s *signedIn) submit(b *testing.B, target string, form url.Values) answer {
	b.Helper()
	r := post(s.p.base+target, form)()
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return s.keep(b, r)
}

// keep sends a request and keeps the cookies that come.
func (s *signedIn) keep(b *testing.B, r *http.Request) answer {
	b.Helper()
	s.show(r)
	got, err := answered(s.client, r)
	if err != nil {
		b.Fatal(err)
	}
	for _, cookie := range got.header.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(cookie, ";")
		s.cookies = append(s.cookies, pair)
	}
	return got
}

func (s *signedIn) show(r *http.Request) { r.Header.Set("Cookie", strings.Join(s.cookies, "; ")) }

func get(target string) *http.Request {
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		panic(err)
	}
	return r
}

func (s *signedIn) authorizeURL(scope string) string {
	sum := sha256.Sum256([]byte(verifier))
	return s.p.base + "/oauth2/authorize?" + url.Values{
		"client_id": {s.w.id}, "redirect_uri": {returnURL}, "response_type": {"code"}, "scope": {scope}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
}

var accountField = regexp.MustCompile(`name="account" value="([0-9]+)"`)

// consent allows what the scope names, once.
func (s *signedIn) consent(b *testing.B, scope string) {
	b.Helper()
	to := s.keep(b, get(s.authorizeURL(scope))).header.Get("Location")
	page := s.keep(b, get(s.p.base+to))
	id := accountField.FindSubmatch(page.body)
	if id == nil {
		b.Fatalf("no consent page at %s", to)
	}
	s.submit(b, to, url.Values{"decision": {"allow"}, "account": {string(id[1])}})
}

// tokens is an answer of the token endpoint.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// flow is a code flow of a user who has consented: authorize and exchange.
func (s *signedIn) flow(scope string, credentials url.Values) (t tokens, err error) {
	r := get(s.authorizeURL(scope))
	s.show(r)
	back, err := answered(s.client, r)
	if err != nil {
		return t, err
	}
	to, err := url.Parse(back.header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		return t, fmt.Errorf("no code at %s", back.header.Get("Location"))
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {returnURL}, "code_verifier": {verifier}}
	return s.token(form, credentials)
}

func (s *signedIn) token(form, credentials url.Values) (t tokens, err error) {
	for name, values := range credentials {
		form[name] = values
	}
	got, err := answered(s.client, post(s.p.base+"/oauth2/token", form)())
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(got.body, &t)
}

func (w world) credentials() url.Values {
	return url.Values{"client_id": {w.id}, "client_secret": {w.secret}}
}

// consented is a world whose user has consented to a scope.
func consented(b *testing.B, scope string, settings ...string) signedIn {
	b.Helper()
	w := newWorld(b)
	if len(settings) > 0 {
		w.command(b, "", append([]string{"profile", "settings", w.id}, settings...)...)
	}
	s := w.signIn(b, w.serve(b))
	s.consent(b, scope)
	return s
}

func BenchmarkCodeFlow(b *testing.B) {
	for _, kind := range []struct {
		name, scope string
		settings    []string
	}{
		{"plain", "profile", nil},
		{"ES256", "openid profile", []string{"--id-token-alg", "ES256"}},
		{"RS256", "openid profile", nil},
	} {
		b.Run(kind.name, func(b *testing.B) {
			s := consented(b, kind.scope, kind.settings...)
			repeat(b, s.p, 200, func(int) error {
				t, err := s.flow(kind.scope, s.w.credentials())
				if err == nil && (t.ID != "") != strings.Contains(kind.scope, "openid") {
					err = errors.New("an ID token too many or too few")
				}
				return err
			})
		})
	}
}

func BenchmarkRefreshWithIDToken(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		b.Run(alg, func(b *testing.B) {
			s := consented(b, "openid", "--id-token-alg", alg)
			t, err := s.flow("openid", s.w.credentials())
			if err != nil {
				b.Fatal(err)
			}
			drive(b, s.p, post(s.p.base+"/oauth2/token", s.w.refreshForm(t.Refresh)))
		})
	}
}

// BenchmarkRotatingRefresh has a family for each worker.
func BenchmarkRotatingRefresh(b *testing.B) {
	s := consented(b, "profile")
	s.w.command(b, "", "profile", "settings", s.w.id, "--kind", "native")
	public := url.Values{"client_id": {s.w.id}}
	// A native application is asked for anew each time, so each family begins so.
	var newest [connections]string
	for i := range newest {
		to := s.keep(b, get(s.authorizeURL("profile"))).header.Get("Location")
		id := accountField.FindSubmatch(s.keep(b, get(s.p.base+to)).body)
		back := s.submit(b, to, url.Values{"decision": {"allow"}, "account": {string(id[1])}}).header.Get("Location")
		at, err := url.Parse(back)
		if err != nil {
			b.Fatal(err)
		}
		t, err := s.token(url.Values{"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {returnURL}, "code_verifier": {verifier}}, public)
		if err != nil || t.Refresh == "" {
			b.Fatal("no family: ", err)
		}
		newest[i] = t.Refresh
	}
	repeat(b, s.p, 200, func(worker int) error {
		t, err := s.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {newest[worker]}}, public)
		newest[worker] = t.Refresh
		return err
	})
}

func BenchmarkIntrospection(b *testing.B) {
	s := consented(b, "openid")
	t, err := s.flow("openid", s.w.credentials())
	if err != nil {
		b.Fatal(err)
	}
	form := s.w.credentials()
	form.Set("token", t.Access)
	drive(b, s.p, post(s.p.base+"/oauth2/introspect", form))
}

func BenchmarkUserInfo(b *testing.B) {
	s := consented(b, "openid profile")
	t, err := s.flow("openid profile", s.w.credentials())
	if err != nil {
		b.Fatal(err)
	}
	drive(b, s.p, func() *http.Request {
		r := get(s.p.base + "/oauth2/userinfo")
		r.Header.Set("Authorization", "Bearer "+t.Access)
		return r
	})
}

// BenchmarkJWTAccessToken is a refresh for an API that asks for JWTs (RFC 9068).
func BenchmarkJWTAccessToken(b *testing.B) {
	w := newWorld(b)
	w.command(b, "", "profile", "api", w.id, "--audience", "https://api.example")
	w.command(b, "", "profile", "settings", w.id, "--token-format", "jwt", "--id-token-alg", "ES256")
	w.command(b, "", "scope", "create", "--name", "reports:read", "--label", "Reports", "--detail", "Reads reports.", "--audience", "https://api.example")
	s := w.signIn(b, w.serve(b))
	s.consent(b, "reports:read")
	t, err := s.flow("reports:read", w.credentials())
	if err != nil || strings.Count(t.Access, ".") != 2 {
		b.Fatal("no JWT: ", err)
	}
	drive(b, s.p, post(s.p.base+"/oauth2/token", w.refreshForm(t.Refresh)))
}

// BenchmarkImplicit is a token from the authorization endpoint.
func BenchmarkImplicit(b *testing.B) {
	s := consented(b, "profile", "--implicit")
	target := s.p.base + "/ap/oa?" + url.Values{"client_id": {s.w.id}, "redirect_uri": {returnURL}, "response_type": {"token"}, "scope": {"profile"}}.Encode()
	repeat(b, s.p, 200, func(int) error {
		r := get(target)
		s.show(r)
		got, err := answered(s.client, r)
		if err == nil && !strings.Contains(got.header.Get("Location"), "#access_token=") {
			err = errors.New("no token in " + got.header.Get("Location"))
		}
		return err
	})
}
