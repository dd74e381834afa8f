package provider_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/provider"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// openWorld is one in which anybody may register.
func openWorld(t testing.TB) *sim.World {
	return sim.NewWith(t, sim.Options{Registration: provider.RegistrationOpen})
}

// tokenWorld is one in which a token is needed, and one that is good many times.
func tokenWorld(t testing.TB) (w *sim.World, owner *sim.Application, token string) {
	w = sim.NewWith(t, sim.Options{Registration: provider.RegistrationByToken})
	owner = w.NewApplication()
	return w, owner, owner.InitialToken(1 << 40)
}

// ownScopesWorld is one with two scopes of the operator's own: reports:read for
// anybody, admin:reports for those that it was granted to.
func ownScopesWorld(t *testing.T, o sim.Options) *sim.World {
	t.Helper()
	o.Database, o.KeyFile = sqldbtest.Config(t, sqldb.SQLite), t.TempDir()+"/keys"
	sim.NewWith(t, sim.Options{Database: o.Database, KeyFile: o.KeyFile}) // makes the tables
	db := sqldbtest.Open(t, o.Database)
	err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		for _, text := range []string{
			`INSERT INTO scopes (number, name, aliases, essential, restricted, without_user, claims, audience, retired_at, version) VALUES
				(16, 'reports:read', '', 1, 0, 1, '', 0, 0, 1), (17, 'admin:reports', '', 1, 1, 1, '', 0, 0, 1)`,
			`INSERT INTO scope_words (number, language, label, detail) VALUES (16, 'en', 'Reports', ''), (17, 'en', 'All reports', '')`,
		} {
			if _, err := tx.Exec(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sim.NewWith(t, o)
}

// publicKeys is a key set as a client publishes it.
func publicKeys(t testing.TB) map[string]any {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Use: "sig", Algorithm: "ES256"}}})
	if err != nil {
		t.Fatal(err)
	}
	var set map[string]any
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

// inForce is an answer without what is another one each time.
func inForce(t testing.TB, answer sim.Answer) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(answer.Body), &members); err != nil || answer.Status != http.StatusCreated {
		t.Fatalf("not registered: %v", answer)
	}
	for _, name := range []string{"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at"} {
		delete(members, name)
	}
	return members
}

const allScopes = "profile profile:user_id postal_code openid email address phone offline_access"

// TestRegistrationOff: where the operator has not switched it on there is nothing.
func TestRegistrationOff(t *testing.T) {
	w := sim.New(t)
	token := w.NewApplication().InitialToken(1)
	if got := w.Register(token, map[string]any{"redirect_uris": []string{"https://app.example/cb"}}); got.Status != http.StatusNotFound || got.Text("client_id") != "" {
		t.Errorf("%v", got)
	}
	if got := w.Get("/.well-known/openid-configuration"); strings.Contains(got.Body, "registration_endpoint") {
		t.Error("the metadata promise registration")
	}
	on := openWorld(t)
	if got := on.Get("/.well-known/oauth-authorization-server"); got.Text("registration_endpoint") != on.Issuer+"/oauth2/register" {
		t.Errorf("registration_endpoint %q", got.Text("registration_endpoint"))
	}
}

