package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
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

// TestRights: what each call needs, and what is said when it is not there.
func TestRights(t *testing.T) {
	w := newWorld(t, options{})
	app := w.NewApplication()
	c := w.authorize(app, "Ada Lovelace")
	s := w.slate.Store
	refused := func(what string, got sim.Answer, status int, words string, missing ...string) {
		t.Helper()
		var told struct {
			Code    string   `json:"error"`
			Words   string   `json:"error_description"`
			Missing []string `json:"missing"`
			ID      string   `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(got.Body), &told); err != nil {
			t.Fatalf("%s: %v", what, got)
		}
		if got.Status != status || !strings.Contains(told.Words, words) || !slices.Equal(told.Missing, missing) || told.ID != got.Header.Get("x-amzn-RequestId") {
			t.Errorf("%s: %v, want %d %q %q", what, got, status, words, missing)
		}
		challenge := got.Header.Get("WWW-Authenticate")
		if (status == http.StatusForbidden) != strings.HasPrefix(challenge, `Bearer error="insufficient_scope", error_description="`) {
			t.Errorf("%s: the challenge %q", what, challenge)
		}
	}
	refused("no account", c.get("/accounts"), 403, "belongs to no Slate account", "permission")
	alpha, _ := c.account("Alpha Pictures", store.Rights{}, false)
	beta, err := s.CreateAccount(t.Context(), "Beta Films", w.by())
	if err != nil {
		t.Fatal(err)
	}
	const one = "/accounts/1001"
	refused("neither", c.get("/accounts"), 403, "in none of their accounts", "permission", "application")
	refused("neither here", c.get(one), 403, "in account 1001", "permission", "application")
	letIn := c.letIn(alpha.ID)
	refused("no permission", c.get("/accounts"), 403, "permission Reports: View Only in none of their accounts", "permission")
	refused("no permission here", c.get(one), 403, "does not have the permission Reports: View Only in account 1001", "permission")
	set := func(r store.Rights) {
		t.Helper()
		if err := s.AddMember(t.Context(), alpha.ID, c.person.ID, r, w.by()); err != nil {
			t.Fatal(err)
		}
	}
	set(viewer)
	for range 2 {
		if got := c.get(one); got.Status != http.StatusOK {
			t.Errorf("both halves: %v", got)
		}
	}
	set(store.Rights{})
	refused("the permission was withdrawn", c.get(one), 403, "does not have the permission", "permission")
	set(viewer)
	if err := s.RemoveApplication(t.Context(), alpha.ID, letIn, w.by()); err != nil {
		t.Fatal(err)
	}
	refused("the application was removed", c.get(one), 403, "Account 1001 has not let the application in", "application")
	refused("no application", c.get("/accounts"), 403, "is let in to none of the accounts", "application")
	if _, err := s.AddApplication(t.Context(), store.Application{AccountID: alpha.ID, ClientID: app.ID, Name: "Downloader"}, w.by()); err != nil {
		t.Fatal(err)
	}
	refused("let in without Reporting", c.get(one), 403, "has not let the application in", "application")

	if got := c.get("/accounts/" + strconv.FormatInt(beta.ID, 10)); got.Status != http.StatusNotFound {
		t.Errorf("another's account: %v", got)
	}
	if err := s.RemoveMember(t.Context(), alpha.ID, c.person.ID, w.by()); !errors.Is(err, store.ErrLastManager) {
		t.Fatal(err)
	}

	// What the token lacks.
	other := w.SignUp("Bob")
	narrow := *c
	narrow.token = app.Redeem(sim.Amazon, other.Code(app, sim.Amazon, "scope", "profile")).Text("access_token")
	if got := narrow.get("/accounts"); got.Status != http.StatusUnauthorized {
		t.Errorf("a token that is not for the API: %v", got)
	}
	alone := w.NewApplication()
	alone.Become(registry.Service)
	own := *c
	given := w.Post("/auth/o2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {alone.ID}, "client_secret": {alone.Secret}, "scope": {scope}})
	if own.token = given.Text("access_token"); own.token == "" {
		t.Fatal(given)
	}
	refused("an application alone", own.get("/accounts"), 403, "application's own", "user")
	for what, headers := range map[string][]string{
		"no token": nil, "another scheme": {"Authorization", "Basic eDp5"}, "a made-up token": {"Authorization", "Bearer Atza|x"},
		"a refresh token": {"Authorization", "Bearer Atzr|x"}, "in the address": {"X-Nothing", ""},
	} {
		got := w.send(http.MethodGet, slateURL+api.Base+"/accounts?access_token="+url.QueryEscape(c.token), headers...)
		if got.Status != http.StatusUnauthorized || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") || got.Text("request_id") == "" {
			t.Errorf("%s: %v %v", what, got, got.Header)
		}
	}
	c.user.Open("/account/applications").Press("Remove")
	if got := c.get("/accounts"); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_token" {
		t.Errorf("after the user took it back: %v", got)
	}
}

