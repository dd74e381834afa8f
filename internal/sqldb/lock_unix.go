//go:build unix

package sqldb

import (
	"errors"
	"os"
	"syscall"
)

const (
	shared = syscall.LOCK_SH
	alone  = syscall.LOCK_EX
)

// lockFile takes a lock on a file beside the database, which ends with the process
// at the latest. Whoever has the database open shares it; who replaces the file has
// it alone. It is a file of its own because closing a descriptor of the database
// itself would drop the locks that SQLite holds on it.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path+lockSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
