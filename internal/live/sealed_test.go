package live_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/seal"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store/storetest"
)

// A value that another process has sealed with a key of a moment ago opens here,
// before the feed has told of the key.
func TestOpenWithANewKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		v := newView(t, w)
		other := w.Again(t)
		past := time.Now().Add(-time.Minute)
		if _, err := other.Store.RotateSealingKey(t.Context(), past, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		keys := newView(t, other).Keys()
		text, err := keys.Seal(nil, seal.Access, time.Now(), []byte("token"))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := v.Open(t.Context(), seal.Access, string(text)); string(plain) != "token" || err != nil {
			t.Errorf("%q, %v", plain, err)
		}
		code, id, err := keys.SealCode(time.Now(), []byte("code"))
		if err != nil {
			t.Fatal(err)
		}
		if plain, got, err := newView(t, w).OpenCode(t.Context(), time.Now(), code); string(plain) != "code" || got != id || err != nil {
			t.Errorf("%q, %v", plain, err)
		}
	})
}

// Made-up key ids cost the database one read per poll interval at most.
func TestMadeUpKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, w, other *storetest.World) {
		v := newView(t, w)
		forged := forge(t)
		w.Faults.Reset()
		for range 100 {
			if _, err := v.Open(t.Context(), seal.Access, forged); !errors.Is(err, seal.ErrUnknownKey) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := w.Faults.Counts().Queries; n != 5 {
			t.Errorf("%d reads in a second, want 5", n)
		}
	})
}

// When the keys cannot be read, nobody is told that a good value is a bad one.
func TestOpenWithoutDatabase(t *testing.T) {
	inBubble(t, func(t *testing.T, w, other *storetest.World) {
		v := newView(t, w)
		forged := forge(t)
		for range 2 {
			w.Faults.Fail(1, faultdb.Failed, faultdb.Query)
			for range 3 {
				if _, err := v.Open(t.Context(), seal.Refresh, forged); !sqldb.IsUnavailable(err) {
					t.Errorf("open: %v", err)
				}
				if _, _, err := v.OpenCode(t.Context(), time.Now(), forged); !sqldb.IsUnavailable(err) {
					t.Errorf("open code: %v", err)
				}
			}
			time.Sleep(time.Second)
			if _, err := v.Open(t.Context(), seal.Refresh, forged); !errors.Is(err, seal.ErrUnknownKey) {
				t.Errorf("with the database back: %v", err)
			}
			time.Sleep(time.Second)
		}
	})
}

// Somebody who hangs up leaves nobody else without an answer.
func TestOpenByOneWhoHasGone(t *testing.T) {
	inBubble(t, func(t *testing.T, w, other *storetest.World) {
		v := newView(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, ctx := range []context.Context{ctx, t.Context()} {
			if _, err := v.Open(ctx, seal.Refresh, forge(t)); !errors.Is(err, seal.ErrUnknownKey) {
				t.Error(err)
			}
		}
	})
}

// forge makes a text that names key 9.
func forge(t *testing.T) string {
	t.Helper()
	keys, err := seal.NewKeys(issuer, []seal.Key{{ID: 9, Secret: [32]byte{9}}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := keys.Seal(nil, seal.Refresh, time.Now(), []byte("forged"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
