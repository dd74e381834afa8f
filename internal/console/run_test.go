package console_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

func runPath(a *sim.Application) string { return a.Profile.Application.ConsolePath() + "/run" }

// shows fails the test where the page lacks one of the texts.
func shows(t *testing.T, p *sim.Page, status int, texts ...string) {
	t.Helper()
	if p.Status != status {
		t.Fatalf("%s: status %d, want %d\n%s", p.URL.Path, p.Status, status, p.Text())
	}
	for _, want := range texts {
		if !strings.Contains(p.Text(), want) {
			t.Errorf("%s lacks %q:\n%s", p.URL.Path, want, p.Text())
		}
	}
}

func hides(t *testing.T, p *sim.Page, texts ...string) {
	t.Helper()
	for _, unwanted := range texts {
		if strings.Contains(p.Body, unwanted) || strings.Contains(p.Text(), unwanted) {
			t.Errorf("%s has %q", p.URL.Path, unwanted)
		}
	}
}

// begin opens the page of a run in a dialect, presses the button and allows.
func begin(t *testing.T, who *sim.Person, a *sim.Application, dialect string, fields ...string) *sim.Page {
	t.Helper()
	page := who.Open(runPath(a)+"?dialect="+dialect).Press("Run the flow", fields...)
	if page.Has("Allow") {
		page = page.Press("Allow")
	}
	return page
}

// registeredURL is an application's own return URL.
const registeredURL = "https://app.example/return"

// TestRun is the whole of it, for each dialect and kind that sends users.
func TestRun(t *testing.T) {
	for _, tt := range []struct {
		name, dialect string
		kind          registry.Kind
		scopes        []string
		answer        []string // with the code
		tokens        []string // after the exchange
		not           []string
		refresh       bool
	}{
		{"web, standard", "standard", registry.Web, nil,
			[]string{"/oauth2/authorize", "code_challenge_method", "S256", "The state is the one that was sent.", "(iss)"},
			[]string{"gl_at_", "gl_rt_", "code_verifier", "Basic ••••", "Claims of the ID token", `"aud": "amzn1.application-oa2-client.`, "/oauth2/userinfo", "Ada Lovelace", "200 OK"},
			[]string{"Refused", "tokeninfo"}, true},
		{"web, without openid", "standard", registry.Web, []string{"openid", ""},
			[]string{"/oauth2/authorize"}, []string{"gl_at_", "/user/profile", "Ada Lovelace"}, []string{"Refused", "Claims of the ID token", "/oauth2/userinfo"}, true},
		{"web, Login with Amazon", "amazon", registry.Web, nil,
			[]string{"/ap/oa", "The state is the one that was sent."},
			[]string{"Atza|", "Atzr|", "/auth/o2/tokeninfo", "app_id", "/user/profile", "Ada Lovelace"},
			[]string{"Refused", "code_verifier", "CODE_VERIFIER", "ID token"}, true},
		{"single page, standard", "standard", registry.SinglePage, nil,
			[]string{"/oauth2/authorize", "sessionStorage"}, []string{"gl_rt_", "good for one use", "Ada Lovelace"}, []string{"Refused", "Basic"}, true},
		{"native, standard", "standard", registry.Native, nil,
			[]string{"/oauth2/authorize"}, []string{"gl_rt_", "Ada Lovelace"}, []string{"Refused", "Basic"}, true},
		{"single page, Login with Amazon", "amazon", registry.SinglePage, nil,
			[]string{"/ap/oa", "code_challenge"}, []string{"Atza|", "gets none", "Ada Lovelace"}, []string{"Refused", "Atzr|"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := sim.New(t)
				ada := w.Developer("Ada Lovelace")
				app := ada.NewApplication(registeredURL)
				if tt.kind != registry.Web {
					app.Become(tt.kind)
				}
				before := app.Profile.ReturnURLs

				page := begin(t, ada, app, tt.dialect, tt.scopes...)
				shows(t, page, 200, append(tt.answer, "Ask the user", "Take the answer", "Exchange the code", app.ID)...)
				hides(t, page, "Refused", app.Secret, "ACCESS_TOKEN=")

				page = page.Press("Exchange the code")
				shows(t, page, 200, append(tt.tokens, "Read the profile", "What the code reads")...)
				hides(t, page, append(tt.not, app.Secret)...)
				if page.Has("Exchange the code") {
					t.Error("the code is offered a second time")
				}
				if page.Has("Refresh") != tt.refresh {
					t.Fatalf("Refresh is offered: %t, want %t", page.Has("Refresh"), tt.refresh)
				}
				if tt.refresh {
					page = page.Press("Refresh")
					shows(t, page, 200, "refresh_token", "Later, and as often as needed")
					hides(t, page, append(tt.not, app.Secret)...)
					page = page.Press("Refresh") // the rotated one, where it rotates
					hides(t, page, "Refused")
				}
				page = page.Press("Revoke")
				shows(t, page, 200, "/oauth2/revoke", "Ask once more", "Refused, as it has to be")
				hides(t, page, "Refused: ", app.Secret)
				if page.Has("Refresh") || page.Has("Revoke") {
					t.Error("there is something to do with tokens that have ended")
				}
				p, _, err := w.Store.ProfileByID(t.Context(), app.Profile.ID)
				if err != nil || len(p.ReturnURLs) != len(before) {
					t.Errorf("return URLs %v, %v; want what was registered", p.ReturnURLs, err)
				}
			})
		})
	}
}

