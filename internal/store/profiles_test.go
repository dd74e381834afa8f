package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func logo(n byte) store.LogoChange {
	return store.LogoChange{Hash: registry.LogoHash{n}, PNG: []byte{'P', 'N', 'G', n}}
}

func TestCreateProfile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		made, err := w.Store.CreateProfile(t.Context(), store.NewProfile{
			DeveloperID: d.ID,
			Form:        registry.ProfileForm{Name: "Reports", Description: "Downloads", PrivacyURL: "https://example.com/p"},
			Logo:        logo(1),
			ReturnURLs:  []registry.ReturnURL{{Value: "https://example.com/b", Note: "live"}, {Value: "https://example.com/a"}},
			Secret:      "value",
		}, storetest.By(0))
		if err != nil {
			t.Fatal(err)
		}
		now := storetest.Now()
		want := registry.SecurityProfile{
			ID: made.ID, DeveloperID: d.ID, Client: made.Client, Application: made.Application,
			Name: "Reports", Description: "Downloads", PrivacyURL: "https://example.com/p", Logo: registry.LogoHash{1},
			CreatedAt: now, UpdatedAt: now, Version: 1,
			Settings:   registry.Settings{IDTokenAlg: "RS256"},
			ReturnURLs: []registry.ReturnURL{{Value: "https://example.com/b", Note: "live"}, {Value: "https://example.com/a"}},
			Secrets:    []registry.ClientSecret{{ID: made.Secrets[0].ID, Digest: registry.Digest("value"), CreatedAt: now}},
		}
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("made (-want +got)\n%s", diff)
		}
		for name, read := range map[string]func() (registry.SecurityProfile, error){
			"Profile": func() (registry.SecurityProfile, error) { return w.Store.Profile(t.Context(), d.ID, made.Application) },
			"ProfileByClient": func() (p registry.SecurityProfile, err error) {
				p, _, err = w.Store.ProfileByClient(t.Context(), made.Client)
				return
			},
			"ProfileByID": func() (p registry.SecurityProfile, err error) {
				p, _, err = w.Store.ProfileByID(t.Context(), made.ID)
				return
			},
		} {
			got, err := read()
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
			}
		}
		if png, err := w.Store.Logo(t.Context(), registry.LogoHash{1}); string(png) != "PNG\x01" || err != nil {
			t.Errorf("logo %q, %v", png, err)
		}
		_, err = w.Store.Logo(t.Context(), registry.LogoHash{2})
		wantErr(t, "a logo that is not there", err, store.ErrNotFound)
	})
}

// Another developer account's profile cannot be told from one that does not exist.
func TestAnothersProfileIsNotFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, owner := w.Developer(t, "dev@example.com")
		_, other := w.Developer(t, "eve@example.com")
		p, _ := w.Profile(t, owner.ID, "Reports")
		ctx, by, form := t.Context(), storetest.By(0), registry.ProfileForm{Name: "Mine"}
		secret := p.Secrets[0].ID
		for what, call := range map[string]func(developer, id int64) error{
			"update": func(developer, id int64) error {
				return w.Store.UpdateProfile(ctx, developer, id, 1, form, store.LogoChange{}, by)
			},
			"save":   func(developer, id int64) error { return w.Store.SaveWebSettings(ctx, developer, id, 1, nil, nil, by) },
			"delete": func(developer, id int64) error { return w.Store.DeleteProfile(ctx, developer, id, by) },
			"show": func(developer, id int64) error {
				_, err := w.Store.ShowSecret(ctx, developer, id, secret, by)
				return err
			},
			"add secret": func(developer, id int64) error { _, err := w.Store.AddSecret(ctx, developer, id, "x", by); return err },
			"end secret": func(developer, id int64) error { return w.Store.EndSecret(ctx, developer, id, secret, time.Time{}, by) },
		} {
			wantErr(t, what+" another's", call(other.ID, p.ID), store.ErrNotFound)
			wantErr(t, what+" none", call(owner.ID, 1), store.ErrNotFound)
		}
		_, err := w.Store.Profile(ctx, other.ID, p.Application)
		wantErr(t, "read another's", err, store.ErrNotFound)
		_, _, err = w.Store.ProfileByID(ctx, 1)
		wantErr(t, "read none", err, store.ErrNotFound)
		_, _, err = w.Store.ProfileByClient(ctx, registry.ClientKey{1})
		wantErr(t, "read none by client", err, store.ErrNotFound)
		wantErr(t, "suspend none", w.Store.SetProfileSuspended(ctx, 1, by.At, by), store.ErrNotFound)

		after, err := w.Store.Profile(ctx, owner.ID, p.Application)
		if diff := cmp.Diff(p, after); diff != "" || err != nil {
			t.Errorf("the profile changed: %v (-before +after)\n%s", err, diff)
		}
		if n := w.Count(t, `events WHERE profile_id = $1`, p.ID); n != 1 {
			t.Errorf("%d events, want only its creation", n)
		}
	})
}

