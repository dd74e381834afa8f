package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// item is an account, a report group, a channel or studio, or a report type.
type item struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Territory string `json:"territory"`
	Cadence   string `json:"cadence"`
}

type report struct {
	ID       string `json:"id"`
	Begin    string `json:"reportDateBegin"`
	End      string `json:"reportDateEnd"`
	Modified string `json:"modifiedDate"`
	Version  int64  `json:"version"`
	Rows     int64  `json:"numRows"`
	Status   string `json:"status"`
	Words    string `json:"statusDescription"`
	Download string `json:"downloadUrl"`
	Bytes    int64  `json:"bytes"`
	Digest   string `json:"sha256"`
}

// file is the name of a report's file.
func (r report) file() string {
	day := func(s string) string { return s[:min(len(s), len(time.DateOnly))] }
	return fileName(day(r.Begin)+"_"+day(r.End)) + ".zip"
}

func (r report) held(bytes int64, digest string) held {
	return held{r.ID, r.Version, r.Modified, bytes, digest}
}

// leaf is the list of reports of one type.
type leaf struct{ account, group, channel, kind item }

func (l leaf) folder() string {
	channel := l.channel.Name
	if l.channel.Territory != "" {
		channel += " (" + l.channel.Territory + ")"
	}
	kind := strings.TrimSpace(l.kind.Name + " " + l.kind.Cadence)
	return path.Join(fileName(l.account.ID), fileName(l.group.ID), fileName(channel), fileName(kind))
}

// run is one sync or status.
type run struct {
	*program
	settings
	slate *reportingAPI
	disk  *os.Root
	files *http.Client // for downloads, without a token
	bars  *bars

	mu       sync.Mutex
	state    *state
	written  time.Time
	listed   map[string]bool // accounts
	leaves   []leaf
	problems []error
	fetched  int
	cancel   context.CancelCauseFunc
}

// start opens what a run needs, and lists what there is down to the report types.
func (p *program) start(ctx context.Context, s settings, folder func() error) (*run, context.Context, error) {
	token, err := readTokens(s)
	if err != nil {
		return nil, nil, err
	}
	if err := folder(); err != nil {
		return nil, nil, err
	}
	r := &run{program: p, settings: s, files: p.client(s.parallel), bars: newBars(p.out), listed: map[string]bool{}}
	r.slate = &reportingAPI{
		url: s.slate, client: p.client(s.parallel), slots: make(chan struct{}, s.parallel),
		session: &session{settings: s, client: p.client(1), token: token},
	}
	if r.state, err = readState(s.to, s.slate); err != nil {
		return nil, nil, err
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	r.list(ctx)
	return r, ctx, context.Cause(ctx)
}

// list fills leaves.
func (r *run) list(ctx context.Context) {
	base := r.settings.slate + "/apis/v1/accounts"
	accounts, err := all[item](ctx, r.slate, base)
	if err == nil && len(accounts) == 0 {
		err = errors.New("no account: Slate lists none for this user")
	}
	if err != nil { // nothing can be seen without
		r.cancel(err)
		return
	}
	var wg sync.WaitGroup
	for _, account := range accounts {
		r.listed[account.ID] = true
		r.state.Accounts[account.ID] = account.Name
		wg.Go(func() {
			r.branch(ctx, base, account.ID, func(address string, group item) {
				wg.Go(func() {
					r.branch(ctx, address, group.ID, func(address string, channel item) {
						wg.Go(func() {
							r.branch(ctx, address, channel.ID+"/reportTypes", func(_ string, kind item) {
								r.mu.Lock()
								defer r.mu.Unlock()
								r.leaves = append(r.leaves, leaf{account, group, channel, kind})
							})
						})
					})
				})
			})
		})
	}
	wg.Wait()
	slices.SortFunc(r.leaves, func(a, b leaf) int { return strings.Compare(a.folder(), b.folder()) })
}

// branch visits the items of a list below an address.
func (r *run) branch(ctx context.Context, address, id string, visit func(address string, i item)) {
	id, rest, _ := strings.Cut(id, "/")
	address += "/" + url.PathEscape(id)
	if rest != "" {
		address += "/" + rest
	}
	items, err := all[item](ctx, r.slate, address)
	if err != nil {
		r.problem(strings.TrimPrefix(address, r.settings.slate), err)
	}
	for _, i := range items {
		visit(address, i)
	}
}

// problem notes what is missing. A fatal one ends the run.
func (r *run) problem(where string, err error) {
	if f, ok := errors.AsType[fatal](err); ok {
		r.cancel(f.error)
		return
	}
	if errors.Is(err, context.Canceled) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Errorf("%s: %w", where, err))
}

// withdrawn looks for accounts that were here before and are not listed any more, and
// asks Slate why.
func (r *run) withdrawn(ctx context.Context) {
	for _, id := range slices.Sorted(maps.Keys(r.state.Accounts)) {
		if r.listed[id] {
			continue
		}
		if _, err := os.Stat(filepath.Join(r.to, fileName(id))); errors.Is(err, fs.ErrNotExist) {
			delete(r.state.Accounts, id) // whoever removed the folder does without
			maps.DeleteFunc(r.state.Leaves, func(key string, _ *shelf) bool { return strings.HasPrefix(key, id+"/") })
			continue
		}
		var ignored page[item]
		err := r.slate.get(ctx, r.settings.slate+"/apis/v1/accounts/"+url.PathEscape(id), &ignored)
		if err != nil {
			r.problem(fmt.Sprintf("account %s %s (remove its folder to go on without it)", id, r.state.Accounts[id]), err)
		}
	}
}

// leafAddress is where the reports of a leaf are listed.
func (r *run) leafAddress(l leaf) string {
	address := r.settings.slate + "/apis/v1/accounts"
	for _, id := range []string{l.account.ID, l.group.ID, l.channel.ID, "reportTypes", l.kind.ID, "reports"} {
		address += "/" + url.PathEscape(id)
	}
	return address
}

// overlap is how far before the newest report changes are asked for again: what was
// published at the same time may have come to light later.
const overlap = 10 * time.Minute

// changed visits the reports of a leaf that are not here as they are there, page by page.
func (r *run) changed(ctx context.Context, l leaf, visit func(*shelf, []report)) error {
	r.mu.Lock()
	place := r.state.shelf(l)
	since := place.Since
	known := maps.Clone(place.Reports)
	r.mu.Unlock()
	for name, h := range known {
		if !r.here(place.Folder, name, h) {
			delete(known, name)
			since = "" // an old report may be listed only when all are
		}
	}
	query := url.Values{}
	if at, err := time.Parse(time.RFC3339, since); err == nil {
		query.Set("modifiedDateGte", at.Add(-overlap).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return pages(ctx, r.slate, r.leafAddress(l), query, func(page []report) {
		visit(place, slices.DeleteFunc(page, func(p report) bool {
			h, ok := known[p.file()]
			return ok && p.held(h.Bytes, h.Digest) == h
		}))
	})
}

// here looks whether the file of a report is still there.
func (r *run) here(folder, name string, h held) bool {
	if h.Digest == "" {
		return true // no activity
	}
	info, err := os.Stat(filepath.Join(r.to, filepath.FromSlash(folder), name))
	return err == nil && info.Size() == h.Bytes
}
