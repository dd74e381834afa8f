package guard

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// strangers keep those who send bad tokens from making the server work: what was bad a
// moment ago is bad without asking, and an address whose tokens are bad again and again
// may ask about no others for a while. A token that was good once is not held back, and
// no address by what another does.
type strangers struct {
	most int // bad tokens at once; one is forgiven each second

	mu       sync.Mutex
	bad      map[[32]byte]time.Time // until when it is bad without asking
	networks map[netip.Prefix]*patience
}

// patience is what is left for an address, as of a moment.
type patience struct {
	left float64
	at   time.Time
}

const (
	// maxRemembered bounds how many bad tokens, and how many addresses, are remembered.
	maxRemembered = 10_000
	// looks is how many are looked at to find one that can go.
	looks = 8
)

func newStrangers(most int) *strangers {
	return &strangers{most: most, bad: map[[32]byte]time.Time{}, networks: map[netip.Prefix]*patience{}}
}

// isBad reports whether a token was bad a moment ago.
func (s *strangers) isBad(token string, now time.Time) bool {
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.bad[key])
}

// noteBad remembers a bad token for a moment.
func (s *strangers) noteBad(token string, until, now time.Time) {
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bad) >= maxRemembered {
		forget(s.bad, func(t time.Time) bool { return !now.Before(t) })
	}
	s.bad[key] = until
}

// ask takes from the patience with an address, before it is known what a token is good
// for: many are asked about at the same time. When there is none left, wait is how long
// it takes to come back.
func (s *strangers) ask(network netip.Prefix, now time.Time) (wait time.Duration) {
	if s.most < 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.networks[network]
	if p == nil {
		if len(s.networks) >= maxRemembered {
			forget(s.networks, func(p *patience) bool { return p.regain(s.most, now) >= float64(s.most) })
		}
		p = &patience{float64(s.most), now}
		s.networks[network] = p
	}
	if left := p.regain(s.most, now); left < 1 {
		return time.Duration((1 - left) * float64(time.Second))
	}
	p.left--
	return 0
}

// wasNotBad gives back what ask took.
func (s *strangers) wasNotBad(network netip.Prefix, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.networks[network]; p != nil {
		p.left = min(p.regain(s.most, now)+1, float64(s.most))
	}
}

func (p *patience) regain(most int, now time.Time) float64 {
	if passed := now.Sub(p.at); passed > 0 {
		p.left, p.at = min(p.left+passed.Seconds(), float64(most)), now
	}
	return p.left
}

// forget makes room for one: it takes out some of which nothing needs to be known any
// more, and one at random when there is none among those it looks at.
func forget[K comparable, V any](m map[K]V, over func(V) bool) {
	looked, took := 0, false
	var last K
	for k, v := range m {
		if over(v) {
			delete(m, k)
			took = true
		}
		last = k
		if looked++; looked == looks {
			break
		}
	}
	if !took {
		delete(m, last)
	}
}

// networkOf is who counts as one: an IPv4 address, or the /64 of an IPv6 address, since
// whoever has one of its addresses has them all.
func networkOf(address netip.Addr) netip.Prefix {
	address = address.Unmap()
	bits := 64
	if address.Is4() {
		bits = 32
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // those without an address are one
	}
	return network
}

// remoteAddress is where the connection comes from.
func remoteAddress(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
}
