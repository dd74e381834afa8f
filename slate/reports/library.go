package reports

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gatelodge/slate/store"
)

// Options are what a Library is made of.
type Options struct {
	Store *store.Store
	// Folder is where reports are put, Archives where the published ones are kept.
	Folder, Archives string
	// Key signs download addresses, URL is the public base URL in front of them.
	Key []byte
	URL string
	Log *slog.Logger
	Now func() time.Time
}

// Library publishes what is in the folder. It is safe for concurrent use; one scan
// runs at a time.
type Library struct {
	Options
	scanning sync.Mutex
	signers  sync.Pool // of hash.Hash with the key: a page signs many addresses

	mu       sync.Mutex
	replaced map[string]time.Time // archives that nobody refers to any more
}

// New makes a library and the folder of archives.
func New(o Options) (*Library, error) {
	if err := os.MkdirAll(o.Archives, 0o700); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(o.Archives, "*"+unfinished))
	if err != nil {
		return nil, err
	}
	for _, name := range left { // by a process that was stopped, unless another is at it now
		info, err := os.Stat(name)
		if err != nil || o.Now().Sub(info.ModTime()) < abandoned {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return &Library{Options: o, replaced: map[string]time.Time{}}, nil
}

const (
	// unfinished ends the names of archives that are being written.
	unfinished = ".part"
	// abandoned is how long an unfinished archive has been left when nobody goes on
	// with it.
	abandoned = time.Hour
	// settle is how long a file has to be left alone before it is read: somebody may
	// still be writing it.
	settle = 2 * time.Second
	// scanEvery is how often the folder is looked through.
	scanEvery = 5 * time.Second
	// keepReplaced is how long an archive outlives its version: longer than download
	// addresses live.
	keepReplaced = 2 * DownloadLives
)

// Result is what a scan did.
type Result struct {
	Published, Unchanged, SetAside int
	// Waiting files were changed a moment ago.
	Waiting int
}

// Progress is told after each file of a scan.
type Progress struct {
	Done, Total int
	Path        string
	// Problem is why the file was set aside, "" when it was not.
	Problem string
}

// Run scans until ctx ends.
func (l *Library) Run(ctx context.Context) {
	for {
		result, err := l.Scan(ctx, func(p Progress) {
			if p.Problem != "" {
				l.Log.WarnContext(ctx, "a report was set aside", "file", p.Path, "problem", p.Problem)
			}
		})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.Log.ErrorContext(ctx, "the reports’ folder could not be read", "error", err)
		case result.Published > 0:
			l.Log.InfoContext(ctx, "reports were published", "published", result.Published, "set_aside", result.SetAside)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(scanEvery):
		}
	}
}

// Scan looks through the folder and publishes what is new. It goes on after a file
// that fails; its error means that it could not go on.
func (l *Library) Scan(ctx context.Context, progress func(Progress)) (Result, error) {
	l.scanning.Lock()
	defer l.scanning.Unlock()
	l.tidy()
	read, err := l.Store.Sources(ctx, "")
	if err != nil {
		return Result{}, err
	}
	known := make(map[string]store.Source, len(read))
	for _, f := range read {
		known[f.Path] = f
	}
	var r Result
	changed, err := l.changed(known, &r)
	if err != nil {
		return r, err
	}
	for i, name := range changed {
		err := l.publish(ctx, name)
		p, isProblem := errors.AsType[*Problem](err)
		switch {
		case isProblem:
			r.SetAside++
		case err != nil:
			return r, fmt.Errorf("reports: %s: %w", name, err)
		default:
			r.Published++
		}
		done := Progress{Done: i + 1, Total: len(changed), Path: name}
		if isProblem {
			done.Problem = p.Words
		}
		progress(done)
	}
	return r, nil
}

