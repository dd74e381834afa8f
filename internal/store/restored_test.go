package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// TestRestored: what could be used twice has ended, what lasts has not, and whoever
// follows the feed forgets everything.
func TestRestored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		ann := w.Account(t, "ann@example.com")
		_, session := account.NewSession(ann.ID, "", "", storetest.Now())
		if err := w.Store.CreateSession(ctx, session); err != nil {
			t.Fatal(err)
		}
		before, err := w.Store.Changes(ctx, store.Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		if at, err := w.Store.RestoredAt(ctx); !at.IsZero() || err != nil {
			t.Errorf("never restored, and yet at %v, %v", at, err)
		}
		for _, after := range []time.Duration{time.Hour, 2 * time.Hour} {
			if err := w.Store.Restored(ctx, storetest.By(after)); err != nil {
				t.Fatal(err)
			}
			if at, err := w.Store.RestoredAt(ctx); !at.Equal(storetest.Now().Add(after)) || err != nil {
				t.Errorf("restored at %v, %v", at, err)
			}
		}
		feed, err := w.Store.Changes(ctx, before.Next)
		if !feed.Reload || feed.Next.Epoch == before.Next.Epoch || err != nil {
			t.Errorf("the feed goes on: %+v after %+v, %v", feed, before.Next, err)
		}
		if n := w.Count(t, "sessions"); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		sum, err := w.Store.Inspect(ctx)
		if sum.Accounts != 1 || !sum.LastEvent.Equal(storetest.Now().Add(2*time.Hour)) || err != nil {
			t.Errorf("%+v, %v", sum, err)
		}
	})
}

func TestEndedSince(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ann := w.Account(t, "ann@example.com")
		for after := range 3 {
			by := storetest.By(time.Duration(after) * time.Hour)
			for _, disabled := range []time.Time{by.At, {}} {
				if err := w.Store.SetAccountDisabled(t.Context(), ann.ID, disabled, by); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := w.Store.EndedSince(t.Context(), storetest.Now())
		want := []store.Ending{{Kind: audit.AccountDisabled, Count: 2, Last: storetest.Now().Add(2 * time.Hour)}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
	})
}
