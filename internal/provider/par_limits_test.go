package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
)

// TestPushedRequestsAreSealed: who reads the database or the log learns nothing of them.
func TestPushedRequestsAreSealed(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	address := push(t, w, app, "login_hint", "ada@example.org")
	if log := w.Log(); strings.Contains(log, "ada@example.org") || strings.Contains(log, address[len(address)-43:]) {
		t.Errorf("the log: %s", log)
	}
}

// TestPushesAreSlowed: anybody can say that they are a single page, and each request is
// a row.
func TestPushesAreSlowed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, page := w.NewApplication(), singlePage(w)
		form := pushForm(page, append(publicAsk, "client_secret", sim.Omit)...)
		if got := w.Post("/oauth2/par", form); got.Status != http.StatusCreated {
			t.Fatal(got)
		}
		last := sim.Answer{}
		for range 70 {
			last = w.Post("/oauth2/par", form)
		}
		if last.Status != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
			t.Errorf("the 71st: %v", last)
		}
		push(t, w, app) // who has proved who it is goes on
		time.Sleep(2 * time.Second)
		if got := w.Post("/oauth2/par", form); got.Status != http.StatusCreated {
			t.Errorf("two seconds later: %v", got)
		}
	})
}

// TestPushFaults fails every call: the application hears 503 and pushes again, the user
// sees a page and starts again; nothing is a 500 in JSON, nothing is taken twice.
func TestPushFaults(t *testing.T) {
	for name, outcome := range outcomes {
		t.Run(name, func(t *testing.T) {
			w := sim.New(t)
			app := w.NewApplication()
			user := w.SignUp("Ada Lovelace")
			user.Code(app, sim.Standard)
			for n := 1; ; n++ {
				w.DB.Reset()
				w.DB.Fail(n, outcome, faultdb.Exec, faultdb.Begin, faultdb.Commit)
				got := w.Post("/oauth2/par", pushForm(app))
				done := w.DB.Pending()
				w.DB.Reset()
				if got.Status != http.StatusCreated && (got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "") {
					t.Errorf("call %d: %v", n, got)
				}
				if done {
					break
				}
			}
			for n := 1; ; n++ {
				address := push(t, w, app)
				w.DB.Reset()
				w.DB.Fail(n, outcome)
				first := user.Open(address)
				done := w.DB.Pending()
				w.DB.Reset()
				_, one := app.Received(first)
				_, two := app.Received(user.Open(address))
				if one && two || outcome == faultdb.Failed && !one && !two {
					t.Errorf("call %d: first %v (%d), second %v", n, one, first.Status, two)
				}
				if done {
					if n < 3 {
						t.Errorf("only %d calls were failed", n-1)
					}
					return
				}
			}
		})
	}
}

// TestPushBudget: one insert and its clean-up to push, one delete to go on.
func TestPushBudget(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		user.Code(app, sim.Standard)
		user.Code(app, sim.Standard) // the view is warm
		w.DB.Reset()
		address := push(t, w, app)
		if got, want := w.DB.Counts(), (faultdb.Counts{Execs: 2, Begins: 1, Commits: 1}); got != want {
			t.Errorf("pushing costs %+v, budget %+v", got, want)
		}
		w.DB.Reset()
		user.Open(address)
		if got, want := w.DB.Counts(), (faultdb.Counts{Queries: 1, Begins: 1, Commits: 1}); got != want {
			t.Errorf("going on costs %+v, budget %+v", got, want)
		}
	})
}
