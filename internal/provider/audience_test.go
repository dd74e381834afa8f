package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

const (
	reportsAPI = "https://reports.example/api"
	mailAPI    = "https://mail.example/"
)

// apis are two APIs of different developers, each with a scope of its own.
func apis(w *sim.World, format registry.TokenFormat) (reports, mail *sim.Application) {
	reports, mail = w.NewApplication(), w.NewApplication()
	for _, made := range []struct {
		api      *sim.Application
		audience string
		scopes   []string
	}{{reports, reportsAPI, []string{"reports:read", "reports:write"}}, {mail, mailAPI, []string{"mail:read"}}} {
		made.api.BecomeAPI(made.audience)
		made.api.Set(func(s *registry.Settings) { s.TokenFormat = format })
		for _, name := range made.scopes {
			w.NewScope(registry.Scope{Name: name, Essential: true, WithoutUser: true, Audience: made.api.Profile.ID})
		}
	}
	return reports, mail
}

func members(t *testing.T, body string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return m
}

// TestIntrospectionByAPI: an API learns of the tokens that are meant for it, of its
// own scopes alone, and of the user by the id that its own developer knows.
func TestIntrospectionByAPI(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		reports, mail := apis(w, registry.Opaque)
		app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
		now := float64(time.Now().Unix())
		for path, d := range dialects {
			given := app.Redeem(d, user.Code(app, d, "scope", "profile reports:read mail:read"))
			token := given.Text("access_token")
			got := members(t, introspect(w, reports, token).Body)
			handles, _ := got["ends_with"].([]any)
			delete(got, "ends_with")
			// The id of the user at the API's developer, as an application of that one sees it.
			own := w.TokenInfo(reports.Redeem(d, user.Code(reports, d)).Text("access_token")).Text("user_id")
			want := map[string]any{
				"active": true, "scope": "reports:read", "client_id": app.ID, "token_type": "bearer", "sub": own,
				"aud": []any{reportsAPI}, "iss": w.Issuer, "exp": now + 3600, "iat": now,
			}
			if diff := cmp.Diff(want, got); diff != "" || len(handles) != 4 {
				t.Errorf("%s: %d handles (-want +got)\n%s", path, len(handles), diff)
			}
			if got := introspect(w, mail, token); got.Text("scope") != "mail:read" || got.Text("sub") == own {
				t.Errorf("%s, the other API: %v", path, got)
			}
			inactive(t, path+", a refresh token", introspect(w, reports, given.Text("refresh_token")))
			mailOnly := app.Redeem(d, user.Code(app, d, "scope", "mail:read")).Text("access_token")
			inactive(t, path+", a token of another API", introspect(w, reports, mailOnly))
			inactive(t, path+", a token of no API", introspect(w, reports, app.Redeem(d, user.Code(app, d)).Text("access_token")))
			if got := members(t, introspect(w, app, token).Body); !cmp.Equal(got["aud"], []any{reportsAPI, mailAPI}) || got["scope"] != "profile reports:read mail:read" || got["ends_with"] != nil {
				t.Errorf("%s, the token's own application: %v", path, got)
			}
		}
	})
}

