package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"gatelodge/internal/sqldb"
)

// site is somebody's web site on another origin: a page that does what the help page
// for JavaScript says, with the Login button.
type site struct {
	origin   string
	clientID string
}

func newSite(t *testing.T, s *server) *site {
	t.Helper()
	w := &site{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, r *http.Request) {
		w.page(rw, s.issuer, `
			document.querySelector("#LoginWithAmazon").addEventListener("click", (event) => {
				event.preventDefault();
				const request = amazon.Login.authorize({ scope: "profile", pkce: true }, (answer) => {
					say("status " + answer.status);
					if (answer.error) return say("refused: " + answer.error);
					amazon.Login.retrieveToken(answer.code, (token) => {
						if (!token.success) return say("no token: " + token.error_description);
						gatelodge.Login.retrieveProfile(token.access_token, (got) => say(got.success
							? "Hello " + got.profile.Name + ", " + got.profile.PrimaryEmail : "no profile: " + got.error_description));
					});
				});
				say("request " + request.status);
			});`)
	})
	mux.HandleFunc("GET /redirect", func(rw http.ResponseWriter, r *http.Request) {
		w.page(rw, s.issuer, `
			document.querySelector("#LoginWithAmazon").addEventListener("click", (event) => {
				event.preventDefault();
				gatelodge.Login.authorize({ scope: ["profile"], pkce: true, popup: false }, "/back");
			});`)
	})
	mux.HandleFunc("GET /back", func(rw http.ResponseWriter, r *http.Request) {
		w.page(rw, s.issuer, `
			const code = new URLSearchParams(location.search).get("code");
			gatelodge.Login.retrieveToken(code, (token) => {
				if (!token.success) return say("no token: " + token.error);
				say("token for " + token.expires_in + " seconds");
				gatelodge.Login.retrieveProfile((got) => say("Back, " + got.profile.Name));
				gatelodge.Login.retrieveToken(code, (again) => say("again: " + again.error));
			});`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.origin = server.URL
	return w
}

// page writes a page whose script runs when the SDK is there.
func (w *site) page(rw http.ResponseWriter, issuer, script string) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(rw, `<!DOCTYPE html><html lang="en"><title>A site</title><link rel="icon" href="data:,">
<div id="amazon-root"></div>
<a href="#" id="LoginWithAmazon"><img src="%[1]s/sdk/button/light-195x46.svg" alt="Login" width="195" height="46"></a>
<ol id="said"></ol>
<script>
const say = (words) => { said.append(Object.assign(document.createElement("li"), { textContent: words })); };
window.onAmazonLoginReady = () => { amazon.Login.setClientId(%[2]q); %[3]s; say("ready " + (amazon.Login === gatelodge.Login)); };
</script>
<script async id="amazon-login-sdk" src="%[1]s/sdk/login.js"></script>`, html.EscapeString(issuer), w.clientID, script)
}

// popup gives the window that pressing a name opens.
func (p *page) popup(name string) *page {
	p.t.Helper()
	opened := chromedp.WaitNewTarget(p.ctx, func(*target.Info) bool { return true })
	p.click(name)
	var id target.ID
	select {
	case id = <-opened:
	case <-time.After(patience):
		p.t.Fatalf("%s opens no window; the page says:\n%s", name, p.text())
	}
	ctx, closeContext := chromedp.NewContext(p.ctx, chromedp.WithTargetID(id))
	popup := &page{t: p.t, ctx: ctx, base: p.base, expected: map[string]bool{}}
	p.t.Cleanup(func() {
		popup.checkComplaints()
		closeContext()
	})
	p.must(chromedp.Do(ctx))
	p.must(chromedp.Listen(ctx, popup.listen))
	_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	p.must(err)
	// It begins at about:blank, and what is pressed before its page is whole leads nowhere.
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if state := evaluate[string](popup, `location.href + " " + document.readyState`); strings.HasPrefix(state, "http") && strings.HasSuffix(state, " complete") {
			return popup
		} else if time.Now().After(deadline) {
			p.t.Fatalf("the window stays at %s", state)
		}
	}
}

// allowOrigin puts an origin on the profile that the developer's page is at.
func allowOrigin(dev *page, origin string) {
	dev.press("Edit")
	dev.fill("Allowed Origins", origin)
	dev.press("Save")
	dev.sees(origin, "In effect here now")
}

