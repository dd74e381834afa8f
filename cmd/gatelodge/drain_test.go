package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hold opens a request that stays in flight, and does not end it.
func hold(t *testing.T, s *process) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /auth/o2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return conn
}

// TestDrain: while requests in flight end, the operator's listener goes on and says
// that the server is not ready.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := (&installation{flags: []string{"--data", t.TempDir()}}).serve(t)
	conn := hold(t, s)
	s.signal(syscall.SIGTERM)
	awaitRefusal(t, strings.TrimPrefix(s.address, "http://"))
	if a := do(t, http.DefaultClient, newRequest(t, http.MethodGet, s.metrics+"/readyz", nil)); a.status != http.StatusServiceUnavailable || a.body != "the server is shutting down\n" {
		t.Errorf("/readyz answers %d %s", a.status, a.body)
	}
	if a := do(t, http.DefaultClient, newRequest(t, http.MethodGet, s.metrics+"/healthz", nil)); a.status != http.StatusOK {
		t.Errorf("/healthz answers %d %s", a.status, a.body)
	}
	conn.Close()
	s.awaitExit()
	for _, words := range []string{`"msg":"serving"`, `"msg":"shutting down`, `"msg":"stopped listening"`} {
		if !strings.Contains(s.log.String(), words) {
			t.Errorf("the log has no %s:\n%s", words, s.log)
		}
	}
}

// TestSecondSignal: whoever does not want to wait says so again.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := (&installation{flags: []string{"--data", t.TempDir()}}).serve(t)
	hold(t, s)
	s.signal(syscall.SIGTERM)
	awaitRefusal(t, strings.TrimPrefix(s.address, "http://"))
	began := time.Now()
	s.signal(syscall.SIGTERM)
	s.stopped = true
	late := time.AfterFunc(30*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err == nil {
		t.Error("the exit code is 0 though a request was cut off")
	}
	if took := time.Since(began); took > drainTime/2 {
		t.Errorf("it took %v", took)
	}
	if !strings.Contains(s.log.String(), "a second signal") {
		t.Errorf("the log does not say why:\n%s", s.log)
	}
}
