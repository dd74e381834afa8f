package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// tries is how often a request is sent that fails by the server's doing.
	tries = 5
	// silence is how long a server may send nothing.
	silence = 30 * time.Second
	// patience is how long one request waits because the server said so.
	patience = 10 * time.Minute
)

var errSilent = errors.New("the server has sent nothing for 30 seconds")

// patient sends the requests to one server, within its limits: it waits when the
// server says so, and tries again when the server is in trouble.
type patient struct {
	base http.RoundTripper
	// parallel is how many requests are under way at once.
	parallel int

	mu    sync.Mutex
	until time.Time // nothing is sent before
}

// RoundTrip implements http.RoundTripper. What it answers after the last try is what
// the server said.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	begun := time.Now()
	for try := 1; ; try++ {
		if err := p.pause(r.Context()); err != nil {
			return nil, err
		}
		response, err := send(p.base, r)
		wait, told := time.Duration(0), false
		switch {
		case err != nil && (r.Method != http.MethodGet || r.Context().Err() != nil):
			return nil, err
		case err == nil:
			wait, told = p.heed(response)
			if response.StatusCode != http.StatusTooManyRequests && response.StatusCode < 500 {
				return response, nil
			}
		}
		// A limit that is stated is waited for; what is not is tried a few times.
		tooLong := told && time.Since(begun)+wait > patience
		if tooLong || !told && try >= tries || try >= 10*tries {
			return response, err
		}
		if err == nil {
			io.CopyN(io.Discard, response.Body, 1<<16) // so that the connection can be used again
			response.Body.Close()
		}
		if !told {
			wait = backoff(try)
		}
		if err := sleep(r.Context(), wait); err != nil {
			return nil, err
		}
	}
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

func (p *patient) pause(ctx context.Context) error {
	for {
		p.mu.Lock()
		wait := time.Until(p.until)
		p.mu.Unlock()
		if wait <= 0 {
			return context.Cause(ctx)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// heed reads how long to wait (RFC 9110 section 10.2.3). When fewer calls are left than
// may be under way, everybody waits until they are there again
// (draft-ietf-httpapi-ratelimit-headers-06).
func (p *patient) heed(response *http.Response) (wait time.Duration, told bool) {
	h := response.Header
	if s := h.Get("Retry-After"); s != "" {
		if seconds, err := strconv.Atoi(s); err == nil && seconds >= 0 {
			wait, told = time.Duration(seconds)*time.Second, true
		} else if at, err := http.ParseTime(s); err == nil {
			wait, told = max(0, time.Until(at)), true
		}
	}
	pause := time.Duration(0)
	if told && response.StatusCode == http.StatusTooManyRequests {
		pause = wait
	}
	left, err1 := strconv.Atoi(h.Get("RateLimit-Remaining"))
	reset, err2 := strconv.Atoi(h.Get("RateLimit-Reset"))
	if err1 == nil && err2 == nil && left < p.parallel {
		pause = max(pause, time.Duration(reset)*time.Second)
	}
	if pause = min(pause, patience); pause > 0 {
		p.mu.Lock()
		if until := time.Now().Add(pause); until.After(p.until) {
			p.until = until
		}
		p.mu.Unlock()
	}
	return wait, told
}

// send sends a request once, and gives up when the server falls silent.
func send(base http.RoundTripper, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	watch := time.AfterFunc(silence, func() { cancel(errSilent) })
	out := r.Clone(ctx)
	if r.GetBody != nil {
		var err error
		if out.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	body := &watched{ctx: ctx, watch: watch, cancel: cancel}
	response, err := base.RoundTrip(out)
	if err != nil {
		err = body.explain(err)
		body.stop()
		return nil, err
	}
	body.ReadCloser, response.Body = response.Body, body
	return response, nil
}

// watched is a body whose request ends when it falls silent.
type watched struct {
	io.ReadCloser
	ctx    context.Context
	watch  *time.Timer
	cancel context.CancelCauseFunc
}

func (b *watched) Read(p []byte) (int, error) {
	b.watch.Reset(silence)
	n, err := b.ReadCloser.Read(p)
	return n, b.explain(err)
}

func (b *watched) Close() error {
	b.stop()
	return b.ReadCloser.Close()
}

func (b *watched) stop() {
	b.watch.Stop()
	b.cancel(nil)
}

func (b *watched) explain(err error) error {
	if err != nil && errors.Is(context.Cause(b.ctx), errSilent) {
		return errSilent
	}
	return err
}
