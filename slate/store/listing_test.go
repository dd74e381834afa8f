package store_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/store"
	"gatelodge/slate/store/storetest"
)

// TestOrder: a page is what going through the whole list would give.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		modified := rapid.SliceOfN(rapid.Int64Range(0, 20), 0, 3).Draw(t, "beginning")
		for range rapid.IntRange(0, 900).Draw(t, "more") {
			// Mostly one after another, as reports are published; some were corrected.
			at := int64(len(modified))
			if at%97 == 0 {
				at = rapid.Int64Range(0, 1000).Draw(t, "corrected")
			}
			modified = append(modified, at)
		}
		since := rapid.Int64Range(0, 1000).Draw(t, "since")
		p := store.Page{Limit: rapid.IntRange(1, 100).Draw(t, "limit"), Offset: rapid.IntRange(0, 1000).Draw(t, "offset")}
		var all []int64
		for id, at := range modified {
			if at >= since {
				all = append(all, int64(id))
			}
		}
		begin := min(p.Offset, len(all))
		want := all[begin:min(begin+p.Limit, len(all))]
		got, total := store.NewOrder(modified).Page(since, p)
		if diff := cmp.Diff(append([]int64{}, want...), append([]int64{}, got...)); diff != "" || total != len(all) {
			t.Errorf("%+v since %d: %d of %d, %s", p, since, total, len(all), diff)
		}
	})
}

// manyReports is what a type of TestManyReports has; a hundred types of that size
// are a million reports.
const manyReports = 10_000

// TestManyReports: a page of a long list, and how it is come by.
func TestManyReports(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(t testing.TB) *sqldb.DB) {
		db := open(t)
		ok(t, db.Migrate(t.Context(), store.Migrations()))
		s := store.New(db)
		alpha := must[store.Account](t)(s.CreateAccount(t.Context(), "Alpha Pictures", operator(0)))
		ok(t, storetest.Fill(t.Context(), db, storetest.Catalogue{
			AccountID: alpha.ID, Group: store.GroupChannels, Channels: 1, Types: 3, Reports: manyReports, Modified: noon.UnixMicro(), FirstID: 7,
		}))
		types, total, err := s.Types(t.Context(), 7, store.Page{Limit: 2, Offset: 1})
		if err != nil || total != 3 || len(types) != 2 {
			t.Fatalf("%v, %d, %v", types, total, err)
		}
		rt := types[0]
		for range 2 { // read, and from memory
			page, total, err := s.Reports(t.Context(), rt, time.Time{}, store.Page{Limit: 10, Offset: manyReports - 3})
			if err != nil || total != manyReports || len(page) != 3 || page[2].Begin.Unix() != manyReports*86400 {
				t.Errorf("the last page: %v, %d, %v", page, total, err)
			}
			page, total, err = s.Reports(t.Context(), rt, noon.Add((manyReports-5)*time.Second), store.Page{Limit: 3, Offset: 1})
			if err != nil || total != 5 || len(page) != 3 || page[0].Begin.Unix() != (manyReports-3)*86400 {
				t.Errorf("what was modified last: %v, %d, %v", page, total, err)
			}
			page, total, err = s.Reports(t.Context(), rt, time.Time{}, store.Page{Limit: 100, Offset: manyReports})
			if err != nil || total != manyReports || len(page) != 0 {
				t.Errorf("after the last: %v, %d, %v", page, total, err)
			}
			page, total, err = s.Periods(t.Context(), rt, store.Page{Limit: 26, Offset: manyReports - 2})
			if err != nil || total != manyReports || len(page) != 2 || page[1].Begin.Unix() != 86400 {
				t.Errorf("the oldest periods: %v, %d, %v", page, total, err)
			}
		}
		page, _, err := s.Reports(t.Context(), rt, time.Time{}, store.Page{Limit: 100, Offset: 50})
		if err != nil || len(page) != 100 || page[99].Begin.Unix() != 150*86400 {
			t.Errorf("a page of a hundred: %d, %v", len(page), err)
		}
		for _, p := range store.PageTexts {
			plan := explain(t, db, p.Text, p.Places)
			if strings.Contains(plan, "SCAN") || strings.Contains(plan, "Seq Scan on reports") {
				t.Errorf("the page goes through all reports:\n%s", plan)
			}
		}
		for text, arguments := range map[string]int{store.ChannelsFor: 6, store.TypesFor: 7} {
			if db.Dialect() != sqldb.SQLite {
				continue // its plan goes by what is in the tables
			}
			if plan := explain(t, db, text, arguments); strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "SCAN") {
				t.Errorf("a page is sorted, and not found in its order:\n%s", plan)
			}
		}
		plan := explain(t, db, store.OrderReports, 1)
		if strings.Contains(plan, "Seq Scan on reports") || db.Dialect() == sqldb.SQLite && (!strings.Contains(plan, "USING COVERING INDEX") || strings.Contains(plan, "TEMP B-TREE")) {
			t.Errorf("the order touches rows for nothing:\n%s", plan)
		}
	})
}

