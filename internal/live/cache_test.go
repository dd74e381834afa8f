package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/store"
)

func at(number int64) store.Cursor { return store.Cursor{Epoch: "epoch", Number: number} }

func newTestCache(limit int) *cache[string, int] {
	c := newCache[string, int](limit)
	c.reset(at(10))
	return c
}

func wantCached(t *testing.T, c *cache[string, int], k string, want int, there bool) {
	t.Helper()
	if got, ok := c.get(k); ok != there || got != want {
		t.Errorf("%q: %d, %v; want %d, %v", k, got, ok, want, there)
	}
}

func TestCacheForgetsAndDoesNotTakeBack(t *testing.T) {
	c := newTestCache(shards * 10)
	c.put("a", 1, at(10))
	wantCached(t, c, "a", 1, true)
	c.forget("a", 11)
	wantCached(t, c, "a", 0, false)
	c.put("a", 1, at(10)) // read before the change
	wantCached(t, c, "a", 0, false)
	c.put("a", 2, at(11))
	wantCached(t, c, "a", 2, true)
	c.forget("a", 11) // the feed tells of it once more
	c.put("a", 2, at(12))
	c.forget("a", 9) // and an older one comes late
	c.put("a", 3, at(10))
	wantCached(t, c, "a", 0, false)
}

func TestCacheOfAnotherEpoch(t *testing.T) {
	c := newTestCache(shards * 10)
	c.put("a", 1, store.Cursor{Epoch: "other", Number: 99})
	wantCached(t, c, "a", 0, false)
	c.put("a", 1, at(10))
	c.reset(store.Cursor{Epoch: "other", Number: 3})
	wantCached(t, c, "a", 0, false)
	c.put("a", 1, at(99))
	wantCached(t, c, "a", 0, false)
	c.put("a", 2, store.Cursor{Epoch: "other", Number: 3})
	wantCached(t, c, "a", 2, true)
}

// Whoever resets has read the feed a moment ago. What this process has changed
// since is not forgotten with the rest.
func TestCacheResetKeepsNewerChanges(t *testing.T) {
	c := newTestCache(shards * 10)
	c.forget("a", 12)
	c.reset(at(11))
	c.put("a", 1, at(11))
	wantCached(t, c, "a", 0, false)
	c.put("a", 2, at(12))
	wantCached(t, c, "a", 2, true)
}

// A database that was put back to an older state has lower numbers in it, and is
// cached again all the same.
func TestCacheResetToOlderNumbers(t *testing.T) {
	c := newTestCache(shards * 10)
	c.forget("a", 500)
	c.reset(store.Cursor{})
	c.put("a", 1, at(20))
	wantCached(t, c, "a", 0, false)
	c.reset(at(20))
	c.put("a", 1, at(20))
	wantCached(t, c, "a", 1, true)
}

func TestCacheIsBounded(t *testing.T) {
	c := newTestCache(shards * 4)
	for i := range 10_000 {
		c.put(fmt.Sprint(i), i, at(10))
		wantCached(t, c, fmt.Sprint(i), i, true)
	}
	total := 0
	for i := range c.parts {
		total += len(c.parts[i].entries)
	}
	if total != shards*4 {
		t.Errorf("%d entries, want %d", total, shards*4)
	}
	c.put("9999", 1, at(10))
	wantCached(t, c, "9999", 1, true)
}

// trusting gives a view whose feed was read a moment ago.
func trusting() *View {
	v := &View{origin: time.Now()}
	v.trustedSince.Store(0)
	return v
}

// A load that began before a change and ends after it answers its own caller, who
// asked before the change, and nobody else.
func TestLoadRacingAChange(t *testing.T) {
	v, c := trusting(), newCache[string, *string](shards*10)
	c.reset(at(10))
	stored, number, loads := "old", int64(10), 0
	during := func() {
		stored, number = "new", 11
		c.forget("a", 11)
	}
	read := func() string {
		got, err := lookup(t.Context(), v, c, "a", func(*store.Store, context.Context, string) (string, store.Cursor, error) {
			loads++
			value, cursor := stored, at(number)
			during()
			return value, cursor, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return *got
	}
	if got := read(); got != "old" || loads != 1 {
		t.Errorf("who asked before the change reads %q", got)
	}
	during = func() {}
	for range 2 {
		if got := read(); got != "new" || loads != 2 {
			t.Errorf("after the change: %q with %d loads, want one more and then none", got, loads)
		}
	}
}

func TestLookupPassesErrorsOn(t *testing.T) {
	v, c := trusting(), newCache[string, *string](shards)
	c.reset(at(10))
	gone := errors.New("gone")
	for range 2 { // an error is not remembered, and nothing is
		if got, err := lookup(t.Context(), v, c, "a", func(*store.Store, context.Context, string) (string, store.Cursor, error) { return "", at(10), gone }); got != nil || !errors.Is(err, gone) {
			t.Errorf("%v, %v", got, err)
		}
	}
	if got, err := lookup(t.Context(), v, c, "a", func(*store.Store, context.Context, string) (string, store.Cursor, error) { return "there", at(10), nil }); err != nil || *got != "there" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCacheConcurrently(t *testing.T) {
	c := newTestCache(shards * 2)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range int64(500) {
				k := fmt.Sprint(n % 70)
				switch (int(n) + i) % 4 {
				case 0:
					c.forget(k, 10+n)
				case 1:
					c.put(k, int(n), at(10+n))
				case 2:
					c.get(k)
				default:
					if n%100 == 3 {
						c.reset(at(10 + n))
					}
				}
			}
		})
	}
	wg.Wait()
}
