// Package faultdb owns a driver wrapper for tests that counts the calls to a
// database and fails a chosen one, either before or after it has taken effect.
package faultdb

import (
	"fmt"
	"slices"
	"sync"
)

// Call is a kind of driver call. Preparing a statement and rolling back are
// neither counted nor failed.
type Call int

const (
	Query Call = iota
	Exec
	Begin
	Commit
)

func (c Call) String() string {
	return [...]string{"query", "exec", "begin", "commit"}[c]
}

// Outcome is what becomes of a call that fails.
type Outcome int

const (
	// Failed: the call did not take effect. A failed commit rolls back.
	Failed Outcome = iota
	// FailedButApplied: the call took effect and its answer was lost. A failed
	// begin leaves no transaction behind either way.
	FailedButApplied
)

// Error is what a failed call returns. It is a net.Error, as the loss of a
// connection is, and not driver.ErrBadConn, on which database/sql would retry.
type Error struct {
	Call    Call
	Outcome Outcome
}

func (e *Error) Error() string {
	if e.Outcome == FailedButApplied {
		return fmt.Sprintf("injected fault after %s", e.Call)
	}
	return fmt.Sprintf("injected fault before %s", e.Call)
}

// Timeout is part of net.Error.
func (e *Error) Timeout() bool { return false }

// Temporary is part of net.Error.
func (e *Error) Temporary() bool { return true }

// Counts is how many calls there were.
type Counts struct {
	Queries, Execs, Begins, Commits int
}

// DB counts and fails the calls of the connections made by what it wrapped. The
// zero DB is ready to use, by several goroutines.
type DB struct {
	mu      sync.Mutex
	counts  Counts
	n       int // calls to go until the fault; 0: no fault is set
	kinds   []Call
	outcome Outcome
	lasting bool // the fault stays
	down    bool // it has come, and stays
}

// Counts returns the calls since the last Reset, failed ones included.
func (db *DB) Counts() Counts {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.counts
}

// Reset sets the counts to zero and takes back a fault that has not happened.
func (db *DB) Reset() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.counts, db.n, db.lasting, db.down = Counts{}, 0, false, false
}

// Fail makes the n-th call from now fail, counted from 1 among those of the given
// kinds, or among all if none is given. It replaces a fault set before.
func (db *DB) Fail(n int, outcome Outcome, kinds ...Call) {
	if n < 1 {
		panic("faultdb: calls are counted from 1")
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.n, db.outcome, db.kinds, db.lasting, db.down = n, outcome, kinds, false, false
}

// FailFrom is Fail, and every call after that one fails too, of whatever kind and
// without effect, until Reset: the database has gone down.
func (db *DB) FailFrom(n int, outcome Outcome, kinds ...Call) {
	db.Fail(n, outcome, kinds...)
	db.mu.Lock()
	defer db.mu.Unlock()
	db.lasting = true
}

// Pending reports whether the fault has been set and has not happened yet. A test
// that fails one call after the other stops when a run leaves its fault pending.
func (db *DB) Pending() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.n > 0
}

// note counts a call and returns its fault, if this is the one.
func (db *DB) note(call Call) *Error {
	db.mu.Lock()
	defer db.mu.Unlock()
	switch call {
	case Query:
		db.counts.Queries++
	case Exec:
		db.counts.Execs++
	case Begin:
		db.counts.Begins++
	case Commit:
		db.counts.Commits++
	}
	if db.down {
		return &Error{Call: call, Outcome: Failed}
	}
	if db.n == 0 || len(db.kinds) > 0 && !slices.Contains(db.kinds, call) {
		return nil
	}
	if db.n--; db.n > 0 {
		return nil
	}
	db.down = db.lasting
	return &Error{Call: call, Outcome: db.outcome}
}

// do runs a call, or fails it in the way that is set. undo takes back the effect
// of a call whose result is thrown away.
func do[T any](db *DB, kind Call, call func() (T, error), undo func(T) error) (T, error) {
	fault := db.note(kind)
	if fault == nil {
		return call()
	}
	var zero T
	if fault.Outcome == Failed {
		return zero, fault
	}
	result, err := call()
	if err != nil {
		return zero, err // a call that fails by itself has not been applied
	}
	if err := undo(result); err != nil {
		return zero, err
	}
	return zero, fault
}