// explain gives the plan of a query with so many arguments.
func explain(t *testing.T, db *sqldb.DB, text string, arguments int) string {
	t.Helper()
	args := make([]any, arguments)
	for i := range args {
		args[i] = i + 1
	}
	prefix := "EXPLAIN "
	if db.Dialect() == sqldb.SQLite {
		prefix = "EXPLAIN QUERY PLAN "
	} else {
		ok(t, db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, `ANALYZE reports`)
			return err
		}))
	}
	rows, err := db.Query(t.Context(), prefix+text, args...)
	ok(t, err)
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if db.Dialect() == sqldb.SQLite {
			var id, parent, unused int
			ok(t, rows.Scan(&id, &parent, &unused, &line))
		} else {
			ok(t, rows.Scan(&line))
		}
		lines = append(lines, line)
	}
	ok(t, rows.Err())
	return strings.Join(lines, "\n")
}

// only is the one type of the one channel of an account.
func only(t *testing.T, s *store.Store, account int64) store.ReportType {
	t.Helper()
	channels, total, err := s.Channels(t.Context(), account, store.GroupChannels, store.Page{Limit: 1})
	if err != nil || total != 1 {
		t.Fatalf("%v, %d, %v", channels, total, err)
	}
	types, total, err := s.Types(t.Context(), channels[0].ID, store.Page{Limit: 1})
	if err != nil || total != 1 {
		t.Fatalf("%v, %d, %v", types, total, err)
	}
	return types[0]
}

// TestListIsNew: what another process publishes is in the next list, whatever this one
// remembers, and a list in the middle of a change is the old one or the new one.
func TestListIsNew(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(t testing.TB) *sqldb.DB) {
		ours, theirs := open(t), open(t)
		ok(t, ours.Migrate(t.Context(), store.Migrations()))
		here, there := store.New(ours), store.New(theirs)
		alpha := must[store.Account](t)(here.CreateAccount(t.Context(), "Alpha Pictures", operator(0)))
		day := func(week int) time.Time { return time.Date(2026, time.March, 2+7*week, 0, 0, 0, 0, time.UTC) }
		publish(t, there, published(alpha.ID, day(0), 1), noon)
		for week := 1; week < 5; week++ {
			list := func() (string, int) {
				all, total, err := here.Reports(t.Context(), only(t, here, alpha.ID), time.Time{}, store.Page{Limit: 10})
				ok(t, err)
				var versions strings.Builder
				for _, p := range all {
					versions.WriteString(strconv.FormatInt(p.Version, 10))
				}
				return versions.String(), total
			}
			if got, total := list(); total != week || got != strings.Repeat("2", week-1)+"1" {
				t.Errorf("before week %d: %q, %d", week, got, total)
			}
			publish(t, there, published(alpha.ID, day(week-1), 2), noon.Add(time.Hour))
			publish(t, there, published(alpha.ID, day(week), 1), noon)
			if got, total := list(); total != week+1 || got != strings.Repeat("2", week)+"1" {
				t.Errorf("after week %d: %q, %d", week, got, total)
			}
		}

		// While reports are added, a list never has fewer than one that was read before.
		var adding sync.WaitGroup
		adding.Go(func() {
			for week := 5; week < 40; week++ {
				if _, err := there.Publish(context.WithoutCancel(t.Context()), published(alpha.ID, day(week), 1), noon); err != nil {
					t.Error(err)
				}
			}
		})
		for seen := 0; seen < 40 && !t.Failed(); {
			all, total, err := here.Reports(t.Context(), only(t, here, alpha.ID), time.Time{}, store.Page{Limit: 100})
			if err != nil || total < seen || len(all) != total {
				t.Errorf("%d of %d after %d, %v", len(all), total, seen, err)
			}
			seen = total
		}
		adding.Wait()
	})
}

// TestMemoryForLists: it is bounded, and a list that does not fit is a list all the same.
func TestMemoryForLists(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(t testing.TB) *sqldb.DB) {
		db := open(t)
		ok(t, db.Migrate(t.Context(), store.Migrations()))
		s := store.New(db).Remembering(150)
		alpha := must[store.Account](t)(s.CreateAccount(t.Context(), "Alpha Pictures", operator(0)))
		ok(t, storetest.Fill(t.Context(), db, storetest.Catalogue{
			AccountID: alpha.ID, Group: store.GroupChannels, Channels: 1, Types: 5, Reports: 40, Modified: noon.UnixMicro(), FirstID: 1,
		}))
		types, _, err := s.Types(t.Context(), 1, store.Page{Limit: 5})
		ok(t, err)
		for range 2 {
			for _, rt := range types {
				page, total, err := s.Reports(t.Context(), rt, time.Time{}, store.Page{Limit: 10, Offset: 35})
				if err != nil || total != 40 || len(page) != 5 || page[0].TypeID != rt.ID {
					t.Errorf("%v, %d, %v", page, total, err)
				}
				if cost, pages, lists := s.Kept(); cost > 150 || pages > 150 || pages < 5 || lists > 2 {
					t.Errorf("%d kept in %d lists, %d in pages", cost, lists, pages)
				}
			}
		}
	})
}
