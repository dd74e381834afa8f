//go:build unix

package reports

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/slate/store"
)

// TestTwoSpellings: of two files of one period the first that is read counts. The other
// waits, with the reason, and takes its place once it is taken away.
func TestTwoSpellings(t *testing.T) {
	for name, spelling := range map[string]struct{ first, second string }{
		"a month": {"1001/channels/Sample/Subscription Monthly/2030-01-01_2030-01-31.csv", "1001/channels/Sample/Subscription Monthly/2030-01.csv"},
		"a day":   {"1001/channels/Sample/Subscription Daily/2030-01-07.csv", "1001/channels/Sample/Subscription Daily/2030-01-07_2030-01-07.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				const other = "Date,Subscriptions\n1/7/2030,99\n1/8/2030,99\n"
				words := "The same period is there already as " + filepath.Base(spelling.first) + ": take one of the two files away."
				report := func(version, rows int64) {
					t.Helper()
					if got := w.only(); got.Version != version || got.Rows != rows {
						t.Errorf("version %d with %d rows, want %d with %d", got.Version, got.Rows, version, rows)
					}
				}
				w.put(spelling.first, content)
				w.put(spelling.second, other)
				for range 3 { // in whatever order and however often they are read
					w.scan()
					report(1, 1)
					if problems := w.problems(); len(problems) != 1 || problems[spelling.second] != words {
						t.Fatalf("%v", problems)
					}
				}
				if s, err := w.Status(t.Context()); err != nil || s != (Status{Published: 1, SetAside: 1}) {
					t.Errorf("%+v, %v", s, err)
				}
				if err := w.Import(t.Context(), spelling.second); err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("the operator hears %v", err)
				}
				// The first one can be corrected.
				w.clock = w.clock.Add(time.Minute)
				w.put(spelling.first, strings.Replace(content, "12", "13", 1))
				w.scan()
				report(2, 1)
				// Without it the second is the next version, and then the first is refused.
				if err := os.Remove(filepath.Join(w.Folder, spelling.first)); err != nil {
					t.Fatal(err)
				}
				w.scan()
				report(3, 2)
				w.clock = w.clock.Add(time.Minute)
				w.put(spelling.first, content)
				w.scan()
				report(3, 2)
				if problems := w.problems(); !strings.Contains(problems[spelling.first], filepath.Base(spelling.second)) {
					t.Errorf("%v", problems)
				}
				w.clock = w.clock.Add(time.Hour)
				w.scan()
				if left, err := os.ReadDir(w.Archives); err != nil || len(left) != 1 {
					t.Errorf("archives that nobody refers to: %v, %v", left, err)
				}

				// Two processes that read one each, at the same moment.
				place, err := ParsePlace(spelling.first)
				if err != nil {
					t.Fatal(err)
				}
				_, err = w.Store.Publish(t.Context(), store.Published{
					AccountID: 1001, Channel: place.Channel, Type: place.Type, Report: store.Report{Begin: place.Begin, End: place.End},
					Source: store.Source{Path: spelling.first}, Others: []string{spelling.second},
				}, w.clock)
				if twice, ok := errors.AsType[*store.ErrTwice](err); !ok || twice.Path != spelling.second {
					t.Errorf("%v", err)
				}
				report(3, 2)
			})
		})
	}
}
