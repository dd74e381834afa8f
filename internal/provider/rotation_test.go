package provider_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// singlePage registers an application that has no secret.
func singlePage(w *sim.World) *sim.Application {
	app := w.NewApplication()
	app.Become(registry.SinglePage)
	return app
}

// family is the tokens of one code of an application without a secret.
func family(t testing.TB, app *sim.Application, user *sim.Person) (access, refresh string) {
	t.Helper()
	got := app.Redeem(sim.Standard, user.Code(app, sim.Standard, publicAsk...), publicRedeem...)
	if got.Status != http.StatusOK || got.Text("refresh_token") == "" {
		t.Fatalf("the exchange: %v", got)
	}
	return got.Text("access_token"), got.Text("refresh_token")
}

// rotate refreshes without a secret.
func rotate(app *sim.Application, refresh string, pairs ...string) sim.Answer {
	return app.Refresh(sim.Standard, refresh, append([]string{"client_secret", sim.Omit}, pairs...)...)
}

// rotated is rotate's success: the access token and the successor.
func rotated(t *testing.T, app *sim.Application, refresh string, pairs ...string) (access, successor string) {
	t.Helper()
	got := rotate(app, refresh, pairs...)
	if got.Status != http.StatusOK || got.Text("refresh_token") == "" || got.Text("refresh_token") == refresh {
		t.Fatalf("the refresh: %v", got)
	}
	return got.Text("access_token"), got.Text("refresh_token")
}

// TestRotation: a refresh token of an application without a secret is good once,
// and what it gave ends when it comes back (RFC 9700 section 4.14.2).
func TestRotation(t *testing.T) {
	run := func(name string, test func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person)) {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, w *sim.World) { test(t, w, singlePage(w), w.SignUp("Ada Lovelace")) })
		})
	}
	run("reuse", func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person) {
		firstAccess, first := family(t, app, user)
		otherAccess, other := family(t, app, user)
		secondAccess, second := rotated(t, app, first)
		thirdAccess, third := rotated(t, app, second)
		time.Sleep(authz.RotationGrace + time.Second)
		refused(t, "reuse", rotate(app, second), "invalid_grant")
		for name, token := range map[string]string{"first": first, "second": second, "third": third} {
			refused(t, name+" refresh token", rotate(app, token), "invalid_grant")
		}
		for name, token := range map[string]string{"first": firstAccess, "second": secondAccess, "third": thirdAccess} {
			refused(t, name+" access token", w.TokenInfo(token), "invalid_token")
		}
		// What another code gave lives on.
		if got := w.TokenInfo(otherAccess); got.Status != http.StatusOK {
			t.Errorf("another family's access token: %v", got)
		}
		rotated(t, app, other)
	})
	run("an old one within the grace", func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person) {
		_, first := family(t, app, user)
		_, second := rotated(t, app, first)
		_, third := rotated(t, app, second)
		refused(t, "two steps back", rotate(app, first), "invalid_grant")
		refused(t, "the family", rotate(app, third), "invalid_grant")
	})
	run("retry", func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person) { // by a client that did not get the answer
		_, first := family(t, app, user)
		time.Sleep(time.Hour)
		_, second := rotated(t, app, first)
		for range 3 {
			time.Sleep(authz.RotationGrace / 4)
			access, again := rotated(t, app, first)
			if again != second {
				t.Errorf("the retry gives another successor")
			}
			if got := w.TokenInfo(access); got.Status != http.StatusOK {
				t.Errorf("the retry's access token: %v", got)
			}
		}
		rotated(t, app, second)
	})
	run("scope", func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person) { // of the access token alone
		got := app.Redeem(sim.Standard, user.Code(app, sim.Standard, append(publicAsk, "scope", "profile postal_code")...), publicRedeem...)
		_, second := rotated(t, app, got.Text("refresh_token"), "scope", "profile")
		if got := rotate(app, second); got.Text("scope") != "profile postal_code" {
			t.Errorf("%v", got)
		}
	})
	run("a refused request does not use it up", func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person) {
		_, first := family(t, app, user)
		refused(t, "scope", rotate(app, first, "scope", "postal_code"), "invalid_scope")
		other := singlePage(w)
		refused(t, "another application", rotate(other, first), "invalid_grant")
		refused(t, "wrong secret", app.Refresh(sim.Standard, first, "client_secret", other.Secret), "invalid_client")
		time.Sleep(authz.RotationGrace + time.Second)
		rotated(t, app, first)
	})
	run("removal", func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person) {
		access, first := family(t, app, user)
		g, _, err := w.Store.GrantFor(t.Context(), user.ID, app.Profile.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, second := rotated(t, app, first)
		user.Open("/account/applications")
		if err := w.Store.RemoveGrant(t.Context(), user.ID, g.ID, by()); err != nil {
			t.Fatal(err)
		}
		refused(t, "successor", rotate(app, second), "invalid_grant")
		refused(t, "retry", rotate(app, first), "invalid_grant")
		refused(t, "access token", w.TokenInfo(access), "invalid_token")
	})
	run("code used twice", func(t *testing.T, w *sim.World, app *sim.Application, user *sim.Person) {
		code := user.Code(app, sim.Standard, publicAsk...)
		first := app.Redeem(sim.Standard, code, publicRedeem...).Text("refresh_token")
		_, second := rotated(t, app, first)
		refused(t, "code", app.Redeem(sim.Standard, code, publicRedeem...), "invalid_grant")
		refused(t, "successor", rotate(app, second), "invalid_grant")
	})
}

