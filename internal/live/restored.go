package live

import (
	"context"
	"time"
)

// loadRestored comes with the keys: a database that was put back to an older state
// tells so by a new epoch of the feed, at which everything is read again.
func (v *View) loadRestored(ctx context.Context) error {
	at, err := v.store.RestoredAt(ctx)
	if err == nil && !at.IsZero() {
		v.restored.Store(at.Unix())
	}
	return err
}

// BeforeRestore reports whether something is from before the database was put back
// to an older state: what became of it since may have been forgotten. Times are
// compared by the second, as codes have them.
func (v *View) BeforeRestore(at time.Time) bool { return at.Unix() <= v.restored.Load() }
