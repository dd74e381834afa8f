// Command slate is the partner portal: accounts of partner companies, their reports,
// and the reporting API for the applications that they let in. It knows Gatelodge by
// HTTP only.
//
//	slate serve --gatelodge http://localhost:8080 --client-id … --client-secret-file …
//
// starts it on an embedded SQLite database. The other commands are the operator's, on
// the same database, while the server runs or not.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, the same as Gatelodge's.
const (
	exitFailed   = 1
	exitWrongUse = 2
)

// usageError says that the command was called wrongly.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func wrongUse(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "slate: %v\n", err)
	if _, wrong := errors.AsType[usageError](err); wrong {
		return exitWrongUse
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := group("slate", "Let partners and their applications have their reports", newServe(), newAccount(), newReport())
	root.Long = `Let partners and their applications have their reports.

"slate serve" runs the portal and its reporting API. The other commands are the
operator's; they work on the same database, while it runs or not. Give them the
server's --data, or --database, or --config.

A setting is a flag, or a variable SLATE_... (SLATE_CLIENT_ID for --client-id), or a
line of the file that --config names (client-id: ...); the first of these wins.

Exit codes: 0 good, 1 failed, 2 wrong use.`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	// A group runs only to say that a command is missing.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}", 1))
	return root
}

// noArgs refuses what stands beside a command's flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return wrongUse("%s takes flags only, not %q", cmd.Name(), args[0])
	}
	return nil
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: func(cmd *cobra.Command, args []string) error {
		problem := "a command is missing"
		if len(args) > 0 {
			problem = fmt.Sprintf("there is no command %q", args[0])
		}
		return wrongUse("%s; see %s --help", problem, cmd.CommandPath())
	}}
	g.AddCommand(commands...)
	return g
}
