//go:build unix

package reports

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/store"
)

const (
	weekly  = "1001/channels/Sample Channel (US)/Subscription Weekly/"
	content = "Date,Subscriptions\n1/7/2030,12\n"
)

// onBoth runs test with a library on each database.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			db := sqldbtest.Open(t, sqldbtest.Config(t, dialect))
			if err := db.Migrate(t.Context(), store.Migrations()); err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, clock: time.Now().Add(time.Minute)}
			s := store.New(db)
			if _, err := s.CreateAccount(t.Context(), "Alpha Pictures", store.Actor{At: w.clock}); err != nil {
				t.Fatal(err)
			}
			w.open(s, t.TempDir(), t.TempDir())
			test(t, w)
		})
	}
}

// problems are why files were set aside, by their paths.
func (w *world) problems() map[string]string {
	w.t.Helper()
	all, err := w.Store.Problems(w.t.Context(), 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	words := map[string]string{}
	for _, f := range all {
		words[f.Path] = f.Problem
	}
	return words
}

// TestBadNames: whatever a file is called, it is set aside with a reason, and what is
// good beside it is published.
func TestBadNames(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.put(good, content)
		bad := map[string]string{
			"..evil/x.csv":     "", // hidden by its point, and left alone
			"1001/..csv/x.csv": "",
			"1001/channels/Sample\x1b[2J/Subscription Weekly/2030-01-07_2030-01-13.csv":                    `"Sample\x1b[2J" cannot be a part of the path`,
			"1001/channels/Sample\n/Subscription Weekly/2030-01-07_2030-01-13.csv":                         "cannot be a part of the path",
			"1001/channels/Sample\u202e/Subscription Weekly/2030-01-07_2030-01-13.csv":                     "cannot be a part of the path",
			"1001/channels/a\\..\\b/Subscription Weekly/2030-01-07_2030-01-13.csv":                         "cannot be a part of the path",
			"1001/channels/" + strings.Repeat("x", 200) + "/Subscription Weekly/2030-01-07_2030-01-13.csv": "cannot be a part of the path",
			"1001/channels/Sample Channel (US)/Subscription Weekly/2030-01-07_2030-01-13.CSV":              "is not a .csv file",
			"1001/Channels/Sample Channel (US)/Subscription Weekly/2030-01-07_2030-01-13.csv":              `There is no report group "Channels"`,
			"1001/channels/\xff\xfe/Subscription Weekly/2030-01-07_2030-01-13.csv":                         "cannot be a part of the path",
			"\xff":                         "The path must be",
			"1001/channels/CON/NUL":        "The path must be",
			weekly + "0000-00-00.csv":      "is not a period",
			weekly + "99999-01-01.csv":     "is not a period",
			"-1/channels/A/B Monthly/x":    "is not a .csv file",
			strings.Repeat("d/", 60) + "x": "The path must be",
		}
		aside := 0
		for name, want := range bad {
			w.put(name, content)
			if want != "" {
				aside++
			}
		}
		if r := w.scan(); r != (Result{Published: 1, SetAside: aside}) {
			t.Errorf("%+v, want %d set aside", r, aside)
		}
		told := w.problems()
		if len(told) != aside {
			t.Errorf("%d problems: %q", len(told), told)
		}
		for path, words := range told {
			if want := bad[SourceFile(path)]; want == "" || !strings.Contains(words, want) {
				t.Errorf("%q: %q, want %q", path, words, want)
			}
			if !utf8.ValidString(path + words) {
				t.Errorf("%q %q is not UTF-8", path, words)
			}
		}
		if r := w.scan(); r != (Result{Unchanged: aside + 1}) {
			t.Errorf("again: %+v", r)
		}
	})
}

// TestWindowsNames are channels like others: what is downloaded has a name that every
// system takes.
func TestWindowsNames(t *testing.T) {
	w := newWorld(t)
	w.put(`1001/channels/CON/a:b*?"<>| Weekly/2030-01-07_2030-01-13.csv`, content)
	w.scan()
	whole := w.get(w.address(w.only())).Body.Bytes()
	archive, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	if err != nil || len(archive.File) != 1 || archive.File[0].Name != "a-b-------Weekly_2030-01-07_2030-01-13.csv" {
		t.Errorf("%v, %v", archive, err)
	}
}

