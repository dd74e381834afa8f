package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gatelodge/internal/config"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

// migrate works on a schema of any age, so it cannot use administer, which refuses
// an old one.
func migrate(ctx context.Context, cmd *cobra.Command, out *printer) (err error) {
	cfg, err := config.Load(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	if _, err := openRing(cfg); err != nil {
		return err
	}
	db, err := sqldb.Open(ctx, databaseConfig(cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	before, _, err := db.SchemaVersion(ctx, store.Migrations())
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx, store.Migrations()); err != nil {
		return err
	}
	after, program, err := db.SchemaVersion(ctx, store.Migrations())
	if err != nil {
		return err
	}
	oldest, err := db.OldestProgram(ctx)
	if err != nil {
		return err
	}
	out.print("from", "Schema before", before)
	out.print("to", "Schema now", after)
	out.print("program", "Schema of this program", program)
	out.print("oldest_program", "Programs that may run", oldestProgram(oldest))
	out.end()
	return nil
}

// oldestProgram is a schema version, which people read as "3 and newer".
type oldestProgram int64

func (o oldestProgram) String() string {
	return fmt.Sprintf("those of schema %d and newer", int64(o))
}
