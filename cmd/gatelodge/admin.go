package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/config"
	"gatelodge/internal/keyring"
	"gatelodge/internal/live"
	"gatelodge/internal/registry"
	"gatelodge/internal/server"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

// admin is what a command works with: the same database and keys as the server's.
type admin struct {
	cfg       config.Config
	db        *sqldb.DB
	store     *store.Store
	ring      *keyring.Ring
	namespace registry.Namespace
	issuer    string
	out       *printer
	// wait is how long after do a change is in effect everywhere.
	wait time.Duration
}

func (a *admin) by() audit.By {
	a.wait = live.Bound
	return audit.By{At: time.Now(), Address: "command line"}
}

// accountOf finds an account by the e-mail address that a flag gives.
func (a *admin) accountOf(ctx context.Context, flag, email string) (account.Account, error) {
	if email == "" {
		return account.Account{}, usageError{fmt.Errorf("--%s is missing", flag)}
	}
	found, _, err := a.store.AccountByEmail(ctx, account.EmailKey(email))
	if errors.Is(err, store.ErrNotFound) {
		return found, fmt.Errorf("there is no account with the address %q", email)
	}
	return found, err
}

// developerOf finds the developer account of a person.
func (a *admin) developerOf(ctx context.Context, u account.Account) (account.DeveloperAccount, error) {
	d, err := a.store.DeveloperOf(ctx, u.ID)
	if errors.Is(err, store.ErrNotFound) {
		return d, fmt.Errorf("%s has no developer account", u.Email)
	}
	return d, err
}

// foundation says what a command does where there is no database yet.
type foundation int

const (
	// existing refuses: the name may be a slip, and an empty answer from a new
	// database would hide it.
	existing foundation = iota
	// made sets one up, for the first account of a server that nobody may sign up on.
	made
)

// administer makes a command's function out of one that works on the database. It
// returns only when the change is in effect on every server.
func administer(cmd *cobra.Command, on foundation, do func(ctx context.Context, a *admin) error) *cobra.Command {
	config.CommonFlags(cmd.Flags())
	asJSON := jsonFlag(cmd)
	if cmd.Args == nil {
		cmd.Args = noArgs
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		cfg, err := config.Load(cmd.Flags(), os.Environ())
		if err != nil {
			return err
		}
		a := &admin{cfg: cfg, out: newPrinter(cmd.OutOrStdout(), *asJSON)}
		open := server.OpenStore
		if on == existing {
			open = server.OpenExisting
			// Before a key file is made.
			if missing(databaseConfig(cfg)) {
				return server.ErrNoDatabase
			}
		}
		if a.ring, err = openRing(cfg); err != nil {
			return err
		}
		ctx := cmd.Context()
		if a.db, a.store, err = open(ctx, databaseConfig(cfg), a.ring); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.db.Close()) }()
		identity, err := a.store.Identify(ctx, "", time.Now())
		if errors.Is(err, store.ErrNotSetUp) {
			identity, err = a.store.Identify(ctx, string(cfg.Namespace), time.Now())
		}
		if err != nil {
			return err
		}
		a.namespace = registry.Namespace(identity.Namespace)
		a.issuer = cmp.Or(cfg.Issuer, identity.Issuer, defaultIssuer)
		if err := do(ctx, a); err != nil {
			return err
		}
		err = a.awaitEffect(ctx)
		a.out.end() // whatever came of the wait: a secret is printed only now
		return err
	}
	return cmd
}

func (a *admin) awaitEffect(ctx context.Context) error {
	if a.wait == 0 {
		return nil
	}
	select {
	case <-time.After(a.wait):
		return nil
	case <-ctx.Done():
		return errors.New("the change is made, but it may not be in effect on every server yet: the wait for that was broken off")
	}
}

// defaultIssuer is serve's, for commands on a database that no server has run on.
const defaultIssuer = "http://localhost:8080"

func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print one JSON object per line")
}

// printer writes what a command has to say: lines for people, or one JSON object
// per record.
type printer struct {
	w      io.Writer
	asJSON bool
	keys   []string
	record map[string]any
}

func newPrinter(w io.Writer, asJSON bool) *printer {
	return &printer{w: w, asJSON: asJSON, record: map[string]any{}}
}

// print adds a member to the record.
func (p *printer) print(key, label string, value any) {
	switch values, many := value.([]string); {
	case p.asJSON:
	case many:
		// The label beside the first, the others below.
		fmt.Fprintf(p.w, "%-22s %s\n", label, strings.Join(values, "\n"+strings.Repeat(" ", 23)))
	default:
		fmt.Fprintf(p.w, "%-22s %v\n", label, value)
	}
	p.record[key] = value
	p.keys = append(p.keys, key)
}

// note adds a sentence for people.
func (p *printer) note(format string, args ...any) {
	if !p.asJSON {
		fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// end ends the record.
func (p *printer) end() {
	if len(p.keys) == 0 {
		return
	}
	if p.asJSON {
		b, err := json.Marshal(p.record)
		if err == nil {
			fmt.Fprintf(p.w, "%s\n", b)
		}
	} else {
		fmt.Fprintln(p.w)
	}
	p.record, p.keys = map[string]any{}, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
