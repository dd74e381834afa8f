package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatelodge/internal/account"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store/storetest"
)

// The store decides as account.Rate does, whatever comes.
func TestTakeIsRateTake(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			w := storetest.New(t, dialect)
			bucket := 0
			rapid.Check(t, func(rt *rapid.T) {
				bucket++
				key := account.ThrottleKey("test", fmt.Sprint(bucket))
				rate := account.Rate{Burst: rapid.IntRange(1, 4).Draw(rt, "burst"), Every: time.Duration(rapid.IntRange(1, 100).Draw(rt, "every")) * time.Second}
				now := storetest.Now()
				var fullAt time.Time
				for range rapid.IntRange(1, 12).Draw(rt, "steps") {
					// Clocks jump; whole hours ahead the bucket has a wrong clock's moment.
					now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 7, 50, 200, -5, -7200}).Draw(rt, "passed")) * time.Second)
					switch rapid.IntRange(0, 9).Draw(rt, "what") {
					case 0:
						if err := w.Store.Forgive(t.Context(), key); err != nil {
							rt.Fatal(err)
						}
						fullAt = time.Time{}
						continue
					case 1:
						if err := w.Store.GiveBack(t.Context(), key, rate); err != nil {
							rt.Fatal(err)
						}
						if !fullAt.IsZero() {
							fullAt = fullAt.Add(-rate.Every)
						}
						continue
					}
					var want time.Duration
					fullAt, want = rate.Take(fullAt, now)
					got, err := w.Store.Take(t.Context(), key, rate, now)
					if err != nil || max(got, 0) != max(want, 0) {
						rt.Fatalf("wait %v, %v; want %v", got, err, want)
					}
				}
			})
		})
	}
}

// However many ask at the same moment, from two processes, the bucket gives what it
// has and no more.
func TestTakeRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		other := w.Again(t)
		rate := account.Rate{Burst: 5, Every: time.Minute}
		for round := range 3 {
			key := account.ThrottleKey("test", fmt.Sprint(round))
			var taken atomic.Int64
			for _, err := range race(16, func(i int) error {
				wait, err := []*storetest.World{w, other}[i%2].Store.Take(t.Context(), key, rate, storetest.Now())
				if wait == 0 && err == nil {
					taken.Add(1)
				} else if wait != time.Minute && err == nil {
					t.Errorf("wait %v, want 1m", wait)
				}
				return err
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			if n := taken.Load(); n != 5 {
				t.Errorf("%d taken of 5", n)
			}
		}
	})
}

// Many keys at the same moment, each taking rows away that have expired: nobody
// waits for another in a circle.
func TestTakeManyKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		rate := account.Rate{Burst: 1, Every: time.Second}
		for _, err := range race(16, func(i int) error {
			for round := range 12 {
				now := storetest.Now().Add(time.Duration(round) * time.Minute)
				if _, err := w.Store.Take(t.Context(), account.ThrottleKey("test", fmt.Sprint((i*7+round)%16)), rate, now); err != nil {
					return err
				}
			}
			return nil
		}) {
			if err != nil {
				t.Error(err)
			}
		}
	})
}
