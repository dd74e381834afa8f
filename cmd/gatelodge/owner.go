package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// ownFolder refuses to make a database in the folder of another user. Root may write
// anywhere, but the server, which is not root, could not open what root made.
func ownFolder(path string) error {
	if os.Geteuid() != 0 {
		return nil // what it may not do, it cannot
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if owner, ok := ownerOf(info); ok && owner != 0 {
		name := userName(owner)
		return fmt.Errorf("%s belongs to %s, and what root makes there %s cannot open: run this as %s (sudo -u %s gatelodge ...)", path, name, name, name, name)
	}
	return nil
}

func userName(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return "#" + number // as sudo -u takes it
}
