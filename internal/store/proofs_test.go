package store_test

import (
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func TestUseProof(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		now, until := storetest.Now(), storetest.Now().Add(time.Minute)
		for i, tc := range []struct {
			digest byte
			at     time.Duration
			first  bool
		}{
			{1, 0, true}, {1, 0, false}, {2, 0, true}, {1, time.Second, false}, {2, 59 * time.Second, false},
			// It is never taken again, even if nobody has cleaned up behind it.
			{1, time.Hour, false}, {3, time.Hour, true},
		} {
			first, err := w.Store.UseProof(t.Context(), [32]byte{tc.digest}, until.Add(tc.at), now.Add(tc.at))
			if first != tc.first || err != nil {
				t.Errorf("use %d: %v, %v; want %v", i, first, err, tc.first)
			}
		}
		if n := w.Count(t, `proofs`); n != 1 {
			t.Errorf("%d proofs are kept, want the one that has not expired", n)
		}
	})
}

func TestUseProofRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		other := w.Again(t) // half of them come from another process
		for round := range 5 {
			first := make([]bool, 16)
			for _, err := range race(16, func(i int) (err error) {
				from := []*storetest.World{w, other}[i%2]
				first[i], err = from.Store.UseProof(t.Context(), [32]byte{byte(round)}, storetest.Now().Add(time.Minute), storetest.Now())
				return err
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			winners := 0
			for _, won := range first {
				if won {
					winners++
				}
			}
			if winners != 1 {
				t.Errorf("%d were the first", winners)
			}
		}
	})
}

// Whatever fails, a proof is good for one request at most, and the one whose answer
// from the database was lost finds its own row.
func TestFaultsInUseProof(t *testing.T) {
	use := func(t *testing.T, w *storetest.World, mark byte) (bool, error) {
		return w.Store.UseProof(t.Context(), [32]byte{mark}, storetest.Now().Add(time.Minute), storetest.Now())
	}
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		var first bool
		return flow{
			do: func() (err error) {
				first, err = use(t, w, mark)
				return err
			},
			check: func(t *testing.T, err error) {
				if (err == nil) != first {
					t.Errorf("the first use: %v, %v", first, err)
				}
				second, err := use(t, w, mark)
				if err != nil || second && first {
					t.Errorf("first %v, then %v, %v", first, second, err)
				}
				if third, err := use(t, w, mark); third || err != nil {
					t.Errorf("the third use: %v, %v", third, err)
				}
			},
		}
	})
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		for i, outcome := range []faultdb.Outcome{faultdb.FailedButApplied, faultdb.Failed} {
			w.Faults.Fail(1, outcome, faultdb.Commit)
			if first, err := use(t, w, byte(100+i)); !first || err != nil {
				t.Errorf("outcome %d: %v, %v", outcome, first, err)
			}
		}
		w.Faults.Fail(1, faultdb.FailedButApplied, faultdb.Commit)
		if first, err := use(t, w, 100); first || err != nil {
			t.Errorf("another's row: %v, %v", first, err)
		}
	})
}

func TestPushedRequests(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		_, d := w.Developer(t, "dev@example.com")
		mine, _ := w.Profile(t, d.ID, "Mine")
		other, _ := w.Profile(t, d.ID, "Other")
		push := func(mark byte) [32]byte {
			t.Helper()
			id := [32]byte{mark}
			if err := w.Store.PushRequest(ctx, id, mine.ID, []byte{mark, 0, 0xff}, now); err != nil {
				t.Fatal(err)
			}
			return id
		}
		taken := func(what string, id [32]byte, profileID int64, after time.Duration, want string) {
			t.Helper()
			got, err := w.Store.TakeRequest(ctx, id, profileID, now.Add(after))
			if want == "" {
				wantErr(t, what, err, store.ErrNotFound)
			} else if err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", what, got, err)
			}
		}
		first, late, last := push(1), push(2), push(3)
		taken("another profile's", first, other.ID, 0, "")
		taken("one's own", first, mine.ID, 0, "\x01\x00\xff")
		taken("a second time", first, mine.ID, 0, "")
		taken("when it has expired", late, mine.ID, store.PushedLifetime, "")
		taken("just before", last, mine.ID, store.PushedLifetime-1, "\x03\x00\xff")
		taken("one that never was", [32]byte{9}, mine.ID, 0, "")
		wantErr(t, "for a profile that is no more", w.Store.PushRequest(ctx, [32]byte{4}, 1, []byte("x"), now), store.ErrNotFound)
		if err := w.Store.DeleteProfile(ctx, d.ID, mine.ID, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, `pushed_requests`); n != 0 {
			t.Errorf("%d requests outlive their profile", n)
		}
	})
}

// One of sixteen browsers gets the request, at whichever server.
func TestTakeRequestRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		other := w.Again(t)
		for round := range 5 {
			id := [32]byte{byte(round)}
			if err := w.Store.PushRequest(t.Context(), id, p.ID, []byte("sealed"), storetest.Now()); err != nil {
				t.Fatal(err)
			}
			got := 0
			for _, err := range race(16, func(i int) error {
				_, err := []*storetest.World{w, other}[i%2].Store.TakeRequest(t.Context(), id, p.ID, storetest.Now())
				return err
			}) {
				if err == nil {
					got++
				} else {
					wantErr(t, "a loser", err, store.ErrNotFound)
				}
			}
			if got != 1 {
				t.Errorf("%d got it", got)
			}
		}
	})
}