func TestUpdateProfile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		save := func(version int64, l store.LogoChange) error {
			return w.Store.UpdateProfile(t.Context(), d.ID, p.ID, version, registry.ProfileForm{Name: fmt.Sprint("Version ", version+1), Description: "d", PrivacyURL: "https://example.com/q"}, l, storetest.By(time.Minute))
		}
		for i, step := range []struct {
			logo  store.LogoChange
			hash  registry.LogoHash
			logos int
		}{
			{store.LogoChange{}, registry.LogoHash{}, 0},
			{logo(1), registry.LogoHash{1}, 1},
			{store.LogoChange{}, registry.LogoHash{1}, 1},
			{logo(2), registry.LogoHash{2}, 1}, // the old one is nobody's any more
			{store.LogoChange{Remove: true}, registry.LogoHash{}, 0},
		} {
			version := int64(i + 1)
			if err := save(version, step.logo); err != nil {
				t.Fatal(err)
			}
			wantErr(t, "a save over another", save(version, logo(9)), store.ErrStale)
			got, err := w.Store.Profile(t.Context(), d.ID, p.Application)
			if err != nil || got.Version != version+1 || got.Name != fmt.Sprint("Version ", version+1) || got.Logo != step.hash || !got.UpdatedAt.Equal(storetest.Now().Add(time.Minute)) {
				t.Errorf("step %d: %+v, %v", i, got, err)
			}
			if n := w.Count(t, `logos`); n != step.logos {
				t.Errorf("step %d: %d logos are kept, want %d", i, n, step.logos)
			}
		}
		if page, err := w.Store.Profiles(t.Context(), store.ProfileQuery{DeveloperID: d.ID, Search: "VERSION 6", Limit: 9}); len(page.Profiles) != 1 || err != nil {
			t.Errorf("search does not find the new name: %v", err)
		}
	})
}

// A logo that two profiles share lives as long as one of them.
func TestSharedLogo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		for range 2 {
			p, _ := w.Profile(t, d.ID, "Reports")
			if err := w.Store.UpdateProfile(t.Context(), d.ID, p.ID, 1, registry.ProfileForm{Name: "n"}, logo(1), storetest.By(0)); err != nil {
				t.Fatal(err)
			}
		}
		page, err := w.Store.Profiles(t.Context(), store.ProfileQuery{DeveloperID: d.ID, Limit: 9})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range page.Profiles {
			if n := w.Count(t, `logos`); n != 1 {
				t.Errorf("%d logos before profile %d is deleted, want 1", n, i)
			}
			if err := w.Store.DeleteProfile(t.Context(), d.ID, p.ID, storetest.By(0)); err != nil {
				t.Error(err)
			}
		}
		if n := w.Count(t, `logos`); n != 0 {
			t.Errorf("%d logos are nobody's", n)
		}
	})
}

