package console

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/keyring"
	"gatelodge/internal/live"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	testIssuer   = "https://id.example.com"
	testPassword = "correct horse battery"
)

// world is the console on a real database, with a clock of its own.
type world struct {
	t      testing.TB
	store  *store.Store
	faults *faultdb.DB
	s      *Surface
	mux    *http.ServeMux
	hash   string
	log    *syncBuffer

	mu  sync.Mutex
	now time.Time
}

func (wd *world) clock() time.Time {
	wd.mu.Lock()
	defer wd.mu.Unlock()
	return wd.now
}

func (wd *world) sleep(d time.Duration) {
	wd.mu.Lock()
	defer wd.mu.Unlock()
	wd.now = wd.now.Add(d)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newWorld(t testing.TB) *world {
	t.Helper()
	wd := &world{t: t, now: time.Date(2026, time.November, 22, 14, 3, 21, 400e6, time.UTC), log: &syncBuffer{}, faults: &faultdb.DB{}}
	ctx := t.Context()
	db, err := sqldb.Open(ctx, sqldb.Config{Path: filepath.Join(t.TempDir(), "test.db"), Wrap: wd.faults.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(ctx, store.Migrations()); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.LoadOrCreate(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	wd.store = store.New(db, ring)
	if _, err := wd.store.Identify(ctx, "amzn1", wd.now); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(wd.log, nil))
	view, err := live.New(ctx, wd.store, testIssuer, logger)
	if err != nil {
		t.Fatal(err)
	}
	kit, err := web.New(web.Options{Issuer: testIssuer, Logger: logger, Now: wd.clock})
	if err != nil {
		t.Fatal(err)
	}
	hasher := account.NewHasher(account.HasherOptions{Cost: account.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}})
	if wd.hash, err = hasher.Hash(ctx, testPassword); err != nil {
		t.Fatal(err)
	}
	sessions := session.New(session.Options{
		Store: wd.store, View: view, Hasher: hasher, Now: wd.clock,
		Address: func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.7") },
		SignInPage: func(w http.ResponseWriter, _ *http.Request, page session.SignIn) error {
			w.WriteHeader(http.StatusUnauthorized)
			_, err := fmt.Fprintf(w, "sign in; continue=%s typed=%s", page.Continue, page.Typed)
			return err
		},
	})
	wd.s, err = New(Options{
		Kit: kit, Store: wd.store, View: view, Sessions: sessions, Logos: registry.NewLogoDecoder(),
		Namespace: "amzn1", Issuer: testIssuer, Now: wd.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	wd.mux = http.NewServeMux()
	wd.s.Routes(wd.mux)
	return wd
}

// person is a browser in which somebody is signed in.
type person struct {
	*world
	account   account.Account
	developer account.DeveloperAccount
	cookies   []*http.Cookie
}

// user makes an account without a developer account, and signs it in.
func (wd *world) user(name string) *person {
	wd.t.Helper()
	p := &person{world: wd}
	email := strings.ToLower(name) + "@example.com"
	var err error
	p.account, err = wd.store.CreateAccount(wd.t.Context(), store.NewAccount{
		Email: email, EmailKey: account.EmailKey(email), Name: name, PasswordHash: wd.hash, Confirmed: wd.clock(),
	}, audit.By{At: wd.clock()})
	if err != nil {
		wd.t.Fatal(err)
	}
	p.signIn()
	return p
}

// developerNamed makes an account with a developer account, and signs it in.
func (wd *world) developerNamed(name string) *person {
	wd.t.Helper()
	p := wd.user(name)
	var err error
	p.developer, err = wd.store.CreateDeveloper(wd.t.Context(), p.account.ID,
		store.NewDeveloper{Company: name + " Ltd", Country: "CH"}, audit.By{At: wd.clock(), AccountID: p.account.ID})
	if err != nil {
		wd.t.Fatal(err)
	}
	return p
}

func (p *person) signIn() {
	p.t.Helper()
	rec := httptest.NewRecorder()
	if err := p.s.Sessions.Start(rec, p.request(http.MethodPost, "/sign-in", nil), p.account); err != nil {
		p.t.Fatal(err)
	}
	p.cookies = rec.Result().Cookies()
}

func (p *person) request(method, target string, body io.Reader) *http.Request {
	r := httptest.NewRequestWithContext(p.t.Context(), method, target, body)
	for _, c := range p.cookies {
		r.AddCookie(c)
	}
	return r
}

// answer is a response, read whole.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

func (p *person) do(r *http.Request) answer {
	p.t.Helper()
	rec := httptest.NewRecorder()
	p.mux.ServeHTTP(rec, r)
	return answer{p.t, rec.Code, rec.Result().Header, rec.Body.String()}
}

func (p *person) get(target string) answer {
	p.t.Helper()
	target, _, _ = strings.Cut(target, "#") // browsers keep it to themselves
	return p.do(p.request(http.MethodGet, target, nil))
}

func (p *person) post(target string, values url.Values) answer {
	p.t.Helper()
	r := p.request(http.MethodPost, target, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.do(r)
}

// upload posts a multipart form with a logo.
func (p *person) upload(target string, values url.Values, name string, logo []byte) answer {
	p.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for field, all := range values {
		for _, v := range all {
			m.WriteField(field, v)
		}
	}
	part, err := m.CreateFormFile(fieldLogo, name)
	if err != nil {
		p.t.Fatal(err)
	}
	part.Write(logo)
	m.Close()
	r := p.request(http.MethodPost, target, &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return p.do(r)
}

func (a answer) want(status int, texts ...string) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d; body:\n%s", a.status, status, text(a.body))
	}
	for _, want := range texts {
		if !strings.Contains(a.body, want) && !strings.Contains(text(a.body), want) {
			a.t.Errorf("the page lacks %q:\n%s", want, text(a.body))
		}
	}
	return a
}

func (a answer) lacks(texts ...string) answer {
	a.t.Helper()
	for _, unwanted := range texts {
		if strings.Contains(a.body, unwanted) || strings.Contains(text(a.body), unwanted) {
			a.t.Errorf("the page has %q:\n%s", unwanted, text(a.body))
		}
	}
	return a
}

// location is where a 303 leads to.
func (a answer) location() string {
	a.t.Helper()
	a.want(http.StatusSeeOther)
	return a.header.Get("Location")
}

var (
	tags     = regexp.MustCompile(`<[^>]*>`)
	spaces   = regexp.MustCompile(`\s+`)
	controls = regexp.MustCompile(`<(?:input|textarea)[^>]*>`)
	nameOf   = regexp.MustCompile(` name="([^"]*)"`)
	valueOf  = regexp.MustCompile(` value="([^"]*)"`)
)

// text is a page as a person reads it.
func text(body string) string {
	return spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(body, " ")), " ")
}

// value is what an input of the page holds.
func (a answer) value(name string) string {
	a.t.Helper()
	for _, c := range controls.FindAllString(a.body, -1) {
		if m := nameOf.FindStringSubmatch(c); m != nil && m[1] == name {
			if m := valueOf.FindStringSubmatch(c); m != nil {
				return html.UnescapeString(m[1])
			}
		}
	}
	a.t.Fatalf("no input %q on the page:\n%s", name, a.body)
	return ""
}

// profileNamed makes a profile without the form.
func (p *person) profileNamed(name string, urls ...string) registry.SecurityProfile {
	p.t.Helper()
	n := store.NewProfile{
		DeveloperID: p.developer.ID, Secret: registry.NewClientSecret("amzn1"),
		Form: registry.ProfileForm{Name: name, Description: "About " + name, PrivacyURL: "https://example.com/privacy"},
	}
	for _, u := range urls {
		n.ReturnURLs = append(n.ReturnURLs, registry.ReturnURL{Value: u})
	}
	made, err := p.store.CreateProfile(p.t.Context(), n, p.by())
	if err != nil {
		p.t.Fatal(err)
	}
	return made
}

func (p *person) by() audit.By { return audit.By{AccountID: p.account.ID, At: p.clock()} }

func (p *person) reload(old registry.SecurityProfile) registry.SecurityProfile {
	p.t.Helper()
	fresh, _, err := p.store.ProfileByID(context.WithoutCancel(p.t.Context()), old.ID)
	if err != nil {
		p.t.Fatal(err)
	}
	return fresh
}

// events counts the profile's events of a kind.
func (p *person) events(profile registry.SecurityProfile, kind audit.Kind) int {
	p.t.Helper()
	all, err := p.store.ProfileEvents(p.t.Context(), profile.ID, 1000)
	if err != nil {
		p.t.Fatal(err)
	}
	return len(slices.DeleteFunc(all, func(e audit.Event) bool { return e.Kind != kind }))
}
