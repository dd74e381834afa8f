package store_test

import (
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/keyring"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// BenchmarkCommits is how many durable writes one database takes from 16 callers:
// codes that are redeemed, which are on their own, and changes, which wait for one
// another because the feed numbers them in the order of their commits.
func BenchmarkCommits(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(dialect.String(), func(b *testing.B) {
			// Not storetest's own, whose commits on PostgreSQL do not wait for the disk.
			w := &storetest.World{DB: sqldbtest.Open(b, sqldbtest.Config(b, dialect))}
			if err := w.DB.Migrate(b.Context(), store.Migrations()); err != nil {
				b.Fatal(err)
			}
			ring, err := keyring.Create(b.TempDir() + "/keys")
			if err != nil {
				b.Fatal(err)
			}
			w.Store = store.New(w.DB, ring)
			if _, err := w.Store.Identify(b.Context(), string(storetest.Namespace), storetest.Now()); err != nil {
				b.Fatal(err)
			}
			g := consented(b, w)
			var made atomic.Uint64
			rate := func(name string, once func(i uint64) error) {
				b.Run(name, func(b *testing.B) {
					b.SetParallelism(8) // of each processor
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := once(made.Add(1)); err != nil {
								b.Error(err)
								return
							}
						}
					})
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
				})
			}
			rate("codes", func(i uint64) error {
				var code authz.Family
				binary.BigEndian.PutUint64(code[:], i)
				return errOf(w.Store.Redeem(b.Context(), store.Redeem{Code: code, GrantID: g.ID}, storetest.Now()))
			})
			var sessions [256]account.Session
			for i := range sessions {
				_, sessions[i] = account.NewSession(g.AccountID, "", "", storetest.Now())
				if err := w.Store.CreateSession(b.Context(), sessions[i]); err != nil {
					b.Fatal(err)
				}
			}
			rate("changes", func(i uint64) error {
				s := sessions[i%uint64(len(sessions))]
				seen := storetest.Now().Add(time.Duration(i) * time.Second)
				return w.Store.TouchSession(b.Context(), s.Digest, seen, seen.Add(account.SessionIdle))
			})
		})
	}
}
