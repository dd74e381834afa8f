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
	root := &cobra.Command{
		Use:           "gatelodge",
		Short:         "Let outside developers and their applications in to your API",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          wrongUse(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(os.Stderr)
			_ = cmd.Help()
			return usageError{errors.New("a command is missing")}
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newServe(), newUser(), newProfile(), newGrant(), newKey(), newMigrate(), newVersion())
	return root
}

// wrongUse makes the errors of an argument check exit with 2.
func wrongUse(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("%s: there is no command %q", cmd.CommandPath(), args[0])}
		}
		return usageError{fmt.Errorf("%s: a command is missing", cmd.CommandPath())}
	}}
	g.AddCommand(commands...)
	return g
}
