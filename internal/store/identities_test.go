package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/account"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func TestHome(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		home := account.Home{Issuer: "https://eu.example.com", Subject: "amzn1.account.HILDA"}
		_, err := w.Store.AccountByHome(ctx, home)
		wantErr(t, "nobody's yet", err, store.ErrNotFound)
		_, err = w.Store.AccountByHome(ctx, account.Home{Issuer: home.Issuer, Subject: "a\x00b"})
		wantErr(t, "what no database holds", err, store.ErrNotFound)

		hilda, err := w.Store.CreateAccount(ctx, store.NewAccount{Email: "h@example.com", EmailKey: "h@example.com", Name: "Hilda", Home: &home}, by)
		if err != nil {
			t.Fatal(err)
		}
		read, err := w.Store.AccountByHome(ctx, home)
		if diff := cmp.Diff(hilda, read); diff != "" || err != nil {
			t.Errorf("by her home: %v\n%s", err, diff)
		}
		lives, signsInHere, err := w.Store.HomeOf(ctx, hilda.ID)
		if lives != home || signsInHere || err != nil {
			t.Errorf("lives at %+v, %t, %v", lives, signsInHere, err)
		}
		_, err = w.Store.CreateAccount(ctx, store.NewAccount{Email: "twice@example.com", EmailKey: "twice@example.com", Name: "Twice", Home: &home}, by)
		wantErr(t, "somebody else's home", err, store.ErrHomeTaken)
		if n := w.Count(t, `accounts`); n != 1 {
			t.Errorf("%d accounts: the refused one was made", n)
		}

		// The same name in another region is another person's.
		apac := account.Home{Issuer: "https://apac.example.com", Subject: home.Subject}
		ann := w.Account(t, "ann@example.com")
		_, _, err = w.Store.HomeOf(ctx, ann.ID)
		wantErr(t, "lives here", err, store.ErrNotFound)
		wantErr(t, "link to a taken home", w.Store.LinkHome(ctx, ann.ID, home, by), store.ErrHomeTaken)
		for _, h := range []account.Home{apac, {Issuer: apac.Issuer, Subject: "a later account there"}} {
			if err := w.Store.LinkHome(ctx, ann.ID, h, by); err != nil {
				t.Fatal(err)
			}
			if lives, signsInHere, err := w.Store.HomeOf(ctx, ann.ID); lives != h || !signsInHere || err != nil {
				t.Errorf("lives at %+v, %t, %v; want %+v", lives, signsInHere, err, h)
			}
		}
		if n := w.Count(t, `identities`); n != 2 {
			t.Errorf("%d homes for two accounts", n)
		}
		for _, id := range []int64{hilda.ID, ann.ID} {
			if err := w.Store.DeleteAccount(ctx, id, by); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.Count(t, `identities`); n != 0 {
			t.Errorf("%d homes are left of accounts that are gone", n)
		}
	})
}

// TestEndHomeSession: the sessions that began with one at home end, with their
// applications told, and no others.
func TestEndHomeSession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		hilda, ann := w.Account(t, "h@example.com"), w.Account(t, "ann@example.com")
		home := account.Home{Issuer: "https://eu.example.com", Subject: "HILDA"}
		if err := w.Store.LinkHome(ctx, hilda.ID, home, by); err != nil {
			t.Fatal(err)
		}
		begin := func(id int64, name string) [32]byte {
			t.Helper()
			_, s := account.NewSession(id, "", "", storetest.Now())
			s.HomeSession = name
			if err := w.Store.CreateSession(ctx, s); err != nil {
				t.Fatal(err)
			}
			read, _, err := w.Store.SessionSnapshot(ctx, s.Digest)
			if err != nil || read.HomeSession != name {
				t.Fatalf("read again: %+v, %v", read, err)
			}
			return s.Digest
		}
		gone, renewed := begin(hilda.ID, "sid"), begin(hilda.ID, "")
		begin(hilda.ID, "")
		begin(hilda.ID, "another")
		begin(ann.ID, "sid")
		// Signing in once more, by way of home, in the same browser.
		_, again := account.NewSession(hilda.ID, "", "", storetest.Now())
		again.HomeSession = "sid"
		if err := w.Store.RenewSession(ctx, renewed, again); err != nil {
			t.Fatal(err)
		}
		var told []store.Change
		w.Store.Observe(func(changes []store.Change) { told = append(told, changes...) })
		for _, h := range []account.Home{{Issuer: "https://apac.example.com", Subject: home.Subject}, {Issuer: home.Issuer, Subject: "NOBODY"}, {Issuer: home.Issuer, Subject: "\x00"}} {
			if err := w.Store.EndHomeSession(ctx, h, "sid", by); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Store.EndHomeSession(ctx, home, "", by); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, `sessions`); n != 5 || len(told) != 0 {
			t.Fatalf("%d sessions are left, want 5; told %v", n, told)
		}
		if err := w.Store.EndHomeSession(ctx, home, "sid", by); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, `sessions`); n != 3 {
			t.Errorf("%d sessions are left, want 3", n)
		}
		ended := map[string]bool{}
		for _, c := range told {
			if c.Kind == store.SessionChanged {
				ended[c.Subject] = true
			}
		}
		if len(ended) != 2 || !ended[string(gone[:])] || !ended[string(again.Digest[:])] {
			t.Errorf("replicas are told of %d sessions", len(ended))
		}
	})
}
