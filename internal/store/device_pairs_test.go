package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// pairOf is a pair that waits, of the profile's device.
func pairOf(profileID, device int64, mark byte) authz.DevicePair {
	return authz.DevicePair{
		DeviceCode: [32]byte{1, mark}, UserCode: [32]byte{2, mark}, ProfileID: profileID, Device: device, Dialect: oauth.Standard,
		Essential: scopes(0), Voluntary: scopes(2, 70), Interval: 5 * time.Second, ExpiresAt: storetest.Now().Add(authz.DeviceLifetime),
	}
}

func create(t testing.TB, w *storetest.World, p authz.DevicePair) authz.DevicePair {
	t.Helper()
	if err := w.Store.CreateDevicePair(t.Context(), p, storetest.Now()); err != nil {
		t.Fatal(err)
	}
	return p
}

// household is a user and a profile with a device.
func household(t testing.TB, w *storetest.World) (accountID int64, p registry.SecurityProfile, d registry.DeviceClient) {
	t.Helper()
	a := w.Account(t, "ann@example.com")
	_, dev := w.Developer(t, "dev@example.com")
	p, _ = w.Profile(t, dev.ID, "Reports")
	d, err := w.Store.AddDevice(t.Context(), dev.ID, p.ID, "TV", storetest.By(0))
	if err != nil {
		t.Fatal(err)
	}
	return a.ID, p, d
}

func allowDevice(t testing.TB, w *storetest.World, accountID int64, p authz.DevicePair) error {
	t.Helper()
	return w.Store.AllowDevice(t.Context(), p.UserCode, store.Allowance{
		AccountID: accountID, ProfileID: p.ProfileID, Asked: p.Requested(), Allowed: scopes(0, 2), Words: "test",
	}, storetest.Now().Add(-time.Minute), storetest.By(time.Second))
}

func TestDevicePairs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		account, profile, device := household(t, w)
		p := create(t, w, pairOf(profile.ID, device.ID, 1))
		read := func(want authz.DevicePair) {
			t.Helper()
			for name, read := range map[string]func() (authz.DevicePair, error){
				"device code": func() (authz.DevicePair, error) { return w.Store.DevicePair(ctx, p.DeviceCode) },
				"user code":   func() (authz.DevicePair, error) { return w.Store.DevicePairFor(ctx, p.UserCode) },
			} {
				got, err := read()
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("by its %s: %v (-want +got)\n%s", name, err, diff)
				}
			}
		}
		read(p)
		same := pairOf(profile.ID, device.ID, 1)
		same.DeviceCode[0] = 9
		wantErr(t, "the same user code", w.Store.CreateDevicePair(ctx, same, now), store.ErrCodeTaken)
		if got, err := w.Store.RedeemDevice(ctx, p.DeviceCode, now); got != authz.GrantGone || err != nil {
			t.Errorf("before it was allowed: %v, %v", got, err)
		}
		if err := allowDevice(t, w, account, p); err != nil {
			t.Fatal(err)
		}
		g, _, err := w.Store.GrantFor(ctx, account, profile.ID)
		if err != nil || g.Scopes != scopes(0, 2) {
			t.Fatalf("%+v, %v", g, err)
		}
		want := p
		want.State, want.GrantID, want.Scopes, want.AuthenticatedAt = authz.DeviceAllowed, g.ID, scopes(0, 2), now.Add(-time.Minute)
		read(want)
		other := w.Account(t, "bob@example.com")
		wantErr(t, "allowed by another", allowDevice(t, w, other.ID, p), store.ErrNotFound)
		wantErr(t, "cancelled after", w.Store.DenyDevice(ctx, p.UserCode, now), store.ErrNotFound)
		_, err = w.Store.PollDevice(ctx, p.DeviceCode, now)
		wantErr(t, "polled", err, store.ErrNotFound)
		if n := w.Count(t, `grants`); n != 1 {
			t.Errorf("%d grants: what came too late left one", n)
		}
		for i, want := range []authz.Redemption{authz.Redeemed, authz.Replayed, authz.Replayed} {
			if got, err := w.Store.RedeemDevice(ctx, p.DeviceCode, now); got != want || err != nil {
				t.Errorf("attempt %d: %v, %v; want %v", i, got, err, want)
			}
		}
		_, err = w.Store.DevicePair(ctx, [32]byte{7})
		wantErr(t, "unknown", err, store.ErrNotFound)
	})
}

