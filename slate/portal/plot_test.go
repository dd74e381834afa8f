package portal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/slate/store"
)

func at(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err) // a literal of this file
	}
	return t
}

func TestPeriod(t *testing.T) {
	for _, tc := range []struct{ begin, end, want string }{
		{"2030-01-07", "2030-01-07", "7 Jan 2030"},
		{"2030-01-07", "2030-01-13", "7 – 13 Jan 2030"},
		{"2030-01-28", "2030-02-03", "28 Jan – 3 Feb 2030"},
		{"2029-12-31", "2030-01-06", "31 Dec 2029 – 6 Jan 2030"},
		{"2028-02-01", "2028-02-29", "February 2028"},
		{"2030-01-01", "2030-03-31", "1 Jan – 31 Mar 2030"},
	} {
		if got := period(at(tc.begin), at(tc.end)); got != tc.want {
			t.Errorf("%s to %s: %q, want %q", tc.begin, tc.end, got, tc.want)
		}
	}
}

func TestNiceSteps(t *testing.T) {
	for _, tc := range []struct {
		highest, step float64
		steps         int
	}{{0, 1, 4}, {3, 1, 4}, {4, 1, 4}, {7, 2, 4}, {10, 2, 5}, {99, 20, 5}, {100, 20, 5}, {101, 50, 3}, {59_050, 20_000, 3}, {7_700_000, 2_000_000, 4}} {
		if step, steps := niceSteps(tc.highest); step != tc.step || steps != tc.steps {
			t.Errorf("%g: %d steps of %g, want %d of %g", tc.highest, steps, step, tc.steps, tc.step)
		}
	}
}

// TestPlot: what is plotted lies within the edges, and a gap is no line.
func TestPlot(t *testing.T) {
	points := func(weeks ...int) (all []store.Point) {
		for _, n := range weeks {
			all = append(all, store.Point{Begin: at("2026-01-05").AddDate(0, 0, 7*n), Value: int64(100 * (n + 1))})
		}
		return all
	}
	for name, tc := range map[string]struct {
		points       []store.Point
		lines, alone int
	}{
		"a year":           {points(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 1, 0},
		"one week":         {points(0), 0, 1},
		"a gap":            {points(0, 1, 5, 6), 2, 0},
		"a week by itself": {points(0, 1, 5, 9, 10), 2, 1},
		"nothing but zero": {[]store.Point{{Begin: at("2026-01-05")}, {Begin: at("2026-01-12")}}, 1, 0},
		"less than zero":   {[]store.Point{{Begin: at("2026-01-05"), Value: -5}, {Begin: at("2026-01-12"), Value: 5}}, 1, 0},
	} {
		p := newPlot(tc.points, 320, 200)
		alone := 0
		for _, d := range p.Dots {
			if d.Alone {
				alone++
			}
			if d.X < p.Left || d.X > p.Right || d.Y < p.Top || d.Y > p.Bottom || d.Wide < 0 || d.From < p.Left || d.From+d.Wide > p.Right+0.01 {
				t.Errorf("%s: %+v is outside", name, d)
			}
		}
		if len(p.Dots) != len(tc.points) || len(p.Lines) != tc.lines || len(p.Areas) != tc.lines || alone != tc.alone {
			t.Errorf("%s: %d dots, %d lines, %d areas, %d alone", name, len(p.Dots), len(p.Lines), len(p.Areas), alone)
		}
	}
	p := newPlot([]store.Point{{Begin: at("2026-01-05"), Value: 0}, {Begin: at("2026-01-12"), Value: 100}}, 320, 200)
	if diff := cmp.Diff([]string{"M44.0 172.0L308.0 14.0"}, p.Lines); diff != "" {
		t.Error(diff)
	}
}

func TestMonths(t *testing.T) {
	begin, end := at("2025-11-24"), at("2026-11-16")
	for _, tc := range []struct {
		width float64
		want  []string
	}{
		{1000, []string{"Dec", "2026", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov"}},
		{300, []string{"2026", "Mar", "May", "Jul", "Sep", "Nov"}},
		{100, []string{"2026", "Jul"}},
		{30, []string{"2026"}},
	} {
		var got []string
		for _, tick := range months(begin, end, func(m time.Time) float64 { return tc.width * float64(m.Sub(begin)) / float64(end.Sub(begin)) }, 46) {
			got = append(got, tick.Text)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%g wide: %s", tc.width, diff)
		}
	}
}

func TestChange(t *testing.T) {
	week := func(n int, value int64) store.Point {
		return store.Point{Begin: at("2026-01-05").AddDate(0, 0, 7*n), Value: value}
	}
	for _, tc := range []struct {
		want   string
		points []store.Point
	}{
		{"", []store.Point{week(0, 5)}},
		{"", []store.Point{week(0, 0), week(1, 5)}},
		{"", []store.Point{week(0, 4), week(2, 5)}}, // the week before is not known
		{"25.0 % more than the week before", []store.Point{week(0, 4), week(1, 5)}},
		{"20.0 % less than the week before", []store.Point{week(0, 5), week(1, 4)}},
		{"as in the week before", []store.Point{week(0, 100_000), week(1, 100_001)}},
	} {
		if got := change(tc.points); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.points, got, tc.want)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "//evil.example", "/\\evil.example", "/a?b=c#d", "https://evil.example", "/%2f/evil.example", "/\u00a0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, to string) {
		got := localPath(to)
		if got == "" || got[0] != '/' || len(got) > 1 && (got[1] == '/' || got[1] == '\\') {
			t.Errorf("%q leads to %q", to, got)
		}
	})
}
