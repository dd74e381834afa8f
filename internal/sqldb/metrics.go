package sqldb

import "github.com/prometheus/client_golang/prometheus"

var (
	connectionsDesc = prometheus.NewDesc("db_connections", "Open connections to the database (on SQLite those that read), by state.", []string{"state"}, nil)
	limitDesc       = prometheus.NewDesc("db_connections_max", "Connections that may be open at most.", nil, nil)
	waitsDesc       = prometheus.NewDesc("db_connection_waits_total", "Times that somebody had to wait for a connection.", nil, nil)
	waitedDesc      = prometheus.NewDesc("db_connection_wait_seconds_total", "Time spent waiting for a connection.", nil, nil)
)

// meter measures commits.
type meter struct {
	writes   prometheus.Histogram
	duration prometheus.Histogram
}

func newMeter() *meter {
	return &meter{
		writes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "db_commit_writes", Help: "Writes that shared a commit.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128},
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "db_commit_duration_seconds", Help: "Time that commits took, which is mostly the disk's.", Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 10},
		}),
	}
}

var _ prometheus.Collector = (*DB)(nil)

// Describe and Collect make a DB a collector of metrics.
func (db *DB) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{connectionsDesc, limitDesc, waitsDesc, waitedDesc} {
		out <- desc
	}
	db.meter.writes.Describe(out)
	db.meter.duration.Describe(out)
}

func (db *DB) Collect(out chan<- prometheus.Metric) {
	pool := db.pool.Stats()
	out <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(pool.InUse), "in_use")
	out <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(pool.Idle), "idle")
	out <- prometheus.MustNewConstMetric(limitDesc, prometheus.GaugeValue, float64(pool.MaxOpenConnections))
	out <- prometheus.MustNewConstMetric(waitsDesc, prometheus.CounterValue, float64(pool.WaitCount))
	out <- prometheus.MustNewConstMetric(waitedDesc, prometheus.CounterValue, pool.WaitDuration.Seconds())
	db.meter.writes.Collect(out)
	db.meter.duration.Collect(out)
}
