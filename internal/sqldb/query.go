package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Query runs a query that sees what was committed when it began. The caller
// closes the rows and checks their Err.
func (db *DB) Query(ctx context.Context, text string, args ...any) (*Rows, error) {
	if db.dialect == Postgres { // pgx keeps prepared statements per connection itself
		ctx, done := db.bound(ctx)
		rows, err := db.pool.QueryContext(ctx, text, args...)
		if err != nil {
			done()
			return nil, err
		}
		return &Rows{Rows: rows, done: done}, nil
	}
	stmt, err := db.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	return &Rows{Rows: rows}, nil
}

// Load is Query for a few rows that are found by a key. On SQLite that takes some
// microseconds, of which a goroutine or two that watch the context would be a quarter:
// once it has begun, it runs to its end.
func (db *DB) Load(ctx context.Context, text string, args ...any) (*Rows, error) {
	if db.dialect == SQLite {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ctx = context.WithoutCancel(ctx)
	}
	return db.Query(ctx, text, args...)
}

// QueryRow is Query for at most one row; its errors wait for Scan.
func (db *DB) QueryRow(ctx context.Context, text string, args ...any) *Row {
	if db.dialect == Postgres {
		ctx, done := db.bound(ctx)
		return &Row{row: db.pool.QueryRowContext(ctx, text, args...), done: done}
	}
	stmt, err := db.statement(ctx, text)
	if err != nil {
		return &Row{err: err}
	}
	return &Row{row: stmt.QueryRowContext(ctx, args...)}
}

func (db *DB) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := db.statements.Load(text); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := db.pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if first, loaded := db.statements.LoadOrStore(text, stmt); loaded {
		return first.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

// Read runs fn in a read-only transaction: all its queries see one snapshot.
func (db *DB) Read(ctx context.Context, fn func(tx *Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if db.dialect == Postgres {
		bound, done := db.bound(ctx)
		defer done()
		ctx = bound
		// READ COMMITTED would give each statement a snapshot of its own; a SQLite
		// transaction has one anyway.
		opts.Isolation = sql.LevelRepeatableRead
	}
	inner, err := db.pool.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// Texts that are new are kept for the next time once this transaction has given
	// its connection back: if each of several held one while it waited for another
	// to prepare on, none would get it.
	var unknown []string
	defer func() {
		_ = inner.Rollback() // nothing was written, so it does not matter how it ends
		for _, text := range unknown {
			_, _ = db.statement(ctx, text) // if it cannot be kept now, it will be another time
		}
	}()
	tx := &Tx{plain: inner}
	if db.dialect == Postgres {
		tx.bound = ctx
	} else {
		tx.prepare = func(ctx context.Context, text string) (*sql.Stmt, error) {
			if stmt, ok := db.statements.Load(text); ok {
				return inner.StmtContext(ctx, stmt.(*sql.Stmt)), nil
			}
			stmt, err := inner.PrepareContext(ctx, text)
			if err == nil {
				unknown = append(unknown, text)
			}
			return stmt, err
		}
	}
	return tx.end(fn(tx))
}

// Tx is a transaction. It is valid only inside the function that it was given to
// and for one goroutine at a time.
//
// As on PostgreSQL, after a statement has failed a transaction can only be given
// up, on SQLite too: later statements are refused, and Write returns an error
// even if fn returns none. That a row is missing is not a failure.
type Tx struct {
	plain   *sql.Tx                                                   // where the driver keeps prepared statements itself
	prepare func(ctx context.Context, text string) (*sql.Stmt, error) // where sqldb does

	// bound, when set, is what statements run under in place of the caller's
	// context. In a read it is that context, bounded. In a write on SQLite it is
	// another: interrupting one statement on SQLite rolls back the whole
	// transaction, which other callers share.
	// https://sqlite.org/c3ref/interrupt.html
	bound context.Context

	err error // why the transaction can only be given up
}

// Exec runs a statement and returns the number of rows that it changed.
func (tx *Tx) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	ctx, err := tx.ready(ctx)
	if err != nil {
		return 0, err
	}
	var result sql.Result
	if tx.prepare == nil {
		result, err = tx.plain.ExecContext(ctx, text, args...)
	} else {
		var stmt *sql.Stmt
		if stmt, err = tx.prepare(ctx, text); err == nil {
			result, err = stmt.ExecContext(ctx, args...)
		}
	}
	if err != nil {
		return 0, tx.fail(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, tx.fail(err)
	}
	return n, nil
}

// Query runs a statement that returns rows. The caller closes them before the
// next statement, and returns their Err if there is one.
func (tx *Tx) Query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	ctx, err := tx.ready(ctx)
	if err != nil {
		return nil, err
	}
	var rows *sql.Rows
	if tx.prepare == nil {
		rows, err = tx.plain.QueryContext(ctx, text, args...)
	} else {
		var stmt *sql.Stmt
		if stmt, err = tx.prepare(ctx, text); err == nil {
			rows, err = stmt.QueryContext(ctx, args...)
		}
	}
	if err != nil {
		return nil, tx.fail(err)
	}
	return rows, nil
}

// QueryRow is Query for at most one row; its errors wait for Scan, which must be
// called before the next statement.
func (tx *Tx) QueryRow(ctx context.Context, text string, args ...any) *Row {
	ctx, err := tx.ready(ctx)
	if err != nil {
		return &Row{err: err}
	}
	if tx.prepare == nil {
		return &Row{row: tx.plain.QueryRowContext(ctx, text, args...), tx: tx}
	}
	stmt, err := tx.prepare(ctx, text)
	if err != nil {
		return &Row{err: tx.fail(err)}
	}
	return &Row{row: stmt.QueryRowContext(ctx, args...), tx: tx}
}

// ready returns the context that the next statement runs under.
func (tx *Tx) ready(ctx context.Context) (context.Context, error) {
	if tx.err != nil {
		return nil, fmt.Errorf("transaction given up: %w", tx.err)
	}
	if err := ctx.Err(); err != nil {
		return nil, tx.fail(err)
	}
	if tx.bound != nil {
		return tx.bound, nil
	}
	return ctx, nil
}

func (tx *Tx) fail(err error) error {
	tx.err = err
	return err
}

// end closes tx to further statements and returns its outcome, given what the
// caller's function returned.
func (tx *Tx) end(err error) error {
	if err == nil {
		err = tx.err
	}
	if tx.err == nil {
		tx.err = sql.ErrTxDone
	}
	return err
}

// Row is the answer of QueryRow.
type Row struct {
	row  *sql.Row
	done context.CancelFunc // nil when nothing has to be ended
	tx   *Tx
	err  error
}

// Scan copies the row's columns into dest. It returns ErrNoRows if there is no
// row.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.row.Scan(dest...)
	if r.done != nil {
		r.done()
	}
	if err != nil && r.tx != nil && !errors.Is(err, ErrNoRows) {
		return r.tx.fail(err)
	}
	return err
}