// What is over, taken back or another's is neither allowed nor redeemed.
func TestDevicePairsEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		account, profile, device := household(t, w)
		late := pairOf(profile.ID, device.ID, 1)
		late.ExpiresAt = now
		create(t, w, late)
		wantErr(t, "expired", allowDevice(t, w, account, late), store.ErrNotFound)
		wantErr(t, "expired", w.Store.DenyDevice(ctx, late.UserCode, now), store.ErrNotFound)
		elsewhere := create(t, w, pairOf(profile.ID, device.ID, 2))
		second, _ := w.Profile(t, profile.DeveloperID, "Second")
		elsewhere.ProfileID = second.ID
		wantErr(t, "another profile", allowDevice(t, w, account, elsewhere), store.ErrNotFound)
		if n := w.Count(t, `grants`) + w.Count(t, `consents`); n != 0 {
			t.Errorf("%d rows of consent", n)
		}

		back := create(t, w, pairOf(profile.ID, authz.OwnDevice, 3))
		if err := allowDevice(t, w, account, back); err != nil {
			t.Fatal(err)
		}
		g, _, err := w.Store.GrantFor(ctx, account, profile.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Store.RemoveGrant(ctx, account, g.ID, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Store.RedeemDevice(ctx, back.DeviceCode, now); got != authz.GrantGone || err != nil {
			t.Errorf("taken back: %v, %v", got, err)
		}

		// Removed devices take what waits with them.
		waits := create(t, w, pairOf(profile.ID, device.ID, 4))
		wantErr(t, "another developer's", w.Store.RemoveDevice(ctx, profile.DeveloperID+1, profile.ID, device.ID, storetest.By(0)), store.ErrNotFound)
		wantErr(t, "another profile's", w.Store.RemoveDevice(ctx, profile.DeveloperID, second.ID, device.ID, storetest.By(0)), store.ErrNotFound)
		wantOneWinner(t, race(8, func(int) error {
			return w.Store.RemoveDevice(ctx, profile.DeveloperID, profile.ID, device.ID, storetest.By(0))
		}), store.ErrNotFound)
		_, err = w.Store.DevicePair(ctx, waits.DeviceCode)
		wantErr(t, "a removed device's", err, store.ErrNotFound)
		if n := w.Count(t, `events WHERE kind = $1`, string(audit.DeviceRemoved)); n != 1 {
			t.Errorf("%d events", n)
		}

		// Old ones go with the next that is made.
		next := pairOf(profile.ID, 0, 5)
		next.ExpiresAt = now.Add(24 * time.Hour)
		if err := w.Store.CreateDevicePair(ctx, next, now.Add(authz.DeviceLifetime+authz.DeviceRetention)); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, `device_pairs`); n != 1 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestDeviceRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		account, profile, device := household(t, w)
		other := w.Again(t)
		from := func(i int) *store.Store { return []*storetest.World{w, other}[i%2].Store }
		for round := range byte(5) {
			p := create(t, w, pairOf(profile.ID, device.ID, round))
			// Sixteen people press at the same moment: one answer counts.
			answers := race(16, func(i int) error {
				if i%4 == 3 {
					return from(i).DenyDevice(t.Context(), p.UserCode, storetest.Now())
				}
				return from(i).AllowDevice(t.Context(), p.UserCode, store.Allowance{
					AccountID: account, ProfileID: profile.ID, Asked: scopes(0), Allowed: scopes(0)}, storetest.Now(), storetest.By(0))
			})
			wantOneWinner(t, answers, store.ErrNotFound)
			read, err := w.Store.DevicePair(t.Context(), p.DeviceCode)
			if err != nil {
				t.Fatal(err)
			}
			want := map[authz.Redemption]int{authz.Redeemed: 1, authz.Replayed: 15}
			if read.State == authz.DeviceDenied {
				want = map[authz.Redemption]int{authz.GrantGone: 16}
			}
			results := make([]authz.Redemption, 16)
			for _, err := range race(16, func(i int) (err error) {
				results[i], err = from(i).RedeemDevice(t.Context(), p.DeviceCode, storetest.Now())
				return err
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			count := map[authz.Redemption]int{}
			for _, r := range results {
				count[r]++
			}
			if diff := cmp.Diff(want, count); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
	})
}

// A profile has room for so many devices, whoever adds at the same moment.
func TestDevicesAreBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, profile, _ := household(t, w)
		added := 1
		for _, err := range race(registry.MaxDevices+5, func(int) error {
			_, err := w.Store.AddDevice(t.Context(), profile.DeveloperID, profile.ID, "TV", storetest.By(0))
			return err
		}) {
			if err == nil {
				added++
			} else {
				wantErr(t, "too many", err, store.ErrTooMany)
			}
		}
		if n := w.Count(t, `device_clients`); n != registry.MaxDevices || added != n {
			t.Errorf("%d rows, %d were told so", n, added)
		}
		_, err := w.Store.AddDevice(t.Context(), profile.DeveloperID+1, profile.ID, "TV", storetest.By(0))
		wantErr(t, "another's", err, store.ErrNotFound)
	})
}

