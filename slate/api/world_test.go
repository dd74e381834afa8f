package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/slate"
	"gatelodge/slate/api"
	"gatelodge/slate/store"
)

const (
	slateHost = "localhost:9090"
	slateURL  = "http://" + slateHost
	audience  = slateURL + "/apis"
	scope     = "slate:reporting"
)

// proxy is where the tests call from.
var proxy = netip.MustParsePrefix("198.51.100.7/32")

// world is a Gatelodge and a Slate that knows it by HTTP only. Every answer of the API
// is held to the document.
type world struct {
	*sim.World
	t     testing.TB
	slate *slate.Slate
	db    *faultdb.DB
	// config is of Slate's database, without the faults.
	config sqldb.Config
	// api is Slate's own profile.
	api *sim.Application
	log *lockedBuffer
	// cut is set while Gatelodge cannot be reached from Slate.
	cut atomic.Bool
	// asked counts the questions about tokens.
	asked atomic.Int64
	// stop ends what Slate does beside requests.
	stop func()

	mu    sync.Mutex
	clock time.Duration // how far Slate's clock is ahead
	// stopped is when Slate's clock was stopped, zero while it runs.
	stopped time.Time
}

type options struct {
	rate api.Rate
	db   sqldb.Config
	// follow lets Slate follow the endings, and do all that it does beside requests.
	follow bool
}

func newWorld(t testing.TB, o options) *world {
	t.Helper()
	w := &world{World: sim.New(t), t: t, db: &faultdb.DB{}, log: &lockedBuffer{}}
	w.api = w.NewApplication()
	by := audit.By{At: time.Now()}
	if err := w.Store.SetAudience(t.Context(), w.api.Profile.ID, audience, by); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.CreateScope(t.Context(), registry.Scope{
		Name: scope, Aliases: []string{"slate::reporting"}, Label: "See your reports in Slate", Audience: w.api.Profile.ID, WithoutUser: true, Essential: true,
	}, by); err != nil {
		t.Fatal(err)
	}
	if o.db.Path == "" && o.db.URL == "" {
		o.db.Path = filepath.Join(t.TempDir(), "slate.db")
	}
	w.config = o.db
	o.db.Wrap = w.db.Wrap
	s, err := slate.New(t.Context(), slate.Config{
		Database: o.db, Folder: filepath.Join(t.TempDir(), "reports"), Archives: filepath.Join(t.TempDir(), "archives"),
		Gatelodge: w.Issuer, ClientID: w.api.ID, ClientSecret: w.api.Secret, Audience: audience, Scope: scope, URL: slateURL,
		Rate: o.rate, TrustedProxies: []netip.Prefix{proxy}, Logger: slog.New(slog.NewJSONHandler(w.log, nil)), Client: &http.Client{Transport: toGatelodge{w}}, Now: w.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.slate = s
	w.Host(slateHost, w.held(s.Handler()))
	run, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	if o.follow {
		running.Go(func() { s.Run(run) })
	}
	w.stop = func() {
		stop()
		running.Wait()
	}
	t.Cleanup(func() {
		w.stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, secret := range []string{"Atza", "gl_at_", "signature", w.api.Secret} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the log holds %q:\n%s", secret, w.log)
			}
		}
	})
	return w
}

// toGatelodge is the line from Slate to Gatelodge.
type toGatelodge struct{ w *world }

func (l toGatelodge) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.w.cut.Load() {
		return nil, sim.ErrNobody
	}
	if r.URL.Path == "/oauth2/introspect" {
		l.w.asked.Add(1)
	}
	return l.w.Client().Transport.RoundTrip(r)
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped.IsZero() {
		return w.stopped.Add(w.clock)
	}
	return time.Now().Add(w.clock)
}

// stopClock lets time pass by pass alone.
func (w *world) stopClock() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = time.Now()
}

// pass moves Slate's clock.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock += d
}

