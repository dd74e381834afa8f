package live

import (
	"context"

	"gatelodge/internal/store"
)

// Moved gives a channel that is closed when the feed has moved on from now.
func (v *View) Moved() <-chan struct{} { return *v.moved.Load() }

func (v *View) wake() {
	next := make(chan struct{})
	close(*v.moved.Swap(&next))
}

// Follow reads what has come behind after, for somebody who keeps a place of their
// own. What it touches is forgotten here first, so that whoever reads it next sees
// the change.
func (v *View) Follow(ctx context.Context, after store.Cursor) (store.Feed, error) {
	feed, err := v.store.Changes(ctx, after)
	if err == nil {
		v.forget(feed.Changes)
	}
	return feed, err
}
