package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows how far the downloads are on a terminal, and a line for each that has ended
// anywhere.
type bar struct {
	out io.Writer
	// shown is nil when out is no terminal.
	shown *progressbar.ProgressBar
}

func newBar(out io.Writer) *bar {
	b := &bar{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		// A byte more than is known of, so that it does not end before its time.
		b.shown = progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true),
			progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetDescription("Downloading"))
	}
	return b
}

// expect adds to what there is to come.
func (b *bar) expect(bytes int64) {
	if b.shown != nil {
		b.shown.AddMax64(bytes)
	}
}

// Write moves the bar. What is sent twice may lead it past its end, which is no matter.
func (b *bar) Write(p []byte) (int, error) {
	if b.shown != nil {
		b.shown.Add(len(p))
	}
	return len(p), nil
}

// say tells of a file that is here.
func (b *bar) say(name string) {
	b.clear()
	fmt.Fprintln(b.out, name)
}

func (b *bar) clear() {
	if b.shown != nil {
		b.shown.Clear()
	}
}
