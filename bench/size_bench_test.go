package bench

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

var (
	sizeProfiles = flag.Int("size.profiles", 0, "profiles in the database of BenchmarkSize; 0 leaves it out")
	sizeTraffic  = flag.Int("size.traffic", 1_000_000, "things that happen on the day of BenchmarkSize")
	sizeDraw     = flag.Int("size.draw", 10_000, "grants of the draw that fits the cache")
	sizeRequests = flag.Int("size.requests", 6_000, "requests of each measurement")
	sizePostgres = flag.Bool("size.postgres", false, "on PostgreSQL in place of SQLite")
)

// newCrowd makes people for a town, each with a public application.
func newCrowd(b *testing.B, t *town, grants int) *crowd {
	b.Helper()
	c := &crowd{town: t, client: newClient(), key: newClientKey(b), grants: grants}
	public := len(c.Profiles)
	developer, err := t.store.CreateDeveloper(b.Context(), c.AccountID(0), store.NewDeveloper{Company: "Public", Country: "GB"}, audit.By{At: c.now()})
	if err != nil {
		b.Fatal(err)
	}
	p, err := t.store.CreateProfile(b.Context(), store.NewProfile{
		DeveloperID: developer.ID, Form: registry.ProfileForm{Name: "Public", Description: "Load", PrivacyURL: "https://example.com/privacy"},
		Settings: registry.Settings{Kind: registry.SinglePage}, ReturnURLs: []registry.ReturnURL{{Value: returnURL}},
	}, audit.By{At: c.now()})
	if err != nil {
		b.Fatal(err)
	}
	t.Profiles = append(t.Profiles, storetest.FilledProfile{ID: p.ID, ClientID: storetest.Namespace.ClientID(p.Client)})
	if err := c.meet(min(500, grants/4), func(account int) (int, error) {
		_, err := t.store.Allow(b.Context(), store.Allowance{
			AccountID: c.AccountID(account), ProfileID: p.ID, Asked: c.scopes, Allowed: c.scopes, Words: "bench",
		}, audit.By{At: c.now()})
		return public, err
	}); err != nil {
		b.Fatal(err)
	}
	return c
}

// cost is the server's processor time of one request.
func (c *crowd) cost(b *testing.B, do func() error, n int) time.Duration {
	b.Helper()
	before := c.cpu(b)
	if err := c.do(n, do); err != nil {
		b.Fatal(err)
	}
	return (c.cpu(b) - before) / time.Duration(n)
}

// BenchmarkSize fills a database, lets a day of traffic pass, and compares what
// requests cost with what they cost on a small one.
func BenchmarkSize(b *testing.B) {
	if *sizeProfiles == 0 {
		b.Skip("-size.profiles says how many")
	}
	var database sqldb.Config
	if *sizePostgres {
		database = sqldbtest.Config(b, sqldb.Postgres)
	}
	small := settle(b, sqldb.Config{}, 1_000, 100, 1_000)
	large := settle(b, database, *sizeProfiles, *sizeProfiles, 10**sizeProfiles)
	few, cached := newCrowd(b, small, 1_000), newCrowd(b, large, *sizeDraw)

	before := large.tables(b)
	began := time.Now()
	if err := cached.live(*sizeTraffic); err != nil {
		b.Fatal(err)
	}
	say("a day of %d in %v: %s", *sizeTraffic, time.Since(began).Round(time.Second), large.storage(b))
	// One expiry period, then little traffic: sessions are the last to end, after 12 hours.
	if err := cached.sleep(12 * time.Hour); err != nil {
		b.Fatal(err)
	}
	if err := cached.live(*sizeTraffic / 20); err != nil {
		b.Fatal(err)
	}
	say("one period later: %s", large.storage(b))
	say("grown by: %s", grown(before, large.tables(b)))
	say("%s", large.rows(b))
	say("resident %.0f MiB", large.residentMiB(b))

	if err := few.live(2000); err != nil {
		b.Fatal(err)
	}
	floor := start(b, []string{floorVariable + "=1"}, os.Args[0])
	all := &crowd{town: large, client: cached.client, key: cached.key, grants: large.Grants}
	if err := all.meet(2_000, nil); err != nil {
		b.Fatal(err)
	}
	compare(b, floor, few, cached, all)
	say("resident %.0f MiB", large.residentMiB(b))
	large.stop()
	large.real(b, cached, all)
}

