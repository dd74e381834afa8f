package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func anotherRing(t *testing.T) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestIdentify(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		first, err := w.Store.Identify(ctx, "amzn1", now)
		if err != nil || first.Namespace != "amzn1" || len(first.SubjectKey) != 32 || first.Issuer != "" {
			t.Fatalf("%+v, %v", first, err)
		}
		for _, issuer := range []string{"http://localhost:1", "https://login.example.com", "https://login.example.com"} {
			if err := w.Store.RememberIssuer(ctx, issuer); err != nil {
				t.Fatal(err)
			}
		}
		first.Issuer = "https://login.example.com"
		for _, namespace := range []string{"amzn1", ""} {
			again, err := w.Again(t).Store.Identify(ctx, namespace, now.Add(time.Hour))
			if diff := cmp.Diff(first, again); diff != "" || err != nil {
				t.Errorf("namespace %q: %v (-first +again)\n%s", namespace, err, diff)
			}
		}

		_, err = w.Store.Identify(ctx, "other1", now)
		if e, ok := errors.AsType[*store.WrongNamespaceError](err); !ok || e.Database != "amzn1" || e.Setting != "other1" {
			t.Errorf("another namespace: %v", err)
		}
		for _, namespace := range []string{"amzn1", ""} {
			_, err = store.New(w.DB, anotherRing(t)).Identify(ctx, namespace, now)
			if e, ok := errors.AsType[*store.WrongKeyError](err); !ok || e.Database != w.Ring.Fingerprints()[0] {
				t.Errorf("another key file: %v", err)
			}
		}
		if keys, err := w.Store.SealingKeys(ctx); len(keys) != 1 || err != nil {
			t.Errorf("%d sealing keys, %v", len(keys), err)
		}
	})
}

// Servers that start at the same moment on an empty database agree on what it is.
func TestIdentifyRace(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(testing.TB) *sqldb.DB) {
		db := open(t)
		if err := db.Migrate(t.Context(), store.Migrations()); err != nil {
			t.Fatal(err)
		}
		ring := anotherRing(t)
		_, err := store.New(db, ring).Identify(t.Context(), "", storetest.Now())
		wantErr(t, "a command before the first start", err, store.ErrNotSetUp)
		stores := []*store.Store{store.New(db, ring), store.New(open(t), ring)}
		all := make([]store.Identity, 8)
		for i, err := range race(len(all), func(i int) (err error) {
			all[i], err = stores[i%2].Identify(t.Context(), "amzn1", storetest.Now())
			return err
		}) {
			if err != nil || len(all[i].SubjectKey) != 32 || !bytes.Equal(all[i].SubjectKey, all[0].SubjectKey) {
				t.Errorf("server %d: %+v, %v", i, all[i], err)
			}
		}
		if keys, err := stores[0].SealingKeys(t.Context()); len(keys) != 1 || err != nil {
			t.Errorf("%d sealing keys, %v", len(keys), err)
		}
	})
}

func TestRotateSealingKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		now := storetest.Now()
		id, err := w.Store.RotateSealingKey(t.Context(), now.Add(time.Minute), storetest.By(0))
		if id != 2 || err != nil {
			t.Fatalf("key %d, %v", id, err)
		}
		keys, err := w.Again(t).Store.SealingKeys(t.Context())
		if err != nil || len(keys) != 2 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		want := []store.SealingKey{
			{ID: 1, Secret: keys[0].Secret, CreatedAt: now, UsableFrom: now},
			{ID: 2, Secret: keys[1].Secret, CreatedAt: now, UsableFrom: now.Add(time.Minute)},
		}
		if diff := cmp.Diff(want, keys); diff != "" || keys[0].Secret == keys[1].Secret || keys[1].Secret == [32]byte{} {
			t.Errorf("(-want +got)\n%s", diff)
		}
		w.Exec(t, `UPDATE sealing_keys SET id = 255 WHERE id = 2`)
		_, err = w.Store.RotateSealingKey(t.Context(), now, storetest.By(0))
		wantErr(t, "the 256th key", err, store.ErrTooMany)
		_, err = w.Store.SealingKeys(t.Context())
		if !errors.Is(err, keyring.ErrDamaged) {
			t.Errorf("a key that was moved to another id: %v", err)
		}
	})
}

// After the key file has got a new key, everything is sealed with it, says the
// same as before, and opens without the old one.
func TestReseal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		_, d := w.Developer(t, "dev@example.com")
		secrets := map[int64]string{}
		owners := map[int64]int64{}
		for range 3 {
			p, value := w.Profile(t, d.ID, "Reports")
			secrets[p.Secrets[0].ID], owners[p.Secrets[0].ID] = value, p.ID
		}
		if _, err := w.Store.RotateSealingKey(ctx, storetest.Now(), storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		before, err := w.Store.Identify(ctx, "", storetest.Now())
		if err != nil {
			t.Fatal(err)
		}
		keysBefore, err := w.Store.SealingKeys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		running := w.Again(t) // a server that has read the old key file

		ring, err := keyring.AddKey(w.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		command := store.New(w.DB, ring)
		if _, err := command.Identify(ctx, "", storetest.Now()); err != nil {
			t.Fatalf("a command with one key more: %v", err)
		}
		for _, want := range []int{6, 0} { // the key of user ids, two sealing keys, three secrets
			if n, err := command.Reseal(ctx, storetest.By(time.Hour)); n != want || err != nil {
				t.Errorf("%d values sealed anew, %v; want %d", n, err, want)
			}
		}
		after, err := command.Identify(ctx, "", storetest.Now())
		if diff := cmp.Diff(before, after); diff != "" || err != nil {
			t.Errorf("%v (-before +after)\n%s", err, diff)
		}
		for name, s := range map[string]*store.Store{"command": command, "running server": running.Store} {
			keysAfter, err := s.SealingKeys(ctx)
			if diff := cmp.Diff(keysBefore, keysAfter); diff != "" || err != nil {
				t.Errorf("%s: %v (-before +after)\n%s", name, err, diff)
			}
			for id, want := range secrets {
				if got, err := s.ShowSecret(ctx, d.ID, owners[id], id, storetest.By(0)); got != want || err != nil {
					t.Errorf("%s: secret %q, %v; want %q", name, got, err, want)
				}
			}
		}
		if n := w.Count(t, `meta WHERE name = 'key_fingerprint' AND value = $1`, []byte(ring.Fingerprints()[0])); n != 1 {
			t.Error("the database still names the old key")
		}
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.KeyRotated)); n != 3 {
			t.Errorf("%d rotations in the log, want 3", n)
		}
	})
}

// More secrets than one batch: none is left out.
func TestResealInBatches(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	_, d := w.Developer(t, "dev@example.com")
	p, _ := w.Profile(t, d.ID, "Reports")
	first := p.Secrets[0].ID
	const more = 1200
	err := w.DB.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		for id := first + 1; id <= first+more; id++ {
			sealed, err := w.Ring.Seal(keyring.Place{Table: "secrets", Column: "sealed", Row: binary.BigEndian.AppendUint64(nil, uint64(id))}, []byte("value"))
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO secrets (id, profile_id, sealed, digest, created_at, last_used_at, expires_at) VALUES ($1, $2, $3, $4, 0, 0, 0)`,
				id, p.ID, sealed, make([]byte, 32)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.AddKey(w.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	// All secrets, the key of user ids and the sealing key.
	if n, err := store.New(w.DB, ring).Reseal(t.Context(), storetest.By(0)); n != 1+more+2 || err != nil {
		t.Errorf("%d values, %v; want %d", n, err, 1+more+2)
	}
}
