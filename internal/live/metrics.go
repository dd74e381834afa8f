package live

import "github.com/prometheus/client_golang/prometheus"

var (
	lookupsDesc = prometheus.NewDesc("live_lookups_total", "Reads of the live view, by what was read and where the answer came from: memory (hit), the database (miss), or the database because the feed could not be followed (read_through).", []string{"kind", "result"}, nil)
	entriesDesc = prometheus.NewDesc("live_entries", "Entries that the live view keeps, by kind.", []string{"kind"}, nil)
	lagDesc     = prometheus.NewDesc("feed_lag_seconds", "Time since the start of the last good read of the feed of changes. Above 1 the database answers in place of memory.", nil, nil)
)

var _ prometheus.Collector = (*View)(nil)

// Describe and Collect make a View a collector of metrics.
func (v *View) Describe(out chan<- *prometheus.Desc) {
	out <- lookupsDesc
	out <- entriesDesc
	out <- lagDesc
}

func (v *View) Collect(out chan<- prometheus.Metric) {
	_, lag := v.Trusted()
	out <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, lag.Seconds())
	for kind, n := range map[string]counted{
		"profile": v.profiles.counted(), "client": v.clients.counted(), "api": v.apis.counted(), "origin": v.origins.counted(),
		"grant": v.grants.counted(), "pair": v.pairs.counted(), "account": v.accounts.counted(), "session": v.sessions.counted(), "scopes": v.scopes.counted(),
	} {
		for result, count := range map[string]uint64{"hit": n.hits, "miss": n.misses, "read_through": n.passed} {
			out <- prometheus.MustNewConstMetric(lookupsDesc, prometheus.CounterValue, float64(count), kind, result)
		}
		out <- prometheus.MustNewConstMetric(entriesDesc, prometheus.GaugeValue, float64(n.entries), kind)
	}
}
