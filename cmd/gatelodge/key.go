package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"gatelodge/internal/config"
	"gatelodge/internal/keyring"
	"gatelodge/internal/live"
	"gatelodge/internal/signing"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

func newKey() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate --kind KIND",
		Short: "Make a new key; what the old one made stays readable",
		Long: `Make a new key; what the old one made stays readable.

Kinds:
  sealing     seals codes, tokens and forms. The new one is used two seconds after
              it was made, when every server has it; refresh tokens stay good.
  encryption  encrypts what is secret in the database. The new one becomes the first
              in the key file, and all is encrypted anew. Servers that have a copy of
              the file need the new one at once.
  signing     signs ID tokens, one key for each algorithm in use. The new ones are
              published at once and used a day later, when every application has
              read them; what the old ones signed stays good. Without any yet, the
              first of each algorithm are made and used at once.`,
	}
	kind := cmd.Flags().String("kind", "", "`kind` of the key: sealing, encryption or signing")
	rotate := administer(cmd, existing, func(ctx context.Context, a *admin) error {
		switch *kind {
		case "sealing":
			// Published first, used only when every server has it.
			by := a.by()
			from := by.At.Add(2 * live.Bound)
			id, err := a.store.RotateSealingKey(ctx, from, by)
			if err != nil {
				return err
			}
			a.wait = 2 * live.Bound
			a.out.print("kind", "Kind", *kind)
			a.out.print("id", "Key", id)
			a.out.print("used_from", "Used from", stamp(from))
			return nil
		case "encryption":
			ring, err := keyring.AddKey(a.cfg.KeyFile)
			if err != nil {
				return err
			}
			n, err := store.New(a.db, ring).Reseal(ctx, a.by())
			if err != nil {
				return err
			}
			a.out.print("kind", "Kind", *kind)
			a.out.print("resealed", "Values sealed anew", n)
			a.out.print("fingerprint", "Key", ring.Fingerprints()[0])
			return nil
		case "signing":
			return rotateSigning(ctx, a)
		default:
			return usageError{fmt.Errorf("--kind %s: write sealing, encryption or signing", *kind)}
		}
	})
	return group("key", "Administer keys", rotate)
}

// rotateSigning follows every algorithm's key by the next.
func rotateSigning(ctx context.Context, a *admin) error {
	before, err := a.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	view, err := live.New(ctx, a.store, a.issuer, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	inUse := func(alg signing.Algorithm) bool {
		return slices.ContainsFunc(before, func(k store.SigningKey) bool { return k.Algorithm == string(alg) })
	}
	by := a.by()
	for _, alg := range signing.Algorithms() {
		if len(before) == 0 || inUse(alg) {
			if err := view.AddSigningKey(ctx, alg, by); err != nil {
				return err
			}
		}
	}
	after, err := a.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range after {
		if slices.ContainsFunc(before, func(old store.SigningKey) bool { return old.ID == k.ID }) {
			continue
		}
		a.out.end()
		a.out.print("kind", "Kind", "signing")
		a.out.print("algorithm", "Algorithm", k.Algorithm)
		a.out.print("id", "Key", k.ID)
		a.out.print("used_from", "Used from", stamp(k.UsableFrom))
	}
	return nil
}

func newMigrate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database's schema up to date", Args: noArgs,
		Long: `Bring the database's schema up to date.

Beside a database server run it once with the new program, then replace one server
after the other: those of the old program go on working meanwhile when theirs is among
the programs that it names. "gatelodge version" says which schema a program is of. It
does no harm to run it twice, or from two machines at once.

With the embedded database serve does the same as it starts.`,
	}
	config.CommonFlags(cmd.Flags())
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return migrate(cmd.Context(), cmd, newPrinter(cmd.OutOrStdout(), *asJSON))
	}
	return cmd
}

func newVersion() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print the program's version", Args: noArgs}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		out := newPrinter(cmd.OutOrStdout(), *asJSON)
		b := readBuild()
		schema, err := sqldb.Newest(store.Migrations())
		if err != nil {
			return err
		}
		out.print("go", "Go", runtime.Version())
		out.print("version", "Version", b.version)
		out.print("schema", "Schema", schema)
		out.print("revision", "Revision", b.revision)
		if b.at != "" {
			out.print("revision_at", "Of", b.at)
		}
		out.end()
		return nil
	}
	return cmd
}
