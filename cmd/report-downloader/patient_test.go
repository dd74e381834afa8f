package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(status int, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("{}"))}
}

// TestPatience: how long is waited, and what comes then.
func TestPatience(t *testing.T) {
	t.Parallel()
	trouble := func(int) *http.Response { return respond(http.StatusBadGateway) }
	for name, tt := range map[string]struct {
		answers       func(n int) *http.Response
		status, calls int
		least, most   time.Duration
	}{
		"at once": {func(int) *http.Response { return respond(200) }, 200, 1, 0, 0},
		"Retry-After": {func(n int) *http.Response {
			if n == 1 {
				return respond(429, "Retry-After", "7")
			}
			return respond(200)
		}, 200, 2, 7 * time.Second, 7 * time.Second},
		"more often than trouble is tried": {func(n int) *http.Response {
			if n < 8 {
				return respond(429, "Retry-After", "1")
			}
			return respond(200)
		}, 200, 8, 7 * time.Second, 7 * time.Second},
		"too long to wait": {func(int) *http.Response { return respond(429, "Retry-After", "3600") }, 429, 1, 0, 0},
		"trouble that ends": {func(n int) *http.Response {
			if n == 1 {
				return trouble(n)
			}
			return respond(200)
		}, 200, 2, time.Second / 2, 3 * time.Second / 2},
		"trouble that stays": {trouble, 502, tries, 7 * time.Second, 23 * time.Second},
		"a refusal":          {func(int) *http.Response { return respond(403) }, 403, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				p := &patient{parallel: 4, base: transport(func(*http.Request) (*http.Response, error) {
					calls++
					return tt.answers(calls), nil
				})}
				begun := time.Now()
				response, err := (&http.Client{Transport: p}).Get("http://slate.example/")
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				waited := time.Since(begun)
				if response.StatusCode != tt.status || calls != tt.calls || waited < tt.least || waited > tt.most {
					t.Errorf("%d after %d calls and %v", response.StatusCode, calls, waited)
				}
			})
		})
	}
}

// TestLimitIsKept: when fewer calls are left than may be under way, all wait.
func TestLimitIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &patient{parallel: 4, base: transport(func(*http.Request) (*http.Response, error) {
			return respond(200, "RateLimit-Limit", "10", "RateLimit-Remaining", "3", "RateLimit-Reset", "5"), nil
		})}
		begun := time.Now()
		for range 3 {
			response, err := (&http.Client{Transport: p}).Get("http://slate.example/")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
		if got := time.Since(begun); got != 10*time.Second {
			t.Errorf("three calls took %v", got)
		}
	})
}

// TestSilence: a server that sends nothing is given up.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		go there.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
		begun := time.Now()
		_, err := io.ReadAll(attentiveConn{here})
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != silence {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}
