package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"
)

// run is one sync or status.
type run struct {
	*program
	settings
	api    *reportingAPI
	here   fs.FS    // the reports' folder
	disk   *os.Root // the same for sync, which writes
	bar    bar
	slots  chan struct{} // for downloads
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	shelves  map[string]shelf // by the paths of their lists
	problems []error
	fetched  int
}

// shelf is what is remembered of the folder of one report type.
type shelf struct {
	// Folder stays when names change.
	Folder string `json:"folder"`
	// Since is the newest modifiedDate that everything is here of, and Files how many
	// files that makes.
	Since string `json:"since"`
	Files int    `json:"files"`
}

// own is the program's own folder among the reports: what it remembers, and what was
// downloaded in part. It can be removed: reports that are here are known by their
// times and digests.
const (
	own      = ".report-downloader"
	ownState = own + "/state.json"
	ownParts = own + "/parts"
)

// begin reads what a run needs. The caller calls end.
func (p *program) begin(ctx context.Context, s settings) (r *run, _ context.Context, err error) {
	token, err := readTokens(s)
	if err != nil {
		return nil, nil, err
	}
	r = &run{program: p, settings: s, here: os.DirFS(s.to), bar: newBar(p.out), slots: make(chan struct{}, s.parallel), shelves: map[string]shelf{}, api: &reportingAPI{
		base: s.slate + "/apis/v1/accounts", client: p.client(s.parallel),
		tokens: &tokens{settings: s, client: p.client(1), token: token},
	}}
	text, err := fs.ReadFile(r.here, ownState)
	if err == nil {
		err = json.Unmarshal(text, &r.shelves)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s/%s: %w (it can be removed)", s.to, ownState, err)
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	return r, ctx, nil
}

// bar shows on a terminal how far the downloads are.
type bar struct{ *progressbar.ProgressBar }

// Write moves the bar. What is sent twice leads it past its end, which is no matter.
func (b bar) Write(p []byte) (int, error) {
	b.Add(len(p))
	return len(p), nil
}

func newBar(out io.Writer) bar {
	f, ok := out.(*os.File)
	// A byte more than is known of, so that it does not end before its time.
	return bar{progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionSetVisibility(ok && term.IsTerminal(int(f.Fd()))),
		progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true), progressbar.OptionFullWidth(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetDescription("Downloading"))}
}

// end says what is missing, in words.
func (r *run) end(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) {
		cause = errors.New("interrupted: the next sync goes on from here")
	}
	r.cancel(nil)
	slices.SortFunc(r.problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(append(r.problems, cause)...)
}

// problem notes what is missing. A fatal one ends the run.
func (r *run) problem(where string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := errors.AsType[fatal](err); ok {
		r.cancel(f.error)
	} else if err != nil && !errors.Is(err, context.Canceled) {
		r.problems = append(r.problems, fmt.Errorf("%s: %w", where, err))
	}
}

// each calls f for all items, some at once.
func each[T any](items []T, parallel int, f func(T)) {
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, i := range items {
		g.Go(func() error { f(i); return nil }) // f says itself what fails
	}
	g.Wait()
}

// sync fetches what is new or corrected.
func (p *program) sync(ctx context.Context, s settings) error {
	r, ctx, err := p.begin(ctx, s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.to, ownParts), 0o755); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(s.to, own, "lock"))
	defer lock.Close()
	if mine, err := lock.TryLock(); err != nil || !mine {
		return cmp.Or(err, fmt.Errorf("another sync is at work in %s", s.to))
	}
	if r.disk, err = os.OpenRoot(s.to); err != nil {
		return err
	}
	defer r.disk.Close()
	each(r.find(ctx), s.parallel, func(l place) { r.syncList(ctx, l) })
	r.bar.Clear()
	// What a run that is ended here does not remember is listed again, and not fetched.
	if err := replace(filepath.Join(s.to, ownState), r.shelves); err != nil {
		r.cancel(err)
	}
	here := 0
	for _, s := range r.shelves {
		here += s.Files
	}
	fmt.Fprintf(p.out, "%d fetched, %d here in all.\n", r.fetched, here)
	if len(r.problems) == 0 && ctx.Err() == nil {
		r.disk.RemoveAll(ownParts) // of reports that were corrected meanwhile; best effort
	}
	return r.end(ctx)
}

