package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

var outcomes = map[string]faultdb.Outcome{"failed": faultdb.Failed, "failed but applied": faultdb.FailedButApplied}

// callsOfOneWrite are those of one statement that is all that is written: on PostgreSQL
// it is a transaction by itself.
var callsOfOneWrite = map[sqldb.Dialect]int{sqldb.SQLite: 3, sqldb.Postgres: 1}

// TestTokenFaults fails every call to the database that an exchange makes, one
// after the other: the answer is JSON, 200 only with tokens that work, else 503,
// and there are never two successful exchanges of one code.
func TestTokenFaults(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		for name, outcome := range outcomes {
			t.Run(dialect.String()+" "+name, func(t *testing.T) {
				cfg := sqldbtest.Config(t, dialect)
				w := sim.NewWith(t, sim.Options{Database: cfg})
				app := w.NewApplication()
				user := w.SignUp("Ada Lovelace")
				for n := 1; ; n++ {
					code := user.Code(app, sim.Amazon)
					w.DB.Reset()
					w.DB.Fail(n, outcome, faultdb.Exec, faultdb.Begin, faultdb.Commit)
					first := app.Redeem(sim.Amazon, code)
					done := w.DB.Pending()
					w.DB.Reset()
					checkExchange(t, w, n, first)
					second := app.Redeem(sim.Amazon, code)
					switch {
					case first.Status == http.StatusOK && second.Status == http.StatusOK:
						t.Fatalf("call %d: one code was redeemed twice", n)
					case first.Status == http.StatusOK && second.Text("error") != "invalid_grant":
						t.Errorf("call %d, second try: %v", n, second)
					case outcome == faultdb.Failed && first.Status != http.StatusOK && second.Status != http.StatusOK:
						t.Errorf("call %d: nothing was applied, and yet the second try is refused: %v", n, second)
					}
					if second.Status == http.StatusOK {
						if third := app.Redeem(sim.Amazon, code); third.Status == http.StatusOK {
							t.Fatalf("call %d: one code was redeemed twice", n)
						}
					}
					if done {
						if n < callsOfOneWrite[dialect]+1 {
							t.Errorf("only %d calls were failed", n-1)
						}
						return
					}
				}
			})
		}
	}
}

func checkExchange(t *testing.T, w *sim.World, n int, got sim.Answer) {
	t.Helper()
	if !json.Valid([]byte(got.Body)) || got.Header.Get("Content-Type") != "application/json;charset=UTF-8" {
		t.Errorf("call %d: not JSON: %v", n, got)
	}
	switch got.Status {
	case http.StatusOK:
		if info := w.TokenInfo(got.Text("access_token")); info.Status != http.StatusOK {
			t.Errorf("call %d: the access token does not work: %v", n, info)
		}
	case http.StatusServiceUnavailable:
		if got.Text("error") != "temporarily_unavailable" || got.Header.Get("Retry-After") == "" || got.Text("access_token") != "" {
			t.Errorf("call %d: %v, Retry-After %q", n, got, got.Header.Get("Retry-After"))
		}
	default:
		t.Errorf("call %d: %v, want 200 or 503", n, got)
	}
}

// TestColdFaults fails every call of a whole flow on a server that has nothing in
// memory: sign-in is there, everything else is read and written anew.
func TestColdFaults(t *testing.T) {
	for name, outcome := range outcomes {
		t.Run(name, func(t *testing.T) {
			w := sim.New(t)
			for n := 1; ; n++ {
				app := w.NewApplication()
				user := w.SignUp("Ada Lovelace")
				w.DB.Reset()
				w.DB.Fail(n, outcome)
				page := user.Open(app.AuthorizeURL(sim.Amazon))
				if page.Status >= 500 {
					page = user.Open(app.AuthorizeURL(sim.Amazon))
				}
				if !page.Has("Allow") {
					t.Fatalf("call %d: %d at %s\n%s", n, page.Status, page.URL, page.Text())
				}
				after := page.Press("Allow")
				if after.Status == http.StatusServiceUnavailable {
					if _, left := app.Received(after); left {
						t.Fatalf("call %d: a failure went to the application", n)
					}
					after = page.Press("Allow") // what a person does next
				}
				code := after.URL.Query().Get("code")
				if code == "" {
					t.Fatalf("call %d: no code but %d at %s", n, after.Status, after.URL)
				}
				successes := 0
				for range 3 {
					got := app.Redeem(sim.Amazon, code)
					if got.Status == http.StatusOK {
						successes++
					} else if got.Status != http.StatusServiceUnavailable && got.Text("error") != "invalid_grant" {
						t.Errorf("call %d: %v", n, got)
					}
				}
				if successes > 1 || successes == 0 && outcome == faultdb.Failed {
					t.Errorf("call %d: %d successful exchanges of one code", n, successes)
				}
				pending := w.DB.Pending()
				w.DB.Reset()
				g, _, err := w.Store.GrantFor(t.Context(), user.ID, app.Profile.ID)
				if err != nil || g.Scopes.Empty() {
					t.Errorf("call %d: grant %+v, %v", n, g, err)
				}
				if pending {
					return
				}
			}
		})
	}
}

