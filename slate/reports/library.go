package reports

import (
	"context"
	"errors"
	"fmt"
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
	signers  sync.Pool // of *signer
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
	return &Library{Options: o}, nil
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

// Progress is told after each file of a scan that was read.
type Progress struct {
	Done, Total int
	Path        string
	// Problem is why the file was set aside, "" when it was not.
	Problem string
}

// Run scans until ctx ends. The log tells how far a long scan has come, and what was
// set aside.
func (l *Library) Run(ctx context.Context) {
	for {
		told := l.Now()
		result, err := l.Scan(ctx, func(p Progress) {
			if p.Problem != "" {
				l.Log.WarnContext(ctx, "a report was set aside", "file", p.Path, "problem", p.Problem)
			}
			if now := l.Now(); now.Sub(told) >= tellEvery {
				told = now
				l.Log.InfoContext(ctx, "reports are being read", "read", p.Done, "of", p.Total)
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

// tellEvery is how often the log tells how far a scan has come.
const tellEvery = 5 * time.Second

// Scan looks through the folder and publishes what is new. It goes on after a file
// that fails; its error means that it could not go on.
func (l *Library) Scan(ctx context.Context, progress func(Progress)) (Result, error) {
	l.scanning.Lock()
	defer l.scanning.Unlock()
	if err := l.tidy(ctx); err != nil {
		return Result{}, err
	}
	found, err := l.look(ctx)
	r := Result{Unchanged: found.published + found.setAside, Waiting: found.waiting}
	if err != nil {
		return r, err
	}
	for i, name := range found.changed {
		before := found.known[sourcePath(name)]
		err := l.publish(ctx, name, before)
		p, isProblem := errors.AsType[*Problem](err)
		switch {
		case isProblem:
			r.SetAside++
		case errors.Is(err, ErrChanging), errors.Is(err, fs.ErrNotExist):
			r.Waiting++
		case err != nil:
			return r, fmt.Errorf("reports: %s: %w", name, err)
		default:
			r.Published++
		}
		done := Progress{Done: i + 1, Total: len(found.changed), Path: name}
		if isProblem && (p.Words != before.Problem || before.Bytes != passing) {
			done.Problem = p.Words // one that does not pass is told once
		}
		progress(done)
	}
	return r, nil
}

// Status is how far the folder has been read: what a scan would find and do.
type Status struct {
	// Published and SetAside files are as they were when they were read; New ones are
	// still to be read, among them those that were changed a moment ago.
	Published, SetAside, New int
}

// Status looks through the folder and changes nothing.
func (l *Library) Status(ctx context.Context) (Status, error) {
	found, err := l.look(ctx)
	s := Status{Published: found.published, SetAside: found.setAside, New: found.waiting}
	for _, name := range found.changed {
		if found.known[sourcePath(name)].Bytes == passing {
			s.SetAside++
		} else {
			s.New++
		}
	}
	return s, err
}

// found is what is in the folder.
type found struct {
	known map[string]store.Source // what is known of files that were read, by path
	// changed are new, or other than when they were read; waiting ones were changed a
	// moment ago; the rest are as they were.
	changed                      []string
	waiting, published, setAside int
}

// look goes through the folder.
func (l *Library) look(ctx context.Context) (f found, err error) {
	read, err := l.Store.Sources(ctx, "")
	if err != nil {
		return f, err
	}
	f.known = make(map[string]store.Source, len(read))
	for _, source := range read {
		f.known[source.Path] = source
	}
	err = filepath.WalkDir(l.Folder, func(path string, entry fs.DirEntry, err error) error { return l.meet(&f, path, entry, err) })
	slices.Sort(f.changed)
	return f, err
}

// meet notes one file. What is none, or cannot be read, counts as changed: publish says
// so.
func (l *Library) meet(f *found, path string, entry fs.DirEntry, err error) error {
	relative, relErr := filepath.Rel(l.Folder, path)
	name := filepath.ToSlash(relative)
	switch {
	case relErr != nil:
		return relErr
	case err != nil && errors.Is(err, fs.ErrNotExist):
		return nil // removed while we looked
	case err != nil && path == l.Folder:
		return err
	case err != nil:
		f.changed = append(f.changed, name)
		return nil
	}
	hidden := strings.HasPrefix(entry.Name(), ".") && path != l.Folder
	switch {
	case entry.IsDir() && hidden:
		return fs.SkipDir
	case entry.IsDir() || hidden:
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return nil // removed while we looked
	}
	before, ok := f.known[sourcePath(name)]
	switch {
	case ok && before.Bytes == info.Size() && before.ChangedAt.Equal(changedAt(info)):
		if before.Problem != "" {
			f.setAside++
		} else {
			f.published++
		}
	case l.Now().Sub(info.ModTime()) < settle:
		f.waiting++
	default:
		f.changed = append(f.changed, name)
	}
	return nil
}
