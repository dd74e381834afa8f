package sqldb

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// userTimeout has the kernel give a connection up whose packets nobody acknowledges.
func userTimeout(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var err error
	if controlled := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silentAfter.Milliseconds()))
	}); controlled != nil {
		return controlled
	}
	return err
}