// TestLoginButton: a page of another origin signs a user in with the SDK, by a popup
// and by redirect, and reads the profile, all in the browser and without a secret.
func TestLoginButton(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	web := newSite(t, s)
	dev := ada.develop(t, s)
	f := downloader
	f.returnURL = web.origin + "/back"
	web.clientID = f.create(dev).clientID
	allowOrigin(dev, web.origin)

	user := newPage(t, s)
	user.open(web.origin + "/")
	user.sees("ready true")
	popup := user.popup("Login")
	user.sees("request in_progress")
	popup.sees("Sign in", "Create an account")
	popup.press("Create an account")
	brook.fillSignUp(popup)
	popup.press("Create your account")
	popup.sees(downloader.name, brook.name, strings.TrimPrefix(web.origin, "http://"))
	popup.click("Allow")
	user.sees("status complete", "Hello "+brook.name+", "+brook.email)
	atHand := `new Promise((done) => amazon.Login.authorize({ scope: "profile", interactive: "never" }, (r) => done(r.token_type + " for " + r.scope + ", " + document.cookie.length)))`
	if got := evaluate[string](user, atHand); got != "bearer for profile, 0" {
		t.Errorf("the token at hand: %s", got)
	}

	// Known by now: the window comes and goes, and the page has its answer again.
	user.open(web.origin + "/")
	user.sees("ready true")
	user.click("Login")
	user.sees("Hello " + brook.name)

	// Closed before there is an answer.
	stranger := newPage(t, s)
	stranger.open(web.origin + "/")
	stranger.sees("ready true")
	closed := stranger.popup("Login")
	closed.sees("Sign in")
	if _, err := chromedp.CallBrowser(closed.ctx, target.CloseTarget, target.CloseTargetParams{TargetID: chromedp.FromContext(closed.ctx).Target.TargetID}); err != nil {
		t.Fatal(err)
	}
	stranger.sees("refused: access_denied")

	user.open(web.origin + "/redirect")
	user.sees("ready true")
	user.press("Login")
	user.sees("token for 3600 seconds", "Back, "+brook.name, "again: invalid_grant")
	// An address of somebody else's making is no answer to this page.
	user.open(web.origin + "/back?code=ANdNAVhyhqirUelHGEHA&state=planted")
	user.sees("no token: invalid_grant")
}

// TestOriginNotAllowed: the popup of a page whose origin is not allowed says so in
// words, which origin it was, and to the owner where to add it.
func TestOriginNotAllowed(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	web := newSite(t, s)
	dev := ada.develop(t, s)
	web.clientID = downloader.create(dev).clientID
	settings := dev.address()

	user := newPage(t, s)
	user.open(web.origin + "/")
	user.sees("ready true")
	popup := user.popup("Login")
	popup.sees("This page’s origin is not allowed", web.origin, "tell its developer")
	popup.passRefusal()

	dev.open(web.origin + "/")
	dev.sees("ready true")
	popup = dev.popup("Login")
	popup.sees("This page’s origin is not allowed", web.origin, "No origin is allowed yet", "You own this security profile")
	popup.press("Edit Allowed Origins")
	popup.sees("An origin was filled in, and is not saved yet")
	popup.press("Save")
	popup.sees(web.origin, "In effect here now")
	popup.passRefusal()

	dev.open(settings)
	dev.sees(web.origin)
	user.open(web.origin + "/")
	user.sees("ready true")
	user.popup("Login").sees("Sign in")
}

// passRefusal lets pass that the browser notes the status of the refusal's page.
func (p *page) passRefusal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.complaints {
		if strings.HasPrefix(c.url, p.base+"/ap/oa?") && strings.Contains(c.text, "status of 400") {
			p.expected[c.url+" "+c.text] = true
		}
	}
}

