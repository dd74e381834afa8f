package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/session"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store/storetest"
)

// counting is a request's context that counts the evaluations of argon2 made under
// it: the hasher looks at the context once more right before each.
type counting struct {
	context.Context
	evaluations *int
}

func (c counting) Err() error {
	var callers [8]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	if frame, _ := frames.Next(); strings.HasSuffix(frame.Function, "account.(*Hasher).evaluate") {
		*c.evaluations++
	}
	return c.Context.Err()
}

func counted(r *http.Request) (*http.Request, *int) {
	n := new(int)
	return r.WithContext(counting{r.Context(), n}), n
}

// An address with an account cannot be told from one without by what is done: the
// password is evaluated once, whatever is wrong.
func TestOneEvaluation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := newSite(t, w, session.Options{})
		a, disabled := user(t, w, "ann@example.com"), user(t, w, "bob@example.com")
		if err := w.Store.SetAccountDisabled(t.Context(), disabled.ID, s.now, storetest.By(0)); err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			name, email, password string
			want                  error
		}{
			{"right", "ann@example.com", password, nil},
			{"right, in capitals", " ANN@example.com ", password, nil},
			{"wrong", "ann@example.com", "battery horse", session.ErrWrongPassword},
			{"empty", "ann@example.com", "", session.ErrWrongPassword},
			{"unknown", "nobody@example.com", password, session.ErrWrongPassword},
			{"no address", "", password, session.ErrWrongPassword},
			{"no text", "a\x00b\xff@example.com", password, session.ErrWrongPassword},
			{"disabled", "bob@example.com", password, session.ErrWrongPassword},
			{"disabled and wrong", "bob@example.com", "x", session.ErrWrongPassword},
		} {
			r, evaluations := counted(newBrowser().request("POST", "/sign-in", nil))
			got, err := s.Authenticate(r, tc.email, tc.password)
			if !errors.Is(err, tc.want) || err == nil && got.ID != a.ID || err != nil && got.ID != 0 {
				t.Errorf("%s: %d, %v; want %v", tc.name, got.ID, err, tc.want)
			}
			if *evaluations != 1 {
				t.Errorf("%s: %d evaluations, want 1", tc.name, *evaluations)
			}
		}
	})
}

// guesses are made from as many addresses, until one is slowed down; it says after
// how many.
func (s *site) guess(t *testing.T, email string, from func(i int) *browser) (n int, e *session.SlowDownError) {
	t.Helper()
	for ; n < 100; n++ {
		r, evaluations := counted(from(n).request("POST", "/sign-in", nil))
		_, err := s.Authenticate(r, email, fmt.Sprint("guess ", n))
		if slow, ok := errors.AsType[*session.SlowDownError](err); ok {
			if *evaluations != 0 {
				t.Errorf("a guess that was turned away cost %d evaluations", *evaluations)
			}
			return n, slow
		}
		if !errors.Is(err, session.ErrWrongPassword) {
			t.Fatal(err)
		}
	}
	t.Errorf("%d guesses at %s were not slowed down", n, email)
	return n, &session.SlowDownError{}
}

// anywhere is a new browser at an address of its own.
func anywhere(i int) *browser {
	b := newBrowser()
	b.address = fmt.Sprintf("198.51.%d.%d:1234", i/200, i%200)
	return b
}

// Strangers who guess are slowed down, on every server and after a restart, and
// the owner's own browser is not.
func TestGuessingIsSlowed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := newSite(t, w, session.Options{})
		a := user(t, w, "ann@example.com")
		own := newBrowser()
		s.signIn(t, own, a)
		delete(own.cookies, "gatelodge_session") // it ended; the device is known still

		n, slow := s.guess(t, "ann@example.com", anywhere)
		if n != 25 || slow.Wait != 15*time.Second {
			t.Errorf("slowed after %d guesses for %v, want 25 and 15s", n, slow.Wait)
		}
		// Also with another server on the same database, and with the right password.
		restarted := newSite(t, w.Again(t), session.Options{})
		_, err := restarted.Authenticate(anywhere(150).get("/sign-in"), "Ann@example.com", password)
		if _, ok := errors.AsType[*session.SlowDownError](err); !ok {
			t.Errorf("after a restart: %v", err)
		}
		// Whoever is not known is slowed down in the same way.
		if n, slow := s.guess(t, "nobody@example.com", func(i int) *browser { return anywhere(200 + i) }); n != 25 || slow.Wait != 15*time.Second {
			t.Errorf("an address without an account: after %d guesses for %v", n, slow.Wait)
		}

		if got, err := s.Authenticate(own.get("/sign-in"), "ann@example.com", password); got.ID != a.ID || err != nil {
			t.Errorf("the owner's own browser: %v", err)
		}
		// The device does nothing for another's account, and a forged one nothing at all.
		if n := func() int { n, _ := s.guess(t, "bob@example.com", func(int) *browser { return own }); return n }(); n != 25 {
			t.Errorf("another's account from a known device: %d guesses", n)
		}
		forged := anywhere(199)
		forged.cookies["gatelodge_device"] = &http.Cookie{Name: "gatelodge_device", Value: own.cookies["gatelodge_device"].Value + "A"}
		_, err = s.Authenticate(forged.get("/sign-in"), "ann@example.com", password)
		if _, ok := errors.AsType[*session.SlowDownError](err); !ok {
			t.Errorf("with a forged device: %v", err)
		}

		s.now = s.now.Add(15 * time.Second)
		if got, err := s.Authenticate(anywhere(151).get("/sign-in"), "ann@example.com", password); got.ID != a.ID || err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

