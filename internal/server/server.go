// Package server wires a Gatelodge server together: database, keys, live view and
// the three surfaces behind one handler. Commands and whole-program tests use it;
// nothing else may.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatelodge/internal/account"
	"gatelodge/internal/console"
	"gatelodge/internal/fetch"
	"gatelodge/internal/keyring"
	"gatelodge/internal/limit"
	"gatelodge/internal/live"
	"gatelodge/internal/mail"
	"gatelodge/internal/provider"
	"gatelodge/internal/region"
	"gatelodge/internal/registry"
	"gatelodge/internal/sdk"
	"gatelodge/internal/session"
	"gatelodge/internal/signin"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// Config is what a server is made of.
type Config struct {
	Database sqldb.Config
	Ring     *keyring.Ring
	// Issuer is the public base URL without a slash at its end.
	Issuer    string
	Namespace registry.Namespace
	SignUp    signin.SignUp
	// Registration says which applications may register themselves; "" is off.
	// RegistrationScopes, when not nil, are all that these may ask for.
	Registration       provider.Registration
	RegistrationScopes []string
	// Mail is nil or mail.None without a mail server.
	Mail           mail.Sender
	Contact        string
	TrustedProxies []netip.Prefix
	Logger         *slog.Logger
	Now            func() time.Time
	// Regions are the neighbours of this region; the zero value is a service without any.
	Regions region.Setting
	// Neighbourhood, when set, is how neighbours are reached in tests.
	Neighbourhood http.RoundTripper
	// PasswordCost is the zero value but in tests.
	PasswordCost account.Cost
	// FreeMemory, when set, is called some seconds after a burst of sign-ins.
	FreeMemory func()
	// Metrics, when set, is where the server's metrics are registered.
	Metrics prometheus.Registerer
}

// Server is a running Gatelodge.
type Server struct {
	Store *store.Store
	View  *live.View

	db      *sqldb.DB
	handler http.Handler
	stop    context.CancelFunc
	done    sync.WaitGroup

	draining chan struct{}
	drained  sync.Once
}

// OpenStore opens the database of a configuration and brings its schema up to
// date: SQLite's always, PostgreSQL's when the database is new.
func OpenStore(ctx context.Context, db sqldb.Config, ring *keyring.Ring) (*sqldb.DB, *store.Store, error) {
	return openStore(ctx, db, ring, prepareSchema)
}

// ErrNoDatabase: Gatelodge has never run on this database.
var ErrNoDatabase = errors.New("there is no Gatelodge database here yet: serve, migrate and user create make one")

// OpenExisting is OpenStore for commands that have nothing to do on a new
// database. They answer ErrNoDatabase and leave it as it is: its name may be a
// slip.
func OpenExisting(ctx context.Context, db sqldb.Config, ring *keyring.Ring) (*sqldb.DB, *store.Store, error) {
	return openStore(ctx, db, ring, prepareExisting)
}

