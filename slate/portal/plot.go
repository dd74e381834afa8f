package portal

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gatelodge/slate/store"
)

// plot is the geometry of a figure; its template draws it, and the stylesheet colours
// it.
type plot struct {
	Width, Height int
	// Left, Right, Top and Bottom are the edges of what is plotted.
	Left, Right, Top, Bottom float64
	YTicks, XTicks           []tick
	// Lines and Areas are paths, one for each run of weeks without a gap.
	Lines, Areas []string
	Dots         []dot
	Last         dot
}

type tick struct {
	At   float64
	Text string
	Base bool // the zero line
}

// dot is a week: where its value is, and the band of the plot that belongs to it.
type dot struct {
	X, Y, From, Wide float64
	Alone            bool // no line goes through it
	Text             string
}

// week is the distance of two points.
const week = 7 * 24 * time.Hour

// newPlot lays out points, of which there is at least one, in the order of time.
func newPlot(points []store.Point, width, height int) plot {
	p := plot{Width: width, Height: height, Left: 44, Right: float64(width) - 12, Top: 14, Bottom: float64(height) - 28}
	begin, end := points[0].Begin, points[len(points)-1].Begin
	span := max(end.Sub(begin), week)
	x := func(t time.Time) float64 {
		if len(points) == 1 {
			return (p.Left + p.Right) / 2
		}
		return p.Left + (p.Right-p.Left)*float64(t.Sub(begin))/float64(span)
	}
	var highest int64
	for _, q := range points {
		highest = max(highest, q.Value)
	}
	step, steps := niceSteps(float64(highest))
	y := func(v float64) float64 { return p.Bottom - (p.Bottom-p.Top)*v/(step*float64(steps)) }
	for i := range steps + 1 {
		v := step * float64(i)
		p.YTicks = append(p.YTicks, tick{At: y(v), Text: shortNumber(v), Base: i == 0})
	}
	p.XTicks = months(begin, end, x, 46)
	half := (p.Right - p.Left) * float64(week) / float64(span) / 2
	for _, q := range points {
		at := x(q.Begin)
		from, to := max(p.Left, at-half), min(p.Right, at+half)
		p.Dots = append(p.Dots, dot{
			X: at, Y: y(float64(max(q.Value, 0))), From: from, Wide: to - from,
			Text: "Week of " + q.Begin.Format("2 Jan 2006") + ": " + bigNumber(q.Value),
		})
	}
	p.Last = p.Dots[len(p.Dots)-1]
	for from, i := 0, 1; i <= len(points); i++ {
		// A gap of more than a week is no line: nothing is known in between.
		if i < len(points) && points[i].Begin.Sub(points[i-1].Begin) <= week {
			continue
		}
		if i-from == 1 {
			p.Dots[from].Alone = true
		} else {
			line := path(p.Dots[from:i])
			p.Lines = append(p.Lines, line)
			p.Areas = append(p.Areas, fmt.Sprintf("%sL%.1f %.1fL%.1f %.1fZ", line, p.Dots[i-1].X, p.Bottom, p.Dots[from].X, p.Bottom))
		}
		from = i
	}
	return p
}

func path(dots []dot) string {
	var b strings.Builder
	for i, d := range dots {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", command, d.X, d.Y)
	}
	return b.String()
}

// niceSteps divides what goes up to highest into three to five steps of 1, 2 or 5
// times a power of ten.
func niceSteps(highest float64) (step float64, steps int) {
	if highest < 4 {
		return 1, 4
	}
	power := math.Pow(10, math.Floor(math.Log10(highest/4)))
	for _, times := range []float64{1, 2, 5, 10} {
		step = times * power
		if steps = int(math.Ceil(highest / step)); steps <= 5 {
			break
		}
	}
	return step, steps
}

// months marks the beginnings of every month, or of every second, third, sixth or
// twelfth when there is no room for more.
func months(begin, end time.Time, x func(time.Time) float64, room float64) []tick {
	var all []tick
	for _, every := range []int{1, 2, 3, 6, 12} {
		all = nil
		for m := time.Date(begin.Year(), begin.Month(), 1, 0, 0, 0, 0, time.UTC); !m.After(end); m = m.AddDate(0, 1, 0) {
			if m.Before(begin) || int(m.Month()-time.January)%every != 0 {
				continue
			}
			text := m.Format("Jan")
			if m.Month() == time.January {
				text = m.Format("2006")
			}
			all = append(all, tick{At: x(m), Text: text})
		}
		if len(all) < 2 || all[1].At-all[0].At >= room {
			break
		}
	}
	return all
}

// Tall is the height of what is plotted.
func (p plot) Tall() float64 { return p.Bottom - p.Top }
