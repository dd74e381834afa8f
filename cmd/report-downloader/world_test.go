package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/slate"
	"gatelodge/slate/api"
	"gatelodge/slate/store"
)

const (
	slateURL = "http://localhost:9090"
	scope    = "slate:reporting"
	weekly   = "/channels/Sample Channel (US)/Subscription Weekly/"
)

// world is a Gatelodge, a Slate, and a downloader on the computer of a user.
type world struct {
	*sim.World
	t      *testing.T
	slate  *slate.Slate
	app    *sim.Application
	user   *sim.Person
	person store.Person
	wire   *wire
	// folder is the user's: tokens and reports are in it.
	folder string
	env    map[string]string
	// see is told what the program wrote; paste gives what the user types then.
	see   func(text string)
	paste func(seen string) string
}

func newWorld(t *testing.T, rate api.Rate) *world {
	t.Helper()
	w := &world{World: sim.New(t), t: t, folder: t.TempDir(), see: func(string) {}, paste: func(string) string { return "" }}
	portal := w.NewApplication()
	portal.BecomeAPI(slateURL + "/apis")
	w.NewScope(registry.Scope{Name: scope, Label: "See your reports in Slate", Audience: portal.Profile.ID, Essential: true})
	var err error
	if w.slate, err = slate.New(t.Context(), slate.Config{
		Database: sqldb.Config{Path: filepath.Join(t.TempDir(), "slate.db")}, Folder: filepath.Join(t.TempDir(), "reports"), Archives: filepath.Join(t.TempDir(), "archives"),
		Gatelodge: w.Issuer, ClientID: portal.ID, ClientSecret: portal.Secret, Audience: slateURL + "/apis", Scope: scope, URL: slateURL, Rate: rate, Client: w.Client(),
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.slate.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Host("localhost:9090", w.slate.Handler())
	w.wire = &wire{base: w.Client().Transport}
	w.app = w.NewApplication(pastedReturn, "http://127.0.0.1/return")
	w.user = w.SignUp("Ada Lovelace")
	w.env = map[string]string{envPrefix + "CLIENT_ID": w.app.ID, envPrefix + "CLIENT_SECRET": w.app.Secret}
	// Slate knows its people by the subjects that Gatelodge gives it.
	code := w.user.Code(w.app, sim.Amazon, "scope", scope)
	token := w.app.Redeem(sim.Amazon, code).Text("access_token")
	r := w.Request(http.MethodPost, "/oauth2/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()), "Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(portal.ID), url.QueryEscape(portal.Secret))
	if w.person, err = w.slate.Store.SignIn(t.Context(), w.Do(r).Text("sub"), w.user.Name, w.user.Email, time.Now()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) by() store.Actor { return store.Actor{At: time.Now()} }

// account makes an account that the user and the applications may see: without any, the
// downloader's.
func (w *world) account(name string, clientIDs ...string) store.Account {
	w.t.Helper()
	if len(clientIDs) == 0 {
		clientIDs = []string{w.app.ID}
	}
	a, err := w.slate.Store.CreateAccount(w.t.Context(), name, w.by())
	if err != nil {
		w.t.Fatal(err)
	}
	w.permit(a, store.Rights{Manage: true, Reports: true})
	for _, id := range clientIDs {
		if _, err := w.slate.Store.AddApplication(w.t.Context(), store.Application{AccountID: a.ID, ClientID: id, Reporting: true, Name: "Downloader"}, w.by()); err != nil {
			w.t.Fatal(err)
		}
	}
	return a
}

func (w *world) permit(a store.Account, rights store.Rights) {
	w.t.Helper()
	if err := w.slate.Store.AddMember(w.t.Context(), a.ID, w.person.ID, rights, w.by()); err != nil {
		w.t.Fatal(err)
	}
}

// put publishes a report.
func (w *world) put(name, content string) {
	w.t.Helper()
	path := filepath.Join(w.slate.Library.Folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := w.slate.Library.Import(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// run runs the program, and gives its exit code and all that it wrote.
func (w *world) run(args ...string) (int, string) {
	w.t.Helper()
	s := &screen{see: w.see}
	p := &program{
		transport: w.wire, out: s, errs: s, getenv: func(name string) string { return w.env[name] },
		in:     readerFunc(func() string { return w.paste(s.String()) }),
		browse: func(context.Context, string) error { return errors.New("no browser here") },
	}
	args = append(args, "--tokens", w.tokens())
	if args[0] == "sync" || args[0] == "status" {
		args = append(args, "--to", w.reports())
	}
	return p.run(w.t.Context(), args), s.String()
}

// must runs the program where it has to end well.
func (w *world) must(args ...string) string {
	w.t.Helper()
	code, out := w.run(args...)
	if code != 0 {
		w.t.Fatalf("%v: exit code %d\n%s", args, code, out)
	}
	return out
}

func (w *world) tokens() string  { return filepath.Join(w.folder, "tokens.json") }
func (w *world) reports() string { return filepath.Join(w.folder, "reports") }

var address = regexp.MustCompile(`\n  (http\S+)\n`)

// come authorizes at the address on the screen, and gives where the browser goes.
func (w *world) come(seen string) string {
	found := address.FindStringSubmatch(seen)
	if found == nil {
		w.t.Errorf("no address in %q", seen)
		return ""
	}
	page := w.user.Open(found[1])
	if page.Has("Allow") {
		page = page.Press("Allow")
	}
	return page.URL.String()
}

// login logs in by the pasted address.
func (w *world) login(args ...string) {
	w.t.Helper()
	w.paste = w.come
	w.must(append([]string{"login", "--code"}, args...)...)
}

// files are the names of the reports' folder, without the program's own.
func (w *world) files() (names []string) {
	w.t.Helper()
	err := filepath.WalkDir(w.reports(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == own {
			return filepath.SkipDir
		}
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(w.reports(), path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

// screen is what the program writes on.
type screen struct {
	see func(text string)
	mu  sync.Mutex
	b   bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.b.Write(p)
	s.mu.Unlock()
	s.see(string(p))
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// readerFunc is a keyboard.
type readerFunc func() string

func (f readerFunc) Read(p []byte) (int, error) { return copy(p, f()+"\n"), nil }

// wire is the network between the downloader and everybody else.
type wire struct {
	base http.RoundTripper
	// meddle changes what comes back from a download.
	meddle func(*http.Response)

	mu   sync.Mutex
	sent []*http.Request
	got  []int
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.got = append(w.sent, r), append(w.got, response.StatusCode)
	if strings.HasPrefix(r.URL.Path, "/downloads/") {
		if r.Header.Get("Authorization") != "" {
			return nil, errors.New("the token was sent with a download")
		}
		if w.meddle != nil {
			w.meddle(response)
		}
	}
	return response, nil
}

// downloads are the downloads since the last call.
func (w *wire) downloads() (all []*http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.sent {
		if strings.HasPrefix(r.URL.Path, "/downloads/") {
			all = append(all, r)
		}
	}
	w.sent = nil
	return all
}

// broken is a body that breaks off.
type broken struct {
	io.ReadCloser
	left int
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// long is a report that does not become small in a ZIP.
func long() string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("Date,Subscriptions\n")
	for range 5000 {
		fmt.Fprintf(&b, "1/7/2030,%d\n", random.Uint64())
	}
	return b.String()
}
