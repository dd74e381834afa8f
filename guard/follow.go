package guard

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// follower knows how well the endings are followed.
type follower struct {
	mu sync.Mutex
	// asked is when the last request began that was answered; zero: none was.
	asked time.Time
	// since is from when on every ending is known; zero when none is.
	since time.Time
}

// trusted reports whether what is kept can be relied on.
func (f *follower) trusted(now time.Time, maxStale time.Duration) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.asked.IsZero() && now.Sub(f.asked) < maxStale
}

// knows reports whether every ending since t is known.
func (f *follower) knows(t time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.since.IsZero() && t.After(f.since)
}

func (f *follower) answered(asked time.Time, reset bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = asked
	if reset || f.since.IsZero() {
		f.since = asked
	}
}

// Run follows the endings until ctx ends. Without it every token is asked for at each
// request.
func (g *Guard) Run(ctx context.Context) {
	after, down := "", false
	for ctx.Err() == nil {
		asked := g.options.Now()
		next, err := g.followOnce(ctx, after, asked)
		switch {
		case err == nil:
			if after = next; down {
				down = false
				g.options.Logger.Info("endings of tokens are followed again")
			}
			continue
		case ctx.Err() != nil:
			return
		case !down:
			down = true
			g.options.Logger.Warn("endings of tokens cannot be followed: asking for each token", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// longestWait is less than the timeout of any sensible client, and than the server
// allows.
const longestWait = 5 * time.Second

// followOnce asks what has ended since after, waiting a third of what an answer may
// be old at most: so one answer that is late does not cost the trust.
func (g *Guard) followOnce(ctx context.Context, after string, asked time.Time) (next string, err error) {
	wait := int(min(g.options.MaxStale/3, longestWait) / time.Second)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Second+g.options.MaxStale)
	defer cancel()
	query := url.Values{"after": {after}, "wait": {strconv.Itoa(wait)}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.options.Issuer+"/oauth2/changes?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	g.authenticate(r)
	var told struct {
		Reset bool     `json:"reset"`
		Ended []string `json:"ended"`
		Next  string   `json:"next"`
	}
	if err := g.ask(r, &told); err != nil {
		return "", err
	}
	if told.Reset {
		g.answers.forget()
	}
	g.answers.end(told.Ended, asked)
	g.follow.answered(asked, told.Reset)
	return told.Next, nil
}
