package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/oauth2"

	"gatelodge/slate/reports"
)

func begin(t *testing.T, o options, now time.Time) *demo {
	t.Helper()
	d, err := start(t.Context(), o, slog.New(slog.DiscardHandler), now, func(reports.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(t.Context()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// browser follows the forms of pages, without JavaScript.
type browser struct {
	t      *testing.T
	client *http.Client
	at     *url.URL // of the page, or the address that it was sent to and nobody answers
	page   *html.Node
}

func newBrowser(t *testing.T, d *demo) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if address := r.URL.String(); !strings.HasPrefix(address, d.Gatelodge) && !strings.HasPrefix(address, d.Slate) {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

func (b *browser) take(answer *http.Response, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	if b.at, err = answer.Location(); err == nil {
		return
	}
	b.at = answer.Request.URL
	if b.page, err = html.Parse(answer.Body); err != nil {
		b.t.Fatal(err)
	}
}

// send fills in the form that has a button with these words, and presses it.
func (b *browser) send(button string, fields url.Values) {
	b.t.Helper()
	for form := range b.page.Descendants() {
		if form.Data != "form" {
			continue
		}
		values, found := url.Values{}, false
		for n := range form.Descendants() {
			name, value := attribute(n, "name"), attribute(n, "value")
			switch {
			case n.Data == "button" && strings.Contains(text(n), button):
				found = true
				values.Add(name, value)
			case n.Data == "input" && (attribute(n, "type") != "checkbox" || has(n, "checked")):
				values.Add(name, value)
			}
		}
		if !found {
			continue
		}
		for name, all := range fields {
			values[name] = all
		}
		to, err := b.at.Parse(attribute(form, "action"))
		if err != nil {
			b.t.Fatal(err)
		}
		b.take(b.client.PostForm(to.String(), values))
		return
	}
	b.t.Fatalf("%s has no button %q:\n%s", b.at, button, text(b.page))
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func text(n *html.Node) string {
	var s strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			s.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(s.String()), " ")
}

// open opens an address and signs in.
func (b *browser) open(address, email string) {
	b.t.Helper()
	b.take(b.client.Get(address))
	b.send("Sign in", url.Values{"email": {email}, "password": {password}})
}

// authorize does what the downloader does: the tokens of somebody for the printed
// credentials.
func authorize(t *testing.T, d *demo, email string) *http.Client {
	t.Helper()
	c := oauth2.Config{
		ClientID: d.Downloader.ClientID, ClientSecret: d.Downloader.ClientSecret, RedirectURL: "http://127.0.0.1:8976/return", Scopes: []string{scope},
		Endpoint: oauth2.Endpoint{AuthURL: d.Gatelodge + "/ap/oa", TokenURL: d.Gatelodge + "/auth/o2/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	b := newBrowser(t, d)
	b.open(c.AuthCodeURL("state"), email)
	b.send("Allow", nil)
	token, err := c.Exchange(t.Context(), b.at.Query().Get("code"))
	if err != nil {
		t.Fatalf("at %s: %v", b.at, err)
	}
	return c.Client(t.Context(), token)
}

// list is a page of the reporting API.
type list struct {
	status  int
	Missing []string
	Total   int
	Data    []struct{ ID, Name, Territory, Cadence, Status, DownloadURL string }
}

func get(t *testing.T, c *http.Client, address string) (l list) {
	t.Helper()
	answer, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&l); err != nil {
		t.Fatalf("%s: %d: %v", address, answer.StatusCode, err)
	}
	l.status = answer.StatusCode
	return l
}

func TestDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	now := time.Now()
	d := begin(t, options{data: dir}, now)

	t.Run("reports", func(t *testing.T) {
		c := authorize(t, d, robotEmail)
		api := d.Slate + "/apis/v1/accounts"
		var names []string
		for _, a := range get(t, c, api).Data {
			names = append(names, a.ID+" "+a.Name)
		}
		if diff := cmp.Diff([]string{"1001 Alpha Pictures"}, names); diff != "" {
			t.Errorf("accounts that the application reaches (-want +got):\n%s", diff)
		}
		totals := map[string]int{}
		for _, group := range get(t, c, api+"/1001").Data {
			for _, channel := range get(t, c, api+"/1001/"+group.ID+"?limit=100").Data {
				types := api + "/1001/" + group.ID + "/" + channel.ID + "/reportTypes"
				for _, kind := range get(t, c, types+"?limit=100").Data {
					totals[group.ID+"/"+channel.Name+" "+channel.Territory+"/"+kind.Name+" "+kind.Cadence] = get(t, c, types+"/"+kind.ID+"/reports").Total
				}
			}
		}
		want := map[string]int{
			"channels/Alpha Stories US/Subscription Weekly": 52, "channels/Alpha Stories US/Usage VOD Weekly": 52, "channels/Alpha Stories US/Financial Monthly": 12,
			"channels/Alpha Stories DE/Subscription Weekly": 52, "channels/Alpha Stories DE/Usage VOD Weekly": 52, "channels/Alpha Stories DE/Financial Monthly": 12,
			"channels/Alpha Arena US/Subscription Weekly": 52, "channels/Alpha Arena US/Usage Live Weekly": 52,
			"channelsPremium/Alpha Stories US/Conversion and Retention Monthly": 12, "rentOrBuy/Alpha Pictures /Paid Weekly": 52,
			"financialStatement/ALPHA-CHANNELS /Statement Monthly": 12,
		}
		if diff := cmp.Diff(want, totals); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
		if l := get(t, c, api+"/1002"); l.status != http.StatusForbidden || !cmp.Equal(l.Missing, []string{"application"}) {
			t.Errorf("Beta Films: %d, missing %v; want 403 and the application", l.status, l.Missing)
		}
	})

	t.Run("no permission", func(t *testing.T) {
		l := get(t, authorize(t, d, "nora@alpha.example"), d.Slate+"/apis/v1/accounts")
		if l.status != http.StatusForbidden || !cmp.Equal(l.Missing, []string{"permission"}) {
			t.Errorf("%d, missing %v; want 403 and the permission", l.status, l.Missing)
		}
	})

	t.Run("portal", func(t *testing.T) {
		for email, account := range map[string]string{"mia@alpha.example": "Alpha Pictures", "nell@beta.example": "Beta Films"} {
			b := newBrowser(t, d)
			b.open(d.Slate+"/sign-in", email)
			b.send("Allow", nil)
			if !strings.HasPrefix(b.at.String(), d.Slate) || !strings.Contains(text(b.page), account) {
				t.Errorf("%s came to %s, without %s:\n%s", email, b.at, account, text(b.page))
			}
		}
	})

	t.Run("other ports", func(t *testing.T) {
		_, err := madeIn(t.Context(), dir, d.Gatelodge, "http://localhost:1", time.Now(), nil)
		if err == nil || !strings.Contains(err.Error(), "give the same ports") {
			t.Errorf("error %v; want one about the ports", err)
		}
	})

	t.Run("the same again", func(t *testing.T) {
		o := options{data: t.TempDir()}
		before, err := start(t.Context(), o, slog.New(slog.DiscardHandler), now, func(reports.Progress) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, below := range []func(string) string{reportsFolder, archivesFolder} {
			first, second := tree(t, below(dir)), tree(t, below(o.data))
			if len(first) == 0 {
				t.Fatalf("%s is empty", below(dir))
			}
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("another start made other files (-first +second):\n%s", diff)
			}
		}
		if err := before.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A folder that is kept holds the same world at the next start.
		o.gatelodgePort, o.slatePort = port(t, before.Gatelodge), port(t, before.Slate)
		after := begin(t, o, now)
		if diff := cmp.Diff(before.made, after.made); diff != "" {
			t.Errorf("the world is another (-before +now):\n%s", diff)
		}
		if l := get(t, authorize(t, after, robotEmail), after.Slate+"/apis/v1/accounts"); l.Total != 1 {
			t.Errorf("%d accounts; want 1", l.Total)
		}
	})
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		all[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func port(t *testing.T, address string) uint16 {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}

// TestUnfinished: a folder that holds something else is left as it is.
func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gatelodge.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := madeIn(t.Context(), dir, "http://localhost:1", "http://localhost:2", time.Now(), nil)
	if err == nil || !strings.Contains(err.Error(), "give an empty folder") {
		t.Errorf("error %v; want one about the folder", err)
	}
	if left := tree(t, dir); len(left) != 1 {
		t.Errorf("%d files; want the one", len(left))
	}
}

func TestPeriods(t *testing.T) {
	tests := []struct {
		kind, now   string
		first, last string
		count       int
	}{
		{"Paid Weekly", "2030-01-14T23:00:00Z", "2029-01-08_2029-01-14.csv", "2029-12-31_2030-01-06.csv", 52},
		{"Paid Weekly", "2030-01-15T00:00:00Z", "2029-01-15_2029-01-21.csv", "2030-01-07_2030-01-13.csv", 52},
		{"Paid Monthly", "2030-03-01T12:00:00Z", "2029-02-01_2029-02-28.csv", "2030-01-01_2030-01-31.csv", 12},
		{"Paid Monthly", "2030-03-02T12:00:00Z", "2029-03-01_2029-03-31.csv", "2030-02-01_2030-02-28.csv", 12},
	}
	for _, tt := range tests {
		t.Run(tt.kind+" "+tt.now, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, tt.now)
			if err != nil {
				t.Fatal(err)
			}
			all := periods(tt.kind, now)
			if len(all) != tt.count || all[0].file() != tt.first || all[len(all)-1].file() != tt.last {
				t.Errorf("%d from %s to %s; want %d from %s to %s", len(all), all[0].file(), all[len(all)-1].file(), tt.count, tt.first, tt.last)
			}
			if last := all[len(all)-1].available(); last.After(now) {
				t.Errorf("the last is there at %s only", last)
			}
		})
	}
}

// lines passes on whether a text was written.
type lines struct {
	wait string
	seen chan string
	all  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.all.Write(p)
	if strings.Contains(l.all.String(), l.wait) && l.seen != nil {
		l.seen <- l.all.String()
		l.seen = nil
	}
	return len(p), nil
}

// TestCommand: the command prints the walk, ends at a signal, and leaves nothing.
func TestCommand(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &lines{wait: "Ctrl-C", seen: make(chan string, 1)}
	seen := out.seen
	var errs bytes.Buffer
	code := make(chan int)
	go func() { code <- run(ctx, []string{"--gatelodge-port=0", "--slate-port=0"}, out, &errs) }()
	select {
	case printed := <-seen:
		for _, want := range []string{"mia@alpha.example", password, "REPORT_DOWNLOADER_CLIENT_SECRET=amzn1.oa2-cs.v1.", "report-downloader login", "/accounts/1002/applications/new"} {
			if !strings.Contains(printed, want) {
				t.Errorf("the walk does not say %q:\n%s", want, printed)
			}
		}
	case c := <-code:
		t.Fatalf("ended with %d: %s", c, errs.String())
	}
	stop()
	if c := <-code; c != 0 || errs.Len() > 0 {
		t.Errorf("ended with %d and %q; want 0 and nothing", c, errs.String())
	}
	if left := tree(t, temporary); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{{"what"}, {"--slate-port=70000"}, {"--what"}} {
		if code := run(t.Context(), args, io.Discard, io.Discard); code != exitWrongUse {
			t.Errorf("%v ended with %d; want %d", args, code, exitWrongUse)
		}
	}
}