// TestResourceIndicators: RFC 8707.
func TestResourceIndicators(t *testing.T) {
	w := sim.New(t)
	reports, mail := apis(w, registry.Opaque)
	app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
	all := []string{"scope", "openid profile reports:read mail:read", "resource", reportsAPI}

	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard, all...))
	token := given.Text("access_token")
	if got := introspect(w, reports, token); got.Text("scope") != "reports:read" {
		t.Errorf("the API that was named: %v", got)
	}
	inactive(t, "the API that was not named", introspect(w, mail, token))
	// Section 3: it is for that API and not for what this server has of the user.
	refused(t, "UserInfo", w.Get("/oauth2/userinfo", "Authorization", "Bearer "+token), "invalid_token")
	refused(t, "profile", w.UserProfile(token), "invalid_token")
	if given.Text("id_token") == "" {
		t.Error("there is no ID token")
	}
	// Section 2.2: the audience stays, and cannot grow.
	for what, got := range map[string]sim.Answer{
		"refresh":             app.Refresh(sim.Standard, given.Text("refresh_token")),
		"refresh, named":      app.Refresh(sim.Standard, given.Text("refresh_token"), "resource", reportsAPI),
		"exchange, named too": app.Redeem(sim.Standard, user.Code(app, sim.Standard, all...), "resource", reportsAPI),
		"exchange alone":      app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "profile reports:read mail:read"), "resource", reportsAPI),
	} {
		if !strings.Contains(introspect(w, reports, got.Text("access_token")).Body, `"active":true`) {
			t.Errorf("%s: %v", what, got)
		}
		inactive(t, what+", the other API", introspect(w, mail, got.Text("access_token")))
	}
	refused(t, "exchange for another", app.Redeem(sim.Standard, user.Code(app, sim.Standard, all...), "resource", mailAPI), "invalid_target")
	refused(t, "refresh for another", app.Refresh(sim.Standard, given.Text("refresh_token"), "resource", mailAPI), "invalid_target")
	refused(t, "exchange for nothing there is", app.Redeem(sim.Standard, user.Code(app, sim.Standard, all...), "resource", "https://other.example"), "invalid_target")
	refused(t, "no URI", app.Refresh(sim.Standard, given.Text("refresh_token"), "resource", "reports"), "invalid_target")
	refused(t, "client credentials", w.Post("/oauth2/token", clientCredentials(app, "resource", reportsAPI)), "invalid_target")
	for what, pairs := range map[string][]string{
		"unknown":          {"scope", "reports:read", "resource", "https://other.example"},
		"without a scope":  {"scope", "profile", "resource", reportsAPI},
		"of another's":     {"scope", "mail:read", "resource", reportsAPI},
		"another spelling": {"scope", "reports:read", "resource", reportsAPI + "/"},
		"fragment":         {"scope", "reports:read", "resource", reportsAPI + "#a"},
	} {
		if back := user.Authorize(app, sim.Standard, pairs...); back.Get("error") != "invalid_target" || back.Get("state") == "" {
			t.Errorf("%s: %v", what, back)
		}
	}
	// Login with Amazon does not know the parameter.
	if back := user.Authorize(app, sim.Amazon, "resource", "nonsense"); back.Get("code") == "" {
		t.Errorf("on the path of Login with Amazon: %v", back)
	}
	two := app.Redeem(sim.Standard, redeemTwo(app, user)).Text("access_token")
	for _, api := range []*sim.Application{reports, mail} {
		if got := introspect(w, api, two); !strings.Contains(got.Body, `"active":true`) {
			t.Errorf("one of two: %v", got)
		}
	}
}

func redeemTwo(app *sim.Application, user *sim.Person) string {
	address := app.AuthorizeURL(sim.Standard, "scope", "reports:read mail:read") + "&" + url.Values{"resource": {reportsAPI, mailAPI}}.Encode()
	page := user.Open(address)
	if page.Has("Allow") {
		page = page.Press("Allow")
	}
	back, _ := app.Received(page)
	return back.Get("code")
}

