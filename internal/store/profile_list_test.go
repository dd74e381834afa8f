package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func names(p store.ProfilePage) []string {
	var all []string
	for _, profile := range p.Profiles {
		all = append(all, profile.Name)
	}
	slices.Sort(all)
	return all
}

func TestSearch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		_, other := w.Developer(t, "eve@example.com")
		for _, name := range []string{"100% Reports", "100 reports", "snake_case", "snakeXcase", `back\slash`, "backslash", "Über uns", "O'Hara"} {
			w.Profile(t, d.ID, name)
		}
		w.Profile(t, other.ID, "100% Another's")
		for _, tc := range []struct {
			words string
			want  []string
		}{
			{"reports", []string{"100 reports", "100% Reports"}},
			{"100%", []string{"100% Reports"}},
			{"%", []string{"100% Reports"}},
			{"snake_", []string{"snake_case"}},
			{`k\s`, []string{`back\slash`}},
			{"ÜBER", []string{"Über uns"}},
			{"o'h", []string{"O'Hara"}},
			{"FOR TESTS", []string{"100 reports", "100% Reports", "O'Hara", `back\slash`, "backslash", "snakeXcase", "snake_case", "Über uns"}}, // the description
			{"nothing like it", nil},
			{"\x00", nil},
			{"\xff", nil},
		} {
			page, err := w.Store.Profiles(t.Context(), store.ProfileQuery{DeveloperID: d.ID, Search: tc.words, Limit: 20})
			slices.Sort(tc.want)
			if err != nil || !slices.Equal(names(page), tc.want) {
				t.Errorf("%q finds %q, want %q (%v)", tc.words, names(page), tc.want, err)
			}
		}
		page, err := w.Store.Profiles(t.Context(), store.ProfileQuery{Search: "100%", Limit: 20})
		if want := []string{"100% Another's", "100% Reports"}; err != nil || !slices.Equal(names(page), want) {
			t.Errorf("the operator finds %q, want %q (%v)", names(page), want, err)
		}
	})
}

func TestProfilesByClient(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		_, other := w.Developer(t, "eve@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		w.Profile(t, d.ID, "Second")
		for _, tc := range []struct {
			developer int64
			client    registry.ClientKey
			want      int
		}{{d.ID, p.Client, 1}, {0, p.Client, 1}, {other.ID, p.Client, 0}, {d.ID, registry.ClientKey{1}, 0}} {
			page, err := w.Store.Profiles(t.Context(), store.ProfileQuery{DeveloperID: tc.developer, Client: &tc.client, Limit: 5})
			if err != nil || len(page.Profiles) != tc.want || tc.want == 1 && page.Profiles[0].ID != p.ID {
				t.Errorf("%v: %q, %v", tc, names(page), err)
			}
		}
		if n, err := w.Store.CountProfiles(t.Context(), d.ID); n != 2 || err != nil {
			t.Errorf("%d profiles, %v", n, err)
		}
	})
}

// Pages do not overlap and leave nothing out, and the last says so.
func TestProfilePages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		for i := range 6 {
			w.Profile(t, d.ID, fmt.Sprint("Profile ", i))
		}
		var seen []int64
		for q := (store.ProfileQuery{DeveloperID: d.ID, Limit: 3}); ; q.Before = seen[len(seen)-1] {
			page, err := w.Store.Profiles(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.Profiles {
				seen = append(seen, p.ID)
			}
			if page.More != (len(seen) < 6) {
				t.Errorf("after %d of 6, More is %v", len(seen), page.More)
			}
			if !page.More {
				break
			}
		}
		if len(seen) != 6 || !slices.IsSortedFunc(seen, func(a, b int64) int { return int(b>>20 - a>>20) }) || len(slices.Compact(slices.Clone(seen))) != 6 {
			t.Errorf("pages hold %v", seen)
		}
	})
}

// With ten thousand profiles each list is still one statement that goes along an
// index, whatever page is asked for.
func TestTenThousandProfiles(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	_, d := w.Developer(t, "dev@example.com")
	_, other := w.Developer(t, "eve@example.com")
	err := w.DB.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		for i := range 10_000 {
			key := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i))
			owner := d.ID
			if i%10 == 0 {
				owner = other.ID
			}
			if _, err := tx.Exec(ctx, `INSERT INTO profiles (id, developer_id, client_key, application_key, name, description, privacy_url, search_text, logo, created_at, updated_at, last_used_at, suspended_at, version)
				VALUES ($1, $2, $3, $3, $4, 'd', 'p', $4, x'', 1, 1, 0, 0, 1)`, i+1, owner, key, fmt.Sprint("profile ", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	client := registry.ClientKey(binary.BigEndian.AppendUint64(make([]byte, 8), 5_001))
	for _, tc := range []struct {
		name  string
		query store.ProfileQuery
		index string
		want  string // the first row
	}{
		{"first page", store.ProfileQuery{DeveloperID: d.ID, Limit: 25}, "USING INDEX profiles_by_developer", "profile 9999"},
		{"a later page", store.ProfileQuery{DeveloperID: d.ID, Limit: 25, Before: 5_001}, "USING INDEX profiles_by_developer", "profile 4999"},
		{"search", store.ProfileQuery{DeveloperID: d.ID, Limit: 25, Search: "FILE 777"}, "USING INDEX profiles_by_developer", "profile 7779"},
		{"client", store.ProfileQuery{DeveloperID: d.ID, Limit: 25, Client: &client}, "(client_key=?", "profile 5001"},
		{"everybody's", store.ProfileQuery{Limit: 25}, "USING INTEGER PRIMARY KEY", "profile 9999"},
		{"everybody's, search", store.ProfileQuery{Limit: 25, Search: "file 777"}, "USING INTEGER PRIMARY KEY", "profile 7779"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.Faults.Reset()
			page, err := w.Store.Profiles(t.Context(), tc.query)
			if err != nil || len(page.Profiles) == 0 || page.Profiles[0].Name != tc.want {
				t.Errorf("%q, %v; want %q first", names(page), err, tc.want)
			}
			if got, want := w.Faults.Counts(), (faultdb.Counts{Queries: 1}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			text, args := tc.query.Statement()
			rows, err := w.DB.Query(t.Context(), `EXPLAIN QUERY PLAN `+text, args...)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var plan []string
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
					t.Fatal(err)
				}
				plan = append(plan, step)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if len(plan) != 1 || !strings.HasPrefix(plan[0], "SEARCH") || !strings.Contains(plan[0], tc.index) {
				t.Errorf("plan %q, want one search %s", plan, tc.index)
			}
		})
	}
	w.Faults.Reset()
	if n, err := w.Store.CountProfiles(t.Context(), d.ID); n != 9_000 || err != nil || w.Faults.Counts().Queries != 1 {
		t.Errorf("%d profiles, %v", n, err)
	}
}
