package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/logging"
	"gatelodge/slate"
)

// drainTime is how long requests in flight may take to end after a signal.
const drainTime = 20 * time.Second

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve --client-id ID --client-secret-file FILE",
		Short: "Run the portal and its reporting API",
		Long: `Run the portal and its reporting API. Without settings it keeps everything in
./slate-data, answers at http://localhost:9090, and signs people in at the Gatelodge
server at http://localhost:8080.

At that server it needs a security profile of its own, which is an API too:

  gatelodge profile create --owner EMAIL --name Slate --description "The partner portal." \
      --privacy-url URL --return-url http://localhost:9090/signed-in
  gatelodge profile api CLIENT_ID --audience http://localhost:9090/apis
  gatelodge scope create --name slate:reporting --label "See your reports in Slate" \
      --detail "The reports of your partner accounts." --audience http://localhost:9090/apis

Reports that are put into the folder that --folder names are published:
ACCOUNT/GROUP/CHANNEL/TYPE/PERIOD.csv, such as
1001/channels/Sample Channel (US)/Subscription Weekly/2030-01-07_2030-01-13.csv.

SIGTERM and SIGINT end it when the requests in flight are answered, after 20 seconds
at most.`,
		Args: noArgs,
	}
	serveFlags(cmd.Flags())
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := load(cmd.Flags())
		if err != nil {
			return err
		}
		return serve(cmd.Context(), s, newPrinter(cmd.OutOrStdout(), *asJSON))
	}
	return cmd
}

// gcPercent lets the heap grow to three times what lives before it is collected: a call
// costs a tenth less. GOGC overrides it.
const gcPercent = 200

func serve(ctx context.Context, s settings, out *printer) error {
	if s["client-id"] == "" || s["client-secret"] == "" {
		return wrongUse("--client-id and --client-secret-file are needed: those of Slate's own security profile at Gatelodge; see slate serve --help")
	}
	if err := s.checkBaseURL("gatelodge"); err != nil {
		return err
	}
	if s["url"] != "" {
		if err := s.checkBaseURL("url"); err != nil {
			return err
		}
	}
	if _, _, err := net.SplitHostPort(s["listen"]); err != nil {
		return wrongUse("--listen %q: write host and port, such as 127.0.0.1:9090", s["listen"])
	}
	rate, err := s.callRate()
	if err != nil {
		return err
	}
	proxies, err := s.trustedProxies()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s["listen"])
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := os.MkdirAll(s["data"], 0o700); err != nil {
		return err
	}
	base := cmp.Or(s["url"], "http://localhost:"+strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	logger, flush := logging.New(os.Stderr)
	defer flush()
	portal, err := slate.New(ctx, slate.Config{
		Database: s.databaseConfig(), Folder: s["folder"], Archives: s["archives"], Gatelodge: s["gatelodge"],
		ClientID: s["client-id"], ClientSecret: s["client-secret"], Audience: cmp.Or(s["audience"], base+"/apis"), Scope: s["scope"],
		URL: base, PostLogoutURL: s["post-logout-url"], Contact: s["contact"], TrustedProxies: proxies, Rate: rate, Logger: logger,
	})
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           portal.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	// What runs beside the requests ends after them.
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		portal.Run(beside)
	}()
	out.print("url", "Slate", base)
	out.print("listen", "Listening on", listener.Addr().String())
	out.print("api", "Reporting API", base+"/apis")
	out.print("folder", "Reports' folder", s["folder"])
	out.print("gatelodge", "Gatelodge", s["gatelodge"])
	out.end()

	select {
	case err = <-failed:
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		err = server.Shutdown(drain)
	}
	stop()
	<-ended
	return errors.Join(err, portal.Close())
}