// TestOthersIds: what belongs to another account, group or channel is not there.
func TestOthersIds(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	beta, err := w.slate.Store.CreateAccount(t.Context(), "Beta Films", w.by())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.slate.Store.SetStatementID(t.Context(), beta.ID, "RAMP-8", w.by()); err != nil {
		t.Fatal(err)
	}
	// parts are the ids of a channel and of its type.
	parts := func(account int64, group, channel string) (channelID, typeID string) {
		t.Helper()
		w.publish(account, group, channel, "Subscription Weekly", monday(0), 5)
		channels, _, err := w.slate.Store.Channels(t.Context(), account, group, store.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		found := channels[slices.IndexFunc(channels, func(c store.Channel) bool { return c.Folder == channel })]
		types, _, err := w.slate.Store.Types(t.Context(), found.ID, store.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint("c-", found.ID), fmt.Sprint("rt-", types[0].ID)
	}
	own, ownType := parts(alpha.ID, store.GroupChannels, "Own")
	second, secondType := parts(alpha.ID, store.GroupChannels, "Second")
	others, othersType := parts(beta.ID, store.GroupChannels, "Others")
	parts(beta.ID, store.GroupStatements, "US-8")
	for path, want := range map[string]int{
		"/accounts/1001/channels/" + own + "/reportTypes/" + ownType + "/reports":       200,
		"/accounts/1001/channels/" + second + "/reportTypes/" + secondType + "/reports": 200,
		"/accounts/1001/channels/" + own + "/reportTypes/" + secondType + "/reports":    404,
		"/accounts/1001/channels/" + own + "/reportTypes/" + othersType + "/reports":    404,
		"/accounts/1001/channels/" + others + "/reportTypes/" + othersType + "/reports": 404,
		"/accounts/1001/channels/" + others + "/reportTypes":                            404,
		"/accounts/1001/rentOrBuy/" + own + "/reportTypes":                              404,
		"/accounts/1001/financialStatement/" + own + "/reportTypes":                     404,
		"/accounts/1001/financialStatement/US-8/reportTypes":                            404,
		"/accounts/1001/channels/Own/reportTypes":                                       404,
		"/accounts/1002/channels":                                                       404,
		"/accounts/RAMP-8/financialStatement":                                           404,
		"/accounts/RAMP-8/financialStatement/US-8/reportTypes":                          404,
		"/accounts/01001":         404,
		"/accounts/1001/Channels": 404,
		"/accounts/1001/channels/" + strings.TrimPrefix(own, "c-") + "/reportTypes":      404,
		"/accounts/1001/channels/" + own + "/reportTypes/" + own + "/reports":            404,
		"/accounts/1001/channels/" + own + "/reporttypes":                                404,
		"/accounts/1001/channels/" + own + "/reportTypes/" + ownType + "/reports?limit=": 400,
	} {
		if got := c.get(path); got.Status != want {
			t.Errorf("%s: %v, want %d", path, got, want)
		}
	}
}

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

// TestDocument makes every answer that the document has for every path; each is held
// to it.
func TestDocument(t *testing.T) {
	w := newWorld(t, options{})
	d := readDocument(t)
	app := w.NewApplication()
	c := w.authorize(app, "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	c.account("Beta Films", viewer, false)
	w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(0), 5)
	w.publish(alpha.ID, store.GroupStatements, "US-7", "Royalty Weekly", monday(0), 3)
	stranger := w.authorize(app, "Bob")
	busy := w.authorize(app, "Carol")
	filled := func(template string) string {
		group := "channels"
		if strings.Contains(template, store.GroupStatements) {
			group = store.GroupStatements
		}
		channel := c.list("/accounts/1001/" + group).ids()[0]
		kind := c.list("/accounts/1001/" + group + "/" + channel + "/reportTypes").ids()[0]
		return strings.NewReplacer("{account}", "1001", "{group}", group, "{channel}", channel, "{reportIdentifier}", "US-7", "{type}", kind).Replace(template)
	}
	for _, template := range d.paths {
		path := filled(template)
		made := map[string]func() sim.Answer{
			"200": func() sim.Answer { return c.get(path) },
			"304": func() sim.Answer { return c.get(path, "If-None-Match", "*") },
			"400": func() sim.Answer { return c.get(path + "?limit=x") },
			"401": func() sim.Answer { return w.send(http.MethodGet, slateURL+api.Base+path) },
			"403": func() sim.Answer {
				if template == "/accounts" {
					return stranger.get(path)
				}
				return c.get(strings.Replace(path, "1001", "1002", 1))
			},
			"404": func() sim.Answer { return c.get(strings.Replace(path, "1001", "77", 1)) },
			"405": func() sim.Answer { return c.ask(http.MethodDelete, path) },
			"429": func() (got sim.Answer) {
				for range 1000 { // some come back while it is used up
					if got = busy.get(path); got.Status == http.StatusTooManyRequests {
						break
					}
				}
				return got
			},
			"500": func() sim.Answer {
				w.change("ALTER TABLE members RENAME TO lost")
				defer w.change("ALTER TABLE lost RENAME TO members")
				return c.get(path)
			},
			"503": func() sim.Answer {
				down := *c
				down.token = "Atza|unknown"
				w.cut.Store(true)
				defer w.cut.Store(false)
				return down.get(path)
			},
		}
		for status := range d.at("paths", template, "get", "responses") {
			if made[status] == nil {
				t.Errorf("%s: nothing here makes a %s", template, status)
			} else if got := made[status](); fmtStatus(got.Status) != status {
				t.Errorf("%s: %v, want %s", path, got, status)
			}
		}
		if got := c.ask(http.MethodOptions, path); got.Status != http.StatusNoContent || got.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("OPTIONS %s: %v", path, got)
		}
		if got := c.get(path + "/?limit=2"); got.Status != http.StatusTemporaryRedirect || got.Header.Get("Location") != api.Base+path+"?limit=2" {
			t.Errorf("%s/: %v", path, got)
		}
	}
	for _, path := range []string{"", "/", "/account", "/accounts/1001/channels/x", "/accounts/1001/channels/x/reports", "/accounts/1001//reportTypes/x/reports/y"} {
		if got := c.get(path); got.Status != http.StatusNotFound && got.Status != http.StatusTemporaryRedirect {
			t.Errorf("%s: %v", path, got)
		}
	}
	// A page of any origin may call with its user's token.
	asked := w.send(http.MethodOptions, slateURL+api.Base+"/accounts", "Origin", "https://app.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	if asked.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(asked.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %v", asked.Header)
	}
	if got := c.get("/accounts", "Origin", "https://app.example"); got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("another origin: %v", got.Header)
	}
	served := w.send(http.MethodGet, slateURL+api.Base+"/openapi.json")
	if !strings.Contains(served.Body, `"url": "`+slateURL+api.Base+`"`) {
		t.Error("the document does not say where the server is")
	}
	if served.Status != http.StatusOK || served.Header.Get("Content-Type") != "application/json" || !json.Valid([]byte(served.Body)) {
		t.Errorf("the document: %v", served)
	}
	shown := w.send(http.MethodGet, slateURL+"/apis")
	for _, template := range d.paths {
		if !strings.Contains(shown.Body, "GET "+api.Base+template) {
			t.Errorf("the page does not show %s", template)
		}
	}
	for _, words := range []string{"modifiedDateGte", "curl", "statusDescription", "429"} {
		if !strings.Contains(shown.Body, words) {
			t.Errorf("the page does not say %s", words)
		}
	}
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

