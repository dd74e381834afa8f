package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// initialToken makes a token that is good for so many uses and an hour.
func initialToken(t *testing.T, w *storetest.World, developerID int64, uses int64) (k registry.InitialToken, digest [32]byte) {
	t.Helper()
	digest = registry.Digest(registry.NewInitialToken())
	k, err := w.Store.CreateInitialToken(t.Context(), registry.InitialToken{
		DeveloperID: developerID, Label: "build server", UsesLeft: uses, ExpiresAt: storetest.Now().Add(time.Hour),
	}, digest, storetest.By(0))
	if err != nil {
		t.Fatal(err)
	}
	return k, digest
}

func applicant(name string) store.NewProfile {
	return store.NewProfile{
		Form: registry.ProfileForm{Name: name}, Settings: registry.Settings{Kind: registry.Native},
		ReturnURLs: []registry.ReturnURL{{Value: "http://127.0.0.1/cb"}}, Granted: scopes(0, 3),
	}
}

func TestRegisterByToken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		k, digest := initialToken(t, w, d.ID, 2)
		p, err := w.Store.Register(t.Context(), applicant("One"), digest, storetest.By(time.Minute))
		if err != nil || p.DeveloperID != d.ID {
			t.Fatalf("developer %d, %v", p.DeveloperID, err)
		}
		got, err := w.Store.Profile(t.Context(), d.ID, p.Application)
		if err != nil || !got.Dynamic || got.Granted != scopes(0, 3) || len(got.Secrets) != 0 || len(got.ReturnURLs) != 1 || got.Settings.Kind != registry.Native {
			t.Errorf("%+v, %v", got, err)
		}
		if events, err := w.Store.ProfileEvents(t.Context(), p.ID, 5); err != nil || len(events) != 1 || events[0].Kind != audit.ProfileRegistered {
			t.Errorf("%+v, %v", events, err)
		}
		if left, err := w.Store.InitialToken(t.Context(), digest, storetest.Now()); err != nil || left.UsesLeft != 1 || left.ID != k.ID {
			t.Errorf("%+v, %v", left, err)
		}
		// Over, unknown, used up, revoked: all the same.
		register := func(digest [32]byte, after time.Duration) error {
			_, err := w.Store.Register(t.Context(), applicant("Two"), digest, storetest.By(after))
			return err
		}
		wantErr(t, "expired", register(digest, time.Hour), store.ErrNotFound)
		wantErr(t, "unknown", register([32]byte{1}, 0), store.ErrNotFound)
		wantErr(t, "last use", register(digest, time.Minute), nil)
		wantErr(t, "used up", register(digest, time.Minute), store.ErrNotFound)
		_, err = w.Store.InitialToken(t.Context(), digest, storetest.Now())
		wantErr(t, "read when used up", err, store.ErrNotFound)
		other, otherDigest := initialToken(t, w, d.ID, 1)
		wantErr(t, "revoke", w.Store.RevokeInitialToken(t.Context(), other.ID, storetest.By(0)), nil)
		wantErr(t, "revoke again", w.Store.RevokeInitialToken(t.Context(), other.ID, storetest.By(0)), store.ErrNotFound)
		wantErr(t, "revoked", register(otherDigest, 0), store.ErrNotFound)
		if n, err := w.Store.CountProfiles(t.Context(), d.ID); err != nil || n != 2 {
			t.Errorf("%d profiles, %v", n, err)
		}
		if all, err := w.Store.InitialTokens(t.Context()); err != nil || len(all) != 1 || all[0].UsesLeft != 0 || all[0].Live(storetest.Now()) {
			t.Errorf("%+v, %v", all, err)
		}
		wantNoOrphans(t, w)
	})
}

// Tokens that ended long ago go when another is made.
func TestInitialTokensExpire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		initialToken(t, w, d.ID, 1)
		// The first is over after an hour, and listed for a month more.
		for _, days := range []int{20, 40} {
			after := time.Duration(days) * 24 * time.Hour
			if _, err := w.Store.CreateInitialToken(t.Context(), registry.InitialToken{
				DeveloperID: d.ID, UsesLeft: 1, ExpiresAt: storetest.Now().Add(after + time.Hour),
			}, [32]byte{byte(days)}, storetest.By(after)); err != nil {
				t.Fatal(err)
			}
			if n := w.Count(t, `initial_tokens`); n != 2 {
				t.Errorf("after %d days: %d tokens, want 2", days, n)
			}
		}
	})
}

