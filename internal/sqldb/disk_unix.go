//go:build unix

package sqldb

import "golang.org/x/sys/unix"

// freeBytes says how much an ordinary user can still write to the disk of path.
func freeBytes(path string) int64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return -1
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}
