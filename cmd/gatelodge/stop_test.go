package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStop: a signal ends the listening at once, and the program when what is in
// flight is answered.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			const user = "ada@example.com"
			in := &installation{flags: []string{"--data", t.TempDir()}}
			in.developer(t, user)
			c := in.client(t, user)
			refresh := in.refreshToken(t, c, user)
			s := in.serve(t, "--issuer", "http://localhost:8080")
			address := strings.TrimPrefix(s.address, "http://")

			// A connection that is kept for the next request does not hold it up.
			if a := do(t, http.DefaultClient, newRequest(t, http.MethodGet, s.address+"/", nil)); a.status != http.StatusOK {
				t.Fatalf("the home page answers %d", a.status)
			}

			// Half of a body; 100 Continue says that the server is reading it.
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			body := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {c.id}, "client_secret": {c.secret}}.Encode()
			fmt.Fprintf(conn, "POST /auth/o2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
			answers := bufio.NewReader(conn)
			if line, err := answers.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if line, err := answers.ReadString('\n'); err != nil || line != "\r\n" {
				t.Fatalf("%q, %v", line, err)
			}
			io.WriteString(conn, body[:len(body)/2])

			s.signal(sig)
			awaitRefusal(t, address)
			io.WriteString(conn, body[len(body)/2:])
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), "access_token") || !response.Close {
				t.Errorf("what was in flight got %d %s, close %t, %v", response.StatusCode, text, response.Close, err)
			}
			s.awaitExit()
			// The last lines of the log are not lost.
			if log := s.log.String(); !strings.Contains(log, `"method":"POST"`) {
				t.Errorf("the request that was in flight is not in the log:\n%s", log)
			}
		})
	}
}

// awaitRefusal waits until nobody listens.
func awaitRefusal(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			conn.Close()
		}
	}
	t.Fatal("the server goes on listening after a signal")
}

// TestMetricsListener: what is the operator's is on a listener of its own.
func TestMetricsListener(t *testing.T) {
	t.Parallel()
	s := (&installation{flags: []string{"--data", t.TempDir()}}).serve(t)
	for path, want := range map[string]string{
		"/healthz": "ok\n",
		"/readyz":  "ready\n",
		"/metrics": "\ngatelodge_feed_lag_seconds ",
	} {
		// A machine that is busy with other things leaves the feed alone for a moment.
		var a answer
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && a.status != http.StatusOK; time.Sleep(50 * time.Millisecond) {
			a = do(t, http.DefaultClient, newRequest(t, http.MethodGet, s.metrics+path, nil))
		}
		if a.status != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("%s answers %d %s", path, a.status, a.body)
		}
		if a := do(t, http.DefaultClient, newRequest(t, http.MethodGet, s.address+path, nil)); a.status != http.StatusNotFound {
			t.Errorf("%s answers %d on the public listener", path, a.status)
		}
	}
}
