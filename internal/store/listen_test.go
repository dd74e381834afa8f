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
			a, _ := w.Developer(t, "ann@example.com")
			if err := w.Store.SetAccountDisabled(t.Context(), a.ID, storetest.Now(), storetest.By(0)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
