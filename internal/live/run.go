package live

import (
	"context"
	"sync"
	"time"
)

// How often the feed is read when nobody tells that it has moved. While this process
// listens to the database that is seldom, and only for what may not have been heard.
const (
	pollEvery       = 200 * time.Millisecond
	pollEveryHeard  = 400 * time.Millisecond
	pollWithin      = Bound - pollEveryHeard // so that one that fails leaves time for another
	pollApart       = 10 * time.Millisecond  // at least, however much is told
	listenAgainIn   = 100 * time.Millisecond // after the connection was lost; doubled with each failure
	listenAgainMost = 10 * time.Second
)

// Run follows the feed and flushes what was gathered until ctx ends. It flushes
// once more before it returns.
func (v *View) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { v.flushUntil(ctx) })
	heard := make(chan struct{}, 1)
	wg.Go(func() { v.listen(ctx, heard) })
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	down := false
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-heard:
			time.Sleep(pollApart - time.Since(last)) // less than anybody notices, so ctx can wait
		}
		last = time.Now()
		err := v.poll(ctx)
		v.failure.Store(&err)
		switch {
		case err == nil && down:
			down = false
			v.log.Info("feed of changes is followed again")
		case err != nil && !down && ctx.Err() == nil:
			down = true
			v.log.Warn("feed of changes cannot be followed: reading through to the database", "error", err)
		}
		if v.hears.Load() && !down {
			timer.Reset(pollEveryHeard)
		} else {
			timer.Reset(pollEvery)
		}
	}
}

// listen has the database tell when the feed moves, until ctx ends. What is not heard
// is found by the poll, so losing the connection is worth a line and no more.
func (v *View) listen(ctx context.Context, heard chan<- struct{}) {
	again, told := listenAgainIn, false
	for {
		err := v.store.Listen(ctx, func() {
			v.hears.Store(true)
			again, told = listenAgainIn, false
			select {
			case heard <- struct{}{}:
			default: // a poll is due already
			}
		})
		v.hears.Store(false)
		if ctx.Err() != nil {
			return
		}
		if !told {
			told = true
			v.log.Info("notifications of the database are not heard: the feed is polled", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
		again = min(2*again, listenAgainMost)
	}
}

// ClockAhead is how far the database's clock was ahead of this machine's when the
// feed was last read.
func (v *View) ClockAhead() time.Duration { return time.Duration(v.clockAhead.Load()) }

// Failure is why the feed could not be read last, or nil.
func (v *View) Failure() error {
	if err := v.failure.Load(); err != nil {
		return *err
	}
	return nil
}
