package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
)

const pageOrigin = "https://www.example.com"

// reads is the origin that may read an answer, "" for none. Whatever the answer is, a
// cache must keep it apart by origin, and no cookie is let in.
func reads(t *testing.T, what string, got sim.Answer) string {
	t.Helper()
	if !strings.Contains(strings.Join(got.Header.Values("Vary"), ", "), "Origin") {
		t.Errorf("%s: Vary %q", what, got.Header.Values("Vary"))
	}
	if got.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%s lets cookies in", what)
	}
	if all := got.Header.Values("Access-Control-Allow-Origin"); len(all) > 1 {
		t.Errorf("%s: allowed twice: %q", what, all)
	}
	return got.Header.Get("Access-Control-Allow-Origin")
}

// TestCrossOrigin: a page reads an answer if and only if its origin is one of the
// Allowed Origins of the application that the answer is about.
func TestCrossOrigin(t *testing.T) {
	w := sim.New(t)
	app, other := w.NewApplication(), w.NewApplication()
	app.AllowOrigins("http://localhost:3000", pageOrigin)
	other.AllowOrigins("https://other.example")
	user := w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid profile"))
	access := given.Text("access_token")
	amazon := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon)).Text("access_token")
	post := func(path string, form url.Values) func(...string) sim.Answer {
		return func(headers ...string) sim.Answer { return w.Post(path, form, headers...) }
	}
	get := func(path string, more ...string) func(...string) sim.Answer {
		return func(headers ...string) sim.Answer { return w.Get(path, append(more, headers...)...) }
	}
	endpoints := map[string]struct {
		ask    func(headers ...string) sim.Answer
		status int
	}{
		"token":            {post("/oauth2/token", clientCredentials(app)), 200},
		"Amazon's token":   {post("/auth/O2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {given.Text("refresh_token")}, "client_id": {app.ID}, "client_secret": {app.Secret}}), 200},
		"refused token":    {post("/auth/o2/token", app.RedeemForm("invented")), 400},
		"refused client":   {post("/oauth2/token", app.RedeemForm("invented", "client_secret", strings.Repeat("0", 64))), 401},
		"profile":          {get("/user/profile", "Authorization", "Bearer "+amazon), 200},
		"old profile":      {get("/ap/user/profile", "X-Amz-Access-Token", amazon), 200},
		"tokeninfo":        {get("/auth/o2/tokeninfo?" + url.Values{"access_token": {amazon}}.Encode()), 200},
		"userinfo":         {get("/oauth2/userinfo", "Authorization", "Bearer "+access), 200},
		"insufficient":     {get("/oauth2/userinfo", "Authorization", "Bearer "+amazon), 403},
		"revocation":       {post("/oauth2/revoke", url.Values{"token": {"gl_at_x"}, "client_id": {app.ID}, "client_secret": {app.Secret}}), 200},
		"refused revoking": {post("/oauth2/revoke", url.Values{"client_id": {app.ID}, "client_secret": {app.Secret}}), 400},
	}
	origins := []struct{ name, sent, want string }{
		{"allowed", pageOrigin, pageOrigin},
		{"allowed with port", "http://localhost:3000", "http://localhost:3000"},
		{"another application's", "https://other.example", ""},
		{"nobody's", "https://evil.example", ""},
		{"none", "", ""},
		{"opaque", "null", ""},
		{"another port", pageOrigin + ":8443", ""},
		{"its own port", pageOrigin + ":443", ""},
		{"without the port", "http://localhost", ""},
		{"another scheme", "http://www.example.com", ""},
		{"another case", "https://WWW.example.com", ""},
		{"subdomain", "https://a.www.example.com", ""},
		{"parent", "https://example.com", ""},
		{"longer", pageOrigin + ".evil.example", ""},
		{"slash", pageOrigin + "/", ""},
		{"user name", "https://www.example.com@evil.example", ""},
		{"two in one", pageOrigin + ", https://evil.example", ""},
		{"two in one by a blank", pageOrigin + " https://evil.example", ""},
		{"wildcard", "*", ""},
		{"header injection", pageOrigin + "\tX: y", ""},
		{"long", "https://" + strings.Repeat("a.", 5000) + "example", ""},
	}
	for name, e := range endpoints {
		t.Run(name, func(t *testing.T) {
			for _, o := range origins {
				var headers []string
				if o.sent != "" {
					headers = []string{"Origin", o.sent}
				}
				got := e.ask(headers...)
				if got.Status != e.status {
					t.Fatalf("%s: %v, want %d", o.name, got, e.status)
				}
				if may := reads(t, o.name, got); may != o.want {
					t.Errorf("%s: %q may read, want %q", o.name, may, o.want)
				}
			}
			got := e.ask("Origin", pageOrigin, "Origin", "https://evil.example")
			if may := reads(t, "two headers", got); may != "" {
				t.Errorf("two headers: %q may read", may)
			}
			if exposed := e.ask("Origin", pageOrigin).Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "WWW-Authenticate") {
				t.Errorf("exposed: %q", exposed)
			}
		})
	}
	for origin, want := range map[string]string{pageOrigin: pageOrigin, "https://other.example": ""} {
		got := w.Post("/oauth2/device_authorization", url.Values{"client_id": {app.ID}, "client_secret": {app.Secret}, "scope": {"profile"}}, "Origin", origin)
		if may := reads(t, "device", got); got.Status != http.StatusOK || may != want {
			t.Errorf("device grant from %s: %v, %q may read", origin, got, may)
		}
	}
	if got := introspectWith(w, app, access, "Origin", pageOrigin); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("introspection is not for pages: %v", got.Header)
	}
}

