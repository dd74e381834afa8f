package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/config"
	"gatelodge/internal/keyring"
	"gatelodge/internal/server"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

// restoration is one backup on its way into the place of the embedded database.
type restoration struct {
	cfg  config.Config
	file string
	now  time.Time
}

func (r restoration) run(ctx context.Context, out *printer) error {
	ring, err := keyring.Load(r.cfg.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no key file at %s: put the copy there that is kept apart from the backups, with mode 0600", r.cfg.KeyFile)
	}
	if err != nil {
		return err
	}
	sum, schema, err := readBackup(ctx, r.file, ring)
	if err != nil {
		return err
	}
	where := databaseConfig(r.cfg)
	if err := os.MkdirAll(r.cfg.Data, 0o700); err != nil {
		return err
	}
	if err := ownFolder(r.cfg.Data); err != nil {
		return err
	}
	lost, lostErr := r.endedSince(ctx, sum.LastEvent)
	kept, err := sqldb.Restore(ctx, r.file, where.Path, r.now, func(ctx context.Context, db *sqldb.DB) error {
		if err := db.Migrate(ctx, store.Migrations()); err != nil {
			return err
		}
		return store.New(db, ring).Restored(ctx, audit.By{At: r.now, Address: "command line"})
	})
	if errors.Is(err, sqldb.ErrInUse) {
		return fmt.Errorf("a server or a command is using %s: stop it first", where.Path)
	}
	if err != nil {
		return err
	}
	out.print("database", "Restored", where.Path)
	out.print("from", "From", r.file)
	printSummary(out, sum, schema)
	if kept != "" {
		out.print("kept", "Replaced one kept as", kept)
	}
	tellEnded(out)
	switch {
	case kept == "":
		out.note("What was ended after the newest event above is good again, and nobody is left to tell of it.")
	case lostErr != nil:
		out.note("The replaced database cannot be read: what was ended after the newest event above is good again.")
	case len(lost) == 0:
		out.note("The replaced database knew of nothing that was ended since the backup.")
	default:
		var lines []string
		for _, e := range lost {
			lines = append(lines, fmt.Sprintf("%s: %d, the last %s", e.Kind.Words(), e.Count, stamp(e.Last)))
		}
		out.note("Since the backup, what follows was done, and is undone now. Do it again where it matters.")
		out.print("undone", "Undone", lines)
	}
	out.end()
	return nil
}

// tellEnded says what every restore ends.
func tellEnded(out *printer) {
	out.note("Everybody is signed out. Links for recovery, codes and requests of devices from before are refused.")
	out.note("Access and refresh tokens of what the backup knows go on; those of anything newer are refused.")
}

// endedSince asks the database that is about to be replaced.
func (r restoration) endedSince(ctx context.Context, moment time.Time) (lost []store.Ending, err error) {
	where := databaseConfig(r.cfg)
	if missing(where) {
		return nil, nil
	}
	db, err := sqldb.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return store.New(db, nil).EndedSince(ctx, moment)
}

// finishRecovery is what is left to do when the database was put back by other means.
func finishRecovery(ctx context.Context, cfg config.Config, out *printer) (err error) {
	where := databaseConfig(cfg)
	if missing(where) {
		return server.ErrNoDatabase
	}
	ring, err := keyring.Load(cfg.KeyFile)
	if err != nil {
		return err
	}
	db, st, err := server.OpenExisting(ctx, where, ring)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	sum, err := st.Inspect(ctx)
	if err != nil {
		return err
	}
	schema, _, err := db.SchemaVersion(ctx, store.Migrations())
	if err != nil {
		return err
	}
	if err := st.Restored(ctx, audit.By{At: time.Now(), Address: "command line"}); err != nil {
		return err
	}
	printSummary(out, sum, schema)
	tellEnded(out)
	out.note("What was ended after the newest event above is good again, and nobody is left to tell of it.")
	out.end()
	return nil
}
