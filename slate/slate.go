package slate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"gatelodge/guard"
	"gatelodge/internal/limit"
	"gatelodge/internal/sqldb"
	"gatelodge/slate/api"
	"gatelodge/slate/portal"
	"gatelodge/slate/reports"
	"gatelodge/slate/store"
)

// Config is what Slate is made of.
type Config struct {
	Database sqldb.Config
	// Folder is where reports are put, Archives where the published ones are kept.
	Folder, Archives string
	// Gatelodge is the issuer: its base URL without a slash at its end.
	Gatelodge string
	// ClientID and ClientSecret are those of Slate's own security profile.
	ClientID, ClientSecret string
	// Audience is the identifier that Gatelodge's operator gave to the API.
	Audience string
	// Scope is what tokens need for the reporting API.
	Scope string
	// URL is the public base URL, without a slash at its end.
	URL string
	// PostLogoutURL is URL + portal.SignedOutPath when Gatelodge has it registered as the
	// address for after signing out, "" when not.
	PostLogoutURL string
	// Contact is where Contact us leads: a mail address or an http(s) URL; "" for none.
	Contact string
	// TrustedProxies are believed about where a request comes from.
	TrustedProxies []netip.Prefix
	// Rate bounds the calls of the API; the zero value is api.DefaultRate.
	Rate   api.Rate
	Logger *slog.Logger
	// Client is for requests to Gatelodge; one with a timeout when nil.
	Client *http.Client
	// Now is the time; time.Now when nil.
	Now func() time.Time
}

// Slate is a running portal.
type Slate struct {
	Store   *store.Store
	Library *reports.Library

	db      *sqldb.DB
	guard   *guard.Guard
	api     *api.API
	handler http.Handler
}

// ErrNoDatabase: Slate has never run on this database.
var ErrNoDatabase = errors.New("there is no Slate database here yet: serve and account create make one")

// OpenStore opens the database and brings its schema up to date.
func OpenStore(ctx context.Context, c sqldb.Config) (*sqldb.DB, *store.Store, error) {
	return openStore(ctx, c, func(int64) error { return nil })
}

// OpenExisting is OpenStore for commands that have nothing to do on a new database. On
// one they answer ErrNoDatabase: its name may be a slip.
func OpenExisting(ctx context.Context, c sqldb.Config) (*sqldb.DB, *store.Store, error) {
	return openStore(ctx, c, func(version int64) error {
		if version == 0 {
			return ErrNoDatabase
		}
		return nil
	})
}

func openStore(ctx context.Context, c sqldb.Config, accept func(version int64) error) (*sqldb.DB, *store.Store, error) {
	db, err := sqldb.Open(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	current, newest, err := db.SchemaVersion(ctx, store.Migrations())
	if err == nil && current > newest {
		err = fmt.Errorf("the database's schema (version %d) is newer than this program's (%d): run the newer program", current, newest)
	}
	if err == nil {
		err = accept(current)
	}
	if err == nil && current < newest {
		err = db.Migrate(ctx, store.Migrations())
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, store.New(db), nil
}

// downloadKey names the secret that signs download addresses, the same in every
// process on a database.
const downloadKey = "downloads"

// OpenLibrary opens the reports' folder, which is made when it is not there.
func OpenLibrary(ctx context.Context, s *store.Store, c Config) (*reports.Library, error) {
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, err
	}
	key, err := s.Secret(ctx, downloadKey)
	if err != nil {
		return nil, err
	}
	return reports.New(reports.Options{Store: s, Folder: c.Folder, Archives: c.Archives, Key: key, URL: c.URL, Log: c.Logger, Now: c.Now})
}

// New opens the database and builds everything on it; Close closes it. Gatelodge is
// not asked for anything yet: it may start later.
func New(ctx context.Context, c Config) (*Slate, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	db, st, err := OpenStore(ctx, c.Database)
	if err != nil {
		return nil, err
	}
	s := &Slate{Store: st, db: db}
	if err := s.build(ctx, c); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Slate) build(ctx context.Context, c Config) error {
	var err error
	if s.Library, err = OpenLibrary(ctx, s.Store, c); err != nil {
		return err
	}
	address := func(r *http.Request) netip.Addr {
		return limit.ClientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), c.TrustedProxies)
	}
	s.guard, err = guard.New(guard.Options{
		Issuer: c.Gatelodge, Audience: c.Audience, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		URL: c.URL, Client: c.Client, Logger: c.Logger, Now: c.Now, Address: address,
	})
	if err != nil {
		return err
	}
	pages, err := portal.New(portal.Options{
		Store: s.Store, Library: s.Library, Gatelodge: c.Gatelodge, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		URL: c.URL, PostLogoutURL: c.PostLogoutURL, Contact: c.Contact, HTTPClient: c.Client, Logger: c.Logger, Now: c.Now, Address: address,
	})
	if err != nil {
		return err
	}
	kit := pages.Kit
	s.api, err = api.New(api.Options{
		Store: s.Store, Library: s.Library, Guard: s.guard, Kit: kit, URL: c.URL, Scope: c.Scope, Rate: c.Rate, Log: c.Logger, Now: c.Now,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	s.api.Routes(mux)
	mux.Handle("GET "+reports.DownloadPath, kit.API(func(w http.ResponseWriter, r *http.Request) error {
		s.Library.ServeHTTP(w, r)
		return nil
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	pages.Routes(mux)
	s.handler = mux
	return nil
}

func (s *Slate) ready(w http.ResponseWriter, r *http.Request) {
	// Without the reason: this listener is the public’s.
	if err := s.Store.Ping(r.Context()); err != nil {
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// Handler serves everything.
func (s *Slate) Handler() http.Handler { return s.handler }

// Run does what is done beside requests, until ctx ends: it publishes what is put in
// the reports' folder, follows the endings of tokens, and writes down when
// applications called last.
func (s *Slate) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.Library.Run(ctx) })
	all.Go(func() { s.guard.Run(ctx) })
	all.Go(func() { s.api.Run(ctx) })
	all.Wait()
}

// Close closes the database. Run must have returned, and the handler must not be in
// use any more.
func (s *Slate) Close() error { return s.db.Close() }
