package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

func TestFlushUsage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		g := consented(t, w)
		p, _, err := w.Store.ProfileByID(ctx, g.ProfileID)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct{ flushed, want time.Duration }{{2 * time.Hour, 2 * time.Hour}, {time.Hour, 2 * time.Hour}, {3 * time.Hour, 3 * time.Hour}} {
			at := now.Add(step.flushed)
			if err := w.Store.FlushUsage(ctx, store.Usage{
				Profiles: map[int64]time.Time{p.ID: at, 1: at},
				Secrets:  map[int64]time.Time{p.Secrets[0].ID: at},
				Grants:   map[int64]time.Time{g.ID: at},
			}); err != nil {
				t.Fatal(err)
			}
			p, _, err := w.Store.ProfileByID(ctx, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			g, _, err := w.Store.GrantSnapshot(ctx, g.ID)
			if err != nil {
				t.Fatal(err)
			}
			want := now.Add(step.want)
			if !p.LastUsedAt.Equal(want) || !p.Secrets[0].LastUsedAt.Equal(want) || !g.LastUsedAt.Equal(want) || p.Version != 1 {
				t.Errorf("flushed %v: %v, %v, %v; want %v", at, p.LastUsedAt, p.Secrets[0].LastUsedAt, g.LastUsedAt, want)
			}
		}
	})
}

// Two servers flush the same profiles at the same moment, each time.
func TestFlushesDoNotBlockEachOther(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		var ids []int64
		for i := range 12 {
			p, _ := w.Profile(t, d.ID, fmt.Sprint("Profile ", i))
			ids = append(ids, p.ID)
		}
		servers := []*storetest.World{w, w.Again(t)}
		for i, err := range race(4, func(i int) error {
			for round := range 10 {
				at := storetest.Now().Add(time.Duration(round) * time.Minute)
				u := store.Usage{Profiles: map[int64]time.Time{}}
				var refusals []audit.Refusal
				for _, id := range ids {
					u.Profiles[id] = at
					refusals = append(refusals, audit.Refusal{ProfileID: id, Code: "invalid_request", Count: 1, FirstAt: at, LastAt: at})
				}
				if i%2 == 1 {
					for a, b := 0, len(refusals)-1; a < b; a, b = a+1, b-1 {
						refusals[a], refusals[b] = refusals[b], refusals[a]
					}
				}
				if err := servers[i%2].Store.FlushUsage(t.Context(), u); err != nil {
					return fmt.Errorf("usage: %w", err)
				}
				if err := servers[i%2].Store.AddRefusals(t.Context(), refusals); err != nil {
					return fmt.Errorf("refusals: %w", err)
				}
			}
			return nil
		}) {
			if err != nil {
				t.Errorf("server %d: %v", i%2, err)
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, now := t.Context(), storetest.Now()
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		other, _ := w.Profile(t, d.ID, "Other")
		refusal := func(sent string, count int64, first, last time.Duration) audit.Refusal {
			return audit.Refusal{
				ProfileID: p.ID, Endpoint: "/ap/oa", Code: "invalid_request", Words: "not registered", Sent: sent, Nearest: "near",
				RequestID: "r" + fmt.Sprint(last), Count: count, FirstAt: now.Add(first), LastAt: now.Add(last),
			}
		}
		gone := refusal("x", 1, 0, 0)
		gone.ProfileID = 1
		if err := w.Store.AddRefusals(ctx, []audit.Refusal{refusal("a", 2, 0, time.Second), refusal("b", 1, 2*time.Second, 2*time.Second), gone}); err != nil {
			t.Fatalf("one of a profile that has been deleted meanwhile: %v", err)
		}
		if err := w.Store.AddRefusals(ctx, []audit.Refusal{refusal("a", 3, 3*time.Second, 4*time.Second)}); err != nil {
			t.Fatal(err)
		}
		got, err := w.Store.Refusals(ctx, p.ID)
		if diff := cmp.Diff([]audit.Refusal{refusal("a", 5, 0, 4*time.Second), refusal("b", 1, 2*time.Second, 2*time.Second)}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		if got, err := w.Store.Refusals(ctx, other.ID); len(got) != 0 || err != nil {
			t.Errorf("another profile's: %v, %v", got, err)
		}

		var many []audit.Refusal
		for i := range audit.MaxRefusals + 10 {
			many = append(many, refusal(fmt.Sprint("many ", i), 1, time.Duration(i)*time.Minute, time.Duration(i)*time.Minute))
		}
		if err := w.Store.AddRefusals(ctx, many); err != nil {
			t.Fatal(err)
		}
		got, err = w.Store.Refusals(ctx, p.ID)
		if err != nil || len(got) != 50 || got[0].Sent != "many 59" || got[49].Sent != "many 10" {
			t.Errorf("%d refusals are kept, want the 50 newest (%v)", len(got), err)
		}
	})
}

// What was refused is text that strangers sent. It takes nothing else with it.
func TestRefusalsOfAnyText(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		_, d := w.Developer(t, "dev@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		at := storetest.Now()
		all := []audit.Refusal{{ProfileID: p.ID, Sent: "fine", Count: 1, FirstAt: at, LastAt: at.Add(time.Second)}}
		for _, text := range []string{"a\x00b", "\xff", strings.Repeat("é", 10)[:19]} {
			all = append(all, audit.Refusal{ProfileID: p.ID, Endpoint: text, Code: text, Words: text, Sent: text, Nearest: text, RequestID: text, Count: 1, FirstAt: at, LastAt: at})
		}
		if err := w.Store.AddRefusals(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		got, err := w.Store.Refusals(t.Context(), p.ID)
		if err != nil || len(got) != 4 || got[0].Sent != "fine" {
			t.Errorf("%+v, %v", got, err)
		}
		for _, r := range got[1:] {
			if !strings.Contains(r.Sent, "\uFFFD") {
				t.Errorf("%q came back without a mark where it could not be kept", r.Sent)
			}
		}
	})
}

// More than one statement takes, in commits of their own.
func TestFlushUsageOfMany(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		w.Exec(t, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
			INSERT INTO accounts (id, email, email_key, email_confirmed_at, name, postal_code, password_hash, created_at, updated_at, disabled_at, version)
			SELECT i, 'u' || i, 'u' || i, 0, '', '', '', 0, 0, 0, 1 FROM n`)
		w.Exec(t, `INSERT INTO grants (id, account_id, profile_id, scopes, asked, created_at, updated_at, last_used_at)
			SELECT a.id, a.id, $1, $2, $2, 0, 0, 0 FROM accounts AS a WHERE a.id <= 600`, g.ProfileID, []byte{1})
		used := store.Usage{Grants: map[int64]time.Time{}}
		for id := range int64(550) {
			used.Grants[id+1] = time.UnixMicro(1000 + id)
		}
		w.Faults.Reset()
		if err := w.Store.FlushUsage(t.Context(), used); err != nil {
			t.Fatal(err)
		}
		if c := w.Faults.Counts(); c.Commits != 3 || c.Execs != 3 {
			t.Errorf("%+v for 550 grants, want 3 statements and commits", c)
		}
		if n := w.Count(t, `grants WHERE id <= 550 AND last_used_at = id + 999`); n != 550 {
			t.Errorf("%d of 550 were written", n)
		}
		if n := w.Count(t, `grants WHERE id > 550 AND last_used_at <> 0`); n != 0 {
			t.Errorf("%d others were written", n)
		}
	})
}
