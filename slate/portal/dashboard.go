package portal

import (
	"fmt"
	"math"
	"net/http"
	"strconv"

	"gatelodge/internal/web"
	"gatelodge/slate/store"
)

// plotted are the measures of the dashboard.
var plotted = []struct{ measure, name, unit string }{
	{"subscriptions", "Subscriptions", "subscriptions"},
	{"minutes", "Minutes streamed", "minutes"},
}

// spans are the numbers of weeks that can be looked at; the first is the usual.
var spans = []int{52, 26, 13}

type dashboardPage struct {
	Account store.Membership
	Spans   []web.Tab
	Figures []figure
	Empty   bool // no figure has any point
}

// figure is a measure with its plot, drawn for wide and for narrow screens.
type figure struct {
	ID, Name, Unit string
	Points         []store.Point
	Latest         store.Point
	Change         string // against the week before, "" when there is none
	Wide, Narrow   plot
}

func (p *Portal) dashboard(w http.ResponseWriter, r *http.Request, v visit) error {
	data := dashboardPage{Account: v.account, Empty: true}
	weeks := spans[0]
	for _, n := range spans {
		if r.URL.Query().Get("weeks") == strconv.Itoa(n) {
			weeks = n
		}
	}
	for _, n := range spans {
		data.Spans = append(data.Spans, web.Tab{Text: fmt.Sprintf("%d weeks", n), URL: fmt.Sprintf("%s?weeks=%d", accountPath(v.account.ID), n), Current: n == weeks})
	}
	for _, m := range plotted {
		if !v.account.Reports {
			break // figures are what reports say
		}
		points, err := p.options.Store.Plot(r.Context(), v.account.ID, m.measure, v.now.AddDate(0, 0, -7*weeks))
		if err != nil {
			return err
		}
		f := figure{ID: m.measure, Name: m.name, Unit: m.unit, Points: points}
		if len(points) > 0 {
			data.Empty = false
			f.Latest = points[len(points)-1]
			f.Wide, f.Narrow = newPlot(points, 1020, 260), newPlot(points, 320, 200)
			f.Change = change(points)
		}
		data.Figures = append(data.Figures, f)
	}
	return p.render(w, r, v, http.StatusOK, "dashboard", web.Page{Title: "Dashboard", Active: "dashboard", Flash: doneFlash(r)}, data)
}

// change says by how much the last week differs from the one before it.
func change(points []store.Point) string {
	n := len(points)
	if n < 2 || points[n-2].Value <= 0 || !points[n-1].Begin.Equal(points[n-2].Begin.AddDate(0, 0, 7)) {
		return ""
	}
	percent := 100 * float64(points[n-1].Value-points[n-2].Value) / float64(points[n-2].Value)
	switch {
	case math.Abs(percent) < 0.05:
		return "as in the week before"
	case percent < 0:
		return fmt.Sprintf("%.1f %% less than the week before", -percent)
	}
	return fmt.Sprintf("%.1f %% more than the week before", percent)
}

// Rows are the points for the table, the newest first.
func (f figure) Rows() []store.Point {
	rows := make([]store.Point, 0, len(f.Points))
	for i := len(f.Points) - 1; i >= 0; i-- {
		rows = append(rows, f.Points[i])
	}
	return rows
}

// Describe says in a sentence what the plot shows, to those who do not see it.
func (f figure) Describe() string {
	first, low, high := f.Points[0], f.Points[0], f.Points[0]
	for _, p := range f.Points {
		if p.Value < low.Value {
			low = p
		}
		if p.Value > high.Value {
			high = p
		}
	}
	week := func(p store.Point) string { return p.Begin.Format("2 January 2006") }
	return fmt.Sprintf("%s by week, from the week of %s to the week of %s. The lowest is %s in the week of %s, the highest %s in the week of %s, the last %s.",
		f.Name, week(first), week(f.Latest), bigNumber(low.Value), week(low), bigNumber(high.Value), week(high), bigNumber(f.Latest.Value))
}

// bigNumber groups digits by thousands.
func bigNumber(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// shortNumber is a number at an axis.
func shortNumber(n float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if n >= u.size {
			return strconv.FormatFloat(n/u.size, 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
