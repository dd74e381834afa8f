package store

import (
	"context"
	"strconv"
	"sync"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/sqldb"
)

// expire deletes a few rows of a table whose column is not after until. The names
// are constants of this package; key may be several columns.
//
// On PostgreSQL it passes over rows that another transaction holds, and it comes
// after the caller has locked a row of its own in the table: so nobody waits here
// with locks in hand, and no circle of transactions can wait for one another.
// SQLite has one writer, and no words for it.
func (t *tx) expire(ctx context.Context, table, key, column string, until int64) error {
	if t.store.swept.lately(table, until) {
		return nil
	}
	const few = 4
	oldest := `SELECT ` + key + ` FROM ` + table + ` WHERE ` + column + ` <= $1 ORDER BY ` + column + ` LIMIT ` + strconv.Itoa(few)
	rows, err := t.Exec(ctx, `DELETE FROM `+table+` WHERE (`+key+`) IN (`+oldest+t.passingOver()+`)`, until)
	if err == nil && rows < few {
		t.store.swept.note(table, until)
	}
	return err
}

// sweepEvery is how long a table in which nothing was left to expire is not looked at
// again, in the unit of its column: microseconds. Ids, by which events expire, count
// faster. What expires meanwhile is deleted a second later; a code costs one statement.
const sweepEvery = 1_000_000

// swept remembers the tables in which nothing was left to expire, and up to when.
type swept struct {
	mu    sync.Mutex
	until map[string]int64
}

func (s *swept) lately(table string, until int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.until[table]
	return known && at <= until && until < at+sweepEvery
}

func (s *swept) note(table string, until int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = make(map[string]int64)
	}
	s.until[table] = until
}

// passingOver ends a query that leaves rows of other transactions alone.
func (t *tx) passingOver() string {
	if t.store.db.Dialect() == sqldb.Postgres {
		return ` FOR UPDATE SKIP LOCKED`
	}
	return ""
}

// dropUnused deletes a few applications that registered without a token before the id
// was made, and that nobody has let in or used since, the oldest first. Rows that
// another transaction holds are passed over, as in expire.
func (t *tx) dropUnused(ctx context.Context, before int64, few int, now time.Time) error {
	unused := `SELECT p.id, p.developer_id, p.logo, p.name FROM profiles AS p WHERE p.dynamic = 2 AND p.id < $1 AND p.last_used_at = 0
		AND NOT EXISTS (SELECT 1 FROM grants AS g WHERE g.profile_id = p.id) ORDER BY p.id LIMIT $2`
	if t.store.db.Dialect() == sqldb.Postgres {
		unused += ` FOR UPDATE OF p SKIP LOCKED`
	}
	type application struct {
		id, developer int64
		logo          []byte
		name          string
	}
	all, err := collect(ctx, t.Tx, unused, []any{before, few}, func(row scanner) (application, error) {
		var a application
		err := row.Scan(&a.id, &a.developer, &a.logo, &a.name)
		return a, err
	})
	if err != nil {
		return err
	}
	for _, a := range all {
		if _, err := t.Exec(ctx, `DELETE FROM developers WHERE id = $1`, a.developer); err != nil {
			return err
		}
		if err := t.dropLogo(ctx, a.logo); err != nil {
			return err
		}
		t.changed(ProfileChanged, a.id)
		if err := t.event(ctx, audit.By{At: now}, audit.Event{Kind: audit.ProfileDeleted, ProfileID: a.id, Detail: a.name}); err != nil {
			return err
		}
	}
	return nil
}
