package store

import (
	"context"

	"gatelodge/internal/sqldb"
)

// expire deletes a few rows of a table whose column is not after until. The names
// are constants of this package.
//
// On PostgreSQL it passes over rows that another transaction holds, and it comes
// after the caller has locked a row of its own in the table: so nobody waits here
// with locks in hand, and no circle of transactions can wait for one another.
// SQLite has one writer, and no words for it.
func (t *tx) expire(ctx context.Context, table, key, column string, until int64) error {
	few := `SELECT ` + key + ` FROM ` + table + ` WHERE ` + column + ` <= $1 ORDER BY ` + column + ` LIMIT 4`
	if t.store.db.Dialect() == sqldb.Postgres {
		few += ` FOR UPDATE SKIP LOCKED`
	}
	_, err := t.Exec(ctx, `DELETE FROM `+table+` WHERE `+key+` IN (`+few+`)`, until)
	return err
}
