package store_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func signingKey(id string, from time.Duration) store.SigningKey {
	return store.SigningKey{
		ID: id, Algorithm: "ES256", Private: bytes.Repeat([]byte(id+" private "), 20),
		CreatedAt: storetest.Now(), UsableFrom: storetest.Now().Add(from),
	}
}

// TestSigningKeys: what was added is read back, the order is that of use, and a
// reseal changes nothing but what the columns are sealed with.
func TestSigningKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		first, second := signingKey("b", 0), signingKey("a", 24*time.Hour)
		for _, k := range []store.SigningKey{second, first} {
			if err := w.Store.AddSigningKey(ctx, k, storetest.By(0)); err != nil {
				t.Fatal(err)
			}
		}
		want := []store.SigningKey{first, second}
		check := func(what string, s *store.Store) {
			t.Helper()
			got, err := s.SigningKeys(ctx)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got)\n%s", what, err, diff)
			}
		}
		check("read", w.Store)
		if err := w.Store.AddSigningKey(ctx, first, storetest.By(0)); err == nil {
			t.Error("a key was added twice")
		}
		// A key belongs to its row: nobody can have another one sign by moving it.
		w.Exec(t, `UPDATE signing_keys SET private = (SELECT private FROM signing_keys WHERE id = 'a') WHERE id = 'b'`)
		if keys, err := w.Store.SigningKeys(ctx); err == nil {
			t.Errorf("read from another row: %+v", keys)
		}
		w.Exec(t, `DELETE FROM signing_keys WHERE id = 'b'`)
		if err := w.Store.AddSigningKey(ctx, first, storetest.By(0)); err != nil {
			t.Fatal(err)
		}

		ring, err := keyring.AddKey(w.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		command := store.New(w.DB, ring)
		before := sealedKeys(t, w)
		for _, n := range []int{4, 0} { // with the sealing key and the key of user ids
			if got, err := command.Reseal(ctx, storetest.By(time.Hour)); got != n || err != nil {
				t.Errorf("%d values sealed anew, %v; want %d", got, err, n)
			}
		}
		check("after the reseal", command)
		for id, value := range sealedKeys(t, w) {
			if value == before[id] {
				t.Errorf("key %s was not sealed anew", id)
			}
		}
		if _, err := store.New(w.DB, anotherRing(t)).SigningKeys(ctx); err == nil {
			t.Error("the keys open without the key file")
		}
		if n := w.Count(t, `events WHERE kind = $1 AND detail = 'ES256 signing key'`, string(audit.KeyRotated)); n != 3 {
			t.Errorf("%d additions in the log, want 3", n)
		}
	})
}

// sealedKeys reads what the column of private keys holds.
func sealedKeys(t *testing.T, w *storetest.World) map[string]string {
	t.Helper()
	sealed := map[string]string{}
	for _, id := range []string{"a", "b"} {
		var value []byte
		if err := w.DB.QueryRow(t.Context(), `SELECT private FROM signing_keys WHERE id = $1`, id).Scan(&value); err != nil {
			t.Fatal(err)
		}
		sealed[id] = string(value)
	}
	return sealed
}
