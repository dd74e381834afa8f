package faultdb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
)

// Wrap wraps what makes connections. It fits sqldb.Config.Wrap. The connections
// must be of a driver of today, one with a context in every call.
func (db *DB) Wrap(inner driver.Connector) driver.Connector {
	return connector{inner, db}
}

type connector struct {
	driver.Connector
	db *DB
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{inner, c.db}, nil
}

type conn struct {
	driver.Conn
	db *DB
}

// errContext is returned by the methods of database/sql/driver that came before
// contexts; database/sql does not call them.
var errContext = errors.New("faultdb: call without a context")

func (c *conn) Begin() (driver.Tx, error) { return nil, errContext }

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	inner, err := do(c.db, Begin,
		func() (driver.Tx, error) { return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts) },
		driver.Tx.Rollback)
	if err != nil {
		return nil, err
	}
	return tx{inner, c.db}, nil
}

func (c *conn) Prepare(string) (driver.Stmt, error) { return nil, errContext }

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	inner, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt{inner, c.db}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return do(c.db, Exec,
		func() (driver.Result, error) { return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args) },
		forget)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return do(c.db, Query,
		func() (driver.Rows, error) { return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args) },
		driver.Rows.Close)
}

// ExecBatch counts each statement, and a fault of one is the whole transaction's.
func (c *conn) ExecBatch(ctx context.Context, texts []string, args [][]any) ([]int64, error) {
	var fault *Error
	for range texts {
		fault = cmp.Or(fault, c.db.note(Exec))
	}
	if fault != nil && fault.Outcome == Failed {
		return nil, fault
	}
	rows, err := c.Conn.(batcher).ExecBatch(ctx, texts, args)
	if err == nil && fault != nil {
		return nil, fault
	}
	return rows, err
}

// batcher is a connection of package sqldb.
type batcher interface {
	ExecBatch(ctx context.Context, texts []string, args [][]any) ([]int64, error)
}

func (c *conn) Ping(ctx context.Context) error {
	if p, ok := c.Conn.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

func (c *conn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *conn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := c.Conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type tx struct {
	driver.Tx
	db *DB
}

func (t tx) Commit() error {
	fault := t.db.note(Commit)
	switch {
	case fault == nil:
		return t.Tx.Commit()
	case fault.Outcome == Failed:
		return errors.Join(fault, t.Tx.Rollback())
	}
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	return fault
}

type stmt struct {
	driver.Stmt
	db *DB
}

func (s stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errContext }

func (s stmt) Query([]driver.Value) (driver.Rows, error) { return nil, errContext }

func (s stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return do(s.db, Exec,
		func() (driver.Result, error) { return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args) },
		forget)
}

func (s stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return do(s.db, Query,
		func() (driver.Rows, error) { return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args) },
		driver.Rows.Close)
}

func forget(driver.Result) error { return nil }
