package live_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/store/storetest"
)

// However often things are used and refused: one write a minute for the uses, one a
// second for the refusals, and at the end everything is there.
func TestGatheredWritesAreFew(t *testing.T) {
	inBubble(t, func(t *testing.T, w, _ *storetest.World) {
		x, v := makeThings(t, w), newView(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { v.Run(ctx) })
		secret := x.profile.Secrets[0].ID
		w.Faults.Reset()
		start := storetest.Now()
		now := start
		const uses = 1250 // of 100 ms: two minutes and five seconds
		for i := range uses {
			now = start.Add(time.Duration(i) * 100 * time.Millisecond)
			v.Used(x.profile.ID, secret, x.grant, now)
			if i < 100 {
				v.Refused(audit.Refusal{ProfileID: x.profile.ID, Code: fmt.Sprint("cause ", i%2), LastAt: now})
			}
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := w.Faults.Counts().Commits; n < 12 || n > 10+1+2 {
			t.Errorf("%d writes, want 10 or 11 of refusals and 2 of uses", n)
		}
		cancel()
		wg.Wait()
		p, _, err := w.Store.ProfileByID(t.Context(), x.profile.ID)
		if err != nil || !p.LastUsedAt.Equal(now) || !p.Secrets[0].LastUsedAt.Equal(now) {
			t.Errorf("last used at %v and %v, want %v (%v)", p.LastUsedAt, p.Secrets[0].LastUsedAt, now, err)
		}
		if g, _, err := w.Store.GrantSnapshot(t.Context(), x.grant); err != nil || !g.LastUsedAt.Equal(now) {
			t.Errorf("grant last used at %v, want %v (%v)", g.LastUsedAt, now, err)
		}
		refusals, err := w.Store.Refusals(t.Context(), x.profile.ID)
		if err != nil || len(refusals) != 2 {
			t.Fatalf("%d refusals, want one per cause (%v)", len(refusals), err)
		}
		for i, r := range refusals { // the newest first: cause 1, then cause 0
			first, last := time.Duration(1-i)*100*time.Millisecond, time.Duration(99-i)*100*time.Millisecond
			if r.Code != fmt.Sprint("cause ", 1-i) || r.Count != 50 || !r.FirstAt.Equal(start.Add(first)) || !r.LastAt.Equal(start.Add(last)) {
				t.Errorf("%+v", r)
			}
		}
	})
}

// Nothing used, nothing written; and what is not there is not counted.
func TestNothingGathered(t *testing.T) {
	inBubble(t, func(t *testing.T, w, _ *storetest.World) {
		v := newView(t, w)
		run(t, v)
		w.Faults.Reset()
		v.Used(0, 0, 0, storetest.Now())
		time.Sleep(5 * time.Minute)
		if n := w.Faults.Counts().Commits; n != 0 {
			t.Errorf("%d writes", n)
		}
	})
}

// A flood of causes is bounded in memory, and one that cannot be written is let go.
func TestGatheredIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, w, _ *storetest.World) {
		x, v := makeThings(t, w), newView(t, w)
		for i := range 10_000 {
			v.Refused(audit.Refusal{ProfileID: x.profile.ID, Sent: fmt.Sprint(i), LastAt: storetest.Now()})
		}
		w.Faults.Reset()
		v.Flush(t.Context())
		if got := w.Faults.Counts(); got.Execs > 210 || got.Commits != 1 {
			t.Errorf("%+v for a flood", got)
		}
		v.Used(x.profile.ID, 0, 0, storetest.Now())
		w.Faults.Fail(1, faultdb.Failed, faultdb.Begin)
		v.Flush(t.Context())
		w.Faults.Reset()
		v.Flush(t.Context())
		if n := w.Faults.Counts().Begins; n != 0 {
			t.Errorf("%d more attempts for what was lost", n)
		}
	})
}
