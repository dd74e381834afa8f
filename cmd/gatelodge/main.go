// Command gatelodge is the lodge at the gate of an API: a console where outside
// developers register their applications, an authorization server that speaks
// OAuth 2.0 and Login with Amazon's wire format, and the pages on which users sign
// in, consent and revoke.
//
//	gatelodge serve
//
// starts it on an embedded SQLite database with nothing to configure. The other
// commands administer the same database, while the server runs or not.
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

	"gatelodge/internal/config"
)

// Exit codes (contract.md, "Commands").
const (
	exitFailed   = 1
	exitWrongUse = 2
)

// usageError says that the command was called wrongly.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

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
	fmt.Fprintf(os.Stderr, "gatelodge: %v\n", err)
	_, wrongSetting := errors.AsType[*config.Error](err)
	_, wrongUse := errors.AsType[usageError](err)
	if wrongSetting || wrongUse {
		return exitWrongUse
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := group("gatelodge", "Let outside developers and their applications in to your API",
		newServe(), newUser(), newProfile(), newScope(), newGrant(), newRegistration(), newRegion(), newKey(), newMigrate(), newDoctor(), newVersion())
	root.Long = `Let outside developers and their applications in to your API.

"gatelodge serve" runs the server; nothing has to be set up first. The other
commands administer its database, while it runs or not, and return when their
change is in effect. Give them the server's --data, or --database and --key-file,
or --config.

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
		return usageError{fmt.Errorf("%s takes flags only, not %q", cmd.Name(), args[0])}
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
		return usageError{fmt.Errorf("%s; see %s --help", problem, cmd.CommandPath())}
	}}
	g.AddCommand(commands...)
	return g
}
