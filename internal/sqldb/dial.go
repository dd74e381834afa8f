package sqldb

import (
	"net"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// silentAfter is how long a PostgreSQL server may leave what was sent to it
	// unacknowledged, or be gone while nothing is sent, until its connection is given
	// up: by default Linux would wait for a quarter of an hour.
	silentAfter = 5 * time.Second

	// idleInTransaction is how long PostgreSQL bears a transaction in which nothing
	// happens. A process that was stopped in the middle of one holds its locks, and
	// with the feed's every change of all others.
	idleInTransaction = "10000" // milliseconds: writeBound
)

// harden makes connections notice what has happened to the other end. What the address
// says itself is left alone.
func harden(config *pgx.ConnConfig) {
	dialer := &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3},
		Control:         userTimeout,
	}
	config.DialFunc = dialer.DialContext
	const name = "idle_in_transaction_session_timeout"
	if _, set := config.RuntimeParams[name]; !set {
		config.RuntimeParams[name] = idleInTransaction
	}
}
