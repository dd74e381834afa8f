package main

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// tries is how often something is asked for that fails by a server's doing.
	tries = 5
	// silence is how long a server may send nothing.
	silence = 30 * time.Second
	// patience is how long one request waits because the server said so.
	patience = 10 * time.Minute
)

// patient keeps to the limits of one server: it sends nothing before the server says
// so, and again what the server had no answer to.
type patient struct {
	base     http.RoundTripper
	parallel int // how many requests may be under way

	mu    sync.Mutex
	until time.Time // nothing is sent before
}

// client never follows a redirect: what is in the requests is for that server alone.
func (p *program) client(parallel int) *http.Client {
	return &http.Client{
		Transport:     &patient{base: p.transport, parallel: parallel},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip implements http.RoundTripper. What it answers after the last try is what
// the server said.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	begun := time.Now()
	for try := 1; ; try++ {
		for wait := p.pause(); wait > 0; wait = p.pause() {
			if err := sleep(r.Context(), wait); err != nil {
				return nil, err
			}
		}
		if r.GetBody != nil {
			r = r.Clone(r.Context())
			r.Body, _ = r.GetBody() // never fails for the forms that are sent here
		}
		response, err := p.base.RoundTrip(r)
		if err != nil && (r.Method != http.MethodGet || r.Context().Err() != nil) {
			return nil, err
		}
		wait, stated := backoff(try), false
		if err == nil {
			if wait, stated = p.heed(response.Header, wait); response.StatusCode != http.StatusTooManyRequests && response.StatusCode < 500 {
				return response, nil
			}
		}
		// A wait that is stated is kept to; trouble is given a few tries.
		if stated && time.Since(begun)+wait > patience || !stated && try >= tries || try >= 10*tries {
			return response, err
		}
		if err == nil {
			response.Body.Close()
		}
		if err := sleep(r.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// heed reads how long to wait (RFC 9110 section 10.2.3) in place of usual. When fewer
// calls are left than may be under way, everybody waits until they are there again
// (draft-ietf-httpapi-ratelimit-headers-06).
func (p *patient) heed(h http.Header, usual time.Duration) (wait time.Duration, stated bool) {
	seconds := func(name string) (time.Duration, bool) {
		n, err := strconv.Atoi(h.Get(name))
		return time.Duration(n) * time.Second, err == nil && n >= 0
	}
	pause, stated := seconds("Retry-After")
	if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		pause, stated = max(0, time.Until(at)), true
	}
	if wait = usual; stated {
		wait = pause
	}
	if left, err := strconv.Atoi(h.Get("RateLimit-Remaining")); err == nil && left < p.parallel {
		reset, _ := seconds("RateLimit-Reset")
		pause = max(pause, reset)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(min(pause, patience)); until.After(p.until) {
		p.until = until
	}
	return wait, stated
}

func (p *patient) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

// backoff doubles from a second, with some chance, so that clients do not come back
// all at once.
func backoff(try int) time.Duration {
	d := time.Second << (try - 1)
	return d/2 + rand.N(d)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// attentive is a transport that gives up a server that has fallen silent.
func attentive() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		return attentiveConn{c}, err
	}
	return t
}

type attentiveConn struct{ net.Conn }

func (c attentiveConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