func openStore(ctx context.Context, db sqldb.Config, ring *keyring.Ring, prepare func(context.Context, *sqldb.DB, fs.FS) error) (*sqldb.DB, *store.Store, error) {
	d, err := sqldb.Open(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	if err := prepare(ctx, d, store.Migrations()); err != nil {
		return nil, nil, errors.Join(err, d.Close())
	}
	return d, store.New(d, ring), nil
}

func prepareExisting(ctx context.Context, db *sqldb.DB, migrations fs.FS) error {
	switch current, _, err := db.SchemaVersion(ctx, migrations); {
	case err != nil:
		return err
	case current == 0:
		return ErrNoDatabase
	}
	return prepareSchema(ctx, db, migrations)
}

func prepareSchema(ctx context.Context, db *sqldb.DB, migrations fs.FS) error {
	current, newest, err := db.SchemaVersion(ctx, migrations)
	switch {
	case err != nil:
		return err
	case current > newest:
		// A newer program has migrated, and this one runs on until it is replaced.
		oldest, err := db.OldestProgram(ctx)
		if err != nil || oldest <= newest {
			return err
		}
		return fmt.Errorf("the database's schema (version %d) is for programs that know version %d at least; this one knows %d: run a newer program", current, oldest, newest)
	case current == newest:
		return nil
	case current > 0 && db.Dialect() == sqldb.Postgres:
		return fmt.Errorf("the database's schema (version %d) is older than this program's (%d): run `gatelodge migrate` once", current, newest)
	}
	return db.Migrate(ctx, migrations)
}

// New starts a server; Close ends it.
func New(ctx context.Context, c Config) (*Server, error) {
	db, st, err := OpenStore(ctx, c.Database, c.Ring)
	if err != nil {
		return nil, err
	}
	s := &Server{Store: st, db: db, draining: make(chan struct{})}
	if err := s.start(ctx, c); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, c Config) error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Mail == nil {
		c.Mail = mail.None{}
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return err
	}
	secure := issuer.Scheme == "https"
	email := account.ConfirmRequired
	if _, without := c.Mail.(mail.None); without && onLoopback(issuer.Hostname()) {
		email = account.ConfirmNotAsked
	}
	identity, err := s.Store.Identify(ctx, string(c.Namespace), c.Now())
	if err != nil {
		return err
	}
	if identity.Issuer != c.Issuer {
		if err := s.Store.RememberIssuer(ctx, c.Issuer); err != nil {
			return err
		}
	}
	if s.View, err = live.New(ctx, s.Store, c.Issuer, c.Logger); err != nil {
		return err
	}
	address := func(r *http.Request) netip.Addr {
		return limit.ClientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), c.TrustedProxies)
	}
	metrics := prometheus.WrapRegistererWithPrefix("gatelodge_", c.Metrics)
	hasher := account.NewHasher(account.HasherOptions{Cost: c.PasswordCost, Evaluated: whenQuiet(c.FreeMemory)})
	sessions := session.New(session.Options{
		Store: s.Store, View: s.View, Hasher: hasher, Now: c.Now, Secure: secure, Address: address, Metrics: metrics,
	})
	kit, err := web.New(web.Options{
		Contact: c.Contact, Issuer: c.Issuer, Logger: c.Logger, Secure: secure, Now: c.Now, Account: sessions.Badge, Metrics: metrics,
		Regions:     places(c.Regions),
		Unavailable: store.IsUnavailable,
	})
	if err != nil {
		return err
	}
	fetcher := fetch.New(fetch.Options{AllowLoopback: onLoopback(issuer.Hostname())})
	var regions *region.Party
	if len(c.Regions.Neighbours) > 0 {
		if c.Neighbourhood == nil {
			c.Neighbourhood = fetcher.Transport()
		}
		regions = region.NewParty(c.Regions, c.Neighbourhood, c.Now)
	}
	signIn, err := signin.New(signin.Options{
		Kit: kit, Store: s.Store, View: s.View, Sessions: sessions, Hasher: hasher, Issuer: c.Issuer,
		SignUp: c.SignUp, Email: email, Mail: c.Mail, Now: c.Now, Log: c.Logger, Regions: regions,
	})
	if err != nil {
		return err
	}
	sessions.SignInPage = signIn.SignInPage
	logos := registry.NewLogoDecoder()
	mux := http.NewServeMux()
	con, err := console.New(console.Options{
		Kit: kit, Store: s.Store, View: s.View, Sessions: sessions, Logos: logos, Issuer: c.Issuer,
		Namespace: registry.Namespace(identity.Namespace), Protocol: mux, Now: c.Now, Regions: c.Regions,
	})
	if err != nil {
		return err
	}
	prov, err := provider.New(provider.Options{
		Kit: kit, Store: s.Store, View: s.View, Sessions: sessions, Issuer: c.Issuer,
		Namespace: registry.Namespace(identity.Namespace), SubjectKey: identity.SubjectKey, Email: email, Now: c.Now, Address: address,
		Draining: s.draining, Fetch: fetcher, Log: c.Logger,
		Registration: c.Registration, RegistrationScopes: c.RegistrationScopes, Logos: logos, Metrics: metrics,
	})
	if err != nil {
		return err
	}
	site, err := kit.Site()
	if err != nil {
		return err
	}
	signIn.Routes(mux)
	con.Routes(mux)
	prov.Routes(mux)
	sdk.Routes(mux)
	mux.Handle("/", prov.Countries(site))
	s.handler = mux
	if err := errors.Join(metrics.Register(s.View), metrics.Register(s.db), metrics.Register(hashing(hasher, "running")), metrics.Register(hashing(hasher, "waiting"))); err != nil {
		return err
	}

	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.done.Go(func() { s.View.Run(run) })
	s.done.Go(func() { signIn.Run(run) })
	s.done.Go(func() { prov.Run(run) })
	return nil
}

// Dialect is the kind of database below.
func (s *Server) Dialect() sqldb.Dialect { return s.db.Dialect() }

// Handler serves everything.
func (s *Server) Handler() http.Handler { return s.handler }

// hashing shows how many passwords are in a state.
func hashing(h *account.Hasher, state string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "password_hashes", Help: "Passwords that are being hashed or wait for it.", ConstLabels: prometheus.Labels{"state": state},
	}, func() float64 {
		running, waiting := h.Load()
		if state == "running" {
			return float64(running)
		}
		return float64(waiting)
	})
}

// Ready reports why the server cannot do its work now, or nil.
func (s *Server) Ready(ctx context.Context) error {
	select {
	case <-s.draining:
		return errors.New("the server is shutting down")
	default:
	}
	if trusted, lag := s.View.Trusted(); !trusted {
		err := fmt.Errorf("the feed of changes was last read %v ago", lag.Round(time.Millisecond))
		if why := s.View.Failure(); why != nil {
			err = fmt.Errorf("%w: %w", err, why)
		}
		return err
	}
	if err := clockError(s.View.ClockAhead()); err != nil {
		return err
	}
	return s.Store.Ping(ctx)
}

// Drain answers requests that wait for something to happen. It comes before the
// listeners are shut down, which wait for requests.
func (s *Server) Drain() { s.drained.Do(func() { close(s.draining) }) }

// Close writes what is still to be written and closes the database. The handler
// must not be in use any more.
func (s *Server) Close() error {
	s.Drain()
	s.stop()
	s.done.Wait()
	return s.db.Close()
}

// places are the regions as the help pages list them.
func places(s region.Setting) []web.Region {
	if len(s.Neighbours) == 0 {
		return nil
	}
	var all []web.Region
	for _, r := range append([]region.Region{s.This}, s.Neighbours...) {
		place := web.Region{Title: r.Title, Issuer: r.Issuer, Here: r.Issuer == s.This.Issuer}
		for _, code := range r.Countries {
			place.Countries = append(place.Countries, account.CountryName(code))
		}
		all = append(all, place)
	}
	return all
}

func onLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
