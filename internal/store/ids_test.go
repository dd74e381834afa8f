package store

import (
	"sync"
	"testing"
	"time"
)

func TestIDs(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	var source ids
	var last int64
	for range 1000 { // all in one millisecond: two of them would be equal now and then
		id := source.next(now)
		if id <= last || id < firstID(now) {
			t.Fatalf("%d follows %d", id, last)
		}
		last = id
	}
	var other ids
	if id := other.next(now.Add(-time.Hour)); id < firstID(now.Add(-time.Hour)) || id >= firstID(now.Add(-time.Hour+time.Millisecond)) {
		t.Errorf("%d is not of its millisecond", id)
	}
	if id := source.next(now.Add(-time.Hour)); id >= firstID(now.Add(-time.Hour+time.Millisecond)) {
		t.Errorf("a clock that was set back: %d", id)
	}
	if id := source.next(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)); id < 0 || id >= 1<<idRandomBits {
		t.Errorf("before the epoch: %d", id)
	}
}

// What a process makes after it has started anew is not what it made before: a
// restored database must not give an id again.
func TestIDsAreRandom(t *testing.T) {
	seen := map[int64]bool{}
	for range 8 {
		var source ids
		seen[source.next(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))] = true
	}
	if len(seen) < 7 {
		t.Errorf("%d different ids of 8 processes", len(seen))
	}
}

func TestIDsRace(t *testing.T) {
	var source ids
	var mu sync.Mutex
	seen := map[int64]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				id := source.next(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))
				mu.Lock()
				if seen[id] {
					t.Errorf("%d twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
