package web

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// meters counts requests by the pattern of their route, never by what a stranger
// wrote: patterns, known methods and classes of status are all the labels there are.
type meters struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	routes   sync.Map // route → *meter
}

// durations are the bounds of the histogram in seconds: a token takes a tenth of a
// millisecond, a password tens of milliseconds, a long poll most of a minute.
var durations = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}

// newMeters registers with reg, which may be nil.
func newMeters(reg prometheus.Registerer) *meters {
	return &meters{
		requests: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Requests answered, by route, method and class of the status.",
		}, []string{"route", "method", "status"}),
		duration: promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time from a request's arrival at its handler to the end of the answer, by route.", Buckets: durations,
		}, []string{"route"}),
	}
}

// meter is the counters of one route. Each is looked up by its labels once.
type meter struct {
	route    string
	of       *meters
	duration prometheus.Observer
	counts   [len(methods)][len(classes)]atomic.Pointer[prometheus.Counter]
}

var (
	methods = [...]string{"other", http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodPatch, http.MethodDelete}
	classes = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}
)

// meter finds the counters of a route. last remembers those of the request before:
// most handlers serve one route.
func (m *meters) meter(last *atomic.Pointer[meter], route string) *meter {
	if found := last.Load(); found != nil && found.route == route {
		return found
	}
	found, ok := m.routes.Load(route)
	if !ok {
		found, _ = m.routes.LoadOrStore(route, &meter{route: route, of: m, duration: m.duration.WithLabelValues(route)})
	}
	last.Store(found.(*meter))
	return found.(*meter)
}

func (m *meter) count(method string, status int, took time.Duration) {
	m.duration.Observe(took.Seconds())
	known := 0
	for i, name := range methods {
		if name == method {
			known = i
		}
	}
	class := status / 100
	if class < 1 || class >= len(classes) {
		class = 0
	}
	place := &m.counts[known][class]
	counter := place.Load()
	if counter == nil {
		made := m.of.requests.WithLabelValues(m.route, methods[known], classes[class])
		counter = &made
		place.Store(counter)
	}
	(*counter).Inc()
}
