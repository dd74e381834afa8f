package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// attack is what every vector starts from: an application that the user has let
// in, and another of another developer.
type attack struct {
	*sim.World
	app, other *sim.Application
	user       *sim.Person
	d          oauth.Dialect
}

func (a attack) code(pairs ...string) string { return a.user.Code(a.app, a.d, pairs...) }

func (a attack) tokens(t *testing.T, pairs ...string) (access, refresh string) {
	t.Helper()
	got := a.app.Redeem(a.d, a.code(pairs...))
	if got.Status != http.StatusOK {
		t.Fatal(got)
	}
	return got.Text("access_token"), got.Text("refresh_token")
}

// refused fails the test when the answer gives anything away.
func refused(t *testing.T, what string, got sim.Answer, code string) {
	t.Helper()
	if got.Status < 400 || got.Status >= 500 || got.Text("error") != code || strings.Contains(got.Body, `"access_token"`) {
		t.Errorf("%s: %v, want %s", what, got, code)
	}
}

// TestProtocolAttacks tries what others were broken with (docs/threat-model.md has
// the list) at the token endpoint and the resources, in both dialects.
func TestProtocolAttacks(t *testing.T) {
	s256 := []string{"code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256"}
	attacks := []struct {
		id  string
		try func(t *testing.T, a attack)
	}{
		{"CVE-2026-4282", func(t *testing.T, a attack) { // a value of one kind taken for another
			access, refresh := a.tokens(t)
			code := a.code()
			request := sealedRequest(t, a)
			bare := func(token string) string { return token[strings.LastIndexAny(token, "|_")+1:] }
			for _, value := range []string{access, refresh, access[5:], refresh[5:], request, bare(access)} {
				refused(t, "as a code", a.app.Redeem(a.d, value), "invalid_grant")
			}
			for _, prefix := range []string{"Atzr|", "gl_rt_"} {
				for _, value := range []string{code, request, strings.TrimPrefix(strings.TrimPrefix(access, "Atza|"), "gl_at_")} {
					refused(t, "as a refresh token", a.app.Refresh(a.d, prefix+value), "invalid_grant")
				}
			}
			for _, prefix := range []string{"Atza|", "gl_at_"} {
				for _, value := range []string{code, request, strings.TrimPrefix(strings.TrimPrefix(refresh, "Atzr|"), "gl_rt_")} {
					refused(t, "as an access token", a.TokenInfo(prefix+value), "invalid_token")
				}
			}
			for _, value := range []string{code, access, refresh[5:], url.QueryEscape(access[5:])} {
				if page := a.user.Open("/consent?request=" + url.QueryEscape(value)); page.Status != http.StatusBadRequest {
					t.Errorf("as a request in flight: %d", page.Status)
				}
			}
		}},
		{"CVE-2023-48228", func(t *testing.T, a attack) {
			refused(t, "wrong verifier", a.app.Redeem(a.d, a.code(s256...), "code_verifier", strings.Repeat("x", 43)), "invalid_grant")
			refused(t, "verifier without challenge", a.app.Redeem(a.d, a.code(), "code_verifier", sim.Verifier), "invalid_grant")
		}},
		{"CVE-2024-23647", func(t *testing.T, a attack) { // the challenge dropped on the way to the user
			refused(t, "with the client's verifier", a.app.Redeem(a.d, a.code(), "code_verifier", sim.Verifier), "invalid_grant")
			refused(t, "without a secret", a.app.Redeem(a.d, a.code(), "client_secret", sim.Omit, "code_verifier", sim.Verifier), "invalid_client")
		}},
		{"CVE-2025-4144", func(t *testing.T, a attack) {
			refused(t, "verifier left out", a.app.Redeem(a.d, a.code(s256...)), "invalid_grant")
			refused(t, "verifier empty", a.app.Redeem(a.d, a.code(s256...), "code_verifier", ""), "invalid_grant")
			refused(t, "without a secret", a.app.Redeem(a.d, a.code(s256...), "client_secret", sim.Omit), "invalid_grant")
		}},
		{"CVE-2026-43983", func(t *testing.T, a attack) {
			_, refresh := a.tokens(t)
			g, _, err := a.Store.GrantFor(t.Context(), a.user.ID, a.app.Profile.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Store.RemoveGrant(t.Context(), a.user.ID, g.ID, audit.By{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			refused(t, "after consent was taken back", a.app.Refresh(a.d, refresh), "invalid_grant")
		}},
		{"CVE-2023-22492", func(t *testing.T, a attack) {
			access, refresh := a.tokens(t)
			if err := a.Store.SetAccountDisabled(t.Context(), a.user.ID, time.Now(), audit.By{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			refused(t, "refresh of a disabled user", a.app.Refresh(a.d, refresh), "invalid_grant")
			refused(t, "tokeninfo of a disabled user", a.TokenInfo(access), "invalid_token")
		}},
		{"CVE-2026-8922", func(t *testing.T, a attack) { // what the operator ended for all at once
			access, refresh := a.tokens(t)
			a.app.Suspend()
			refused(t, "tokeninfo", a.TokenInfo(access), "invalid_token")
			refused(t, "profile", a.UserProfile(access), "invalid_token")
			refused(t, "refresh", a.app.Refresh(a.d, refresh), "unauthorized_client")
		}},
		{"CVE-2025-64521", func(t *testing.T, a attack) {
			code := a.code()
			a.app.Suspend()
			refused(t, "code of a suspended application", a.app.Redeem(a.d, code), "unauthorized_client")
			if back := a.user.Authorize(a.app, a.d); back.Get("error") != "unauthorized_client" || back.Has("code") {
				t.Errorf("authorization: %v", back)
			}
		}},
		{"CVE-2020-14389", func(t *testing.T, a attack) { // tokens of one application used by another
			_, refresh := a.tokens(t)
			refused(t, "code", a.other.Redeem(a.d, a.code(), "redirect_uri", a.app.ReturnURL), "invalid_grant")
			refused(t, "refresh token", a.other.Refresh(a.d, refresh), "invalid_grant")
		}},
		{"CVE-2026-67332", func(t *testing.T, a attack) { // the resource can tell whose token it is
			access, _ := a.tokens(t)
			if aud := a.TokenInfo(access).Text("aud"); aud != a.app.ID {
				t.Errorf("aud %q, want the application's %q", aud, a.app.ID)
			}
		}},
		{"CVE-2021-32701", func(t *testing.T, a attack) { // an answer in memory given to a token of less scope
			a.code("scope", "profile postal_code")
			wide, _ := a.tokens(t, "scope", "profile postal_code")
			narrow, _ := a.tokens(t, "scope", "profile:user_id")
			for range 2 {
				if got := a.UserProfile(wide); got.Text("name") == "" {
					t.Errorf("wide: %v", got)
				}
				if got := a.UserProfile(narrow); got.Text("name") != "" || got.Text("email") != "" || got.Text("user_id") == "" {
					t.Errorf("narrow: %v", got)
				}
			}
		}},
		{"CVE-2026-9793", func(t *testing.T, a attack) { // request objects are not read at all
			object := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
				base64.RawURLEncoding.EncodeToString([]byte(`{"redirect_uri":"https://evil.example","scope":"profile postal_code"}`)) + "."
			back := a.user.Authorize(a.app, a.d, "request", object)
			if back.Get("scope") != "profile" {
				t.Errorf("%v", back)
			}
		}},
		{"CVE-2026-9792", func(t *testing.T, a attack) {
			form := a.app.RedeemForm("", "grant_type", "password", "username", a.user.Email, "password", sim.Password)
			refused(t, "password grant", a.Post(sim.TokenPath(a.d), form), "unsupported_grant_type")
		}},
		{"CVE-2026-75866", func(t *testing.T, a attack) {
			refused(t, "implicit", a.app.Redeem(a.d, "x", "grant_type", "implicit"), "unsupported_grant_type")
			if back := a.user.Authorize(a.app, a.d, "scope", "profile admin"); back.Get("error") != "invalid_scope" {
				t.Errorf("unknown scope: %v", back)
			}
		}},
		{"CVE-2024-52287", func(t *testing.T, a attack) {
			_, refresh := a.tokens(t)
			refused(t, "more scope at refresh", a.app.Refresh(a.d, refresh, "scope", "profile postal_code"), "invalid_scope")
			got := a.app.Redeem(a.d, a.code(), "scope", "profile postal_code")
			if profile := a.UserProfile(got.Text("access_token")); strings.Contains(profile.Body, "postal_code") {
				t.Errorf("more scope at the exchange: %v", profile)
			}
		}},
		{"GHSA-7qjx-gp9h-65qj", func(t *testing.T, a attack) {
			access, _ := a.tokens(t)
			refused(t, "token exchange", a.app.Redeem(a.d, "", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", access), "unsupported_grant_type")
		}},
		{"CVE-2026-1609", func(t *testing.T, a attack) {
			refused(t, "JWT bearer", a.app.Redeem(a.d, "", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "e30.e30."), "unsupported_grant_type")
		}},
		{"DOT-1077", func(t *testing.T, a attack) {
			digest := sha256.Sum256([]byte(a.app.Secret))
			for _, secret := range []string{
				hex.EncodeToString(digest[:]), base64.StdEncoding.EncodeToString(digest[:]), string(digest[:8]),
				"amzn1.oa2-cs.v1." + hex.EncodeToString(digest[:]), strings.TrimPrefix(a.app.Secret, "amzn1.oa2-cs.v1."),
			} {
				got := a.app.Redeem(a.d, "x", "client_secret", secret)
				if got.Text("error") != "invalid_client" && got.Text("error") != "invalid_request" {
					t.Errorf("%q: %v", secret, got)
				}
			}
		}},
		{"hydra-1438", func(t *testing.T, a attack) {
			s := a.app.Secret
			for _, secret := range []string{s[:72], s[:72] + "00000000", s[:len(s)-1], s + "0", strings.ToUpper(s), " " + s} {
				refused(t, secret, a.app.Redeem(a.d, a.code(), "client_secret", secret), "invalid_client")
			}
		}},
		{"pocket-id-1321", func(t *testing.T, a attack) { // parameters in the address stand in logs
			form := a.app.RedeemForm(a.code())
			refused(t, "everything in the query", a.Post(sim.TokenPath(a.d)+"?"+form.Encode(), nil), "invalid_request")
			body := url.Values{"grant_type": form["grant_type"], "code": form["code"], "redirect_uri": form["redirect_uri"], "client_id": form["client_id"]}
			refused(t, "the secret in the query", a.Post(sim.TokenPath(a.d)+"?"+url.Values{"client_secret": {a.app.Secret}}.Encode(), body), "invalid_client")
		}},
		{"pocket-id-1263", func(t *testing.T, a attack) { // Basic is form-encoded inside
			form := a.app.RedeemForm(a.code(), "client_id", sim.Omit, "client_secret", sim.Omit)
			escaped := strings.ReplaceAll(a.app.ID, ".", "%2E") + ":" + strings.ReplaceAll(a.app.Secret, ".", "%2e")
			got := a.Post(sim.TokenPath(a.d), form, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(escaped)))
			if got.Status != http.StatusOK {
				t.Errorf("percent-encoded: %v", got)
			}
		}},
		{"CVE-2022-23539", func(t *testing.T, a attack) { // no JWT is a token here
			token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"`+a.app.ID+`"}`)) + "."
			refused(t, "alg none", a.TokenInfo(token), "invalid_token")
			refused(t, "alg none", a.UserProfile(token), "invalid_token")
		}},
		{"CVE-2021-32791", func(t *testing.T, a attack) { // a nonce used twice shows in equal texts
			one, two := a.code(), a.code()
			if one[:20] == two[:20] {
				t.Errorf("codes begin alike: %s %s", one[:20], two[:20])
			}
		}},
	}
	for path, d := range dialects {
		w := sim.New(t)
		for _, tt := range attacks {
			t.Run(tt.id+" "+path, func(t *testing.T) {
				a := attack{World: w, app: w.NewApplication(), other: w.NewApplication(), user: w.SignUp("Ada Lovelace"), d: d}
				tt.try(t, a)
			})
		}
	}
}

// sealedRequest is the value that stands for an authorization request in flight.
func sealedRequest(t *testing.T, a attack) string {
	t.Helper()
	page := a.user.Open(a.app.AuthorizeURL(a.d, "prompt", "consent"))
	sealed := page.URL.Query().Get("request")
	if sealed == "" {
		t.Fatalf("not at the consent page but at %s", page.URL)
	}
	return sealed
}

// TestConsentAttacks tries to have a user's consent without the user.
func TestConsentAttacks(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	victim, attacker := w.SignUp("Ada Lovelace"), w.SignUp("Mallory")

	t.Run("CVE-2022-39222", func(t *testing.T) { // a request begun by one person, completed by another
		page := consentPage(t, attacker, app, app.AuthorizeURL(sim.Amazon))
		if after := victim.Open(page.URL.String()); after.Status != http.StatusBadRequest || after.Has("Allow") {
			t.Errorf("opened by the victim: %d %s", after.Status, after.Text())
		}
		answer := url.Values{"decision": {"allow"}, "account": {itoa(victim.ID)}}
		if after := victim.Submit(page.URL.String(), answer); after.Status != http.StatusBadRequest {
			t.Errorf("answered by the victim: %d at %s", after.Status, after.URL)
		}
		// And the other way round: the victim's request in the attacker's browser.
		page = consentPage(t, victim, app, app.AuthorizeURL(sim.Amazon))
		if after := attacker.Open(page.URL.String()); after.Status != http.StatusBadRequest {
			t.Errorf("opened by the attacker: %d", after.Status)
		}
	})
	t.Run("CSRF", func(t *testing.T) {
		page := consentPage(t, victim, app, app.AuthorizeURL(sim.Amazon))
		answer := url.Values{"decision": {"allow"}, "account": {itoa(victim.ID)}}
		for name, header := range map[string]http.Header{
			"cross-site":              {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
			"same-site":               {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://evil.localhost:8080"}},
			"opaque origin":           {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}},
			"old browser":             {"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}},
			"old browser, opaque":     {"Sec-Fetch-Site": nil, "Origin": {"null"}},
			"another port as origin":  {"Sec-Fetch-Site": nil, "Origin": {"http://localhost:9999"}},
			"another scheme's origin": {"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://localhost:8080"}},
		} {
			victim.Header = header
			if after := victim.Submit(page.URL.String(), answer); after.Status != http.StatusForbidden {
				t.Errorf("%s: %d at %s", name, after.Status, after.URL)
			}
		}
		victim.Header = http.Header{}
		if _, _, err := w.Store.GrantFor(t.Context(), victim.ID, app.Profile.ID); err == nil {
			t.Error("there is a grant")
		}
	})
	t.Run("POST to the authorization endpoint", func(t *testing.T) { // acts on nothing
		victim.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}
		defer func() { victim.Header = http.Header{} }()
		for _, scope := range []string{"profile", "profile:user_id"} {
			u, _ := url.Parse(app.AuthorizeURL(sim.Amazon, "scope", scope, "decision", "allow", "account", itoa(victim.ID)))
			page := victim.Send(http.MethodPost, "/ap/oa", u.Query())
			// The same request by GET, which brings the cookies along.
			if to := page.Header.Get("Location"); !strings.HasPrefix(to, "/ap/oa?") || len(page.Header.Values("Set-Cookie")) > 0 {
				t.Errorf("%s: %d to %s with %q", scope, page.Status, to, page.Header.Values("Set-Cookie"))
			}
		}
		if _, _, err := w.Store.GrantFor(t.Context(), victim.ID, app.Profile.ID); err == nil {
			t.Error("there is a grant")
		}
	})
	t.Run("clickjacking", func(t *testing.T) {
		page := consentPage(t, victim, app, app.AuthorizeURL(sim.Amazon))
		if page.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(page.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("may be framed: %v", page.Header)
		}
	})
	t.Run("GET", func(t *testing.T) { // a link cannot answer
		page := consentPage(t, victim, app, app.AuthorizeURL(sim.Amazon))
		if after := victim.Open(page.URL.String() + "&decision=allow&account=" + itoa(victim.ID)); !after.Has("Allow") {
			t.Errorf("%d at %s", after.Status, after.URL)
		}
	})
	t.Run("CVE-2026-49448", func(t *testing.T) { // an empty POST skips nothing
		page := consentPage(t, victim, app, app.AuthorizeURL(sim.Amazon))
		if after := victim.Submit(page.URL.String(), nil); after.Status != http.StatusUnprocessableEntity || !after.Has("Allow") {
			t.Errorf("%d at %s", after.Status, after.URL)
		}
	})
}

// TestConcurrentExchanges: of many exchanges of one code at the same moment one
// succeeds, also over two replicas (pocket-id 6bd058ac, CVE-2026-1035).
func TestConcurrentExchanges(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			cfg, keys := sqldbtest.Config(t, dialect), t.TempDir()+"/keys"
			w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			replica := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			app := w.NewApplication()
			user := w.SignUp("Ada Lovelace")
			for range 5 {
				code := user.Code(app, sim.Amazon)
				answers := make([]sim.Answer, 16)
				var all sync.WaitGroup
				for i := range answers {
					at := app
					if i%2 == 1 {
						at = app.In(replica)
					}
					all.Go(func() { answers[i] = at.Redeem(sim.Amazon, code) })
				}
				all.Wait()
				successes := 0
				for _, got := range answers {
					if got.Status == http.StatusOK {
						successes++
					} else {
						refused(t, "a loser", got, "invalid_grant")
					}
				}
				if successes != 1 {
					t.Errorf("%d of %d exchanges of one code succeeded", successes, len(answers))
				}
			}
		})
	}
}

// TestRestart: what has ended stays ended for a server that starts anew
// (CVE-2026-9802), and what lives lives on.
func TestRestart(t *testing.T) {
	cfg, keys := sqldbtest.Config(t, sqldb.SQLite), t.TempDir()+"/keys"
	w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
	removed, replayed, living := w.NewApplication(), w.NewApplication(), w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	fromRemoved := removed.Redeem(sim.Amazon, user.Code(removed, sim.Amazon))
	g, _, err := w.Store.GrantFor(t.Context(), user.ID, removed.Profile.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.RemoveGrant(t.Context(), user.ID, g.ID, audit.By{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	code := user.Code(replayed, sim.Amazon)
	fromReplayed := replayed.Redeem(sim.Amazon, code)
	replayed.Redeem(sim.Amazon, code)
	usedCode := user.Code(living, sim.Amazon)
	fromLiving := living.Redeem(sim.Amazon, usedCode)

	again := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
	refused(t, "removed grant", removed.In(again).Refresh(sim.Amazon, fromRemoved.Text("refresh_token")), "invalid_grant")
	refused(t, "replayed code", replayed.In(again).Refresh(sim.Amazon, fromReplayed.Text("refresh_token")), "invalid_grant")
	refused(t, "its access token", again.TokenInfo(fromReplayed.Text("access_token")), "invalid_token")
	if got := living.In(again).Refresh(sim.Amazon, fromLiving.Text("refresh_token")); got.Status != http.StatusOK {
		t.Errorf("living grant: %v", got)
	}
	refused(t, "used code", living.In(again).Redeem(sim.Amazon, usedCode), "invalid_grant")
}
