// Package storetest fills Slate's catalogue with made-up reports, as fast as the database
// takes them: for tests and benchmarks of what large catalogues cost. It has no files
// behind its reports.
package storetest

import (
	"context"
	"fmt"

	"gatelodge/internal/sqldb"
)

// Catalogue is what Fill makes in one group of one account. A type has Reports reports
// of one day each, the first on day 1 and modified at Modified, in microseconds, and
// each of the others a second after the one before it.
type Catalogue struct {
	AccountID                int64
	Group                    string
	Channels, Types, Reports int
	Modified                 int64
	// FirstID is that of the first channel; the ids that follow it are given out in turn.
	FirstID int64
}

// Fill adds a catalogue. Channel i has the id FirstID + i, type j of it the id
// FirstID + Channels + i*Types + j, and report k of that its type's id times Reports
// and k more.
func Fill(ctx context.Context, db *sqldb.DB, c Catalogue) error {
	for i := range c.Channels {
		if err := db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error { return c.channel(ctx, t, i) }); err != nil {
			return fmt.Errorf("channel %d: %w", i, err)
		}
		// In parts, since a transaction may take some seconds and no more.
		for from := 0; from < c.Reports; from += part {
			if err := db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error { return c.reports(ctx, t, i, from) }); err != nil {
				return fmt.Errorf("reports of channel %d from %d: %w", i, from, err)
			}
		}
	}
	return nil
}

// part is how many reports of each type one transaction adds.
const part = 20_000

func (c Catalogue) channel(ctx context.Context, t *sqldb.Tx, i int) error {
	id := c.FirstID + int64(i)
	if _, err := t.Exec(ctx, `INSERT INTO channels (id, account_id, group_id, folder, name, territory) VALUES ($1, $2, $3, $4, $4, '')`,
		id, c.AccountID, c.Group, fmt.Sprintf("Channel %05d", i)); err != nil {
		return err
	}
	first := c.FirstID + int64(c.Channels+i*c.Types)
	for j := range c.Types {
		if _, err := t.Exec(ctx, `INSERT INTO report_types (id, channel_id, folder, name, cadence, columns) VALUES ($1, $2, $3, $3, 'Daily', '')`,
			first+int64(j), id, fmt.Sprintf("Type %05d Daily", j)); err != nil {
			return err
		}
	}
	return nil
}

func (c Catalogue) reports(ctx context.Context, t *sqldb.Tx, i, from int) error {
	_, err := t.Exec(ctx, `WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
		INSERT INTO reports (id, type_id, begin_day, end_day, version, modified_at, row_count, file, bytes, digest, archive_digest)
		SELECT t.id * $3 + n.i, t.id, n.i + 1, n.i + 1, 1, $4 + n.i * 1000000, 1, 'report.zip', 99, $5, $5
		FROM report_types AS t CROSS JOIN n WHERE t.channel_id = $6`,
		from, min(from+part, c.Reports), c.Reports, c.Modified, make([]byte, 32), c.FirstID+int64(i))
	return err
}
