package guard_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/guard"
	"gatelodge/internal/registry"
)

const introspection = "/oauth2/introspect"

// from asks with a token from an address.
func (s *scene) from(address, token string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/reports", nil)
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(address), 4711).String()
	r.Header.Set("Authorization", "Bearer "+token)
	recorder := httptest.NewRecorder()
	s.guard.Require("reports:read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(recorder, r)
	return recorder
}

// want is the status of a call from an address.
func (s *scene) want(what string, status int, address, token string) *httptest.ResponseRecorder {
	s.t.Helper()
	got := s.from(address, token)
	if got.Code != status {
		s.t.Errorf("%s: %d %s, want %d", what, got.Code, got.Body, status)
	}
	return got
}

// TestFlood: bad tokens cost the server a few questions, and nobody else anything.
func TestFlood(t *testing.T) {
	inScene(t, registry.Opaque, following, func(t *testing.T, s *scene) {
		const stranger, neighbour, other = "2001:db8::1", "2001:db8::2:3", "203.0.113.9"
		time.Sleep(time.Minute)
		before, later := s.token("reports:read"), s.token("reports:read")
		s.want("before the flood", 200, stranger, before)
		asked := s.wire.count(introspection)
		for i := range 1000 {
			got := s.from(stranger, fmt.Sprint("gl_at_flood", i))
			limited := i >= 60
			if limited != (got.Code == http.StatusTooManyRequests) || !limited && got.Code != http.StatusUnauthorized {
				t.Fatalf("bad token %d: %d", i, got.Code)
			}
			if wait, err := strconv.Atoi(got.Header().Get("Retry-After")); limited && (err != nil || wait != 1 || !strings.Contains(got.Body.String(), "Too many bad access tokens")) {
				t.Fatalf("bad token %d: %v %s", i, got.Header(), got.Body)
			}
		}
		if asked := s.wire.count(introspection) - asked; asked != 60 {
			t.Errorf("1000 bad tokens: asked %d times", asked)
		}
		s.want("a token that was good before", 200, stranger, before)
		s.want("a good token that is not known, from the same network", 429, neighbour, later)
		s.want("from elsewhere", 200, other, later)
		s.want("known by now", 200, neighbour, later)
		s.want("a bad one from elsewhere", 401, other, "gl_at_bad")
		time.Sleep(2 * time.Second)
		s.want("after two seconds", 401, stranger, "gl_at_another")
		s.want("after two seconds, the second", 401, stranger, "gl_at_yet_another")
		s.want("after two seconds, the third", 429, stranger, "gl_at_and_another")
		time.Sleep(time.Minute)
		for i := range 60 {
			s.want("after a minute", 401, stranger, fmt.Sprint("gl_at_again", i))
		}
	})
}

// TestSameBadToken: a client that goes on with a token that has ended uses up nobody's
// patience, and the server hears of it now and then.
func TestSameBadToken(t *testing.T) {
	inScene(t, registry.Opaque, nil, func(t *testing.T, s *scene) {
		const address = "203.0.113.9"
		for range 200 {
			s.want("a bad token", 401, address, "gl_at_bad")
		}
		if asked := s.wire.count(introspection); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		s.want("a good one", 200, address, s.token("reports:read"))
		time.Sleep(6 * time.Second)
		s.want("a bad token, later", 401, address, "gl_at_bad")
		if asked := s.wire.count(introspection); asked != 3 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// TestTrouble: when the server cannot be asked, that is nobody's fault; and good tokens
// that nobody knows yet are as many at once as there are.
func TestTrouble(t *testing.T) {
	inScene(t, registry.Opaque, following, func(t *testing.T, s *scene) {
		const address = "203.0.113.9"
		s.wire.set(func(w *wire) { w.down = true })
		for i := range 100 {
			s.want("the server is down", 503, address, fmt.Sprint("gl_at_any", i))
		}
		s.wire.set(func(w *wire) { w.down = false })
		for range 100 {
			s.want("a good token", 200, address, s.token("reports:read"))
		}
	})
}

// TestNoLimit: an API may do without, and say itself where a request comes from.
func TestNoLimit(t *testing.T) {
	inScene(t, registry.Opaque, nil, func(t *testing.T, s *scene) {
		options := guard.Options{
			Issuer: s.Issuer, Audience: apiURL, ClientID: s.api.ID, ClientSecret: s.api.Secret, Client: &http.Client{Transport: s.wire},
			MaxBadTokens: -1, Logger: slog.New(slog.DiscardHandler),
		}
		open := func() {
			var err error
			if s.guard, err = guard.New(options); err != nil {
				t.Fatal(err)
			}
		}
		open()
		for i := range 200 {
			s.want("without a limit", 401, "203.0.113.9", fmt.Sprint("gl_at_", i))
		}
		options.MaxBadTokens = 1
		options.Address = func(r *http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") }
		open()
		s.want("the first", 401, "203.0.113.9", "gl_at_x")
		s.want("the second, by the same according to the API", 429, "203.0.113.10", "gl_at_y")
	})
}

// TestMadeUpKeys: a JWT with a made-up key id makes the guard read the keys again. Who
// sent it may hang up, and the server may be slow: tokens of the known keys are good
// all the same, and without asking.
func TestMadeUpKeys(t *testing.T) {
	inScene(t, registry.JWT, following, func(t *testing.T, s *scene) {
		time.Sleep(time.Minute)
		token := s.token("reports:read")
		s.want("before", 200, "203.0.113.9", token)
		asked := s.wire.count(introspection)
		s.wire.set(func(w *wire) { w.silent["/oauth2/jwks"] = true })
		time.Sleep(11 * time.Second)
		parts := strings.Split(token, ".")
		madeUp := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"made-up"}`)) + "." + parts[1] + "." + parts[2]
		var all sync.WaitGroup
		hangUp, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		all.Go(func() {
			r := httptest.NewRequestWithContext(hangUp, http.MethodGet, "/reports", nil)
			r.Header.Set("Authorization", "Bearer "+madeUp)
			if _, err := s.guard.Check(r); err == nil {
				t.Error("a made-up key was taken")
			}
		})
		for range 20 {
			time.Sleep(time.Second)
			// Another one each time, so that none is known.
			fresh := s.token("reports:read")
			began := time.Now()
			if s.want("while the keys are read", 200, "203.0.113.9", fresh); time.Since(began) > 0 {
				t.Errorf("a good token waited %v", time.Since(began))
			}
		}
		all.Wait()
		if more := s.wire.count(introspection) - asked; more > 1 {
			t.Errorf("asked %d times", more)
		}
	})
}

// TestLongMaxStale: an API may live with older answers, and still hears of endings.
func TestLongMaxStale(t *testing.T) {
	inScene(t, registry.Opaque, nil, func(t *testing.T, s *scene) {
		var err error
		s.guard, err = guard.New(guard.Options{
			Issuer: s.Issuer, Audience: apiURL, ClientID: s.api.ID, ClientSecret: s.api.Secret,
			Client: &http.Client{Transport: s.wire, Timeout: 10 * time.Second}, MaxStale: 5 * time.Minute, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.guard.Run(ctx) })
		defer running.Wait()
		defer cancel()
		time.Sleep(10 * time.Minute)
		token := s.token("reports:read")
		for range 3 {
			s.want("good", 200, "203.0.113.9", token)
		}
		if asked := s.wire.count(introspection); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		s.user.Open("/account/applications").Press("Remove")
		time.Sleep(100 * time.Millisecond)
		s.want("ended", 401, "203.0.113.9", token)
	})
}