// TestRegistration: what is asked for, and the whole answer to it.
func TestRegistration(t *testing.T) {
	w, _, token := tokenWorld(t)
	keys := publicKeys(t)
	cb := []string{"https://app.example/cb"}
	type m = map[string]any
	list := func(s ...any) []any { return append([]any{}, s...) }
	code := list("authorization_code", "refresh_token")
	web := func(changes m) m {
		all := m{
			"redirect_uris": list("https://app.example/cb"), "token_endpoint_auth_method": "client_secret_basic", "grant_types": code,
			"response_types": list("code"), "application_type": "web", "client_name": "app.example", "scope": allScopes,
			"id_token_signed_response_alg": "RS256", "subject_type": "pairwise",
		}
		for name, value := range changes {
			if all[name] = value; value == nil {
				delete(all, name)
			}
		}
		return all
	}
	for name, tt := range map[string]struct{ sent, want m }{
		"the least": {m{"redirect_uris": cb}, web(nil)},
		"all of a web application": {
			m{
				"redirect_uris": list("https://app.example/cb", "https://app.example/cb2?a=b"), "token_endpoint_auth_method": "client_secret_post",
				"grant_types": list("authorization_code"), "response_types": list("code"), "application_type": "web", "client_name": "Reports",
				"client_name#de": "Berichte", "policy_uri": "https://app.example/privacy", "tos_uri": "https://app.example/tos", "client_uri": "https://app.example",
				"contacts": list("ops@app.example"), "scope": "openid email", "id_token_signed_response_alg": "ES256", "subject_type": "pairwise",
				"post_logout_redirect_uris": list("https://app.example/bye"), "backchannel_logout_uri": "https://app.example/logout",
				"backchannel_logout_session_required": false, "require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true,
				"default_max_age": 60, "x": m{"y": list(1, nil)},
			},
			web(m{
				"redirect_uris": list("https://app.example/cb", "https://app.example/cb2?a=b"), "token_endpoint_auth_method": "client_secret_post", "client_name": "Reports",
				"policy_uri": "https://app.example/privacy", "scope": "openid email", "id_token_signed_response_alg": "ES256",
				"post_logout_redirect_uris": list("https://app.example/bye"), "backchannel_logout_uri": "https://app.example/logout",
				"backchannel_logout_session_required": true, "require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true,
			}),
		},
		"more than there is": {
			m{"redirect_uris": cb, "grant_types": list("authorization_code", "implicit", "password", "client_credentials"), "response_types": list("code", "id_token token"), "subject_type": "public", "scope": "openid admin"},
			web(m{"scope": "openid"}),
		},
		"single page": {
			m{"redirect_uris": cb, "token_endpoint_auth_method": "none"},
			web(m{"token_endpoint_auth_method": "none"}),
		},
		"keys": {
			m{"redirect_uris": cb, "token_endpoint_auth_method": "private_key_jwt", "jwks": keys},
			web(m{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}),
		},
		"keys at an address": {
			m{"redirect_uris": cb, "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"},
			web(m{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"}),
		},
		"keys without a use": {m{"redirect_uris": cb, "jwks": keys}, web(nil)},
		"native": {
			m{"redirect_uris": list("com.example.app:/cb"), "application_type": "native", "client_name": "App"},
			web(m{"redirect_uris": list("com.example.app:/cb"), "application_type": "native", "client_name": "App", "token_endpoint_auth_method": "none"}),
		},
		"a tool on a command line": {
			m{"redirect_uris": list("http://127.0.0.1:3000/cb"), "token_endpoint_auth_method": "none"},
			web(m{"redirect_uris": list("http://127.0.0.1:3000/cb"), "application_type": "native", "client_name": "127.0.0.1", "token_endpoint_auth_method": "none"}),
		},
		"device": {
			m{"grant_types": list("urn:ietf:params:oauth:grant-type:device_code"), "redirect_uris": cb},
			web(m{"redirect_uris": nil, "grant_types": list("refresh_token", "urn:ietf:params:oauth:grant-type:device_code"), "response_types": list(), "application_type": "native",
				"client_name": "Unnamed application", "token_endpoint_auth_method": "none"}),
		},
		"service": {
			m{"grant_types": list("client_credentials"), "client_name": "Nightly"},
			web(m{"redirect_uris": nil, "grant_types": list("client_credentials"), "response_types": list(), "client_name": "Nightly", "scope": nil, "id_token_signed_response_alg": nil}),
		},
		"nulls": {
			m{"redirect_uris": cb, "client_name": nil, "logo_uri": nil, "jwks": nil, "software_statement": nil, "grant_types": nil},
			web(nil),
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.Use(t)
			got := w.Register(token, tt.sent)
			members := inForce(t, got)
			if d := cmp.Diff(tt.want, members); d != "" {
				t.Error(d)
			}
			// RFC 7591 section 3.2.1.
			if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Pragma") != "no-cache" || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
				t.Errorf("headers %v", got.Header)
			}
			secret := strings.HasPrefix(tt.want["token_endpoint_auth_method"].(string), "client_secret")
			if (got.Text("client_secret") != "") != secret || strings.Contains(got.Body, `"client_secret_expires_at":0`) != secret || got.Number("client_id_issued_at") == 0 {
				t.Errorf("credentials: %v", got)
			}
			// What is stored is what was answered.
			p := w.Registered(got).Profile
			if !p.Dynamic || len(p.Secrets) != 0 != secret || p.Settings.Implicit ||
				p.Settings.RequirePAR != (members["require_pushed_authorization_requests"] == true) || p.Settings.RequireDPoP != (members["dpop_bound_access_tokens"] == true) ||
				(p.Settings.Auth == registry.AuthKey) != (members["token_endpoint_auth_method"] == "private_key_jwt") {
				t.Errorf("stored %+v", p)
			}
			if again := inForce(t, w.Register(token, members)); !cmp.Equal(again, members) {
				t.Errorf("registered again: %s", cmp.Diff(members, again))
			}
		})
	}
}