func introspectWith(w *sim.World, app *sim.Application, token string, headers ...string) sim.Answer {
	return w.Post("/oauth2/introspect", url.Values{"token": {token}, "client_id": {app.ID}, "client_secret": {app.Secret}}, headers...)
}

// TestCrossOriginErrors: an error that is nobody's yet may be read by pages of
// registered origins, which could otherwise tell their users nothing.
func TestCrossOriginErrors(t *testing.T) {
	w := sim.New(t)
	w.NewApplication().AllowOrigins(pageOrigin)
	for name, ask := range map[string]func(...string) sim.Answer{
		"bad token":      func(h ...string) sim.Answer { return w.Get("/user/profile", append(h, "Authorization", "Bearer x")...) },
		"no token":       func(h ...string) sim.Answer { return w.Get("/oauth2/userinfo", h...) },
		"no profile":     func(h ...string) sim.Answer { return w.Get("/ap/user/profile", h...) },
		"bad tokeninfo":  func(h ...string) sim.Answer { return w.Get("/auth/o2/tokeninfo?access_token=x", h...) },
		"unknown client": func(h ...string) sim.Answer { return w.Post("/auth/o2/token", url.Values{"client_id": {"x"}}, h...) },
		"empty":          func(h ...string) sim.Answer { return w.Post("/oauth2/token", nil, h...) },
		"wrong method":   func(h ...string) sim.Answer { return w.Get("/oauth2/token", h...) },
		"revoke":         func(h ...string) sim.Answer { return w.Post("/oauth2/revoke", nil, h...) },
	} {
		for origin, want := range map[string]string{pageOrigin: pageOrigin, "https://evil.example": "", "null": ""} {
			got := ask("Origin", origin)
			if may := reads(t, name, got); may != want || got.Status < 400 || got.Status > 499 {
				t.Errorf("%s from %s: %d, %q may read, want %q", name, origin, got.Status, may, want)
			}
		}
	}
}

