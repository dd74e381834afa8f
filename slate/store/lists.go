package store

import (
	"container/list"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// lists keeps the order of lists of reports in memory: ids and times alone, 16 bytes a
// report. A list that is kept is good for one version of its type, which the caller has
// just read, so that a page is never older than the call. The reports themselves are
// read each time.
type lists struct {
	most int // reports that are kept

	mu     sync.Mutex
	byType map[int64]*list.Element
	recent *list.List // of *order, the one that was used last in front
	kept   int
}

// maxKept bounds the memory for lists to 64 MiB.
const maxKept = 4 << 20

// listCost is what a list takes beside its reports, in reports.
const listCost = 16

// order is a list of reports by their periods.
type order struct {
	typeID, version int64
	ids             []int64
	modified        []int64
	blocks          []block
}

// block sums up blockLen reports of a list, so that most of a long one is not looked
// at to find what was modified since a moment.
type block struct{ oldest, newest int64 }

const blockLen = 256

func newLists(most int) *lists {
	return &lists{most: most, byType: map[int64]*list.Element{}, recent: list.New()}
}

func (l *lists) get(typeID, version int64) (*order, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byType[typeID]
	if e == nil || e.Value.(*order).version != version {
		return nil, false
	}
	l.recent.MoveToFront(e)
	return e.Value.(*order), true
}

// put keeps a list in place of an older one, and lets go those that were not used for
// longest when there are too many.
func (l *lists) put(o *order) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byType[o.typeID]; e != nil {
		if e.Value.(*order).version > o.version {
			return
		}
		l.drop(e)
	}
	l.byType[o.typeID] = l.recent.PushFront(o)
	for l.kept += o.cost(); l.kept > l.most && l.recent.Len() > 1; {
		l.drop(l.recent.Back())
	}
}

func (l *lists) drop(e *list.Element) {
	o := l.recent.Remove(e).(*order)
	delete(l.byType, o.typeID)
	l.kept -= o.cost()
}

func (o *order) cost() int { return len(o.ids) + listCost }

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
	if o, ok := s.lists.get(rt.ID, rt.version); ok {
		return o, nil
	}
	// What is read now is of that version or of a newer one.
	o := &order{typeID: rt.ID, version: rt.version}
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
	s.lists.put(o)
	return o, nil
}

// readReports reads reports by their ids; a place that is not used repeats the last.
func readReports(places int) string {
	names := make([]string, places)
	for i := range names {
		names[i] = fmt.Sprint("$", i+1)
	}
	return `SELECT ` + reportColumns + ` FROM reports WHERE id IN (` + strings.Join(names, ", ") + `) ORDER BY begin_day, end_day`
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
// of those that were there when they began. A page has a hundred reports at most.
func (s *Store) Reports(ctx context.Context, rt ReportType, modifiedSince time.Time, p Page) (all []Report, total int, err error) {
	o, err := s.order(ctx, rt)
	if err != nil {
		return nil, 0, err
	}
	ids, total := o.page(micros(modifiedSince), p)
	all, err = s.reportsOf(ctx, ids)
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
		return collect(ctx, outside{s.db}, scanReport, t.Text, args...)
	}
	return nil, fmt.Errorf("slate: a page of %d reports", len(ids))
}
