package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// singlePageLibrary is oidc-client-ts, which knows nothing of this server.
var singlePageLibrary = filepath.Join("node_modules", "oidc-client-ts", "dist", "browser", "oidc-client-ts.min.js")

// TestSinglePageLibrary has an ordinary library for pages run its flows in a page of
// another origin: metadata, keys, tokens and UserInfo by CORS, a token renewed by the
// refresh token and in a frame that nobody sees, revocation, and signing out.
func TestSinglePageLibrary(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(singlePageLibrary); errors.Is(err, fs.ErrNotExist) {
		without(t, "oidc-client-ts is not there: run `npm install` in e2e")
	}
	c := newCourt(t)
	var app registered
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oidc.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, singlePageLibrary) })
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>A single page</title><link rel="icon" href="data:,">
<button id="in">Log me in</button><button id="out">Log me out</button><ol id="said"></ol>
<script src="/oidc.js"></script>
<script>
const say = (words) => { said.append(Object.assign(document.createElement("li"), { textContent: words })); };
const said = document.querySelector("#said");
const manager = new oidc.UserManager({
	authority: %q, client_id: %q, scope: "openid profile email", loadUserInfo: true, automaticSilentRenew: false,
	redirect_uri: location.origin + "/back", silent_redirect_uri: location.origin + "/renewed", post_logout_redirect_uri: location.origin + "/",
});
document.querySelector("#in").onclick = () => manager.signinRedirect();
document.querySelector("#out").onclick = () => manager.signoutRedirect();
// The library counts the seconds down: rounded, it does not matter when they are read.
const told = (what) => (user) => say(what + ": " + user.profile.name + ", " + user.profile.email + ", for " + Math.round(user.expires_in / 600) * 10 + " minutes");
const failed = (error) => say("failed: " + error);
if (location.pathname === "/renewed") manager.signinSilentCallback();
if (location.pathname === "/back") manager.signinCallback().then(told("in"), failed);
</script>`, c.issuer, app.ID)
	})
	page := httptest.NewServer(mux)
	t.Cleanup(page.Close)
	// Of the same site as the server: a frame of another has no cookies (SameSite).
	origin := strings.Replace(page.URL, "127.0.0.1", "localhost", 1)
	var err error
	app, err = c.register(t.Context(), wanted{
		Kind: "single-page", ReturnURLs: []string{origin + "/back", origin + "/renewed"},
		Flags: []string{"--origin", origin, "--post-logout-url", origin + "/"},
	})
	if err != nil {
		t.Fatal(err)
	}

	user := newPage(t, c.server)
	user.open(origin + "/")
	user.press("Log me in")
	user.press("Create an account")
	brook.fillSignUp(user)
	user.press("Create your account")
	user.press("Allow")
	user.sees("in: " + brook.name + ", " + brook.email + ", for 60 minutes")

	renew := func(how, before string) {
		t.Helper()
		evaluate[bool](user, `(async () => {
			const user = await manager.getUser(), old = user.access_token;
			`+before+`
			await manager.signinSilent().then((user) => { told("`+how+` " + (user.access_token !== old))(user) }, failed);
			return true;
		})()`)
		user.sees(how + " true: " + brook.name)
	}
	renew("by the refresh token", ``)
	renew("in a frame", `user.refresh_token = undefined; await manager.storeUser(user);`)
	evaluate[bool](user, `manager.revokeTokens().then(() => { say("revoked"); return true; }, failed)`)
	user.sees("revoked")
	user.press("Log me out")
	user.sees("Log me in")

	// Signed out here too: the page is asked for a password again.
	user.press("Log me in")
	user.sees("Sign in", "Password")
}
