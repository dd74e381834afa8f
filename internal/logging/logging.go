// Package logging owns how the servers write their logs: lines of JSON to a file, text
// to a terminal.
package logging

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// New gives a logger that writes to a file. Lines to what is no terminal are
// gathered for a moment, since one system call per request is a tenth of what a
// token costs; a warning is written at once, with all before it. flush writes what
// is left.
func New(file *os.File) (logger *slog.Logger, flush func()) {
	if term.IsTerminal(int(file.Fd())) {
		return slog.New(slog.NewTextHandler(file, nil)), func() {}
	}
	w := &gatheredWriter{to: file, buf: bufio.NewWriterSize(file, 64<<10)}
	w.timer = time.AfterFunc(gatherFor, w.flush)
	return slog.New(&promptHandler{slog.NewJSONHandler(w, nil), w}), w.flush
}

// gatherFor is how long a line may wait.
const gatherFor = 100 * time.Millisecond

type gatheredWriter struct {
	to    io.Writer
	mu    sync.Mutex
	buf   *bufio.Writer
	timer *time.Timer
	armed bool
}

var _ io.Writer = (*gatheredWriter)(nil)

func (w *gatheredWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.armed {
		w.armed = true
		w.timer.Reset(gatherFor)
	}
	n, err := w.buf.Write(p)
	w.goOn(err)
	return n, err
}

func (w *gatheredWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	// There is nowhere left to tell that the log cannot be written.
	w.goOn(w.buf.Flush())
}

// goOn lets go of lines that cannot be written, as when a disk is full: a
// bufio.Writer that has failed once would take no others until the program ends.
func (w *gatheredWriter) goOn(err error) {
	if err != nil {
		w.buf.Reset(w.to)
	}
}

// promptHandler does not let warnings wait.
type promptHandler struct {
	slog.Handler
	w *gatheredWriter
}

func (h *promptHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.w.flush()
	}
	return err
}

func (h *promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &promptHandler{h.Handler.WithAttrs(attrs), h.w}
}

func (h *promptHandler) WithGroup(name string) slog.Handler {
	return &promptHandler{h.Handler.WithGroup(name), h.w}
}