// TestJWTAccessToken: RFC 9068, for an API that asks for it.
func TestJWTAccessToken(t *testing.T) {
	w := sim.New(t)
	reports, mail := apis(w, registry.JWT)
	app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid reports:read"))
	token := given.Text("access_token")
	header, claims := verifyJWT(t, w, token)
	own := introspect(w, reports, token).Text("sub")
	id, _ := claims["jti"].(string)
	delete(claims, "jti")
	if handles, _ := claims["ends_with"].([]any); len(handles) != 4 {
		t.Errorf("handles: %v", claims["ends_with"])
	}
	delete(claims, "ends_with")
	issued, _ := claims["iat"].(float64)
	if age := float64(time.Now().Unix()) - issued; age < 0 || age > 60 {
		t.Errorf("iat %v", claims["iat"])
	}
	for _, name := range []string{"iat", "auth_time"} {
		if _, ok := claims[name].(float64); !ok {
			t.Errorf("no %s", name)
		}
		delete(claims, name)
	}
	want := map[string]any{
		"iss": w.Issuer, "sub": own, "aud": []any{reportsAPI, w.Issuer}, "client_id": app.ID, "scope": "reports:read", "exp": issued + 3600,
	}
	if diff := cmp.Diff(want, claims); diff != "" || header["typ"] != "at+jwt" || header["alg"] != "RS256" {
		t.Errorf("%v (-want +got)\n%s", header, diff)
	}
	// What is signed tells nobody more than the claims do, and is no token by itself.
	for _, prefix := range []string{"", "gl_at_", "Atza|"} {
		refused(t, "jti as "+prefix, w.TokenInfo(prefix+id), "invalid_token")
	}
	// It is good for all that an opaque one is.
	if got := w.Get("/oauth2/userinfo", "Authorization", "Bearer "+token); got.Status != http.StatusOK || got.Text("sub") == own {
		t.Errorf("UserInfo: %v", got)
	}
	if got := w.TokenInfo(token); got.Text("aud") != app.ID {
		t.Errorf("tokeninfo: %v", got)
	}
	for what, tampered := range map[string]string{
		"alg none":  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + strings.Split(token, ".")[1] + ".",
		"ID token":  given.Text("id_token"),
		"no claims": strings.Split(token, ".")[0] + ".." + strings.Split(token, ".")[2],
		"cut":       token[:len(token)-4],
	} {
		refused(t, what, w.TokenInfo(tampered), "invalid_token")
		inactive(t, what, introspect(w, reports, tampered))
	}
	// Client credentials have no user, and two APIs no one form.
	if both := app.Redeem(sim.Standard, redeemTwo(app, user)).Text("access_token"); !strings.HasPrefix(both, "gl_at_") {
		t.Errorf("for two APIs: %s", both)
	}
	if amazon := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon, "scope", "reports:read")).Text("access_token"); !strings.HasPrefix(amazon, "Atza|") {
		t.Errorf("on the path of Login with Amazon: %s", amazon)
	}
	narrowed := app.Refresh(sim.Standard, given.Text("refresh_token"), "resource", reportsAPI).Text("access_token")
	if _, claims := verifyJWT(t, w, narrowed); !cmp.Equal(claims["aud"], []any{reportsAPI}) {
		t.Errorf("named: %v", claims)
	}
	refused(t, "UserInfo with a token for the API alone", w.Get("/oauth2/userinfo", "Authorization", "Bearer "+narrowed), "invalid_token")
	mail.Set(func(s *registry.Settings) { s.IDTokenAlg = "ES256" })
	if header, _ := verifyJWT(t, w, app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "mail:read")).Text("access_token")); header["alg"] != "ES256" {
		t.Errorf("the algorithm is not the API's: %v", header)
	}
	w.Post("/oauth2/revoke", url.Values{"token": {token}, "client_id": {app.ID}, "client_secret": {app.Secret}})
	refused(t, "revoked", w.TokenInfo(token), "invalid_token")
	inactive(t, "revoked", introspect(w, reports, token))
}

// verifyJWT reads a token as an API would, by the published keys alone.
func verifyJWT(t *testing.T, w *sim.World, token string) (header, claims map[string]any) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatalf("%s: %v", token, err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(w.Get("/oauth2/jwks").Body), &keys); err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(keys.Key(jws.Signatures[0].Protected.KeyID)[0])
	if err != nil {
		t.Fatal(err)
	}
	return members(t, string(decode(t, strings.Split(token, ".")[0]))), members(t, string(payload))
}

// told is an answer of the feed of endings.
type told struct {
	Reset bool
	Ended []string
	Next  string
}

func changes(t *testing.T, w *sim.World, api *sim.Application, after, wait string) told {
	t.Helper()
	got := w.Get("/oauth2/changes?"+url.Values{"after": {after}, "wait": {wait}}.Encode(), "Authorization", basic(api.ID, api.Secret))
	var f told
	if err := json.Unmarshal([]byte(got.Body), &f); err != nil || got.Status != http.StatusOK {
		t.Fatalf("%v: %v", got, err)
	}
	return f
}

