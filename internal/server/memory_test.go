package server

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWhenQuiet(t *testing.T) {
	if whenQuiet(nil) != nil {
		t.Error("something is called to free nothing")
	}
	synctest.Test(t, func(t *testing.T) {
		freed := 0
		checked := whenQuiet(func() { freed++ })
		for _, step := range []struct {
			check bool
			wait  time.Duration
			freed int
		}{
			{false, 2 * time.Hour, 0},
			{true, quietAfter - time.Second, 0},
			{true, quietAfter - time.Second, 0}, // not quiet since the first one
			{false, 2 * time.Second, 1},
			{false, time.Hour, 1},
			{true, quietAfter + time.Second, 2},
		} {
			if step.check {
				checked()
			}
			time.Sleep(step.wait)
			synctest.Wait()
			if freed != step.freed {
				t.Errorf("freed %d times after %+v", freed, step)
			}
		}
	})
}