// TestLoginSurface tries what a page written for amazon.Login calls, apart from the
// user's part.
func TestLoginSurface(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	web := newSite(t, s)
	dev := ada.develop(t, s)
	web.clientID = downloader.create(dev).clientID
	allowOrigin(dev, web.origin)
	p := newPage(t, s)
	p.open(web.origin + "/")
	p.sees("ready true")
	for script, want := range map[string]string{
		`amazon.Login.getClientId()`:                                               web.clientID,
		`Object.values(amazon.Login.Region).join(" ")`:                             "NA EU APAC",
		`String(amazon.Login.setRegion("FR"))`:                                     "undefined",
		`String(amazon.Login.setSandboxMode(true))`:                                "undefined",
		`thrown(() => amazon.Login.authorize({}))`:                                 "Login: authorize needs the option scope",
		`thrown(() => amazon.Login.authorize({ scope: "profile", popup: false }))`: "Login: popup: false needs the address to come back to as the second argument",
		`thrown(() => amazon.Login.authorize({ scope: "profile", popup: false, pkce: true }, "https://other.example/"))`: "Login: with pkce the address to come back to is on this page's own origin, which keeps the verifier",
		`thrown(() => amazon.Login.authorize({ scope: "profile", interactive: "sometimes" }))`:                           `Login: interactive is "auto", "always" or "never"`,
		`ask("authorize", { scope: "profile", interactive: "never" }).then((r) => r.status + " " + r.error)`:             "complete invalid_grant",
		`ask("authorize", { scope: "profile", interactive: "never", pkce: true }).then((r) => r.error)`:                  "invalid_grant",
		`ask("retrieveToken", "ANdNAVhyhqirUelHGEHA").then((r) => r.success + " " + r.error)`:                            "false invalid_grant",
		`ask("retrieveProfile", "Atza|invented").then((r) => r.success + " " + r.error)`:                                 "false invalid_token",
		`withToken(false)`: "invented profile; cookies: ",
		`withToken(true)`:  "invented profile; cookies: amazon_Login_accessToken amazon_Login_state_cache",
		`afterLogout()`:    "invalid_grant; cookies: ",
		`anotherClient()`:  "invalid_grant",
		`JSON.stringify(Object.keys(amazon.Login).sort())`: `["Region","authorize","getClientId","logout","retrieveProfile","retrieveToken","setClientId","setRegion","setSandboxMode","setSiteDomain","setUseCookie"]`,
	} {
		p.open(web.origin + "/")
		p.sees("ready true")
		if strings.Contains(script, "invented") {
			p.expect(s.issuer+"/ap/user/profile", http.StatusBadRequest)
		}
		if got := evaluate[string](p, surfaceHelpers+script); got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
}

// surfaceHelpers has a token at hand by way of the cookie that another page of the site
// has left.
const surfaceHelpers = `
var thrown = (f) => { try { f(); return "nothing"; } catch (e) { return e.message; } };
var ask = (name, argument) => new Promise((done) => amazon.Login[name](argument, done));
var names = () => document.cookie.split("; ").map((c) => c.split("=")[0]).filter(Boolean).sort().join(" ");
var leave = () => {
	const token = { access_token: "invented", max_age: 3300, expiration_date: Date.now() + 1000000, client_id: amazon.Login.getClientId(), scope: "profile" };
	document.cookie = "amazon_Login_state_cache=" + encodeURIComponent(JSON.stringify(token)) + "; path=/";
	document.cookie = "amazon_Login_accessToken=invented; path=/";
};
var never = () => ask("authorize", { scope: "profile", interactive: "never" });
var forget = () => { for (const n of names().split(" ")) document.cookie = n + "=; max-age=0; path=/"; };
var withToken = async (cookies) => {
	leave();
	amazon.Login.setUseCookie(true);
	const r = await never();
	if (!cookies) forget();
	return r.access_token + " " + r.scope + "; cookies: " + names();
};
var afterLogout = async () => { leave(); amazon.Login.setUseCookie(true); amazon.Login.logout(); return (await never()).error + "; cookies: " + names(); };
var anotherClient = async () => { leave(); amazon.Login.setUseCookie(true); amazon.Login.setClientId("other"); const r = await never(); forget(); return r.error; };
`

// TestForgedMessages: the SDK believes the window that it opened, at the server, with
// the state that it sent, and nobody else.
func TestForgedMessages(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	web := newSite(t, s)
	dev := ada.develop(t, s)
	web.clientID = downloader.create(dev).clientID
	allowOrigin(dev, web.origin)
	p := newPage(t, s)
	p.open(web.origin + "/")
	p.sees("ready true")
	popup := p.popup("Login")
	popup.sees("Sign in")
	evaluate[string](p, `
		const forged = { type: "gatelodge.authorization", response: { code: "ANforged", state: JSON.stringify(sessionStorage), access_token: "Atza|forged" } };
		postMessage(forged, "*");
		const state = Object.keys(JSON.parse(sessionStorage.getItem("gatelodge_login_pending")))[0];
		forged.response.state = state;
		postMessage(forged, "*"); // the right state, and not from the window
		const frame = document.body.appendChild(document.createElement("iframe"));
		frame.contentWindow.eval("parent.postMessage(" + JSON.stringify(forged) + ", '*')");
		new Promise((done) => setTimeout(() => done("sent"), 300))`)
	if text := p.text(); strings.Contains(text, "status complete") || !strings.Contains(text, "request in_progress") {
		t.Errorf("a forged message was believed: %s", text)
	}
	// The right window, and an answer to another request: not taken for an answer to this one.
	planted := "/sdk/relay?" + url.Values{"origin": {web.origin}, "code": {"ANplanted"}, "state": {"another"}}.Encode()
	evaluate[bool](popup, fmt.Sprintf(`setTimeout(() => { location.href = %q; }); true`, planted))
	p.sees("refused: invalid_request")
}