// A stolen device cookie buys no more guesses than a stranger has.
func TestGuessingFromAKnownDevice(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	s := newSite(t, w, session.Options{})
	own := newBrowser()
	s.signIn(t, own, user(t, w, "ann@example.com"))
	n, _ := s.guess(t, "ann@example.com", func(i int) *browser {
		b := anywhere(i)
		b.cookies = own.cookies
		return b
	})
	if n != 25 {
		t.Errorf("slowed after %d guesses, want 25", n)
	}
}

// One address that tries many accounts is slowed too; its own successes are given back.
func TestGuessingFromOneAddress(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	s := newSite(t, w, session.Options{})
	user(t, w, "ann@example.com")
	network := func(i int) *browser { // all of one IPv6 network
		b := newBrowser()
		b.address = fmt.Sprintf("[2001:db8::%x]:1234", i+1)
		return b
	}
	for i := range 80 {
		if _, err := s.Authenticate(network(i).get("/sign-in"), "ann@example.com", password); err != nil {
			t.Fatalf("sign-in %d of an office at nine in the morning: %v", i, err)
		}
	}
	for i := range 51 {
		_, err := s.Authenticate(network(i).get("/sign-in"), fmt.Sprintf("user%d@example.com", i), "x")
		slow, ok := errors.AsType[*session.SlowDownError](err)
		if ok != (i == 50) || ok && slow.Wait != 30*time.Second {
			t.Errorf("guess %d: %v", i, err)
		}
	}
}

// A hash of a lesser cost is replaced when the password is next known.
func TestRehash(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	s := newSite(t, w, session.Options{})
	a := user(t, w, "ann@example.com")
	weak, err := account.NewHasher(account.HasherOptions{Cost: account.Cost{MemoryKiB: 9, Passes: 1, Threads: 1}}).Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.ChangePassword(t.Context(), a.ID, weak, [32]byte{}, storetest.By(0)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 2, 1} {
		try := password
		if i == 0 {
			try = "wrong"
		}
		r, evaluations := counted(newBrowser().get("/sign-in"))
		if _, err := s.Authenticate(r, "ann@example.com", try); (err != nil) != (i == 0) || *evaluations != want {
			t.Errorf("try %d: %v, %d evaluations, want %d", i, err, *evaluations, want)
		}
	}
}

func TestConfirm(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, a, b := newSite(t, w, session.Options{}), user(t, w, "ann@example.com"), newBrowser()
		s.signIn(t, b, a)
		s.now = s.now.Add(time.Hour)
		u, err := s.Current(b.get("/"))
		if err != nil || u.Session.Recent(s.now) {
			t.Fatalf("an hour after sign-in: %+v, %v", u.Session, err)
		}
		if err := s.Confirm(b.get("/"), u, "wrong"); !errors.Is(err, session.ErrWrongPassword) {
			t.Errorf("wrong password: %v", err)
		}
		if u, err := s.Current(b.get("/")); err != nil || u.Session.Recent(s.now) {
			t.Errorf("confirmed by a wrong password (%v)", err)
		}
		if err := s.Confirm(b.get("/"), u, password); err != nil {
			t.Error(err)
		}
		if u, err := s.Current(b.get("/")); err != nil || !u.Session.Recent(s.now) {
			t.Errorf("not confirmed (%v)", err)
		}
		var slow *session.SlowDownError
		for i := 0; i < 30 && slow == nil; i++ {
			slow, _ = errors.AsType[*session.SlowDownError](s.Confirm(b.get("/"), u, "wrong"))
		}
		if slow == nil {
			t.Error("guessing in a session is not slowed")
		}
	})
}

// Whichever call to the database fails while somebody signs in: they are in, or
// they are told, and the next try gets them in.
func TestFaultsInSignIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, a := newSite(t, w, session.Options{}), user(t, w, "ann@example.com")
		signIn := func(b *browser) error {
			got, err := s.Authenticate(b.request("POST", "/sign-in", nil), "ann@example.com", password)
			if err != nil {
				return err
			}
			rec := httptest.NewRecorder()
			if err := s.Start(rec, b.request("POST", "/sign-in", nil), got); err != nil {
				return err
			}
			b.keep(rec)
			return nil
		}
		for _, outcome := range []faultdb.Outcome{faultdb.Failed, faultdb.FailedButApplied} {
			for n, pending := 1, false; !pending && !t.Failed(); n++ {
				b := newBrowser()
				s.signIn(t, b, a) // an old session, which ends by signing in again
				old := b.clone()
				w.Faults.Reset()
				w.Faults.Fail(n, outcome)
				err := signIn(b)
				pending = w.Faults.Pending()
				w.Faults.Reset()
				if pending && (err != nil || n < 10) {
					t.Errorf("without a fault: %d calls, %v", n-1, err)
				}
				if errors.Is(err, session.ErrWrongPassword) {
					t.Errorf("call %d: the right password was called wrong", n)
				}
				if err == nil {
					s.wantUser(t, b, a.ID)
				}
				if err := signIn(b); err != nil {
					t.Errorf("call %d outcome %d: the next try: %v", n, outcome, err)
				}
				s.wantUser(t, b, a.ID)
				s.wantNobody(t, old, session.ErrExpired)
			}
		}
	})
}
