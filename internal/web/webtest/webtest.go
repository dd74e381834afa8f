// Package webtest supports the tests of surfaces that are built on package web.
package webtest

import (
	"html/template"
	"io/fs"
	"net/http"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/web"
)

// CheckPages finds what is wrong with the templates of a surface: the server parses each
// when somebody first asks for its page.
func CheckPages(t testing.TB, o web.Options, pages fs.FS, funcs ...template.FuncMap) {
	t.Helper()
	kit, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	all, err := kit.Pages(pages, funcs...)
	if err != nil {
		t.Fatal(err)
	}
	if err := all.Check(); err != nil {
		t.Error(err)
	}
}

// Sink is an http.ResponseWriter that keeps the status alone, so that what a handler
// allocates is its own.
type Sink struct {
	Status int
	header http.Header
}

func NewSink() *Sink { return &Sink{header: http.Header{}} }

func (s *Sink) Header() http.Header         { return s.header }
func (s *Sink) WriteHeader(status int)      { s.Status = status }
func (s *Sink) Write(b []byte) (int, error) { return len(b), nil }

// ProcessorTime is what this process has used of it: on a busy machine it says more
// than the clock.
func ProcessorTime(t testing.TB) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
