package store_test

import (
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/store/storetest"
)

// TestListen: whoever listens hears of a change that somebody else has committed.
func TestListen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		if w.DB.Dialect() == sqldb.SQLite {
			t.Skip("SQLite tells nobody: the feed is polled")
		}
		heard := make(chan struct{}, 10)
		ended := make(chan error, 1)
		go func() { ended <- w.Store.Listen(t.Context(), func() { heard <- struct{}{} }) }()
		for _, what := range []string{"that it listens", "a change"} {
			select {
			case <-heard:
			case err := <-ended:
				t.Fatal(err)
			case <-time.After(20 * time.Second):
				t.Fatalf("did not hear %s", what)
			}
			if what == "a change" {
				return
			}
			w.Developer(t, "ann@example.com")
			a, err := w.Store.AccountByEmail(t.Context(), "ann@example.com")
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Store.DisableAccount(t.Context(), a.ID, storetest.By(0)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
