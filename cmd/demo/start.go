package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gatelodge/internal/keyring"
	"gatelodge/internal/server"
	"gatelodge/internal/signin"
	"gatelodge/slate"
	"gatelodge/slate/portal"
	"gatelodge/slate/reports"
)

// options are what the flags say.
type options struct {
	gatelodgePort, slatePort uint16
	data                     string
}

// drainTime is how long requests in flight may take to end.
const drainTime = 5 * time.Second

// demo is both servers while they run.
type demo struct {
	made
	// failed gets the error of a listener.
	failed chan error

	gatelodge *server.Server
	portal    *slate.Slate
	servers   [2]*http.Server    // of Gatelodge and of Slate
	stop      context.CancelFunc // of what Slate does beside requests
	ended     chan struct{}
}

// start makes the world where there is none yet, and starts both servers on it.
func start(ctx context.Context, o options, logger *slog.Logger, now time.Time, progress func(reports.Progress)) (_ *demo, err error) {
	first, gatelodgeURL, err := listen(ctx, "--gatelodge-port", o.gatelodgePort)
	if err != nil {
		return nil, err
	}
	second, slateURL, err := listen(ctx, "--slate-port", o.slatePort)
	if err != nil {
		return nil, errors.Join(err, first.Close())
	}
	d := &demo{failed: make(chan error, 2), ended: make(chan struct{})}
	if err := d.open(ctx, o.data, gatelodgeURL, slateURL, logger, now, progress); err != nil {
		return nil, errors.Join(err, first.Close(), second.Close())
	}
	d.servers = [2]*http.Server{d.serve(first, d.gatelodge.Handler(), logger), d.serve(second, d.portal.Handler(), logger)}
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	go func() {
		defer close(d.ended)
		d.portal.Run(beside)
	}()
	return d, nil
}

func (d *demo) serve(l net.Listener, h http.Handler, logger *slog.Logger) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}
	go func() { d.failed <- s.Serve(l) }()
	return s
}

// listen listens on this computer only.
func listen(ctx context.Context, flag string, port uint16) (net.Listener, string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return nil, "", fmt.Errorf("%w: choose another with %s, 0 for any", err, flag)
	}
	return l, "http://localhost:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func (d *demo) open(ctx context.Context, dir, gatelodgeURL, slateURL string, logger *slog.Logger, now time.Time, progress func(reports.Progress)) (err error) {
	if d.made, err = madeIn(ctx, dir, gatelodgeURL, slateURL, now, progress); err != nil {
		return err
	}
	ring, err := keyring.Load(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	d.gatelodge, err = server.New(ctx, server.Config{
		Database: gatelodgeDatabase(dir), Ring: ring, Issuer: d.Gatelodge, Namespace: namespace, SignUp: signin.Open, Logger: logger,
	})
	if err != nil {
		return err
	}
	d.portal, err = slate.New(ctx, slate.Config{
		Database: slateDatabase(dir), Folder: reportsFolder(dir), Archives: archivesFolder(dir), Gatelodge: d.Gatelodge,
		ClientID: d.Portal.ClientID, ClientSecret: d.Portal.ClientSecret, Audience: audience(d.Slate), Scope: scope, URL: d.Slate,
		PostLogoutURL: d.Slate + portal.SignedOutPath, Contact: "mailto:" + operatorEmail, Logger: logger,
	})
	if err != nil {
		return errors.Join(err, d.gatelodge.Close())
	}
	return nil
}

// worldFile is written when the world is whole.
const worldFile = "demo.json"

// madeIn gives the world of a folder, and makes it where there is none.
func madeIn(ctx context.Context, dir, gatelodgeURL, slateURL string, now time.Time, progress func(reports.Progress)) (m made, err error) {
	path := filepath.Join(dir, worldFile)
	text, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(text, &m); err != nil {
			return m, fmt.Errorf("%s: %w", path, err)
		}
		if m.Gatelodge != gatelodgeURL || m.Slate != slateURL {
			// Return URLs and the audience of tokens name them.
			return m, fmt.Errorf("%s was made for %s and %s: give the same ports, or another folder", dir, m.Gatelodge, m.Slate)
		}
		return m, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return m, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return m, err
	}
	if len(entries) > 0 {
		return m, fmt.Errorf("%s holds something else, or a demo that was stopped while it was made: give an empty folder", dir)
	}
	if m, err = setUp(ctx, dir, gatelodgeURL, slateURL, now, progress); err != nil {
		return m, err
	}
	if text, err = json.MarshalIndent(m, "", "\t"); err != nil {
		return m, err
	}
	return m, os.WriteFile(path, text, 0o600)
}

// close ends Slate, then Gatelodge, which Slate asks to the end.
func (d *demo) close(ctx context.Context) error {
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := shutdown(drain, d.servers[1])
	d.stop()
	<-d.ended
	err = errors.Join(err, d.portal.Close())
	d.gatelodge.Drain()
	return errors.Join(err, shutdown(drain, d.servers[0]), d.gatelodge.Close())
}

// shutdown waits for the requests in flight, and then for no more.
func shutdown(ctx context.Context, s *http.Server) error {
	err := s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return s.Close()
	}
	return err
}
