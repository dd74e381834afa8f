package provider_test

import (
	"net/http"
	"testing"
	"time"

	"gatelodge/internal/sim"
)

// TestRestoredDatabase: a code from before the database was put back is refused, as
// it may have been redeemed; what lasts goes on, and so do codes from afterwards.
func TestRestoredDatabase(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, user := w.NewApplication(), w.SignUp("Ada Lovelace")
		tokens := app.Redeem(sim.Standard, user.Code(app, sim.Standard))
		code := user.Code(app, sim.Standard)
		if err := w.Store.Restored(t.Context(), by()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // the feed is followed, and a second is the grain of codes
		refused(t, "a code from before", app.Redeem(sim.Standard, code), "invalid_grant")
		if got := app.Refresh(sim.Standard, tokens.Text("refresh_token")); got.Status != http.StatusOK {
			t.Errorf("a refresh token from before: %v", got)
		}
		user.SignIn(user.Browser)
		if got := app.Redeem(sim.Standard, user.Code(app, sim.Standard)); got.Status != http.StatusOK {
			t.Errorf("a code from afterwards: %v", got)
		}
	})
}

// TestRestoredAssertions: so is an assertion that a client was authenticated by before,
// also one that does not say when it was made.
func TestRestoredAssertions(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app, key := keyed(w)
		before := byKey(app, key)
		undated := byKey(app, key, sim.Claims{"iat": nil})
		if err := w.Store.Restored(t.Context(), by()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		refused(t, "from before", w.Post("/oauth2/token", before), "invalid_client")
		refused(t, "of nobody knows when", w.Post("/oauth2/token", undated), "invalid_client")
		if got := w.Post("/oauth2/token", byKey(app, key)); got.Status != http.StatusOK {
			t.Errorf("from afterwards: %v", got)
		}
		time.Sleep(2 * time.Hour)
		if got := w.Post("/oauth2/token", byKey(app, key, sim.Claims{"iat": nil})); got.Status != http.StatusOK {
			t.Errorf("without iat, much later: %v", got)
		}
	})
}