// strange are parts of addresses, from account to type, and queries, that somebody may
// make up.
var strange = [][5]string{
	{"1001", "financialStatement", "US-7", "rt-1", "limit=5&offset=1"}, {"1001", "financialStatement", "\x00", "rt-1", "modifiedDateGte=2030-01-01"},
	{"1001", "financialStatement", "\xff\xfe", "rt-1", ""}, {"1001", "\x00", "c-1", "rt-1", ""}, {"\x00", "financialStatement", "c-1", "rt-1", ""},
	{"1001", "channels", "c-9223372036854775808", "rt--1", "limit=%00"}, {"..", "\xff", "c-01", "rt-9223372036854775807", "offset=1000000000"},
	{"1001", "financialStatement", "c-1'; DROP TABLE reports", "?", "modifiedDateGte=9999-12-31T23:59:60Z"}, {"1001", "channels", "", "", "%"},
	{"1001", "financialStatement", strings.Repeat("é", 4000), "rt-1", "limit=" + strings.Repeat("9", 4000)},
}

// TestStrangeAddresses on both databases, which take different texts.
func TestStrangeAddresses(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			w := newWorld(t, options{db: sqldbtest.Config(t, dialect)})
			c := w.authorize(w.NewApplication(), "Ada Lovelace")
			alpha, _ := c.account("Alpha Pictures", viewer, true)
			w.publish(alpha.ID, store.GroupStatements, "US-7", "Royalty Weekly", monday(0), 3)
			for _, s := range strange {
				c.strange(t, s)
			}
			// The same as ids that are there.
			id := c.list("/accounts/1001/financialStatement").ids()[0]
			c.strange(t, [5]string{"1001", "financialStatement", id, "\x00", ""})
		})
	}
}

