package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/slate/api"
	"gatelodge/slate/store"
)

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// TestOthersAreNotThere: what belongs to another account, or to nobody, is answered in
// the same words, and with the same questions to the database.
func TestOthersAreNotThere(t *testing.T) {
	w := newWorld(t, options{})
	app := w.NewApplication()
	ada, bob := w.authorize(app, "Ada Lovelace"), w.authorize(app, "Bob")
	alpha, _ := ada.account("Alpha Pictures", viewer, true)
	beta, _ := bob.account("Beta Films", viewer, true)
	for _, account := range []int64{alpha.ID, beta.ID} {
		w.publish(account, store.GroupChannels, "Sample", "Subscription Weekly", monday(0), 5)
		w.publish(account, store.GroupChannels, "Sample", "Usage Weekly", monday(0), 5)
		w.publish(account, store.GroupStatements, fmt.Sprint("ID-", account), "Royalty Weekly", monday(0), 3)
	}
	if err := w.slate.Store.SetStatementID(t.Context(), beta.ID, "RAMP-7", w.by()); err != nil {
		t.Fatal(err)
	}
	path := func(c *caller, account int64) (channel, kind string) {
		channel = c.list(fmt.Sprintf("/accounts/%d/channels", account)).ids()[0]
		return channel, c.list(fmt.Sprintf("/accounts/%d/channels/%s/reportTypes", account, channel)).ids()[0]
	}
	channel, kind := path(ada, alpha.ID)
	theirs, theirKind := path(bob, beta.ID)
	const nobody = "c-77"
	for what, pair := range map[string][2]string{
		"account":               {"/accounts/1002", "/accounts/9999"},
		"its group":             {"/accounts/1002/channels", "/accounts/9999/channels"},
		"its channel":           {"/accounts/1002/channels/" + theirs + "/reportTypes", "/accounts/9999/channels/" + nobody + "/reportTypes"},
		"its reports":           {"/accounts/1002/channels/" + theirs + "/reportTypes/" + theirKind + "/reports", "/accounts/9999/channels/c-1/reportTypes/rt-1/reports"},
		"its channel as ours":   {"/accounts/1001/channels/" + theirs + "/reportTypes", "/accounts/1001/channels/" + nobody + "/reportTypes"},
		"its type as ours":      {"/accounts/1001/channels/" + channel + "/reportTypes/" + theirKind + "/reports", "/accounts/1001/channels/" + channel + "/reportTypes/rt-77/reports"},
		"our type, its channel": {"/accounts/1001/channels/" + theirs + "/reportTypes/" + kind + "/reports", "/accounts/1001/channels/" + nobody + "/reportTypes/" + kind + "/reports"},
		"its statement id":      {"/accounts/RAMP-7/financialStatement", "/accounts/RAMP-8/financialStatement"},
		"its identifier":        {"/accounts/1001/financialStatement/ID-1002/reportTypes", "/accounts/1001/financialStatement/ID-9999/reportTypes"},
		"a channel elsewhere":   {"/accounts/1001/rentOrBuy/" + channel + "/reportTypes", "/accounts/1001/rentOrBuy/" + nobody + "/reportTypes"},
	} {
		w.db.Reset()
		one := ada.get(pair[0])
		first := w.db.Counts()
		w.db.Reset()
		other := ada.get(pair[1])
		if second := w.db.Counts(); first != second {
			t.Errorf("%s: %+v, and of nobody %+v", what, first, second)
		}
		if one.Status != http.StatusNotFound || other.Status != http.StatusNotFound ||
			requestID.ReplaceAllString(one.Body, "") != requestID.ReplaceAllString(other.Body, "") {
			t.Errorf("%s: %v, and of nobody %v", what, one, other)
		}
	}
	if got := ada.get("/accounts/1001/channels/" + channel + "/reportTypes/" + kind + "/reports"); got.Status != http.StatusOK {
		t.Errorf("one's own: %v", got)
	}
}

// changed has another first letter, whatever that was.
func changed(signature string) string {
	if signature[0] == 'A' {
		return "B" + signature[1:]
	}
	return "A" + signature[1:]
}

