package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate/store"
)

var noon = time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC)

func operator(after time.Duration) store.Actor { return store.Actor{At: noon.Add(after)} }

// each runs test on both databases.
func each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	sqldbtest.Each(t, func(t *testing.T, open func(t testing.TB) *sqldb.DB) {
		db := open(t)
		if err := db.Migrate(t.Context(), store.Migrations()); err != nil {
			t.Fatal(err)
		}
		test(t, store.New(db))
	})
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestMembers: who is let in by code or by address, and what they may do.
func TestMembers(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		alpha := must[store.Account](t)(s.CreateAccount(ctx, "Alpha Pictures", operator(0)))
		beta := must[store.Account](t)(s.CreateAccount(ctx, "Beta Films", operator(0)))
		if alpha.ID != 1001 || beta.ID != 1002 {
			t.Errorf("accounts %d and %d", alpha.ID, beta.ID)
		}
		ann := must[store.Person](t)(s.SignIn(ctx, "amzn1.account.ANN", "Ann", "ann@example.com", noon))
		if found := must[store.Person](t)(s.PersonByCode(ctx, " "+ann.UserCode[:5]+" "+ann.UserCode[5:])); found != ann || len(ann.UserCode) != 10 {
			t.Errorf("by code: %+v", found)
		}
		ok(t, s.AddMember(ctx, alpha.ID, ann.ID, store.Rights{Manage: true}, operator(0)))
		wantErr(t, "the last manager gives it up", s.AddMember(ctx, alpha.ID, ann.ID, store.Rights{Reports: true}, operator(1)), store.ErrLastManager)
		wantErr(t, "the last manager leaves", s.RemoveMember(ctx, alpha.ID, ann.ID, operator(1)), store.ErrLastManager)

		by := store.Actor{PersonID: ann.ID, At: noon}
		ok(t, s.Invite(ctx, alpha.ID, "Bob@Example.com", store.Rights{Reports: true}, noon.Add(time.Hour), by))
		if bob := must[store.Person](t)(s.SignIn(ctx, "amzn1.account.BOB", "Bob", "", noon)); len(must[[]store.Membership](t)(s.Memberships(ctx, bob.ID))) != 0 {
			t.Error("an address that is not confirmed was let in")
		}
		bob := must[store.Person](t)(s.SignIn(ctx, "amzn1.account.BOB", "Bob", "bob@example.com", noon.Add(time.Minute)))
		want := []store.Membership{{Account: alpha, Rights: store.Rights{Reports: true}}}
		if diff := cmp.Diff(want, must[[]store.Membership](t)(s.Memberships(ctx, bob.ID))); diff != "" {
			t.Error(diff)
		}
		if left := must[[]store.Invitation](t)(s.Invitations(ctx, alpha.ID, noon)); len(left) != 0 {
			t.Errorf("invitations that are left: %v", left)
		}
		ok(t, s.Invite(ctx, beta.ID, "bob@example.com", store.Rights{Reports: true}, noon.Add(time.Hour), by))
		must[store.Person](t)(s.SignIn(ctx, "amzn1.account.BOB", "Bob", "bob@example.com", noon.Add(2*time.Hour)))
		_, err := s.Membership(ctx, bob.ID, beta.ID)
		wantErr(t, "an invitation that has expired", err, store.ErrNotFound)
		ok(t, s.RemoveMember(ctx, alpha.ID, bob.ID, by))
		_, err = s.Membership(ctx, bob.ID, alpha.ID)
		wantErr(t, "removed", err, store.ErrNotFound)
		var kinds []string
		for _, e := range must[[]store.Event](t)(s.Events(ctx, alpha.ID, 10)) {
			kinds = append(kinds, e.Kind)
		}
		if diff := cmp.Diff([]string{"member.removed", "member.accepted", "member.invited", "member.rights", "account.created"}, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAccess: what a client may do for somebody is looked up at each call.
func TestAccess(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		alpha := must[store.Account](t)(s.CreateAccount(ctx, "Alpha Pictures", operator(0)))
		ann := must[store.Person](t)(s.SignIn(ctx, "ANN", "Ann", "ann@example.com", noon))
		ok(t, s.AddMember(ctx, alpha.ID, ann.ID, store.Rights{Manage: true, Reports: true}, operator(0)))
		const client = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
		member := store.Membership{Account: alpha, Rights: store.Rights{Manage: true, Reports: true}}
		access := func() []store.Access { return must[[]store.Access](t)(s.Access(ctx, "ANN", client)) }
		if diff := cmp.Diff([]store.Access{{Membership: member}}, access()); diff != "" {
			t.Error("not let in:", diff)
		}
		a := store.Application{AccountID: alpha.ID, ClientID: client, Reporting: true, Name: "Downloader", Publisher: "Company", Purpose: "Downloads"}
		by := store.Actor{PersonID: ann.ID, At: noon}
		id := must[int64](t)(s.AddApplication(ctx, a, by))
		_, err := s.AddApplication(ctx, a, by)
		wantErr(t, "twice", err, store.ErrTaken)
		if diff := cmp.Diff([]store.Access{{Membership: member, Application: id, Reporting: true}}, access()); diff != "" {
			t.Error("let in:", diff)
		}
		ok(t, s.Called(ctx, map[int64]time.Time{id: noon.Add(time.Minute)}))
		a.ID, a.AddedBy, a.AddedAt, a.LastCallAt = id, "Ann", noon, noon.Add(time.Minute)
		if diff := cmp.Diff([]store.Application{a}, must[[]store.Application](t)(s.Applications(ctx, alpha.ID))); diff != "" {
			t.Error(diff)
		}
		wantErr(t, "another account's", s.RemoveApplication(ctx, alpha.ID+1, id, by), store.ErrNotFound)
		ok(t, s.RemoveApplication(ctx, alpha.ID, id, by))
		if got := access(); got[0].Application != 0 || got[0].Reporting {
			t.Errorf("after it was removed: %+v", got)
		}
	})
}

