// Command demo runs Gatelodge and Slate together, with a sample world of two partners,
// their people, an application and a year of reports, and prints a walk through it.
//
//	go run ./cmd/demo
//
// Everything is in a temporary folder that goes away with it, or in the one that --data
// names. The servers listen on this computer only.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/spf13/pflag"

	"gatelodge/slate/reports"
)

// Exit codes, the same as those of the servers' commands.
const (
	exitFailed   = 1
	exitWrongUse = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var o options
	flags := pflag.NewFlagSet("demo", pflag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Uint16Var(&o.gatelodgePort, "gatelodge-port", 8080, "`port` of Gatelodge, 0 for any that is free")
	flags.Uint16Var(&o.slatePort, "slate-port", 9090, "`port` of Slate, 0 for any that is free")
	flags.StringVar(&o.data, "data", "", "`folder` to keep everything in (default a temporary one)")
	flags.Usage = func() {
		fmt.Fprintf(errs, "demo runs Gatelodge and Slate with a sample world, and prints a walk through it.\n\n%s", flags.FlagUsages())
	}
	err := flags.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("demo takes flags only, not %q", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(errs, "demo: %v\n", err)
		return exitWrongUse
	}
	if err := show(ctx, o, out, errs); err != nil && ctx.Err() == nil {
		fmt.Fprintf(errs, "demo: %v\n", err)
		return exitFailed
	}
	return 0
}

// show runs the demo until ctx ends.
func show(ctx context.Context, o options, out, errs io.Writer) (err error) {
	if o.data == "" {
		if o.data, err = os.MkdirTemp("", "gatelodge-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.data)) }()
	}
	fmt.Fprintln(out, "Making two partners and a year of their reports …")
	logger := slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d, err := start(ctx, o, logger, time.Now(), func(p reports.Progress) {
		if p.Done == p.Total {
			fmt.Fprintf(out, "Slate has published %d reports.\n", p.Total)
		}
	})
	if err != nil {
		return err
	}
	if err := printWalk(out, d.made, o.data); err != nil {
		return errors.Join(err, d.close(ctx))
	}
	select {
	case err = <-d.failed:
	case <-ctx.Done():
		fmt.Fprintln(out, "Ending.")
	}
	return errors.Join(err, d.close(ctx))
}

//go:embed walk.txt
var walkText string

var walk = template.Must(template.New("walk").Parse(strings.TrimLeft(walkText, "\n")))

// printWalk says what to open and what to run.
func printWalk(out io.Writer, m made, dir string) error {
	return walk.Execute(out, struct {
		made
		Alpha, Beta                                            int64
		Password, Scope, Developer, Robot, Tokens, To, Reports string
		People                                                 []person
	}{
		m, m.Accounts[0], m.Accounts[1], password, scope, developerEmail, robotEmail,
		filepath.Join(dir, "downloader.json"), filepath.Join(dir, "downloaded"), reportsFolder(dir), people,
	})
}
