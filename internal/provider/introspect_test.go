package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/authz"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/seal"
	"gatelodge/internal/sim"
)

// introspect asks as an application, with its secret in the header.
func introspect(w *sim.World, as *sim.Application, token string) sim.Answer {
	return w.Post("/oauth2/introspect", url.Values{"token": {token}}, "Authorization", basic(as.ID, as.Secret))
}

// inactive is the whole answer: nothing is told of a token that is not the asker's
// or no longer good (RFC 7662 section 2.2).
func inactive(t *testing.T, what string, got sim.Answer) {
	t.Helper()
	if got.Status != http.StatusOK || got.Body != `{"active":false}` {
		t.Errorf("%s: %v", what, got)
	}
}

// TestIntrospection: what an application learns of its own tokens.
func TestIntrospection(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		now := float64(time.Now().Unix())
		for path, d := range dialects {
			given := app.Redeem(d, user.Code(app, d, "scope", "profile openid"))
			sub := w.TokenInfo(given.Text("access_token")).Text("user_id")
			for name, tt := range map[string]struct {
				token string
				want  map[string]any
			}{
				"access token": {given.Text("access_token"), map[string]any{
					"active": true, "scope": "profile openid", "client_id": app.ID, "token_type": "bearer",
					"sub": sub, "iss": w.Issuer, "exp": now + 3600, "iat": now,
				}},
				"refresh token": {given.Text("refresh_token"), map[string]any{
					"active": true, "scope": "profile openid", "client_id": app.ID, "sub": sub, "iss": w.Issuer, "iat": now,
				}},
			} {
				answer := introspect(w, app, tt.token)
				var got map[string]any
				if err := json.Unmarshal([]byte(answer.Body), &got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" || answer.Status != http.StatusOK || answer.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s, %s: %d (-want +got)\n%s", path, name, answer.Status, diff)
				}
				form := url.Values{"token": {tt.token}, "token_type_hint": {"refresh_token"}, "client_id": {app.ID}, "client_secret": {app.Secret}}
				if got := w.Post("/oauth2/introspect", form); got.Body != answer.Body {
					t.Errorf("%s, %s: with the secret in the body and a hint: %v", path, name, got)
				}
			}
		}
		own := w.Post("/oauth2/token", clientCredentials(app)).Text("access_token")
		if got := introspect(w, app, own); got.Text("sub") != app.ID || got.Text("client_id") != app.ID || got.Number("exp") != now+3600 {
			t.Errorf("token of the application alone: %v", got)
		}
	})
}

