package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// lists keeps what lists of reports are made of in memory, each good for one version of
// its type, which the caller has just read: so a page is never older than the call. The
// order of a list is ids and times alone, 16 bytes a report; the reports themselves are
// kept of the pages that were read last.
type lists struct {
	orders *recent[int64, *order] // by type
	pages  *recent[pageOf, []Report]
}

// pageOf is one page of one version of a list.
type pageOf struct {
	typeID, version, since int64
	Page
}

const (
	// maxKept bounds the memory for orders to 64 MiB.
	maxKept = 4 << 20
	// maxPages bounds, in reports of some 250 bytes, that for pages to 16 MiB.
	maxPages = 64 << 10
	// listCost is what a list or a page takes beside its reports, in reports.
	listCost = 16
)

func newLists(most, pages int) *lists {
	return &lists{
		orders: newRecent[int64](most, func(o *order) int { return len(o.ids) + listCost }),
		pages:  newRecent[pageOf](pages, func(page []Report) int { return len(page) + listCost }),
	}
}

// order is a list of reports by their periods.
type order struct {
	version  int64
	ids      []int64
	modified []int64
	blocks   []block
}

// block sums up blockLen reports of a list, so that most of a long one is not looked
// at to find what was modified since a moment.
type block struct{ oldest, newest int64 }

const blockLen = 256

func (o *order) add(id, modified int64) {
	if len(o.ids)%blockLen == 0 {
		o.blocks = append(o.blocks, block{modified, modified})
	}
	last := &o.blocks[len(o.blocks)-1]
	last.oldest, last.newest = min(last.oldest, modified), max(last.newest, modified)
	o.ids, o.modified = append(o.ids, id), append(o.modified, modified)
}

// page gives the ids of a page of what was modified at or after a moment, and how many
// there are in all.
func (o *order) page(since int64, p Page) (ids []int64, total int) {
	end := p.Offset + p.Limit
	for i, b := range o.blocks {
		first := i * blockLen
		all := o.ids[first:min(first+blockLen, len(o.ids))]
		if b.newest < since {
			continue
		}
		if b.oldest >= since {
			ids = append(ids, all[min(max(p.Offset-total, 0), len(all)):min(max(end-total, 0), len(all))]...)
			total += len(all)
			continue
		}
		for j, id := range all {
			if o.modified[first+j] < since {
				continue
			}
			if total >= p.Offset && total < end {
				ids = append(ids, id)
			}
			total++
		}
	}
	return ids, total
}

const orderReports = `SELECT id, modified_at FROM reports WHERE type_id = $1 ORDER BY begin_day, end_day`

// order gives the order of a type's list.
func (s *Store) order(ctx context.Context, rt ReportType) (*order, error) {
	if o, ok := s.lists.orders.get(rt.ID); ok && o.version == rt.version {
		return o, nil
	}
	// What is read now is of that version or of a newer one.
	o := &order{version: rt.version}
	r, err := s.db.Query(ctx, orderReports, rt.ID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		var id, modified int64
		if err := r.Scan(&id, &modified); err != nil {
			return nil, err
		}
		o.add(id, modified)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	s.lists.orders.put(rt.ID, o)
	return o, nil
}

// readReports reads reports by their ids; a place that is not used repeats the last.
func readReports(places int) string {
	names := make([]string, places)
	for i := range names {
		names[i] = fmt.Sprint("$", i+1)
	}
	return `SELECT ` + reportColumns + ` FROM reports WHERE id IN (` + strings.Join(names, ", ") + `)`
}

// Pages are of these sizes mostly; each has one text, since texts are prepared.
var pageTexts = []pageText{{10, readReports(10)}, {100, readReports(100)}}

type pageText struct {
	Places int
	Text   string
}

// Reports lists the reports of a type that were modified at or after a moment, by their
// periods, and counts them. A period stays where it is: somebody who goes through the
// pages while reports are corrected or added sees one twice at worst, and misses none
// of those that were there when they began. A page has a hundred reports at most, and
// is not the caller's to change.
func (s *Store) Reports(ctx context.Context, rt ReportType, modifiedSince time.Time, p Page) (all []Report, total int, err error) {
	o, err := s.order(ctx, rt)
	if err != nil {
		return nil, 0, err
	}
	since := micros(modifiedSince)
	ids, total := o.page(since, p)
	page := pageOf{rt.ID, rt.version, since, p}
	if kept, ok := s.lists.pages.get(page); ok && len(kept) == len(ids) {
		return kept, total, nil
	}
	all, err = s.reportsOf(ctx, ids)
	if err == nil && len(all) > 0 && len(all) == len(ids) {
		s.lists.pages.put(page, all)
	}
	return all, total, err
}

// reportsOf reads the reports of a page, by their periods.
func (s *Store) reportsOf(ctx context.Context, ids []int64) ([]Report, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	for _, t := range pageTexts {
		if len(ids) > t.Places {
			continue
		}
		args := make([]any, t.Places)
		for i := range args {
			args[i] = ids[min(i, len(ids)-1)]
		}
		all, err := collect(ctx, outside{s.db}, scanReport, t.Text, args...)
		slices.SortFunc(all, func(a, b Report) int { return cmp.Or(a.Begin.Compare(b.Begin), a.End.Compare(b.End)) })
		return all, err
	}
	return nil, fmt.Errorf("slate: a page of %d reports", len(ids))
}
