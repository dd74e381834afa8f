package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/authz"
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
			"nobody":                  w.Post("/oauth2/introspect", url.Values{"token": {access}}),
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
