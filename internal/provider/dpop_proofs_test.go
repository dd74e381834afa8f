package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// TestProofsRefused: what is not a good proof gets no tokens, and does not use the code
// up (RFC 9449 section 5).
func TestProofsRefused(t *testing.T) {
	w := sim.New(t)
	app, key := w.NewApplication(), w.NewClientKey()
	user := w.SignUp("Ada Lovelace")
	code := user.Code(app, sim.Standard)
	const path = "/oauth2/token"
	good := w.Proof(key, http.MethodPost, path, "")
	for name, tt := range map[string]struct {
		headers []string
		code    string
	}{
		"for another method":     {[]string{w.Proof(key, "GET", path, "")}, "invalid_dpop_proof"},
		"for another endpoint":   {[]string{w.Proof(key, "POST", "/auth/o2/token", "")}, "invalid_dpop_proof"},
		"for another server":     {[]string{w.Proof(key, "POST", path, "", sim.Claims{"htu": "https://evil.example/oauth2/token"})}, "invalid_dpop_proof"},
		"no htu":                 {[]string{w.Proof(key, "POST", path, "", sim.Claims{"htu": nil})}, "invalid_dpop_proof"},
		"no jti":                 {[]string{w.Proof(key, "POST", path, "", sim.Claims{"jti": nil})}, "invalid_dpop_proof"},
		"no iat":                 {[]string{w.Proof(key, "POST", path, "", sim.Claims{"iat": nil})}, "invalid_dpop_proof"},
		"of two minutes ago":     {[]string{w.Proof(key, "POST", path, "", sim.Claims{"iat": time.Now().Unix() - 120})}, "use_dpop_nonce"},
		"of two minutes on":      {[]string{w.Proof(key, "POST", path, "", sim.Claims{"iat": time.Now().Unix() + 120})}, "use_dpop_nonce"},
		"with an invented nonce": {[]string{w.Proof(key, "POST", path, "", sim.Claims{"nonce": "AQEx"})}, "use_dpop_nonce"},
		"with a code as nonce":   {[]string{w.Proof(key, "POST", path, "", sim.Claims{"nonce": code})}, "use_dpop_nonce"},
		"two":                    {[]string{good, w.Proof(key, "POST", path, "")}, "invalid_dpop_proof"},
		"the same one twice":     {[]string{good, good}, "invalid_dpop_proof"},
		"an empty one":           {[]string{""}, "invalid_dpop_proof"},
		"an endless one":         {[]string{strings.Repeat("a", 9000)}, "invalid_dpop_proof"},
		"bytes":                  {[]string{"\xff\xfe.\x80."}, "invalid_dpop_proof"},
		"without its signature":  {[]string{good[:strings.LastIndexByte(good, '.')+1]}, "invalid_dpop_proof"},
		"an assertion":           {[]string{app.Assertion(key)}, "invalid_dpop_proof"},
	} {
		r := w.Request(http.MethodPost, path, strings.NewReader(app.RedeemForm(code).Encode()), "Content-Type", "application/x-www-form-urlencoded")
		r.Header["Dpop"] = tt.headers
		got := w.Do(r)
		refused(t, name, got, tt.code)
		if got.Status != http.StatusBadRequest || got.Header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s: %v, nonce %q", name, got, got.Header.Get("DPoP-Nonce"))
		}
	}
	if got := w.Post(path, app.RedeemForm(code), "DPoP", good); got.Text("token_type") != "DPoP" {
		t.Errorf("the code was used up by what was refused: %v", got)
	}
}

