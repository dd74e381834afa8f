package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// primaries lets connections lead to the primary alone. A standby may be behind, and so
// may a server that stood still while another took its place: for a moment after it
// wakes it still believes that it is the primary. Each promotion begins a new timeline,
// so once this process has seen one, it uses no server of an older one.
type primaries struct {
	timeline atomic.Uint64 // the newest that was seen
}

// timelineKey is where a connection keeps the timeline that it began in.
const timelineKey = "gatelodge timeline"

// whichServer is answered by servers in recovery with no name of a file. The name of
// one begins with the timeline.
const whichServer = "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_walfile_name(pg_current_wal_lsn()) END"

// connector makes the connections of config.
func (p *primaries) connector(config *pgx.ConnConfig) driver.Connector {
	asked := config.ValidateConnect // what the URL asks for
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if asked != nil {
			if err := asked(ctx, conn); err != nil {
				return err
			}
		}
		timeline, err := timelineOf(ctx, conn)
		if err != nil {
			return err
		}
		conn.CustomData()[timelineKey] = timeline
		return p.admit(timeline)
	}
	return stdlib.GetConnector(*config, stdlib.OptionResetSession(func(_ context.Context, conn *pgx.Conn) error {
		if timeline, _ := conn.PgConn().CustomData()[timelineKey].(uint64); timeline < p.timeline.Load() {
			return driver.ErrBadConn // another server has become primary since
		}
		return nil
	}))
}

// admit takes note of a timeline, or refuses one that has come to its end.
func (p *primaries) admit(timeline uint64) error {
	for {
		newest := p.timeline.Load()
		switch {
		case timeline < newest:
			return fmt.Errorf("this server is in timeline %d and was followed by one in timeline %d; after a restore to an older state, restart this program", timeline, newest)
		case timeline == newest || p.timeline.CompareAndSwap(newest, timeline):
			return nil
		}
	}
}

var errStandby = errors.New("this server is a standby: give the address of the primary, or those of all nodes")

func timelineOf(ctx context.Context, conn *pgconn.PgConn) (uint64, error) {
	results, err := conn.Exec(ctx, whichServer).ReadAll()
	if err != nil {
		return 0, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return 0, errors.New("the server does not say which it is")
	}
	file := string(results[0].Rows[0][0])
	if file == "" {
		return 0, errStandby
	}
	timeline, err := strconv.ParseUint(file[:min(8, len(file))], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("timeline of %q: %w", file, err)
	}
	return timeline, nil
}
