package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/slate"
	"gatelodge/slate/reports"
)

func newReport() *cobra.Command {
	return group("report", "Administer reports", newReportImport(), newReportStatus(), newReportProblems())
}

func newReportImport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE [--as ACCOUNT/GROUP/CHANNEL/TYPE/PERIOD.csv]",
		Short: "Publish one report now",
		Long: `Publish one report now: a file of the reports' folder, or any file together with --as,
which says where in the folder it is copied to. A file that is not good is not published,
and the command says why.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return wrongUse("report import takes one FILE")
			}
			return nil
		},
	}
	as := cmd.Flags().String("as", "", "`path` within the reports' folder to copy the file to")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		library, err := a.library(ctx)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(*as)
		if name == "" {
			name, err = within(library.Folder, a.args[0])
		} else {
			err = copyInto(library.Folder, name, a.args[0])
		}
		if err != nil {
			return err
		}
		if err := inWords(library.Import(ctx, name)); err != nil {
			return err
		}
		a.out.print("published", "Published", name)
		return nil
	})
}

// inWords gives the problem of a file alone.
func inWords(err error) error {
	if p, ok := errors.AsType[*reports.Problem](err); ok {
		return errors.New(p.Words)
	}
	return err
}

// within gives a file's path in the folder, by its path there or anywhere.
func within(folder, file string) (string, error) {
	if filepath.IsLocal(file) {
		if _, err := os.Stat(filepath.Join(folder, file)); err == nil {
			return filepath.ToSlash(filepath.Clean(file)), nil
		}
	}
	if _, err := os.Stat(file); err != nil {
		return "", err
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return "", err
	}
	relative, err := filepath.Rel(folder, whole)
	if err != nil || !filepath.IsLocal(relative) {
		return "", wrongUse("%s is not in the reports' folder %s: say with --as where it belongs there", file, folder)
	}
	return filepath.ToSlash(relative), nil
}

// copyInto puts a copy of a file into the folder, whole or not at all.
func copyInto(folder, name, file string) (err error) {
	// Before there is anything in the folder.
	if _, err := reports.ParsePlace(name); err != nil {
		return usageError{fmt.Errorf("--as: %w", inWords(err))}
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	target := filepath.Join(folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	// A name with a point before it is left alone by a server that looks through the folder.
	out, err := os.CreateTemp(filepath.Dir(target), ".*.csv")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), target)
}

func newReportStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far the reports' folder has been read",
		Long: `Show how far the reports' folder has been read: the files that are published, those that
were set aside (report problems says why), and the new and changed ones that serve still
has to read.`,
	}
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		library, err := a.library(ctx)
		if err != nil {
			return err
		}
		s, err := library.Status(ctx)
		if err != nil {
			return err
		}
		a.out.print("published", "Published", s.Published)
		a.out.print("set_aside", "Set aside", s.SetAside)
		a.out.print("new", "To be read", s.New)
		return nil
	})
}

// library is that of the settings.
func (a *admin) library(ctx context.Context) (*reports.Library, error) {
	return slate.OpenLibrary(ctx, a.store, slate.Config{
		Folder: a.settings["folder"], Archives: a.settings["archives"], Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
}

// settled reports whether a problem is none any more: the file was taken away, or the
// folder can be read.
func settled(path string) bool {
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() {
		_, err := os.ReadDir(path)
		return err == nil
	}
	return errors.Is(err, fs.ErrNotExist)
}

// maxProblems is how many files report problems lists.
const maxProblems = 1000

func newReportProblems() *cobra.Command {
	return administer(&cobra.Command{Use: "problems", Short: "List the files that were set aside, and why"}, existing, func(ctx context.Context, a *admin) error {
		all, err := a.store.Problems(ctx, maxProblems)
		if err != nil {
			return err
		}
		for _, f := range all {
			if settled(filepath.Join(a.settings["folder"], filepath.FromSlash(reports.SourceFile(f.Path)))) {
				continue
			}
			a.out.print("file", "File", f.Path)
			a.out.print("problem", "Problem", f.Problem)
			a.out.print("read_at", "Read", f.ReadAt.UTC().Format(time.RFC3339))
			a.out.end()
		}
		return nil
	})
}
