package store_test

import (
	"fmt"
	"testing"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// parents says for each column that names another row, which table that row is in.
var parents = map[string]string{
	"profile_id":   "profiles",
	"account_id":   "accounts",
	"developer_id": "developers",
	"grant_id":     "grants",
}

// wantNoOrphans looks at every table of the schema.
func wantNoOrphans(t *testing.T, w *storetest.World) {
	t.Helper()
	tables, err := w.DB.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, table := range tables {
		if table.Name == "events" { // outlives what it tells of
			continue
		}
		for _, c := range table.Columns {
			if parent, ok := parents[c.Name]; ok {
				looked++
				if n := w.Count(t, fmt.Sprintf(`%s AS c WHERE NOT EXISTS (SELECT 1 FROM %s AS p WHERE p.id = c.%s)`, table.Name, parent, c.Name)); n != 0 {
					t.Errorf("%d rows of %s have a %s that is gone", n, table.Name, c.Name)
				}
			}
		}
	}
	if looked < 10 {
		t.Errorf("found only %d columns to look at", looked)
	}
	if n := w.Count(t, `developers AS d WHERE NOT EXISTS (SELECT 1 FROM members AS m WHERE m.developer_id = d.id)
		AND NOT EXISTS (SELECT 1 FROM profiles AS p WHERE p.developer_id = d.id AND p.dynamic = 2)`); n != 0 {
		t.Errorf("%d developer accounts have no member", n)
	}
	if n := w.Count(t, `logos AS l WHERE NOT EXISTS (SELECT 1 FROM profiles AS p WHERE p.logo = l.hash)`); n != 0 {
		t.Errorf("%d logos are nobody's", n)
	}
}

// furnish gives an account and a profile a row in every table that can have one.
func furnish(t *testing.T, w *storetest.World, accountID, developerID int64, mark byte) (registry.SecurityProfile, int64) {
	t.Helper()
	ctx, by := t.Context(), storetest.By(0)
	p, err := w.Store.CreateProfile(ctx, store.NewProfile{
		DeveloperID: developerID, Form: registry.ProfileForm{Name: "Reports"}, Logo: logo(mark),
		ReturnURLs: []registry.ReturnURL{{Value: "https://a.example"}}, Secret: fmt.Sprint("secret ", mark),
	}, by)
	if err != nil {
		t.Fatal(err)
	}
	g := allow(t, w, accountID, p.ID)
	_, s := account.NewSession(accountID, "", "", by.At)
	_, r := account.NewRecovery(accountID, by.At)
	code := [12]byte{mark}
	d, err := w.Store.AddDevice(ctx, developerID, p.ID, "TV", by)
	if err != nil {
		t.Fatal(err)
	}
	create(t, w, pairOf(p.ID, d.ID, mark))
	for _, err := range []error{
		w.Store.SaveWebSettings(ctx, developerID, p.ID, 1, []registry.AllowedOrigin{{Value: "https://o.example"}}, p.ReturnURLs, by),
		w.Store.CreateSession(ctx, s),
		w.Store.CreateRecovery(ctx, r, "", by.At),
		errOf(w.Store.Redeem(ctx, store.Redeem{Code: code, GrantID: g.ID}, by.At)),
		errOf(w.Store.Redeem(ctx, store.Redeem{Code: code, GrantID: g.ID}, by.At)),
		w.Store.AddRefusals(ctx, []audit.Refusal{{ProfileID: p.ID, Count: 1, FirstAt: by.At, LastAt: by.At}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p, g.ID
}

func TestDeleteProfile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		user := w.Account(t, "ann@example.com")
		_, d := w.Developer(t, "dev@example.com")
		p, grant := furnish(t, w, user.ID, d.ID, 1)
		kept, keptGrant := furnish(t, w, user.ID, d.ID, 2)
		wantNoOrphans(t, w)
		wantOneWinner(t, race(8, func(int) error { return w.Store.DeleteProfile(t.Context(), d.ID, p.ID, storetest.By(0)) }), store.ErrNotFound)
		wantNoOrphans(t, w)
		_, _, err := w.Store.GrantSnapshot(t.Context(), grant)
		wantErr(t, "the grant", err, store.ErrNotFound)
		if _, _, err := w.Store.GrantSnapshot(t.Context(), keptGrant); err != nil {
			t.Errorf("the other profile's grant: %v", err)
		}
		if page, err := w.Store.Profiles(t.Context(), store.ProfileQuery{DeveloperID: d.ID, Limit: 9}); err != nil || len(page.Profiles) != 1 || page.Profiles[0].ID != kept.ID {
			t.Errorf("%+v, %v", page, err)
		}
		events, err := w.Store.ProfileEvents(t.Context(), p.ID, 20)
		if err != nil || len(events) < 3 {
			t.Errorf("what happened to it is forgotten: %v, %v", kinds(events), err)
		}
	})
}

func TestDeleteAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		user := w.Account(t, "ann@example.com")
		dev, alone := w.Developer(t, "dev@example.com")
		shared, err := w.Store.CreateDeveloper(ctx, dev.ID, store.NewDeveloper{Company: "Shared", Country: "GB"}, storetest.By(0))
		if err != nil {
			t.Fatal(err)
		}
		w.Exec(t, `INSERT INTO members (developer_id, account_id, created_at) VALUES ($1, $2, 0)`, shared.ID, user.ID)
		furnish(t, w, user.ID, alone.ID, 1)
		furnish(t, w, dev.ID, alone.ID, 2)
		kept, keptGrant := furnish(t, w, user.ID, shared.ID, 3)

		end, err := w.Store.AccountEnd(ctx, dev.ID)
		if err != nil || end.Applications != 1 || len(end.Companies) != 1 || end.Companies[0] != "dev Ltd" || end.Profiles != 2 {
			t.Errorf("told before: %+v, %v", end, err)
		}
		if err := w.Store.DeleteAccount(ctx, dev.ID, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		wantNoOrphans(t, w)
		_, err = w.Store.Developer(ctx, alone.ID)
		wantErr(t, "the developer account without another member", err, store.ErrNotFound)
		if got, _, err := w.Store.ProfileByID(ctx, kept.ID); err != nil || got.Name != "Reports" {
			t.Errorf("the profile of the shared developer account: %v", err)
		}
		if _, _, err := w.Store.GrantSnapshot(ctx, keptGrant); err != nil {
			t.Errorf("the other user's grant: %v", err)
		}
		wantErr(t, "deleted again", w.Store.DeleteAccount(ctx, dev.ID, storetest.By(0)), store.ErrNotFound)

		if err := w.Store.DeleteAccount(ctx, user.ID, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		wantNoOrphans(t, w)
		if n := w.Count(t, `profiles`) + w.Count(t, `logos`) + w.Count(t, `grants`) + w.Count(t, `sessions`); n != 0 {
			t.Errorf("%d rows outlive everybody", n)
		}
	})
}
