package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/slate/store"
)

// TestPages: limit and offset count items, and next leads through all of them.
func TestPages(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	for i := range 12 {
		c.account(fmt.Sprintf("Account %02d", i), viewer, true)
	}
	first := c.list("/accounts?limit=5&unknown=x&limit2=%00")
	if first.Total != 12 || len(first.Data) != 5 || *first.Next != slateURL+"/apis/v1/accounts?offset=5&limit=5" {
		t.Errorf("%+v", first)
	}
	var seen []string
	for next := new("/accounts?limit=5"); next != nil; {
		p := c.list(*next)
		seen, next = append(seen, p.ids()...), p.Next
	}
	if len(seen) != 12 || seen[0] != "1001" || seen[11] != "1012" {
		t.Errorf("seen %q", seen)
	}
	for query, want := range map[string]struct {
		items int
		next  string
	}{
		"":                    {10, "offset=10&limit=10"},
		"?offset=2":           {10, ""},
		"?offset=1&limit=2":   {2, "offset=3&limit=2"}, // items, not pages
		"?offset=11":          {1, ""},
		"?offset=12":          {0, ""},
		"?offset=1000000000":  {0, ""},
		"?limit=100":          {12, ""},
		"?limit=1&offset=0":   {1, "offset=1&limit=1"},
		"?Limit=5&LIMIT=junk": {10, "offset=10&limit=10"},
	} {
		p := c.list("/accounts" + query)
		next := ""
		if p.Next != nil {
			_, next, _ = strings.Cut(*p.Next, "?")
		}
		if p.Total != 12 || len(p.Data) != want.items || next != want.next {
			t.Errorf("%s: %d of %d, next %q; want %d, %q", query, len(p.Data), p.Total, next, want.items, want.next)
		}
	}
	for _, query := range []string{
		"limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=99999999999999999999", "limit=5&limit=5", "offset=-1", "offset=",
		"offset=1000000001", "offset=1&offset=1", "limit=%zz", "limit=1;offset=2", "modifiedDateGte=", "modifiedDateGte=yesterday", "modifiedDateGte=2030-02-30",
		"modifiedDateGte=2030-01-01T00:00:00Z&modifiedDateGte=2030-01-01T00:00:00Z",
	} {
		if got := c.get("/accounts?" + query); got.Status != http.StatusBadRequest || got.Text("error") != "invalid_request" || got.Text("error_description") == "" {
			t.Errorf("%s: %v", query, got)
		}
	}
}

// TestModified: what changed since a moment, by a program that comes back.
func TestModified(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	var all []store.Report
	for week := range 3 {
		all = append(all, w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(week), 5))
		w.pass(10 * time.Minute)
	}
	below := c.reports(store.GroupChannels)
	id := func(i int) string { return fmt.Sprint("r-", all[i].ID) }
	since := func(moment string, want ...string) page {
		t.Helper()
		p := c.list(below + "?limit=1&modifiedDateGte=" + moment)
		got := p.ids()
		for next := p.Next; next != nil; {
			q := c.list(*next)
			got, next = append(got, q.ids()...), q.Next
		}
		if diff := cmp.Diff(want, got); diff != "" || p.Total != len(want) {
			t.Errorf("since %s: %d %s", moment, p.Total, diff)
		}
		return p
	}
	second := all[1].ModifiedAt
	told := c.list(below).Data[1]["modifiedDate"].(string)
	since(told, id(1), id(2)) // the time that was told comes back
	since(second.Add(time.Millisecond).Format("2006-01-02T15:04:05.000Z"), id(2))
	since(url.QueryEscape(second.In(time.FixedZone("", 3600)).Format(time.RFC3339)), id(1), id(2))
	since(second.In(time.FixedZone("", 3600)).Format(time.RFC3339), id(1), id(2)) // a plus that means a space
	since(second.Format("2006-01-02T15:04:05"), id(1), id(2))
	since("1970-01-01", id(0), id(1), id(2))
	since("9999-12-31", []string(nil)...)
	since("0000-01-01T00:00:00Z", id(0), id(1), id(2))

	// A corrected report keeps its id and its place, and comes again.
	corrected := w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(0), 6)
	since(corrected.ModifiedAt.Format(time.RFC3339), id(0))
	p := c.list(below)
	if got := p.Data[0]; p.ids()[0] != id(0) || got["version"] != 2.0 || got["modifiedDate"] != corrected.ModifiedAt.Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("corrected: %v", got)
	}
}

// TestConditional: whoever has the answer is not sent it again, and never without the
// rights to it.
func TestConditional(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(0), 5)
	below := c.reports(store.GroupChannels)
	// The beginning of a minute, within which addresses stay the same.
	w.stopClock()
	w.pass(w.now().Truncate(time.Minute).Add(time.Minute).Sub(w.now()))
	whole := c.get(below)
	tag := whole.Header.Get("ETag")
	for header, want := range map[string]int{
		tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200, strings.Trim(tag, `"`): 200,
	} {
		if got := c.get(below, "If-None-Match", header); got.Status != want || got.Header.Get("ETag") != tag {
			t.Errorf("If-None-Match %s: %v", header, got)
		}
	}
	if whole.Header.Get("Cache-Control") != "private, no-cache" || whole.Header.Get("Vary") != "Authorization" {
		t.Errorf("%v", whole.Header)
	}
	head := c.ask(http.MethodHead, below)
	if head.Status != http.StatusOK || head.Body != "" || head.Header.Get("ETag") != tag || head.Header.Get("Content-Length") != strconv.Itoa(len(whole.Body)) {
		t.Errorf("HEAD: %v %v", head, head.Header)
	}
	w.pass(40 * time.Second)
	if got := c.get(below, "If-None-Match", tag); got.Status != http.StatusNotModified {
		t.Errorf("in the same minute: %v", got)
	}
	w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(0), 6)
	if got := c.get(below, "If-None-Match", tag); got.Status != http.StatusOK || got.Header.Get("ETag") == tag {
		t.Errorf("after a correction: %v", got)
	}
	if err := w.slate.Store.AddMember(t.Context(), alpha.ID, c.person.ID, store.Rights{}, w.by()); err != nil {
		t.Fatal(err)
	}
	if got := c.get(below, "If-None-Match", "*"); got.Status != http.StatusForbidden {
		t.Errorf("without the permission: %v", got)
	}
}
