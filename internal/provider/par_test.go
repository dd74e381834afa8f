package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

const requestURN = "urn:ietf:params:oauth:request_uri:"

// pushForm is an authorization request as an application pushes it, with its secret.
func pushForm(app *sim.Application, pairs ...string) url.Values {
	u, err := url.Parse(app.AuthorizeURL(sim.Standard, append([]string{"client_secret", app.Secret}, pairs...)...))
	if err != nil {
		panic(err)
	}
	return u.Query()
}

// push gives the address that the application then sends its user to.
func push(t *testing.T, w *sim.World, app *sim.Application, pairs ...string) (address string) {
	t.Helper()
	got := w.Post("/oauth2/par", pushForm(app, pairs...))
	uri := got.Text("request_uri")
	if got.Status != http.StatusCreated || !strings.HasPrefix(uri, requestURN) || len(uri) < len(requestURN)+43 ||
		got.Number("expires_in") != 90 || got.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%v, Cache-Control %q", got, got.Header.Get("Cache-Control"))
	}
	return pushedURL(app.ID, uri)
}

func pushedURL(clientID, requestURI string, pairs ...string) string {
	query := url.Values{"client_id": {clientID}, "request_uri": {requestURI}}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return "/oauth2/authorize?" + query.Encode()
}

// turnedAway is a page with no way on: nothing of such a request can be trusted.
func turnedAway(t *testing.T, what string, page *sim.Page) {
	t.Helper()
	if page.Status != http.StatusBadRequest || page.Header.Get("Location") != "" || page.Has("Allow") || !strings.Contains(page.Text(), "start again from there") {
		t.Errorf("%s: %d at %s\n%s", what, page.Status, page.URL, page.Text())
	}
}

// TestPushedRequest goes through sign-in and consent with a request of which the
// browser never saw the parameters (RFC 9126).
func TestPushedRequest(t *testing.T) {
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	key := w.NewClientKey()
	web := func() *sim.Application { return w.NewApplication() }
	for name, tt := range map[string]struct {
		app  func() *sim.Application
		push func(app *sim.Application, form url.Values) sim.Answer
		auth []string // of the exchange
	}{
		"by its secret": {web, func(_ *sim.Application, form url.Values) sim.Answer { return w.Post("/oauth2/par", form) }, nil},
		"by Basic": {web, func(app *sim.Application, form url.Values) sim.Answer {
			form.Del("client_secret")
			return w.Post("/oauth2/par", form, "Authorization", basic(app.ID, app.Secret))
		}, nil},
		"by Basic without client_id": {web, func(app *sim.Application, form url.Values) sim.Answer {
			form.Del("client_secret")
			form.Del("client_id")
			return w.Post("/oauth2/par", form, "Authorization", basic(app.ID, app.Secret))
		}, nil},
		"without a secret": {func() *sim.Application { return singlePage(w) }, func(_ *sim.Application, form url.Values) sim.Answer {
			form.Del("client_secret")
			return w.Post("/oauth2/par", form)
		}, publicRedeem},
	} {
		t.Run(name, func(t *testing.T) {
			app := tt.app()
			given := tt.push(app, pushForm(app, append(publicAsk, "scope", "openid profile", "nonce", "n-0S6")...))
			if given.Status != http.StatusCreated {
				t.Fatal(given)
			}
			b := w.NewBrowser() // in which nobody is signed in
			page := b.Open(pushedURL(app.ID, given.Text("request_uri"), "redirect_uri", "https://evil.example", "scope", "postal_code", "state", "evil", "response_type", "x"))
			if strings.Contains(page.URL.String(), "evil") {
				t.Errorf("parameters of the browser are carried along: %s", page.URL)
			}
			page = page.Press("Sign in", "Email", user.Email, "Password", sim.Password)
			if !page.Has("Allow") {
				t.Fatalf("after sign-in: %d at %s\n%s", page.Status, page.URL, page.Text())
			}
			back, ok := app.Received(page.Press("Allow"))
			if !ok || back.Get("state") != "s t&a=te" || back.Get("iss") != w.Issuer || back.Get("scope") != "openid profile" {
				t.Fatalf("%v", back)
			}
			got := app.Redeem(sim.Standard, back.Get("code"), append([]string{"code_verifier", sim.Verifier}, tt.auth...)...)
			if got.Status != http.StatusOK || got.Text("id_token") == "" {
				t.Errorf("the exchange: %v", got)
			}
		})
	}
	app := w.NewApplication()
	app.UseKey(key)
	form := sim.Asserted(pushForm(app), app.Assertion(key, sim.Claims{"aud": w.Issuer + "/oauth2/par"})) // RFC 9126 section 2
	if got := w.Post("/oauth2/par", form); got.Status != http.StatusCreated {
		t.Errorf("by a key: %v", got)
	}
	// What the application asked of its user holds as if it had come by the browser.
	app = w.NewApplication()
	if back, _ := app.Received(user.Open(push(t, w, app, "prompt", "none", "scope", "openid"))); back.Get("error") != "consent_required" || back.Get("state") == "" {
		t.Errorf("prompt=none: %v", back)
	}
	user.Code(app, sim.Standard)
	if page := user.Open(push(t, w, app, "prompt", "login")); page.URL.Path != "/sign-in" {
		t.Errorf("prompt=login: %s", page.URL)
	}
}