func TestFaultsInRedeemDevice(t *testing.T) {
	var account int64
	var profile registry.SecurityProfile
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		if mark == 1 {
			account, profile, _ = household(t, w)
		}
		p := create(t, w, pairOf(profile.ID, 0, mark))
		if err := allowDevice(t, w, account, p); err != nil {
			t.Fatal(err)
		}
		var first authz.Redemption
		return flow{
			do: func() (err error) {
				first, err = w.Store.RedeemDevice(t.Context(), p.DeviceCode, storetest.Now())
				return err
			},
			check: func(t *testing.T, err error) {
				winners := 0
				if first == authz.Redeemed {
					winners++
				}
				if (err == nil) != (first == authz.Redeemed) {
					t.Errorf("%v, and %v", first, err)
				}
				for range 3 {
					got, err := w.Store.RedeemDevice(t.Context(), p.DeviceCode, storetest.Now())
					if err != nil {
						t.Fatal(err)
					}
					if got == authz.Redeemed {
						winners++
					}
				}
				if winners > 1 {
					t.Errorf("%d winners", winners)
				}
			},
		}
	})
}

// A commit that was not answered is still this poll's: nobody has to enter another code.
func TestRedeemDeviceFindsItsOwnCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		account, profile, _ := household(t, w)
		for i, outcome := range []faultdb.Outcome{faultdb.FailedButApplied, faultdb.Failed} {
			p := create(t, w, pairOf(profile.ID, 0, byte(i)))
			if err := allowDevice(t, w, account, p); err != nil {
				t.Fatal(err)
			}
			w.Faults.Fail(1, outcome, faultdb.Commit)
			for _, want := range []authz.Redemption{authz.Redeemed, authz.Replayed} {
				if got, err := w.Store.RedeemDevice(t.Context(), p.DeviceCode, storetest.Now()); got != want || err != nil {
					t.Errorf("outcome %d: %v, %v, want %v", outcome, got, err, want)
				}
			}
		}
	})
}

func TestFaultsInAllowDevice(t *testing.T) {
	var account int64
	var profile registry.SecurityProfile
	sweep(t, func(t *testing.T, w *storetest.World, mark byte) flow {
		if mark == 1 {
			account, profile, _ = household(t, w)
		}
		p := create(t, w, pairOf(profile.ID, 0, mark))
		return flow{
			do: func() error { return allowDevice(t, w, account, p) },
			check: func(t *testing.T, err error) {
				read, readErr := w.Store.DevicePair(t.Context(), p.DeviceCode)
				if readErr != nil || err == nil && read.State != authz.DeviceAllowed {
					t.Fatalf("%v; %+v, %v", err, read, readErr)
				}
				if read.State == authz.DeviceAllowed {
					// Never a device that is let in without the consent that it rests on.
					if n := w.Count(t, `grants WHERE id = $1`, read.GrantID); n != 1 {
						t.Errorf("%d grants", n)
					}
				}
			},
		}
	})
}