// real measures the command itself on the database: how it starts, what memory it
// takes, and whether sign-ins keep tokens waiting.
func (t *town) real(b *testing.B, cached, all *crowd) {
	b.Helper()
	var ready []time.Duration
	var idle float64
	for range 5 {
		ready = append(ready, t.openReal(b))
		time.Sleep(time.Second)
		idle = t.residentMiB(b)
		t.cmd.Process.Signal(syscall.SIGTERM)
		t.cmd.Wait()
	}
	slices.Sort(ready)
	say("ready in %v (median of 5), idle %.0f MiB", ready[2].Round(time.Millisecond), idle)
	t.openReal(b)
	sizeOf := func(what string, c *crowd, n int, do func() error) {
		if err := c.do(n, do); err != nil {
			b.Fatal(err)
		}
		say("%s: resident %.0f MiB, at most %.0f", what, t.residentMiB(b), t.peakMiB(b))
	}
	sizeOf("after tokens of the small draw", cached, 20_000, cached.refresh)
	before := t.cpu(b)
	const signIns = 200
	if err := all.do(signIns, all.signIn); err != nil {
		b.Fatal(err)
	}
	say("sign-in: %v, argon2id with it", (t.cpu(b)-before)/signIns)
	calm := all.latencies(4_000, nil)
	busy := all.latencies(4_000, all.signInAsOften)
	say("refresh: p50 %v p99 %v; while people sign in: p50 %v p99 %v", calm[len(calm)/2], calm[len(calm)*99/100], busy[len(busy)/2], busy[len(busy)*99/100])
	say("after sign-ins: resident %.0f MiB, at most %.0f", t.residentMiB(b), t.peakMiB(b))
	time.Sleep(8 * time.Second)
	say("8 seconds later: resident %.0f MiB", t.residentMiB(b))
	sizeOf("after tokens from all", all, *sizeRequests*50, all.refresh)
	sizeOf("after UserInfo from all", all, *sizeRequests*50, all.userInfo)
	time.Sleep(time.Minute)
	say("a minute later: resident %.0f MiB", t.residentMiB(b))
}

// latencies refreshes n times by four applications while others do something else.
func (c *crowd) latencies(n int, meanwhile func(ctx context.Context)) []time.Duration {
	ctx, stop := context.WithCancel(context.Background())
	var others sync.WaitGroup
	if meanwhile != nil {
		for range connections {
			others.Go(func() { meanwhile(ctx) })
		}
	}
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < n; i += 4 {
				began := time.Now()
				if err := c.refresh(); err != nil {
					panic(err)
				}
				took[i] = time.Since(began).Round(time.Microsecond)
			}
		})
	}
	wg.Wait()
	stop()
	others.Wait()
	slices.Sort(took)
	return took
}

// signInAsOften signs people in, one after the other. Who is asked to come back later
// does.
func (c *crowd) signInAsOften(ctx context.Context) {
	for ctx.Err() == nil {
		_, _ = c.submit("", "/sign-in", url.Values{"email": {c.Email(rand.IntN(c.Accounts))}, "password": {password}})
	}
}

func (p *process) peakMiB(b *testing.B) float64 { return p.memoryMiB(b, "VmHWM:") }

// compare measures in turns and keeps the least of each: what else goes on can only add.
func compare(b *testing.B, floor *process, few, cached, all *crowd) {
	b.Helper()
	type operation struct {
		name string
		of   func(*crowd) func() error
		part int // of the requests
	}
	operations := []operation{
		{"refresh", func(c *crowd) func() error { return c.refresh }, 1},
		{"client credentials", func(c *crowd) func() error { return c.clientCredentials }, 1},
		{"introspection", func(c *crowd) func() error { return c.introspect }, 1},
		{"tokeninfo", func(c *crowd) func() error { return c.tokenInfo }, 1},
		{"UserInfo", func(c *crowd) func() error { return c.userInfo }, 1},
		{"code flow", func(c *crowd) func() error { return c.flow }, 3},
		{"rotating refresh", func(c *crowd) func() error { return c.rotate }, 2},
	}
	least := map[string][3]time.Duration{}
	least0 := time.Duration(1 << 62)
	request := post(floor.base, few.credentials(0))
	measure := func(i int, c *crowd) {
		for _, op := range operations {
			if op.name == "rotating refresh" && c == all {
				continue
			}
			costs := least[op.name]
			if took := c.cost(b, op.of(c), *sizeRequests/op.part); costs[i] == 0 || took < costs[i] {
				costs[i] = took
			}
			least[op.name] = costs
		}
	}
	for _, c := range []*crowd{few, cached} { // until everything that they draw from is in memory
		for _, do := range []func() error{c.refresh, c.userInfo} {
			if err := c.do(5*c.grants, do); err != nil {
				b.Fatal(err)
			}
		}
	}
	for range 3 {
		nobody := &crowd{town: &town{process: floor}, client: few.client}
		least0 = min(least0, nobody.cost(b, func() error { _, err := nobody.ask(request()); return err }, *sizeRequests))
		measure(0, few)
		measure(1, cached)
	}
	measure(2, all) // last: it drives what the others draw from out of the cache
	say("floor %v", least0)
	for _, op := range operations {
		c := least[op.name]
		ratio := func(d time.Duration) float64 { return float64(d) / float64(least0) }
		say("%-20s small %v (%.1f)  cached %v (%.1f), %.2f × small  from all %v (%.1f)", op.name,
			c[0], ratio(c[0]), c[1], ratio(c[1]), float64(c[1])/float64(c[0]), c[2], ratio(c[2]))
	}
}

