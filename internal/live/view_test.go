package live_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/live"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

const issuer = "https://login.example.com"

func newView(t testing.TB, w *storetest.World) *live.View {
	t.Helper()
	v, err := live.New(t.Context(), w.Store, issuer, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// run keeps the view true until the end of the test.
func run(t testing.TB, v *live.View) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { v.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// things is one of everything that a view answers.
type things struct {
	w         *storetest.World
	account   int64
	developer int64
	profile   registry.SecurityProfile
	grant     int64
	session   [32]byte
}

func makeThings(t testing.TB, w *storetest.World) things {
	t.Helper()
	a, d := w.Developer(t, "ann@example.com")
	p, _ := w.Profile(t, d.ID, "Reports")
	g, err := w.Store.Allow(t.Context(), store.Allowance{AccountID: a.ID, ProfileID: p.ID, Asked: oauth.ScopeSet{1}, Allowed: oauth.ScopeSet{1}}, storetest.By(0))
	if err != nil {
		t.Fatal(err)
	}
	_, s := account.NewSession(a.ID, "", "", storetest.Now())
	if err := w.Store.CreateSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return things{w, a.ID, d.ID, p, g.ID, s.Digest}
}

// change changes everything, in the way of step n, counted from 1.
func (x things) change(t testing.TB, n int) {
	t.Helper()
	ctx, by := t.Context(), storetest.By(0)
	at := storetest.Now().Add(time.Duration(n) * time.Hour)
	_, err := x.w.Store.Allow(ctx, store.Allowance{AccountID: x.account, ProfileID: x.profile.ID, Allowed: oauth.ScopeSet{}.With(n)}, by)
	for _, err := range []error{
		err,
		x.w.Store.UpdateAccount(ctx, x.account, int64(n), store.AccountDetails{Name: fmt.Sprint("name ", n)}, by),
		x.w.Store.UpdateProfile(ctx, x.developer, x.profile.ID, int64(n), registry.ProfileForm{Name: fmt.Sprint("name ", n)}, store.LogoChange{}, by),
		x.w.Store.TouchSession(ctx, x.session, at, at.Add(time.Hour)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// read tells the step that each lookup of the view has seen.
func (x things) read(t testing.TB, v *live.View) map[string]int {
	t.Helper()
	ctx := t.Context()
	seen := map[string]int{}
	note := func(what string, step int, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		seen[what] = step
	}
	step := func(name string) (n int) {
		fmt.Sscanf(name, "name %d", &n)
		return n
	}
	a, err := v.Account(ctx, x.account)
	note("account", step(a.Name), err)
	p, err := v.Profile(ctx, x.profile.ID)
	note("profile", step(p.Name), err)
	p, err = v.Client(ctx, x.profile.Client)
	note("client", step(p.Name), err)
	highest := func(s oauth.ScopeSet) (n int) {
		for n = range s.Numbers() {
		}
		return n
	}
	g, err := v.Grant(ctx, x.grant)
	note("grant", highest(g.Scopes), err)
	g, err = v.GrantFor(ctx, x.account, x.profile.ID)
	note("grant of", highest(g.Scopes), err)
	s, err := v.Session(ctx, x.session)
	note("session", int(s.LastSeenAt.Sub(storetest.Now()).Hours()), err)
	return seen
}

func wantStep(t testing.TB, when string, seen map[string]int, want int) {
	t.Helper()
	for what, step := range seen {
		if step != want {
			t.Errorf("%s: the %s is of step %d, want %d", when, what, step, want)
		}
	}
	if len(seen) != 6 {
		t.Errorf("%s: read %d things", when, len(seen))
	}
}

// Nothing that is warm costs a statement. A change of this process is seen by the
// very next read.
func TestOwnChangesAreSeenAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		x, v := makeThings(t, w), newView(t, w)
		wantStep(t, "cold", x.read(t, v), 0)
		for n := 1; n <= 3; n++ {
			x.change(t, n)
			wantStep(t, "after a change", x.read(t, v), n)
		}
		w.Faults.Reset()
		began := time.Now()
		wantStep(t, "warm", x.read(t, v), 3)
		if got := w.Faults.Counts(); got != (faultdb.Counts{}) && time.Since(began) < live.Bound/2 {
			t.Errorf("warm reads cost %+v", got)
		}
	})
}

// What another process has changed is seen within the bound after its commit.
func TestOthersChangesAreSeenWithinTheBound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		x, other := makeThings(t, w), w.Again(t)
		v := newView(t, other)
		run(t, v)
		wantStep(t, "cold", x.read(t, v), 0)
		x.change(t, 1)
		time.Sleep(live.Bound)
		wantStep(t, "after the bound", x.read(t, v), 1)
		// It is the feed that told, and not the lack of trust in what is remembered.
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if trusted, lag := v.Trusted(); trusted && lag >= 0 {
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("the feed was last read %v ago", lag)
			}
		}
	})
}

func TestEndedThingsAreNotFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		x, v := makeThings(t, w), newView(t, w)
		wantStep(t, "before", x.read(t, v), 0)
		ctx, by := t.Context(), storetest.By(0)
		reads := map[string]func() error{
			"account":  func() error { _, err := v.Account(ctx, x.account); return err },
			"profile":  func() error { _, err := v.Profile(ctx, x.profile.ID); return err },
			"client":   func() error { _, err := v.Client(ctx, x.profile.Client); return err },
			"grant":    func() error { _, err := v.Grant(ctx, x.grant); return err },
			"grant of": func() error { _, err := v.GrantFor(ctx, x.account, x.profile.ID); return err },
			"session":  func() error { _, err := v.Session(ctx, x.session); return err },
		}
		for _, step := range []struct {
			end  func() error
			gone []string
		}{
			{func() error { return w.Store.RemoveGrant(ctx, x.account, x.grant, by) }, []string{"grant", "grant of"}},
			{func() error { return w.Store.EndSession(ctx, x.account, x.session, by) }, []string{"session"}},
			{func() error { return w.Store.DeleteProfile(ctx, x.developer, x.profile.ID, by) }, []string{"profile", "client"}},
			{func() error { return w.Store.DeleteAccount(ctx, x.account, by) }, []string{"account"}},
		} {
			if err := step.end(); err != nil {
				t.Fatal(err)
			}
			for _, what := range step.gone {
				for range 2 {
					if err := reads[what](); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("%s: %v", what, err)
					}
				}
			}
		}
	})
}