func published(account int64, begin time.Time, digest byte) store.Published {
	return store.Published{
		AccountID: account,
		Channel:   store.Channel{Group: store.GroupChannels, Folder: "Sample (US)", Name: "Sample", Territory: "US"},
		Type:      store.ReportType{Folder: "Subscription Weekly", Name: "Subscription", Cadence: "Weekly", Columns: "Date,Subscriptions"},
		Report:    store.Report{Begin: begin, End: begin.AddDate(0, 0, 6), Rows: 7, File: fmt.Sprintf("%d.zip", digest), Bytes: 99, Digest: [32]byte{digest}},
		Sums:      map[string]int64{"subscriptions": int64(digest)},
		Source:    store.Source{Path: begin.Format(time.DateOnly), Digest: [32]byte{digest}, ReadAt: noon},
	}
}

func publish(t *testing.T, s *store.Store, p store.Published, now time.Time) store.Report {
	t.Helper()
	report, err := s.Publish(t.Context(), p, now)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestPublish: a corrected file is a new version, the same file is not, and the
// columns of a type do not change.
func TestPublish(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		alpha := must[store.Account](t)(s.CreateAccount(ctx, "Alpha Pictures", operator(0)))
		monday := time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)
		first := publish(t, s, published(alpha.ID, monday, 1), noon)
		if first.Version != 1 || !first.ModifiedAt.Equal(noon) || !first.Begin.Equal(monday) {
			t.Errorf("%+v", first)
		}
		if again := publish(t, s, published(alpha.ID, monday, 1), noon.Add(time.Hour)); again.ID != first.ID || again.Version != 1 || !again.ModifiedAt.Equal(noon) {
			t.Errorf("the same file: %+v", again)
		}
		if corrected := publish(t, s, published(alpha.ID, monday, 2), noon.Add(time.Hour)); corrected.ID != first.ID || corrected.Version != 2 || !corrected.ModifiedAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("corrected: %+v", corrected)
		}
		publish(t, s, published(alpha.ID, monday.AddDate(0, 0, 7), 5), noon)
		other := published(alpha.ID, monday.AddDate(0, 0, 14), 3)
		other.Type.Columns = "Date,Streams"
		_, err := s.Publish(ctx, other, noon)
		if columns, is := errors.AsType[*store.ErrColumns](err); !is || columns.Before != "Date,Subscriptions" {
			t.Errorf("other columns: %v", err)
		}
		_, err = s.Publish(ctx, published(alpha.ID+9, monday, 1), noon)
		wantErr(t, "an account that there is not", err, store.ErrNotFound)

		channels, total, err := s.Channels(ctx, alpha.ID, store.GroupChannels, store.Page{Limit: 10})
		if err != nil || total != 1 || channels[0].Name != "Sample" || channels[0].Territory != "US" {
			t.Fatalf("%v, %d, %v", channels, total, err)
		}
		types, _, err := s.Types(ctx, channels[0].ID, store.Page{Limit: 10})
		if err != nil || len(types) != 1 || types[0].Cadence != "Weekly" {
			t.Fatalf("%v, %v", types, err)
		}
		for _, tc := range []struct {
			since time.Time
			page  store.Page
			days  []int
			total int
		}{
			{time.Time{}, store.Page{Limit: 10}, []int{2, 9}, 2}, // whatever changed last
			{time.Time{}, store.Page{Limit: 1, Offset: 1}, []int{9}, 2},
			{noon.Add(time.Hour), store.Page{Limit: 10}, []int{2}, 1},
			{noon.Add(2 * time.Hour), store.Page{Limit: 10}, nil, 0},
		} {
			reports, total, err := s.Reports(ctx, types[0], tc.since, tc.page)
			var days []int
			for _, p := range reports {
				days = append(days, p.Begin.Day())
			}
			if diff := cmp.Diff(tc.days, days); diff != "" || total != tc.total || err != nil {
				t.Errorf("since %v: total %d, %v %s", tc.since, total, err, diff)
			}
		}
		points := must[[]store.Point](t)(s.Plot(ctx, alpha.ID, "subscriptions", monday))
		if diff := cmp.Diff([]store.Point{{monday, 2}, {monday.AddDate(0, 0, 7), 5}}, points); diff != "" {
			t.Error(diff)
		}
		report, rt, channel, err := s.ReportOf(ctx, alpha.ID, first.ID)
		if err != nil || report.Version != 2 || rt.Name != "Subscription" || channel.AccountID != alpha.ID {
			t.Errorf("%+v %+v %+v %v", report, rt, channel, err)
		}
		ok(t, s.SetAside(ctx, store.Source{Path: "bad.csv", Problem: "It is not UTF-8.", ReadAt: noon}))
		if problems := must[[]store.Source](t)(s.Problems(ctx, 5)); len(problems) != 1 || problems[0].Problem != "It is not UTF-8." {
			t.Errorf("%+v", problems)
		}
		if sources := must[[]store.Source](t)(s.Sources(ctx, "2026-03-")); len(sources) != 2 {
			t.Errorf("%+v", sources)
		}
	})
}

