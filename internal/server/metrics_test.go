package server_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"gatelodge/internal/sqldb"
)

// series counts what a registry has, by name and labels.
func series(t *testing.T, metrics prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := family.GetName() + "{" + strings.Join(labels, ",") + "}"
			if family.GetType() == dto.MetricType_HISTOGRAM {
				all[name] = float64(m.Histogram.GetSampleCount())
			} else {
				all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return all
}

// TestLabelsAreBounded: whatever strangers send, there are no more series than the
// program has routes, and nothing of what they wrote is in one.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	c := config(t, sqldb.SQLite)
	c.Metrics = metrics
	s := start(t, c)
	hostile := func() {
		for range 100 {
			word := fmt.Sprintf("evil%d", rand.Uint64())
			for _, r := range []*http.Request{
				httptest.NewRequest(http.MethodGet, "/"+word, nil),
				httptest.NewRequest(http.MethodGet, "/"+word+"/code", nil),
				httptest.NewRequest(http.MethodGet, "/de/"+word, nil),
				httptest.NewRequest(http.MethodGet, "/console/profiles/"+word, nil),
				httptest.NewRequest(http.MethodGet, "/recover/"+word, nil),
				httptest.NewRequest(http.MethodGet, "/assets/"+word+".css", nil),
				httptest.NewRequest(http.MethodGet, "/oauth2/clients/"+word, nil),
				httptest.NewRequest(http.MethodPost, "/auth/"+word, nil),
				httptest.NewRequest(http.MethodPost, "/AuTh/o2/"+word, nil),
				httptest.NewRequest(strings.ToUpper(word), "/", nil),
				httptest.NewRequest(strings.ToUpper(word), "/oauth2/token", nil),
				form("/oauth2/token", url.Values{"grant_type": {word}, "client_id": {word}}),
				form("/auth/O2/toKen", url.Values{"grant_type": {word}}),
				form("/sign-in", url.Values{"email": {word + "@example.com"}, "password": {word}}),
			} {
				r.Header.Set("X-Request-Id", word)
				r.Header.Set("User-Agent", word)
				s.Handler().ServeHTTP(httptest.NewRecorder(), r)
			}
		}
	}
	hostile()
	before := series(t, metrics)
	hostile()
	after := series(t, metrics)
	if len(before) != len(after) {
		t.Errorf("%d series became %d", len(before), len(after))
	}
	for name := range after {
		if strings.Contains(strings.ToLower(name), "evil") {
			t.Errorf("a stranger's word is a label: %s", name)
		}
	}
	for name, want := range map[string]float64{
		`gatelodge_http_requests_total{method="POST",route="/auth/o2/token",status="4xx"}`:             200,
		`gatelodge_http_requests_total{method="POST",route="/auth/",status="4xx"}`:                     400,
		`gatelodge_http_requests_total{method="other",route="/oauth2/token",status="4xx"}`:             200,
		`gatelodge_token_requests_total{grant_type="other",outcome="invalid_request"}`:                 200,
		`gatelodge_token_requests_total{grant_type="other",outcome="unsupported_grant_type"}`:          0,
		`gatelodge_http_request_duration_seconds{route="/auth/o2/token"}`:                              200,
		`gatelodge_http_requests_total{method="GET",route="/oauth2/clients/{client_id}",status="4xx"}`: 200,
	} {
		if got, ok := after[name]; got != want || !ok {
			t.Errorf("%s is %v (%t), want %v", name, got, ok, want)
		}
	}
}

func form(path string, values url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// TestMetricNames: Prometheus' conventions for names (counters end in _total, units
// are base units and the last word before it) and words on each.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	c := config(t, sqldb.SQLite)
	c.Metrics = metrics
	start(t, c)
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	wrong := regexp.MustCompile(`milli|micro|percent|_(ms|minutes|count|sum|bucket)$`)
	for _, family := range families {
		name, counter := family.GetName(), family.GetType() == dto.MetricType_COUNTER
		if strings.HasSuffix(name, "_total") != counter || wrong.MatchString(name) || !strings.HasPrefix(name, "gatelodge_") || family.GetHelp() == "" {
			t.Errorf("%s (%v): %q", name, family.GetType(), family.GetHelp())
		}
	}
	if len(families) < 10 {
		t.Errorf("only %d metrics", len(families))
	}
}

// TestWorkIsCounted: sign-ins, and what the database and the view did for them.
func TestWorkIsCounted(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	c := config(t, sqldb.SQLite)
	c.Metrics = metrics
	s := start(t, c)
	send := func(r *http.Request) {
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	send(form("/sign-up", url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "password": {"correct horse battery staple"}}))
	send(form("/sign-in", url.Values{"email": {"ada@example.com"}, "password": {"correct horse battery staple"}}))
	send(form("/sign-in", url.Values{"email": {"ada@example.com"}, "password": {"wrong horse"}}))
	got := series(t, metrics)
	for name, want := range map[string]float64{
		`gatelodge_sign_ins_total{outcome="signed_in"}`:      1,
		`gatelodge_sign_ins_total{outcome="wrong_password"}`: 1,
		`gatelodge_password_hashes{state="running"}`:         0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for _, name := range []string{`gatelodge_db_commit_writes{}`, `gatelodge_db_commit_duration_seconds{}`, `gatelodge_db_connections_max{}`} {
		if got[name] == 0 {
			t.Errorf("%s is 0: %v", name, got)
		}
	}
}
