package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/config"
	"gatelodge/internal/keyring"
	"gatelodge/internal/server"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

func newBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the embedded database to one file, while the server runs or not",
		Long: `Write the embedded database, as of one moment, to a new file, while the server runs
or not. The file is checked before the command returns, and has mode 0600; one that
is there already is never replaced.

The key file is not in it, on purpose: whoever has both can read every secret. Keep
a copy of it in another place; without it a backup is worth nothing.

PostgreSQL has its own tools: pg_dump --format=custom, or a base backup with the
archive of its log (PITR). Keep the key file beside neither of them.`,
		Args: oneFile,
	}
	config.CommonFlags(cmd.Flags())
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := config.Load(cmd.Flags(), os.Environ())
		if err != nil {
			return err
		}
		if cfg.Database != "" {
			return usageError{errors.New("this is for the embedded database: for PostgreSQL take pg_dump --format=custom, or a base backup with the archive of its log; and keep the key file in another place")}
		}
		return backup(cmd.Context(), cfg, args[0], newPrinter(cmd.OutOrStdout(), *asJSON))
	}
	return cmd
}

// oneFile wants the name of a file.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usageError{fmt.Errorf("name the file: gatelodge %s FILE", cmd.Name())}
	}
	return nil
}

// backup does not use administer, which would bring the schema up to date under the
// server that runs: whoever is about to upgrade takes a backup first.
func backup(ctx context.Context, cfg config.Config, file string, out *printer) (err error) {
	where := databaseConfig(cfg)
	if missing(where) {
		return server.ErrNoDatabase
	}
	ring, err := keyring.Load(cfg.KeyFile)
	if err != nil {
		return err
	}
	db, err := sqldb.Open(ctx, where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// A backup that this key file does not open would be found out too late.
	if _, err := store.New(db, ring).Inspect(ctx); err != nil {
		return err
	}
	if err := db.Backup(ctx, file); err != nil {
		return err
	}
	sum, schema, err := readBackup(ctx, file, ring)
	if err != nil {
		return errors.Join(fmt.Errorf("the backup is not sound: %w", err), os.Remove(file))
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	out.print("file", "Backup", file)
	out.print("bytes", "Bytes", info.Size())
	printSummary(out, sum, schema)
	out.print("key", "Opened by the key", ring.Fingerprints()[0])
	out.note("Keep %s too, in another place: without it the backup cannot be read.", cfg.KeyFile)
	out.end()
	return nil
}

func printSummary(out *printer, sum store.Summary, schema int64) {
	out.print("schema", "Schema", schema)
	out.print("accounts", "Accounts", sum.Accounts)
	out.print("profiles", "Security profiles", sum.Profiles)
	out.print("consents", "Consents", sum.Grants)
	if !sum.LastEvent.IsZero() {
		out.print("last_event", "Newest event", stamp(sum.LastEvent))
	}
}

// readBackup checks a backup: that it is whole, of a schema that this program knows,
// and that the key file opens it.
func readBackup(ctx context.Context, file string, ring *keyring.Ring) (sum store.Summary, schema int64, err error) {
	db, err := sqldb.OpenBackup(ctx, file)
	if err != nil {
		return sum, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	schema, newest, err := db.SchemaVersion(ctx, store.Migrations())
	switch {
	case err != nil:
		return sum, 0, err
	case schema == 0:
		return sum, 0, fmt.Errorf("%s is a database, but not one of Gatelodge", file)
	case schema > newest:
		return sum, 0, fmt.Errorf("the backup's schema (version %d) is newer than this program's (%d): run the newer program", schema, newest)
	}
	sum, err = store.New(db, ring).Inspect(ctx)
	return sum, schema, err
}

func newRestore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE | restore --recovered",
		Short: "Put a backup in the place of the embedded database",
		Long: `Put a backup in the place of the embedded database. No server or command may be
using it. The backup is checked first, and the database is replaced at once or not at
all; with --replace one that is there already, which is kept under another name.

The backup does not know what has happened since. Sessions, links for recovery and
codes from before end, so nothing can be used twice. But what people ended since lives
again: consents that were removed, accounts that were disabled, passwords and secrets
that were changed. The command tells what the database that it replaces knew of that.

--recovered, without a file, does the same for a database that was put back by other
means: PostgreSQL's after pg_restore or a recovery to a point in time. Run it once,
before the servers start.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if recovered, err := cmd.Flags().GetBool("recovered"); err == nil && recovered {
				return noArgs(cmd, args)
			}
			return oneFile(cmd, args)
		},
	}
	config.CommonFlags(cmd.Flags())
	replace := cmd.Flags().Bool("replace", false, "replace the database that is there")
	recovered := cmd.Flags().Bool("recovered", false, "the database was put back by other means")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := config.Load(cmd.Flags(), os.Environ())
		if err != nil {
			return err
		}
		out := newPrinter(cmd.OutOrStdout(), *asJSON)
		if *recovered {
			return finishRecovery(cmd.Context(), cfg, out)
		}
		if cfg.Database != "" {
			return usageError{errors.New("this is for the embedded database: put PostgreSQL's back by its own tools, and run gatelodge restore --recovered before the servers start")}
		}
		r := restoration{cfg: cfg, file: args[0], now: time.Now()}
		if !missing(databaseConfig(cfg)) && !*replace {
			return fmt.Errorf("there is a database at %s: give --replace to put the backup in its place (it is kept under another name)", databaseConfig(cfg).Path)
		}
		return r.run(cmd.Context(), out)
	}
	return cmd
}