// TestReplacedArchives: what is removed is what was replaced long enough ago, and not
// what is in its place again.
func TestReplacedArchives(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		alpha := must[store.Account](t)(s.CreateAccount(ctx, "Alpha Pictures", operator(0)))
		monday := time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)
		for i, digest := range []byte{1, 2, 3, 2, 4} {
			publish(t, s, published(alpha.ID, monday, digest), noon.Add(time.Duration(i)*time.Minute))
		}
		removed := func(until time.Duration) (all []string) {
			ok(t, s.RemoveReplaced(ctx, noon.Add(until), func(file string) error {
				all = append(all, file)
				return nil
			}))
			return all
		}
		if got := removed(2 * time.Minute); len(got) != 1 || got[0] != "1.zip" {
			t.Errorf("%q", got) // 2.zip was back in its place
		}
		failed := errors.New("disk")
		if err := s.RemoveReplaced(ctx, noon.Add(time.Hour), func(string) error { return failed }); !errors.Is(err, failed) {
			t.Error(err)
		}
		if got := removed(time.Hour); len(got) != 2 || got[0] == "4.zip" || got[1] == "4.zip" {
			t.Errorf("%q", got)
		}
		if got := removed(time.Hour); got != nil {
			t.Errorf("again: %q", got)
		}
	})
}

func TestSessions(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		ann := must[store.Person](t)(s.SignIn(ctx, "ANN", "Ann", "", noon))
		for i, sid := range []string{"s1", "s2", "s3"} {
			ok(t, s.StartSession(ctx, [32]byte{byte(i)}, ann.ID, sid, noon, noon.Add(time.Hour)))
		}
		alive := func() (all []int) {
			for i := range 3 {
				if _, err := s.Session(ctx, [32]byte{byte(i)}, noon); err == nil {
					all = append(all, i)
				}
			}
			return all
		}
		if _, err := s.Session(ctx, [32]byte{0}, noon.Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("expired: %v", err)
		}
		for _, tc := range []struct {
			subject, sid string
			want         []int
		}{{"BOB", "s1", []int{0, 1, 2}}, {"ANN", "s1", []int{1, 2}}, {"", "s2", []int{2}}, {"", "", []int{2}}, {"ANN", "", nil}} {
			ok(t, s.FollowLogout(ctx, tc.subject+" "+tc.sid, tc.subject, tc.sid, noon, noon.Add(time.Minute)))
			if diff := cmp.Diff(tc.want, alive()); diff != "" {
				t.Errorf("after the end of %q %q: %s", tc.subject, tc.sid, diff)
			}
		}
	})
}
