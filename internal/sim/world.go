// Package sim owns worlds for tests: a whole Gatelodge server, the people in front
// of browsers and the applications that talk to it, all in one process and without
// a socket. Requests go through a network that is a function call, so that inside
// testing/synctest the whole world lives in virtual time.
//
//	w := sim.New(t)
//	app := w.NewApplication()
//	user := w.SignUp("Ada Lovelace")
//	code := user.Code(app, sim.Amazon)
//	answer := app.Redeem(sim.Amazon, code)
//
// A world checks at its end that no credential went to the log.
package sim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/keyring"
	"gatelodge/internal/live"
	"gatelodge/internal/mail"
	"gatelodge/internal/provider"
	"gatelodge/internal/region"
	"gatelodge/internal/server"
	"gatelodge/internal/signin"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

// What a server fetches goes through the sockets of the machine all the same, and package
// net keeps a channel from when it first resolves a name. If that is in a bubble of
// testing/synctest, no test outside of it can resolve one.
func init() { _, _ = net.LookupHost("localhost") }

// Options change what a world is made of. The zero value is the common world: an
// empty SQLite file, an issuer on loopback, no mail server.
type Options struct {
	// Database, when set, is where the server keeps its data; SQLite when not.
	Database sqldb.Config
	// KeyFile, when set, is the key file: worlds that share a database share it too.
	KeyFile string
	// Issuer is the server's public address, http://localhost:8080 when empty.
	Issuer         string
	Mail           mail.Sender
	TrustedProxies []netip.Prefix
	// Registration says which applications may register themselves.
	Registration       provider.Registration
	RegistrationScopes []string
	// Regions makes the server one of several: the others are worlds of their own.
	Regions region.Setting
	// SignUp is open when empty.
	SignUp signin.SignUp
}

// Namespace is the first part of identifiers in every world.
const Namespace = "amzn1"

// World is a server and everything around it.
type World struct {
	Issuer string
	Store  *store.Store
	View   *live.View
	// DB counts and fails the server's calls to its database.
	DB *faultdb.DB

	t       testing.TB
	log     *lockedBuffer
	handler http.Handler

	mu     sync.Mutex // guards the rest
	hosts  map[string]http.Handler
	people int
	apps   int
}

// New makes a world that ends with t.
func New(t testing.TB) *World { return NewWith(t, Options{}) }

// NewWith is New with options.
func NewWith(t testing.TB, o Options) *World {
	t.Helper()
	awaitToday()
	if o.Database.Path == "" && o.Database.URL == "" {
		o.Database.Path = filepath.Join(t.TempDir(), "gatelodge.db")
	}
	w := &World{
		Issuer: cmp.Or(o.Issuer, "http://localhost:8080"), DB: &faultdb.DB{},
		t: t, log: &lockedBuffer{}, hosts: map[string]http.Handler{},
	}
	o.Database.Wrap = w.DB.Wrap
	if o.KeyFile == "" {
		o.KeyFile = filepath.Join(t.TempDir(), "keys")
	}
	ring, err := keyring.LoadOrCreate(o.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), server.Config{
		Database: o.Database, Ring: ring, Issuer: w.Issuer, Namespace: Namespace, SignUp: cmp.Or(o.SignUp, signin.Open),
		Regions: o.Regions, Neighbourhood: network{w, "198.51.100.8:4711"},
		Registration: o.Registration, RegistrationScopes: o.RegistrationScopes,
		Mail: o.Mail, TrustedProxies: o.TrustedProxies, Logger: slog.New(slog.NewJSONHandler(w.log, nil)),
		PasswordCost: account.Cost{MemoryKiB: 8, Passes: 1, Threads: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
		w.checkLog()
	})
	w.Store, w.View = s.Store, s.View
	w.handler = s.Handler()
	w.hosts[w.host()] = w.handler
	return w
}

// Use makes a subtest or a fuzz target the one that fails when something goes
// wrong in the world, until it ends.
func (w *World) Use(t testing.TB) {
	before := w.t
	w.t = t
	t.Cleanup(func() { w.t = before })
}

// awaitToday leaves the year 2000, in which testing/synctest begins and tokens
// could not be dated.
func awaitToday() {
	if today := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC); time.Now().Before(today) {
		time.Sleep(time.Until(today))
	}
}

func (w *World) host() string {
	u, err := url.Parse(w.Issuer)
	if err != nil {
		w.t.Fatal(err)
	}
	return u.Host
}

// Handler is the server's, for tests that measure it without the network.
func (w *World) Handler() http.Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hosts[w.host()]
}

// Host makes h answer at a host, such as an application's.
func (w *World) Host(host string, h http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[host] = h
}

// ErrNobody: nothing listens at the host.
var ErrNobody = errors.New("sim: connection refused")

// network is the world as seen from one address.
type network struct {
	world   *World
	address string
}

// RoundTrip hands the request to whoever answers at its host.
func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.world.mu.Lock()
	h := n.world.hosts[r.URL.Host]
	n.world.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("%w: %s", ErrNobody, r.URL.Host)
	}
	in := r.Clone(r.Context())
	var err error
	in.RequestURI = r.URL.RequestURI()
	if in.URL, err = url.ParseRequestURI(in.RequestURI); err != nil {
		return nil, err
	}
	in.Host = cmp.Or(r.Host, r.URL.Host)
	in.RemoteAddr = n.address
	if in.Body == nil {
		in.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, in)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// Client is an HTTP client of a program: it keeps no cookies.
func (w *World) Client() *http.Client {
	return &http.Client{
		Transport:     network{w, "198.51.100.7:4711"},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Answer is what a program gets.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Do sends a request of a program.
func (w *World) Do(r *http.Request) Answer {
	w.t.Helper()
	response, err := w.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return Answer{response.StatusCode, response.Header, string(body)}
}

// Request makes a request to the server; headers are names and values in turn.
func (w *World) Request(method, path string, body io.Reader, headers ...string) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, w.Issuer+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// Get asks the server, as a program.
func (w *World) Get(path string, headers ...string) Answer {
	w.t.Helper()
	return w.Do(w.Request(http.MethodGet, path, nil, headers...))
}

// Post sends a form to the server, as a program.
func (w *World) Post(path string, form url.Values, headers ...string) Answer {
	w.t.Helper()
	headers = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)
	return w.Do(w.Request(http.MethodPost, path, strings.NewReader(form.Encode()), headers...))
}

// Log is what the server has logged so far.
func (w *World) Log() string { return w.log.String() }

// checkLog fails the test when a credential went to the log.
func (w *World) checkLog() {
	log := w.Log()
	for _, prefix := range []string{"Atza|", "Atza%7C", "Atzr|", "Atzr%7C", "gl_at_", "gl_rt_", "gl_it_", ".oa2-cs.", "code=", "device_code", "user_code=", "password="} {
		if i := strings.Index(log, prefix); i >= 0 {
			w.t.Errorf("the log holds a credential: …%s…", log[max(0, i-80):min(len(log), i+40)])
		}
	}
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