// However many come with it at the same moment, from two processes, the last use of
// a token is one's.
func TestLastUseOfToken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		again := w.Again(t)
		for round := range 3 {
			_, digest := initialToken(t, w, d.ID, 1)
			var won, lost atomic.Int64
			var wg sync.WaitGroup
			for i := range 16 {
				s := w.Store
				if i%2 == 0 {
					s = again.Store
				}
				wg.Go(func() {
					switch _, err := s.Register(t.Context(), applicant(fmt.Sprint("App ", i)), digest, storetest.By(time.Duration(round)*time.Minute)); {
					case err == nil:
						won.Add(1)
					case errors.Is(err, store.ErrNotFound):
						lost.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || lost.Load() != 15 {
				t.Errorf("%d have registered, %d were refused", won.Load(), lost.Load())
			}
		}
		if n := w.Count(t, `profiles`); n != 3 {
			t.Errorf("%d profiles", n)
		}
	})
}

// TestRegisterOpen: each in a developer account of its own, and the oldest that
// nobody uses makes room.
func TestRegisterOpen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		const most = 3
		register := func(after time.Duration) (registry.SecurityProfile, error) {
			n := applicant("App")
			n.Logo = logo(7)
			return w.Store.RegisterOpen(t.Context(), n, most, storetest.By(after))
		}
		must := func(after time.Duration) registry.SecurityProfile {
			t.Helper()
			p, err := register(after)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		there := func(p registry.SecurityProfile) bool {
			t.Helper()
			got, _, err := w.Store.ProfileByID(t.Context(), p.ID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			return err == nil && got.Dynamic
		}
		used, consented, unused := must(0), must(time.Minute), must(2*time.Minute)
		if used.DeveloperID == consented.DeveloperID || used.DeveloperID == unused.DeveloperID {
			t.Error("two share a developer account")
		}
		if err := w.Store.FlushUsage(t.Context(), store.Usage{Profiles: map[int64]time.Time{used.ID: storetest.Now()}}); err != nil {
			t.Fatal(err)
		}
		allow(t, w, w.Account(t, "ada@example.com").ID, consented.ID)
		next := must(3 * time.Minute)
		if !there(used) || !there(consented) || there(unused) || !there(next) {
			t.Errorf("left are %v %v %v %v", there(used), there(consented), there(unused), there(next))
		}
		allow(t, w, w.Account(t, "bob@example.com").ID, next.ID)
		_, err := register(4 * time.Minute)
		wantErr(t, "all in use", err, store.ErrTooMany)
		wantNoOrphans(t, w)

		// Deleting one deletes its developer account.
		if err := w.Store.DeleteProfile(t.Context(), next.DeveloperID, next.ID, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		late := must(5 * time.Minute)
		wantNoOrphans(t, w)
		if n := w.Count(t, `developers`); n != 3 {
			t.Errorf("%d developer accounts", n)
		}
		// After a day nobody has used it.
		if err := w.Store.DeleteProfile(t.Context(), used.DeveloperID, used.ID, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		after := must(25 * time.Hour)
		if there(late) || !there(consented) || !there(after) {
			t.Errorf("after a day %v %v %v", there(late), there(consented), there(after))
		}
		wantNoOrphans(t, w)
	})
}

// The total holds against sixteen at once.
func TestRegisterOpenRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		again := w.Again(t)
		user := w.Account(t, "ada@example.com")
		for range 3 {
			p, err := w.Store.RegisterOpen(t.Context(), applicant("App"), 5, storetest.By(0))
			if err != nil {
				t.Fatal(err)
			}
			allow(t, w, user.ID, p.ID)
		}
		var wg sync.WaitGroup
		for i := range 16 {
			s := w.Store
			if i%2 == 0 {
				s = again.Store
			}
			wg.Go(func() {
				if _, err := s.RegisterOpen(t.Context(), applicant("App"), 5, storetest.By(time.Second)); err != nil && !errors.Is(err, store.ErrTooMany) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := w.Count(t, `profiles`); n != 5 {
			t.Errorf("%d applications, want 5", n)
		}
		wantNoOrphans(t, w)
	})
}

func TestFaultsInRegister(t *testing.T) {
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		_, d := w.Developer(t, fmt.Sprintf("dev%d@example.com", mark))
		k, digest := initialToken(t, w, d.ID, 1)
		return flow{
			do: func() error {
				_, err := w.Store.Register(t.Context(), applicant("App"), digest, storetest.By(0))
				return err
			},
			check: func(t *testing.T, err error) {
				profiles := w.Count(t, `profiles WHERE developer_id = $1`, d.ID)
				left := w.Count(t, `initial_tokens WHERE id = $1 AND uses_left = 1`, k.ID)
				if profiles+left != 1 || err == nil && profiles != 1 {
					t.Errorf("%d profiles, %d uses left, told %v", profiles, left, err)
				}
			},
		}
	})
}