// change does something to the database behind Slate's back.
func (w *world) change(statement string) {
	w.t.Helper()
	db, err := sqldb.Open(w.t.Context(), w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	err = db.Write(w.t.Context(), func(ctx context.Context, t *sqldb.Tx) error {
		_, err := t.Exec(ctx, statement)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) by() store.Actor { return store.Actor{At: w.now()} }

// held holds the answers of h to the document.
func (w *world) held(h http.Handler) http.Handler {
	d := readDocument(w.t)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		d.hold(w.t, r, rec)
		for name, values := range rec.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(rec.Code)
		io.Copy(rw, rec.Body)
	})
}

// put publishes a file as the operator's command does.
func put(t *testing.T, w *world, name, content string) {
	t.Helper()
	path := filepath.Join(w.slate.Library.Folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.slate.Library.Import(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// caller is a user in front of an application: what calls are made of.
type caller struct {
	w      *world
	user   *sim.Person
	app    *sim.Application
	token  string
	person store.Person
}

// authorize makes a user who has authorized an application, and has signed in to Slate.
func (w *world) authorize(app *sim.Application, name string) *caller {
	w.t.Helper()
	user := w.SignUp(name)
	given := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon, "scope", scope))
	c := &caller{w: w, user: user, app: app, token: given.Text("access_token")}
	if c.token == "" {
		w.t.Fatalf("no token: %v", given)
	}
	told := w.introspect(c.token)
	var err error
	if c.person, err = w.slate.Store.SignIn(w.t.Context(), told.Text("sub"), name, user.Email, w.now()); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) introspect(token string) sim.Answer {
	w.t.Helper()
	r := w.Request(http.MethodPost, "/oauth2/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()), "Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(w.api.ID), url.QueryEscape(w.api.Secret))
	return w.Do(r)
}

// account makes an account with these ways in for the caller.
func (c *caller) account(name string, rights store.Rights, letIn bool) (store.Account, int64) {
	c.w.t.Helper()
	ctx := c.w.t.Context()
	account, err := c.w.slate.Store.CreateAccount(ctx, name, c.w.by())
	if err != nil {
		c.w.t.Fatal(err)
	}
	if err := c.w.slate.Store.AddMember(ctx, account.ID, c.person.ID, rights, c.w.by()); err != nil {
		c.w.t.Fatal(err)
	}
	if !letIn {
		return account, 0
	}
	return account, c.letIn(account.ID)
}

func (c *caller) letIn(accountID int64) int64 {
	c.w.t.Helper()
	id, err := c.w.slate.Store.AddApplication(c.w.t.Context(), store.Application{AccountID: accountID, ClientID: c.app.ID, Reporting: true, Name: "Downloader"}, c.w.by())
	if err != nil {
		c.w.t.Fatal(err)
	}
	return id
}

// ask calls the API; headers are names and values in turn.
func (c *caller) ask(method, path string, headers ...string) sim.Answer {
	c.w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = slateURL + api.Base + path
	}
	return c.w.send(method, path, append([]string{"Authorization", "Bearer " + c.token}, headers...)...)
}

func (w *world) send(method, address string, headers ...string) sim.Answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return w.Do(r)
}

func (c *caller) get(path string, headers ...string) sim.Answer {
	c.w.t.Helper()
	return c.ask(http.MethodGet, path, headers...)
}

// page is a list as the API answers it.
type page struct {
	Total int
	Next  *string
	Data  []map[string]any
}

// list reads a page that has to be there.
func (c *caller) list(path string) page {
	c.w.t.Helper()
	got := c.get(path)
	var p page
	if err := json.Unmarshal([]byte(got.Body), &p); err != nil || got.Status != http.StatusOK {
		c.w.t.Fatalf("%s: %v", path, got)
	}
	return p
}

// reports is the path of the reports of a group's first channel and type.
func (c *caller) reports(group string) string {
	c.w.t.Helper()
	path := "/accounts/1001/" + group
	path += "/" + c.list(path).ids()[0] + "/reportTypes"
	return path + "/" + c.list(path).ids()[0] + "/reports"
}

// ids are those of a page's items.
func (p page) ids() (all []string) {
	for _, item := range p.Data {
		all = append(all, item["id"].(string))
	}
	return all
}

// publish puts a report into the catalogue, without a file behind it.
func (w *world) publish(account int64, group, channel, kind string, begin time.Time, rows int64) store.Report {
	w.t.Helper()
	p := store.Published{
		AccountID: account,
		Channel:   store.Channel{Group: group, Folder: channel, Name: channel, Territory: "US"},
		Type:      store.ReportType{Folder: kind, Name: "Subscription", Cadence: "Weekly", Columns: "Date,Subscriptions"},
		Report:    store.Report{Begin: begin, End: begin.AddDate(0, 0, 6), Rows: rows, Digest: [32]byte{byte(rows)}},
		Source:    store.Source{Path: fmt.Sprint(account, group, channel, kind, begin), ReadAt: w.now()},
	}
	if group == store.GroupStatements {
		p.Channel.Territory = ""
	}
	if rows > 0 {
		p.Report.File, p.Report.Bytes, p.Report.Archive = "f.zip", 99, [32]byte{1}
	}
	report, err := w.slate.Store.Publish(w.t.Context(), p, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// monday is a day in the year of the reports.
func monday(week int) time.Time {
	return time.Date(2030, time.January, 7, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 7*week)
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
