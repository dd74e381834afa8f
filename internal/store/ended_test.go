package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/keyring"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// signedIn is what one sign-in at an application gave, with what the model knows of it.
type signedIn struct {
	authz.RefreshToken
	redeemedAt time.Time
	endedAt    time.Time
	// bound is what the server knows of when the token was issued.
	bound time.Time
}

// signIns is the model of all sign-ins of one grant.
type signIns struct {
	w    *storetest.World
	id   int64
	now  time.Time
	all  []*signedIn
	dice *rand.Rand
}

func (m *signIns) signIn(t *testing.T, rotating bool) *signedIn {
	t.Helper()
	n := &signedIn{RefreshToken: authz.RefreshToken{Rotating: rotating, IssuedAt: m.now.Truncate(time.Second)}, redeemedAt: m.now}
	binary.BigEndian.PutUint32(n.Family[:], uint32(len(m.all)+1))
	got, err := m.w.Store.Redeem(t.Context(), store.Redeem{Code: n.Family, GrantID: m.id, Rotating: rotating}, m.now)
	if got != authz.Redeemed || err != nil {
		t.Fatal(got, err)
	}
	m.all = append(m.all, n)
	return n
}

// end ends a sign-in in one of the ways that there are.
func (m *signIns) end(t *testing.T, n *signedIn) {
	t.Helper()
	e := store.FamilyEnd{GrantID: m.id, Family: n.Family, Rotating: n.Rotating, IssuedBy: n.IssuedAt}
	switch {
	case m.now.Sub(n.IssuedAt) < authz.CodeLifetime && m.dice.IntN(3) == 0:
		n.bound = n.redeemedAt
		got, err := m.w.Store.Redeem(t.Context(), store.Redeem{Code: n.Family, GrantID: m.id}, m.now)
		if got != authz.Replayed || err != nil {
			t.Fatal(got, err)
		}
		n.endedAt = m.now
		return
	case m.dice.IntN(3) == 0: // by an access token, which does not tell whether its refresh token rotates
		e.Rotating, e.IssuedBy = false, m.now
	}
	n.bound, n.endedAt = e.IssuedBy, m.now
	if err := m.w.Store.EndFamily(t.Context(), e, m.now); err != nil {
		t.Fatal(err)
	}
}

// check asks of every sign-in whether its tokens are still good, as the endpoints do.
func (m *signIns) check(t *testing.T) {
	t.Helper()
	g, _, err := m.w.Store.GrantSnapshot(t.Context(), m.id)
	if err != nil {
		t.Fatal(err)
	}
	var bounds []time.Time
	for _, n := range m.all {
		if !n.endedAt.IsZero() && !n.Rotating {
			bounds = append(bounds, n.bound)
		}
	}
	slices.SortFunc(bounds, func(a, b time.Time) int { return b.Compare(a) })
	mark := time.Time{}
	if len(bounds) > store.KeptEnded {
		mark = bounds[store.KeptEnded]
	}
	for i, n := range m.all {
		refreshes := g.Refreshes(n.RefreshToken)
		if n.Rotating && refreshes {
			_, err := m.w.Store.FamilyStep(t.Context(), m.id, n.Family)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			refreshes = err == nil
		}
		switch ended := !n.endedAt.IsZero(); {
		case ended && refreshes:
			t.Fatalf("sign-in %d ended %v ago, and can be refreshed", i, m.now.Sub(n.endedAt))
		case ended && g.Live(n.Family) && m.now.Sub(n.endedAt) <= authz.AccessTokenLifetime+2*authz.ClockSkew:
			t.Fatalf("sign-in %d ended %v ago, and its access tokens are good", i, m.now.Sub(n.endedAt))
		case !ended && !g.Live(n.Family):
			t.Fatalf("nobody has ended sign-in %d", i)
		case !ended && refreshes == (!n.Rotating && !n.IssuedAt.After(mark)):
			t.Fatalf("sign-in %d of %v, with the mark at %v: refreshed %v", i, n.IssuedAt, mark, refreshes)
		}
	}
	if n := m.w.Count(t, `ended_families WHERE grant_id = $1 AND expires_at > $2`, m.id, m.now.Add(store.KeptMarked).UnixMicro()); n > store.KeptEnded {
		t.Fatalf("%d ended families are remembered one by one", n)
	}
}

