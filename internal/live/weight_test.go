package live

import (
	"slices"
	"strings"
	"testing"

	"gatelodge/internal/authz"
	"gatelodge/internal/registry"
)

func TestWeights(t *testing.T) {
	long := registry.ReturnURL{Value: strings.Repeat("a", 2000)}
	for name, tt := range map[string]struct{ got, want int }{
		"a usual profile":         {profileWeight(&registry.SecurityProfile{Name: "Reports", ReturnURLs: []registry.ReturnURL{{Value: "https://example.com/cb"}}}), 1},
		"fifty long addresses":    {profileWeight(&registry.SecurityProfile{ReturnURLs: slices.Repeat([]registry.ReturnURL{long}, 50)}), 51},
		"a set of keys":           {profileWeight(&registry.SecurityProfile{Settings: registry.Settings{JWKS: strings.Repeat("k", 20_000)}}), 11},
		"a grant":                 {grantWeight(&authz.Grant{}), 1},
		"a thousand revoked ones": {grantWeight(&authz.Grant{Ended: make([]authz.Family, 1000)}), 38},
	} {
		if tt.got != tt.want {
			t.Errorf("%s counts for %d, want %d", name, tt.got, tt.want)
		}
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
