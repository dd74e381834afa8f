package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/slate/store"
)

// TestRights: letting in and changing are two things, and both keep a manager.
func TestRights(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		alpha := must[store.Account](t)(s.CreateAccount(ctx, "Alpha Pictures", operator(0)))
		beta := must[store.Account](t)(s.CreateAccount(ctx, "Beta Films", operator(0)))
		ann := must[store.Person](t)(s.SignIn(ctx, "ANN", "Ann", "ann@example.com", noon))
		bob := must[store.Person](t)(s.SignIn(ctx, "BOB", "Bob", "", noon))
		by := store.Actor{PersonID: ann.ID, At: noon}
		ok(t, s.LetIn(ctx, alpha.ID, ann.ID, store.Rights{Manage: true}, operator(0)))
		wantErr(t, "in already", s.LetIn(ctx, alpha.ID, ann.ID, store.Rights{Reports: true}, by), store.ErrTaken)
		wantErr(t, "not in", s.SetRights(ctx, alpha.ID, bob.ID, store.Rights{Manage: true}, by), store.ErrNotFound)
		wantErr(t, "in another account", s.SetRights(ctx, beta.ID, ann.ID, store.Rights{Manage: true}, by), store.ErrNotFound)
		wantErr(t, "the last manager", s.SetRights(ctx, alpha.ID, ann.ID, store.Rights{Reports: true}, by), store.ErrLastManager)
		_, err := s.Member(ctx, alpha.ID, bob.ID)
		wantErr(t, "Bob is not in", err, store.ErrNotFound)
		ok(t, s.LetIn(ctx, alpha.ID, bob.ID, store.Rights{Reports: true}, by))
		ok(t, s.SetRights(ctx, alpha.ID, bob.ID, store.Rights{Manage: true}, by))
		ok(t, s.SetRights(ctx, alpha.ID, ann.ID, store.Rights{}, by))
		want := store.Member{Person: ann, Since: noon}
		if diff := cmp.Diff(want, must[store.Member](t)(s.Member(ctx, alpha.ID, ann.ID))); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPeriods: what people see of reports, and of nobody else's.
func TestPeriods(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		alpha := must[store.Account](t)(s.CreateAccount(ctx, "Alpha Pictures", operator(0)))
		beta := must[store.Account](t)(s.CreateAccount(ctx, "Beta Films", operator(0)))
		monday := time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)
		second := publish(t, s, published(alpha.ID, monday.AddDate(0, 0, 7), 2), noon)
		first := publish(t, s, published(alpha.ID, monday, 1), noon.Add(time.Minute))
		all, total, err := s.Periods(ctx, only(t, s, alpha.ID), store.Page{Limit: 10})
		if diff := cmp.Diff([]store.Report{second, first}, all); diff != "" || total != 2 || err != nil {
			t.Errorf("%d, %v %s", total, err, diff)
		}
		all, total, err = s.Periods(ctx, only(t, s, alpha.ID), store.Page{Limit: 1, Offset: 1})
		if diff := cmp.Diff([]store.Report{first}, all); diff != "" || total != 2 || err != nil {
			t.Errorf("%d, %v %s", total, err, diff)
		}
		got, _, channel, err := s.ReportOf(ctx, alpha.ID, first.ID)
		if ok(t, err); got != first {
			t.Errorf("%+v", got)
		}
		_, _, _, err = s.ReportOf(ctx, beta.ID, first.ID)
		wantErr(t, "another account's report", err, store.ErrNotFound)
		want := map[int64]store.Coverage{first.TypeID: {Reports: 2, Latest: second.Begin, ModifiedAt: noon.Add(time.Minute)}}
		if diff := cmp.Diff(want, must[map[int64]store.Coverage](t)(s.Coverages(ctx, channel.ID))); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPlotOnce: figures count once, however many reports say them, and go with a
// correction.
func TestPlotOnce(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		alpha := must[store.Account](t)(s.CreateAccount(ctx, "Alpha Pictures", operator(0)))
		monday := time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)
		publish(t, s, published(alpha.ID, monday, 5), noon)
		monthly := published(alpha.ID, monday, 9)
		monthly.Type.Folder, monthly.Type.Cadence, monthly.Report.End = "Subscription Monthly", "Monthly", monday.AddDate(0, 1, -1)
		publish(t, s, monthly, noon)
		points := func() []store.Point { return must[[]store.Point](t)(s.Plot(ctx, alpha.ID, "subscriptions", monday)) }
		if diff := cmp.Diff([]store.Point{{Begin: monday, Value: 5}}, points()); diff != "" {
			t.Error(diff)
		}
		corrected := published(alpha.ID, monday, 6)
		corrected.Sums, corrected.Report.File, corrected.Report.Rows = nil, "", 0
		publish(t, s, corrected, noon.Add(time.Hour))
		if left := points(); len(left) != 0 {
			t.Errorf("after a correction without activity: %v", left)
		}
	})
}