// TestBadDownloads: an address is good as it was given out, as often as one likes, for
// as long as it says.
func TestBadDownloads(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	c.account("Alpha Pictures", viewer, true)
	put(t, w, "1001/channels/Sample (US)/Subscription Weekly/2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,12\n")
	put(t, w, "1001/channels/Sample (US)/Subscription Weekly/2030-01-14_2030-01-20.csv", "Date,Subscriptions\n1/14/2030,13\n")
	listed := c.list(c.reports(store.GroupChannels)).Data
	given, other := listed[0]["downloadUrl"].(string), listed[1]["downloadUrl"].(string)
	u, err := url.Parse(given)
	if err != nil {
		t.Fatal(err)
	}
	expires, signature := u.Query().Get("expires"), u.Query().Get("signature")
	base := slateURL + u.Path
	o, err := url.Parse(other)
	if err != nil {
		t.Fatal(err)
	}
	with := func(base, expires, signature string) string {
		return base + "?" + url.Values{"expires": {expires}, "signature": {signature}}.Encode()
	}
	for what, address := range map[string]string{
		"nothing":                 base,
		"no signature":            base + "?expires=" + expires,
		"an empty one":            with(base, expires, ""),
		"no end":                  base + "?signature=" + signature,
		"that of another file":    with(slateURL+o.Path, expires, signature),
		"a later end":             with(base, expires+"0", signature),
		"the same end, written 0": with(base, "0"+expires, signature),
		"with a sign":             with(base, "+"+expires, signature),
		"of 1969":                 with(base, "-1", signature),
		"beyond all numbers":      with(base, strings.Repeat("9", 40), signature),
		"another letter":          with(base, expires, changed(signature)),
		"padded":                  with(base, expires, signature+"="),
		"a second end":            given + "&expires=99999999999",
		"a second end, first":     base + "?expires=99999999999&" + u.RawQuery,
		"a second signature":      given + "&signature=x",
		"out of the folder":       with(slateURL+"/downloads/..%2f..%2fetc%2fpasswd", expires, signature),
		"the folder":              with(slateURL+"/downloads/", expires, signature),
		"a NUL":                   with(base+"%00", expires, signature),
		"a point before it":       with(slateURL+"/downloads/.%2F"+strings.TrimPrefix(u.Path, "/downloads/"), expires, signature),
		"not percent-encoded":     base + "?expires=%zz&signature=" + signature,
	} {
		got := w.send(http.MethodGet, address)
		if got.Status != http.StatusForbidden || got.Text("error") != "download_refused" || strings.Contains(got.Body, "PK") {
			t.Errorf("%s: %v", what, got)
		}
	}
	for range 3 {
		if got := w.send(http.MethodGet, given); got.Status != http.StatusOK || !strings.HasPrefix(got.Body, "PK") {
			t.Errorf("as it was given: %v", got)
		}
	}
	if got := w.send(http.MethodGet, given, "Range", "bytes=99999999-"); got.Status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: %v", got)
	}
	if got := w.send(http.MethodHead, given); got.Status != http.StatusOK || got.Body != "" {
		t.Errorf("HEAD: %v", got)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, "PROPFIND"} {
		if got := w.send(method, given); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %v %v", method, got, got.Header)
		}
	}
	w.pass(6 * time.Minute)
	if got := w.send(http.MethodGet, given); got.Status != http.StatusForbidden || !strings.Contains(got.Text("error_description"), "has expired") {
		t.Errorf("later: %v", got)
	}
}

// TestMethods: the API is read, and nothing else.
func TestMethods(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	c.account("Alpha Pictures", viewer, true)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, "TRACE", "PROPFIND"} {
		for _, path := range []string{"/accounts", "/accounts/1001"} {
			if got := c.ask(method, path); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s %s: %v", method, path, got)
			}
		}
	}
	if got := w.send(http.MethodGet, slateURL+api.Base+"/accounts?access_token="+url.QueryEscape(c.token)); got.Status != http.StatusUnauthorized {
		t.Errorf("a token in the address: %v", got)
	}
}
