package store_test

import (
	"testing"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func TestAdmitRegion(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		admit := func(name string) (registry.SecurityProfile, error) {
			return w.Store.AdmitRegion(ctx, name, store.NewProfile{Form: registry.ProfileForm{Name: "North America"}, Secret: "secret of " + name}, by)
		}
		na, err := admit("na")
		if err != nil {
			t.Fatal(err)
		}
		_, err = admit("na")
		wantErr(t, "the same name again", err, store.ErrNameTaken)
		apac, err := admit("apac")
		if err != nil {
			t.Fatal(err)
		}
		// One developer account for all: people have one id at all regions, which does not
		// change when a region is admitted anew.
		if err := w.Store.DeleteProfile(ctx, na.DeveloperID, na.ID, by); err != nil {
			t.Fatal(err)
		}
		again, err := admit("na")
		if err != nil || again.DeveloperID != na.DeveloperID || apac.DeveloperID != na.DeveloperID {
			t.Errorf("developer accounts %d, %d and %d, %v", na.DeveloperID, apac.DeveloperID, again.DeveloperID, err)
		}
		all, err := w.Store.Regions(ctx)
		if err != nil || len(all) != 2 || all[0].Region != "apac" || all[1].Region != "na" || all[1].ID != again.ID {
			t.Errorf("admitted are %+v, %v", all, err)
		}

		live := func() map[[32]byte]bool {
			t.Helper()
			p, _, err := w.Store.ProfileByID(ctx, again.ID)
			if err != nil {
				t.Fatal(err)
			}
			digests := map[[32]byte]bool{}
			for _, c := range p.Secrets {
				digests[c.Digest] = true
			}
			return digests
		}
		for _, secret := range []string{"second", "third"} {
			if p, err := w.Store.RenewRegion(ctx, "na", secret, by); err != nil || p.ID != again.ID {
				t.Fatalf("%+v, %v", p, err)
			}
		}
		if got := live(); len(got) != 2 || !got[registry.Digest("second")] || !got[registry.Digest("third")] {
			t.Errorf("%d secrets, want the second and the third", len(got))
		}
		_, err = w.Store.RenewRegion(ctx, "eu", "x", by)
		wantErr(t, "not admitted", err, store.ErrNotFound)
	})
}
