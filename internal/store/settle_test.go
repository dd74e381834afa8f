package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// A commit that was not answered is still this caller's, whatever became of it: nobody
// has to sign in once more because of it.
func TestRedeemFindsItsOwnCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		for i, outcome := range []faultdb.Outcome{faultdb.FailedButApplied, faultdb.Failed} {
			code := authz.Family{byte(i + 1)}
			redeem := func() (authz.Redemption, error) {
				return w.Store.Redeem(t.Context(), store.Redeem{Code: code, GrantID: g.ID, Rotating: true}, storetest.Now())
			}
			w.Faults.Fail(1, outcome, faultdb.Commit)
			if got, err := redeem(); got != authz.Redeemed || err != nil {
				t.Errorf("outcome %d: %v, %v", outcome, got, err)
			}
			if step, err := w.Store.FamilyStep(t.Context(), g.ID, code); step != 0 || err != nil {
				t.Errorf("outcome %d: its refresh token is at step %d, %v", outcome, step, err)
			}
			// One that lost cannot mistake the winner's row for its own.
			w.Faults.Fail(1, outcome, faultdb.Commit)
			if got, err := redeem(); got != authz.Replayed || err != nil {
				t.Errorf("outcome %d, a replay: %v, %v", outcome, got, err)
			}
			if after, _, err := w.Store.GrantSnapshot(t.Context(), g.ID); err != nil || after.Live(code) {
				t.Errorf("outcome %d: the family goes on after a replay, %v", outcome, err)
			}
		}
	})
}

// The password that was typed is set, though nobody answered; the link works no more.
func TestRecoverFindsItsOwnCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a := w.Account(t, "ann@example.com")
		for i, outcome := range []faultdb.Outcome{faultdb.FailedButApplied, faultdb.Failed} {
			digest := [32]byte{byte(i)}
			link := account.Recovery{Digest: digest, AccountID: a.ID, ExpiresAt: storetest.Now().Add(time.Hour)}
			if err := w.Store.CreateRecovery(t.Context(), link, "", storetest.Now()); err != nil {
				t.Fatal(err)
			}
			hash := "hash " + string(rune('a'+i))
			w.Faults.Fail(1, outcome, faultdb.Commit)
			if id, err := w.Store.Recover(t.Context(), digest, hash, storetest.By(0)); id != a.ID || err != nil {
				t.Errorf("outcome %d: %d, %v", outcome, id, err)
			}
			if got, err := w.Store.PasswordHash(t.Context(), a.ID); got != hash || err != nil {
				t.Errorf("outcome %d: the password is %q, %v", outcome, got, err)
			}
			_, err := w.Store.Recover(t.Context(), digest, hash, storetest.By(0))
			wantErr(t, "the link once more", err, store.ErrNotFound)
		}
	})
}

// A database that stays away leaves the outcome unknown: the answer is neither yes nor
// no, and comes while somebody still waits for it.
func TestNothingSettled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Faults.FailFrom(1, faultdb.FailedButApplied, faultdb.Commit)
		got, err := w.Store.Redeem(ctx, store.Redeem{Code: authz.Family{1}, GrantID: g.ID}, storetest.Now())
		w.Faults.Reset()
		if got == authz.Redeemed || !errors.Is(err, sqldb.ErrOutcomeUnknown) {
			t.Errorf("%v, %v, want ErrOutcomeUnknown", got, err)
		}
	})
}
