// Command report-downloader is the Video Report Downloader: it fetches the reports that
// its user may see at Slate, those that are new or corrected since the last time, and
// is made to be run from cron.
//
//	report-downloader login
//	report-downloader sync --to reports
//
// It is an application as any partner could write one: it knows Gatelodge and Slate by
// their public addresses only.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
)

const (
	exitFailed   = 1
	exitWrongUse = 2
)

// program is what the commands touch of the world.
type program struct {
	transport http.RoundTripper
	in        io.Reader
	out, errs io.Writer
	getenv    func(string) string
	// browse shows an address to the user.
	browse func(ctx context.Context, address string) error
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := &program{transport: attentive(), in: os.Stdin, out: os.Stdout, errs: os.Stderr, getenv: os.Getenv, browse: browse}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func (p *program) run(ctx context.Context, args []string) int {
	begun := false
	root := p.newRoot(&begun)
	root.SetArgs(args)
	root.SetOut(p.out)
	root.SetErr(p.errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(p.errs, "report-downloader: %s\n", printable(line))
	}
	if !begun {
		return exitWrongUse
	}
	return exitFailed
}

// printable leaves out what could command a terminal: words come from servers.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// newRoot has the commands. What fails before one has begun was called wrongly.
func (p *program) newRoot(begun *bool) *cobra.Command {
	var s settings
	root := &cobra.Command{
		Use: "report-downloader", Short: "Fetch your reports from Slate", SilenceErrors: true, SilenceUsage: true,
		Long: `Fetch your reports from Slate: log in once, then sync from cron.

Every flag is also a variable REPORT_DOWNLOADER_... (REPORT_DOWNLOADER_CLIENT_ID for
--client-id). The client secret is in REPORT_DOWNLOADER_CLIENT_SECRET, or in the file
that --client-secret-file names; native applications and devices have none.

Exit codes: 0 good, 1 something is missing, 2 wrong use.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("there is no command %q; see report-downloader --help", args[0])
			}
			return errors.New("a command is missing; see report-downloader --help")
		},
	}
	s.define(root.PersistentFlags())
	command := func(use, short string, run func(context.Context, settings) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%s takes flags only, not %q", use, args[0])
			}
			if err := s.complete(c.Flags(), p.getenv); err != nil {
				return err
			}
			*begun = true
			return run(c.Context(), s)
		}
		root.AddCommand(c)
		return c
	}
	login := command("login", "Let a user authorize this application", p.login).Flags()
	login.BoolVar(&s.code, "code", false, "show the address, and read the code, or the whole address that the browser came back to, from standard input")
	login.BoolVar(&s.device, "device", false, "show a code to enter in a browser on another device")
	login.BoolVar(&s.noBrowser, "no-browser", false, "show the address only, and open no browser")
	login.StringVar(&s.returnURL, "return-url", "", "one of the profile's Allowed Return `URLs` (default "+loopbackReturn+", with --code "+pastedReturn+")")
	sync := command("sync", "Fetch what is new or corrected", p.sync).Flags()
	status := command("status", "Show what is here and what is new", p.status).Flags()
	sync.StringVar(&s.to, "to", "", "`folder` of the reports")
	status.StringVar(&s.to, "to", "", "`folder` of the reports")
	sync.IntVar(&s.parallel, "parallel", 4, "how many `downloads` are under way at once")
	status.BoolVar(&s.json, "json", false, "print one JSON object per line")
	return root
}

// browse opens the user's browser.
func browse(ctx context.Context, address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return exec.CommandContext(ctx, name, args...).Run()
}