// However often people sign in and out: what has ended stays ended, what has not goes on
// unless it is older than the last of very many that ended, and what is remembered of all
// that is bounded.
func TestEndedFamilies(t *testing.T) {
	for dialect, ends := range map[sqldb.Dialect]int{sqldb.SQLite: 600, sqldb.Postgres: 250} {
		t.Run(dialect.String(), func(t *testing.T) {
			w := storetest.New(t, dialect)
			m := &signIns{w: w, id: consented(t, w).ID, now: storetest.Now(), dice: rand.New(rand.NewPCG(1, uint64(ends)))}
			for range 3 {
				m.signIn(t, false)
			}
			kept := m.signIn(t, true)
			for i := range ends {
				rotating := m.dice.IntN(4) == 0
				n := m.signIn(t, rotating)
				if m.dice.IntN(10) == 0 { // stays
					n = m.all[m.dice.IntN(len(m.all))]
				}
				m.now = m.now.Add(time.Duration(m.dice.IntN(100)) * time.Second)
				if n.endedAt.IsZero() && n != kept {
					m.end(t, n)
				}
				switch m.dice.IntN(12) {
				case 0:
					m.now = m.now.Add(time.Hour)
				case 1:
					m.now = m.now.Add(time.Duration(m.dice.IntN(48)) * time.Hour)
				}
				if i%5 == 0 {
					m.check(t)
				}
			}
			m.check(t)
			// Nothing is left of what has expired, a while later.
			m.now = m.now.Add(3 * 24 * time.Hour)
			for range ends / 3 {
				m.now = m.now.Add(2 * time.Second)
				m.end(t, m.signIn(t, false))
			}
			m.check(t)
			if n := w.Count(t, `ended_families WHERE expires_at <= $1`, m.now.UnixMicro()); n != 0 {
				t.Errorf("%d rows have expired", n)
			}
			if at, err := w.Store.Rotate(t.Context(), m.id, kept.Family, 0, m.now); at != authz.Rotated || err != nil {
				t.Errorf("the one that nobody ended: %v, %v", at, err)
			}
			wantNoOrphans(t, w)
		})
	}
}

// Many servers end sign-ins of one grant at the same time.
func TestEndFamilyRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		g := consented(t, w)
		both := []*storetest.World{w, w.Again(t)}
		const each = store.KeptEnded / 2
		for _, err := range race(8, func(i int) error {
			for n := range each {
				issued := storetest.Now().Add(time.Duration(n) * time.Minute)
				e := store.FamilyEnd{GrantID: g.ID, Family: authz.Family{byte(i), byte(n)}, IssuedBy: issued}
				if err := both[i%2].Store.EndFamily(t.Context(), e, issued.Add(time.Hour)); err != nil {
					return err
				}
			}
			return nil
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		after, _, err := w.Store.GrantSnapshot(t.Context(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			for n := range each {
				token := authz.RefreshToken{Family: authz.Family{byte(i), byte(n)}, IssuedAt: storetest.Now().Add(time.Duration(n) * time.Minute)}
				if after.Refreshes(token) {
					t.Errorf("sign-in %d of %d can be refreshed", n, i)
				}
			}
		}
		if fresh := (authz.RefreshToken{Family: authz.Family{99}, IssuedAt: storetest.Now().Add(each * time.Minute)}); !after.Refreshes(fresh) {
			t.Errorf("one that was issued after all of them cannot be refreshed: the mark is at %v", after.EndedUntil)
		}
		if n := w.Count(t, `ended_families WHERE expires_at = 9223372036854775807`); n < store.KeptEnded || n > store.KeptEnded+8 {
			t.Errorf("%d are remembered one by one, want %d and what the last ones could not see of one another", n, store.KeptEnded)
		}
	})
}

// Sign-ins end, go on and are replayed while their user removes the application: nobody
// waits in a circle, and nothing is left.
func TestEndAndRemoveRace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		a, p := personAndProfile(t, w, 1)
		for round := range 15 {
			g := allow(t, w, a.ID, p.ID)
			families := []authz.Family{{1, byte(round)}, {2, byte(round)}, {3, byte(round)}, {4, byte(round)}}
			for _, f := range families {
				begin(t, w, g.ID, f)
			}
			for i, err := range race(11, func(i int) error {
				f := families[i%len(families)]
				switch {
				case i > 8:
					f = authz.Family{5, byte(round), byte(i)} // a code that is new
				case i == 8:
					return w.Store.RemoveGrant(t.Context(), a.ID, g.ID, storetest.By(0))
				case i < 4:
					return w.Store.EndFamily(t.Context(), store.FamilyEnd{GrantID: g.ID, Family: f, Rotating: i%2 == 0}, storetest.Now())
				case i < 6:
					return errOf(w.Store.Rotate(t.Context(), g.ID, f, 7, storetest.Now()))
				}
				return errOf(w.Store.Redeem(t.Context(), store.Redeem{Code: f, GrantID: g.ID, Rotating: true}, storetest.Now()))
			}) {
				if err != nil {
					t.Errorf("round %d, %d: %v", round, i, err)
				}
			}
		}
		if n := w.Count(t, `families`) + w.Count(t, `ended_families`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		wantNoOrphans(t, w)
	})
}

