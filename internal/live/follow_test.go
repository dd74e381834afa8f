package live_test

import (
	"errors"
	"testing"
	"time"

	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// TestFollow: who keeps a place of their own in the feed is woken, and then reads
// what the feed says, though the view itself has not polled since.
func TestFollow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		things := makeThings(t, w)
		v := newView(t, w) // nothing runs: only what is asked for is read
		ctx := t.Context()
		start, err := v.Follow(ctx, store.Cursor{})
		if err != nil || !start.Reload {
			t.Fatalf("from nowhere: %+v, %v", start, err)
		}
		if _, err := v.Grant(ctx, things.grant); err != nil {
			t.Fatal(err)
		}
		moved := v.Moved()
		select {
		case <-moved:
			t.Fatal("moved before anything was done")
		default:
		}
		// Another process.
		other := store.New(w.DB, w.Ring)
		if err := other.RemoveGrant(ctx, things.account, things.grant, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		feed, err := v.Follow(ctx, start.Next)
		if err != nil || len(feed.Changes) != 1 || feed.Changes[0].Kind != store.GrantChanged || feed.Changes[0].ID() != things.grant {
			t.Fatalf("%+v, %v", feed, err)
		}
		if scopes, known := feed.Changes[0].Scopes(); !known || !scopes.Has(0) {
			t.Errorf("scopes of the grant that ended: %v, %v", scopes, known)
		}
		if _, err := v.Grant(ctx, things.grant); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a grant that has ended: %v", err)
		}
		run(t, v)
		select {
		case <-moved:
		case <-time.After(10 * time.Second):
			t.Error("the poll woke nobody")
		}
	})
}
