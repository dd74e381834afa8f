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
	if !errors.Is(err, seal.ErrUnknownKey) {
		return plain, err
	}
	if err := v.readAgain(ctx, &v.sealingRead, v.loadSealing); err != nil {
		return nil, err
	}
	return v.Keys().Open(p, text)
}

// OpenCode opens an authorization code and gives its id.
func (v *View) OpenCode(ctx context.Context, now time.Time, code string) (plain []byte, id [12]byte, err error) {
	plain, id, err = v.Keys().OpenCode(now, code)
	if !errors.Is(err, seal.ErrUnknownKey) {
		return plain, id, err
	}
	if err := v.readAgain(ctx, &v.sealingRead, v.loadSealing); err != nil {
		return nil, id, err
	}
	return v.Keys().OpenCode(now, code)
}

// outcome is when keys were last read again, and how that went.
type outcome struct {
	at  time.Time
	err error
}

// readAgain is what strangers can cause with made-up key ids, so it reads at
// most once per poll interval. When it cannot, nobody knows whether the value is a
// good one: an application would throw its refresh token away if it were told that
// it is not.
func (v *View) readAgain(ctx context.Context, last *outcome, load func(context.Context) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now := time.Now(); now.Sub(last.at) >= pollEvery {
		// Others take this outcome too, so it is not the first one's to cancel.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Bound)
		defer cancel()
		*last = outcome{now, load(ctx)}
	}
	return last.err
}