// What a program of before has written is taken over, and what it writes beside this one.
func TestEndedFamiliesOfBefore(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			cfg := sqldbtest.Config(t, dialect)
			db := sqldbtest.Open(t, cfg)
			if err := db.Migrate(t.Context(), migrationsUntil(t, 4)); err != nil {
				t.Fatal(err)
			}
			ring, err := keyring.Create(filepath.Join(t.TempDir(), "keys"))
			if err != nil {
				t.Fatal(err)
			}
			w := &storetest.World{DB: db, Store: store.New(db, ring)}
			at := storetest.Now().UnixMicro()
			w.Exec(t, `INSERT INTO accounts (id, email, email_key, email_confirmed_at, name, postal_code, password_hash, created_at, updated_at, disabled_at, version) VALUES (1, '', '', 0, '', '', '', 0, 0, 0, 1)`)
			w.Exec(t, `INSERT INTO developers (id, company, country, created_at) VALUES (1, '', '', 0)`)
			w.Exec(t, `INSERT INTO profiles (id, developer_id, client_key, application_key, name, description, privacy_url, search_text, logo, created_at, updated_at, last_used_at, suspended_at, version)
				VALUES (1, 1, $1, $1, '', '', '', '', $1, 0, 0, 0, 0, 1)`, []byte{})
			w.Exec(t, `INSERT INTO grants (id, account_id, profile_id, scopes, asked, created_at, updated_at, last_used_at) VALUES (1, 1, 1, $1, $1, 0, 0, 0)`, []byte{})
			rotating, lasting, live := authz.Family{1}, authz.Family{2}, authz.Family{3}
			asBefore := func(f authz.Family) {
				w.Exec(t, `INSERT INTO ended_families (grant_id, family, ended_at) VALUES (1, $1, $2)`, f[:], at)
			}
			rotates := func(f authz.Family) {
				w.Exec(t, `INSERT INTO families (grant_id, family, step, stepped_at) VALUES (1, $1, 0, $2)`, f[:], at)
			}
			rotates(rotating)
			rotates(live)
			asBefore(rotating)
			asBefore(lasting)
			if err := db.Migrate(t.Context(), store.Migrations()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Store.Identify(t.Context(), string(storetest.Namespace), storetest.Now()); err != nil {
				t.Fatal(err)
			}
			beside := authz.Family{4} // ended by a program of before, while this one runs
			rotates(beside)
			asBefore(beside)

			want := func(when string, dead ...authz.Family) {
				t.Helper()
				g, _, err := w.Store.GrantSnapshot(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range dead {
					_, err := w.Store.FamilyStep(t.Context(), 1, f)
					if g.Live(f) && (f == lasting || err == nil) && g.Refreshes(authz.RefreshToken{Family: f, IssuedAt: storetest.Now()}) {
						t.Errorf("%s: family %v is back", when, f[0])
					}
				}
				if step, err := w.Store.FamilyStep(t.Context(), 1, live); step != 0 || err != nil || !g.Live(live) {
					t.Errorf("%s: the live one: %d, %v", when, step, err)
				}
			}
			want("after the migration", rotating, lasting, beside)
			now := storetest.Now()
			for i := range store.KeptEnded + 50 {
				now = now.Add(time.Hour)
				e := store.FamilyEnd{GrantID: 1, Family: authz.Family{9, byte(i)}, IssuedBy: now}
				if err := w.Store.EndFamily(t.Context(), e, now); err != nil {
					t.Fatal(err)
				}
			}
			want("after many others", rotating, lasting, beside)
			for _, f := range []authz.Family{rotating, lasting, beside} {
				if n := w.Count(t, `ended_families WHERE family = $1`, f[:]); n != 0 {
					t.Errorf("family %d has a row still", f[0])
				}
				if got, err := w.Store.Rotate(t.Context(), 1, f, 0, now); got != authz.FamilyGone || err != nil {
					t.Errorf("family %d: %v, %v", f[0], got, err)
				}
			}
		})
	}
}

// migrationsUntil are those that a program of before knows.
func migrationsUntil(t *testing.T, version int) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for v := 1; v <= version; v++ {
		names, err := fs.Glob(store.Migrations(), fmt.Sprintf("%05d_*.sql", v))
		if err != nil || len(names) != 1 {
			t.Fatal(names, err)
		}
		text, err := fs.ReadFile(store.Migrations(), names[0])
		if err != nil {
			t.Fatal(err)
		}
		files[names[0]] = &fstest.MapFile{Data: text}
	}
	return files
}

// TestReplaysEndNothingYounger: codes that are sent twice end their own sign-ins. Of many
// of them the mark is when the oldest were redeemed, not when they were sent again:
// who signed in since is still signed in.
func TestReplaysEndNothingYounger(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ann, d := w.Developer(t, "ann@example.com")
		p, _ := w.Profile(t, d.ID, "Reports")
		g := allow(t, w, ann.ID, p.ID)
		redeem := func(i int, at time.Time, want authz.Redemption) {
			t.Helper()
			got, err := w.Store.Redeem(t.Context(), store.Redeem{Code: authz.Family{byte(i)}, GrantID: g.ID}, at)
			if got != want || err != nil {
				t.Fatalf("code %d: %v, %v, want %v", i, got, err, want)
			}
		}
		for i := range store.KeptEnded + 2 {
			redeem(i, storetest.Now().Add(time.Duration(i)*time.Second), authz.Redeemed)
		}
		for i := range store.KeptEnded + 2 {
			redeem(i, storetest.Now().Add(200*time.Second), authz.Replayed)
		}
		got, _, err := w.Store.GrantSnapshot(t.Context(), g.ID)
		if want := storetest.Now().Add(time.Second); err != nil || !got.EndedUntil.Equal(want) {
			t.Errorf("ended until %v, %v, want %v", got.EndedUntil, err, want)
		}
	})
}
