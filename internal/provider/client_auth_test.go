package provider_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// byKey is a token request of the application for itself, by its key.
func byKey(a *sim.Application, k *sim.ClientKey, changes ...sim.Claims) url.Values {
	return sim.Asserted(clientCredentials(a), a.Assertion(k, changes...))
}

// keyed registers an application that proves itself with a key.
func keyed(w *sim.World) (*sim.Application, *sim.ClientKey) {
	app, key := w.NewApplication(), w.NewClientKey()
	app.UseKey(key)
	return app, key
}

// TestPrivateKeyJWT: a key in place of the secret, wherever an application proves
// itself (RFC 7523 section 2.2, OpenID Connect Core section 9).
func TestPrivateKeyJWT(t *testing.T) {
	w := sim.New(t)
	app, key := keyed(w)
	user := w.SignUp("Ada Lovelace")
	for name, form := range map[string]url.Values{
		"client_id beside it":        byKey(app, key),
		"without client_id":          sim.Asserted(clientCredentials(app, "client_id", sim.Omit), app.Assertion(key)),
		"for the token endpoint":     byKey(app, key, sim.Claims{"aud": w.Issuer + "/oauth2/token"}),
		"for the other token path":   byKey(app, key, sim.Claims{"aud": w.Issuer + "/auth/o2/token"}),
		"for several":                byKey(app, key, sim.Claims{"aud": []string{"https://other.example", w.Issuer}}),
		"typ and unknown claims":     byKey(app, key, sim.Claims{"typ": "x", "scope": 1}),
		"a clock half a minute fast": byKey(app, key, sim.Claims{"iat": time.Now().Add(25 * time.Second).Unix()}),
	} {
		if got := w.Post("/oauth2/token", form); got.Status != http.StatusOK || got.Text("access_token") == "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	for path, d := range dialects {
		t.Run(path, func(t *testing.T) {
			given := w.Post(sim.TokenPath(d), sim.Asserted(app.RedeemForm(user.Code(app, d)), app.Assertion(key)))
			access, refresh := given.Text("access_token"), given.Text("refresh_token")
			if given.Status != http.StatusOK || refresh == "" {
				t.Fatalf("the exchange: %v", given)
			}
			again := w.Post(sim.TokenPath(d), sim.Asserted(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, app.Assertion(key)))
			if again.Status != http.StatusOK || again.Text("refresh_token") != refresh {
				t.Errorf("the refresh: %v", again)
			}
			for _, aud := range []string{w.Issuer, w.Issuer + "/oauth2/introspect"} {
				if got := w.Post("/oauth2/introspect", sim.Asserted(url.Values{"token": {access}}, app.Assertion(key, sim.Claims{"aud": aud}))); got.Text("client_id") != app.ID {
					t.Errorf("introspection, for %s: %v", aud, got)
				}
			}
			if got := w.Post("/oauth2/revoke", sim.Asserted(url.Values{"token": {access}}, app.Assertion(key))); got.Status != http.StatusOK {
				t.Errorf("revocation: %v", got)
			}
			refused(t, "what was revoked", w.TokenInfo(access), "invalid_token")
		})
	}
	form := sim.Asserted(clientCredentials(app), app.Assertion(key))
	body, err := json.Marshal(map[string]string{
		"grant_type": "authorization_code", "code": user.Code(app, sim.Amazon), "redirect_uri": app.ReturnURL,
		"client_assertion": form.Get("client_assertion"), "client_assertion_type": form.Get("client_assertion_type"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Do(w.Request(http.MethodPost, "/auth/O2/token", strings.NewReader(string(body)), "Content-Type", "application/json")); got.Status != http.StatusOK {
		t.Errorf("as JSON: %v", got)
	}
}

// TestAssertionsRefused: what is not a good assertion is invalid_client, says nothing
// on the wire, and does not use the code up (RFC 7521 section 4.2.1).
func TestAssertionsRefused(t *testing.T) {
	w := sim.New(t)
	app, key := keyed(w)
	other, otherKey := keyed(w)
	user := w.SignUp("Ada Lovelace")
	code := user.Code(app, sim.Standard)
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	claims := sim.Claims{"iss": app.ID, "sub": app.ID, "aud": w.Issuer, "jti": "forged", "exp": at(time.Minute)}
	none := part(sim.Claims{"alg": "none"}) + "." + part(claims) + "."
	// The public key, which everybody knows, as the secret of an HMAC.
	confused := part(sim.Claims{"alg": "HS256"}) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(key.JWKS()))
	mac.Write([]byte(confused))
	confused += "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	good := app.Assertion(key)
	for name, assertion := range map[string]string{
		"CVE-2015-9235, none":            none,
		"CVE-2016-5431, RS256 to HS256":  confused,
		"another client's key":           app.Assertion(otherKey),
		"another client's assertion":     other.Assertion(otherKey),
		"for another server":             app.Assertion(key, sim.Claims{"aud": "https://other.example"}),
		"for the resource":               app.Assertion(key, sim.Claims{"aud": w.Issuer + "/oauth2/userinfo"}),
		"no aud":                         app.Assertion(key, sim.Claims{"aud": nil}),
		"no exp":                         app.Assertion(key, sim.Claims{"exp": nil}),
		"expired":                        app.Assertion(key, sim.Claims{"exp": at(-time.Minute)}),
		"good for a day":                 app.Assertion(key, sim.Claims{"exp": at(24 * time.Hour)}),
		"not yet good":                   app.Assertion(key, sim.Claims{"nbf": at(time.Minute)}),
		"made in the future":             app.Assertion(key, sim.Claims{"iat": at(time.Minute)}),
		"no jti":                         app.Assertion(key, sim.Claims{"jti": nil}),
		"empty jti":                      app.Assertion(key, sim.Claims{"jti": ""}),
		"iss of another":                 app.Assertion(key, sim.Claims{"iss": other.ID}),
		"sub of another":                 app.Assertion(key, sim.Claims{"sub": other.ID}),
		"a proof by the same key":        w.Proof(key, "POST", "/oauth2/token", ""),
		"claims of the wrong types":      app.Assertion(key, sim.Claims{"exp": "soon", "jti": 1}),
		"a signature cut off":            good[:strings.LastIndexByte(good, '.')+1],
		"another payload, same tag":      strings.Replace(good, ".", "."+part(claims)[:8], 1),
		"not a JWT":                      "x",
		"five parts":                     "a.b.c.d.e",
		"the secret":                     app.Secret,
		"an assertion with a line break": good[:10] + "\n" + good[10:],
	} {
		got := w.Post("/oauth2/token", sim.Asserted(app.RedeemForm(code), assertion))
		wire{401, "invalid_client", noClient}.check(t, got)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	for name, change := range map[string]func(url.Values){
		"with the secret as well": func(f url.Values) { f.Set("client_secret", app.Secret) },
		"with a wrong secret":     func(f url.Values) { f.Set("client_secret", "x") },
		"of another type": func(f url.Values) {
			f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
		},
		"beside another's client_id": func(f url.Values) { f.Set("client_id", other.ID) },
		"by the secret in its place": func(f url.Values) {
			f.Del("client_assertion")
			f.Del("client_assertion_type")
			f.Set("client_secret", app.Secret)
		},
		"by nothing in its place": func(f url.Values) {
			f.Del("client_assertion")
			f.Del("client_assertion_type")
		},
	} {
		form := sim.Asserted(app.RedeemForm(code), app.Assertion(key))
		change(form)
		refused(t, name, w.Post("/oauth2/token", form), "invalid_client")
	}
	refused(t, "with Basic as well", w.Post("/oauth2/token", byKey(app, key), "Authorization", basic(app.ID, app.Secret)), "invalid_client")
	twice := byKey(app, key)
	twice["client_assertion"] = append(twice["client_assertion"], app.Assertion(key))
	refused(t, "two of them", w.Post("/oauth2/token", twice), "invalid_request")
	long := byKey(app, key)
	long.Set("client_assertion", strings.Repeat("a", 9000))
	refused(t, "an endless one", w.Post("/oauth2/token", long), "invalid_request")
	secretOnly := w.NewApplication()
	refused(t, "of a profile with a secret", w.Post("/oauth2/token", byKey(secretOnly, key)), "invalid_client")
	keyless := w.NewApplication()
	keyless.Set(func(s *registry.Settings) { s.Auth = registry.AuthKey })
	refused(t, "of a profile without keys", w.Post("/oauth2/token", byKey(keyless, key)), "invalid_client")

	if got := w.Post("/oauth2/token", sim.Asserted(app.RedeemForm(code), good)); got.Status != http.StatusOK {
		t.Errorf("the code was used up by what was refused: %v", got)
	}
	// Taking the key away ends it.
	app.UseKey(otherKey)
	refused(t, "by a key that was replaced", w.Post("/oauth2/token", byKey(app, key)), "invalid_client")
}

// TestAssertionRefusalsInWords: the owner reads why, which the wire does not say.
func TestAssertionRefusalsInWords(t *testing.T) {
	w := sim.New(t)
	app, key := keyed(w)
	keyless := w.NewApplication()
	keyless.Set(func(s *registry.Settings) { s.Auth = registry.AuthKey })
	used := byKey(app, key)
	w.Post("/oauth2/token", used)
	for want, form := range map[string]url.Values{
		"The assertion’s jti was used before: each request needs an assertion of its own.":                           used,
		"The assertion's aud is neither the issuer nor the URL of the token endpoint.":                               byKey(app, key, sim.Claims{"aud": "x"}),
		"This security profile proves itself with a key (private_key_jwt), so its secret is not taken.":              clientCredentials(app),
		"This security profile proves itself with a key (private_key_jwt), and the request has no client_assertion.": clientCredentials(app, "client_secret", sim.Omit),
	} {
		refused(t, want, w.Post("/oauth2/token", form), "invalid_client")
		wantWords(t, w, app, want)
	}
	w.Post("/oauth2/token", byKey(keyless, key))
	wantWords(t, w, keyless, "This security profile has no keys yet. Add them under Settings.")
	secretOnly := w.NewApplication()
	w.Post("/oauth2/token", byKey(secretOnly, key))
	wantWords(t, w, secretOnly, "This security profile proves itself with its secret, so a client_assertion is not taken. Choose keys under Settings first.")
}

// wantWords waits until the owner can read a refusal.
func wantWords(t *testing.T, w *sim.World, app *sim.Application, want string) {
	t.Helper()
	w.View.Flush(t.Context())
	refusals, err := w.Store.Refusals(t.Context(), app.Profile.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refusals {
		if r.Words == want {
			return
		}
	}
	t.Errorf("nobody reads %q, but %+v", want, refusals)
}

// TestAssertionOnce is CVE-2020-5300 and CVE-2020-15222: of sixteen requests with one
// assertion, at two servers, one succeeds.
func TestAssertionOnce(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			cfg, keys := sqldbtest.Config(t, dialect), t.TempDir()+"/keys"
			w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			replica := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			app, key := keyed(w)
			time.Sleep(time.Second) // until the replica knows its key
			for range 5 {
				form := byKey(app, key)
				answers := make([]sim.Answer, 16)
				var all sync.WaitGroup
				for i := range answers {
					all.Go(func() { answers[i] = []*sim.World{w, replica}[i%2].Post("/oauth2/token", form) })
				}
				all.Wait()
				good := 0
				for _, got := range answers {
					if got.Status == http.StatusOK {
						good++
					} else {
						refused(t, "a replay", got, "invalid_client")
					}
				}
				if good != 1 {
					t.Errorf("%d of 16 succeeded", good)
				}
				refused(t, "later", replica.Post("/oauth2/token", form), "invalid_client")
				refused(t, "elsewhere", w.Post("/oauth2/introspect", form), "invalid_client")
			}
		})
	}
	inVirtualTime(t, func(t *testing.T, w *sim.World) { // as long as it would be taken
		app, key := keyed(w)
		form := byKey(app, key, sim.Claims{"exp": time.Now().Add(time.Hour).Unix()})
		if got := w.Post("/oauth2/token", form); got.Status != http.StatusOK {
			t.Fatal(got)
		}
		for range 12 {
			time.Sleep(5*time.Minute + 2*time.Second)
			w.Post("/oauth2/token", byKey(app, key)) // cleans up behind others
			refused(t, "a replay", w.Post("/oauth2/token", form), "invalid_client")
		}
	})
}

// TestSameIDByTwoClients: a jti is one client's own.
func TestSameIDByTwoClients(t *testing.T) {
	w := sim.New(t)
	for range 2 {
		app, key := keyed(w)
		if got := w.Post("/oauth2/token", byKey(app, key, sim.Claims{"jti": "1"})); got.Status != http.StatusOK {
			t.Errorf("%v", got)
		}
	}
}

// TestAssertionFaults fails every call that an authentication by key makes: the answer
// is a token or 503, and one assertion never gives two.
func TestAssertionFaults(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		for name, outcome := range outcomes {
			t.Run(dialect.String()+" "+name, func(t *testing.T) {
				w := sim.NewWith(t, sim.Options{Database: sqldbtest.Config(t, dialect)})
				app, key := keyed(w)
				w.Post("/oauth2/token", byKey(app, key)) // the view is warm
				for n := 1; ; n++ {
					form := byKey(app, key)
					w.DB.Reset()
					w.DB.Fail(n, outcome)
					first := w.Post("/oauth2/token", form)
					done := w.DB.Pending()
					w.DB.Reset()
					checkExchange(t, w, n, first)
					second := w.Post("/oauth2/token", form)
					if second.Status == http.StatusOK && first.Status == http.StatusOK || second.Status != http.StatusOK && second.Text("error") != "invalid_client" {
						t.Errorf("call %d: %v, then %v", n, first, second)
					}
					if got := w.Post("/oauth2/token", byKey(app, key)); got.Status != http.StatusOK {
						t.Errorf("call %d: the next one: %v", n, got)
					}
					if done {
						if dialect == sqldb.SQLite && n < 4 || n < 2 { // PostgreSQL makes one statement of it
							t.Errorf("only %d calls were failed", n-1)
						}
						return
					}
				}
			})
		}
	}
}

