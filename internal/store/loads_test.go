package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// What the live view does not hold costs one call to the database, on PostgreSQL one
// round trip.
func TestLoadIsOneStatement(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		ann, d := w.Developer(t, "ann@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		g := allow(t, w, ann.ID, p.ID)
		_, session := account.NewSession(ann.ID, "", "", storetest.Now())
		if err := w.Store.CreateSession(ctx, session); err != nil {
			t.Fatal(err)
		}
		for name, load := range map[string]func() (store.Cursor, error){
			"profile":           func() (store.Cursor, error) { _, at, err := w.Store.ProfileByID(ctx, p.ID); return at, err },
			"profile by client": func() (store.Cursor, error) { _, at, err := w.Store.ProfileByClient(ctx, p.Client); return at, err },
			"grant":             func() (store.Cursor, error) { _, at, err := w.Store.GrantSnapshot(ctx, g.ID); return at, err },
			"grant of both":     func() (store.Cursor, error) { _, at, err := w.Store.GrantFor(ctx, ann.ID, p.ID); return at, err },
			"account":           func() (store.Cursor, error) { _, at, err := w.Store.AccountSnapshot(ctx, ann.ID); return at, err },
			"session": func() (store.Cursor, error) {
				_, at, err := w.Store.SessionSnapshot(ctx, session.Digest)
				return at, err
			},
		} {
			want := newest(t, w.Store)
			w.Faults.Reset()
			at, err := load()
			if err != nil || at != want {
				t.Errorf("%s: at %v, %v, want %v", name, at, err, want)
			}
			if got, want := w.Faults.Counts(), (faultdb.Counts{Queries: 1}); got != want {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
		}
	})
}

// The rows of a profile come in any order.
func TestLoadPutsThingsInTheirOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		w.Exec(t, `DELETE FROM return_urls WHERE profile_id = $1`, p.ID)
		w.Exec(t, `DELETE FROM secrets WHERE profile_id = $1`, p.ID)
		at := storetest.Now().UnixMicro()
		p.ReturnURLs, p.Secrets = nil, nil
		for _, i := range []int{2, 0, 1} {
			for _, table := range []string{"return_urls", "post_logout_urls", "origins"} {
				w.Exec(t, `INSERT INTO `+table+` (profile_id, position, value, note) VALUES ($1, $2, $3, $4)`, p.ID, i, fmt.Sprint(table, i), fmt.Sprint("note ", i))
			}
			w.Exec(t, `INSERT INTO secrets (id, profile_id, sealed, digest, created_at, last_used_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				100+i, p.ID, []byte{1}, make([]byte, 32), at, at+1e6, at+2e6)
			w.Exec(t, `INSERT INTO device_clients (id, profile_id, client_key, name, created_at) VALUES ($1, $2, $3, $4, $5)`,
				100+i, p.ID, append(make([]byte, len(p.Client)-1), byte(i)), fmt.Sprint("television ", i), at)
			w.Exec(t, `INSERT INTO profile_scopes (profile_id, number) VALUES ($1, $2)`, p.ID, 40+i)
		}
		for i := range 3 {
			note := fmt.Sprint("note ", i)
			p.ReturnURLs = append(p.ReturnURLs, registry.ReturnURL{Value: fmt.Sprint("return_urls", i), Note: note})
			p.PostLogoutURLs = append(p.PostLogoutURLs, registry.ReturnURL{Value: fmt.Sprint("post_logout_urls", i), Note: note})
			p.Origins = append(p.Origins, registry.AllowedOrigin{Value: fmt.Sprint("origins", i), Note: note})
			now := storetest.Now()
			p.Secrets = append(p.Secrets, registry.ClientSecret{ID: int64(100 + i), CreatedAt: now, LastUsedAt: now.Add(1e9), ExpiresAt: now.Add(2e9)})
			device := registry.DeviceClient{ID: int64(100 + i), Name: fmt.Sprint("television ", i), CreatedAt: now}
			device.Client[len(device.Client)-1] = byte(i)
			p.Devices = append(p.Devices, device)
			p.Granted = p.Granted.With(40 + i)
		}
		for name, load := range map[string]func() (registry.SecurityProfile, store.Cursor, error){
			"by id": func() (registry.SecurityProfile, store.Cursor, error) { return w.Store.ProfileByID(t.Context(), p.ID) },
			"by client": func() (registry.SecurityProfile, store.Cursor, error) {
				return w.Store.ProfileByClient(t.Context(), p.Client)
			},
			"by device": func() (registry.SecurityProfile, store.Cursor, error) {
				return w.Store.ProfileByClient(t.Context(), p.Devices[1].Client)
			},
			"by an origin": func() (registry.SecurityProfile, store.Cursor, error) {
				return w.Store.ProfileByOrigin(t.Context(), "origins1")
			},
		} {
			got, _, err := load()
			if diff := cmp.Diff(p, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
			}
		}
	})
}

// A load and the place in the feed are of one state: were the place newer than what was
// read, the live view would keep what a change has made old.
func TestLoadIsOfThePlaceThatItTells(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		ann, d := w.Developer(t, "ann@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		g := allow(t, w, ann.ID, p.ID)
		base := newest(t, w.Store).Number
		const rounds = 30
		// Each round makes three changes: profile, grant and account, in this order.
		check := func(what string, done, offset int64, at store.Cursor) {
			least, most := base+3*(done-1)+offset, base+3*done+offset-1
			if done == 0 {
				least = base
			}
			if at.Number < least || at.Number > most {
				t.Errorf("%s after %d edits was read at %d, want %d to %d", what, done, at.Number-base, least-base, most-base)
			}
		}
		var ended atomic.Bool
		var wg sync.WaitGroup
		defer wg.Wait()
		defer ended.Store(true)
		loop := func(load func(ctx context.Context) error) {
			wg.Go(func() {
				for last := false; !last; {
					last = ended.Load()
					if err := load(ctx); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		loop(func(ctx context.Context) error {
			p, at, err := w.Store.ProfileByClient(ctx, p.Client)
			if err == nil {
				check("the profile", p.Version-1, 1, at)
				if want := int(p.Version-1) % 4; p.Version > 1 && len(p.ReturnURLs) != want {
					t.Errorf("the profile after %d edits has %d addresses, want %d", p.Version-1, len(p.ReturnURLs), want)
				}
			}
			return err
		})
		loop(func(ctx context.Context) error {
			g, at, err := w.Store.GrantSnapshot(ctx, g.ID)
			check("the grant", int64(len(g.Ended)), 2, at)
			return err
		})
		loop(func(ctx context.Context) error {
			a, at, err := w.Store.AccountSnapshot(ctx, ann.ID)
			check("the account", a.Version-1, 3, at)
			return err
		})
		for i := range int64(rounds) {
			urls := make([]registry.ReturnURL, (i+1)%4)
			var family authz.Family
			binary.BigEndian.PutUint64(family[:], uint64(i))
			if err := w.Store.SaveWebSettings(ctx, d.ID, p.ID, 1+i, nil, urls, by); err != nil {
				t.Fatal(err)
			}
			if err := w.Store.EndFamily(ctx, store.FamilyEnd{GrantID: g.ID, Family: family, IssuedBy: by.At}, by.At); err != nil {
				t.Fatal(err)
			}
			if err := w.Store.UpdateAccount(ctx, ann.ID, 1+i, store.AccountDetails{Name: fmt.Sprint("Ann ", i)}, by); err != nil {
				t.Fatal(err)
			}
		}
	})
}
