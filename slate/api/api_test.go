package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/faultdb"
	"gatelodge/slate/api"
	"gatelodge/slate/store"
)

func fmtStatus(status int) string { return strconv.Itoa(status) }

var viewer = store.Rights{Reports: true}

// TestWalk goes from the accounts down to the reports by what each answer tells, and
// to financial statements by the ids that a partner was given.
func TestWalk(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	alpha, application := c.account("Alpha Pictures", viewer, true)
	c.account("Beta Films", viewer, false)
	if err := w.slate.Store.SetStatementID(t.Context(), alpha.ID, "RAMP-7", w.by()); err != nil {
		t.Fatal(err)
	}
	good := w.publish(alpha.ID, store.GroupChannels, "Sample Channel", "Subscription Weekly", monday(0), 120)
	w.publish(alpha.ID, store.GroupChannels, "Sample Channel", "Subscription Weekly", monday(1), 0)
	w.publish(alpha.ID, store.GroupRentOrBuy, "Studio", "Subscription Weekly", monday(0), 1)
	statement := w.publish(alpha.ID, store.GroupStatements, "US-7 (net)", "Royalty Weekly", monday(0), 3)

	want := func(what string, got page, items ...map[string]any) {
		t.Helper()
		if diff := cmp.Diff(page{Total: len(items), Data: items}, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	want("accounts", c.list("/accounts"), map[string]any{"id": "1001", "name": "Alpha Pictures", "financialStatementId": "RAMP-7"})
	want("groups", c.list("/accounts/1001"), map[string]any{"id": "channels", "name": "Channels"},
		map[string]any{"id": "rentOrBuy", "name": "Rent or Buy"}, map[string]any{"id": "financialStatement", "name": "Financial Statements"})
	channels := c.list("/accounts/1001/channels")
	channel := channels.ids()[0]
	want("channels", channels, map[string]any{"id": channel, "name": "Sample Channel", "territory": "US"})
	want("an empty group", c.list("/accounts/1001/channelsPremium"), []map[string]any{}...)
	types := c.list("/accounts/1001/channels/" + channel + "/reportTypes")
	kind := types.ids()[0]
	want("types", types, map[string]any{"id": kind, "name": "Subscription", "cadence": "Weekly"})
	reports := c.list("/accounts/1001/channels/" + channel + "/reportTypes/" + kind + "/reports")
	address, _ := reports.Data[0]["downloadUrl"].(string)
	want("reports", reports, map[string]any{
		"id": fmt.Sprint("r-", good.ID), "name": "Subscription", "reportDateBegin": "2030-01-07", "reportDateEnd": "2030-01-13",
		"modifiedDate": good.ModifiedAt.Format("2006-01-02T15:04:05.000Z"), "numRows": 120.0, "version": 1.0, "status": "Available",
		"downloadUrl": address, "bytes": 99.0, "sha256": "01" + strings.Repeat("0", 62),
	}, map[string]any{
		"id": reports.Data[1]["id"], "name": "Subscription", "reportDateBegin": "2030-01-14", "reportDateEnd": "2030-01-20",
		"modifiedDate": reports.Data[1]["modifiedDate"], "numRows": 0.0, "version": 1.0, "status": "NoActivity",
		"statusDescription": "There was no activity in this period: there is nothing to download.",
	})
	if !strings.HasPrefix(address, slateURL+"/downloads/f.zip/Sample-Channel_Subscription-Weekly_2030-01-07_2030-01-13.zip?expires=") {
		t.Errorf("downloadUrl %q", address)
	}

	identifiers := c.list("/accounts/RAMP-7/financialStatement")
	id := identifiers.ids()[0]
	want("report identifiers", identifiers, map[string]any{"id": id, "name": "US-7 (net)", "reportIdentifier": "US-7 (net)"})
	for _, account := range []string{"RAMP-7", "1001"} {
		for _, identifier := range []string{id, "US-7%20(net)"} {
			below := "/accounts/" + account + "/financialStatement/" + identifier + "/reportTypes"
			kind := c.list(below).ids()[0]
			if got := c.list(below + "/" + kind + "/reports").ids(); !slices.Equal(got, []string{fmt.Sprint("r-", statement.ID)}) {
				t.Errorf("%s: %q", below, got)
			}
		}
	}

	// When the application called is not written at each call.
	lastCall := func() time.Time {
		a, err := w.slate.Store.Application(t.Context(), application)
		if err != nil {
			t.Fatal(err)
		}
		return a.LastCallAt
	}
	if at := lastCall(); !at.IsZero() {
		t.Errorf("written at the call: %v", at)
	}
}

// TestDownload: what is listed can be fetched, without a token.
func TestDownload(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	c.account("Alpha Pictures", viewer, true)
	put(t, w, "1001/channels/Sample (US)/Subscription Weekly/2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,12\n")
	below := c.reports(store.GroupChannels)
	report := c.list(below).Data[0]
	got := w.send(http.MethodGet, report["downloadUrl"].(string))
	if got.Status != http.StatusOK || float64(len(got.Body)) != report["bytes"] || sha256Hex(got.Body) != report["sha256"] {
		t.Errorf("%d, %d bytes: %v", got.Status, len(got.Body), report)
	}
	w.pass(3 * time.Minute)
	if got := w.send(http.MethodGet, report["downloadUrl"].(string), "Range", "bytes=0-1"); got.Status != http.StatusPartialContent || got.Body != "PK" {
		t.Errorf("later: %v", got)
	}
	w.pass(3 * time.Minute)
	if got := w.send(http.MethodGet, report["downloadUrl"].(string)); got.Status != http.StatusForbidden {
		t.Errorf("after five minutes: %v", got)
	}
	if got := w.send(http.MethodPost, report["downloadUrl"].(string)); got.Status == http.StatusOK {
		t.Errorf("POST: %v", got)
	}
}

// TestBadTokens: whoever makes tokens up is told to wait, and those who have one notice
// nothing of it.
func TestBadTokens(t *testing.T) {
	w := newWorld(t, options{})
	ada := w.authorize(w.NewApplication(), "Ada Lovelace")
	ada.account("Alpha Pictures", viewer, true)
	stranger := *ada
	for i := range 1000 {
		stranger.token = fmt.Sprint("gl_at_", i)
		got := stranger.get("/accounts", "X-Forwarded-For", "192.0.2.1")
		if got.Status == http.StatusUnauthorized {
			continue
		}
		if got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "1" || got.Header.Get("WWW-Authenticate") != "" || !strings.Contains(got.Text("error_description"), "this address") {
			t.Fatalf("%v %v", got, got.Header)
		}
		if got := ada.get("/accounts", "X-Forwarded-For", "203.0.113.9"); got.Status != http.StatusOK {
			t.Errorf("from elsewhere: %v", got)
		}
		return
	}
	t.Error("1000 bad tokens, and no end of it")
}

// TestBudget: how often each resource asks the database, and that it never writes.
func TestBudget(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	for week := range 30 {
		w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(week), 5)
	}
	reports := c.reports(store.GroupChannels)
	channels := "/accounts/1001/channels"
	types, _, _ := strings.Cut(reports, "/rt-")
	c.list(reports) // the order of a list is read once, and so is the page
	for path, want := range map[string]int{"/accounts": 1, "/accounts/1001": 2, channels: 1, types: 1, reports: 1, reports + "?offset=10": 2, reports + "?limit=100&modifiedDateGte=2020-01-01": 2} {
		w.db.Reset()
		c.list(path)
		if diff := cmp.Diff(faultdb.Counts{Queries: want}, w.db.Counts()); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// TestFollowing: with answers kept, what ends in Gatelodge ends here within seconds,
// and when the application called is written down at the end.
func TestFollowing(t *testing.T) {
	w := newWorld(t, options{follow: true})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	_, application := c.account("Alpha Pictures", viewer, true)
	beta, other := c.account("Beta Films", viewer, true)
	if got := c.get("/accounts/" + strconv.FormatInt(beta.ID, 10)); got.Status != http.StatusOK {
		t.Fatal(got)
	}
	w.pass(time.Hour / 2)
	if got := c.get("/accounts/1001"); got.Status != http.StatusOK {
		t.Fatal(got)
	}
	c.user.Open("/account/applications").Press("Remove")
	deadline := time.Now().Add(10 * time.Second)
	for c.get("/accounts").Status != http.StatusUnauthorized {
		if time.Now().After(deadline) {
			t.Fatal("the token is still good")
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.stop()
	for id, want := range map[int64]time.Duration{application: 0, other: time.Hour / 2} {
		a, err := w.slate.Store.Application(t.Context(), id)
		if err != nil || (w.now().Sub(a.LastCallAt)-want).Abs() > time.Minute {
			t.Errorf("last call %v, %v, want %v ago", a.LastCallAt, err, want)
		}
	}
}

// TestRate: each application has its own share of calls for each user.
func TestRate(t *testing.T) {
	w := newWorld(t, options{rate: api.Rate{PerSecond: 0.5, Burst: 3}})
	app := w.NewApplication()
	ada, bob := w.authorize(app, "Ada Lovelace"), w.authorize(app, "Bob")
	ada.account("Alpha Pictures", viewer, true)
	w.stopClock()
	var left []string
	for range 3 {
		got := ada.get("/accounts")
		if got.Status != http.StatusOK || got.Header.Get("RateLimit-Limit") != "3" {
			t.Fatalf("%v %v", got, got.Header)
		}
		left = append(left, got.Header.Get("RateLimit-Remaining"))
	}
	if !slices.Equal(left, []string{"2", "1", "0"}) {
		t.Errorf("left %q", left)
	}
	got := ada.get("/accounts")
	if got.Status != http.StatusTooManyRequests || got.Text("error") != "too_many_requests" || got.Header.Get("Retry-After") != "2" ||
		got.Header.Get("RateLimit-Remaining") != "0" || got.Header.Get("RateLimit-Reset") != "6" {
		t.Errorf("the fourth: %v %v", got, got.Header)
	}
	if got := bob.get("/accounts"); got.Status != http.StatusForbidden || got.Header.Get("RateLimit-Remaining") != "2" {
		t.Errorf("another user: %v %v", got, got.Header)
	}
	w.pass(2 * time.Second)
	if got := ada.get("/accounts"); got.Status != http.StatusOK {
		t.Errorf("after Retry-After: %v", got)
	}
}
