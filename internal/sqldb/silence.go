package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// readBound is how long a read on PostgreSQL may take, from the wait for a connection
// to the last row. Ours take milliseconds: a server that says nothing for longer has
// stopped under an open connection, and another may be primary by now.
const readBound = 5 * time.Second

var errSilent = errors.New("the database has not answered")

// bound gives the context of a read, and what is to be called at its end.
func (db *DB) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, readBound, errSilent)
	return ctx, func() {
		if errors.Is(context.Cause(ctx), errSilent) {
			db.reconnect()
		}
		cancel()
	}
}

// reconnect closes the connections that nobody uses. They most likely lead to the same
// server as the one that is silent, and each would cost another request the wait.
func (db *DB) reconnect() {
	db.pool.SetMaxIdleConns(0)
	db.pool.SetMaxIdleConns(postgresConns)
}

// Rows is the answer of Query.
type Rows struct {
	*sql.Rows
	done context.CancelFunc
}

// Close ends the query. It may be called more than once.
func (r *Rows) Close() error {
	err := r.Rows.Close()
	if r.done != nil {
		r.done()
		r.done = nil
	}
	return err
}
