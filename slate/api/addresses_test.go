package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/api"
	"gatelodge/slate/store"
)

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
