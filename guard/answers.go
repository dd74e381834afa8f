package guard

import (
	"crypto/sha256"
	"sync"
	"time"
)

// answers keeps what is known of tokens until they end. Tokens are kept as digests.
type answers struct {
	mu       sync.Mutex
	limit    int
	byToken  map[[32]byte]kept
	byHandle map[string]map[[32]byte]struct{}
	// ended are the handles that ended lately, and until when to remember them: longer
	// than any token lives, so that a JWT with one of them is never taken again.
	ended map[string]time.Time
	// since counts the batches of endings and forgetting.
	since uint64
	swept time.Time
}

type kept struct {
	answer
	until time.Time
}

func newAnswers(limit int) *answers {
	return &answers{limit: limit, byToken: map[[32]byte]kept{}, byHandle: map[string]map[[32]byte]struct{}{}, ended: map[string]time.Time{}}
}

// rememberEnded is longer than access tokens live, and than clocks differ.
const rememberEnded = 2 * time.Hour

func (a *answers) get(token string, now time.Time) (answer, bool) {
	key := sha256.Sum256([]byte(token))
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.byToken[key]
	return k.answer, ok && now.Before(k.until)
}

// mark is a moment to compare with in putSince.
func (a *answers) mark() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.since
}

// putSince keeps an answer that was asked for at a marked moment, unless something
// ended in the meantime: the answer may be older than that ending.
func (a *answers) putSince(mark uint64, token string, v answer, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since == mark {
		a.keep(token, v, now)
	}
}

// put keeps an answer that follows from the token itself.
func (a *answers) put(token string, v answer, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep(token, v, now)
}

func (a *answers) keep(token string, v answer, now time.Time) {
	if len(v.handles) == 0 || a.anyEnded(v.handles) {
		return // a server that lags behind: ask it each time
	}
	if len(a.byToken) >= a.limit {
		a.sweep(now)
	}
	for key := range a.byToken {
		if len(a.byToken) < a.limit {
			break
		}
		a.drop(key)
	}
	key := sha256.Sum256([]byte(token))
	a.byToken[key] = kept{v, v.principal.ExpiresAt}
	for _, h := range v.handles {
		if a.byHandle[h] == nil {
			a.byHandle[h] = map[[32]byte]struct{}{}
		}
		a.byHandle[h][key] = struct{}{}
	}
}

// hasEnded reports whether a token with these handles has ended.
func (a *answers) hasEnded(handles []string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.anyEnded(handles)
}

func (a *answers) anyEnded(handles []string) bool {
	for _, h := range handles {
		if _, ok := a.ended[h]; ok {
			return true
		}
	}
	return false
}

// end drops the answers of what has ended.
func (a *answers) end(handles []string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(handles) == 0 {
		return
	}
	a.since++
	for _, h := range handles {
		a.ended[h] = now.Add(rememberEnded)
		for key := range a.byHandle[h] {
			a.drop(key)
		}
	}
	if now.Sub(a.swept) > time.Minute {
		a.sweep(now)
	}
}

// forget drops everything.
func (a *answers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since++
	clear(a.byToken)
	clear(a.byHandle)
}

func (a *answers) sweep(now time.Time) {
	a.swept = now
	for key, k := range a.byToken {
		if !now.Before(k.until) {
			a.drop(key)
		}
	}
	for h, until := range a.ended {
		if !now.Before(until) {
			delete(a.ended, h)
		}
	}
}

func (a *answers) drop(key [32]byte) {
	for _, h := range a.byToken[key].handles {
		if delete(a.byHandle[h], key); len(a.byHandle[h]) == 0 {
			delete(a.byHandle, h)
		}
	}
	delete(a.byToken, key)
}