// TestPushedRequestOnce: a request_uri is good for one time, 90 seconds and its own
// application; what is wrong with it is a page (RFC 9126 sections 2.2, 4 and 7.3).
func TestPushedRequestOnce(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, other := w.NewApplication(), w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		user.Code(app, sim.Standard)
		address := push(t, w, app)
		uri := func(address string) string {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			return u.Query().Get("request_uri")
		}
		turnedAway(t, "by another application", user.Open(pushedURL(other.ID, uri(address))))
		wantWords(t, w, other, "This request is more than 90 seconds old, was used already, or was pushed by another application.")
		if page := user.Open(pushedURL("", uri(address))); page.Status != http.StatusBadRequest {
			t.Errorf("by nobody: %d", page.Status)
		}
		if page := user.Open(pushedURL("amzn1.application-oa2-client.00000000000000000000000000000000", uri(address))); page.Status != http.StatusBadRequest {
			t.Errorf("by an unknown application: %d", page.Status)
		}
		// Another site's form does not use it up; the browser comes back by GET.
		posted := user.Send(http.MethodPost, "/oauth2/authorize", url.Values{"client_id": {app.ID}, "request_uri": {uri(address)}, "state": {"x"}})
		if posted.Header.Get("Location") != address {
			t.Errorf("posted: %d to %q, want %q", posted.Status, posted.Header.Get("Location"), address)
		}
		if back, ok := app.Received(user.Open(address)); !ok || back.Get("code") == "" {
			t.Fatalf("the first time: %v", back)
		}
		turnedAway(t, "the second time", user.Open(address))
		address = push(t, w, app)
		time.Sleep(90 * time.Second)
		turnedAway(t, "after 90 seconds", user.Open(address))
		for name, id := range map[string]string{"invented": "x", "of nothing": "", "endless": strings.Repeat("A", 150), "with a line break": "a\nb"} {
			turnedAway(t, name, user.Open(pushedURL(app.ID, requestURN+id)))
		}
		// Ended in between.
		address = push(t, w, app)
		app.Suspend()
		if back, ok := app.Received(user.Open(address)); !ok || back.Get("error") != "unauthorized_client" {
			t.Errorf("suspended in between: %v", back)
		}
		address = push(t, w, other)
		other.Delete()
		if page := user.Open(address); page.Status != http.StatusBadRequest {
			t.Errorf("deleted in between: %d", page.Status)
		}
	})
}

// TestPushedRequestRace: of sixteen browsers at two servers, one gets the request.
func TestPushedRequestRace(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			cfg, keys := sqldbtest.Config(t, dialect), t.TempDir()+"/keys"
			w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			replica := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			app := w.NewApplication()
			address := push(t, w, app)
			var browsers []*sim.Browser
			for i := range 16 {
				browsers = append(browsers, []*sim.World{w, replica}[i%2].NewBrowser())
			}
			pages := make([]*sim.Page, len(browsers))
			var all sync.WaitGroup
			for i, b := range browsers {
				all.Go(func() { pages[i] = b.Open(address) })
			}
			all.Wait()
			taken := 0
			for _, page := range pages {
				if page.URL.Path == "/sign-in" {
					taken++
				} else {
					turnedAway(t, "a loser", page)
				}
			}
			if taken != 1 {
				t.Errorf("%d got it", taken)
			}
		})
	}
}

