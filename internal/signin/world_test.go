package signin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/live"
	"gatelodge/internal/mail"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	issuer   = "https://gatelodge.example"
	password = "correct horse battery"
)

// mailbox keeps mails instead of sending them.
type mailbox struct {
	mu    sync.Mutex
	mails []mail.Message
}

func (m *mailbox) Send(_ context.Context, msg mail.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append(m.mails, msg)
	return nil
}

// world is a server on a database of its own, and the clock that it goes by.
type world struct {
	t       *testing.T
	config  sqldb.Config
	ring    string
	store   *store.Store
	surface *Surface
	server  *httptest.Server
	mails   *mailbox
	offset  atomic.Int64
	hasher  *account.Hasher
}

func (w *world) now() time.Time {
	return time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(w.offset.Load()))
}

func (w *world) wait(d time.Duration) { w.offset.Add(int64(d)) }

// newWorld starts a server whose options tune changes.
func newWorld(t *testing.T, tune ...func(*Options)) *world {
	t.Helper()
	w := &world{
		t: t, config: sqldbtest.Config(t, sqldb.SQLite), ring: filepath.Join(t.TempDir(), "key"), mails: &mailbox{},
		hasher: account.NewHasher(account.HasherOptions{Cost: account.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}}),
	}
	w.start(tune...)
	return w
}

// start starts the server, anew if there was one, on the same database.
func (w *world) start(tune ...func(*Options)) {
	t := w.t
	t.Helper()
	db := sqldbtest.Open(t, w.config)
	if err := db.Migrate(t.Context(), store.Migrations()); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.LoadOrCreate(w.ring)
	if err != nil {
		t.Fatal(err)
	}
	w.store = store.New(db, ring)
	if _, err := w.store.Identify(t.Context(), "amzn1", w.now()); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	view, err := live.New(t.Context(), w.store, issuer, log)
	if err != nil {
		t.Fatal(err)
	}
	kit, err := web.New(web.Options{Issuer: issuer, Logger: log, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Kit: kit, Store: w.store, View: view, Hasher: w.hasher, Mail: w.mails, Issuer: issuer,
		Email: account.ConfirmRequired, SignUp: Open, Log: log, Now: w.now,
	}
	for _, fn := range tune {
		fn(&o)
	}
	o.Sessions = session.New(session.Options{
		Store: w.store, View: view, Hasher: o.Hasher, Now: w.now,
		Address: func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("X-Test-Address")) },
	})
	if w.surface, err = New(o); err != nil {
		t.Fatal(err)
	}
	o.Sessions.SignInPage = w.surface.SignInPage
	site, err := kit.Site()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", site)
	w.surface.Routes(mux)
	// Stands for a form of another surface.
	mux.Handle("/form", kit.Browser(o.Sessions.RequireForm(
		func(rw http.ResponseWriter, _ *http.Request, _ session.User) error {
			_, err := io.WriteString(rw, "saved")
			return err
		},
		func(rw http.ResponseWriter, _ *http.Request, _ session.User, typed url.Values) error {
			_, err := io.WriteString(rw, "typed: "+typed.Get("description"))
			return err
		})))
	w.server = httptest.NewServer(mux)
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	sending.Go(func() { w.surface.Run(ctx) })
	t.Cleanup(func() {
		w.server.Close()
		stop()
		sending.Wait()
	})
}

// onLoopback is a server that sends no mail and asks for no confirmation.
func onLoopback(o *Options) { o.Mail, o.Email = mail.None{}, account.ConfirmNotAsked }

// inbox waits for n mails and returns them all.
func (w *world) inbox(n int) []mail.Message {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		w.mails.mu.Lock()
		all := append([]mail.Message(nil), w.mails.mails...)
		w.mails.mu.Unlock()
		if len(all) >= n {
			return all
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d mails, want %d", len(all), n)
		}
	}
}

// link is the link in a mail, as a path of the test server.
func (w *world) link(m mail.Message) string {
	w.t.Helper()
	_, rest, ok := strings.Cut(m.Text, issuer)
	if !ok {
		w.t.Fatalf("no link in the mail:\n%s", m.Text)
	}
	path, _, _ := strings.Cut(rest, "\n")
	return path
}

// account makes an account with the password of the tests.
func (w *world) account(email, name string) account.Account {
	w.t.Helper()
	hash, err := w.hasher.Hash(w.t.Context(), password)
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := w.store.CreateAccount(w.t.Context(), store.NewAccount{
		Email: email, EmailKey: account.EmailKey(email), Name: name, PasswordHash: hash, Confirmed: w.now(),
	}, audit.By{At: w.now()})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// application makes a security profile, of a developer account of its own.
func (w *world) application(name string) registry.SecurityProfile {
	w.t.Helper()
	owner := w.account(strings.ReplaceAll(strings.ToLower(name), " ", ".")+"@developers.example", "Dev")
	d, err := w.store.CreateDeveloper(w.t.Context(), owner.ID, store.NewDeveloper{Company: name + " Ltd", Country: "GB"}, audit.By{At: w.now()})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.profile(d.ID, name)
}

func (w *world) profile(developerID int64, name string) registry.SecurityProfile {
	w.t.Helper()
	p, err := w.store.CreateProfile(w.t.Context(), store.NewProfile{
		DeveloperID: developerID, Form: registry.ProfileForm{Name: name, Description: "d", PrivacyURL: "https://app.example/privacy"},
	}, audit.By{At: w.now()})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// browser is one browser, with its cookies.
type browser struct {
	w       *world
	client  *http.Client
	address string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, address: "192.0.2.1", client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response that has been read.
type answer struct {
	status int
	to     string // Location
	body   string
	header http.Header
}

func (b *browser) do(method, path string, form url.Values, header ...string) answer {
	b.w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, b.w.server.URL+path, body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("X-Test-Address", b.address)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header.Get("Location"), string(text), res.Header}
}

func (b *browser) get(path string) answer { b.w.t.Helper(); return b.do("GET", path, nil) }

// post sends a form, given as names and values.
func (b *browser) post(path string, fields ...string) answer {
	b.w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do("POST", path, form)
}

// signIn signs in and fails the test when it does not succeed.
func (b *browser) signIn(email string) {
	b.w.t.Helper()
	if got := b.post("/sign-in", "email", email, "password", password); got.status != http.StatusSeeOther {
		b.w.t.Fatalf("sign-in of %s: %d\n%s", email, got.status, got.body)
	}
}

func (b *browser) cookie(name string) string {
	at, err := url.Parse(b.w.server.URL)
	if err != nil {
		b.w.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// signedIn reports whether the browser has a live session.
func (b *browser) signedIn() bool {
	b.w.t.Helper()
	return b.get("/account").status == http.StatusOK
}

// want fails the test unless the answer has the status and the body all texts.
func (a answer) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d (to %q)\n%s", a.status, status, a.to, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the page lacks %q\n%s", text, a.body)
		}
	}
}

// leads fails the test unless the answer is 303 to path.
func (a answer) leads(t *testing.T, path string) {
	t.Helper()
	if a.status != http.StatusSeeOther || a.to != path {
		t.Errorf("status %d to %q, want 303 to %q\n%s", a.status, a.to, path, a.body)
	}
}

func (a answer) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("the page contains %q\n%s", text, a.body)
		}
	}
}