// TestRunUsesTheSecret: the secret is used, and not shown; using it is remembered.
func TestRunUsesTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(t)
		ada := w.Developer("Ada Lovelace")
		app := ada.NewApplication(registeredURL)
		begin(t, ada, app, "standard").Press("Exchange the code")
		events, err := w.Store.ProfileEvents(t.Context(), app.Profile.ID, 100)
		if err != nil {
			t.Fatal(err)
		}
		count := map[audit.Kind]int{}
		for _, e := range events {
			count[e.Kind]++
		}
		if count[audit.SecretUsed] != 1 || count[audit.SecretShown] != 0 {
			t.Errorf("events %v, want one use and no showing", count)
		}
		shows(t, ada.Open(app.Profile.Application.ConsolePath()+"/activity"), 200, "Client secret used to run the flow in the console")
	})
}

// TestRunOfAService gets a token for the application alone, with a recent sign-in.
func TestRunOfAService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(t)
		ada := w.Developer("Ada Lovelace")
		app := ada.NewApplication(registeredURL)
		app.Become(registry.Service)

		page := ada.Open(runPath(app))
		hides(t, page, "Password", "What this profile may ask for")
		page = page.Press("Run the flow")
		shows(t, page, 200, "client_credentials", "gl_at_", "There is no refresh token", "200 OK")
		hides(t, page, "Refused", app.Secret, "gl_rt_", "/oauth2/authorize")
		if page.Has("Exchange the code") || page.Has("Refresh") || page.Has("Revoke") {
			t.Error("a service has none of these")
		}
		shows(t, ada.Open(runPath(app)+"?dialect=amazon").Press("Run the flow"), 200, "400 Bad Request", "Refused: invalid_request", "Activity")

		time.Sleep(16 * time.Minute)
		page = ada.Open(runPath(app))
		shows(t, page, 200, "You signed in a while ago")
		shows(t, page.Press("Run the flow"), 403, "You signed in a while ago")
		page = page.Press("Run the flow", "Password", "wrong")
		shows(t, page, 422, "That is not your password")
		hides(t, page, "gl_at_")
		shows(t, page.Press("Run the flow", "Password", sim.Password), 200, "gl_at_")
	})
}

// TestRunThatCannotBe: what the console cannot do in the application's place is said,
// and its requests are shown all the same.
func TestRunThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		set         func(*registry.Settings)
		want, lacks []string
	}{
		"device": {func(s *registry.Settings) { s.Kind = registry.Device }, []string{"A device has no browser"}, []string{"/oauth2/authorize"}},
		"key": {func(s *registry.Settings) { s.Auth = registry.AuthKey; s.JWKSURI = "https://app.example/jwks" },
			[]string{"private key, which never comes here", "CLIENT_ASSERTION", "jwt-bearer", "/oauth2/authorize"}, []string{"CLIENT_SECRET"}},
		"proofs": {func(s *registry.Settings) { s.RequireDPoP = true }, []string{"DPoP", "/oauth2/token"}, nil},
		"pushed": {func(s *registry.Settings) { s.RequirePAR = true }, []string{"/oauth2/par", "/oauth2/token"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := sim.New(t)
			ada := w.Developer("Ada Lovelace")
			app := ada.NewApplication(registeredURL)
			app.Set(tt.set)
			page := ada.Open(runPath(app))
			shows(t, page, 200, tt.want...)
			hides(t, page, tt.lacks...)
			if page.Has("Run the flow") {
				t.Error("it can be run")
			}
			shows(t, ada.Submit(runPath(app), url.Values{"dialect": {"standard"}, "scope": {"openid"}}), 409, tt.want[0])
		})
	}
}