// changed lists the files that are new or other than when they were read.
func (l *Library) changed(known map[string]store.Source, r *Result) ([]string, error) {
	var names []string
	err := filepath.WalkDir(l.Folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // removed while we looked
			}
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && path != l.Folder
		switch {
		case entry.IsDir() && hidden:
			return fs.SkipDir
		case entry.IsDir() || hidden || !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil // removed while we looked
		}
		relative, err := filepath.Rel(l.Folder, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		before, ok := known[name]
		switch {
		case ok && before.Bytes == info.Size() && before.ChangedAt.Equal(info.ModTime().Truncate(time.Microsecond)):
			r.Unchanged++
		case l.Now().Sub(info.ModTime()) < settle:
			r.Waiting++
		default:
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// Import publishes one file of the folder now. Its refusal is a *Problem, which is
// also kept.
func (l *Library) Import(ctx context.Context, name string) error {
	l.scanning.Lock()
	defer l.scanning.Unlock()
	return l.publish(ctx, name)
}

func (l *Library) publish(ctx context.Context, name string) error {
	file, err := os.Open(filepath.Join(l.Folder, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	source := store.Source{Path: name, Bytes: info.Size(), ChangedAt: info.ModTime().Truncate(time.Microsecond), ReadAt: l.Now()}
	err = l.publishFile(ctx, file, source)
	p, isProblem := errors.AsType[*Problem](err)
	if !isProblem {
		return err
	}
	source.Problem = p.Words
	if err := l.Store.SetAside(ctx, source); err != nil {
		return err
	}
	return p
}

func (l *Library) publishFile(ctx context.Context, file *os.File, source store.Source) error {
	place, err := ParsePlace(source.Path)
	if err != nil {
		return err
	}
	checked, err := Check(file)
	if err != nil {
		return err
	}
	source.Digest = checked.Digest
	report := store.Report{Begin: place.Begin, End: place.End, Rows: checked.Rows, Digest: checked.Digest}
	if checked.Rows > 0 { // else there was no activity, and nothing to download
		if err := l.archive(file, place, source, &report); err != nil {
			return err
		}
	}
	place.Type.Columns = checked.Columns
	before, after, err := l.Store.Publish(ctx, store.Published{
		AccountID: place.AccountID, Channel: place.Channel, Type: place.Type, Report: report, Sums: checked.Sums, Source: source,
	}, l.Now())
	columns, differ := errors.AsType[*store.ErrColumns](err)
	if report.File != "" && (differ || errors.Is(err, store.ErrNotFound)) {
		if err := os.Remove(filepath.Join(l.Archives, report.File)); err != nil {
			return err
		}
	}
	if differ {
		return problem("The header row is not that of the reports before it: %s.", columns.Before)
	}
	if errors.Is(err, store.ErrNotFound) {
		return problem("There is no account %d.", place.AccountID)
	}
	if err == nil && before != "" && before != after.File {
		l.mu.Lock()
		l.replaced[before] = l.Now()
		l.mu.Unlock()
	}
	return err
}

// archive makes the ZIP that is downloaded, and notes it in the report. It is named by
// where its source is and what that holds, so that writing it twice is writing it once.
func (l *Library) archive(file io.ReadSeeker, place Place, source store.Source, report *store.Report) (err error) {
	inside := fmt.Sprintf("%s_%s_%s.csv", strings.ReplaceAll(place.Type.Folder, " ", "-"), place.Begin.Format(time.DateOnly), place.End.Format(time.DateOnly))
	id := sha256.Sum256(append([]byte(source.Path), source.Digest[:]...))
	report.File = hex.EncodeToString(id[:16]) + ".zip"
	path := filepath.Join(l.Archives, report.File)
	if err := measure(path, report); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out, err := os.CreateTemp(l.Archives, "*"+unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close(), os.Remove(out.Name()))
		}
	}()
	z := zip.NewWriter(out)
	entry, err := z.CreateHeader(&zip.FileHeader{Name: inside, Method: zip.Deflate, Modified: place.End})
	if err != nil {
		return err
	}
	if _, err := io.Copy(entry, file); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := measure(out.Name(), report); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// measure notes size and digest of an archive.
func measure(path string, report *store.Report) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if report.Bytes, err = io.Copy(sum, file); err != nil {
		return err
	}
	sum.Sum(report.Archive[:0])
	return nil
}

// tidy removes archives whose time is over.
func (l *Library) tidy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, at := range l.replaced {
		if l.Now().Sub(at) < keepReplaced {
			continue
		}
		if err := os.Remove(filepath.Join(l.Archives, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.Log.Warn("an archive could not be removed", "file", name, "error", err)
		}
		delete(l.replaced, name)
	}
}
