package sqldb

import "testing"

// TestTimelines: once another server has been seen to be primary, those before it are
// not asked any more.
func TestTimelines(t *testing.T) {
	p := &primaries{}
	for _, step := range []struct {
		timeline uint64
		ok       bool
	}{{3, true}, {3, true}, {4, true}, {3, false}, {4, true}, {7, true}, {4, false}} {
		if err := p.admit(step.timeline); (err == nil) != step.ok {
			t.Errorf("timeline %d: %v, want ok %t", step.timeline, err, step.ok)
		}
	}
}
