package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// bars shows the downloads that are under way on a terminal, and a line for each that
// has ended anywhere.
type bars struct {
	out io.Writer
	// screen is nil when out is no terminal.
	screen *os.File

	mu      sync.Mutex
	running []*bar
	drawn   int // lines on the screen
	at      time.Time
}

type bar struct {
	name        string
	done, total int64
}

func newBars(out io.Writer) *bars {
	b := &bars{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.screen = f
	}
	return b
}

func (b *bars) begin(name string, total int64) *bar {
	b.mu.Lock()
	defer b.mu.Unlock()
	added := &bar{name: name, total: total}
	b.running = append(b.running, added)
	b.draw()
	return added
}

// set says how much of a file is here.
func (b *bars) set(of *bar, done int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of.done = done
	if time.Since(b.at) > 100*time.Millisecond {
		b.draw()
	}
}

func (b *bars) end(of *bar, bytes int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, r := range b.running {
		if r == of {
			b.running = append(b.running[:i], b.running[i+1:]...)
			break
		}
	}
	b.erase()
	if err == nil { // what went wrong is told at the end
		fmt.Fprintf(b.out, "%s  %s\n", of.name, size(bytes))
	}
	b.draw()
}

func (b *bars) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
}

func (b *bars) erase() {
	if b.drawn > 0 {
		fmt.Fprintf(b.out, "\x1b[%dA\x1b[J", b.drawn)
		b.drawn = 0
	}
}

func (b *bars) draw() {
	if b.screen == nil {
		return
	}
	b.erase()
	b.at = time.Now()
	width, _, err := term.GetSize(int(b.screen.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	for _, r := range b.running {
		fmt.Fprintln(b.out, r.line(width))
	}
	b.drawn = len(b.running)
}

// line is a bar in one line: its end, the file's name, is what tells bars apart.
func (r *bar) line(width int) string {
	const cells = 20
	filled := int(min(cells, cells*r.done/cmp.Or(max(r.total, r.done), 1)))
	line := []rune(fmt.Sprintf("[%s%s] %9s  ", strings.Repeat("#", filled), strings.Repeat(".", cells-filled), size(r.done)))
	name := []rune(r.name)
	if room := max(0, width-1-len(line)); len(name) > room {
		name = name[len(name)-room:]
	}
	line = append(line, name...)
	return string(line[:min(len(line), max(0, width-1))])
}

func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// counter is a writer that moves a bar.
type counter struct {
	bars *bars
	bar  *bar
}

func (c counter) Write(p []byte) (int, error) {
	c.bars.mu.Lock()
	done := c.bar.done + int64(len(p))
	c.bars.mu.Unlock()
	c.bars.set(c.bar, done)
	return len(p), nil
}
