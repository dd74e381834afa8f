package provider_test

import (
	"net/http"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
)

// TestStatementBudget: what a request may cost in calls to the database once the
// live view is warm. Time stands still, so no poll of the feed is counted.
func TestStatementBudget(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		for name, d := range dialects {
			user.Code(app, d) // has consented before
			given := app.Redeem(d, user.Code(app, d))
			access, refresh := given.Text("access_token"), given.Text("refresh_token")
			for _, tt := range []struct {
				name   string
				do     func() sim.Answer
				budget faultdb.Counts
			}{
				{"tokeninfo", func() sim.Answer { return w.TokenInfo(access) }, faultdb.Counts{}},
				{"profile", func() sim.Answer { return w.UserProfile(access) }, faultdb.Counts{}},
				{"confidential refresh", func() sim.Answer { return app.Refresh(d, refresh) }, faultdb.Counts{}},
				{"refused refresh", func() sim.Answer { return app.Refresh(d, "Atzr|x") }, faultdb.Counts{}},
				{"code flow", func() sim.Answer { return app.Redeem(d, user.Code(app, d)) }, faultdb.Counts{Execs: 1, Begins: 1, Commits: 1}},
			} {
				w.DB.Reset()
				got := tt.do()
				if got.Status != http.StatusOK && tt.name != "refused refresh" {
					t.Fatal(got)
				}
				if counts := w.DB.Counts(); counts != tt.budget {
					t.Errorf("%s %s costs %+v, budget %+v", name, tt.name, counts, tt.budget)
				}
			}
		}
		page := singlePage(w)
		_, rotating := family(t, page, user)
		openID := app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid"))
		for name, tt := range map[string]struct {
			do     func() sim.Answer
			budget faultdb.Counts
		}{
			"rotating refresh":      {func() sim.Answer { return rotate(page, rotating) }, faultdb.Counts{Execs: 1, Begins: 1, Commits: 1}},
			"refresh with ID token": {func() sim.Answer { return app.Refresh(sim.Standard, openID.Text("refresh_token")) }, faultdb.Counts{}},
			"client credentials":    {func() sim.Answer { return w.Post("/oauth2/token", clientCredentials(app)) }, faultdb.Counts{}},
			"introspection":         {func() sim.Answer { return introspect(w, app, openID.Text("access_token")) }, faultdb.Counts{}},
			"userinfo": {func() sim.Answer {
				return w.Get("/oauth2/userinfo", "Authorization", "Bearer "+openID.Text("access_token"))
			}, faultdb.Counts{}},
		} {
			w.DB.Reset()
			if got := tt.do(); got.Status != http.StatusOK {
				t.Fatalf("%s: %v", name, got)
			}
			if counts := w.DB.Counts(); counts != tt.budget {
				t.Errorf("%s costs %+v, budget %+v", name, counts, tt.budget)
			}
		}
	})
}

// TestCleanUpBudget: what has expired is looked for once a second, and not by each that
// adds a row.
func TestCleanUpBudget(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
		user.Code(app, sim.Standard) // has consented before
		for i, execs := range []int{2, 1, 1, 2, 1} {
			if i == 3 {
				time.Sleep(time.Second)
			}
			code := user.Code(app, sim.Standard)
			w.DB.Reset()
			app.Redeem(sim.Standard, code)
			if got := w.DB.Counts().Execs; got != execs {
				t.Errorf("redemption %d: %d statements, want %d", i, got, execs)
			}
		}
	})
}