// TestRunRefused: whatever goes wrong is said in words, and the code stays unused.
func TestRunRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(t)
		ada, eve := w.Developer("Ada Lovelace"), w.Developer("Eve")
		app, sibling, hers := ada.NewApplication(registeredURL), ada.NewApplication(registeredURL), eve.NewApplication(registeredURL)

		page := ada.Open(runPath(app)).Press("Run the flow", "openid", "", "profile", "", "email", "")
		shows(t, page, 422, "Tick at least one scope")

		page = ada.Open(runPath(app)).Press("Run the flow").Press("Cancel")
		shows(t, page, 200, "The user did not allow it", "access_denied", "You pressed Cancel")
		if page.Has("Exchange the code") {
			t.Error("there is no code to exchange")
		}

		good := begin(t, ada, app, "standard").URL
		at := func(a *sim.Application, change func(url.Values)) string {
			query := good.Query()
			change(query)
			return runPath(a) + "/return?" + query.Encode()
		}
		const unused = "The code was not used"
		shows(t, ada.Open(at(app, func(q url.Values) { q.Del("state") })), 422, "The state is not one that this page sent", unused)
		shows(t, ada.Open(at(app, func(q url.Values) { q.Set("state", "x"+q.Get("state")) })), 422, "The state is not one", unused)
		shows(t, ada.Open(at(sibling, func(url.Values) {})), 422, "for another profile", unused)
		for _, iss := range []string{"", "https://evil.example"} {
			shows(t, ada.Open(at(app, func(q url.Values) { q.Set("iss", iss) })), 422, "does not name this server", unused)
		}
		// Another account's: nothing is there for those who do not own the profile, and
		// the state of one account is no good to another at its own profile.
		shows(t, eve.Open(at(app, func(url.Values) {})), 404, "none of yours")
		shows(t, eve.Open(at(hers, func(url.Values) {})), 422, "begun by another account", unused)
		// The state is no page's run, nor the other way round.
		shows(t, ada.Submit(runPath(app)+"/return", url.Values{"run": {good.Query().Get("state")}, "step": {"exchange"}}), 422, "The state is not one")
		shows(t, ada.Submit(runPath(app)+"/return", url.Values{"step": {"exchange"}}), 422, "The state is not one")

		shows(t, ada.Open(good.String()), 200, "Take the answer") // loaded again: nothing is lost
		first := ada.Open(good.String())
		tokens := first.Press("Exchange the code")
		shows(t, tokens, 200, "gl_at_")
		shows(t, ada.Open(good.String()).Press("Exchange the code"), 200, "400 Bad Request", "Refused: invalid_grant", "all tokens that it gave end")
		shows(t, tokens.Press("Refresh"), 200, "Refused: invalid_grant", "Activity")

		late := begin(t, ada, app, "standard")
		time.Sleep(6 * time.Minute)
		shows(t, late.Press("Exchange the code"), 200, "Refused: invalid_grant")
		time.Sleep(time.Hour)
		shows(t, ada.Open(late.URL.String()), 422, "more than an hour ago")

		app.Suspend()
		shows(t, ada.Open(runPath(app)).Press("Run the flow"), 200, "Refused: unauthorized_client", "This profile is suspended")
	})
}

// TestRunReturnURLIsThisProfilesAlone: nobody else's requests come back there, and the
// user of another application is never sent there.
func TestRunReturnURLIsThisProfilesAlone(t *testing.T) {
	w := sim.New(t)
	ada := w.Developer("Ada Lovelace")
	app, sibling := ada.NewApplication(registeredURL), ada.NewApplication(registeredURL)
	own := w.Issuer + runPath(app) + "/return"
	for name, sent := range map[string]string{
		"another profile's": w.Issuer + runPath(sibling) + "/return", "with a query": own + "?a=b", "the start": w.Issuer + runPath(app),
	} {
		page := ada.Open(app.AuthorizeURL(sim.Standard, "redirect_uri", sent, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256"))
		if page.Status != 400 || len(page.Via) > 0 {
			t.Errorf("%s: status %d at %s, want a page that says no", name, page.Status, page.URL)
		}
	}
	// A user of the application is not its owner: the code is of no use to anybody.
	brook := w.SignUp("Brook")
	page := brook.Open(app.AuthorizeURL(sim.Standard, "redirect_uri", own, "code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256")).Press("Allow")
	shows(t, page, 404, "none of yours")
	hides(t, page, "Take the answer", app.Profile.Name)
	page = ada.Open(app.Profile.Application.ConsolePath() + "/web-settings")
	hides(t, page, "/run/return")
}

var sealedRun = regexp.MustCompile(`name="run" value="([^"]+)"`)

// TestRunGoesOn: after very many requests the form still fits, and the newest stay.
func TestRunGoesOn(t *testing.T) {
	w := sim.New(t)
	ada := w.Developer("Ada Lovelace")
	app := ada.NewApplication(registeredURL)
	page := begin(t, ada, app, "standard").Press("Exchange the code")
	for range 40 {
		page = page.Press("Refresh")
		hides(t, page, "Refused")
	}
	if n := len(sealedRun.FindStringSubmatch(page.Body)[1]); n > 64<<10 {
		t.Errorf("the form carries %d bytes", n)
	}
	shows(t, page.Press("Revoke"), 200, "Ask once more")
}
