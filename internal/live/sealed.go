package live

import (
	"context"
	"errors"
	"time"

	"gatelodge/internal/seal"
)

// Keys is the set that seals and opens now.
func (v *View) Keys() *seal.Keys { return v.keys.Load() }

// Open opens a sealed value. A key id that is not known reads the keys once more:
// another process may have made it a moment ago.
func (v *View) Open(ctx context.Context, p seal.Purpose, text string) ([]byte, error) {
	plain, err := v.Keys().Open(p, text)
	if errors.Is(err, seal.ErrUnknownKey) && v.readKeysAgain(ctx) {
		return v.Keys().Open(p, text)
	}
	return plain, err
}

// OpenCode opens an authorization code and gives its id.
func (v *View) OpenCode(ctx context.Context, now time.Time, code string) (plain []byte, id [12]byte, err error) {
	plain, id, err = v.Keys().OpenCode(now, code)
	if errors.Is(err, seal.ErrUnknownKey) && v.readKeysAgain(ctx) {
		return v.Keys().OpenCode(now, code)
	}
	return plain, id, err
}

// readKeysAgain is what strangers can cause with made-up key ids, so it reads at
// most once per poll interval.
func (v *View) readKeysAgain(ctx context.Context) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if now.Sub(v.keysRead) < pollEvery {
		return true // somebody just has
	}
	v.keysRead = now
	return v.loadKeys(ctx) == nil
}
