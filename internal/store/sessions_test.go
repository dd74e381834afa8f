package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func TestSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		ann, bob := w.Account(t, "ann@example.com"), w.Account(t, "bob@example.com")
		begin := func(id int64, after time.Duration) account.Session {
			_, s := account.NewSession(id, "Firefox", "192.0.2.1", now.Add(after))
			if err := w.Store.CreateSession(ctx, s); err != nil {
				t.Fatal(err)
			}
			return s
		}
		first, second, bobs := begin(ann.ID, 0), begin(ann.ID, time.Minute), begin(bob.ID, 0)

		got, at, err := w.Store.SessionSnapshot(ctx, first.Digest)
		if diff := cmp.Diff(first, got); diff != "" || err != nil || at.Epoch == "" {
			t.Errorf("read at %v: %v (-want +got)\n%s", at, err, diff)
		}
		_, _, err = w.Store.SessionSnapshot(ctx, [32]byte{1})
		wantErr(t, "a session that is not there", err, store.ErrNotFound)

		list, err := w.Store.Sessions(ctx, ann.ID, now)
		if diff := cmp.Diff([]account.Session{second, first}, list); diff != "" || err != nil {
			t.Errorf("the last used comes first: %v (-want +got)\n%s", err, diff)
		}
		if list, err := w.Store.Sessions(ctx, ann.ID, first.ExpiresAt); len(list) != 1 || err != nil {
			t.Errorf("%d sessions when the first has ended, %v", len(list), err)
		}

		touched := first.Touch(now.Add(time.Hour))
		for _, s := range []account.Session{touched, first} { // the second comes late, and changes nothing
			if err := w.Store.TouchSession(ctx, s.Digest, s.LastSeenAt, s.ExpiresAt); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Store.ReauthenticateSession(ctx, first.Digest, now.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		touched.AuthenticatedAt = now.Add(2 * time.Hour)
		got, _, err = w.Store.SessionSnapshot(ctx, first.Digest)
		if diff := cmp.Diff(touched, got); diff != "" || err != nil {
			t.Errorf("touched: %v (-want +got)\n%s", err, diff)
		}
		wantErr(t, "reauthenticate none", w.Store.ReauthenticateSession(ctx, [32]byte{1}, now), store.ErrNotFound)

		if err := w.Store.EndSession(ctx, bob.ID, first.Digest, storetest.By(0)); err != nil {
			t.Error(err)
		}
		if n := w.Count(t, `sessions`); n != 3 {
			t.Error("bob ended a session of ann")
		}
		for range 2 {
			if err := w.Store.EndSession(ctx, ann.ID, first.Digest, storetest.By(0)); err != nil {
				t.Error(err)
			}
		}
		third := begin(ann.ID, 0)
		if err := w.Store.EndOtherSessions(ctx, ann.ID, third.Digest, storetest.By(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for s, there := range map[account.Session]bool{first: false, second: false, third: true, bobs: true} {
			if _, _, err := w.Store.SessionSnapshot(ctx, s.Digest); (err == nil) != there {
				t.Errorf("session of %d: %v", s.AccountID, err)
			}
		}
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.SessionEnded)); n != 2 {
			t.Errorf("%d ends in the log, want one for each that ended something", n)
		}
	})
}
