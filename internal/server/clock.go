package server

import (
	"fmt"
	"time"

	"gatelodge/internal/authz"
)

// clockError is what to do about a database whose clock is ahead of this machine's, or
// behind it, or nil when that is near enough. A code that another server has redeemed
// is remembered for its lifetime and a skew: a server whose clock is further behind
// would take it for a fresh one after that.
func clockError(ahead time.Duration) error {
	if ahead.Abs() <= authz.ClockSkew {
		return nil
	}
	word := "behind"
	if ahead < 0 {
		word = "ahead of"
	}
	return fmt.Errorf("this machine's clock is %v %s the database's, and %v are allowed: set both by NTP", ahead.Abs().Round(time.Second), word, authz.ClockSkew)
}
