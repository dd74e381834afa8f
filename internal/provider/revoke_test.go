package provider_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
)

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

// TestManyRevocations: an application that revokes its tokens at each sign-out does so for
// years. None comes back, the sign-ins of today go on, and only one that is older than
// the last hundred that ended has to be made again.
func TestManyRevocations(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
		signIn := func() string {
			return app.Redeem(sim.Standard, user.Code(app, sim.Standard)).Text("refresh_token")
		}
		oldest := signIn()
		var ended []string
		for i := range 102 {
			time.Sleep(time.Minute)
			ended = append(ended, signIn())
			if got := revoke(w, app, ended[i]); got.Status != http.StatusOK {
				t.Fatal(got)
			}
		}
		time.Sleep(time.Minute)
		newest := signIn()
		time.Sleep(3 * time.Minute)
		for i, token := range append(ended, oldest) {
			refused(t, itoa(int64(i)), app.Refresh(sim.Standard, token), "invalid_grant")
			if got := introspect(w, app, token); got.Body != `{"active":false}` {
				t.Errorf("sign-in %d: %v", i, got)
			}
		}
		if got := app.Refresh(sim.Standard, newest); got.Status != http.StatusOK {
			t.Errorf("the sign-in of today: %v", got)
		}
		if got := introspect(w, app, newest); got.Body == `{"active":false}` {
			t.Errorf("the sign-in of today: %v", got)
		}
	})
}
