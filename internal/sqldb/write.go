package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Write runs fn in a transaction and commits it when fn returns nil. When Write
// returns nil the changes are durable; when it returns an error they were not
// made, except that an error that wraps ErrOutcomeUnknown leaves it open.
//
// fn runs in the caller's goroutine, at most once; a panic in it undoes its
// changes and goes on. It must use the context that it is given and must not call
// Write. Reads by way of DB do not see its changes before the commit.
//
// On SQLite the writes that wait share one commit, each under a savepoint of its
// own. An error of fn or the cancellation of ctx undoes only its own changes. The
// error of a shared commit goes to all, also to those whose fn had failed, since
// what made it fail may have been a change that is undone now. Once fn has begun,
// Write waits for the outcome even if ctx ends.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if db.writer != nil {
		return db.writer.write(ctx, fn)
	}

	return db.writePostgres(ctx, fn)
}

func (db *DB) writePostgres(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return db.onConn(ctx, func(within, bound context.Context, conn *sql.Conn) error {
		inner, err := conn.BeginTx(bound, nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		defer func() { _ = inner.Rollback() }() // after Commit it does nothing
		tx := &Tx{plain: inner}
		if err := tx.end(fn(within, tx)); err != nil {
			return err
		}
		if err := within.Err(); err != nil {
			return err
		}
		return db.meter.commit(inner, 1)
	})
}

// onConn runs fn with a connection to PostgreSQL. Statements run within the first
// context, which the caller can cancel. The second is for what commits: it is bounded
// but not the caller's to cancel, since a COMMIT that is cut off leaves its outcome
// unknown; and it has a second more, so that it is a statement that fails and not the
// transaction under it.
func (db *DB) onConn(ctx context.Context, fn func(within, bound context.Context, conn *sql.Conn) error) (err error) {
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeBound+time.Second)
	defer cancel()
	defer func() {
		if errors.Is(err, context.DeadlineExceeded) {
			db.reconnect()
		}
	}()
	within, cancelStatements := context.WithTimeout(ctx, writeBound)
	defer cancelStatements()
	conn, err := db.pool.Conn(within)
	if err != nil {
		return err
	}
	defer func() {
		if onStandby(err) {
			discard(conn) // the pool would give it out again
		}
		_ = conn.Close() // gives it back to the pool
	}()
	return fn(within, bound, conn)
}

// Exec is Write of one statement. It gives the number of rows that it changed. On
// PostgreSQL too such writes share a commit when they wait: they go there and back
// together. Statements that are undone because another one failed are made alone.
func (db *DB) Exec(ctx context.Context, text string, args ...any) (rows int64, err error) {
	if db.writer != nil {
		err = db.writer.write(ctx, func(ctx context.Context, tx *Tx) (err error) {
			rows, err = tx.Exec(ctx, text, args...)
			return err
		})
		return rows, err
	}
	rows, err = db.sharer.exec(ctx, text, args)
	switch {
	case errors.Is(err, errAlone):
		return db.execAlone(ctx, text, args)
	case errors.Is(err, context.DeadlineExceeded):
		db.reconnect()
	}
	return rows, err
}

// execAlone goes to PostgreSQL and back once: a statement outside of a transaction is
// one by itself.
func (db *DB) execAlone(ctx context.Context, text string, args []any) (rows int64, err error) {
	err = db.onConn(ctx, func(_, bound context.Context, conn *sql.Conn) error {
		began := time.Now()
		result, err := conn.ExecContext(bound, text, args...)
		switch {
		case pgconn.SafeToRetry(err):
			return err // nothing was sent
		case err != nil:
			return commitError(err)
		}
		db.meter.note(began, 1)
		rows, err = result.RowsAffected()
		return err
	})
	return rows, err
}

// commit ends a transaction in which some writes were made.
func (m *meter) commit(tx *sql.Tx, writes int) error {
	began := time.Now()
	if err := tx.Commit(); err != nil {
		return commitError(err)
	}
	m.note(began, writes)
	return nil
}

func (m *meter) note(began time.Time, writes int) {
	m.writes.Observe(float64(writes))
	m.duration.Observe(time.Since(began).Seconds())
}

// errUnfinished is how a turn ends whose fn panicked or left its goroutine.
var errUnfinished = errors.New("write did not finish")

// writer is SQLite's one writing connection. Its goroutine owns the connection
// and the transaction; callers meet it at queue and are given the transaction for
// their turn.
type writer struct {
	pool    *sql.DB // of one connection
	queue   chan *turn
	closing chan struct{}
	closed  chan struct{}
	bound   time.Duration // of the statements of one turn
	meter   *meter

	// Used by the goroutine and by the caller whose turn it is, never by both.
	conn       *sql.Conn            // nil after a failure: the next group opens another
	statements map[string]*sql.Stmt // prepared on conn
}

// turn is one call of Write.
type turn struct {
	ctx     context.Context // the caller's
	start   chan *Tx        // hands the transaction to the caller
	ended   chan error      // gives it back, with what fn returned
	outcome chan error      // what Write returns

	err error // what Write returns if the group commits
}

func startWriter(ctx context.Context, connector driver.Connector, meter *meter) (*writer, error) {
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(1)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	w := &writer{
		pool:       pool,
		queue:      make(chan *turn),
		closing:    make(chan struct{}),
		closed:     make(chan struct{}),
		bound:      writeBound,
		meter:      meter,
		statements: make(map[string]*sql.Stmt),
	}
	go w.run()
	return w, nil
}