// TestProofOnce: of sixteen requests with one proof, at two servers, one succeeds, and
// no replay ends anything.
func TestProofOnce(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			cfg, keys := sqldbtest.Config(t, dialect), t.TempDir()+"/keys"
			w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			replica := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			app, key := w.NewApplication(), w.NewClientKey()
			user := w.SignUp("Ada Lovelace")
			for name, form := range map[string]url.Values{"client credentials": clientCredentials(app), "code": app.RedeemForm(user.Code(app, sim.Standard))} {
				proof := w.Proof(key, http.MethodPost, "/oauth2/token", "")
				answers := make([]sim.Answer, 16)
				var all sync.WaitGroup
				for i := range answers {
					all.Go(func() { answers[i] = []*sim.World{w, replica}[i%2].Post("/oauth2/token", form, "DPoP", proof) })
				}
				all.Wait()
				var good []string
				for _, got := range answers {
					if got.Status == http.StatusOK {
						good = append(good, got.Text("access_token"))
					} else {
						refused(t, name+", a replay", got, "invalid_dpop_proof")
					}
				}
				if len(good) != 1 {
					t.Fatalf("%s: %d of 16 succeeded", name, len(good))
				}
				if got := present(replica, key, "/auth/o2/tokeninfo", good[0]); got.Status != http.StatusOK {
					t.Errorf("%s: the replays have ended the token: %v", name, got)
				}
			}
		})
	}
	// Another key may have an id that this one has used.
	w := sim.New(t)
	app := w.NewApplication()
	for range 2 {
		if got := proved(w, w.NewClientKey(), "/oauth2/token", clientCredentials(app), sim.Claims{"jti": "1"}); got.Status != http.StatusOK {
			t.Errorf("%v", got)
		}
	}
}

// TestProofFaults fails every call of an exchange with a proof: the answer is a token
// that works or 503, and the code is never lost to a failure that was undone.
func TestProofFaults(t *testing.T) {
	for name, outcome := range outcomes {
		t.Run(name, func(t *testing.T) {
			w := sim.New(t)
			app, key := w.NewApplication(), w.NewClientKey()
			user := w.SignUp("Ada Lovelace")
			for n := 1; ; n++ {
				form := app.RedeemForm(user.Code(app, sim.Standard))
				w.DB.Reset()
				w.DB.Fail(n, outcome, faultdb.Exec, faultdb.Begin, faultdb.Commit)
				first := proved(w, key, "/oauth2/token", form)
				done := w.DB.Pending()
				w.DB.Reset()
				if first.Status != http.StatusOK && first.Status != http.StatusServiceUnavailable {
					t.Errorf("call %d: %v", n, first)
				}
				second := proved(w, key, "/oauth2/token", form)
				if first.Status == http.StatusOK && second.Status == http.StatusOK {
					t.Errorf("call %d: one code was redeemed twice", n)
				}
				if outcome == faultdb.Failed && first.Status != http.StatusOK && second.Status != http.StatusOK {
					t.Errorf("call %d: nothing was applied, and yet the second try is refused: %v", n, second)
				}
				if done {
					if n < 7 {
						t.Errorf("only %d calls were failed", n-1)
					}
					return
				}
			}
		})
	}
}

// TestProofBudget: a proof costs one insert at the token endpoint, once a second its
// clean-up too, nothing at a resource, and strangers nothing anywhere.
func TestProofBudget(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, page, key := w.NewApplication(), singlePage(w), w.NewClientKey()
		user := w.SignUp("Ada Lovelace")
		access, _ := bound(t, w, app, key, user)
		family(t, page, user)
		once := faultdb.Counts{Execs: 1, Begins: 1, Commits: 1}
		for name, tt := range map[string]struct {
			do     func() sim.Answer
			status int
			budget faultdb.Counts
		}{
			"client credentials": {func() sim.Answer { return proved(w, key, "/oauth2/token", clientCredentials(app)) }, 200, once},
			"userinfo":           {func() sim.Answer { return present(w, key, "/oauth2/userinfo", access) }, 200, faultdb.Counts{}},
			"tokeninfo":          {func() sim.Answer { return present(w, key, "/auth/o2/tokeninfo", access) }, 200, faultdb.Counts{}},
			"a stranger as a single page": {func() sim.Answer {
				return proved(w, key, "/oauth2/token", page.RedeemForm("invented", publicRedeem...))
			}, 400, faultdb.Counts{}},
			"a stranger's nonce": {func() sim.Answer {
				return proved(w, key, "/oauth2/token", clientCredentials(app), sim.Claims{"nonce": strings.Repeat("_", 60)})
			}, 400, faultdb.Counts{}},
		} {
			w.DB.Reset()
			if got := tt.do(); got.Status != tt.status {
				t.Fatalf("%s: %v", name, got)
			}
			if got := w.DB.Counts(); got != tt.budget {
				t.Errorf("%s costs %+v, budget %+v", name, got, tt.budget)
			}
		}
	})
}
