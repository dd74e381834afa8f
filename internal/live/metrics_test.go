package live_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"gatelodge/internal/live"
	"gatelodge/internal/store/storetest"
)

// TestLookupsAreCounted: by where their answers came from.
func TestLookupsAreCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		x := makeThings(t, w)
		v := newView(t, w)
		run(t, v)
		of := func(result string) float64 { return lookups(t, v, "grant", result) }
		reads := 0
		for of("hit") < 2 && reads < 1000 {
			reads++
			if _, err := v.Grant(t.Context(), x.grant); err != nil {
				t.Fatal(err)
			}
		}
		if of("hit") < 2 || of("miss")+of("read_through") < 1 || of("hit")+of("miss")+of("read_through") != float64(reads) {
			t.Errorf("of %d reads %v hits, %v misses, %v read through", reads, of("hit"), of("miss"), of("read_through"))
		}
	})
}

// lookups reads one series of live_lookups_total.
func lookups(t *testing.T, v *live.View, labels ...string) float64 {
	t.Helper()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(v)
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() == "live_lookups_total" && is(m.Label, labels) {
				return m.Counter.GetValue()
			}
		}
	}
	t.Fatalf("no series of %q", labels)
	return 0
}

func is(labels []*dto.LabelPair, values []string) bool {
	for i, l := range labels {
		if l.GetValue() != values[i] {
			return false
		}
	}
	return len(labels) == len(values)
}
