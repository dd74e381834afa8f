// Package limit owns how often one address may call a public endpoint, and which
// address a request came from.
//
// [Limiter] counts in memory, for each process by itself: it keeps a stranger from
// wearing out an endpoint and forgets everything at a restart. Guesses at passwords
// are slowed by counts in the database instead (package account).
//
// Of what a proxy tells about a request only the client's address is believed, and
// only from trusted proxies ([ClientAddress]). The scheme and host of this server are
// never taken from Host, Forwarded or X-Forwarded-Proto: they are the issuer's, which
// is a setting. A link in a mail made from a header would lead to whoever sent it.
package limit

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxNetworks bounds what a limiter remembers, at some 300 bytes each.
const maxNetworks = 8192

// Rate is a bucket of Burst calls that gains one back each Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// Limiter gives each network a bucket of its own. It remembers the networks that
// called last; one that is forgotten begins again with a full bucket.
type Limiter struct {
	rate Rate
	most int

	mu       sync.Mutex
	networks map[netip.Prefix]*list.Element
	recent   *list.List // of *bucket, the latest caller in front
}

type bucket struct {
	network netip.Prefix
	tokens  *rate.Limiter
	usedAt  time.Time
}

// New makes a limiter.
func New(r Rate) *Limiter {
	return &Limiter{rate: r, most: maxNetworks, networks: make(map[netip.Prefix]*list.Element), recent: list.New()}
}

// Allow takes one call of address from its network's bucket. When ok is false the
// call is refused, has used nothing up, and retryAfter is when it would be allowed.
func (l *Limiter) Allow(address netip.Addr, now time.Time) (retryAfter time.Duration, ok bool) {
	network := network(address)
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.networks[network]
	if e == nil {
		l.forget(now)
		e = l.recent.PushFront(&bucket{
			network: network,
			tokens:  rate.NewLimiter(rate.Every(l.rate.Every), l.rate.Burst),
		})
		l.networks[network] = e
	}
	l.recent.MoveToFront(e)
	b := e.Value.(*bucket)
	b.usedAt = now
	taken := b.tokens.ReserveN(now, 1)
	if !taken.OK() {
		return l.rate.Every, false // a burst of zero allows nothing, ever
	}
	if wait := taken.DelayFrom(now); wait > 0 {
		taken.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// forget makes room for one more network: two at most that have not called for so
// long that their bucket is full again, so that memory shrinks after a flood, and else
// the one that called longest ago if there is no room.
func (l *Limiter) forget(now time.Time) {
	full := time.Duration(l.rate.Burst) * l.rate.Every
	for range 2 {
		last := l.recent.Back()
		if last == nil {
			return
		}
		if now.Sub(last.Value.(*bucket).usedAt) < full && l.recent.Len() < l.most {
			return
		}
		delete(l.networks, l.recent.Remove(last).(*bucket).network)
	}
}

// network is who is counted as one: an IPv4 address however it is spelled, and the
// whole /64 of an IPv6 address, since whoever has one of its addresses has them all.
// Callers without an address share the zero network.
func network(address netip.Addr) netip.Prefix {
	address = address.Unmap()
	bits := 64
	if address.Is4() {
		bits = 32
	}
	p, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
