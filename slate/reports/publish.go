package reports

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"
	"unicode/utf8"

	"gatelodge/slate/store"
)

// ErrChanging: the file changed while it was read. It is read again when it is left
// alone.
var ErrChanging = errors.New("reports: the file changed while it was read: try again in a moment")

// passing is the size by which a source is known whose problem may pass while the file
// stays as it is: it is tried again each time.
const passing = -1

// sourcePath is how a file of the folder is known: by its path, or by what that is in
// quotes and escapes when it is not UTF-8, which databases do not take.
func sourcePath(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return strconv.Quote(name)
}

// SourceFile is the path within the folder of a file that is known by a path.
func SourceFile(path string) string {
	if name, err := strconv.Unquote(path); err == nil && !utf8.ValidString(name) {
		return name
	}
	return path
}

func changedAt(info fs.FileInfo) time.Time { return info.ModTime().Truncate(time.Microsecond) }

// Import publishes one file of the folder now. Its refusal is a *Problem, which is
// also kept.
func (l *Library) Import(ctx context.Context, name string) error {
	l.scanning.Lock()
	defer l.scanning.Unlock()
	return l.publish(ctx, name, store.Source{})
}

// publish reads a file and publishes it. A *Problem is kept, unless it is the one that
// the file had before.
func (l *Library) publish(ctx context.Context, name string, before store.Source) error {
	source := store.Source{Path: sourcePath(name), ReadAt: l.Now()}
	err := l.read(ctx, name, &source)
	if e, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, fs.ErrNotExist) {
		source.Bytes = passing
		err = problem("It cannot be read: %v.", e.Err)
	}
	p, isProblem := errors.AsType[*Problem](err)
	if !isProblem {
		return err
	}
	if source.Problem = p.Words; source.Problem == before.Problem && source.Bytes == before.Bytes && source.ChangedAt.Equal(before.ChangedAt) {
		return p
	}
	if err := l.Store.SetAside(ctx, source); err != nil {
		return err
	}
	return p
}

// read opens a file, without following a link out of its place, and goes on with it.
func (l *Library) read(ctx context.Context, name string, source *store.Source) error {
	root, err := os.OpenRoot(l.Folder)
	if err != nil {
		return fmt.Errorf("reports: the folder: %v", err) // not %w: it is not of one file
	}
	defer root.Close()
	name = filepath.FromSlash(name)
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	source.Bytes, source.ChangedAt = info.Size(), changedAt(info)
	if info.IsDir() { // else it would not have been named
		source.Bytes = passing
		return problem("The folder cannot be read: look at its permissions.")
	}
	if !info.Mode().IsRegular() {
		return problem("It is not a file: put the file itself here, and no link to it.")
	}
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	// What was opened has to be what was looked at, then and afterwards.
	same := func() error {
		now, err := file.Stat()
		if err == nil && (!os.SameFile(info, now) || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime())) {
			err = ErrChanging
		}
		return err
	}
	if err := same(); err != nil {
		return err
	}
	return l.publishFile(ctx, file, source, same)
}

func (l *Library) publishFile(ctx context.Context, file *os.File, source *store.Source, same func() error) error {
	place, err := ParsePlace(source.Path)
	if err != nil {
		return err
	}
	others, err := l.rivals(ctx, place, source)
	if err != nil {
		return err
	}
	checked, err := Check(file)
	if changed := same(); changed != nil {
		return changed
	}
	if err != nil {
		return err
	}
	source.Digest = checked.Digest
	report := store.Report{Begin: place.Begin, End: place.End, Rows: checked.Rows, Digest: checked.Digest}
	if checked.Rows > 0 { // else there was no activity, and nothing to download
		if err := l.archive(file, place, *source, &report); err != nil {
			return err
		}
		if err := same(); err != nil {
			return err
		}
	}
	place.Type.Columns = checked.Columns
	_, err = l.Store.Publish(ctx, store.Published{
		AccountID: place.AccountID, Channel: place.Channel, Type: place.Type, Report: report, Sums: checked.Sums, Source: *source, Others: others,
	}, l.Now())
	columns, differ := errors.AsType[*store.ErrColumns](err)
	rival, twice := errors.AsType[*store.ErrTwice](err)
	if report.File != "" && (differ || twice || errors.Is(err, store.ErrNotFound)) {
		if err := os.Remove(filepath.Join(l.Archives, report.File)); err != nil {
			return l.archiveError(err)
		}
	}
	switch {
	case differ:
		return problem("The header row is not that of the reports before it: %s.", columns.Before)
	case twice:
		return secondSpelling(source, rival.Path)
	case errors.Is(err, store.ErrNotFound):
		return problem("There is no account %d.", place.AccountID)
	case err != nil || report.File == "":
		return err
	}
	// A version may be the one before the last again. Its archive was to be removed until
	// this moment, and could have been by another process.
	if _, err := os.Stat(filepath.Join(l.Archives, report.File)); !errors.Is(err, fs.ErrNotExist) {
		return l.archiveError(err)
	}
	return l.archive(file, place, *source, &report)
}

// rivals are the files of the folder that write the period of this one in another way.
// When one of them is published already, its refusal is a *Problem: of two spellings of
// one period the first that is read counts, until it is taken away.
func (l *Library) rivals(ctx context.Context, place Place, source *store.Source) (others []string, err error) {
	for _, other := range place.otherSpellings(source.Path) {
		if _, err := os.Lstat(filepath.Join(l.Folder, filepath.FromSlash(other))); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		known, err := l.Store.Sources(ctx, other)
		if err != nil {
			return nil, err
		}
		if len(known) > 0 && known[0].Path == other && known[0].Problem == "" {
			return nil, secondSpelling(source, other)
		}
		others = append(others, other)
	}
	return others, nil
}

func secondSpelling(source *store.Source, first string) error {
	source.Bytes = passing
	return problem("The same period is there already as %s: take one of the two files away.", path.Base(first))
}
