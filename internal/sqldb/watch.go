package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// channel is what PostgreSQL's LISTEN and NOTIFY are about. The payload is the
	// schema: several installations may share one database.
	channel = "gatelodge"

	// watchConnect bounds how long Watch waits for its connection.
	watchConnect = 2 * time.Second

	// heardEvery is how often a connection that has nothing to hear is asked whether
	// it is still there, and heardWithin how long it has to answer.
	heardEvery  = 5 * time.Second
	heardWithin = 2 * time.Second
)

// Watch is Read for the one reader that must not wait for the others: on PostgreSQL
// it has a connection of its own, whose transaction takes no longer than within. It
// tells how far the database's clock is ahead of this machine's, and fails when the
// server has become a standby under the connection (a pooler or
// balancer in between can do that).
func (db *DB) Watch(ctx context.Context, within time.Duration, fn func(tx *Tx) error) (ahead time.Duration, err error) {
	if db.dialect == SQLite {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		return 0, db.Read(ctx, fn)
	}
	connecting, cancel := context.WithTimeout(ctx, watchConnect)
	defer cancel()
	conn, err := db.watch.Conn(connecting)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	ctx, cancelRead := context.WithTimeout(ctx, within)
	defer cancelRead()
	inner, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = inner.Rollback() }() // nothing was written
	asked := time.Now()
	var standby bool
	var micros int64
	if err := inner.QueryRowContext(ctx, `SELECT pg_is_in_recovery(), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`).Scan(&standby, &micros); err != nil {
		return 0, err
	}
	if standby {
		_ = inner.Rollback()
		discard(conn)
		db.reconnect() // the others lead there too
		return 0, errStandby
	}
	ahead = apart(asked, time.Now(), time.UnixMicro(micros))
	tx := &Tx{plain: inner}
	return ahead, tx.end(fn(tx))
}

// apart is how far a clock that was read between two moments of ours is ahead of it,
// at least: where between them it was read is not known.
func apart(asked, answered, theirs time.Time) time.Duration {
	switch {
	case theirs.Before(asked):
		return theirs.Sub(asked)
	case theirs.After(answered):
		return theirs.Sub(answered)
	}
	return 0
}

// Notify wakes those that listen once tx has committed. On SQLite nobody does.
func (tx *Tx) Notify(ctx context.Context) error {
	if tx.prepare != nil {
		return nil
	}
	_, err := tx.Exec(ctx, `SELECT pg_notify('`+channel+`', current_schema())`)
	return err
}

// Listen calls heard once it listens, and then whenever a transaction that called
// Notify has committed, here or elsewhere. It returns when ctx ends or its connection
// is lost. A notification is a hint: it may get lost with the connection, and a pooler
// in between may hold it back. On SQLite there is nothing to hear.
func (db *DB) Listen(ctx context.Context, heard func()) error {
	if db.dialect == SQLite {
		<-ctx.Done()
		return ctx.Err()
	}
	connecting, cancel := context.WithTimeout(ctx, watchConnect)
	defer cancel()
	conn, err := pgx.ConnectConfig(connecting, db.listening.Copy())
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), heardWithin)
		defer cancel()
		_ = conn.Close(closing) // it has told all that it will
	}()
	var schema string
	if err := conn.QueryRow(connecting, `SELECT COALESCE(current_schema(), '')`).Scan(&schema); err != nil {
		return err
	}
	if _, err := conn.Exec(connecting, `LISTEN `+channel); err != nil {
		return err
	}
	heard() // what was committed before
	for {
		waiting, cancel := context.WithTimeout(ctx, heardEvery)
		n, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil && n.Payload == schema:
			heard()
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case pgconn.Timeout(err):
			// A server that has gone without a word is silent too.
			pinging, cancel := context.WithTimeout(ctx, heardWithin)
			err := conn.Ping(pinging)
			cancel()
			if err != nil {
				return err
			}
		default:
			return err
		}
	}
}