func TestPreflight(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	app.AllowOrigins(pageOrigin)
	paths := map[string]string{
		"/oauth2/token": "POST", "/auth/o2/token": "POST", "/auth/O2/token": "POST", "/auth/o2/tokeninfo": "GET", "/user/profile": "GET, HEAD",
		"/ap/user/profile": "GET, HEAD", "/oauth2/userinfo": "GET, POST", "/oauth2/revoke": "POST",
		"/oauth2/device_authorization": "POST", "/auth/o2/create/codepair": "POST",
	}
	ask := func(path string, headers ...string) sim.Answer {
		return w.Do(w.Request(http.MethodOptions, path, nil, append([]string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,dpop"}, headers...)...))
	}
	for path, methods := range paths {
		got := ask(path, "Origin", pageOrigin)
		h := got.Header
		if got.Status != http.StatusNoContent || got.Body != "" || reads(t, path, got) != pageOrigin || h.Get("Access-Control-Allow-Methods") != methods ||
			h.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, DPoP, X-Amz-Access-Token" || h.Get("Access-Control-Max-Age") != "600" {
			t.Errorf("%s: %v %v", path, got, h)
		}
		for _, origin := range []string{"https://evil.example", "null", "", pageOrigin + "/", "http://www.example.com", "*"} {
			got := ask(path, "Origin", origin)
			if got.Status < 400 || got.Status >= 500 || got.Header.Get("Access-Control-Allow-Origin") != "" || got.Header.Get("Access-Control-Allow-Methods") != "" {
				t.Errorf("%s from %q: %v %v", path, origin, got, got.Header)
			}
		}
	}
	if got := ask("/oauth2/introspect", "Origin", pageOrigin); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("introspection: %v %v", got, got.Header)
	}
	for _, page := range []string{"/oauth2/authorize", "/ap/oa", "/consent", "/sdk/relay"} {
		if got := ask(page, "Origin", pageOrigin); got.Status < 400 || got.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s is for no script (RFC 9700 section 2.6): %v %v", page, got, got.Header)
		}
	}
	for _, public := range []string{"/.well-known/openid-configuration", "/oauth2/jwks"} {
		if got := w.Get(public, "Origin", "https://evil.example"); got.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s is for everybody: %v", public, got.Header)
		}
	}
	// Taken off the list, the origin is out, here at once.
	app.AllowOrigins("https://elsewhere.example")
	if got := ask("/oauth2/token", "Origin", pageOrigin); got.Status != http.StatusForbidden || got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("after its removal: %v %v", got, got.Header)
	}
}

// TestCrossOriginCost: only a page pays, and a page of a registered origin once.
func TestCrossOriginCost(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		app.AllowOrigins(pageOrigin)
		user := w.SignUp("Ada Lovelace")
		access := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon)).Text("access_token")
		preflight := func(origin string) func() sim.Answer {
			return func() sim.Answer {
				return w.Do(w.Request(http.MethodOptions, "/user/profile", nil, "Origin", origin, "Access-Control-Request-Method", "GET"))
			}
		}
		profile := func(token, origin string) func() sim.Answer {
			return func() sim.Answer {
				return w.Get("/user/profile", "Authorization", "Bearer "+token, "Origin", origin)
			}
		}
		for name, tt := range map[string]struct {
			ask    func() sim.Answer
			budget faultdb.Counts
		}{
			"preflight":                 {preflight(pageOrigin), faultdb.Counts{}},
			"profile":                   {profile(access, pageOrigin), faultdb.Counts{}},
			"profile of another":        {profile(access, "https://evil.example"), faultdb.Counts{}},
			"bad token":                 {profile("x", pageOrigin), faultdb.Counts{}},
			"preflight of an opaque":    {preflight("null"), faultdb.Counts{}},
			"preflight of no origin":    {preflight("https://evil.example/x"), faultdb.Counts{}},
			"bad token, of no origin":   {profile("x", "file://"), faultdb.Counts{}},
			"preflight of a stranger":   {preflight("https://evil.example"), strangersCost},
			"bad token of a stranger's": {profile("x", "https://evil.example"), strangersCost},
		} {
			tt.ask()
			w.DB.Reset()
			tt.ask()
			if got := w.DB.Counts(); got != tt.budget {
				t.Errorf("%s costs %+v, budget %+v", name, got, tt.budget)
			}
		}
	})
}

// strangersCost is one look for an origin that nobody has registered.
var strangersCost = faultdb.Counts{Queries: 1}

// TestRefusedOriginIsTold: the browser tells the developer nothing, so the console does.
func TestRefusedOriginIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(t)
		app := w.NewApplication()
		app.AllowOrigins(pageOrigin)
		ask := func(origin string) {
			w.Post("/auth/o2/token", app.RedeemForm("invented"), "Origin", origin)
		}
		for range 3 {
			ask("https://other.example")
		}
		ask(pageOrigin)
		ask(w.Issuer) // our own pages read everything
		ask("null")
		time.Sleep(2 * time.Second)
		all, err := w.Store.Refusals(t.Context(), app.Profile.ID)
		if err != nil {
			t.Fatal(err)
		}
		var told []audit.Refusal
		for _, r := range all {
			if r.Code == audit.OriginNotAllowed {
				told = append(told, r)
			}
		}
		if len(told) != 1 || told[0].Sent != "https://other.example" || told[0].Count != 3 || !strings.Contains(told[0].Words, "Allowed Origins") {
			t.Errorf("%+v", told)
		}
	})
}