// TestReadFaults fails the reads of every resource on a cold server: JSON and 503,
// never a claim that the token is bad.
func TestReadFaults(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	keys := t.TempDir() + "/keys"
	w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon))
	access, refresh := given.Text("access_token"), given.Text("refresh_token")
	for n := 1; n <= 4; n++ {
		cold := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
		app := app.In(cold)
		for name, ask := range map[string]func() sim.Answer{
			"tokeninfo": func() sim.Answer { return cold.TokenInfo(access) },
			"profile":   func() sim.Answer { return cold.UserProfile(access) },
			"refresh":   func() sim.Answer { return app.Refresh(sim.Amazon, refresh) },
			"facts":     func() sim.Answer { return cold.Get("/oauth2/clients/" + app.ID) },
		} {
			cold.DB.Fail(n, faultdb.Failed)
			got := ask()
			if got.Status != http.StatusOK && (got.Status != http.StatusServiceUnavailable || got.Text("error") != "temporarily_unavailable") {
				t.Errorf("%s, call %d: %v", name, n, got)
			}
			cold.DB.Reset()
			if got := ask(); got.Status != http.StatusOK {
				t.Errorf("%s afterwards: %v", name, got)
			}
		}
	}
}

// TestFirstKeyFaults: the first ID token needs a key that has to be made first. A
// database that fails then costs nobody the code.
func TestFirstKeyFaults(t *testing.T) {
	for n := 1; ; n++ {
		w := sim.New(t)
		app := w.NewApplication()
		app.Set(signedBy("ES256"))
		code := w.SignUp("Ada Lovelace").Code(app, sim.Standard, "scope", "openid")
		w.DB.Reset()
		w.DB.Fail(n, faultdb.Failed, faultdb.Exec, faultdb.Begin, faultdb.Commit)
		first := app.Redeem(sim.Standard, code)
		done := w.DB.Pending()
		w.DB.Reset()
		checkExchange(t, w, n, first)
		second := app.Redeem(sim.Standard, code)
		if first.Status != http.StatusOK && (second.Status != http.StatusOK || second.Text("id_token") == "") {
			t.Errorf("call %d: %v, and then %v", n, first, second)
		}
		if done {
			if n < 9 {
				t.Errorf("only %d calls were failed", n-1)
			}
			return
		}
	}
}

// TestOpenIDReadFaults fails the reads of the resources of OpenID Connect and of
// introspection on a cold server: never a claim that the token is bad.
func TestOpenIDReadFaults(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	keys := t.TempDir() + "/keys"
	w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid"))
	page := singlePage(w)
	_, rotating := family(t, page, user)
	for n := 1; n <= 5; n++ {
		for name, ask := range map[string]func(w *sim.World) sim.Answer{
			"userinfo": func(w *sim.World) sim.Answer {
				return w.Get("/oauth2/userinfo", "Authorization", "Bearer "+given.Text("access_token"))
			},
			"jwks":                func(w *sim.World) sim.Answer { return w.Get("/oauth2/jwks") },
			"access token":        func(w *sim.World) sim.Answer { return introspect(w, app, given.Text("access_token")) },
			"refresh token":       func(w *sim.World) sim.Answer { return introspect(w, app, given.Text("refresh_token")) },
			"rotating token":      func(w *sim.World) sim.Answer { return introspect(w, page, rotating) },
			"client credentials":  func(w *sim.World) sim.Answer { return w.Post("/oauth2/token", clientCredentials(app)) },
			"refresh of an ID":    func(w *sim.World) sim.Answer { return app.In(w).Refresh(sim.Standard, given.Text("refresh_token")) },
			"discovery":           func(w *sim.World) sim.Answer { return w.Get("/.well-known/openid-configuration") },
			"revocation, unknown": func(w *sim.World) sim.Answer { return revoke(w, app, "gl_rt_x") },
		} {
			cold := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			cold.DB.Fail(n, faultdb.Failed)
			got := ask(cold)
			failed := got.Status == http.StatusServiceUnavailable && got.Text("error") == "temporarily_unavailable" && got.Header.Get("Retry-After") != ""
			if got.Status != http.StatusOK && !failed || got.Body == `{"active":false}` {
				t.Errorf("%s, call %d: %v", name, n, got)
			}
			cold.DB.Reset()
			if got := ask(cold); got.Status != http.StatusOK {
				t.Errorf("%s afterwards: %v", name, got)
			}
		}
	}
}

// TestBroken: an error that trying again does not mend is 500. Only what is over soon
// is 503 with Retry-After.
func TestBroken(t *testing.T) {
	cfg := sqldbtest.Config(t, sqldb.SQLite)
	w := sim.NewWith(t, sim.Options{Database: cfg})
	app := w.NewApplication()
	code := w.SignUp("Ada Lovelace").Code(app, sim.Amazon)
	breakTable(t, cfg, "redemptions")
	got := app.Redeem(sim.Amazon, code)
	if got.Status != http.StatusInternalServerError || got.Text("error") != "server_error" || got.Text("request_id") == "" || got.Header.Get("Retry-After") != "" {
		t.Errorf("%v, Retry-After %q", got, got.Header.Get("Retry-After"))
	}
}

// breakTable makes every statement fail that needs a table.
func breakTable(t *testing.T, cfg sqldb.Config, table string) {
	t.Helper()
	err := sqldbtest.Open(t, cfg).Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, `ALTER TABLE `+table+` RENAME TO lost_`+table)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
