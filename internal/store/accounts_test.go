package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func TestCreateAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		now := storetest.Now()
		made, err := w.Store.CreateAccount(t.Context(), store.NewAccount{
			Email: "Ann@Example.com", EmailKey: "ann@example.com", Name: "Ann Lee", PostalCode: "98109", PasswordHash: "hash",
			Developer: &store.NewDeveloper{Company: "Lee Ltd", Country: "GB"},
		}, storetest.By(0))
		if err != nil {
			t.Fatal(err)
		}
		want := account.Account{ID: made.ID, Email: "Ann@Example.com", Name: "Ann Lee", PostalCode: "98109", CreatedAt: now, UpdatedAt: now, Version: 1}
		read, err := w.Store.Account(t.Context(), made.ID)
		if diff := cmp.Diff(want, read); diff != "" || err != nil {
			t.Errorf("read again: %v (-want +got)\n%s", err, diff)
		}
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("made (-want +got)\n%s", diff)
		}
		byEmail, hash, err := w.Store.AccountByEmail(t.Context(), "ann@example.com")
		if byEmail.ID != made.ID || hash != "hash" || err != nil {
			t.Errorf("by e-mail: %v, %q, %v", byEmail.ID, hash, err)
		}
		if hash, err := w.Store.PasswordHash(t.Context(), made.ID); hash != "hash" || err != nil {
			t.Errorf("password hash %q, %v", hash, err)
		}
		d, err := w.Store.DeveloperOf(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(account.DeveloperAccount{ID: d.ID, Company: "Lee Ltd", Country: "GB", CreatedAt: now}, d); diff != "" {
			t.Errorf("developer account (-want +got)\n%s", diff)
		}
		if same, err := w.Store.Developer(t.Context(), d.ID); same != d || err != nil {
			t.Errorf("by id: %+v, %v", same, err)
		}
		events, err := w.Store.AccountEvents(t.Context(), made.ID, 10)
		if err != nil || len(events) != 2 || events[0].ActorID != made.ID {
			t.Errorf("who signs up is the actor: %+v, %v", events, err)
		}

		_, err = w.Store.CreateAccount(t.Context(), store.NewAccount{Email: "ANN@example.com", EmailKey: "ann@example.com", Developer: &store.NewDeveloper{Company: "Other"}}, storetest.By(0))
		wantErr(t, "the same address again", err, store.ErrEmailTaken)
		if n := w.Count(t, `developers`); n != 1 {
			t.Errorf("%d developer accounts: the refused one was made", n)
		}
	})
}

func TestNoAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		ids := map[string]func() error{
			"Account":            func() error { _, err := w.Store.Account(ctx, 1); return err },
			"AccountSnapshot":    func() error { _, _, err := w.Store.AccountSnapshot(ctx, 1); return err },
			"AccountByEmail":     func() error { _, _, err := w.Store.AccountByEmail(ctx, "nobody@example.com"); return err },
			"PasswordHash":       func() error { _, err := w.Store.PasswordHash(ctx, 1); return err },
			"DeveloperOf":        func() error { _, err := w.Store.DeveloperOf(ctx, 1); return err },
			"Developer":          func() error { _, err := w.Store.Developer(ctx, 1); return err },
			"ChangeEmail":        func() error { return w.Store.ChangeEmail(ctx, 1, "a@b.c", "a@b.c", time.Time{}, by) },
			"ConfirmEmail":       func() error { return w.Store.ConfirmEmail(ctx, 1, "a@b.c", by) },
			"ChangePassword":     func() error { return w.Store.ChangePassword(ctx, 1, "hash", [32]byte{}, by) },
			"SetAccountDisabled": func() error { return w.Store.SetAccountDisabled(ctx, 1, by.At, by) },
			"DeleteAccount":      func() error { return w.Store.DeleteAccount(ctx, 1, by) },
		}
		for name, call := range ids {
			wantErr(t, name, call(), store.ErrNotFound)
		}
		wantErr(t, "UpdateAccount", w.Store.UpdateAccount(ctx, 1, 1, store.AccountDetails{}, by), store.ErrStale)
		if n := w.Count(t, `events`) + w.Count(t, `changes WHERE kind NOT IN (5, 6)`); n != 0 {
			t.Errorf("%d events and changes of nothing", n)
		}
	})
}

// What a stranger types is text of any kind; no account has it for an address.
func TestNoAccountByAnyText(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		for _, key := range []string{"", "a\x00b@example.com", "\xff\xfe@example.com", "%", "' OR 1=1 --"} {
			_, _, err := w.Store.AccountByEmail(t.Context(), key)
			wantErr(t, fmt.Sprintf("%q", key), err, store.ErrNotFound)
		}
	})
}

func TestUpdateAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a := w.Account(t, "ann@example.com")
		if err := w.Store.UpdateAccount(t.Context(), a.ID, 1, store.AccountDetails{Name: "Ann", PostalCode: "1"}, storetest.By(time.Second)); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "over an old version", w.Store.UpdateAccount(t.Context(), a.ID, 1, store.AccountDetails{Name: "Bob"}, storetest.By(0)), store.ErrStale)
		a.Name, a.PostalCode, a.Version, a.UpdatedAt = "Ann", "1", 2, storetest.Now().Add(time.Second)
		got, at, err := w.Store.AccountSnapshot(t.Context(), a.ID)
		if diff := cmp.Diff(a, got); diff != "" || err != nil || at.Number == 0 || len(at.Epoch) != 16 {
			t.Errorf("read at %v: %v (-want +got)\n%s", at, err, diff)
		}
	})
}

func TestChangeEmail(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ann, bob := w.Account(t, "ann@example.com"), w.Account(t, "bob@example.com")
		_, r := account.NewRecovery(ann.ID, storetest.Now())
		if err := w.Store.CreateRecovery(t.Context(), r, "ann@example.com", storetest.Now()); err != nil {
			t.Fatal(err)
		}
		err := w.Store.ChangeEmail(t.Context(), ann.ID, bob.Email, "bob@example.com", time.Time{}, storetest.By(0))
		wantErr(t, "to another's address", err, store.ErrEmailTaken)
		if err := w.Store.ChangeEmail(t.Context(), ann.ID, "Lee@example.com", "lee@example.com", time.Time{}, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		got, err := w.Store.Account(t.Context(), ann.ID)
		if got.Email != "Lee@example.com" || !got.EmailConfirmedAt.IsZero() || got.Version != 2 || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = w.Store.Recovery(t.Context(), r.Digest, storetest.Now())
		wantErr(t, "a link sent to the old address", err, store.ErrNotFound)

		wantErr(t, "a link for the old address", w.Store.ConfirmEmail(t.Context(), ann.ID, "ann@example.com", storetest.By(0)), store.ErrNotFound)
		for range 2 { // people open links twice
			if err := w.Store.ConfirmEmail(t.Context(), ann.ID, "lee@example.com", storetest.By(time.Minute)); err != nil {
				t.Error(err)
			}
		}
		if got, err := w.Store.Account(t.Context(), ann.ID); !got.EmailConfirmedAt.Equal(storetest.Now().Add(time.Minute)) || err != nil {
			t.Errorf("confirmed at %v, %v", got.EmailConfirmedAt, err)
		}
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.EmailConfirmed)); n != 1 {
			t.Errorf("confirmed %d times in the log", n)
		}
	})
}

