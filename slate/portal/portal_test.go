package portal_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/portal"
	"gatelodge/slate/reports"
	"gatelodge/slate/store"
)

const (
	host    = "slate.example"
	address = "https://" + host
)

// world is Gatelodge with Slate beside it: the portal knows the one by HTTP alone.
type world struct {
	*sim.World
	t      testing.TB
	store  *store.Store
	client *sim.Application // Slate's own registration
	app    *sim.Application // what partners let in
	folder string
	lib    *reports.Library
	log    *lockedBuffer
	db     *faultdb.DB // what Slate asks

	mu    sync.Mutex
	later time.Duration
}

func newWorld(t testing.TB, cfg sqldb.Config) *world {
	t.Helper()
	w := &world{World: sim.New(t), t: t, folder: t.TempDir(), log: &lockedBuffer{}, db: &faultdb.DB{}}
	cfg.Wrap = w.db.Wrap
	w.client = w.NewApplication(address + portal.ReturnPath)
	w.client.SetPostLogoutURLs(address + portal.SignedOutPath)
	w.app = w.NewApplication()
	db := sqldbtest.Open(t, cfg)
	if err := db.Migrate(t.Context(), store.Migrations()); err != nil {
		t.Fatal(err)
	}
	w.store = store.New(db)
	log := slog.New(slog.NewTextHandler(w.log, nil))
	var err error
	w.lib, err = reports.New(reports.Options{Store: w.store, Folder: w.folder, Archives: t.TempDir(), Key: []byte("key"), URL: address, Log: log, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.open(w.Client())
	return w
}

// portal makes a portal at an address, which asks with a client.
func (w *world) portal(address string, client *http.Client) *portal.Portal {
	w.t.Helper()
	p, err := portal.New(portal.Options{
		Store: w.store, Library: w.lib, Gatelodge: w.Issuer, ClientID: w.client.ID, ClientSecret: w.client.Secret,
		URL: address, PostLogoutURL: address + portal.SignedOutPath, Contact: "slate@example.com", HTTPClient: client, Logger: slog.New(slog.NewTextHandler(w.log, nil)), Now: w.now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// open puts a portal that asks with a client in the place of the one before.
func (w *world) open(client *http.Client) {
	w.t.Helper()
	mux := http.NewServeMux()
	w.portal(address, client).Routes(mux)
	mux.Handle("GET "+reports.DownloadPath, w.lib)
	w.Host(host, mux)
}

func sqlite(t testing.TB) *world { return newWorld(t, sqldbtest.Config(t, sqldb.SQLite)) }

// both runs test on both databases.
func both(t *testing.T, test func(t *testing.T, w *world)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) { test(t, newWorld(t, sqldbtest.Config(t, dialect))) })
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.later)
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.later += d
}

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

// person has an account at Gatelodge and is signed in at Slate.
func (w *world) person(name string) *sim.Person {
	w.t.Helper()
	p := w.SignUp(name)
	w.signIn(p)
	return p
}

// signIn goes to Slate and through Gatelodge.
func (w *world) signIn(p *sim.Person) *sim.Page {
	w.t.Helper()
	page := p.Open(address + "/sign-in")
	if page.Has("Allow") {
		page = page.Press("Allow")
	}
	if page.Status != http.StatusOK || page.URL.Host != host {
		w.t.Fatalf("sign-in of %s ends at %s (%d):\n%s", p.Name, page.URL, page.Status, page.Text())
	}
	return page
}

// known is a person as Slate's database has them.
func (w *world) known(p *sim.Person) store.Person {
	w.t.Helper()
	known, err := w.store.PersonByEmail(w.t.Context(), p.Email)
	if err != nil {
		w.t.Fatal(err)
	}
	return known
}

// account makes an account with somebody in it.
func (w *world) account(name string, p *sim.Person, r store.Rights) store.Account {
	w.t.Helper()
	a, err := w.store.CreateAccount(w.t.Context(), name, store.Actor{At: w.now()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.let(a, p, r)
	return a
}

func (w *world) let(a store.Account, p *sim.Person, r store.Rights) {
	w.t.Helper()
	if err := w.store.LetIn(w.t.Context(), a.ID, w.known(p).ID, r, store.Actor{At: w.now()}); err != nil {
		w.t.Fatal(err)
	}
}

// put publishes a file of the reports' folder.
func (w *world) put(name, content string) {
	w.t.Helper()
	path := filepath.Join(w.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := w.lib.Import(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// weeks publishes weekly reports that end with last week.
func (w *world) weeks(account int64, channel string, n int) {
	w.t.Helper()
	monday := w.now().UTC().Truncate(24 * time.Hour)
	for monday.Weekday() != time.Monday {
		monday = monday.AddDate(0, 0, -1)
	}
	for i := range n {
		begin := monday.AddDate(0, 0, -7*(n-i))
		wave := (i*i*7 + i*31) % 40
		w.put(fmt.Sprintf("%d/channels/%s/Subscription Weekly/%s_%s.csv", account, channel, begin.Format(time.DateOnly), begin.AddDate(0, 0, 6).Format(time.DateOnly)),
			fmt.Sprintf("Date,Subscriptions,Minutes Streamed\n%s,%d,%d\n", begin.Format(time.DateOnly), 12000+i*160+wave*9, 1_800_000+i*21_000-wave*9_000))
	}
}

func path(a store.Account, parts ...any) string {
	s := fmt.Sprintf("%s/accounts/%d", address, a.ID)
	for _, part := range parts {
		s += fmt.Sprintf("/%v", part)
	}
	return s
}

// wantText fails unless a page has a status and says all of the words.
func wantText(t testing.TB, what string, p *sim.Page, status int, words ...string) {
	t.Helper()
	if p.Status != status {
		t.Errorf("%s: status %d at %s, want %d:\n%s", what, p.Status, p.URL, status, p.Text())
		return
	}
	for _, want := range words {
		if !strings.Contains(p.Text(), want) {
			t.Errorf("%s: the page does not say %q:\n%s", what, want, p.Text())
		}
	}
}

// lastReport is the newest period of the account's first type of report.
func (w *world) lastReport(account int64) (store.Report, error) {
	channels, _, err := w.store.Channels(w.t.Context(), account, store.GroupChannels, store.Page{Limit: 1})
	if err != nil {
		return store.Report{}, err
	}
	types, _, err := w.store.Types(w.t.Context(), channels[0].ID, store.Page{Limit: 1})
	if err != nil {
		return store.Report{}, err
	}
	all, _, err := w.store.Periods(w.t.Context(), types[0], store.Page{Limit: 1})
	if err != nil {
		return store.Report{}, err
	}
	return all[0], nil
}
