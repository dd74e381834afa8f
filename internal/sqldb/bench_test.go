package sqldb_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

func BenchmarkWrite(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(dialect.String(), func(b *testing.B) {
			db := migrate(b, sqldbtest.Open(b, sqldbtest.Config(b, dialect)))
			var id atomic.Int64
			write := func(b *testing.B) {
				n := int(id.Add(1))
				if err := db.Write(b.Context(), insert(n, fmt.Sprint(n))); err != nil {
					b.Error(err)
				}
			}
			b.Run("alone", func(b *testing.B) {
				for b.Loop() {
					write(b)
				}
			})
			b.Run("parallel16", func(b *testing.B) {
				b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						write(b)
					}
				})
			})
		})
	}
}

func BenchmarkPointRead(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		b.Run(dialect.String(), func(b *testing.B) {
			db := migrate(b, sqldbtest.Open(b, sqldbtest.Config(b, dialect)))
			if err := db.Write(b.Context(), insert(1, "a")); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				var name string
				if err := db.QueryRow(b.Context(), `SELECT name FROM things WHERE id = $1`, 1).Scan(&name); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