// TestIntrospectionTellsNobodyElse: not another client, not one that has not proved
// who it is, nothing of what has ended (RFC 7662 section 4).
func TestIntrospectionTellsNobodyElse(t *testing.T) {
	w := sim.New(t)
	app, other := w.NewApplication(), w.NewApplication()
	sibling := app.Sibling("https://sibling.example/return")
	user := w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard))
	access, refresh := given.Text("access_token"), given.Text("refresh_token")
	own := w.Post("/oauth2/token", clientCredentials(app)).Text("access_token")
	t.Run("CVE-2026-58425", func(t *testing.T) { // another application's tokens
		for _, as := range []*sim.Application{other, sibling} {
			for name, token := range map[string]string{"access token": access, "refresh token": refresh, "own token": own, "invented": "gl_at_x", "code": user.Code(app, sim.Standard)} {
				inactive(t, name, introspect(w, as, token))
			}
		}
	})
	t.Run("CVE-2026-92288", func(t *testing.T) { // a client that only says who it is
		public := singlePage(w)
		publicAccess, _ := family(t, public, user)
		for name, got := range map[string]sim.Answer{
			"without secret":          w.Post("/oauth2/introspect", url.Values{"token": {access}, "client_id": {app.ID}}),
			"of a single page":        w.Post("/oauth2/introspect", url.Values{"token": {publicAccess}, "client_id": {public.ID}}),
			"empty secret":            w.Post("/oauth2/introspect", url.Values{"token": {access}, "client_id": {app.ID}, "client_secret": {""}}),
			"wrong secret":            w.Post("/oauth2/introspect", url.Values{"token": {access}, "client_id": {app.ID}, "client_secret": {other.Secret}}),
			"the token as credential": w.Post("/oauth2/introspect", url.Values{"token": {access}}, "Authorization", "Bearer "+access),
		} {
			if got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_client" {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
	t.Run("incomplete", func(t *testing.T) {
		refused(t, "no token", introspect(w, app, ""), "invalid_request")
		refused(t, "nobody", w.Post("/oauth2/introspect", url.Values{"token": {access}}), "invalid_request")
		if got := w.Do(w.Request(http.MethodGet, "/oauth2/introspect?token="+url.QueryEscape(access), nil, "Authorization", basic(app.ID, app.Secret))); got.Status != http.StatusMethodNotAllowed {
			t.Errorf("GET: %v", got)
		}
	})
	t.Run("used up", func(t *testing.T) { // a single page that has told its server its secret
		public := singlePage(w)
		_, first := family(t, public, user)
		_, second := rotated(t, public, first)
		inactive(t, "a refresh token that was used", introspect(w, public, first))
		if got := introspect(w, public, second); got.Text("client_id") != public.ID {
			t.Errorf("the next one: %v", got)
		}
	})
	t.Run("ended", func(t *testing.T) {
		app := w.NewApplication()
		code := user.Code(app, sim.Standard)
		given := app.Redeem(sim.Standard, code)
		app.Redeem(sim.Standard, code)
		inactive(t, "access token of a code used twice", introspect(w, app, given.Text("access_token")))
		inactive(t, "refresh token of a code used twice", introspect(w, app, given.Text("refresh_token")))
		given = app.Redeem(sim.Standard, user.Code(app, sim.Standard))
		if err := w.Store.SetAccountDisabled(t.Context(), user.ID, time.Now(), by()); err != nil {
			t.Fatal(err)
		}
		inactive(t, "access token of a disabled user", introspect(w, app, given.Text("access_token")))
		inactive(t, "refresh token of a disabled user", introspect(w, app, given.Text("refresh_token")))
		if err := w.Store.SetAccountDisabled(t.Context(), user.ID, time.Time{}, by()); err != nil {
			t.Fatal(err)
		}
		app.Suspend()
		if got := introspect(w, app, given.Text("access_token")); got.Text("error") != "unauthorized_client" {
			t.Errorf("a suspended application: %v", got)
		}
	})
}

// TestIntrospectionOfExpired: an access token lives an hour, a refresh token on.
func TestIntrospectionOfExpired(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		given := app.Redeem(sim.Standard, w.SignUp("Ada Lovelace").Code(app, sim.Standard))
		own := w.Post("/oauth2/token", clientCredentials(app)).Text("access_token")
		time.Sleep(authz.AccessTokenLifetime)
		inactive(t, "access token after an hour", introspect(w, app, given.Text("access_token")))
		inactive(t, "own token after an hour", introspect(w, app, own))
		if got := introspect(w, app, given.Text("refresh_token")); got.Text("client_id") != app.ID {
			t.Errorf("refresh token after an hour: %v", got)
		}
	})
}

// revoke asks as an application.
func revoke(w *sim.World, as *sim.Application, token string, pairs ...string) sim.Answer {
	form := url.Values{"token": {token}, "client_id": {as.ID}, "client_secret": {as.Secret}}
	for i := 0; i+1 < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == sim.Omit {
			form.Del(pairs[i])
		}
	}
	return w.Post("/oauth2/revoke", form)
}

