package hatest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// journal is what the clients know: what was acknowledged to them, what was not, and
// when.
type journal struct {
	t     *testing.T
	stop  chan struct{}
	once  sync.Once
	mu    sync.Mutex
	good  map[string][]time.Time // kind of request → when it was acknowledged
	later map[string]int         // kind of request → answers 503
	// Requests that were answered 503 and turn out to have been carried out, by what
	// became of them when they were sent again.
	settled map[string]int

	redeemed []redeemed
	families []*family
	edits    []*edited
	removed  []removed
}

// redeemed is a code whose exchange was acknowledged.
type redeemed struct {
	app                     application
	code, verifier, refresh string
}

// family is a refresh token that is good for one use, and its successors.
type family struct {
	app  application
	last string // the newest that was acknowledged
	used string // the one before
}

// edited is a text that one editor writes a number into.
type edited struct {
	app         application
	tried, done int
}

// removed is a consent that its user has taken back.
type removed struct {
	app     application
	refresh string
}

func newJournal(t *testing.T) *journal {
	return &journal{t: t, stop: make(chan struct{}), good: map[string][]time.Time{}, later: map[string]int{}, settled: map[string]int{}}
}

// end stops those who write it.
func (j *journal) end() { j.once.Do(func() { close(j.stop) }) }

func (j *journal) stopped() bool {
	select {
	case <-j.stop:
		return true
	default:
		return false
	}
}

// acknowledged notes a good answer, and keep what it promised.
func (j *journal) acknowledged(kind string, keep func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.good[kind] = append(j.good[kind], time.Now())
	if keep != nil {
		keep()
	}
}

// note counts what became of a request that had been put off.
func (j *journal) note(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.settled[what]++
}

// since gives the kinds that were acknowledged after a time, in order.
func (j *journal) since(from time.Time) (kinds []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for kind, times := range j.good {
		if times[len(times)-1].After(from) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// pause is the longest time without a good answer of a kind.
func (j *journal) pause(kind string) (longest time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	times := slices.Clone(j.good[kind])
	slices.SortFunc(times, time.Time.Compare)
	for i := range times[1:] {
		longest = max(longest, times[i+1].Sub(times[i]))
	}
	return longest
}

func (j *journal) report() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := ""
	for _, kind := range kinds {
		text += fmt.Sprintf("\n  %-20s %6d acknowledged, %5d times 503", kind, len(j.good[kind]), j.later[kind])
	}
	return text + fmt.Sprintf("\n  after a 503: %v", j.settled)
}
