package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// race calls fn from n goroutines that set out together.
func race(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// wantOneWinner fails unless one error is nil and all others are want.
func wantOneWinner(t *testing.T, errs []error, want error) {
	t.Helper()
	winners := 0
	for _, err := range errs {
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, want):
			t.Errorf("a loser got %v, want %v", err, want)
		}
	}
	if winners != 1 {
		t.Errorf("%d of %d won, want one", winners, len(errs))
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// kinds lists the events' kinds.
func kinds(events []audit.Event) []audit.Kind {
	var all []audit.Kind
	for _, e := range events {
		all = append(all, e.Kind)
	}
	return all
}

func TestPing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		if err := w.Store.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		w.Faults.Fail(1, faultdb.Failed)
		if err := w.Store.Ping(t.Context()); !sqldb.IsUnavailable(err) {
			t.Errorf("with the database gone: %v", err)
		}
	})
}

// One migration text becomes the same schema in both databases.
func TestSchemas(t *testing.T) {
	lite, err := storetest.New(t, sqldb.SQLite).DB.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(lite) < 15 {
		t.Errorf("%d tables: were they all read?", len(lite))
	}
	post, err := storetest.New(t, sqldb.Postgres).DB.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lite, post); diff != "" {
		t.Errorf("schemas (-SQLite +PostgreSQL):\n%s", diff)
	}
}

// The process that wrote is told of its changes before the writer goes on, and
// also when it cannot know whether they were made.
func TestObserve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a := w.Account(t, "ann@example.com")
		var told []store.Change
		w.Store.Observe(func(c []store.Change) { told = append(told, c...) })

		save := func(version int64) error {
			return w.Store.UpdateAccount(t.Context(), a.ID, version, store.AccountDetails{Name: "Ann"}, storetest.By(0))
		}
		if err := save(1); err != nil {
			t.Fatal(err)
		}
		if len(told) != 1 || told[0].Kind != store.AccountChanged || told[0].ID() != a.ID || told[0].Number == 0 {
			t.Errorf("told %+v", told)
		}
		told = nil
		wantErr(t, "a save over another", save(1), store.ErrStale)
		w.Faults.Fail(2, faultdb.Failed, faultdb.Exec)
		if err := save(2); err == nil {
			t.Error("the fault was not seen")
		}
		if len(told) != 0 {
			t.Errorf("told of what was not done: %+v", told)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.Faults.FailFrom(1, faultdb.FailedButApplied, faultdb.Commit)
		err := w.Store.UpdateAccount(ctx, a.ID, 2, store.AccountDetails{Name: "Anne"}, storetest.By(0))
		w.Faults.Reset()
		wantErr(t, "a commit without an answer", err, sqldb.ErrOutcomeUnknown)
		if len(told) != 1 || told[0].ID() != a.ID {
			t.Errorf("told %+v of what may have been done", told)
		}
	})
}
