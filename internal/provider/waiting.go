package provider

import "sync"

// waiting counts the requests of each API that wait for changes.
type waiting struct {
	mu     sync.Mutex
	counts map[int64]int
}

// enter reports whether one more may wait.
func (c *waiting) enter(api int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = make(map[int64]int)
	}
	if c.counts[api] >= maxWaiting {
		return false
	}
	c.counts[api]++
	return true
}

func (c *waiting) leave(api int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[api]--; c.counts[api] == 0 {
		delete(c.counts, api)
	}
}