// One profile gives a logo up while others take it: nobody is left without.
func TestLogoRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		var ids []int64
		for i := range 4 {
			p, _ := w.Profile(t, d.ID, fmt.Sprint("Profile ", i))
			ids = append(ids, p.ID)
		}
		const rounds = 30
		for i, err := range race(len(ids), func(i int) error {
			for round := range rounds {
				l := logo(1)
				if (round+i)%2 == 0 {
					l = store.LogoChange{Remove: true}
				}
				if err := w.Store.UpdateProfile(t.Context(), d.ID, ids[i], int64(round+1), registry.ProfileForm{Name: "n"}, l, storetest.By(0)); err != nil {
					return err
				}
				got, _, err := w.Store.ProfileByID(t.Context(), ids[i])
				if err != nil || l.Remove {
					continue
				}
				if _, err := w.Store.Logo(t.Context(), got.Logo); err != nil {
					return fmt.Errorf("round %d: the logo just saved: %w", round, err)
				}
			}
			return nil
		}) {
			if err != nil {
				t.Errorf("profile %d: %v", i, err)
			}
		}
		if used, kept := w.Count(t, `profiles WHERE logo <> $1`, []byte{}), w.Count(t, `logos`); kept != min(used, 1) {
			t.Errorf("%d profiles use the logo, %d are kept", used, kept)
		}
	})
}

func TestSaveWebSettings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		urls := []registry.ReturnURL{{Value: "https://z.example", Note: "first"}, {Value: "https://a.example"}}
		origins := []registry.AllowedOrigin{{Value: "https://o.example", Note: "site"}}
		if err := w.Store.SaveWebSettings(t.Context(), d.ID, p.ID, 1, origins, urls, storetest.By(time.Minute)); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "a save over another", w.Store.SaveWebSettings(t.Context(), d.ID, p.ID, 1, nil, nil, storetest.By(0)), store.ErrStale)
		p.ReturnURLs, p.Origins, p.Version, p.UpdatedAt = urls, origins, 2, storetest.Now().Add(time.Minute)
		got, err := w.Store.Profile(t.Context(), d.ID, p.Application)
		if diff := cmp.Diff(p, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		if err := w.Store.SaveWebSettings(t.Context(), d.ID, p.ID, 2, nil, nil, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, `return_urls`) + w.Count(t, `origins`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// Of those who save over the same version one wins, and what is there then is
// wholly theirs.
func TestSaveRaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		errs := race(16, func(i int) error {
			host := fmt.Sprintf("https://%d.example", i)
			return w.Store.SaveWebSettings(t.Context(), d.ID, p.ID, 1,
				[]registry.AllowedOrigin{{Value: host}}, []registry.ReturnURL{{Value: host + "/a"}, {Value: host + "/b"}}, storetest.By(0))
		})
		wantOneWinner(t, errs, store.ErrStale)
		got, err := w.Store.Profile(t.Context(), d.ID, p.Application)
		if err != nil || len(got.Origins) != 1 {
			t.Fatalf("%+v, %v", got.Origins, err)
		}
		host := got.Origins[0].Value
		if diff := cmp.Diff([]registry.ReturnURL{{Value: host + "/a"}, {Value: host + "/b"}}, got.ReturnURLs); diff != "" {
			t.Errorf("two saves are mixed (-want +got)\n%s", diff)
		}
		wantOneWinner(t, race(16, func(i int) error {
			return w.Store.UpdateProfile(t.Context(), d.ID, p.ID, 2, registry.ProfileForm{Name: fmt.Sprint(i)}, store.LogoChange{}, storetest.By(0))
		}), store.ErrStale)
		if n := w.Count(t, `events WHERE profile_id = $1`, p.ID); n != 3 {
			t.Errorf("%d events, want one for each success", n)
		}
	})
}

func TestSetProfileSuspended(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		for i, at := range []time.Time{storetest.Now().Add(time.Hour), {}} {
			if err := w.Store.SetProfileSuspended(t.Context(), p.ID, at, storetest.By(time.Duration(i+1)*time.Minute)); err != nil {
				t.Fatal(err)
			}
			if got, _, err := w.Store.ProfileByID(t.Context(), p.ID); !got.SuspendedAt.Equal(at) || err != nil {
				t.Errorf("suspended at %v, %v", got.SuspendedAt, err)
			}
		}
		events, err := w.Store.ProfileEvents(t.Context(), p.ID, 9)
		if diff := cmp.Diff([]audit.Kind{audit.ProfileResumed, audit.ProfileSuspended, audit.ProfileCreated}, kinds(events)); diff != "" || err != nil {
			t.Errorf("events: %v (-want +got)\n%s", err, diff)
		}
	})
}