// syncList fetches what changed in a list.
func (r *run) syncList(ctx context.Context, l place) {
	s := r.shelf(l)
	var mu sync.Mutex
	newest, whole := s.Since, true
	err := r.changed(ctx, l, s, func(page []report) {
		each(page, r.parallel, func(p report) {
			err := r.syncReport(ctx, l, path.Join(s.Folder, p.file()), p)
			r.problem(path.Join(s.Folder, p.file()), err)
			mu.Lock()
			defer mu.Unlock()
			newest, whole = max(newest, p.Modified), whole && err == nil
		})
	})
	r.problem(l.folder, err)
	if err == nil && whole && ctx.Err() == nil {
		s.Since = newest
	}
	s.Files = r.files(s.Folder)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shelves[l.path] = s
}

// syncReport brings one report here, under its name.
func (r *run) syncReport(ctx context.Context, l place, name string, p report) error {
	r.slots <- struct{}{}
	defer func() { <-r.slots }()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case p.Download != "":
		return r.fetch(ctx, l, name, p)
	case p.noActivity(): // a correction may say that there was none after all
		if err := r.disk.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return fmt.Errorf("no address to download it: %s", cmp.Or(p.Words, p.Status, "no reason"))
}

// status shows what is here and what is new.
func (p *program) status(ctx context.Context, s settings) error {
	r, ctx, err := p.begin(ctx, s)
	if err != nil {
		return err
	}
	for _, l := range r.find(ctx) {
		shelf, fresh := r.shelf(l), 0
		err := r.changed(ctx, l, shelf, func(page []report) {
			fresh += len(slices.DeleteFunc(page, report.noActivity))
		})
		if r.problem(l.folder, err); err != nil {
			continue
		}
		if here := r.files(shelf.Folder); s.json {
			json.NewEncoder(p.out).Encode(map[string]any{"folder": shelf.Folder, "here": here, "new": fresh})
		} else {
			fmt.Fprintf(p.out, "%s: %d here, %d new\n", shelf.Folder, here, fresh)
		}
	}
	return r.end(ctx)
}

// shelf is where the reports of a list are, or will be.
func (r *run) shelf(l place) shelf {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.shelves[l.path]
	s.Folder = cmp.Or(s.Folder, l.folder)
	return s
}

// files counts the reports of a folder.
func (r *run) files(folder string) (n int) {
	all, _ := fs.ReadDir(r.here, folder) // none are in a folder that is not there
	for _, f := range all {
		if path.Ext(f.Name()) == ".zip" {
			n++
		}
	}
	return n
}

// changed visits the reports of a list that are not here as they are there.
func (r *run) changed(ctx context.Context, l place, s shelf, visit func([]report)) error {
	query := url.Values{}
	// When something was removed here, everything is looked at.
	if s.Since != "" && s.Files <= r.files(s.Folder) {
		query.Set("modifiedDateGte", s.Since)
	}
	return pages(ctx, r.api, l.path+"/reports", query, func(page []report) {
		visit(slices.DeleteFunc(page, func(p report) bool {
			info, err := fs.Stat(r.here, path.Join(s.Folder, p.file()))
			if err != nil {
				return p.noActivity()
			}
			return info.ModTime().Equal(p.modified()) && (p.Bytes == 0 || info.Size() == p.Bytes)
		}))
	})
}

// report is one period of a report type.
type report struct {
	ID       string `json:"id"`
	Begin    string `json:"reportDateBegin"`
	End      string `json:"reportDateEnd"`
	Modified string `json:"modifiedDate"`
	Rows     int64  `json:"numRows"`
	Status   string `json:"status"`
	Words    string `json:"statusDescription"`
	Download string `json:"downloadUrl"`
	Bytes    int64  `json:"bytes"`
	Digest   string `json:"sha256"`
}

func (r report) file() string { return fileName(firstDay(r.Begin)+"_"+firstDay(r.End)) + ".zip" }

func firstDay(s string) string { return s[:min(len(s), len(time.DateOnly))] }

// modified is the time that the file gets, by which it is known later.
func (r report) modified() time.Time {
	at, _ := time.Parse(time.RFC3339, r.Modified) // another spelling matches no file
	return at
}

func (r report) noActivity() bool {
	return r.Download == "" && (r.Status == "NoActivity" || r.Status == "" && r.Rows == 0)
}