func (w *writer) stop() error {
	close(w.closing)
	<-w.closed
	return w.pool.Close()
}

func (w *writer) write(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	t := &turn{
		ctx:     ctx,
		start:   make(chan *Tx),
		ended:   make(chan error, 1),
		outcome: make(chan error, 1),
	}
	select {
	case w.queue <- t:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
	select {
	case tx := <-t.start:
		t.run(tx, fn)
		return <-t.outcome
	case err := <-t.outcome: // the group failed before this turn
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run runs fn and gives the transaction back, however fn ends.
func (t *turn) run(tx *Tx, fn func(ctx context.Context, tx *Tx) error) {
	err := errUnfinished
	defer func() { t.ended <- err }()
	err = fn(t.ctx, tx)
}

func (w *writer) run() {
	defer close(w.closed)
	defer w.discard()
	for {
		select {
		case first := <-w.queue:
			for turns := gather(w.queue, first); len(turns) > 0; {
				turns = w.group(turns)
			}
		case <-w.closing:
			return
		}
	}
}

// group runs turns in one transaction and answers them. It returns those that
// did not begin because the transaction was lost before.
func (w *writer) group(turns []*turn) (rest []*turn) {
	tx, err := w.begin()
	if err != nil {
		answer(turns, fmt.Errorf("begin: %w", err))
		return nil
	}
	kept := 0
	for i, t := range turns {
		if len(turns) == 1 {
			w.runTurn(t) // the transaction is all its own: no savepoint
		} else if err := w.runShared(t); err != nil {
			w.rollback(tx)
			if t.err == nil {
				t.err = err
			}
			answer(turns[i:i+1], nil)
			answer(turns[:i], err)
			return turns[i+1:]
		}
		if t.err == nil {
			kept++
		}
	}
	if kept == 0 {
		w.rollback(tx)
		answer(turns, nil)
		return nil
	}
	if err := w.meter.commit(tx, kept); err != nil {
		w.discard()
		answer(turns, err)
		return nil
	}
	answer(turns, nil)
	return nil
}

// answer tells each turn its own outcome, or the group's error if there is one.
func answer(turns []*turn, err error) {
	for _, t := range turns {
		if err != nil {
			t.outcome <- err
		} else {
			t.outcome <- t.err
		}
	}
}

// runShared runs a turn under a savepoint. An error means that the whole
// transaction is gone: SQLite rolls it back by itself on some errors, such as a
// full disk, and then the savepoint is gone too.
// https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
func (w *writer) runShared(t *turn) error {
	if err := w.exec("SAVEPOINT turn"); err != nil {
		return lost(err)
	}
	w.runTurn(t)
	if t.err != nil {
		if err := w.exec("ROLLBACK TO turn"); err != nil {
			return lost(errors.Join(t.err, err))
		}
	}
	if err := w.exec("RELEASE turn"); err != nil {
		return lost(err)
	}
	return nil
}

// lost makes the error of writes that failed with another. It does not wrap the
// cause: that the other one violated a constraint must not look like their doing.
func lost(cause error) error { return fmt.Errorf("%w: %v", errLost, cause) }

// runTurn lets the caller run its fn and sets t.err.
func (w *writer) runTurn(t *turn) {
	// Not made from the caller's context: see Tx.bound.
	bound, cancel := context.WithTimeout(context.Background(), w.bound)
	defer cancel()
	tx := &Tx{prepare: w.prepare, bound: bound}
	select {
	case t.start <- tx:
		t.err = tx.end(<-t.ended)
	case <-t.ctx.Done():
	}
	if t.err == nil {
		t.err = t.ctx.Err()
	}
}

// begin opens a transaction, which waits for other processes, on a connection
// that it makes if need be. The contexts are not bounded because busyTimeout is.
func (w *writer) begin() (*sql.Tx, error) {
	if w.conn == nil {
		conn, err := w.pool.Conn(context.Background())
		if err != nil {
			return nil, err
		}
		w.conn = conn
	}
	tx, err := w.conn.BeginTx(context.Background(), nil)
	if err != nil {
		w.discard()
		return nil, err
	}
	return tx, nil
}

// rollback ends tx. When SQLite has ended it already, which is an error, or the
// state of the connection is unknown, the connection goes too.
func (w *writer) rollback(tx *sql.Tx) {
	if err := tx.Rollback(); err != nil {
		w.discard()
	}
}

// discard closes the connection and with it all that was prepared on it.
func (w *writer) discard() {
	if w.conn == nil {
		return
	}
	// database/sql does not close what was prepared on a Conn with it, and SQLite
	// keeps a connection that has open statements, with its locks and its -wal file.
	for _, stmt := range w.statements {
		_ = stmt.Close()
	}
	discard(w.conn)
	w.conn = nil
	clear(w.statements)
}

// discard closes a connection that the pool must not keep. ErrBadConn is how
// database/sql is told so; the error comes back and says nothing new.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

func (w *writer) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := w.statements[text]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	w.statements[text] = stmt
	return stmt, nil
}

func (w *writer) exec(text string) error {
	stmt, err := w.prepare(context.Background(), text)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background())
	return err
}