// strange asks for an address that is made up: it is understood or not, never a fault.
func (c *caller) strange(t *testing.T, parts [5]string) {
	t.Helper()
	path := api.Base + "/accounts/" + url.PathEscape(parts[0]) + "/" + url.PathEscape(parts[1]) + "/" + url.PathEscape(parts[2]) + "/reportTypes/" + url.PathEscape(parts[3]) + "/reports"
	address := &url.URL{Scheme: "http", Host: slateHost, RawPath: path, RawQuery: parts[4]}
	var err error
	if address.Path, err = url.PathUnescape(path); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address.String(), nil)
	if err != nil {
		return // an address that no client asks for
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.w.Client().Do(r)
	if err != nil {
		return
	}
	defer response.Body.Close()
	if !slices.Contains([]int{200, 307, 400, 404}, response.StatusCode) {
		t.Errorf("%s: %d", address, response.StatusCode)
	}
}

func FuzzAddresses(f *testing.F) {
	w := newWorld(f, options{rate: api.Rate{PerSecond: 1e9, Burst: 1e9}})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	w.publish(alpha.ID, store.GroupStatements, "US-7", "Royalty Weekly", monday(0), 3)
	for _, s := range strange {
		f.Add(s[0], s[1], s[2], s[3], s[4])
	}
	f.Fuzz(func(t *testing.T, account, group, channel, kind, query string) {
		w.Use(t)
		before := w.t
		w.t = t
		defer func() { w.t = before }()
		c.strange(t, [5]string{account, group, channel, kind, query})
	})
}