// TestEndingsAreTold: whatever a token may end with is told to its API, and to no other.
func TestEndingsAreTold(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person, token string){
		"consent removed": func(_ *testing.T, _ *sim.World, app *sim.Application, user *sim.Person, _ string) {
			user.Open("/account/applications").Press("Remove")
		},
		"token revoked": func(_ *testing.T, w *sim.World, app *sim.Application, _ *sim.Person, token string) {
			w.Post("/oauth2/revoke", url.Values{"token": {token}, "client_id": {app.ID}, "client_secret": {app.Secret}})
		},
		"application suspended": func(_ *testing.T, _ *sim.World, app *sim.Application, _ *sim.Person, _ string) { app.Suspend() },
		"application deleted":   func(_ *testing.T, _ *sim.World, app *sim.Application, _ *sim.Person, _ string) { app.Delete() },
		"account disabled": func(t *testing.T, w *sim.World, _ *sim.Application, user *sim.Person, _ string) {
			if err := w.Store.SetAccountDisabled(t.Context(), user.ID, time.Now(), by()); err != nil {
				t.Error(err)
			}
		},
		"account deleted": func(t *testing.T, w *sim.World, _ *sim.Application, user *sim.Person, _ string) {
			if err := w.Store.DeleteAccount(t.Context(), user.ID, by()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, w *sim.World) {
				reports, mail := apis(w, registry.Opaque)
				app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
				token := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "reports:read")).Text("access_token")
				answer := introspect(w, reports, token)
				handles, _ := members(t, answer.Body)["ends_with"].([]any)
				start := changes(t, w, reports, "", "0")
				if !start.Reset || start.Next == "" {
					t.Fatalf("from nowhere: %+v", start)
				}
				if quiet := changes(t, w, reports, start.Next, "0"); quiet.Reset || len(quiet.Ended) != 0 {
					t.Fatalf("nothing has happened: %+v", quiet)
				}
				began := time.Now()
				heard, others := make(chan told), make(chan told)
				go func() { heard <- changes(t, w, reports, start.Next, "20") }()
				go func() { others <- changes(t, w, mail, start.Next, "20") }()
				time.Sleep(5 * time.Second)
				end(t, w, app, user, token)
				got := <-heard
				if waited := time.Since(began); waited < 5*time.Second || waited > 6*time.Second {
					t.Errorf("heard after %v", waited)
				}
				if got.Reset || !slices.ContainsFunc(handles, func(h any) bool { return slices.Contains(got.Ended, h.(string)) }) {
					t.Errorf("told %+v, the token has %v", got, handles)
				}
				// To another API a handle is as good as random; of grants it hears nothing.
				if other := <-others; slices.ContainsFunc(other.Ended, func(h string) bool { return slices.Contains(handles, any(h)) }) ||
					(name == "consent removed" || name == "token revoked") && len(other.Ended) > 0 {
					t.Errorf("the other API is told %+v", other)
				}
				inactive(t, "the token", introspect(w, reports, token))
			})
		})
	}
}

// TestEndingsAreForAPIs: who else asks, and how.
func TestEndingsAreForAPIs(t *testing.T) {
	w := sim.New(t)
	reports, _ := apis(w, registry.Opaque)
	app := w.NewApplication()
	ask := func(query string, headers ...string) sim.Answer { return w.Get("/oauth2/changes?"+query, headers...) }
	good := []string{"Authorization", basic(reports.ID, reports.Secret)}
	refused(t, "nobody", ask("wait=0"), "invalid_client")
	refused(t, "no API", ask("wait=0", "Authorization", basic(app.ID, app.Secret)), "unauthorized_client")
	refused(t, "wrong secret", ask("wait=0", "Authorization", basic(reports.ID, app.Secret)), "invalid_client")
	refused(t, "secret in the address", ask("wait=0&client_id="+reports.ID+"&client_secret=x"), "invalid_client")
	for _, wait := range []string{"-1", "26", "1.5", "x", "999999999999999999999"} {
		refused(t, "wait "+wait, ask("wait="+wait, good...), "invalid_request")
	}
	for _, after := range []string{"x", "00.5", ".", "zz.1", strings.Repeat("f", 5000) + ".1", "\x00"} {
		if got := changes(t, w, reports, after, "0"); !got.Reset {
			t.Errorf("after %.20q: %+v", after, got)
		}
	}
	// The same as a form, which is how an API that authenticates by key asks.
	form := func(pairs ...string) url.Values {
		values := url.Values{"wait": {"0"}}
		for i := 0; i+1 < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		return values
	}
	post := func(form url.Values) sim.Answer { return w.Post("/oauth2/changes", form) }
	if got := post(form("client_id", reports.ID, "client_secret", reports.Secret)); got.Status != http.StatusOK || got.Text("next") == "" {
		t.Errorf("by POST: %v", got)
	}
	refused(t, "nobody, by POST", post(form()), "invalid_request")
	refused(t, "wrong secret, by POST", post(form("client_id", reports.ID, "client_secret", app.Secret)), "invalid_client")
	refused(t, "no API, by POST", post(form("client_id", app.ID, "client_secret", app.Secret)), "unauthorized_client")
	refused(t, "wait, by POST", post(form("client_id", reports.ID, "client_secret", reports.Secret, "wait", "x")), "invalid_request")
	key := w.NewClientKey()
	reports.UseKey(key)
	if got := post(sim.Asserted(form(), reports.Assertion(key))); got.Status != http.StatusOK || got.Text("next") == "" {
		t.Errorf("by key: %v", got)
	}
	refused(t, "another's key", post(sim.Asserted(form(), reports.Assertion(w.NewClientKey()))), "invalid_client")
	refused(t, "the secret of one with a key", ask("wait=0", good...), "invalid_client")
	reports.Set(func(s *registry.Settings) { s.Auth, s.JWKS = registry.AuthSecret, "" })
	reports.Suspend()
	refused(t, "suspended", ask("wait=0", good...), "unauthorized_client")
}
