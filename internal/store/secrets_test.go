package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func TestSecretsLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, value := w.Profile(t, d.ID, "Reports")
		first := p.Secrets[0]
		at := func(m int) audit.By { return storetest.By(time.Duration(m) * time.Minute) }
		end := func(id int64, when time.Time, m int) error {
			return w.Store.EndSecret(t.Context(), d.ID, p.ID, id, when, at(m))
		}

		wantErr(t, "end the only one", end(first.ID, at(1).At, 1), store.ErrTooMany)
		second, err := w.Store.AddSecret(t.Context(), d.ID, p.ID, "second value", at(2))
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Store.AddSecret(t.Context(), d.ID, p.ID, "third value", at(3))
		wantErr(t, "a third", err, store.ErrTooMany)
		for i := range 2 {
			for id, want := range map[int64]string{first.ID: value, second.ID: "second value"} {
				if got, err := w.Store.ShowSecret(t.Context(), d.ID, p.ID, id, at(4+i)); got != want || err != nil {
					t.Errorf("shown %q, %v", got, err)
				}
			}
		}

		if err := end(first.ID, at(60).At, 10); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "end the last without an end", end(second.ID, at(60).At, 11), store.ErrTooMany)
		if err := end(first.ID, time.Time{}, 12); err != nil {
			t.Errorf("take the end back: %v", err)
		}
		if err := end(first.ID, at(60).At, 13); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "a third before the end", errOf(w.Store.AddSecret(t.Context(), d.ID, p.ID, "third", at(59))), store.ErrTooMany)
		wantErr(t, "take back an end that has come", end(first.ID, time.Time{}, 60), store.ErrNotFound)
		third, err := w.Store.AddSecret(t.Context(), d.ID, p.ID, "third value", at(60))
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Store.ShowSecret(t.Context(), d.ID, p.ID, first.ID, at(61))
		wantErr(t, "show one that ended", err, store.ErrNotFound)
		wantErr(t, "end one that is not there", end(first.ID, at(70).At, 61), store.ErrNotFound)

		got, err := w.Store.Profile(t.Context(), d.ID, p.Application)
		if diff := cmp.Diff([]registry.ClientSecret{second, third}, got.Secrets); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		if value, err := w.Store.UseSecret(t.Context(), d.ID, p.ID, third.ID, at(62)); value != "third value" || err != nil {
			t.Errorf("to use: %q %v", value, err)
		}
		_, err = w.Store.UseSecret(t.Context(), d.ID+1, p.ID, third.ID, at(63))
		wantErr(t, "use another's", err, store.ErrNotFound)
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.SecretUsed)); n != 1 {
			t.Errorf("used %d times in the log, want once", n)
		}
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.SecretShown)); n != 4 {
			t.Errorf("shown %d times in the log, want 4", n)
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestSecretRaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		wantOneWinner(t, race(16, func(i int) error {
			return errOf(w.Store.AddSecret(t.Context(), d.ID, p.ID, fmt.Sprint("value ", i), storetest.By(time.Duration(i))))
		}), store.ErrTooMany)
		got, err := w.Store.Profile(t.Context(), d.ID, p.Application)
		if err != nil || len(got.Secrets) != 2 {
			t.Fatalf("%d secrets, %v", len(got.Secrets), err)
		}
		// Everybody ends one of the two: one secret has to stay.
		race(16, func(i int) error {
			return w.Store.EndSecret(t.Context(), d.ID, p.ID, got.Secrets[i%2].ID, storetest.Now(), storetest.By(0))
		})
		if n := w.Count(t, `secrets WHERE expires_at = 0`); n != 1 {
			t.Errorf("%d secrets without an end, want 1", n)
		}
	})
}

// A sealed value that somebody moved to another row does not open there.
func TestSecretsAreBoundToTheirRows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		mine, _ := w.Profile(t, d.ID, "Mine")
		victim, _ := w.Profile(t, d.ID, "Victim")
		w.Exec(t, `UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE profile_id = $1) WHERE profile_id = $2`, victim.ID, mine.ID)
		value, err := w.Store.ShowSecret(t.Context(), d.ID, mine.ID, mine.Secrets[0].ID, storetest.By(0))
		if value != "" || !errors.Is(err, keyring.ErrDamaged) {
			t.Errorf("%q, %v; want %v", value, err, keyring.ErrDamaged)
		}
	})
}
