package api_test

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/store"
)

// TestDatabaseAway: whichever question to the database is not answered, the call is
// told to come again, in the words and the form of the API's own refusals, and the
// reason is in the log alone.
func TestDatabaseAway(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			w := newWorld(t, options{db: sqldbtest.Config(t, dialect)})
			c := w.authorize(w.NewApplication(), "Ada Lovelace")
			alpha, _ := c.account("Alpha Pictures", viewer, true)
			w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(0), 5)
			w.publish(alpha.ID, store.GroupStatements, "US-7", "Royalty Weekly", monday(0), 5)
			reports := c.reports(store.GroupChannels)
			types, _, _ := strings.Cut(reports, "/rt-")
			_, statement, _ := strings.Cut(c.reports(store.GroupStatements), "/reportTypes/")
			for _, path := range []string{
				"/accounts", "/accounts/1001", "/accounts/1001/channels", "/accounts/1001/channels?offset=7", types, reports,
				"/accounts/1001/nothing", "/accounts/1001/financialStatement/US-7/reportTypes/" + statement,
			} {
				for n := 1; ; n++ {
					w.db.FailFrom(n, faultdb.Failed)
					got := c.get(path)
					left := w.db.Pending()
					w.db.Reset()
					if left {
						if n == 1 {
							t.Errorf("%s asks nothing", path)
						}
						break
					}
					if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "1" || got.Header.Get("Cache-Control") != "no-store" ||
						!strings.Contains(got.Body, `"error":"temporarily_unavailable","error_description":"The reports cannot be looked up at the moment: try again."`) {
						t.Errorf("%s, question %d: %v", path, n, got)
					}
				}
			}
			if !strings.Contains(w.log.String(), `"cause":"injected fault before query"`) {
				t.Errorf("the log does not say why:\n%s", w.log)
			}
		})
	}
}
