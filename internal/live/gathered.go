package live

import (
	"context"
	"sync"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/store"
)

const (
	flushUsageEvery    = time.Minute
	flushRefusalsEvery = time.Second
	// maxGathered bounds what waits to be flushed; more is dropped.
	maxGathered         = 100_000
	maxGatheredRefusals = 200
)

type refusalKey struct {
	profile int64
	cause   [16]byte
}

// gathered is what waits to be written.
type gathered struct {
	mu       sync.Mutex
	usage    store.Usage
	refusals map[refusalKey]audit.Refusal
}

func (g *gathered) init() {
	g.usage = store.Usage{Profiles: map[int64]time.Time{}, Secrets: map[int64]time.Time{}, Grants: map[int64]time.Time{}}
	g.refusals = map[refusalKey]audit.Refusal{}
}

// Used notes that a profile was used, and the secret and the grant with it where
// they are not 0.
func (v *View) Used(profile, secret, grant int64, now time.Time) {
	g := &v.usage
	g.mu.Lock()
	defer g.mu.Unlock()
	note := func(times map[int64]time.Time, id int64) {
		if _, there := times[id]; id != 0 && (there || len(times) < maxGathered) {
			times[id] = now
		}
	}
	note(g.usage.Profiles, profile)
	note(g.usage.Secrets, secret)
	note(g.usage.Grants, grant)
}

// Refused notes a refusal for the profile's owner.
func (v *View) Refused(r audit.Refusal) {
	g := &v.usage
	g.mu.Lock()
	defer g.mu.Unlock()
	k := refusalKey{r.ProfileID, r.Cause()}
	known, there := g.refusals[k]
	if !there && len(g.refusals) >= maxGatheredRefusals {
		return
	}
	r.Count = known.Count + 1
	if r.FirstAt = known.FirstAt; !there {
		r.FirstAt = r.LastAt
	}
	g.refusals[k] = r
}

func (g *gathered) takeUsage() (u store.Usage, any bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	u = g.usage
	g.usage = store.Usage{Profiles: map[int64]time.Time{}, Secrets: map[int64]time.Time{}, Grants: map[int64]time.Time{}}
	return u, len(u.Profiles)+len(u.Secrets)+len(u.Grants) > 0
}

func (g *gathered) takeRefusals() []audit.Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.refusals) == 0 {
		return nil
	}
	all := make([]audit.Refusal, 0, len(g.refusals))
	for _, r := range g.refusals {
		all = append(all, r)
	}
	clear(g.refusals)
	return all
}

// Flush writes what was gathered. What cannot be written is lost.
func (v *View) Flush(ctx context.Context) {
	v.flushRefusals(ctx)
	if u, any := v.usage.takeUsage(); any {
		if err := v.store.FlushUsage(ctx, u); err != nil {
			v.log.Warn("times of last use are lost", "error", err)
		}
	}
}

func (v *View) flushRefusals(ctx context.Context) {
	if all := v.usage.takeRefusals(); all != nil {
		if err := v.store.AddRefusals(ctx, all); err != nil {
			v.log.Warn("refusals are lost", "error", err)
		}
	}
}

func (v *View) flushUntil(ctx context.Context) {
	refusals, usage := time.NewTicker(flushRefusalsEvery), time.NewTicker(flushUsageEvery)
	defer refusals.Stop()
	defer usage.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			v.Flush(last)
			return
		case <-refusals.C:
			v.flushRefusals(ctx)
		case now := <-usage.C:
			v.Flush(ctx)
			v.rotateSigningKeys(ctx, now)
		}
	}
}
