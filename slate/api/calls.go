package api

import (
	"maps"
	"sync"
	"time"
)

// calls gathers when applications called last: a write for each call would cost more
// than the call. It is as small as the number of applications that are let in.
type calls struct {
	mu   sync.Mutex
	last map[int64]time.Time // by the application's id
}

func (c *calls) note(id int64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[int64]time.Time{}
	}
	if at.After(c.last[id]) {
		c.last[id] = at
	}
}

// called notes a call of an application that is let in.
func (a *API) called(c *call, application int64) { a.calls.note(application, c.now) }

// take gives what was gathered since it was last called.
func (c *calls) take() map[int64]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	gathered := maps.Clone(c.last)
	clear(c.last)
	return gathered
}
