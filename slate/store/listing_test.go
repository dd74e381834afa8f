package store_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/store"
)

// manyReports is what the type of TestManyReports has; a hundred types of that size
// are a million reports.
const manyReports = 10_000

// fill adds types, 1 and on, full of reports of one day each, modified at noon and later.
func fill(t *testing.T, db *sqldb.DB, channelID int64, types int) {
	t.Helper()
	for id := range types {
		err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO report_types (id, channel_id, folder, name, cadence, columns) VALUES ($1, $2, $3, $3, 'Daily', '')`,
				id+1, channelID, "T"+strconv.Itoa(id+1)); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO reports (id, type_id, begin_day, end_day, version, modified_at, row_count, file, bytes, digest, archive_digest)
				SELECT $2 * $1 + i, $2, i, i, 1, $3 + i, 1, 'f', 1, $4, $4 FROM n`, manyReports, id+1, noon.UnixMicro(), make([]byte, 32))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyReports: a page costs no more where there are many, and both queries behind
// it are answered from their indexes.
func TestManyReports(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, open func(t testing.TB) *sqldb.DB) {
		db := open(t)
		ok(t, db.Migrate(t.Context(), store.Migrations()))
		s := store.New(db)
		alpha := must[store.Account](t)(s.CreateAccount(t.Context(), "Alpha Pictures", operator(0)))
		publish(t, s, published(alpha.ID, noon.Truncate(24*time.Hour), 1), noon)
		channels, _, err := s.Channels(t.Context(), alpha.ID, store.GroupChannels, store.Page{Limit: 1})
		ok(t, err)
		types := 10
		if testing.Short() {
			types = 3
		}
		fill(t, db, channels[0].ID, types)
		page, total, err := s.Reports(t.Context(), 2, time.Time{}, store.Page{Limit: 10, Offset: manyReports - 3})
		if err != nil || total != manyReports || len(page) != 3 || page[2].Begin.Unix() != manyReports*86400 {
			t.Errorf("the last page: %v, %d, %v", page, total, err)
		}
		page, total, err = s.Reports(t.Context(), 2, noon.Add((manyReports-4)*time.Microsecond), store.Page{Limit: 3, Offset: 1})
		if err != nil || total != 5 || len(page) != 3 || page[0].Begin.Unix() != (manyReports-3)*86400 {
			t.Errorf("what was modified last: %v, %d, %v", page, total, err)
		}
		for what, text := range map[string]string{"count": store.CountReports, "page": store.PageReports} {
			plan := explain(t, db, text)
			t.Logf("%s\n%s", what, plan)
			for _, bad := range []string{"SCAN reports", "Seq Scan on reports"} {
				if strings.Contains(plan, bad) {
					t.Errorf("the %s goes through all reports:\n%s", what, plan)
				}
			}
			if db.Dialect() == sqldb.SQLite && !strings.Contains(plan, "USING COVERING INDEX") {
				t.Errorf("the %s touches rows for nothing:\n%s", what, plan)
			}
		}
	})
}

// explain gives the plan of a query over a type and a moment, and of a page.
func explain(t *testing.T, db *sqldb.DB, text string) string {
	t.Helper()
	args := []any{2, noon.UnixMicro(), 10, manyReports / 2}
	if !strings.Contains(text, "$3") {
		args = args[:2]
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
