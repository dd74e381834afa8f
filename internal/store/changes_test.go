package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/account"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// newest is the place in the feed now.
func newest(t testing.TB, s *store.Store) store.Cursor {
	t.Helper()
	f, err := s.Changes(t.Context(), store.Cursor{})
	if err != nil || !f.Reload {
		t.Fatalf("a reader who comes new: %+v, %v", f, err)
	}
	return f.Next
}

// Everything that a hot path must respect is told, with what it concerns.
func TestWhatChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		ann := w.Account(t, "ann@example.com")
		dev, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		g := allow(t, w, ann.ID, p.ID)
		_, one := account.NewSession(ann.ID, "", "", by.At)
		_, two := account.NewSession(ann.ID, "", "", by.At)
		for _, s := range []account.Session{one, two} {
			if err := w.Store.CreateSession(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		secret, err := w.Store.AddSecret(ctx, d.ID, p.ID, "second", by)
		if err != nil {
			t.Fatal(err)
		}
		redeem := func(code byte) error {
			return errOf(w.Store.Redeem(ctx, store.Redeem{Code: [12]byte{code}, GrantID: g.ID}, by.At))
		}
		id := func(kind store.ChangeKind, id int64) string { return fmt.Sprint(kind, " ", id) }
		session := func(s account.Session) string { return fmt.Sprint(store.SessionChanged, " ", s.Digest[0]) }
		for _, tc := range []struct {
			name string
			do   func() error
			want []string
		}{
			{"account saved", func() error { return w.Store.UpdateAccount(ctx, ann.ID, 1, store.AccountDetails{Name: "A"}, by) }, []string{id(store.AccountChanged, ann.ID)}},
			{"address changed", func() error { return w.Store.ChangeEmail(ctx, ann.ID, "a@b.c", "a@b.c", time.Time{}, by) }, []string{id(store.AccountChanged, ann.ID)}},
			{"address confirmed", func() error { return w.Store.ConfirmEmail(ctx, ann.ID, "a@b.c", by) }, []string{id(store.AccountChanged, ann.ID)}},
			{"address confirmed again", func() error { return w.Store.ConfirmEmail(ctx, ann.ID, "a@b.c", by) }, nil},
			{"profile saved", func() error {
				return w.Store.UpdateProfile(ctx, d.ID, p.ID, 1, registry.ProfileForm{Name: "n"}, store.LogoChange{}, by)
			}, []string{id(store.ProfileChanged, p.ID)}},
			{"settings saved", func() error { return w.Store.SaveWebSettings(ctx, d.ID, p.ID, 2, nil, nil, by) }, []string{id(store.ProfileChanged, p.ID)}},
			{"secret ended", func() error { return w.Store.EndSecret(ctx, d.ID, p.ID, secret.ID, by.At, by) }, []string{id(store.ProfileChanged, p.ID)}},
			{"secret added", func() error { return errOf(w.Store.AddSecret(ctx, d.ID, p.ID, "third", by)) }, []string{id(store.ProfileChanged, p.ID)}},
			{"secret shown", func() error { return errOf(w.Store.ShowSecret(ctx, d.ID, p.ID, p.Secrets[0].ID, by)) }, nil},
			{"profile suspended", func() error { return w.Store.SetProfileSuspended(ctx, p.ID, by.At, by) }, []string{id(store.ProfileChanged, p.ID)}},
			{"profile resumed", func() error { return w.Store.SetProfileSuspended(ctx, p.ID, time.Time{}, by) }, []string{id(store.ProfileChanged, p.ID)}},
			{"allowed", func() error {
				return errOf(w.Store.Allow(ctx, store.Allowance{AccountID: ann.ID, ProfileID: p.ID, Asked: scopes(1), Allowed: scopes(1)}, by))
			}, []string{id(store.GrantChanged, g.ID)}},
			{"redeemed", func() error { return redeem(1) }, nil},
			{"redeemed twice", func() error { return redeem(1) }, []string{id(store.GrantChanged, g.ID)}},
			{"redeemed once more", func() error { return redeem(1) }, nil},
			{"session touched", func() error {
				return w.Store.TouchSession(ctx, one.Digest, by.At.Add(time.Hour), by.At.Add(2*time.Hour))
			}, []string{session(one)}},
			{"password given again", func() error { return w.Store.ReauthenticateSession(ctx, one.Digest, by.At) }, []string{session(one)}},
			{"session ended", func() error { return w.Store.EndSession(ctx, ann.ID, one.Digest, by) }, []string{session(one)}},
			{"session ended again", func() error { return w.Store.EndSession(ctx, ann.ID, one.Digest, by) }, nil},
			{"password changed", func() error { return w.Store.ChangePassword(ctx, ann.ID, "h", [32]byte{}, by) }, []string{session(two), id(store.AccountChanged, ann.ID)}},
			{"grant removed", func() error { return w.Store.RemoveGrant(ctx, ann.ID, g.ID, by) }, []string{id(store.GrantChanged, g.ID)}},
			{"account disabled", func() error { return w.Store.SetAccountDisabled(ctx, ann.ID, by.At, by) }, []string{id(store.AccountChanged, ann.ID)}},
			{"key rotated", func() error { return errOf(w.Store.RotateSealingKey(ctx, by.At, by)) }, []string{id(store.KeysChanged, 2)}},
			{"last used", func() error { return w.Store.FlushUsage(ctx, store.Usage{Profiles: map[int64]time.Time{p.ID: by.At}}) }, nil},
			{"developer deleted", func() error { return w.Store.DeleteAccount(ctx, dev.ID, by) }, []string{id(store.ProfileChanged, p.ID), id(store.AccountChanged, dev.ID)}},
		} {
			before := newest(t, w.Store)
			if err := tc.do(); err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			f, err := w.Store.Changes(ctx, before)
			if err != nil || f.Reload {
				t.Fatalf("%s: %+v, %v", tc.name, f, err)
			}
			var got []string
			for i, c := range f.Changes {
				subject := c.ID()
				if c.Kind == store.SessionChanged {
					subject = int64(c.Subject[0])
				}
				got = append(got, id(c.Kind, subject))
				if want := before.Number + int64(i) + 1; c.Number != want {
					t.Errorf("%s: number %d, want %d", tc.name, c.Number, want)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.name, diff)
			}
			if want := before.Number + int64(len(tc.want)); f.Next.Number != want || f.Next.Epoch != before.Epoch {
				t.Errorf("%s: next is %d, want %d", tc.name, f.Next.Number, want)
			}
		}
	})
}

