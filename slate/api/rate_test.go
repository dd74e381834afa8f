package api

import (
	"strconv"
	"testing"
	"time"
)

// TestRatesAreBounded: callers that are remembered are so many and no more, and one
// that calls is not forgotten for those that have been.
func TestRatesAreBounded(t *testing.T) {
	l := newRates(Rate{PerSecond: 1, Burst: 2})
	l.most = 3
	now := time.Date(2030, time.January, 7, 0, 0, 0, 0, time.UTC)
	busy := caller{"client", "busy"}
	for i := range 10 {
		if q := l.take(busy, now); (q.wait > 0) != (i >= 2) {
			t.Errorf("call %d: %+v", i, q)
		}
		l.take(caller{"client", strconv.Itoa(i)}, now)
		if len(l.callers) > 3 || l.recent.Len() != len(l.callers) {
			t.Fatalf("%d and %d are remembered", len(l.callers), l.recent.Len())
		}
	}
	if q := l.take(busy, now.Add(2*time.Second)); q.wait > 0 || q.left != 1 {
		t.Errorf("later: %+v", q)
	}
}
