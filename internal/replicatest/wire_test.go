package replicatest

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// What a wire does with what comes.
const (
	passing    = iota
	feedIsMute // connections that listen or watch the feed hear and say nothing any more
	allIsMute
)

// wire leads to a database. It can drop what comes without closing anything, on the
// connections that there are and on new ones, as a network does that has lost its way.
type wire struct {
	address string
	mode    atomic.Int32

	mu    sync.Mutex
	conns []net.Conn
}

func newWire(t *testing.T, database string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: l.Addr().String()}
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.conns {
			_ = c.Close()
		}
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", database)
			if err != nil {
				_ = client.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, client, server)
			w.mu.Unlock()
			feed := &atomic.Bool{}
			go w.carry(server, client, feed)
			go w.carry(client, server, feed)
		}
	}()
	return w
}

// carry takes bytes from one end to the other.
func (w *wire) carry(to, from net.Conn, feed *atomic.Bool) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], []byte("LISTEN gatelodge")) || bytes.Contains(buffer[:n], []byte("clock_timestamp")) {
			feed.Store(true)
		}
		if mode := w.mode.Load(); mode == allIsMute || mode == feedIsMute && feed.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
