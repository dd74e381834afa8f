//go:build unix

package keyring

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives f the owner of another file. The owner stays as it is when it
// is the same already, which needs no privilege.
func keepOwner(f *os.File, like fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want, ok := like.Sys().(*syscall.Stat_t)
	have, same := info.Sys().(*syscall.Stat_t)
	if !ok || !same || want.Uid == have.Uid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}