// TestRegistrationErrors: every wrong request gets its error in words, and makes nothing.
func TestRegistrationErrors(t *testing.T) {
	w, owner, token := tokenWorld(t)
	const cb = `"redirect_uris":["https://app.example/cb"]`
	const metadata, redirect = "invalid_client_metadata", "invalid_redirect_uri"
	for name, tt := range map[string]struct{ body, code, words string }{
		"nothing":                 {"", metadata, "JSON"},
		"not JSON":                {"{", metadata, "JSON"},
		"not UTF-8":               {"{\"client_name\":\"\xff\"}", metadata, "UTF-8"},
		"array":                   {"[]", metadata, "object"},
		"null":                    {"null", metadata, "object"},
		"form":                    {"redirect_uris=a", metadata, "JSON"},
		"twice":                   {`{` + cb + `,` + cb + `}`, metadata, "more than once"},
		"twice, unknown":          {`{` + cb + `,"x":1,"x":2}`, metadata, "more than once"},
		"twice, by an escape":     {`{` + cb + `,"redirect\u005furis":[]}`, metadata, "more than once"},
		"deep":                    {`{` + cb + `,"x":` + strings.Repeat("[", 20_000) + `}`, metadata, "JSON"},
		"too large":               {`{` + cb + `,"x":"` + strings.Repeat("a", 65<<10) + `"}`, metadata, "too large"},
		"too many members":        {`{` + cb + many(300) + `}`, metadata, "members"},
		"no return URL":           {`{}`, redirect, "At least one"},
		"empty list":              {`{"redirect_uris":[]}`, redirect, "At least one"},
		"return URL is a text":    {`{"redirect_uris":"https://app.example/cb"}`, redirect, "array of texts"},
		"null in a list":          {`{"redirect_uris":[null]}`, redirect, "empty"},
		"number in a list":        {`{"redirect_uris":[1]}`, redirect, "array of texts"},
		"blank return URL":        {`{"redirect_uris":[" "]}`, redirect, "blank"},
		"twice the same":          {`{"redirect_uris":["https://app.example/cb","https://app.example/cb"]}`, redirect, "says the same"},
		"http":                    {`{"redirect_uris":["http://app.example/cb"]}`, redirect, "Use https"},
		"fragment":                {`{"redirect_uris":["https://app.example/cb#x"]}`, redirect, "#"},
		"wildcard":                {`{"redirect_uris":["https://*.example/cb"]}`, redirect, "*"},
		"javascript":              {`{"redirect_uris":["javascript:alert(1)"]}`, redirect, "domain name"},
		"javascript, native":      {`{"redirect_uris":["javascript:alert(1)"],"application_type":"native"}`, redirect, "domain name"},
		"own scheme of the web":   {`{"redirect_uris":["com.example.app:/cb"],"application_type":"web"}`, redirect, "https"},
		"path traversal":          {`{"redirect_uris":["https://app.example/a/..;/cb"]}`, redirect, ".."},
		"zero byte":               {`{"redirect_uris":["https://app.example/\u0000"]}`, redirect, "not valid text"},
		"surrogate":               {`{` + cb + `,"client_name":"\ud800"}`, metadata, "not valid text"},
		"name is a number":        {`{` + cb + `,"client_name":1}`, metadata, "client_name: This has to be a text"},
		"name too long":           {`{` + cb + `,"client_name":"` + strings.Repeat("n", 51) + `"}`, metadata, "50 characters"},
		"name that turns":         {`{` + cb + `,"client_name":"a\u202eb"}`, metadata, "one line"},
		"name of dashes":          {`{` + cb + `,"client_name":"---"}`, metadata, "Write a name"},
		"policy":                  {`{` + cb + `,"policy_uri":"javascript:alert(1)"}`, metadata, "policy_uri"},
		"logo":                    {`{` + cb + `,"logo_uri":"file:///etc/passwd"}`, metadata, "logo_uri"},
		"logo inside":             {`{` + cb + `,"logo_uri":"https://10.0.0.1/logo.png"}`, metadata, "logo_uri"},
		"keys inside":             {`{` + cb + `,"jwks_uri":"https://169.254.169.254/jwks"}`, metadata, "jwks_uri"},
		"logout inside":           {`{` + cb + `,"backchannel_logout_uri":"https://192.168.0.1/"}`, metadata, "backchannel_logout_uri"},
		"auth method":             {`{` + cb + `,"token_endpoint_auth_method":"client_secret_jwt"}`, metadata, "token_endpoint_auth_method"},
		"no keys":                 {`{` + cb + `,"token_endpoint_auth_method":"private_key_jwt"}`, metadata, "jwks"},
		"keys twice":              {`{` + cb + `,"jwks":{"keys":[]},"jwks_uri":"https://app.example/jwks"}`, metadata, "not both"},
		"keys are no keys":        {`{` + cb + `,"jwks":{"keys":[]}}`, metadata, "empty"},
		"keys are a text":         {`{` + cb + `,"jwks":"x"}`, metadata, "object"},
		"symmetric key":           {`{` + cb + `,"jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}}`, metadata, "private part"},
		"native with a key":       {`{` + cb + `,"application_type":"native","token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://app.example/jwks"}`, metadata, "none"},
		"application type":        {`{` + cb + `,"application_type":"desktop"}`, metadata, "web or native"},
		"no grant":                {`{` + cb + `,"grant_types":[]}`, metadata, "grant_types"},
		"implicit alone":          {`{` + cb + `,"grant_types":["implicit"],"response_types":["token"]}`, metadata, "grant_types"},
		"refresh alone":           {`{` + cb + `,"grant_types":["refresh_token"]}`, metadata, "grant_types"},
		"no code":                 {`{` + cb + `,"response_types":["id_token"]}`, metadata, "response_types"},
		"no response type":        {`{` + cb + `,"response_types":[]}`, metadata, "response_types"},
		"code without its grant":  {`{"grant_types":["client_credentials"],"response_types":["code"]}`, metadata, "response_types"},
		"service without a proof": {`{"grant_types":["client_credentials"],"token_endpoint_auth_method":"none"}`, metadata, "prove"},
		"unsigned ID tokens":      {`{` + cb + `,"id_token_signed_response_alg":"none"}`, metadata, "RS256 or ES256"},
		"symmetric ID tokens":     {`{` + cb + `,"id_token_signed_response_alg":"HS256"}`, metadata, "RS256 or ES256"},
		"subject type":            {`{` + cb + `,"subject_type":"ephemeral"}`, metadata, "pairwise"},
		"scope is a list":         {`{` + cb + `,"scope":["openid"]}`, metadata, "a text"},
		"scope with a quote":      {`{` + cb + `,"scope":"open\"id"}`, metadata, "scope"},
		"scopes unknown":          {`{` + cb + `,"scope":"admin root"}`, metadata, "None of these"},
		"flag is a text":          {`{` + cb + `,"dpop_bound_access_tokens":"true"}`, metadata, "true or false"},
		"contacts":                {`{` + cb + `,"contacts":"ops@app.example"}`, metadata, "array of texts"},
		"after sign-out":          {`{` + cb + `,"post_logout_redirect_uris":["http://app.example/"]}`, metadata, "post_logout_redirect_uris"},
		"software statement":      {`{` + cb + `,"software_statement":"e30.e30."}`, "invalid_software_statement", "not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			w.Use(t)
			got := w.RegisterText(token, tt.body)
			if got.Status != http.StatusBadRequest || got.Text("error") != tt.code || !strings.Contains(got.Text("error_description"), tt.words) {
				t.Errorf("%v, want %s with %q", got, tt.code, tt.words)
			}
			if got.Header.Get("Cache-Control") != "no-store" || strings.ContainsFunc(got.Text("error_description"), func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
				t.Errorf("%v %v", got.Header, got)
			}
		})
	}
	ok := `{` + cb + `}`
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; =", "multipart/form-data"} {
		if got := w.Do(w.Request(http.MethodPost, "/oauth2/register", strings.NewReader(ok), "Content-Type", kind, "Authorization", "Bearer "+token)); got.Status != http.StatusBadRequest || got.Text("error") != metadata {
			t.Errorf("Content-Type %q: %v", kind, got)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead, "BREW"} {
		if got := w.Do(w.Request(method, "/oauth2/register", nil)); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %v", method, got)
		}
	}
	if n, err := w.Store.CountProfiles(t.Context(), owner.Profile.DeveloperID); err != nil || n != 1 {
		t.Errorf("%d profiles, %v", n, err)
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"x` + itoa(int64(i)) + `":1`)
	}
	return b.String()
}

// TestInitialTokens: only who has a good one registers, and what is made is the
// token's owner's.
func TestInitialTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sim.NewWith(t, sim.Options{Registration: provider.RegistrationByToken})
		developer := w.Developer("Grace Hopper")
		owner := developer.NewApplication("https://owner.example/cb")
		app := map[string]any{"redirect_uris": []string{"https://app.example/cb"}, "client_name": "Robot"}
		token := owner.InitialToken(2)
		for name, sent := range map[string]string{"none": "", "invented": "gl_it_x", "bare": strings.TrimPrefix(token, "gl_it_"), "another's kind": "Atza|x", "characters": "ü"} {
			got := w.Register(sent, app)
			challenge := `Bearer error="invalid_token"`
			if sent == "" {
				challenge = "Bearer"
			}
			if got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_token" || got.Header.Get("WWW-Authenticate") != challenge {
				t.Errorf("%s: %v %q", name, got, got.Header.Get("WWW-Authenticate"))
			}
		}
		// A refused request takes no use.
		if got := w.Register(token, map[string]any{}); got.Status != http.StatusBadRequest {
			t.Error(got)
		}
		made := w.Registered(w.Register(token, app))
		if made.Profile.DeveloperID != owner.Profile.DeveloperID {
			t.Error("not the owner's")
		}
		if page := developer.Open("/console"); !strings.Contains(page.Text(), "Robot") || !strings.Contains(page.Text(), "Registered itself") {
			t.Errorf("the console:\n%s", page.Text())
		}
		path := "/console/profiles/" + made.Profile.Application.String()
		if page := developer.Open(path); page.Status != http.StatusOK || !strings.Contains(page.Text(), "Registered itself") {
			t.Errorf("the profile:\n%s", page.Text())
		}
		if page := developer.Open(path + "/activity"); !strings.Contains(page.Text(), "Application registered itself") || !strings.Contains(page.Text(), "The application") {
			t.Errorf("its activity:\n%s", page.Text())
		}
		// One without a secret, too.
		public := w.Registered(w.Register(token, map[string]any{"redirect_uris": []string{"https://app.example/cb"}, "token_endpoint_auth_method": "none"}))
		for _, tab := range []string{"", "/web-settings", "/settings", "/activity"} {
			if page := developer.Open("/console/profiles/" + public.Profile.Application.String() + tab); page.Status != http.StatusOK {
				t.Errorf("%q of a public one: %d %s", tab, page.Status, page.Text())
			}
		}
		if got := w.Register(token, app); got.Status != http.StatusUnauthorized {
			t.Errorf("used up: %v", got)
		}
		late := owner.InitialToken(1)
		time.Sleep(time.Hour)
		if got := w.Register(late, app); got.Status != http.StatusUnauthorized {
			t.Errorf("over: %v", got)
		}
	})
}

// TestLastUseRace: sixteen at once with a token that is good once.
func TestLastUseRace(t *testing.T) {
	w, owner, _ := tokenWorld(t)
	token := owner.InitialToken(1)
	status := make([]int, 16)
	var wg sync.WaitGroup
	for i := range status {
		wg.Go(func() {
			status[i] = w.Register(token, map[string]any{"redirect_uris": []string{"https://app.example/cb"}}).Status
		})
	}
	wg.Wait()
	made := 0
	for _, s := range status {
		switch s {
		case http.StatusCreated:
			made++
		case http.StatusUnauthorized:
		default:
			t.Errorf("status %d", s)
		}
	}
	if made != 1 {
		t.Errorf("%d have registered", made)
	}
}

// TestRegisteredRelyingParty: an ordinary library with what it was given.
func TestRegisteredRelyingParty(t *testing.T) {
	w := openWorld(t)
	user := w.SignUp("Ada Lovelace")
	app := w.Registered(w.Register("", map[string]any{"redirect_uris": []string{"https://app.example/cb"}, "client_name": "Reports", "id_token_signed_response_alg": "ES256"}))
	rp := w.NewRelyingParty(app, "profile", "email")
	page := user.Open(rp.StartURL())
	for _, said := range []string{"Nobody has checked who is behind this application", "app.example", "The application has no privacy notice"} {
		if !strings.Contains(page.Text(), said) {
			t.Errorf("the consent page does not say %q:\n%s", said, page.Text())
		}
	}
	back, ok := rp.Received(page.Press("Allow"))
	if !ok {
		t.Fatalf("came back to %s", user.Page.URL)
	}
	got, err := rp.Finish(back)
	if err != nil {
		t.Fatal(err)
	}
	if got.Token.RefreshToken == "" || got.Profile["email"] != user.Email {
		t.Errorf("%v, refresh token %q", got.Profile, got.Token.RefreshToken)
	}
	refreshed := app.Refresh(sim.Standard, got.Token.RefreshToken)
	if refreshed.Status != http.StatusOK {
		t.Error(refreshed)
	}
	// Another that anybody registered knows the same person by another id.
	other := w.NewRelyingParty(w.Registered(w.Register("", map[string]any{"redirect_uris": []string{"https://other.example/cb"}})), "profile")
	if again := other.SignIn(user); again.ID.Subject == got.ID.Subject {
		t.Error("two strangers can compare notes")
	}
	// The operator takes it out of service.
	app.Suspend()
	if got := app.Refresh(sim.Standard, got.Token.RefreshToken); got.Status == http.StatusOK {
		t.Error("a suspended one refreshes")
	}
}

// TestRegisteredPublic: without a secret, by PKCE, and asked each time where any
// program may answer.
func TestRegisteredPublic(t *testing.T) {
	w := openWorld(t)
	user := w.SignUp("Ada Lovelace")
	app := w.Registered(w.Register("", map[string]any{"redirect_uris": []string{"http://127.0.0.1/cb"}, "token_endpoint_auth_method": "none"}))
	request := app.AuthorizeURL(sim.Standard, append([]string{"redirect_uri", "http://127.0.0.1:50123/cb"}, publicAsk...)...)
	for range 2 {
		page := consentPage(t, user, app, request).Press("Allow")
		got := app.Redeem(sim.Standard, page.URL.Query().Get("code"), append([]string{"redirect_uri", "http://127.0.0.1:50123/cb"}, publicRedeem...)...)
		if got.Status != http.StatusOK || got.Text("refresh_token") == "" {
			t.Fatal(got)
		}
	}
}

// TestRegistrationScopes: the operator says what may be had.
func TestRegistrationScopes(t *testing.T) {
	w := ownScopesWorld(t, sim.Options{Registration: provider.RegistrationOpen, RegistrationScopes: []string{"openid", "reports:read", "admin:reports", "nonsense"}})
	got := w.Register("", map[string]any{"redirect_uris": []string{"https://app.example/cb"}})
	if got.Text("scope") != "openid reports:read" {
		t.Errorf("scope %q", got.Text("scope"))
	}
}
