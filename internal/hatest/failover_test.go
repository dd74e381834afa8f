package hatest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// backWithin is the time within which every kind of request is answered again after
// the primary is gone: patroni has to notice, elect, promote and find a standby that
// commits can wait for.
const backWithin = leaseTime + 30*time.Second

// TestFailover takes the primary away under load, in several ways. What had been
// acknowledged is there afterwards, nothing that is good once is good twice, and until
// the new primary answers there is 503 with Retry-After and nothing else.
func TestFailover(t *testing.T) {
	c := newCluster(t)
	p := newPlace(t, c, 2)
	l := newLoad(t, p)
	var table strings.Builder
	for _, how := range []struct {
		name  string
		away  func(*node)
		after func(*node) // has it come back
	}{
		{"kill -9", c.kill, c.run},
		{"kill -9", c.kill, c.run},
		{"kill -9", c.kill, c.run},
		{"switchover", c.switchOver, func(*node) {}},
		{"SIGSTOP", c.freeze, c.thaw},
	} {
		fmt.Fprintf(&table, "\n%-10s %s", how.name, l.round(t, c, how.away, how.after))
		if t.Failed() {
			break
		}
	}
	t.Log(table.String())
}

// round takes the primary away once and tells how long what was away.
func (l *load) round(t *testing.T, c *cluster, away, after func(*node)) string {
	j := newJournal(t)
	working := l.run(j)
	defer working.Wait() // a failure leaves nobody behind who works
	defer j.end()
	c.awaitAll(j, time.Now(), 30*time.Second)
	time.Sleep(2 * time.Second)
	old := c.primary()
	began := time.Now()
	away(old)
	c.awaitPrimary(old)
	elected := time.Since(began)
	c.awaitAll(j, began.Add(elected), 2*time.Minute)
	back := time.Since(began)
	after(old)
	time.Sleep(2 * time.Second)
	j.end()
	working.Wait()
	c.awaitHealthy()
	l.check(t, j)
	t.Logf("new primary after %.1f s, everything works after %.1f s%s", elected.Seconds(), back.Seconds(), j.report())
	if back > backWithin {
		t.Errorf("back after %v, want %v at most", back, backWithin)
	}
	pauses := []string{}
	for _, kind := range kinds {
		pauses = append(pauses, fmt.Sprintf("%s %.1f", kind, j.pause(kind).Seconds()))
	}
	return fmt.Sprintf("new primary %.1f s, all back %.1f s; longest pause: %s", elected.Seconds(), back.Seconds(), strings.Join(pauses, ", "))
}

// awaitPrimary waits until another node is primary.
func (c *cluster) awaitPrimary(old *node) {
	c.t.Helper()
	c.await("another primary", 2*time.Minute, func() bool {
		n := c.primary()
		return n != nil && n != old
	})
}

// awaitAll waits until a request of each kind was answered after from.
func (c *cluster) awaitAll(j *journal, from time.Time, most time.Duration) {
	c.t.Helper()
	c.await("every kind of request to be answered again", most, func() bool { return len(j.since(from)) == len(kinds) })
}