// TestSaveSettings: the kind, the algorithm of ID tokens and the implicit grant are
// kept, and nobody saves over another's change.
func TestSaveSettings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		_, d := w.Developer(t, "dev@example.com")
		_, stranger := w.Developer(t, "other@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		kept, _ := w.Profile(t, d.ID, "Others")
		want := registry.Settings{Kind: registry.Native, IDTokenAlg: "ES256", Implicit: true}
		wantErr(t, "a stranger's", w.Store.SaveSettings(ctx, stranger.ID, p.ID, 1, want, nil, storetest.By(0)), store.ErrStale)
		if err := w.Store.SaveSettings(ctx, d.ID, p.ID, 1, want, nil, storetest.By(time.Hour)); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "over another change", w.Store.SaveSettings(ctx, d.ID, p.ID, 1, registry.Settings{}, nil, storetest.By(0)), store.ErrStale)
		got, _, err := w.Store.ProfileByID(ctx, p.ID)
		if diff := cmp.Diff(want, got.Settings); diff != "" || err != nil || got.Version != 2 || !got.UpdatedAt.Equal(storetest.Now().Add(time.Hour)) {
			t.Errorf("version %d of %v, %v (-want +got)\n%s", got.Version, got.UpdatedAt, err, diff)
		}
		if other, _, err := w.Store.ProfileByID(ctx, kept.ID); err != nil || other.Settings != kept.Settings || other.Version != 1 {
			t.Errorf("another profile has %+v, %v", other.Settings, err)
		}
		events, err := w.Store.ProfileEvents(ctx, p.ID, 9)
		if err != nil || events[0].Kind != audit.SettingsChanged || events[0].Detail != "native" {
			t.Errorf("in the log: %+v, %v", events, err)
		}
		made, err := w.Store.CreateProfile(ctx, store.NewProfile{DeveloperID: d.ID, Form: registry.ProfileForm{Name: "New"}, Settings: want, Secret: "value"}, storetest.By(0))
		if err != nil || made.Settings != want {
			t.Errorf("made with %+v, %v", made.Settings, err)
		}
		if got, _, err := w.Store.ProfileByClient(ctx, made.Client); err != nil || got.Settings != want {
			t.Errorf("made, and read with %+v, %v", got.Settings, err)
		}
	})
}

func TestProfileByOrigin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		q, _ := w.Profile(t, d.ID, "Charts")
		allow := func(p registry.SecurityProfile, version int64, origins ...registry.AllowedOrigin) {
			t.Helper()
			if err := w.Store.SaveWebSettings(t.Context(), d.ID, p.ID, version, origins, nil, storetest.By(0)); err != nil {
				t.Fatal(err)
			}
		}
		const shared = "https://o.example"
		find := func(when, origin string, want ...int64) {
			t.Helper()
			got, _, err := w.Store.ProfileByOrigin(t.Context(), origin)
			if len(want) == 0 {
				wantErr(t, when, err, store.ErrNotFound)
			} else if err != nil || !slices.Contains(want, got.ID) || !registry.AllowsOrigin(got.Origins, origin) {
				t.Errorf("%s: profile %d with %v, %v; want one of %d", when, got.ID, got.Origins, err, want)
			}
		}
		find("before anything is saved", shared)
		allow(p, 1, registry.AllowedOrigin{Value: "https://first.example"}, registry.AllowedOrigin{Value: shared})
		find("of one profile", shared, p.ID)
		find("longer", shared+":8443")
		find("in another case", "https://O.example")
		allow(q, 1, registry.AllowedOrigin{Value: shared})
		find("of two profiles", shared, p.ID, q.ID)
		allow(p, 2)
		find("of the one that is left", shared, q.ID)
		allow(q, 2)
		find("of none", shared)
	})
}
