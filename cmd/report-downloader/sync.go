package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// each calls f for all items, so many at once.
func each[T any](ctx context.Context, parallel int, items []T, f func(T)) {
	next := make(chan T)
	var wg sync.WaitGroup
	for range min(parallel, len(items)) {
		wg.Go(func() {
			for i := range next {
				if ctx.Err() == nil {
					f(i)
				}
			}
		})
	}
	for _, i := range items {
		next <- i
	}
	close(next)
	wg.Wait()
}

func (p *program) sync(ctx context.Context, s settings) error {
	unlock := func() {}
	r, ctx, err := p.start(ctx, s, func() (err error) {
		if err := os.MkdirAll(s.to, 0o755); err != nil {
			return err
		}
		if unlock, err = lock(filepath.Join(s.to, stateFile+".lock"), atOnce); err != nil {
			unlock = func() {}
			return fmt.Errorf("another sync is at work in %s (%w)", s.to, err)
		}
		return nil
	})
	defer func() { unlock() }()
	if err != nil {
		return err
	}
	defer r.cancel(nil)
	if r.disk, err = os.OpenRoot(s.to); err != nil {
		return err
	}
	defer r.disk.Close()
	r.withdrawn(ctx)
	slots := make(chan struct{}, s.parallel)
	each(ctx, s.parallel, r.leaves, func(l leaf) { r.syncLeaf(ctx, l, slots) })
	r.bars.clear()
	cause := context.Cause(ctx)
	if err := r.state.write(s.to); err != nil {
		return errors.Join(cause, err)
	}
	fmt.Fprintf(p.out, "%d fetched, %d here in all.\n", r.fetched, r.state.count())
	return r.verdict(cause)
}

// verdict is the end of a run: what is missing, in words.
func (r *run) verdict(cause error) error {
	if errors.Is(cause, context.Canceled) {
		cause = errors.New("interrupted: the next sync goes on from here")
	}
	slices.SortFunc(r.problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(append(r.problems, cause)...)
}

func (s *state) count() (n int) {
	for _, place := range s.Leaves {
		for _, h := range place.Reports {
			if h.Digest != "" {
				n++
			}
		}
	}
	return n
}

// syncLeaf fetches what changed in a leaf.
func (r *run) syncLeaf(ctx context.Context, l leaf, slots chan struct{}) {
	var mu sync.Mutex
	newest, whole := "", true
	err := r.changed(ctx, l, func(place *shelf, page []report) {
		each(ctx, cap(slots), page, func(p report) {
			slots <- struct{}{}
			defer func() { <-slots }()
			err := r.syncReport(ctx, l, place, p)
			mu.Lock()
			defer mu.Unlock()
			if newest = max(newest, p.Modified); err != nil {
				whole = false
				r.problem(place.Folder+"/"+p.file(), err)
			}
		})
	})
	if err != nil {
		r.problem(l.folder(), err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	place := r.state.shelf(l)
	if whole && ctx.Err() == nil {
		place.Since = max(place.Since, newest)
	}
	if now := time.Now(); now.Sub(r.written) > time.Second {
		r.written = now
		if err := r.state.write(r.to); err != nil {
			r.cancel(err)
		}
	}
}

// syncReport brings one report here.
func (r *run) syncReport(ctx context.Context, l leaf, place *shelf, p report) error {
	name := path.Join(place.Folder, p.file())
	var now held
	switch {
	case p.Download != "":
		if err := r.disk.MkdirAll(filepath.FromSlash(place.Folder), 0o755); err != nil {
			return err
		}
		bytes, digest, err := r.fetch(ctx, l, p, name)
		if err != nil {
			return err
		}
		now = p.held(bytes, digest)
	case p.Status == "NoActivity", p.Status == "" && p.Rows == 0:
		// A correction may say that there was none after all.
		if err := r.disk.Remove(filepath.FromSlash(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		now = p.held(0, "")
	default:
		return fmt.Errorf("no address to download it: %s", cmp.Or(p.Words, p.Status, "no reason"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	place.Reports[p.file()] = now
	return nil
}

// status shows what is here and what is new.
func (p *program) status(ctx context.Context, s settings) error {
	r, ctx, err := p.start(ctx, s, func() error { return nil })
	if err != nil {
		return err
	}
	defer r.cancel(nil)
	r.withdrawn(ctx)
	for _, l := range r.leaves {
		fresh := 0
		if err := r.changed(ctx, l, func(_ *shelf, page []report) {
			fresh += len(page)
		}); err != nil {
			r.problem(l.folder(), err)
		}
		if ctx.Err() != nil {
			break
		}
		place, here := r.state.shelf(l), 0
		for name, h := range place.Reports {
			if h.Digest != "" && r.here(place.Folder, name, h) {
				here++
			}
		}
		fmt.Fprintf(p.out, "%s: %d here, %d new\n", place.Folder, here, fresh)
	}
	return r.verdict(context.Cause(ctx))
}