// TestRevocation is RFC 7009: tokens of one code end together.
func TestRevocation(t *testing.T) {
	w := sim.New(t)
	app, other := w.NewApplication(), w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	revoked := func(t *testing.T, got sim.Answer) {
		t.Helper()
		if got.Status != http.StatusOK || got.Body != "" {
			t.Errorf("%v, want 200 and nothing", got)
		}
	}
	for path, d := range dialects {
		for _, which := range []string{"access_token", "refresh_token"} {
			t.Run(path+" "+which, func(t *testing.T) {
				given, bystander := app.Redeem(d, user.Code(app, d)), app.Redeem(d, user.Code(app, d))
				second := app.Refresh(d, given.Text("refresh_token")).Text("access_token")
				revoked(t, revoke(w, app, given.Text(which), "token_type_hint", "access_token"))
				for name, token := range map[string]string{"first": given.Text("access_token"), "second": second} {
					refused(t, name+" access token", w.TokenInfo(token), "invalid_token")
				}
				refused(t, "refresh token", app.Refresh(d, given.Text("refresh_token")), "invalid_grant")
				revoked(t, revoke(w, app, given.Text(which)))
				if got := app.Refresh(d, bystander.Text("refresh_token")); got.Status != http.StatusOK || w.TokenInfo(bystander.Text("access_token")).Status != http.StatusOK {
					t.Errorf("tokens of another code: %v", got)
				}
				// The consent lives on: nobody is asked again.
				user.Code(app, d, "prompt", "none")
			})
		}
	}
	t.Run("unknown", func(t *testing.T) { // section 2.2: no error
		for _, token := range []string{"x", "gl_at_invented", "gl_rt_invented", "Atza|x", user.Code(app, sim.Standard)} {
			revoked(t, revoke(w, app, token))
		}
	})
	t.Run("hint", func(t *testing.T) { // section 2.1: a wrong or unknown one changes nothing
		for _, hint := range []string{"refresh_token", "unknown"} {
			access := app.Redeem(sim.Standard, user.Code(app, sim.Standard)).Text("access_token")
			revoked(t, revoke(w, app, access, "token_type_hint", hint))
			refused(t, hint, w.TokenInfo(access), "invalid_token")
		}
	})
	t.Run("single page", func(t *testing.T) {
		page := singlePage(w)
		access, refresh := family(t, page, user)
		_, second := rotated(t, page, refresh)
		revoked(t, revoke(w, page, second, "client_secret", sim.Omit))
		refused(t, "access token", w.TokenInfo(access), "invalid_token")
		refused(t, "refresh token", rotate(page, second), "invalid_grant")
	})
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard))
	t.Run("another application's", func(t *testing.T) {
		for _, which := range []string{"access_token", "refresh_token"} {
			refused(t, which, revoke(w, other, given.Text(which)), "unauthorized_client")
		}
	})
	t.Run("not authenticated", func(t *testing.T) {
		for name, pairs := range map[string][]string{"wrong secret": {"client_secret", other.Secret}, "unknown": {"client_id", "x"}} {
			if got := revoke(w, app, given.Text("refresh_token"), pairs...); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_client" {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
	t.Run("without the secret", func(t *testing.T) { // RFC 7009 section 2.1: a confidential client's is required
		if got := revoke(w, app, given.Text("refresh_token"), "client_secret", sim.Omit); got.Status != http.StatusUnauthorized {
			t.Errorf("refresh token: %v", got)
		}
	})
	t.Run("incomplete", func(t *testing.T) {
		refused(t, "no token", revoke(w, app, "", "token", sim.Omit), "invalid_request")
		refused(t, "nobody", revoke(w, app, given.Text("refresh_token"), "client_id", sim.Omit), "invalid_request")
	})
	t.Run("GET", func(t *testing.T) {
		if got := w.Get("/oauth2/revoke?token=" + url.QueryEscape(given.Text("refresh_token"))); got.Status != http.StatusMethodNotAllowed {
			t.Errorf("%v", got)
		}
	})
	if got := app.Refresh(sim.Standard, given.Text("refresh_token")); got.Status != http.StatusOK {
		t.Errorf("after all that was refused: %v", got)
	}
	t.Run("client credentials", func(t *testing.T) { // there is no family to end
		own := w.Post("/oauth2/token", clientCredentials(app)).Text("access_token")
		refused(t, "own", revoke(w, app, own), "unsupported_token_type")
		refused(t, "another's", revoke(w, other, own), "unauthorized_client")
	})
	t.Run("CVE-2020-15223", func(t *testing.T) { // success told though the storage failed
		for name, outcome := range outcomes {
			for n := 1; ; n++ {
				given := app.Redeem(sim.Standard, user.Code(app, sim.Standard))
				w.DB.Reset()
				w.DB.Fail(n, outcome, faultdb.Exec, faultdb.Begin, faultdb.Commit)
				got := revoke(w, app, given.Text("refresh_token"))
				done := w.DB.Pending()
				w.DB.Reset()
				alive := app.Refresh(sim.Standard, given.Text("refresh_token")).Status == http.StatusOK
				switch {
				case got.Status == http.StatusOK && alive:
					t.Errorf("%s, call %d: revoked, and yet good", name, n)
				case got.Status != http.StatusOK && (got.Status != http.StatusServiceUnavailable || got.Text("error") != "temporarily_unavailable" || got.Header.Get("Retry-After") == ""):
					t.Errorf("%s, call %d: %v", name, n, got)
				}
				revoked(t, revoke(w, app, given.Text("refresh_token")))
				refused(t, "after the second try", app.Refresh(sim.Standard, given.Text("refresh_token")), "invalid_grant")
				if done {
					if n < 4 {
						t.Errorf("only %d calls were failed", n-1)
					}
					break
				}
			}
		}
	})
}

// TestClientCredentials: a token of the application alone (RFC 6749 section 4.4).
func TestClientCredentials(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	got := w.Post("/oauth2/token", clientCredentials(app))
	if got.Status != http.StatusOK || got.Number("expires_in") != 3600 || got.Text("token_type") != "bearer" || len(got.Body) > 512 {
		t.Fatalf("%v", got)
	}
	for _, member := range []string{"refresh_token", "id_token", "scope"} { // section 4.4.3
		if got.Text(member) != "" {
			t.Errorf("there is %s: %v", member, got)
		}
	}
	token := got.Text("access_token")
	if token[:6] != "gl_at_" {
		t.Errorf("token %s", token)
	}
	if info := w.TokenInfo(token); info.Status != http.StatusOK || info.Text("aud") != app.ID || info.Text("user_id") != "" || info.Number("exp") < 3590 {
		t.Errorf("tokeninfo: %v", info)
	}
	if got := w.UserProfile(token); got.Status != http.StatusForbidden || got.Text("error") != "insufficient_scope" {
		t.Errorf("profile: %v", got)
	}
	if got := w.Post("/oauth2/token", clientCredentials(app, "client_id", sim.Omit, "client_secret", sim.Omit), "Authorization", basic(app.ID, app.Secret)); got.Status != http.StatusOK {
		t.Errorf("by Basic: %v", got)
	}
	for path, d := range dialects {
		for _, scope := range []string{"profile", "profile:user_id", "openid", "offline_access", "unknown", "profile unknown"} {
			refused(t, path+" "+scope, w.Post(sim.TokenPath(d), clientCredentials(app, "scope", scope)), "invalid_scope")
		}
		refused(t, path+" without secret", w.Post(sim.TokenPath(d), clientCredentials(app, "client_secret", sim.Omit)), "invalid_client")
	}
	wire{400, "invalid_request", missing + "scope"}.check(t, w.Post("/auth/o2/token", clientCredentials(app)))
	app.Suspend()
	refused(t, "token of a suspended application", w.TokenInfo(token), "invalid_token")
	app.Delete()
	refused(t, "token of a deleted application", w.TokenInfo(token), "invalid_token")
}

// TestAmazonClientToken: on the paths of Login with Amazon the application's own
// token has a prefix of its own, and is good with no other.
func TestAmazonClientToken(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	now := time.Now()
	token := authz.AccessToken{ProfileID: app.Profile.ID, Dialect: sim.Amazon, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	sealed, err := w.View.Keys().Seal(nil, seal.Access, now, token.AppendBinary(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.TokenInfo("Atc|" + string(sealed)); got.Status != http.StatusOK || got.Text("aud") != app.ID || got.Text("user_id") != "" {
		t.Errorf("%v", got)
	}
	for _, prefix := range []string{"Atza|", "gl_at_", "Atzr|", ""} {
		refused(t, prefix, w.TokenInfo(prefix+string(sealed)), "invalid_token")
	}
}

// TestOtherMethods: applications get JSON also for a method that there is not.
func TestOtherMethods(t *testing.T) {
	w := sim.New(t)
	for path, allow := range map[string]string{
		"/oauth2/introspect": "POST", "/oauth2/revoke": "POST", "/oauth2/userinfo": "GET, POST", "/oauth2/jwks": "GET, HEAD",
		"/.well-known/openid-configuration": "GET, HEAD", "/.well-known/oauth-authorization-server": "GET, HEAD",
	} {
		for _, method := range []string{http.MethodPut, http.MethodDelete, "BREW"} {
			got := w.Do(w.Request(method, path, nil))
			if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != allow || got.Text("error") != "invalid_request" {
				t.Errorf("%s %s: %v, Allow %q", method, path, got, got.Header.Get("Allow"))
			}
		}
	}
}

// TestKinds: what an application is sets what it can do, so that nobody has to know
// the rest (CVE-2026-75866).
func TestKinds(t *testing.T) {
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	for _, kind := range registry.Kinds() {
		t.Run(kind.Name(), func(t *testing.T) {
			app := w.NewApplication()
			given := app.Redeem(sim.Standard, user.Code(app, sim.Standard))
			unused := user.Code(app, sim.Standard)
			app.Become(kind)
			service := kind == registry.Service
			for path, d := range dialects {
				back := user.Authorize(app, d)
				if service && (back.Get("error") != "unauthorized_client" || back.Get("state") == "") || !service && back.Get("code") == "" {
					t.Errorf("%s, authorization: %v", path, back)
				}
			}
			if got := w.Post("/oauth2/token", clientCredentials(app)); kind.Public() {
				refused(t, "client credentials", got, "unauthorized_client")
			} else if got.Status != http.StatusOK {
				t.Errorf("client credentials: %v", got)
			}
			redeemed, refreshed := app.Redeem(sim.Standard, unused), app.Refresh(sim.Standard, given.Text("refresh_token"))
			if service {
				refused(t, "code of before", redeemed, "unauthorized_client")
				refused(t, "refresh token of before", refreshed, "unauthorized_client")
			} else if redeemed.Status != http.StatusOK || refreshed.Status != http.StatusOK {
				t.Errorf("code %v, refresh %v", redeemed, refreshed)
			}
		})
	}
}
