package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
)

// allowPostLogout registers the application's return URL as an address that users may
// be sent to after they signed out.
func (s *server) allowPostLogout(t *testing.T, a *application) {
	t.Helper()
	s.run(t, "profile", "settings", a.clientID, "--post-logout-url", a.returnURL)
}

// developed makes an application of Ada's that sends the browser on to another origin.
func developed(t *testing.T, s *server) *application {
	t.Helper()
	home := newApplication(t, s, "")
	onward := strings.TrimSuffix(home.returnURL, "/cb") + "/home"
	app := newApplication(t, s, strings.Replace(onward, "127.0.0.1", "localhost", 1))
	f := downloader
	f.returnURL = app.returnURL
	app.credentials = f.create(ada.develop(t, s))
	return app
}

// TestFormPost: the answer reaches the application as a form, by itself or by the
// button, and the application may send the browser on to another origin.
func TestFormPost(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	app := developed(t, s)
	ask := strings.Replace(app.authorizeURL("profile", `a "b" <c> é`), "/ap/oa", "/oauth2/authorize", 1) + "&response_mode=form_post"
	user := newPage(t, s)
	user.open(ask)
	user.press("Create an account")
	brook.fillSignUp(user)
	user.press("Create your account")
	user.press("Allow")
	user.sees("Home of the application")
	check := func() {
		t.Helper()
		answer := app.answer()
		if answer.Get("code") == "" || answer.Get("state") != `a "b" <c> é` || answer.Get("iss") != s.issuer || answer.Get("origin") != s.issuer {
			t.Errorf("the application got %v", answer)
		}
	}
	check()

	user.scripts(withoutJavaScript)
	user.open(ask)
	user.press("Continue")
	user.sees("Home of the application")
	check()
}

// TestLogoutByApplication: the user is asked, signed out, and sent on to where the
// application leads.
func TestLogoutByApplication(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	app := developed(t, s)
	s.allowPostLogout(t, app)
	user := newPage(t, s)
	brook.signUpAt(user, "/sign-up?continue=/account")
	ask := "/oauth2/logout?" + url.Values{"client_id": {app.clientID}, "post_logout_redirect_uri": {app.returnURL}, "state": {"bye"}}.Encode()
	user.open(ask)
	user.sees(brook.email, downloader.name)
	user.press("Sign out")
	user.sees("Home of the application")
	if got := app.answer().Get("state"); got != "bye" {
		t.Errorf("state %q", got)
	}
	user.open("/account")
	user.sees("Sign in")
	user.open(ask) // nobody is signed in: straight on
	user.sees("Home of the application")
	app.answer()
	user.openWith("/oauth2/logout?client_id="+app.clientID+"&post_logout_redirect_uri=https://elsewhere.example/", http.StatusBadRequest)
}
