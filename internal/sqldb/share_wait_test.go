package sqldb

import (
	"context"
	"database/sql/driver"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// silent is a server that never answers.
type silent struct{}

func (silent) Connect(ctx context.Context) (driver.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) Driver() driver.Driver { return nil }

// TestSilentServerHoldsNobody: however many write to a server that says nothing, each
// is told within one wait for its turn and one trip, also who has no deadline.
func TestSilentServerHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startSharer(silent{}, newMeter())
		began := time.Now()
		var all sync.WaitGroup
		for range 6 * maxGroup {
			all.Go(func() {
				_, err := s.exec(context.Background(), "", nil)
				if took := time.Since(began); !IsUnavailable(err) || took > 2*writeBound {
					t.Errorf("%v after %v", err, took)
				}
			})
		}
		all.Wait()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
}