// Whoever follows the feed while many write, some of them in another process, gets
// every number once and in order, and each no sooner than what it tells of.
func TestFeedIsInCommitOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		const writers, saves = 8, 15
		other, reader := w.Again(t), w.Again(t)
		var ids []int64
		for i := range writers {
			ids = append(ids, w.Account(t, fmt.Sprintf("user%d@example.com", i)).ID)
		}
		at := newest(t, w.Store)
		start := at.Number
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				from := []*storetest.World{w, other}[i%2]
				for version := range int64(saves) {
					if err := from.Store.UpdateAccount(t.Context(), id, version+1, store.AccountDetails{Name: fmt.Sprint(version + 2)}, storetest.By(0)); err != nil {
						t.Error(err)
					}
					if version%4 == 0 { // its number is given back
						wantErr(t, "over an old version", from.Store.UpdateAccount(t.Context(), id, 0, store.AccountDetails{}, storetest.By(0)), store.ErrStale)
					}
				}
			})
		}
		told := map[int64]int64{} // account → changes seen
		for deadline := time.Now().Add(20 * time.Second); at.Number < start+writers*saves && time.Now().Before(deadline); {
			f, err := reader.Store.Changes(t.Context(), at)
			if err != nil || f.Reload {
				t.Fatalf("%+v, %v", f, err)
			}
			for i, c := range f.Changes {
				if want := at.Number + int64(i) + 1; c.Number != want {
					t.Fatalf("number %d follows %d", c.Number, want-1)
				}
				told[c.ID()]++
			}
			if last := at.Number + int64(len(f.Changes)); f.Next.Number != last {
				t.Fatalf("goes on at %d, has seen %d", f.Next.Number, last)
			}
			at = f.Next
			if len(f.Changes) > 0 {
				id := f.Changes[len(f.Changes)-1].ID()
				if a, err := reader.Store.Account(t.Context(), id); err != nil || a.Version < told[id]+1 {
					t.Fatalf("told of %d changes, and reads version %d (%v)", told[id], a.Version, err)
				}
			}
		}
		wg.Wait()
		for _, id := range ids {
			if told[id] != saves {
				t.Errorf("told %d times of %d saves", told[id], saves)
			}
		}
	})
}