// TestNoFiles: links, pipes and what cannot be read are set aside; nothing is read
// through a link, and nothing stops at them.
func TestNoFiles(t *testing.T) {
	w := newWorld(t)
	outside := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(outside, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	w.put("1001/channels/Z/Subscription Weekly/2030-01-07_2030-01-13.csv", content) // last
	at := func(name string) string { return filepath.Join(w.Folder, weekly, name) }
	w.put(weekly+"2030-01-14_2030-01-20.csv", content)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(os.Symlink(outside, at("2030-01-21_2030-01-27.csv")))
	ok(os.Symlink(at("2030-01-14_2030-01-20.csv"), at("2030-01-28_2030-02-03.csv")))
	ok(os.Symlink(filepath.Dir(outside), filepath.Join(w.Folder, "1001", "rentOrBuy")))
	ok(syscall.Mkfifo(at("2030-02-04_2030-02-10.csv"), 0o600))
	w.put(weekly+"2030-02-11_2030-02-17.csv", content)
	ok(os.Chmod(at("2030-02-11_2030-02-17.csv"), 0))
	w.put("1001/channels/Locked/Subscription Weekly/2030-01-07_2030-01-13.csv", content)
	locked := filepath.Join(w.Folder, "1001/channels/Locked")
	ok(os.Chmod(locked, 0))
	defer os.Chmod(locked, 0o700)
	want := map[string]string{
		weekly + "2030-01-21_2030-01-27.csv": "It is not a file", weekly + "2030-01-28_2030-02-03.csv": "It is not a file",
		"1001/rentOrBuy": "It is not a file", weekly + "2030-02-04_2030-02-10.csv": "It is not a file",
	}
	published := 4
	if os.Getuid() != 0 { // who may read everything
		want[weekly+"2030-02-11_2030-02-17.csv"] = "It cannot be read: permission denied."
		want["1001/channels/Locked"] = "The folder cannot be read"
		published = 2
	}
	if r := w.scan(); r != (Result{Published: published, SetAside: len(want)}) {
		t.Errorf("%+v", r)
	}
	told := w.problems()
	for path, words := range want {
		if !strings.HasPrefix(told[path], words) {
			t.Errorf("%s: %q, want %q", path, told[path], words)
		}
	}
	// The same by the operator's command, and through a folder that is a link.
	for _, name := range []string{weekly + "2030-01-21_2030-01-27.csv", "1001/rentOrBuy/secret.csv", "../" + filepath.Base(filepath.Dir(outside)) + "/secret.csv", "/etc/passwd"} {
		if err := w.Import(t.Context(), name); err == nil {
			t.Errorf("%s was imported", name)
		}
	}
	// When it can be read it is, though it has not changed.
	ok(os.Chmod(at("2030-02-11_2030-02-17.csv"), 0o600))
	ok(os.Chmod(locked, 0o700))
	if r := w.scan(); r.Published+published != 6-2 && os.Getuid() != 0 {
		t.Errorf("after the permissions were mended: %+v", r)
	}
}

// TestProblemIsToldOnce: the log does not say the same every few seconds.
func TestProblemIsToldOnce(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	w := newWorld(t)
	w.put(good, content)
	if err := os.Chmod(filepath.Join(w.Folder, good), 0); err != nil {
		t.Fatal(err)
	}
	told := 0
	for range 3 {
		if _, err := w.Scan(t.Context(), func(p Progress) {
			if p.Problem != "" {
				told++
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestBadContent: what a file must not be, and what it may.
func TestBadContent(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.put(good, content)
		w.scan()
		for content, want := range map[string]string{
			"":                                  "The file is empty",
			"\xEF\xBB\xBF":                      "The file is empty",
			"\n\n\n":                            "The file is empty",
			"Date;Subscriptions\n1/7/2030;12\n": "separated by semicolons",
			"Date\tSubscriptions\n":             "separated by tabs",
			"Date|Subscriptions\n":              "separated by bars",
			"Date,Subscriptions":                "", // a header row alone, even without its end
			"\xEF\xBB\xBF" + content:            "", // the mark is no part of the columns
			strings.ReplaceAll(content, "\n", "\r\n"):         "",
			"Subscriptions,Date\n12,1/7/2030\n":               "The header row is not that of the reports before it: Date,Subscriptions.",
			"Date,Subscriptions,More\n1,2,3\n":                "The header row is not that",
			"Date, Subscriptions\n1,2\n":                      "The header row is not that",
			"Date,Subscriptions\n1/7/2030,12\n1/8/20":         "Line 3 has another number of columns",
			"Date,Subscriptions\n1/7/2030,\"1":                "Line 2 is not CSV",
			"Date,Subscriptions\n1/7/2030,12\n\x00\x00\x00":   "not UTF-8",
			"\xff\xfeD\x00a\x00t\x00e\x00":                    "not UTF-8",
			"PK\x03\x04\x14\x00\x00\x00":                      "not UTF-8",
			"Date,Subscriptions\n" + strings.Repeat("x", 1e6): "Line 2 has another number of columns",
		} {
			w.clock = w.clock.Add(time.Hour)
			name := weekly + "2030-01-14_2030-01-20.csv"
			w.put(name, content)
			w.scan()
			if words := w.problems()[name]; want == "" && words != "" || !strings.HasPrefix(words, want) && !strings.Contains(words, want) {
				t.Errorf("%.40q: %q, want %q", content, words, want)
			}
		}
		if all, _, err := w.Store.Channels(t.Context(), 1001, store.GroupChannels, store.Page{Limit: 9}); err != nil || len(all) != 1 {
			t.Errorf("channels %v, %v", all, err)
		}
	})
}

// TestCellsAreLeftAlone: cells that a spreadsheet would run are the publisher's, and
// arrive as they are (docs/slate.md says so).
func TestCellsAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	cells := "Date,Subscriptions\n=1+1,-5\n@SUM(A1),+3\n\"\t=x\",\"\r=y\"\n\"=HYPERLINK(\"\"https://evil.example\"\")\",1\n"
	w.put(good, cells)
	w.scan()
	whole := w.get(w.address(w.only())).Body.Bytes()
	archive, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	file, err := archive.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(file); err != nil || string(text) != cells {
		t.Errorf("%q, %v", text, err)
	}
}

// TestChangedWhileRead: what is published is what was checked.
func TestChangedWhileRead(t *testing.T) {
	w := newWorld(t)
	w.put(good, content)
	path := filepath.Join(w.Folder, good)
	for what, change := range map[string]func() error{
		"other content": func() error { return os.WriteFile(path, []byte("Date,Subscriptions\nx,1\ny,2\n"), 0o600) },
		"cut":           func() error { return os.Truncate(path, 3) },
		"the same size": func() error {
			return os.WriteFile(path, []byte(strings.Replace(content, "12", "99", 1)), 0o600)
		},
	} {
		w.put(good, content)
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		checked, err := Check(file)
		if err != nil {
			t.Fatal(err)
		}
		report := &store.Report{Digest: checked.Digest}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		place, err := ParsePlace(good)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.archive(file, place, store.Source{Path: good, Digest: checked.Digest}, report); !errors.Is(err, ErrChanging) {
			t.Errorf("%s: %v", what, err)
		}
		file.Close()
		if left, err := os.ReadDir(w.Archives); err != nil || len(left) != 0 {
			t.Errorf("%s: left behind %v, %v", what, left, err)
		}
	}
	// A file that goes on changing waits, and nothing of it is seen.
	w.put(good, content)
	if err := os.Chtimes(path, time.Time{}, w.clock.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	source := store.Source{Path: good}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	changing := func() error { return ErrChanging }
	if err := w.publishFile(t.Context(), file, &source, changing); !errors.Is(err, ErrChanging) {
		t.Errorf("%v", err)
	}
	if channels, _, err := w.Store.Channels(t.Context(), 1001, store.GroupChannels, store.Page{Limit: 5}); err != nil || len(channels) != 0 {
		t.Errorf("%v, %v", channels, err)
	}
}

// TestBackAgain: a version that was corrected by mistake comes back, and its archive
// outlives the clean-up that was waiting for it.
func TestBackAgain(t *testing.T) {
	w := newWorld(t)
	first, second := content, content+"1/8/2030,13\n"
	for _, text := range []string{first, second, first} {
		w.clock = w.clock.Add(time.Minute)
		w.put(good, text)
		w.scan()
	}
	w.clock = w.clock.Add(time.Hour)
	w.scan()
	if got := w.get(w.address(w.only())); got.Code != 200 {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if left, err := os.ReadDir(w.Archives); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	// Another library, after a restart, knows what is to be removed.
	w.put(good, second)
	w.scan()
	w.open(w.Store, w.Folder, w.Archives)
	w.clock = w.clock.Add(time.Hour)
	w.scan()
	if left, err := os.ReadDir(w.Archives); err != nil || len(left) != 1 {
		t.Errorf("after a restart: %v, %v", left, err)
	}
}

// TestStatus: what an operator sees of the folder.
func TestStatus(t *testing.T) {
	w := newWorld(t)
	status := func(want Status) {
		t.Helper()
		if got, err := w.Status(t.Context()); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	status(Status{})
	w.put(good, content)
	w.put("notes.txt", "x")
	status(Status{New: 2})
	w.scan()
	status(Status{Published: 1, SetAside: 1})
	w.put(weekly+"2030-01-14_2030-01-20.csv", content)
	status(Status{Published: 1, SetAside: 1, New: 1})
}
