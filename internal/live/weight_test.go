package live

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/registry"
)

// What entries are said to weigh is what they take.
func TestWeights(t *testing.T) {
	now := time.Now().UTC()
	word := func(n int) string { return strings.Repeat("a", n) }
	profile := func(urls, length, keys int) func() (any, int) {
		return func() (any, int) {
			p := &registry.SecurityProfile{Name: word(20), Description: word(30), PrivacyURL: word(30), CreatedAt: now,
				Settings: registry.Settings{IDTokenAlg: word(5), JWKS: word(keys)}, Secrets: make([]registry.ClientSecret, 1)}
			for range urls {
				p.ReturnURLs = append(p.ReturnURLs, registry.ReturnURL{Value: word(length)})
			}
			return p, profileWeight(p)
		}
	}
	grant := func(ended int) func() (any, int) {
		return func() (any, int) {
			g := &authz.Grant{Ended: make([]authz.Family, ended)}
			return g, grantWeight(g)
		}
	}
	for name, make := range map[string]func() (any, int){
		"usual profile": profile(2, 30, 0), "fifty long addresses": profile(50, 2000, 0), "a set of keys": profile(1, 30, 20_000),
		"grant": grant(0), "a thousand revoked ones": grant(1000),
	} {
		const entries = 1000
		c := newCache[int64, any](entries * shards)
		c.reset(at(10))
		before := heap()
		said := 0
		for k := range int64(entries) {
			v, weight := make()
			c.put(k, v, at(10))
			said += weight
		}
		takes := (heap() - before) / entries
		runtime.KeepAlive(c)
		if said /= entries; said < takes*4/5 || said > takes*5/4 {
			t.Errorf("%s weighs %d, and takes %d bytes", name, said, takes)
		}
	}
}

// heap is what lives, in bytes, once nothing of the tests before is left to be collected:
// what was pooled or has a finalizer goes with a later collection.
func heap() int {
	for last := uint64(0); ; {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapAlloc+1000 > last && last != 0 {
			return int(m.HeapAlloc)
		}
		last = m.HeapAlloc
	}
}

// Large values make room for themselves, and what they took comes back.
func TestCacheIsBoundedByWeight(t *testing.T) {
	c := newWeighed[int](shards*100, func(v int) int { return v })
	c.reset(at(10))
	weight := func() (sum, most int) {
		for i := range c.parts {
			held := 0
			for _, v := range c.parts[i].entries {
				held += v
			}
			if held != c.parts[i].weight {
				t.Fatalf("a shard of weight %d believes that it has %d", held, c.parts[i].weight)
			}
			sum, most = sum+held, max(most, held)
		}
		return sum, most
	}
	for k := range 20_000 {
		c.put(k%5000, 1+k%40, at(10))
		if k%7 == 0 {
			c.forget(k%5000, 10)
		}
	}
	if sum, most := weight(); most > 100 || sum < shards*50 {
		t.Errorf("weight %d in all and %d in one shard, want 100 there at most", sum, most)
	}
	c.put(1, 1000, at(10)) // alone in its shard, and the next one takes its place
	if _, there := c.get(1); !there {
		t.Error("a value that is larger than all others is not kept")
	}
	c.reset(at(11))
	if sum, _ := weight(); sum != 0 {
		t.Errorf("weight %d after everything was forgotten", sum)
	}
}
