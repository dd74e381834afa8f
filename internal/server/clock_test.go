package server

import (
	"testing"
	"time"
)

func TestClockError(t *testing.T) {
	for _, c := range []struct {
		ahead time.Duration
		want  string
	}{
		{0, ""},
		{30 * time.Second, ""},
		{-30 * time.Second, ""},
		{42 * time.Second, "this machine's clock is 42s behind the database's, and 30s are allowed: set both by NTP"},
		{-2 * time.Minute, "this machine's clock is 2m0s ahead of the database's, and 30s are allowed: set both by NTP"},
	} {
		got := ""
		if err := clockError(c.ahead); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.ahead, got, c.want)
		}
	}
}
