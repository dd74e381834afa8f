package api_test

import (
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"gatelodge/internal/web/webtest"
	"gatelodge/slate/api"
	"gatelodge/slate/store"
)

// hot is a call that applications make all the time.
type hot struct {
	name   string
	budget float64 // allocations of the handler
	path   string
}

// hotCalls are made by a caller whose token is known: the endings are followed.
func hotCalls(t testing.TB) (*caller, []hot) {
	w := newWorld(t, options{follow: true, rate: api.Rate{PerSecond: 1e9, Burst: 1e9}})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	for week := range 52 {
		w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(week), 5)
	}
	w.publish(alpha.ID, store.GroupChannels, "Another", "Subscription Weekly", monday(0), 5)
	w.publish(alpha.ID, store.GroupChannels, "A third", "Subscription Weekly", monday(0), 5)
	channels := "/accounts/1001/channels"
	types := channels + "/" + c.list(channels).ids()[2] + "/reportTypes"
	reports := types + "/" + c.list(types).ids()[0] + "/reports"
	return c, []hot{
		{"accounts", 84, "/accounts"}, {"channels", 128, channels}, {"types", 100, types},
		{"reports", 101, reports}, {"a hundred reports", 101, reports + "?limit=100"}, {"nothing modified", 99, reports + "?modifiedDateGte=2099-01-01T00:00:00Z"},
	}
}

// request is the call as the server's handler gets it.
func (c *caller) request(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, slateURL+api.Base+path, nil)
	r.Header.Set("Authorization", "Bearer "+c.token)
	return r
}

// TestAllocationBudget: what the handler of a call allocates. Each allocation costs
// some thirty nanoseconds with its share of the collector's work.
func TestAllocationBudget(t *testing.T) {
	if raceDetector() {
		t.Skip("the race detector allocates too")
	}
	c, calls := hotCalls(t)
	c.untilKnown(t)
	handler := c.w.slate.Handler()
	for _, h := range calls {
		const runs = 50
		requests := make([]*http.Request, runs+1) // AllocsPerRun warms up with one
		for i := range requests {
			requests[i] = c.request(h.path)
		}
		i := 0
		got := testing.AllocsPerRun(runs, func() {
			answer := webtest.NewSink()
			handler.ServeHTTP(answer, requests[i])
			if answer.Status != http.StatusOK {
				t.Fatalf("%s: %d", h.name, answer.Status)
			}
			i++
		}) - 2 // the sink and its header
		if got > h.budget {
			t.Errorf("%s allocates %v times, budget %v", h.name, got, h.budget)
		}
	}
}

// untilKnown calls until the answer about the token is kept.
func (c *caller) untilKnown(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		before := c.w.asked.Load()
		if c.list("/accounts"); c.w.asked.Load() == before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("each call asks about its token")
		}
	}
}

func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// BenchmarkHandler is the calls without the network, by processor time: on a busy
// machine it says more than the clock.
func BenchmarkHandler(b *testing.B) {
	c, calls := hotCalls(b)
	c.untilKnown(b)
	handler := c.w.slate.Handler()
	for _, h := range calls {
		b.Run(h.name, func(b *testing.B) {
			b.ReportAllocs()
			before := webtest.ProcessorTime(b)
			for b.Loop() {
				answer := webtest.NewSink()
				if handler.ServeHTTP(answer, c.request(h.path)); answer.Status != http.StatusOK {
					b.Fatal(answer.Status)
				}
			}
			b.ReportMetric(float64(webtest.ProcessorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