// TestPushRefused: what the authorization endpoint would refuse is refused at once, in
// JSON (RFC 9126 section 2.3), and so is what it would be too late for.
func TestPushRefused(t *testing.T) {
	w := sim.New(t)
	app, other := w.NewApplication(), w.NewApplication()
	key := w.NewClientKey()
	device := w.NewApplication()
	device.Become(registry.Device)
	service := w.NewApplication()
	service.Become(registry.Service)
	for name, tt := range map[string]struct {
		form   url.Values
		status int
		code   string
	}{
		"no secret":               {pushForm(app, "client_secret", sim.Omit), 401, "invalid_client"},
		"a wrong secret":          {pushForm(app, "client_secret", other.Secret), 401, "invalid_client"},
		"nobody":                  {pushForm(app, "client_id", sim.Omit, "client_secret", sim.Omit), 400, "invalid_request"},
		"another's assertion":     {sim.Asserted(pushForm(app), other.Assertion(key)), 401, "invalid_client"},
		"request_uri":             {pushForm(app, "request_uri", requestURN+"x"), 400, "invalid_request"},
		"an outside request_uri":  {pushForm(app, "request_uri", "http://169.254.169.254/latest/meta-data"), 400, "invalid_request"},
		"a request object":        {pushForm(app, "request", "a.b.c", "scope", "openid"), 400, "request_not_supported"},
		"no return URL":           {pushForm(app, "redirect_uri", sim.Omit), 400, "invalid_request"},
		"another return URL":      {pushForm(app, "redirect_uri", app.ReturnURL+"/"), 400, "invalid_request"},
		"another's return URL":    {pushForm(app, "redirect_uri", other.ReturnURL), 400, "invalid_request"},
		"no response type":        {pushForm(app, "response_type", sim.Omit), 400, "invalid_request"},
		"implicit":                {pushForm(app, "response_type", "token"), 400, "unsupported_response_type"},
		"no scope":                {pushForm(app, "scope", sim.Omit), 400, "invalid_scope"},
		"an unknown scope":        {pushForm(app, "scope", "no_such_scope"), 400, "invalid_scope"},
		"a plain challenge":       {pushForm(app, "code_challenge", sim.Verifier, "code_challenge_method", "plain"), 400, "invalid_request"},
		"prompt none and another": {pushForm(app, "prompt", "none login"), 400, "invalid_request"},
		"max_age in words":        {pushForm(app, "max_age", "soon"), 400, "invalid_request"},
		"dpop_jkt of nothing":     {pushForm(app, "dpop_jkt", "x"), 400, "invalid_request"},
		"an endless state":        {pushForm(app, "state", strings.Repeat("a", 5000)), 400, "invalid_request"},
		"too long in all":         {pushForm(app, "state", strings.Repeat("a", 4096), "unknown", strings.Repeat("b", 9000)), 400, "invalid_request"},
		"a device":                {pushForm(device, "client_secret", sim.Omit), 400, "unauthorized_client"},
		"a service":               {pushForm(service), 400, "unauthorized_client"},
	} {
		got := w.Post("/oauth2/par", tt.form)
		if got.Status != tt.status || got.Text("error") != tt.code || got.Text("request_uri") != "" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v, want %d %s", name, got, tt.status, tt.code)
		}
	}
	wantWords(t, w, app, "A request that is pushed cannot name one that was pushed before.")
	for _, name := range []string{"client_id", "redirect_uri", "scope", "state", "dpop_jkt", "request_uri"} {
		form := pushForm(app)
		form[name] = []string{"a", "a"}
		refused(t, name+" twice", w.Post("/oauth2/par", form), "invalid_request")
	}
	for name, tt := range map[string]struct{ kind, body string }{
		"no body":           {"application/x-www-form-urlencoded", ""},
		"JSON":              {"application/json", `{"client_id":"` + app.ID + `"}`},
		"malformed escape":  {"application/x-www-form-urlencoded", pushForm(app).Encode() + "&x=%zz"},
		"not UTF-8":         {"application/x-www-form-urlencoded", pushForm(app).Encode() + "&login_hint=%ff"},
		"an oversized body": {"application/x-www-form-urlencoded", pushForm(app).Encode() + "&x=" + strings.Repeat("a", 65<<10)},
		"many parameters":   {"application/x-www-form-urlencoded", pushForm(app).Encode() + strings.Repeat("&a=b", 200)},
	} {
		refused(t, name, w.Do(w.Request(http.MethodPost, "/oauth2/par", strings.NewReader(tt.body), "Content-Type", tt.kind)), "invalid_request")
	}
	suspended := w.NewApplication()
	suspended.Suspend()
	refused(t, "suspended", w.Post("/oauth2/par", pushForm(suspended)), "unauthorized_client")
}