// storage says how much room the database takes, and how much of it is in use.
func (t *town) storage(b *testing.B) string {
	b.Helper()
	var total, free int64
	if t.db.Dialect() == sqldb.SQLite {
		var size int64
		for query, to := range map[string]*int64{`SELECT page_count FROM pragma_page_count`: &total, `SELECT freelist_count FROM pragma_freelist_count`: &free, `SELECT page_size FROM pragma_page_size`: &size} {
			if err := t.db.QueryRow(b.Context(), query).Scan(to); err != nil {
				b.Fatal(err)
			}
		}
		total, free = total*size, free*size
	} else if err := t.db.QueryRow(b.Context(), `SELECT SUM(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c
		WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace`).Scan(&total); err != nil {
		b.Fatal(err)
	}
	const mib = 1 << 20
	return fmt.Sprintf("%.1f MiB, %.1f MiB of it free", float64(total)/mib, float64(free)/mib)
}

// BenchmarkStorage is what an account, a profile and a grant take in the database, with
// all indexes, and each of the events that tell of them for 400 days.
func BenchmarkStorage(b *testing.B) {
	if *sizeProfiles == 0 {
		b.Skip("-size.profiles says how many")
	}
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(dialect.String(), func(b *testing.B) {
			profiles, grants := *sizeProfiles, 10**sizeProfiles
			t := fill(b, sqldbtest.Config(b, dialect), profiles, profiles, grants)
			sizes := t.tables(b)
			sum := func(names ...string) (n float64) {
				for _, name := range names {
					n += sizes[name]
				}
				return n
			}
			b.ReportMetric(sum("accounts")/float64(profiles), "B/account")
			b.ReportMetric(sum("profiles", "return_urls", "origins", "secrets", "developers", "members")/float64(profiles), "B/profile")
			b.ReportMetric(sum("grants", "consents")/float64(grants), "B/grant")
			b.ReportMetric(sum("events")/float64(grants+profiles), "B/event")
		})
	}
}

// tables says how many bytes each table takes with its indexes.
func (t *town) tables(b *testing.B) map[string]float64 {
	b.Helper()
	query := `SELECT s.tbl_name, SUM(d.pgsize) FROM dbstat AS d JOIN sqlite_schema AS s ON s.name = d.name GROUP BY s.tbl_name`
	if t.db.Dialect() == sqldb.Postgres {
		query = `SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace`
	}
	rows, err := t.db.Query(b.Context(), query)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	sizes := map[string]float64{}
	for rows.Next() {
		var name string
		var size int64
		if err := rows.Scan(&name, &size); err != nil {
			b.Fatal(err)
		}
		sizes[name] = float64(size)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return sizes
}

// grown says which tables have become larger, with their indexes.
func grown(before, after map[string]float64) string {
	var all []string
	for name, size := range after {
		if mib := (size - before[name]) / (1 << 20); mib >= 0.1 {
			all = append(all, fmt.Sprintf("%s %.1f MiB", name, mib))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// rows counts what each table holds.
func (t *town) rows(b *testing.B) string {
	b.Helper()
	tables, err := t.db.Schema(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var all []string
	for _, table := range tables {
		var n int
		if err := t.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM `+table.Name).Scan(&n); err != nil {
			b.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %d", table.Name, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
