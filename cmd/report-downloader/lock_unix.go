//go:build darwin || freebsd || linux || netbsd || openbsd

package main

import (
	"os"
	"syscall"
)

// How to lock a file that another run has locked.
const (
	waiting = syscall.LOCK_EX
	atOnce  = syscall.LOCK_EX | syscall.LOCK_NB
)

// lock keeps other runs out until unlock is called. The end of the process unlocks too.
func lock(path string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