// TestWhoRotates: refresh tokens without a secret are for applications that have
// said that they keep none, on the standard path.
func TestWhoRotates(t *testing.T) {
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	app := singlePage(w)
	if got := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon, publicAsk...), publicRedeem...); got.Status != http.StatusOK || got.Text("refresh_token") != "" {
		t.Errorf("on the path of Login with Amazon: %v", got)
	}
	web := w.NewApplication()
	if got := web.Redeem(sim.Standard, user.Code(web, sim.Standard, publicAsk...), publicRedeem...); got.Status != http.StatusOK || got.Text("refresh_token") != "" {
		t.Errorf("a web application without its secret: %v", got)
	}
	// With the secret it stays the same one, for any kind.
	for _, a := range []*sim.Application{web, app} {
		token := a.Redeem(sim.Standard, user.Code(a, sim.Standard, publicAsk...), "code_verifier", sim.Verifier).Text("refresh_token")
		for range 2 {
			if got := a.Refresh(sim.Standard, token); got.Status != http.StatusOK || got.Text("refresh_token") != token {
				t.Errorf("with the secret: %v", got)
			}
		}
		if got := rotate(a, token); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_client" {
			t.Errorf("and then without: %v", got)
		}
	}
	// Who becomes an application with a secret has to use it from then on (RFC 6749
	// section 6).
	_, token := family(t, app, user)
	app.Become(registry.Web)
	if got := rotate(app, token); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_client" {
		t.Errorf("after it has become a web application: %v", got)
	}
	if got := app.Refresh(sim.Standard, token); got.Status != http.StatusOK {
		t.Errorf("with the secret: %v", got)
	}
}

// TestRotationRace: whoever comes with the same token at the same moment gets the
// same successor, from either of two replicas.
func TestRotationRace(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			cfg, keys := sqldbtest.Config(t, dialect), t.TempDir()+"/keys"
			w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			replica := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			app := singlePage(w)
			time.Sleep(time.Second) // until the replica knows its kind
			_, token := family(t, app, w.SignUp("Ada Lovelace"))
			for range 5 {
				answers := make([]sim.Answer, 16)
				var all sync.WaitGroup
				for i := range answers {
					at := app
					if i%2 == 1 {
						at = app.In(replica)
					}
					all.Go(func() { answers[i] = rotate(at, token) })
				}
				all.Wait()
				successors := map[string]int{}
				for _, got := range answers {
					if got.Status == http.StatusOK {
						successors[got.Text("refresh_token")]++
					} else {
						refused(t, "a loser", got, "invalid_grant")
					}
				}
				if len(successors) != 1 {
					t.Fatalf("%d successors: %v", len(successors), answers)
				}
				for next := range successors {
					token = next
				}
			}
			if got := rotate(app, token); got.Status != http.StatusOK {
				t.Errorf("the last one: %v", got)
			}
		})
	}
}

// TestRotationFaults fails every call of a refresh: the client, which tries again
// with the token that it has, is never locked out and never has two families.
func TestRotationFaults(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		for name, outcome := range outcomes {
			t.Run(dialect.String()+" "+name, func(t *testing.T) {
				w := sim.NewWith(t, sim.Options{Database: sqldbtest.Config(t, dialect)})
				app := singlePage(w)
				_, token := family(t, app, w.SignUp("Ada Lovelace"))
				for n := 1; ; n++ {
					w.DB.Reset()
					w.DB.Fail(n, outcome, faultdb.Exec, faultdb.Begin, faultdb.Commit)
					first := rotate(app, token)
					done := w.DB.Pending()
					w.DB.Reset()
					checkExchange(t, w, n, first)
					access, successor := rotated(t, app, token)
					if got := w.TokenInfo(access); got.Status != http.StatusOK {
						t.Errorf("call %d, access token of the second try: %v", n, got)
					}
					if first.Status == http.StatusOK && first.Text("refresh_token") != successor {
						t.Errorf("call %d: two successors", n)
					}
					token = successor
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