// TestKeysAtAnAddress: the keys are read where the profile says (jwks_uri), and an
// address that cannot be read is told to the owner alone.
func TestKeysAtAnAddress(t *testing.T) {
	w := sim.New(t)
	app, key := w.NewApplication(), w.NewClientKey()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = rw.Write([]byte(key.JWKS()))
	}))
	defer server.Close()
	at := func(address string) {
		app.Set(func(s *registry.Settings) { s.Auth, s.JWKSURI = registry.AuthKey, address })
	}
	at(server.URL + "/keys")
	for range 3 {
		if got := w.Post("/oauth2/token", byKey(app, key)); got.Status != http.StatusOK {
			t.Errorf("%v", got)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for 3 assertions", asked)
	}
	at("http://10.0.0.1/keys") // CVE-2020-10770
	refused(t, "an internal address", w.Post("/oauth2/token", byKey(app, key)), "invalid_client")
	server.Close()
	at(server.URL + "/others")
	refused(t, "an address where nothing answers", w.Post("/oauth2/token", byKey(app, key)), "invalid_client")
	wantWords(t, w, app, "The keys of this security profile could not be read. No connection could be made to 127.0.0.1.")
}

// TestPublicClientsHaveNoKey: whoever can keep no secret keeps no key either, but what
// has one may use it.
func TestPublicClientsHaveNoKey(t *testing.T) {
	w := sim.New(t)
	app := singlePage(w)
	key := w.NewClientKey()
	app.UseKey(key)
	user := w.SignUp("Ada Lovelace")
	_, token := family(t, app, user)
	rotated(t, app, token)
	refused(t, "the secret", app.Redeem(sim.Standard, user.Code(app, sim.Standard, publicAsk...), "code_verifier", sim.Verifier), "invalid_client")
	if got := w.Post("/oauth2/token", sim.Asserted(app.RedeemForm(user.Code(app, sim.Standard, publicAsk...), "code_verifier", sim.Verifier), app.Assertion(key))); got.Status != http.StatusOK {
		t.Errorf("the key: %v", got)
	}
}

// TestAssertionBudget: one insert in one transaction, and once a second its clean-up; and nothing
// for those that have a secret.
func TestAssertionBudget(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, key := keyed(w)
		w.Post("/oauth2/token", byKey(app, key))
		form := byKey(app, key)
		w.DB.Reset()
		if got := w.Post("/oauth2/token", form); got.Status != http.StatusOK {
			t.Fatal(got)
		}
		if got, want := w.DB.Counts(), (faultdb.Counts{Execs: 1, Begins: 1, Commits: 1}); got != want {
			t.Errorf("costs %+v, budget %+v", got, want)
		}
		w.DB.Reset()
		refused(t, "a forged one", w.Post("/oauth2/token", byKey(app, w.NewClientKey())), "invalid_client")
		if got := w.DB.Counts(); got != (faultdb.Counts{}) {
			t.Errorf("a stranger costs %+v", got)
		}
	})
}
