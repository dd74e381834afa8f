package store_test

import (
	"context"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// BenchmarkLoads is what the live view pays for what it does not hold yet: loads drawn
// from a filled database, by a request's own context.
func BenchmarkLoads(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(dialect.String(), func(b *testing.B) {
			w := storetest.New(b, dialect)
			s := store.New(sqldbtest.Open(b, w.Config), w.Ring) // without what counts and fails calls
			f, err := storetest.Fill(b.Context(), w.DB, w.Store, storetest.Size{
				Accounts: 4_000, Profiles: 4_000, Grants: 40_000, Scopes: oauth.ScopeSet{}.With(0).With(1),
				PasswordHash: "$argon2id$", By: audit.By{At: storetest.Now()},
			})
			if err != nil {
				b.Fatal(err)
			}
			load := func(name string, once func(ctx context.Context) error) {
				b.Run(name, func(b *testing.B) {
					ctx, cancel := context.WithCancel(b.Context())
					defer cancel()
					b.ReportAllocs()
					before := processorTime(b)
					for b.Loop() {
						if err := once(ctx); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
				})
			}
			load("profile", func(ctx context.Context) error {
				_, _, err := s.ProfileByID(ctx, f.Profiles[rand.IntN(len(f.Profiles))].ID)
				return err
			})
			load("client", func(ctx context.Context) error {
				key, err := storetest.Namespace.ParseClientID(f.Profiles[rand.IntN(len(f.Profiles))].ClientID)
				if err == nil {
					_, _, err = s.ProfileByClient(ctx, key)
				}
				return err
			})
			load("grant", func(ctx context.Context) error {
				id, _, _ := f.Grant(rand.IntN(f.Grants))
				_, _, err := s.GrantSnapshot(ctx, id)
				return err
			})
			load("grant-of", func(ctx context.Context) error {
				_, account, profile := f.Grant(rand.IntN(f.Grants))
				_, _, err := s.GrantFor(ctx, f.AccountID(account), f.Profiles[profile].ID)
				return err
			})
			load("account", func(ctx context.Context) error {
				_, _, err := s.AccountSnapshot(ctx, f.AccountID(rand.IntN(f.Accounts)))
				return err
			})
		})
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