// The feed keeps a fixed number of entries, and a few more until it is trimmed again. A reader that is no further behind
// misses none; one that is has to forget everything.
func TestFeedIsTrimmed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a := w.Account(t, "ann@example.com")
		before := newest(t, w.Store)
		w.Exec(t, `INSERT INTO changes (number, kind, subject) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			SELECT feed.newest + n.i, 3, feed.epoch FROM n, feed`, store.KeptChanges-1)
		w.Exec(t, `UPDATE feed SET newest = newest + $1`, store.KeptChanges-1)
		change := func(version int64) {
			if err := w.Store.UpdateAccount(t.Context(), a.ID, version, store.AccountDetails{}, storetest.By(0)); err != nil {
				t.Fatal(err)
			}
		}
		change(1)
		f, err := w.Store.Changes(t.Context(), before)
		if err != nil || f.Reload || len(f.Changes) != store.KeptChanges || f.Next.Number != before.Number+store.KeptChanges {
			t.Errorf("as far behind as may be: %d changes, reload %v, %v", len(f.Changes), f.Reload, err)
		}
		change(2)
		f, err = w.Store.Changes(t.Context(), before)
		if err != nil || !f.Reload || len(f.Changes) != 0 || f.Next.Number != before.Number+store.KeptChanges+1 {
			t.Errorf("further behind: %d changes to %v, reload %v, %v", len(f.Changes), f.Next, f.Reload, err)
		}
		for version := range int64(store.TrimEvery) {
			change(3 + version)
		}
		if n := w.Count(t, `changes`); n < store.KeptChanges || n >= store.KeptChanges+store.TrimEvery {
			t.Errorf("%d changes are kept, want %d and less than %d more", n, store.KeptChanges, store.TrimEvery)
		}
	})
}

func TestFeedOfAnotherLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		w.Account(t, "ann@example.com")
		at := newest(t, w.Store)
		if f, err := w.Store.Changes(t.Context(), at); err != nil || f.Reload || f.Next != at || len(f.Changes) != 0 {
			t.Errorf("nothing new: %+v, %v", f, err)
		}
		for name, cursor := range map[string]store.Cursor{
			"ahead of the newest": {Epoch: at.Epoch, Number: at.Number + 1},
			"another epoch":       {Epoch: "0123456789abcdef", Number: at.Number},
		} {
			if f, err := w.Store.Changes(t.Context(), cursor); err != nil || !f.Reload || f.Next != at {
				t.Errorf("%s: %+v, %v", name, f, err)
			}
		}
	})
}

func TestChangeID(t *testing.T) {
	if got := (store.Change{Subject: "\x00\x00\x00\x00\x00\x00\x01\x02"}).ID(); got != 258 {
		t.Errorf("id %d, want 258", got)
	}
	if got := (store.Change{Kind: store.SessionChanged, Subject: string(slices.Repeat([]byte{1}, 32))}).ID(); got != 0 {
		t.Errorf("a digest as id: %d, want 0", got)
	}
}
