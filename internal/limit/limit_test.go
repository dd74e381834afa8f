package limit

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Unix(1_700_000_000, 0)

func TestAllow(t *testing.T) {
	// One in 8 s is a rate that floating point holds exactly.
	l := New(Rate{Burst: 2, Every: 8 * time.Second})
	for i, step := range []struct {
		address string
		after   time.Duration
		wait    time.Duration
		ok      bool
	}{
		{"192.0.2.1", 0, 0, true},
		{"192.0.2.1", 0, 0, true},
		{"192.0.2.1", 0, 8 * time.Second, false},
		{"::ffff:192.0.2.1", 4 * time.Second, 4 * time.Second, false}, // the same address; the refusal took nothing
		{"192.0.2.2", 4 * time.Second, 0, true},                       // another
		{"192.0.2.1", 8 * time.Second, 0, true},
		{"192.0.2.1", 8 * time.Second, 8 * time.Second, false},
		{"2001:db8::1", 0, 0, true},
		{"2001:db8::2", 0, 0, true}, // the same /64
		{"2001:db8::ffff:1:2:3", 0, 8 * time.Second, false},
		{"2001:db8:0:1::1", 0, 0, true}, // another
	} {
		wait, ok := l.Allow(netip.MustParseAddr(step.address), epoch.Add(step.after))
		if ok != step.ok || wait != step.wait {
			t.Errorf("step %d, %s after %v: %v, %v, want %v, %v", i, step.address, step.after, wait, ok, step.wait, step.ok)
		}
	}
	for i, want := range []bool{true, true, false} {
		if _, ok := l.Allow(netip.Addr{}, epoch); ok != want {
			t.Errorf("call %d without an address: %v, want %v", i, ok, want)
		}
	}
}

// A flood from many networks leaves no more than the bound, and after it has passed the
// memory shrinks again.
func TestLimiterIsBounded(t *testing.T) {
	l := New(Rate{Burst: 1, Every: time.Minute})
	l.most = 10
	caller := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range 1000 {
		l.Allow(caller(i), epoch)
	}
	if len(l.networks) != 10 || l.recent.Len() != 10 {
		t.Fatalf("%d networks, %d buckets remembered, want 10", len(l.networks), l.recent.Len())
	}
	if _, ok := l.Allow(caller(999), epoch); ok {
		t.Error("the latest caller was forgotten")
	}
	if _, ok := l.Allow(caller(0), epoch); !ok {
		t.Error("the earliest caller was remembered")
	}
	later := epoch.Add(time.Hour)
	for i := range 9 {
		l.Allow(caller(2000+i), later)
	}
	if len(l.networks) > 10 {
		t.Fatalf("%d networks remembered, want at most 10", len(l.networks))
	}
	l.Allow(caller(3000), later.Add(time.Hour))
	if got := len(l.networks); got != 9-2+1 {
		t.Errorf("%d networks remembered after a pause, want 8", got)
	}
}

// No network ever gets more than its burst and what has come back since.
func TestAllowNeverExceedsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate{
			Burst: rapid.IntRange(1, 5).Draw(t, "burst"),
			Every: time.Duration(rapid.IntRange(1, 60).Draw(t, "every")) * time.Second,
		}
		l := New(r)
		a := netip.MustParseAddr("192.0.2.1")
		now, admitted := epoch, 0
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "gap")) * time.Second)
			wait, ok := l.Allow(a, now)
			if ok {
				admitted++
				continue
			}
			if wait <= 0 || wait > r.Every {
				t.Fatalf("refused with a wait of %v at one per %v", wait, r.Every)
			}
		}
		if most := r.Burst + int(now.Sub(epoch)/r.Every); admitted > most {
			t.Fatalf("%d admitted within %v, at most %d expected", admitted, now.Sub(epoch), most)
		}
	})
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("fd00::/8"),
	}
	for _, tc := range []struct {
		name      string
		remote    string
		forwarded []string
		want      string
	}{
		{"direct", "203.0.113.9:4711", nil, "203.0.113.9"},
		{"stranger's claim", "203.0.113.9:4711", []string{"198.51.100.1"}, "203.0.113.9"},
		{"one proxy", "10.0.0.1:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"claim before the proxy's word", "10.0.0.1:80", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
		{"claim in a line of its own", "10.0.0.1:80", []string{"192.0.2.66", "198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:80", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"claimed proxy", "10.0.0.1:80", []string{"192.0.2.66, 10.0.0.7, 198.51.100.1"}, "198.51.100.1"},
		{"only proxies", "10.0.0.1:80", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"proxy without header", "10.0.0.1:80", nil, "10.0.0.1"},
		{"empty header", "10.0.0.1:80", []string{""}, "10.0.0.1"},
		{"no address", "10.0.0.1:80", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"no address further on", "10.0.0.1:80", []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"trailing comma", "10.0.0.1:80", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"with port", "10.0.0.1:80", []string{"198.51.100.1:9000"}, "198.51.100.1"},
		{"IPv6 with port", "10.0.0.1:80", []string{"[2001:db8::1]:9000"}, "2001:db8::1"},
		{"IPv6 in brackets", "10.0.0.1:80", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 proxy", "[fd00::1]:80", []string{"2001:db8::1"}, "2001:db8::1"},
		{"mapped proxy", "[::ffff:10.0.0.1]:80", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"zone", "[fe80::1%eth0]:80", nil, "fe80::1"},
		{"Unix socket", "@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		if got := ClientAddress(tc.remote, tc.forwarded, trusted).String(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// Whatever a client sends before what the trusted proxy added changes nothing.
func FuzzClientAddress(f *testing.F) {
	f.Add("192.0.2.66")
	f.Add("10.0.0.9, ")
	f.Add(",,[::1]:80,unknown")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	want := netip.MustParseAddr("198.51.100.1")
	f.Fuzz(func(t *testing.T, claim string) {
		for _, forwarded := range [][]string{{claim + ", 198.51.100.1"}, {claim, "198.51.100.1"}} {
			if got := ClientAddress("10.0.0.1:80", forwarded, trusted); got != want {
				t.Errorf("%q: %v", forwarded, got)
			}
		}
		if got := ClientAddress("198.51.100.1:80", []string{claim}, trusted); got != want {
			t.Errorf("claim of an untrusted peer %q: %v", claim, got)
		}
	})
}

func BenchmarkAllow(b *testing.B) {
	l := New(Rate{Burst: 10, Every: time.Second})
	var callers []netip.Addr
	for i := range 1000 {
		callers = append(callers, netip.MustParseAddr(fmt.Sprintf("192.0.%d.%d", i>>8, i&255)))
	}
	i := 0
	for b.Loop() {
		l.Allow(callers[i%len(callers)], epoch)
		i++
	}
}
