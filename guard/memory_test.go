package guard

import (
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// TestStrangersAreBounded: however many bad tokens come from however many addresses.
func TestStrangersAreBounded(t *testing.T) {
	s := newStrangers(3)
	now := time.Unix(1_900_000_000, 0)
	address := netip.MustParseAddr("10.0.0.1")
	for i := range 3 * maxRemembered {
		address = address.Next()
		if wait := s.ask(networkOf(address), now); wait > 0 {
			t.Fatalf("address %d waits %v", i, wait)
		}
		s.noteBad(strconv.Itoa(i), now.Add(time.Minute), now)
		now = now.Add(10 * time.Millisecond)
	}
	if len(s.networks) > maxRemembered || len(s.bad) > maxRemembered {
		t.Errorf("%d addresses, %d tokens", len(s.networks), len(s.bad))
	}
	if !s.isBad(strconv.Itoa(3*maxRemembered-1), now) {
		t.Error("the last one is forgotten")
	}
	// What is over goes first.
	now = now.Add(time.Hour)
	for i := range 100 {
		s.ask(networkOf(netip.MustParseAddr("2001:db8::1")), now)
		s.noteBad("new"+strconv.Itoa(i), now.Add(time.Minute), now)
	}
	for i := range 100 {
		if !s.isBad("new"+strconv.Itoa(i), now) {
			t.Errorf("new token %d is forgotten before the old ones", i)
		}
	}
}

func TestNetworkOf(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.9": "203.0.113.9/32", "::ffff:203.0.113.9": "203.0.113.9/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := networkOf(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := networkOf(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address: %s", got)
	}
}
