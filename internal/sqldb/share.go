package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// sharedLockTimeout is how long PostgreSQL lets a statement that shares a commit wait
// for a row that another transaction holds: all who share it wait with it. What takes
// longer goes alone.
const sharedLockTimeout = "100" // milliseconds

// sharer lets statements that wait share a trip to PostgreSQL and a commit. Its
// goroutine owns the connection.
type sharer struct {
	pool    *sql.DB // of one connection
	queue   chan *single
	closing chan struct{}
	closed  chan struct{}
	bound   time.Duration // of one trip
	meter   *meter
}

// single is one call of Exec.
type single struct {
	ctx     context.Context // the caller's
	text    string
	args    []any
	outcome chan error
	rows    int64 // set before outcome is
}

// errAlone is the outcome of a statement that was not made, though nothing may be wrong
// with it: one that would have shared its commit failed, it would have to wait for a
// row, or the connection was gone. It may go alone.
var errAlone = errors.New("statement has to go alone")

func startSharer(connector driver.Connector, meter *meter) *sharer {
	s := &sharer{
		pool:    sql.OpenDB(connector),
		queue:   make(chan *single),
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
		bound:   writeBound,
		meter:   meter,
	}
	s.pool.SetMaxOpenConns(1)
	s.pool.SetConnMaxIdleTime(postgresIdleTime)
	go s.run()
	return s
}

func (s *sharer) stop() error {
	close(s.closing)
	<-s.closed
	return s.pool.Close()
}

// exec makes a statement together with those that wait. Once it is on its way, the end
// of ctx does not take it back.
func (s *sharer) exec(ctx context.Context, text string, args []any) (rows int64, err error) {
	one := &single{ctx: ctx, text: text, args: args, outcome: make(chan error, 1)}
	// A server that says nothing holds each trip up for its whole bound, and many may
	// be before this one.
	patience := time.NewTimer(s.bound)
	defer patience.Stop()
	select {
	case s.queue <- one:
		err := <-one.outcome
		return one.rows, err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-patience.C:
		return 0, fmt.Errorf("wait for a turn to write: %w", context.DeadlineExceeded)
	case <-s.closing:
		return 0, errClosed
	}
}

func (s *sharer) run() {
	defer close(s.closed)
	for {
		select {
		case first := <-s.queue:
			s.answer(gather(s.queue, first))
		case <-s.closing:
			return
		}
	}
}

// answer makes the statements of a group and tells each what has become of it.
func (s *sharer) answer(group []*single) {
	group = slices.DeleteFunc(group, func(one *single) bool {
		err := one.ctx.Err()
		if err != nil {
			one.outcome <- err
		}
		return err != nil
	})
	if len(group) == 0 {
		return
	}
	err := s.make(group)
	for _, one := range group {
		one.outcome <- err
	}
}

// make makes the statements of a group in one transaction.
func (s *sharer) make(group []*single) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.bound)
	defer cancel()
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	texts, args := make([]string, len(group)), make([][]any, len(group))
	for i, one := range group {
		texts[i], args[i] = one.text, one.args
	}
	var rows []int64
	began := time.Now()
	err = conn.Raw(func(inner any) (err error) {
		rows, err = inner.(batcher).ExecBatch(ctx, texts, args)
		return err
	})
	switch {
	case err == nil:
	case onStandby(err):
		discard(conn) // the pool would give it out again
		return errAlone
	case pgconn.SafeToRetry(err): // nothing was sent: the connection was gone
		return errAlone
	case refused(err) && (len(group) > 1 || hasCode(err, lockNotAvailable)):
		return errAlone
	default:
		return commitError(err)
	}
	s.meter.note(began, len(group))
	for i, one := range group {
		one.rows = rows[i]
	}
	return nil
}

// batcher is a driver's connection that makes several statements in one trip and one
// transaction, and tells how many rows each has changed. After an error none was made,
// unless it leaves that open.
type batcher interface {
	ExecBatch(ctx context.Context, texts []string, args [][]any) (rows []int64, err error)
}

// batching makes the connections of a connector batchers.
type batching struct{ driver.Connector }

func (b batching) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := b.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return batchConn{conn.(*stdlib.Conn)}, nil
}

type batchConn struct{ *stdlib.Conn }

// ExecBatch sends all statements before it reads an answer. Up to the one Sync after
// the last of them they are one transaction.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
func (c batchConn) ExecBatch(ctx context.Context, texts []string, args [][]any) (_ []int64, err error) {
	var batch pgx.Batch
	for i, text := range texts {
		batch.Queue(text, args[i]...)
	}
	results := c.Conn.Conn().SendBatch(ctx, &batch)
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed // the answer to the commit
		}
	}()
	rows := make([]int64, len(texts))
	for i := range rows {
		tag, err := results.Exec()
		if err != nil {
			return nil, err
		}
		rows[i] = tag.RowsAffected()
	}
	return rows, nil
}
