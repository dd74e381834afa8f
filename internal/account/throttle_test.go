package account

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Unix(1_700_000_000, 0)

func TestTake(t *testing.T) {
	r := Rate{Burst: 3, Every: 10 * time.Second}
	var fullAt time.Time
	for i, step := range []struct{ after, wait time.Duration }{
		{0, 0}, {0, 0}, {0, 0},
		{0, 10 * time.Second},
		{4 * time.Second, 6 * time.Second},
		{10 * time.Second, 0},
		{10 * time.Second, 10 * time.Second},
		{35 * time.Second, 0}, {35 * time.Second, 0}, // two came back
		{35 * time.Second, 5 * time.Second},
		{time.Hour, 0}, {time.Hour, 0}, {time.Hour, 0}, // never more than the burst
		{time.Hour, 10 * time.Second},
	} {
		next, wait := r.Take(fullAt, epoch.Add(step.after))
		if wait != step.wait {
			t.Errorf("step %d: wait %v, want %v", i, wait, step.wait)
		}
		if wait > 0 && !next.Equal(fullAt) {
			t.Errorf("step %d: the refusal moved the bucket from %v to %v", i, fullAt, next)
		}
		fullAt = next
	}
}

// A bucket written a year ahead does not keep its owner out for a year; one that another
// replica wrote seconds ahead counts as it stands.
func TestTakeUnderWrongClock(t *testing.T) {
	r := Rate{Burst: 2, Every: time.Minute}
	if next, wait := r.Take(epoch.AddDate(1, 0, 0), epoch); wait != 0 || !next.Equal(epoch.Add(time.Minute)) {
		t.Errorf("a year ahead: full at %v, wait %v, want %v, 0", next, wait, epoch.Add(time.Minute))
	}
	if _, wait := r.Take(epoch.Add(2*time.Minute+5*time.Second), epoch); wait != time.Minute+5*time.Second {
		t.Errorf("5 s ahead: wait %v, want 1m5s", wait)
	}
}

// Within any stretch of attempts no more are admitted than the burst and what came back
// meanwhile, and who waits as told is admitted.
func TestTakeNeverExceedsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate{
			Burst: rapid.IntRange(1, 20).Draw(t, "burst"),
			Every: time.Duration(rapid.IntRange(1, 60_000).Draw(t, "every ms")) * time.Millisecond,
		}
		now := epoch
		var fullAt time.Time
		var admitted []time.Time
		for range rapid.IntRange(1, 80).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(t, "gap ms")) * time.Millisecond / time.Duration(r.Burst))
			next, wait := r.Take(fullAt, now)
			if wait == 0 {
				admitted = append(admitted, now)
				fullAt = next
				continue
			}
			if wait < 0 || wait > r.Every {
				t.Fatalf("wait %v at one per %v", wait, r.Every)
			}
			if _, early := r.Take(fullAt, now.Add(wait-1)); early == 0 {
				t.Fatalf("admitted before the wait of %v was over", wait)
			}
			if _, again := r.Take(fullAt, now.Add(wait)); again != 0 {
				t.Fatalf("refused for another %v after having waited %v", again, wait)
			}
		}
		for i := range admitted {
			for j := i; j < len(admitted); j++ {
				if most := r.Burst + int(admitted[j].Sub(admitted[i])/r.Every); j-i+1 > most {
					t.Fatalf("%d admitted within %v, want at most %d", j-i+1, admitted[j].Sub(admitted[i]), most)
				}
			}
		}
	})
}

// What each kind lets through within an hour of trying without end.
func TestThrottleKinds(t *testing.T) {
	for kind, want := range map[ThrottleKind]int{
		SignInByAddress:   50 + 120,
		SignInByAccount:   25 + 240,
		SignInByDevice:    25 + 240,
		RecoveryByAccount: 3 + 3,
		SignUpByAddress:   10 + 10,
		"unheard of":      0,
	} {
		var fullAt time.Time
		got := 0
		for second := range 3601 {
			for {
				next, wait := kind.Rate().Take(fullAt, epoch.Add(time.Duration(second)*time.Second))
				if wait > 0 {
					break
				}
				fullAt = next
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d within an hour, want %d", kind, got, want)
		}
	}
}

func TestThrottleKey(t *testing.T) {
	keys := map[[32]byte]string{}
	for name, key := range map[string][32]byte{
		"account ann":        ThrottleKey(SignInByAccount, "ann@example.com"),
		"account bob":        ThrottleKey(SignInByAccount, "bob@example.com"),
		"recovery ann":       ThrottleKey(RecoveryByAccount, "ann@example.com"),
		"device 1 of ann":    ThrottleKey(SignInByDevice, "ann@example.com", "1"),
		"device 2 of ann":    ThrottleKey(SignInByDevice, "ann@example.com", "2"),
		"shifted":            ThrottleKey(SignInByDevice, "ann@example.com1"),
		"shifted otherwise":  ThrottleKey(SignInByDevice, "ann@example.co", "m1"),
		"no value":           ThrottleKey(SignInByDevice),
		"empty value":        ThrottleKey(SignInByDevice, ""),
		"sign-in 192.0.2.1":  AddressThrottleKey(SignInByAddress, netip.MustParseAddr("192.0.2.1")),
		"sign-in 192.0.2.2":  AddressThrottleKey(SignInByAddress, netip.MustParseAddr("192.0.2.2")),
		"sign-up 192.0.2.1":  AddressThrottleKey(SignUpByAddress, netip.MustParseAddr("192.0.2.1")),
		"sign-in 2001:db8::": AddressThrottleKey(SignInByAddress, netip.MustParseAddr("2001:db8::1")),
		"sign-in neighbour":  AddressThrottleKey(SignInByAddress, netip.MustParseAddr("2001:db8:0:1::1")),
		"sign-in nowhere":    AddressThrottleKey(SignInByAddress, netip.Addr{}),
	} {
		if other, taken := keys[key]; taken {
			t.Errorf("%s and %s share a key", name, other)
		}
		keys[key] = name
	}
	for _, pair := range [][2]string{
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"},
		{"fe80::1%eth0", "fe80::2%eth1"},
	} {
		a := AddressThrottleKey(SignInByAddress, netip.MustParseAddr(pair[0]))
		b := AddressThrottleKey(SignInByAddress, netip.MustParseAddr(pair[1]))
		if a != b {
			t.Errorf("%s and %s are counted apart", pair[0], pair[1])
		}
	}
}
