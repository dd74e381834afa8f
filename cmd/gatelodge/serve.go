package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/config"
	"gatelodge/internal/keyring"
	"gatelodge/internal/logging"
	"gatelodge/internal/mail"
	"gatelodge/internal/provider"
	"gatelodge/internal/server"
	"gatelodge/internal/signin"
	"gatelodge/internal/sqldb"
)

// drainTime is how long requests in flight may take to end after a signal.
const drainTime = 20 * time.Second

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server. Without settings it keeps everything in ./gatelodge-data and
answers at http://localhost:8080.

A setting is a flag, or a variable GATELODGE_... (GATELODGE_KEY_FILE for --key-file),
or a line of the file that --config names (key-file: ...); the first of these wins.
The variables GATELODGE_DATABASE_FILE and GATELODGE_SMTP_FILE, and the lines
database-file and smtp-file, name files that hold the secret value.

SIGTERM and SIGINT end it when the requests in flight are answered, after 20 seconds
at most.`,
		Args: noArgs,
	}
	config.Flags(cmd.Flags())
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(cmd.Flags(), os.Environ())
		if err != nil {
			return err
		}
		if err := cfg.Validate(); err != nil {
			return err
		}
		return serve(cmd.Context(), cfg, newPrinter(cmd.OutOrStdout(), *asJSON))
	}
	return cmd
}

// gcPercent lets the heap grow to five times what lives before it is collected.
// Little lives (profiles, grants and sessions in the view), so that costs some
// megabytes and saves a sixth of the time that a token takes. GOGC overrides it.
const gcPercent = 400

// memoryLimit is where the collector stops waiting for that: twice what lives when all
// of the view's caches are full (live/view.go), and room for passwords. GOMEMLIMIT
// overrides it.
const memoryLimit = 384 << 20

func serve(ctx context.Context, cfg config.Config, out *printer) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	logger, flush := logging.New(os.Stderr)
	defer flush()
	sender, err := mailSender(cfg)
	if err != nil {
		return err
	}
	ring, err := openRing(cfg)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	issuer := cfg.Issuer
	if issuer == "" {
		issuer = "http://localhost:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	}
	metrics := newMetrics()
	c := server.Config{
		Metrics:  metrics,
		Database: databaseConfig(cfg), Ring: ring, Issuer: issuer, Namespace: cfg.Namespace,
		Registration: provider.Registration(cfg.Registration), RegistrationScopes: cfg.RegistrationScopes,
		SignUp: signin.SignUp(cfg.SignUp), Mail: sender, Contact: cfg.Contact, TrustedProxies: cfg.TrustedProxies, Logger: logger,
		FreeMemory: debug.FreeOSMemory,
	}
	if cfg.Regions != "" {
		if c.Regions, err = config.LoadRegions(cfg.Regions, issuer); err != nil {
			return err
		}
	}
	s, err := server.New(ctx, c)
	if err != nil {
		return err
	}
	// Requests get a context of their own: a signal ends the listening, not them.
	public := newHTTPServer(s.Handler(), logger)
	failed := make(chan error, 2)
	go func() { failed <- public.Serve(listener) }()
	var private *http.Server
	if cfg.Metrics != "" {
		l, err := net.Listen("tcp", cfg.Metrics)
		if err != nil {
			return errors.Join(err, public.Close(), s.Close())
		}
		private = newHTTPServer(metricsHandler(s, metrics), logger)
		go func() { failed <- private.Serve(l) }()
		out.print("metrics", "Metrics", "http://"+l.Addr().String()+"/metrics")
	}
	out.print("issuer", "Gatelodge", issuer)
	out.print("listen", "Listening on", listener.Addr().String())
	out.print("console", "Console", issuer+"/console")
	out.print("account", "Your account", issuer+"/account")
	out.print("help", "Help", issuer+"/help")
	out.end()

	b := readBuild()
	logger.Info("serving", "version", b.version, "revision", b.revision, "issuer", issuer, "listen", listener.Addr().String(), "database", s.Dialect().String(), "metrics", cfg.Metrics)
	warnOfSettings(cfg, logger)

	select {
	case err = <-failed:
	case <-ctx.Done():
		err = drain(context.WithoutCancel(ctx), s, public, logger)
	}
	if private != nil {
		err = errors.Join(err, private.Close())
	}
	return errors.Join(err, s.Close())
}

// drain ends the public listener: /readyz says so first, long polls are answered, and
// requests in flight have time to end. A second signal ends the program at once.
func drain(ctx context.Context, s *server.Server, public *http.Server, logger *slog.Logger) error {
	began := time.Now()
	logger.Info("shutting down: waiting for requests in flight", "at_most", drainTime)
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	go func() {
		select {
		case <-again:
			logger.Warn("a second signal: requests in flight are cut off")
			cancel()
		case <-ctx.Done():
		}
	}()
	s.Drain()
	err := public.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests in flight were cut off after %v: %w", time.Since(began).Round(time.Millisecond), err), public.Close())
	}
	logger.Info("stopped listening", "after", time.Since(began))
	return err
}

// warnOfSettings says once what is likely to be a slip; doctor says more.
func warnOfSettings(cfg config.Config, logger *slog.Logger) {
	if cfg.OnLoopback() {
		return
	}
	if len(cfg.TrustedProxies) == 0 {
		logger.Warn("no proxy's forwarding headers are believed: if one ends TLS for this server, limits by address hit all people together; give --trusted-proxies")
	}
	if cfg.SMTP == "" {
		logger.Warn("there is no mail server: people cannot confirm their address or recover their account; give --smtp")
	}
}

func mailSender(cfg config.Config) (mail.Sender, error) {
	if cfg.SMTP == "" {
		return mail.None{}, nil
	}
	sender, err := mail.NewSMTP(string(cfg.SMTP))
	if err != nil {
		return nil, usageError{fmt.Errorf("--smtp: %w", err)}
	}
	return sender, nil
}

func newHTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// openRing opens the key file. For a new embedded database it is made when it is
// not there. One that exists was made with a key already: another would not open it,
// and would take the place of the one that has to be found. Beside a database server
// it has to be brought along, the same for all.
func openRing(cfg config.Config) (*keyring.Ring, error) {
	if !missing(databaseConfig(cfg)) {
		return keyring.Load(cfg.KeyFile)
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, err
	}
	if err := ownFolder(cfg.Data); err != nil {
		return nil, err
	}
	return keyring.LoadOrCreate(cfg.KeyFile)
}

// missing reports whether there is no file of the embedded database.
func missing(db sqldb.Config) bool {
	if db.URL != "" {
		return false
	}
	_, err := os.Stat(db.Path)
	return errors.Is(err, fs.ErrNotExist)
}

func databaseConfig(cfg config.Config) sqldb.Config {
	if cfg.Database != "" {
		return sqldb.Config{URL: string(cfg.Database)}
	}
	return sqldb.Config{Path: filepath.Join(cfg.Data, "gatelodge.db")}
}
