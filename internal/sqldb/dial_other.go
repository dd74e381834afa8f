//go:build !linux

package sqldb

import "syscall"

// userTimeout leaves it to keep-alives where the kernel has no such bound.
func userTimeout(string, string, syscall.RawConn) error { return nil }