// TestRequestURIFromOutside is CVE-2020-10770: nothing is ever asked at the address
// that a stranger gives.
func TestRequestURIFromOutside(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	w.Host("internal.example", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the address was asked") }))
	for _, uri := range []string{"http://internal.example/", "https://internal.example/object", "file:///etc/passwd", "//internal.example", "URN:IETF:PARAMS:OAUTH:REQUEST_URI:x", "urn:ietf:params:oauth:request_uri"} {
		if page := user.Open(pushedURL(app.ID, uri)); page.Status != http.StatusBadRequest {
			t.Errorf("%s alone: %d", uri, page.Status)
		}
		if back := user.Authorize(app, sim.Standard, "scope", "openid", "request_uri", uri); back.Get("error") != "request_uri_not_supported" {
			t.Errorf("%s: %v", uri, back)
		}
	}
	// On the path of Login with Amazon there are no such requests.
	if page := user.Open("/ap/oa?" + strings.TrimPrefix(push(t, w, app), "/oauth2/authorize?")); page.Status != http.StatusBadRequest {
		t.Errorf("on the other path: %d", page.Status)
	}
}

// TestRequirePAR: a profile can refuse what came by the browser alone, on both paths
// (RFC 9126 section 6).
func TestRequirePAR(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	user.Code(app, sim.Standard)
	app.Set(func(s *registry.Settings) { s.RequirePAR = true })
	for path, d := range dialects {
		if back := user.Authorize(app, d); back.Get("error") != "invalid_request" || back.Get("code") != "" || back.Get("state") == "" {
			t.Errorf("%s: %v", path, back)
		}
	}
	wantWords(t, w, app, "The settings of this profile require pushed authorization requests (PAR), and this one came by the browser alone.")
	if back, _ := app.Received(user.Open(push(t, w, app))); back.Get("code") == "" {
		t.Errorf("pushed: %v", back)
	}
	// And with consent in between.
	if back, _ := app.Received(user.Open(push(t, w, app, "scope", "profile postal_code")).Press("Allow")); back.Get("code") == "" {
		t.Errorf("pushed, with consent: %v", back)
	}
}

// TestPushedWithProof: who proves a key when the request is pushed needs it for the
// code (RFC 9449 section 10.1).
func TestPushedWithProof(t *testing.T) {
	w := sim.New(t)
	app, key, thief := w.NewApplication(), w.NewClientKey(), w.NewClientKey()
	user := w.SignUp("Ada Lovelace")
	user.Code(app, sim.Standard)
	for name, pairs := range map[string][]string{"proof": nil, "proof and dpop_jkt": {"dpop_jkt", key.Thumbprint()}} {
		got := proved(w, key, "/oauth2/par", pushForm(app, pairs...))
		if got.Status != http.StatusCreated || got.Header.Get("DPoP-Nonce") == "" {
			t.Fatalf("%s: %v", name, got)
		}
		back, _ := app.Received(user.Open(pushedURL(app.ID, got.Text("request_uri"))))
		refused(t, name+", without", app.Redeem(sim.Standard, back.Get("code")), "invalid_grant")
		refused(t, name+", another key", proved(w, thief, "/oauth2/token", app.RedeemForm(back.Get("code"))), "invalid_grant")
		if got := proved(w, key, "/oauth2/token", app.RedeemForm(back.Get("code"))); got.Text("token_type") != "DPoP" {
			t.Errorf("%s: %v", name, got)
		}
	}
	refused(t, "dpop_jkt of another key", proved(w, key, "/oauth2/par", pushForm(app, "dpop_jkt", thief.Thumbprint())), "invalid_request")
	refused(t, "a proof for the token endpoint", w.Post("/oauth2/par", pushForm(app), "DPoP", w.Proof(key, "POST", "/oauth2/token", "")), "invalid_dpop_proof")
	refused(t, "not a proof", w.Post("/oauth2/par", pushForm(app), "DPoP", "x"), "invalid_dpop_proof")
	proof := w.Proof(key, "POST", "/oauth2/par", "")
	if got := w.Post("/oauth2/par", pushForm(app), "DPoP", proof); got.Status != http.StatusCreated {
		t.Fatal(got)
	}
	refused(t, "the same proof", w.Post("/oauth2/par", pushForm(app), "DPoP", proof), "invalid_dpop_proof")
}
