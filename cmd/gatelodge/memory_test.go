package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestMemoryIsBounded: a server collects early rather than grow without end.
func TestMemoryIsBounded(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	t.Setenv("GOGC", "")
	s := (&installation{flags: []string{"--data", t.TempDir()}}).serve(t)
	a := do(t, http.DefaultClient, newRequest(t, http.MethodGet, s.metrics+"/metrics", nil))
	for _, want := range []string{"\ngo_gc_gomemlimit_bytes 4.02653184e+08\n", "\ngo_gc_gogc_percent 400\n"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the metrics do not hold %q", want)
		}
	}
}