func TestChangePassword(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a := w.Account(t, "ann@example.com")
		_, kept := account.NewSession(a.ID, "", "", storetest.Now())
		_, other := account.NewSession(a.ID, "", "", storetest.Now())
		for _, s := range []account.Session{kept, other} {
			if err := w.Store.CreateSession(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Store.ChangePassword(t.Context(), a.ID, "new hash", kept.Digest, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		if hash, err := w.Store.PasswordHash(t.Context(), a.ID); hash != "new hash" || err != nil {
			t.Errorf("hash %q, %v", hash, err)
		}
		left, err := w.Store.Sessions(t.Context(), a.ID, storetest.Now())
		if err != nil || len(left) != 1 || left[0].Digest != kept.Digest {
			t.Errorf("sessions left: %+v, %v", left, err)
		}

		if err := w.Store.RehashPassword(t.Context(), a.ID, "no password", "too late"); err != nil {
			t.Fatal(err)
		}
		if hash, _ := w.Store.PasswordHash(t.Context(), a.ID); hash != "new hash" {
			t.Errorf("a changed password was overwritten by %q", hash)
		}
		if err := w.Store.RehashPassword(t.Context(), a.ID, "new hash", "dearer hash"); err != nil {
			t.Fatal(err)
		}
		if hash, _ := w.Store.PasswordHash(t.Context(), a.ID); hash != "dearer hash" {
			t.Errorf("hash %q", hash)
		}
	})
}

func TestSetAccountDisabled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a := w.Account(t, "ann@example.com")
		_, s := account.NewSession(a.ID, "", "", storetest.Now())
		if err := w.Store.CreateSession(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := w.Store.SetAccountDisabled(t.Context(), a.ID, storetest.Now(), storetest.By(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Store.Account(t.Context(), a.ID); !got.DisabledAt.Equal(storetest.Now()) || err != nil {
			t.Errorf("disabled at %v, %v", got.DisabledAt, err)
		}
		if n := w.Count(t, `sessions`); n != 0 {
			t.Errorf("%d sessions left", n)
		}
		if err := w.Store.SetAccountDisabled(t.Context(), a.ID, time.Time{}, storetest.By(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Store.Account(t.Context(), a.ID); !got.DisabledAt.IsZero() || err != nil {
			t.Errorf("disabled at %v, %v", got.DisabledAt, err)
		}
		events, err := w.Store.AccountEvents(t.Context(), a.ID, 2)
		if diff := cmp.Diff([]audit.Kind{audit.AccountEnabled, audit.AccountDisabled}, kinds(events)); diff != "" || err != nil {
			t.Errorf("events: %v (-want +got)\n%s", err, diff)
		}
	})
}

func TestAccountPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		for i := range 5 {
			w.Account(t, fmt.Sprintf("user%d@example.com", i))
		}
		seen := map[int64]bool{}
		after, pages := int64(0), 0
		for {
			page, err := w.Store.AccountPage(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			pages++
			for _, a := range page {
				if a.ID <= after || seen[a.ID] {
					t.Errorf("account %d after %d", a.ID, after)
				}
				seen[a.ID], after = true, a.ID
			}
		}
		if len(seen) != 5 || pages != 3 {
			t.Errorf("%d accounts on %d pages, want 5 on 3", len(seen), pages)
		}
	})
}

func TestRecovery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		made, err := w.Store.CreateAccount(t.Context(), store.NewAccount{Email: "ann@example.com", EmailKey: "ann@example.com", PasswordHash: "old"}, storetest.By(0))
		if err != nil {
			t.Fatal(err)
		}
		_, mailed := account.NewRecovery(made.ID, storetest.Now())
		_, second := account.NewRecovery(made.ID, storetest.Now())
		_, session := account.NewSession(made.ID, "", "", storetest.Now())
		for _, err := range []error{
			w.Store.CreateRecovery(t.Context(), mailed, "ann@example.com", storetest.Now()),
			w.Store.CreateRecovery(t.Context(), second, "", storetest.Now()),
			w.Store.CreateSession(t.Context(), session),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if whose, err := w.Store.Recovery(t.Context(), mailed.Digest, storetest.Now()); whose.ID != made.ID || err != nil {
			t.Errorf("the link of %d, %v", whose.ID, err)
		}
		_, err = w.Store.Recovery(t.Context(), mailed.Digest, mailed.ExpiresAt)
		wantErr(t, "looked at too late", err, store.ErrNotFound)
		_, err = w.Store.Recover(t.Context(), mailed.Digest, "late", audit.By{At: mailed.ExpiresAt})
		wantErr(t, "used too late", err, store.ErrNotFound)
		_, err = w.Store.Recover(t.Context(), [32]byte{1}, "forged", storetest.By(0))
		wantErr(t, "made up", err, store.ErrNotFound)

		errs := race(16, func(i int) error {
			_, err := w.Store.Recover(t.Context(), mailed.Digest, fmt.Sprint("new ", i), storetest.By(time.Minute))
			return err
		})
		wantOneWinner(t, errs, store.ErrNotFound)
		for i, err := range errs {
			if hash, _ := w.Store.PasswordHash(t.Context(), made.ID); err == nil && hash != fmt.Sprint("new ", i) {
				t.Errorf("the winner is %d, the password %q", i, hash)
			}
		}
		got, err := w.Store.Account(t.Context(), made.ID)
		if got.EmailConfirmedAt.IsZero() || err != nil {
			t.Errorf("opening a mailed link did not confirm the address: %v", err)
		}
		if n := w.Count(t, `sessions`) + w.Count(t, `recoveries`); n != 0 {
			t.Errorf("%d sessions and other links are left", n)
		}
	})
}

// A link that the operator hands over says nothing about a mailbox.
func TestRecoveryByOperatorConfirmsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		made, err := w.Store.CreateAccount(t.Context(), store.NewAccount{Email: "ann@example.com", EmailKey: "ann@example.com"}, storetest.By(0))
		if err != nil {
			t.Fatal(err)
		}
		_, r := account.NewRecovery(made.ID, storetest.Now())
		if err := w.Store.CreateRecovery(t.Context(), r, "", storetest.Now()); err != nil {
			t.Fatal(err)
		}
		if id, err := w.Store.Recover(t.Context(), r.Digest, "new", storetest.By(0)); id != made.ID || err != nil {
			t.Errorf("recovered %d, %v", id, err)
		}
		if got, err := w.Store.Account(t.Context(), made.ID); !got.EmailConfirmedAt.IsZero() || err != nil {
			t.Errorf("confirmed at %v, %v", got.EmailConfirmedAt, err)
		}
	})
}

func TestOneAddressOneAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		wantOneWinner(t, race(16, func(i int) error {
			_, err := w.Store.CreateAccount(t.Context(), store.NewAccount{
				Email: "ann@example.com", EmailKey: "ann@example.com", Name: fmt.Sprint(i), Developer: &store.NewDeveloper{Company: "Lee Ltd", Country: "GB"},
			}, storetest.By(0))
			return err
		}), store.ErrEmailTaken)
		for _, table := range []string{"accounts", "developers", "members"} {
			if n := w.Count(t, table); n != 1 {
				t.Errorf("%d %s, want 1", n, table)
			}
		}
	})
}

func TestChangeEmailRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		var ids []int64
		for i := range 8 {
			ids = append(ids, w.Account(t, fmt.Sprintf("user%d@example.com", i)).ID)
		}
		wantOneWinner(t, race(8, func(i int) error {
			return w.Store.ChangeEmail(t.Context(), ids[i], "new@example.com", "new@example.com", time.Time{}, storetest.By(0))
		}), store.ErrEmailTaken)
		// A refused statement spoils nothing of those that shared its commit.
		if n := w.Count(t, `accounts WHERE version = 2`); n != 1 {
			t.Errorf("%d accounts changed", n)
		}
	})
}
