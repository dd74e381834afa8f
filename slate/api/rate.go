package api

import (
	"container/list"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is how often an application may call for one user: Burst calls at once, and
// PerSecond in the long run.
type Rate struct {
	PerSecond float64
	Burst     int
}

// DefaultRate leaves room for a program that reads in parallel, and none for one that
// has lost its way.
var DefaultRate = Rate{PerSecond: 20, Burst: 100}

// maxCallers bounds what is remembered of callers, at some 400 bytes each. One that is
// forgotten begins again with a full bucket.
const maxCallers = 16_384

// caller is an application that calls for a user.
type caller struct{ client, subject string }

// rates gives each caller a bucket of its own.
type rates struct {
	rate Rate
	most int

	mu      sync.Mutex
	callers map[caller]*list.Element
	recent  *list.List // of *bucket, who called last in front
}

type bucket struct {
	caller
	tokens *rate.Limiter
}

func newRates(r Rate) *rates {
	return &rates{rate: r, most: maxCallers, callers: map[caller]*list.Element{}, recent: list.New()}
}

// quota is what a caller has left.
type quota struct {
	Rate
	left float64
	// wait is until a call is allowed again, 0 when this one is.
	wait time.Duration
}

// take counts a call. One that has to wait has used nothing up.
func (l *rates) take(c caller, now time.Time) quota {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.callers[c]
	if e == nil {
		if len(l.callers) >= l.most {
			delete(l.callers, l.recent.Remove(l.recent.Back()).(*bucket).caller)
		}
		e = l.recent.PushFront(&bucket{c, rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)})
		l.callers[c] = e
	}
	l.recent.MoveToFront(e)
	b := e.Value.(*bucket)
	q := quota{Rate: l.rate}
	if !b.tokens.AllowN(now, 1) {
		q.wait = time.Duration((1 - b.tokens.TokensAt(now)) / l.rate.PerSecond * float64(time.Second))
	}
	q.left = max(0, b.tokens.TokensAt(now))
	return q
}

// tell writes the limit, what is left of it, and the seconds until all of it is there
// again (draft-ietf-httpapi-ratelimit-headers-06).
func (q quota) tell(h http.Header) {
	// The names as net/http spells them.
	values := [...]string{strconv.Itoa(q.Burst), strconv.Itoa(int(q.left)), strconv.Itoa(int(math.Ceil((float64(q.Burst) - q.left) / q.PerSecond)))}
	h["Ratelimit-Limit"], h["Ratelimit-Remaining"], h["Ratelimit-Reset"] = values[0:1:1], values[1:2:2], values[2:3:3]
	if q.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(q.wait.Seconds())))))
	}
}