// A grant that was removed and given again is another grant.
func TestGrantForAfterANewConsent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		x, v := makeThings(t, w), newView(t, w)
		x.read(t, v)
		if err := w.Store.RemoveGrant(t.Context(), x.account, x.grant, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		made, err := w.Store.Allow(t.Context(), store.Allowance{AccountID: x.account, ProfileID: x.profile.ID, Allowed: oauth.ScopeSet{2}}, storetest.By(0))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.GrantFor(t.Context(), x.account, x.profile.ID); err != nil || got.ID != made.ID {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// inBubble runs test with virtual time on SQLite: a view, and another process that
// changes the same database.
func inBubble(t *testing.T, test func(t *testing.T, w, other *storetest.World)) {
	synctest.Test(t, func(t *testing.T) {
		w := storetest.New(t, sqldb.SQLite)
		test(t, w, w.Again(t))
	})
}

// A view that nobody keeps true answers from memory for as long as the bound says,
// and from then on reads through.
func TestViewThatCannotFollow(t *testing.T) {
	inBubble(t, func(t *testing.T, w, other *storetest.World) {
		x, v := makeThings(t, other), newView(t, w)
		wantStep(t, "cold", x.read(t, v), 0)
		x.change(t, 1)
		for _, passed := range []time.Duration{0, live.Bound} {
			time.Sleep(passed)
			w.Faults.Reset()
			wantStep(t, "within the bound", x.read(t, v), 0)
			if got := w.Faults.Counts(); got != (faultdb.Counts{}) {
				t.Errorf("after %v, reads cost %+v", passed, got)
			}
		}
		time.Sleep(time.Nanosecond)
		for n := 1; n <= 3; n++ {
			if trusted, _ := v.Trusted(); trusted {
				t.Error("trusted beyond the bound")
			}
			wantStep(t, "beyond the bound", x.read(t, v), n)
			x.change(t, n+1)
		}
	})
}

// The feed cannot be read for a while. Answers are never older than the bound; the
// log says once that it is down and once that it is back.
func TestFeedGoesAway(t *testing.T) {
	inBubble(t, func(t *testing.T, w, other *storetest.World) {
		var log strings.Builder
		v, err := live.New(t.Context(), w.Store, issuer, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		x := makeThings(t, other)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { v.Run(ctx) })
		time.Sleep(100 * time.Millisecond) // to stand between two polls
		step := 0
		for tick := range 30 {
			down := tick >= 5 && tick < 20
			if down {
				w.Faults.Fail(1, faultdb.Failed, faultdb.Begin) // of the next poll
			}
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			if down && w.Faults.Pending() {
				t.Fatalf("tick %d: the poll did not meet the fault", tick)
			}
			w.Faults.Reset()
			seen := x.read(t, v)
			for what, got := range seen {
				// Each step is made once a second, just after these reads.
				if got < step-1 || !down && tick%5 > 0 && got != step {
					t.Errorf("tick %d: the %s is of step %d, want %d", tick, what, got, step)
				}
			}
			if trusted, lag := v.Trusted(); trusted != (lag <= live.Bound) || down && tick > 10 && trusted {
				t.Errorf("tick %d: trusted %v, %v after the last poll", tick, trusted, lag)
			}
			if tick%5 == 0 {
				step++
				x.change(t, step)
			}
		}
		cancel()
		wg.Wait()
		if down, up := strings.Count(log.String(), "level=WARN"), strings.Count(log.String(), "level=INFO"); down != 1 || up != 1 {
			t.Errorf("%d warnings and %d all-clears, want one each:\n%s", down, up, log.String())
		}
	})
}

// A database that was restored is another: everything is read anew.
func TestReload(t *testing.T) {
	for name, restore := range map[string]string{
		"another epoch":    `UPDATE feed SET epoch = x'00112233445566778899aabbccddeeff'`,
		"an older number":  `UPDATE feed SET newest = 1`,
		"far behind":       `UPDATE feed SET newest = newest + 10001`,
		"older, new epoch": `UPDATE feed SET newest = 1, epoch = x'00112233445566778899aabbccddeeff'`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w, other *storetest.World) {
				x, v := makeThings(t, w), newView(t, w)
				run(t, v)
				x.change(t, 1)
				wantStep(t, "before", x.read(t, v), 1)
				other.Exec(t, `UPDATE profiles SET name = 'name 7'`) // without a word in the feed
				other.Exec(t, `UPDATE accounts SET name = 'name 7'`)
				other.Exec(t, restore)
				time.Sleep(live.Bound)
				synctest.Wait()
				if got := x.read(t, v); got["profile"] != 7 || got["client"] != 7 || got["account"] != 7 {
					t.Errorf("still read: %v", got)
				}
				w.Faults.Reset()
				x.read(t, v)
				if got := w.Faults.Counts(); got != (faultdb.Counts{}) {
					t.Errorf("nothing is remembered any more: %+v", got)
				}
				other.Exec(t, `DELETE FROM changes`)
				x.change(t, 2)
				wantStep(t, "after", x.read(t, v), 2)
			})
		})
	}
}

// The view cannot be made without the database, and says so.
func TestNewWithoutDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		for n := 1; n <= 3; n++ {
			w.Faults.Fail(n, faultdb.Failed)
			if _, err := live.New(t.Context(), w.Store, issuer, slog.New(slog.DiscardHandler)); !sqldb.IsUnavailable(err) {
				t.Errorf("call %d: %v", n, err)
			}
		}
	})
}

// An origin is known while any profile has it, and a warm look costs nothing.
func TestHasOrigin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		x, v := makeThings(t, w), newView(t, w)
		other, _ := w.Profile(t, x.developer, "Charts")
		const origin = "https://o.example"
		allow := func(id, version int64, origins ...registry.AllowedOrigin) {
			t.Helper()
			if err := w.Store.SaveWebSettings(t.Context(), x.developer, id, version, origins, nil, storetest.By(0)); err != nil {
				t.Fatal(err)
			}
		}
		has := func(when, origin string, want bool) {
			t.Helper()
			if got, err := v.HasOrigin(t.Context(), origin); got != want || err != nil {
				t.Errorf("%s: %v, %v; want %v", when, got, err, want)
			}
		}
		has("before", origin, false)
		allow(x.profile.ID, 1, registry.AllowedOrigin{Value: origin})
		has("after a refusal was not remembered", origin, true)
		w.Faults.Reset()
		has("warm", origin, true)
		if got := w.Faults.Counts(); got != (faultdb.Counts{}) {
			t.Errorf("a warm look costs %+v", got)
		}
		allow(other.ID, 1, registry.AllowedOrigin{Value: origin})
		allow(x.profile.ID, 2)
		has("left to another profile", origin, true)
		allow(other.ID, 2)
		has("left to nobody", origin, false)
		has("opaque", "null", false)
	})
}
