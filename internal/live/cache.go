package live

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"gatelodge/internal/store"
)

const shards = 32

// cache is a bounded map that is safe for concurrent use. A full shard gives up an
// arbitrary entry: with uniform draws nothing better is known, and nothing cheaper.
type cache[K comparable, V any] struct {
	seed  maphash.Seed
	limit int         // of the weight of a shard
	weigh func(V) int // what an entry counts for, one when nil
	parts [shards]shard[K, V]
	// passed counts the reads that went by the cache because it could not be trusted.
	passed atomic.Uint64
}

type shard[K comparable, V any] struct {
	mu      sync.RWMutex
	entries map[K]V
	epoch   string
	// floor is the highest number of a change that touched this shard. A value
	// read before it may be older than that change.
	floor  int64
	weight int // of all entries
	// hits and misses lie beside the lock, whose cache line a reader writes anyway.
	hits, misses atomic.Uint64
	_            [16]byte // keep shards on cache lines of their own
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	c := &cache[K, V]{seed: maphash.MakeSeed(), limit: max(1, limit/shards)}
	for i := range c.parts {
		c.parts[i].entries = make(map[K]V)
	}
	return c
}

// newWeighed makes a cache whose limit is of the weight of its entries: of values that
// can be large, a number would bound nothing.
func newWeighed[K comparable, V any](limit int, weigh func(V) int) *cache[K, V] {
	c := newCache[K, V](limit)
	c.weigh = weigh
	return c
}

func (c *cache[K, V]) weightOf(v V) int {
	if c.weigh == nil {
		return 1
	}
	return c.weigh(v)
}

// drop takes an entry out of a shard that is locked.
func (c *cache[K, V]) drop(s *shard[K, V], k K) {
	if v, there := s.entries[k]; there {
		s.weight -= c.weightOf(v)
		delete(s.entries, k)
	}
}

func (c *cache[K, V]) shard(k K) *shard[K, V] {
	return &c.parts[maphash.Comparable(c.seed, k)%shards]
}

func (c *cache[K, V]) get(k K) (V, bool) {
	s := c.shard(k)
	s.mu.RLock()
	v, ok := s.entries[k]
	s.mu.RUnlock()
	if ok {
		s.hits.Add(1)
	} else {
		s.misses.Add(1)
	}
	return v, ok
}

// put keeps a value that was read at a place in the feed, unless a change since
// then may have made it old.
func (c *cache[K, V]) put(k K, v V, at store.Cursor) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Epoch != s.epoch || at.Number < s.floor {
		return
	}
	c.drop(s, k)
	weight := c.weightOf(v)
	for other := range s.entries {
		if s.weight+weight <= c.limit {
			break
		}
		c.drop(s, other)
	}
	s.entries[k] = v
	s.weight += weight
}

// forget drops the value that the numbered change has made old.
func (c *cache[K, V]) forget(k K, number int64) {
	s := c.shard(k)
	s.mu.Lock()
	c.drop(s, k)
	s.floor = max(s.floor, number)
	s.mu.Unlock()
}

// reset drops everything: only what is read at or after this place is kept again.
// Within one epoch the changes that were told already still count: this process may
// have made some since the place was read.
func (c *cache[K, V]) reset(at store.Cursor) {
	for i := range c.parts {
		s := &c.parts[i]
		s.mu.Lock()
		clear(s.entries)
		s.weight = 0
		if s.epoch == at.Epoch {
			s.floor = max(s.floor, at.Number)
		} else {
			s.epoch, s.floor = at.Epoch, at.Number
		}
		s.mu.Unlock()
	}
}

// counted is what a cache has done so far, and how many entries it has.
type counted struct{ hits, misses, passed, entries uint64 }

func (c *cache[K, V]) counted() counted {
	n := counted{passed: c.passed.Load()}
	for i := range c.parts {
		s := &c.parts[i]
		n.hits += s.hits.Load()
		n.misses += s.misses.Load()
		s.mu.RLock()
		n.entries += uint64(len(s.entries))
		s.mu.RUnlock()
	}
	return n
}
