package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/sqldb"
	"gatelodge/slate"
	"gatelodge/slate/store"
)

// admin is what a command works with: the server's database.
type admin struct {
	settings settings
	store    *store.Store
	out      *printer
	args     []string
}

// by is the operator, now.
func (a *admin) by() store.Actor { return store.Actor{At: time.Now()} }

// account finds the one that --account gives.
func (a *admin) account(ctx context.Context, number string) (store.Account, error) {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return store.Account{}, wrongUse("--account %q: write the number of an account, such as 1001", number)
	}
	found, err := a.store.Account(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return found, fmt.Errorf("there is no account %d", id)
	}
	return found, err
}

// opener opens a database for a command.
type opener func(ctx context.Context, c sqldb.Config) (*sqldb.DB, *store.Store, error)

// administer makes a command's function out of one that works on the database.
func administer(cmd *cobra.Command, open opener, do func(ctx context.Context, a *admin) error) *cobra.Command {
	commonFlags(cmd.Flags())
	asJSON := jsonFlag(cmd)
	if cmd.Args == nil {
		cmd.Args = noArgs
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		s, err := load(cmd.Flags())
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		db, st, err := open(ctx, s.databaseConfig())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		a := &admin{settings: s, store: st, out: newPrinter(cmd.OutOrStdout(), *asJSON), args: args}
		if err := do(ctx, a); err != nil {
			return err
		}
		a.out.end()
		return nil
	}
	return cmd
}

// existing opens a database that is there. On another it makes nothing: the name may
// be a slip.
func existing(ctx context.Context, c sqldb.Config) (*sqldb.DB, *store.Store, error) {
	if _, err := os.Stat(c.Path); c.URL == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil, slate.ErrNoDatabase
	}
	return slate.OpenExisting(ctx, c)
}

func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print one JSON object per line")
}

// printer writes what a command has to say: lines for people, or one JSON object per
// record.
type printer struct {
	w      io.Writer
	asJSON bool
	record map[string]any
}

func newPrinter(w io.Writer, asJSON bool) *printer {
	return &printer{w: w, asJSON: asJSON, record: map[string]any{}}
}

// print adds a member to the record.
func (p *printer) print(key, label string, value any) {
	if !p.asJSON {
		fmt.Fprintf(p.w, "%-22s %v\n", label, value)
	}
	p.record[key] = value
}

// end ends the record.
func (p *printer) end() {
	if len(p.record) == 0 {
		return
	}
	if b, err := json.Marshal(p.record); p.asJSON && err == nil {
		fmt.Fprintf(p.w, "%s\n", b)
	} else if !p.asJSON {
		fmt.Fprintln(p.w)
	}
	p.record = map[string]any{}
}
