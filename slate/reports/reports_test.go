package reports

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/store"
)

const good = "1001/channels/Sample Channel (US)/Subscription Weekly/2030-01-07_2030-01-13.csv"

func TestParsePlace(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, want := range map[string]Place{
		good: {1001, store.Channel{Group: "channels", Folder: "Sample Channel (US)", Name: "Sample Channel", Territory: "US"},
			store.ReportType{Folder: "Subscription Weekly", Name: "Subscription", Cadence: "Weekly"}, day("2030-01-07"), day("2030-01-13")},
		"7/rentOrBuy/Studio/Paid Daily/2028-02-29.csv": {7, store.Channel{Group: "rentOrBuy", Folder: "Studio", Name: "Studio"},
			store.ReportType{Folder: "Paid Daily", Name: "Paid", Cadence: "Daily"}, day("2028-02-29"), day("2028-02-29")},
		"1001/financialStatement/US-7/Royalty Statement Monthly/2030-02.csv": {1001, store.Channel{Group: "financialStatement", Folder: "US-7", Name: "US-7"},
			store.ReportType{Folder: "Royalty Statement Monthly", Name: "Royalty Statement", Cadence: "Monthly"}, day("2030-02-01"), day("2030-02-28")},
	} {
		if got, err := ParsePlace(name); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{
		"", "a.csv", "../channels/A/B Weekly/2030-01-07_2030-01-13.csv", "01001/channels/A/B Weekly/2030-01-07_2030-01-13.csv",
		"1001/others/A/B Weekly/2030-01-07_2030-01-13.csv", "1001/channels/A/Weekly/2030-01-07_2030-01-13.csv", "1001/channels/A/B Hourly/2030-01-07.csv",
		"1001/channels/A/B Weekly/2030-01-07.csv", "1001/channels/A/B Weekly/2030-01-13_2030-01-07.csv", "1001/channels/A/B Weekly/2030-01-07_2030-01-14.csv",
		"1001/channels/A/B Monthly/2030-01-02_2030-02-01.csv", "1001/channels/A/B Daily/2030-02-30.csv", "1001/channels/A/B Daily/2030-02-01.txt",
		"1001/channels/A\\B/B Daily/2030-02-01.csv", "1001/channels/ /   /2030-02-01.csv",
	} {
		if got, err := ParsePlace(name); err == nil {
			t.Errorf("%q was read as %+v", name, got)
		} else if _, ok := errors.AsType[*Problem](err); !ok {
			t.Errorf("%q: %v is no problem in words", name, err)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	f.Add(good)
	f.Add("1/channels/\x00/ Daily/2030-01-01.csv")
	f.Fuzz(func(t *testing.T, name string) {
		p, err := ParsePlace(name)
		if err == nil && (p.AccountID < 0 || p.Channel.Name == "" || p.End.Before(p.Begin) || strings.Contains(p.Type.Folder, "/")) {
			t.Errorf("%q was read as %+v", name, p)
		}
	})
}

func TestCheck(t *testing.T) {
	c, err := Check(strings.NewReader("\xEF\xBB\xBFDate,Subscriptions,\"Minutes Streamed\"\n1/7/2030,12,\"1,000.5\"\n1/8/2030,3,x\n"))
	if err != nil || c.Columns != "Date,Subscriptions,Minutes Streamed" || c.Rows != 2 || c.Sums["subscriptions"] != 15 || c.Sums["minutes"] != 1000 {
		t.Errorf("%+v, %v", c, err)
	}
	long := "A,B\n" + strings.Repeat("é,"+strings.Repeat("ü", 50)+"\n", 2000)
	if c, err := Check(strings.NewReader(long)); err != nil || c.Rows != 2000 {
		t.Errorf("characters of two bytes: %+v, %v", c, err)
	}
	for content, want := range map[string]string{
		"":                        "The file is empty",
		"A,B\n1\n":                "Line 2 has another number of columns",
		"A,B\n\"1,2\n":            "is not CSV",
		"A,,C\n":                  "Column 2 of the header row has no name",
		"A,A\n":                   "twice",
		"A,B\n1,\xff\xfe\n":       "not UTF-8",
		"A,B\n1,2\n\xc3":          "not UTF-8",
		"A\x00,B\n1,2\n":          "not UTF-8",
		"\xff\xfeA\x00,\x00B\x00": "not UTF-8",
	} {
		_, err := Check(strings.NewReader(content))
		if p, ok := errors.AsType[*Problem](err); !ok || !strings.Contains(p.Words, want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("A,B\n1,2\n"))
	f.Add([]byte("A\n\xc3\xa9"))
	f.Fuzz(func(t *testing.T, content []byte) {
		one, err := Check(bytes.NewReader(content))
		again, err2 := Check(io.MultiReader(bytes.NewReader(content[:len(content)/2]), bytes.NewReader(content[len(content)/2:])))
		if (err == nil) != (err2 == nil) || one.Rows != again.Rows || one.Columns != again.Columns {
			t.Errorf("read in halves it is another file: %+v %v, %+v %v", one, err, again, err2)
		}
	})
}

// world is a library of an account with the number 1001.
type world struct {
	*Library
	t     *testing.T
	clock time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := sqldbtest.Open(t, sqldbtest.Config(t, sqldb.SQLite))
	if err := db.Migrate(t.Context(), store.Migrations()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, clock: time.Now().Add(time.Minute)}
	s := store.New(db)
	if _, err := s.CreateAccount(t.Context(), "Alpha Pictures", store.Actor{At: w.clock}); err != nil {
		t.Fatal(err)
	}
	w.open(s, t.TempDir(), t.TempDir())
	return w
}

func (w *world) open(s *store.Store, folder, archives string) {
	var err error
	w.Library, err = New(Options{
		Store: s, Folder: folder, Archives: archives, Key: []byte("key"), URL: "https://slate.example",
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.clock },
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(name, content string) {
	w.t.Helper()
	path := filepath.Join(w.Folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) scan() Result {
	w.t.Helper()
	r, err := w.Scan(w.t.Context(), func(Progress) {})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// only is the one report that there is.
func (w *world) only() store.Report {
	w.t.Helper()
	ctx := w.t.Context()
	channels, _, err := w.Store.Channels(ctx, 1001, store.GroupChannels, store.Page{Limit: 5})
	if err != nil || len(channels) != 1 {
		w.t.Fatalf("%v, %v", channels, err)
	}
	types, _, err := w.Store.Types(ctx, channels[0].ID, store.Page{Limit: 5})
	if err != nil || len(types) != 1 {
		w.t.Fatalf("%v, %v", types, err)
	}
	all, _, err := w.Store.Reports(ctx, types[0], time.Time{}, store.Page{Limit: 5})
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%v, %v", all, err)
	}
	return all[0]
}

func (w *world) get(address string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, strings.TrimPrefix(address, w.URL), nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, r)
	return recorder
}

// TestScan: a good file is published whole, once; a bad one never, with the reason; a
// corrected one is a new version.
func TestScan(t *testing.T) {
	w := newWorld(t)
	w.put(good, "Date,Subscriptions\n1/7/2030,12\n")
	w.put("1001/channels/Sample Channel (US)/Subscription Weekly/2030-01-14_2030-01-20.csv", "Date,Streams\n1/14/2030,5\n")
	w.put("1009/channels/Sample Channel (US)/Subscription Weekly/2030-01-07_2030-01-13.csv", "Date\n1\n")
	w.put("notes.txt", "hello")
	w.put(".hidden/a", "hello")
	if r := w.scan(); r != (Result{Published: 1, SetAside: 3}) {
		t.Errorf("%+v", r)
	}
	if r := w.scan(); r != (Result{Unchanged: 4}) {
		t.Errorf("again: %+v", r)
	}
	problems, err := w.Store.Problems(t.Context(), 9)
	if err != nil || len(problems) != 3 {
		t.Fatalf("%v, %v", problems, err)
	}
	for i, want := range []string{"The header row is not that of the reports before it: Date,Subscriptions.", "There is no account 1009.", "The path must be"} {
		if !strings.HasPrefix(problems[i].Problem, want) {
			t.Errorf("%s: %s, want %s", problems[i].Path, problems[i].Problem, want)
		}
	}
	first := w.only()
	old := w.address(first)
	w.clock = w.clock.Add(time.Minute)
	w.put(good, "Date,Subscriptions\n1/7/2030,12\n1/8/2030,13\n")
	w.scan()
	if second := w.only(); second.ID != first.ID || second.Version != 2 || second.Rows != 2 || !second.ModifiedAt.After(first.ModifiedAt) {
		t.Errorf("corrected: %+v", second)
	}
	// A download that has begun goes on for a while.
	if got := w.get(old); got.Code != http.StatusOK {
		t.Errorf("the archive of before: %d", got.Code)
	}
	w.clock = w.clock.Add(time.Hour)
	w.scan()
	left, err := os.ReadDir(w.Archives)
	if err != nil || len(left) != 1 {
		t.Errorf("archives: %v, %v", left, err)
	}
	w.clock = w.clock.Add(-time.Hour)
	if got := w.get(old); got.Code != http.StatusGone {
		t.Errorf("the archive of before, later: %d", got.Code)
	}
	// The correction of a bad file.
	w.clock = w.clock.Add(time.Hour)
	if err := os.Remove(filepath.Join(w.Folder, "notes.txt")); err != nil {
		t.Fatal(err)
	}
	w.put("1001/channels/Sample Channel (US)/Subscription Weekly/2030-01-14_2030-01-20.csv", "Date,Subscriptions\n")
	w.scan()
	problems, err = w.Store.Problems(t.Context(), 9)
	if err != nil || len(problems) != 2 {
		t.Errorf("problems that are left: %v, %v", problems, err)
	}
}

// TestScanWaits: a file that somebody may still be writing is not read.
func TestScanWaits(t *testing.T) {
	w := newWorld(t)
	w.clock = time.Now()
	w.put(good, "Date,Subscriptions\n1/7/2030,1")
	if r := w.scan(); r.Waiting != 1 || r.Published != 0 {
		t.Errorf("%+v", r)
	}
	w.clock = w.clock.Add(time.Minute)
	if r := w.scan(); r.Published != 1 {
		t.Errorf("later: %+v", r)
	}
}

// TestUnfinishedArchives: what a stopped process left behind is no archive.
func TestUnfinishedArchives(t *testing.T) {
	w := newWorld(t)
	for name, age := range map[string]time.Duration{"old": 2 * abandoned, "new": 0} {
		path := filepath.Join(w.Archives, name+unfinished)
		if err := os.WriteFile(path, []byte("PK"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, w.clock.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	w.open(w.Store, w.Folder, w.Archives)
	// The new one may be of a process that is at work.
	if left, err := os.ReadDir(w.Archives); err != nil || len(left) != 1 || left[0].Name() != "new"+unfinished {
		t.Errorf("%v, %v", left, err)
	}
	w.clock = w.clock.Add(abandoned)
	w.open(w.Store, w.Folder, w.Archives)
	if left, err := os.ReadDir(w.Archives); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// address is where a report of the good file can be fetched.
func (w *world) address(r store.Report) string {
	return w.DownloadURL(r, NewTitle("Sample Channel (US)", "Subscription Weekly"), w.clock)
}

// TestDownloadName: a download says what it is, in whatever way the browser reads names.
func TestDownloadName(t *testing.T) {
	w := newWorld(t)
	w.put(good, "Date,Subscriptions\n1/7/2030,12\n")
	w.scan()
	report := w.only()
	for _, tt := range []struct{ channel, kind, want string }{
		{"Sample Channel (US)", "Subscription Weekly", `attachment; filename="Sample-Channel-(US)_Subscription-Weekly_2030-01-07_2030-01-13.zip"`},
		{"Cinéma 映画", "Umsätze Weekly", `attachment; filename="Cin-ma---_Ums-tze-Weekly_2030-01-07_2030-01-13.zip"; ` +
			`filename*=UTF-8''Cin%C3%A9ma-%E6%98%A0%E7%94%BB_Ums%C3%A4tze-Weekly_2030-01-07_2030-01-13.zip`},
		{`a"; filename="b.exe%00`, "x=y&z?#/.. Weekly", `attachment; filename="a---filename--b.exe-00_x-y-z---..-Weekly_2030-01-07_2030-01-13.zip"`},
	} {
		address := w.DownloadURL(report, NewTitle(tt.channel, tt.kind), w.clock)
		got := w.get(address)
		if got.Code != http.StatusOK || got.Header().Get("Content-Disposition") != tt.want {
			t.Errorf("%s: %d %s", address, got.Code, got.Header().Get("Content-Disposition"))
		}
		if got := w.get(strings.Replace(address, "2030-01-13.zip", "2030-01-14.zip", 1)); got.Code != http.StatusForbidden {
			t.Errorf("by another name: %d", got.Code)
		}
	}
}

func TestDownload(t *testing.T) {
	w := newWorld(t)
	w.put(good, "Date,Subscriptions\n1/7/2030,12\n")
	w.scan()
	address := w.address(w.only())
	whole := w.get(address)
	if whole.Code != http.StatusOK || whole.Header().Get("Content-Type") != "application/zip" || whole.Header().Get("ETag") == "" {
		t.Fatalf("%d %v", whole.Code, whole.Header())
	}
	if report := w.only(); report.Archive != sha256.Sum256(whole.Body.Bytes()) || report.Bytes != int64(whole.Body.Len()) {
		t.Errorf("the archive is another than the report says: %+v", report)
	}
	archive, err := zip.NewReader(bytes.NewReader(whole.Body.Bytes()), int64(whole.Body.Len()))
	if err != nil || len(archive.File) != 1 || archive.File[0].Name != "Subscription-Weekly_2030-01-07_2030-01-13.csv" {
		t.Fatalf("%v, %v", archive, err)
	}
	inside, err := archive.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(inside); err != nil || string(text) != "Date,Subscriptions\n1/7/2030,12\n" {
		t.Errorf("%s, %v", text, err)
	}
	part := w.get(address, "Range", "bytes=10-19", "If-Range", whole.Header().Get("ETag"))
	if part.Code != http.StatusPartialContent || !bytes.Equal(part.Body.Bytes(), whole.Body.Bytes()[10:20]) {
		t.Errorf("a part: %d %q", part.Code, part.Body)
	}
	if got := w.get(address, "If-None-Match", whole.Header().Get("ETag")); got.Code != http.StatusNotModified {
		t.Errorf("the same again: %d", got.Code)
	}
	for what, bad := range map[string]string{
		"no signature":      strings.Split(address, "?")[0],
		"another file":      strings.Replace(address, "/downloads/", "/downloads/x", 1),
		"a longer life":     strings.Replace(address, "expires=", "expires=9", 1),
		"out of the folder": w.URL + DownloadPath + "..%2f..%2fetc%2fpasswd?expires=9999999999&signature=x",
	} {
		if got := w.get(bad); got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "error_description") {
			t.Errorf("%s: %d %s", what, got.Code, got.Body)
		}
	}
	w.clock = w.clock.Add(DownloadLives + time.Second)
	if got := w.get(address); got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "expired") {
		t.Errorf("after five minutes: %d %s", got.Code, got.Body)
	}
}
