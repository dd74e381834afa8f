package store

import (
	"context"
	"time"

	"gatelodge/internal/sqldb"
)

// replaced notes that one archive took another's place, "" where there is none. One
// that is back in its place is not replaced any more.
func replaced(ctx context.Context, t *sqldb.Tx, before, after string, now time.Time) error {
	if after != "" {
		if _, err := t.Exec(ctx, `DELETE FROM replaced_archives WHERE file = $1`, after); err != nil {
			return err
		}
	}
	if before == "" || before == after {
		return nil
	}
	_, err := t.Exec(ctx, `INSERT INTO replaced_archives (file, replaced_at) VALUES ($1, $2) ON CONFLICT (file) DO UPDATE SET replaced_at = $2`, before, micros(now))
	return err
}

// RemoveReplaced removes some of the archives that were replaced at a moment or before.
// It calls remove in the transaction, and maybe twice: whoever publishes one of them
// again does so before, and it stays, or afterwards, and finds that it is gone.
func (s *Store) RemoveReplaced(ctx context.Context, until time.Time, remove func(file string) error) error {
	const some = `SELECT file FROM replaced_archives WHERE replaced_at <= $1 ORDER BY replaced_at LIMIT 100`
	scan := func(r scanner) (file string, err error) {
		err = r.Scan(&file)
		return file, err
	}
	// Mostly there is nothing to do, and then nothing to write.
	due, err := collect(ctx, outside{s.db}, scan, some, micros(until))
	if err != nil || len(due) == 0 {
		return err
	}
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		files, err := collect(ctx, inside{t}, scan, `DELETE FROM replaced_archives WHERE file IN (`+some+`) RETURNING file`, micros(until))
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := remove(file); err != nil {
				return err
			}
		}
		return nil
	})
}
