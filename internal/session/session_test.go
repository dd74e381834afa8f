package session_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/live"
	"gatelodge/internal/session"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// site is one server's sessions, at a time of the test's choosing.
type site struct {
	*session.Manager
	w   *storetest.World
	now time.Time
	// asked is what the sign-in page was rendered with, nil when it was not.
	asked *session.SignIn
}

func newSite(t testing.TB, w *storetest.World, o session.Options) *site {
	t.Helper()
	view, err := live.New(t.Context(), w.Store, "https://login.example.com", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{w: w, now: storetest.Now()}
	o.Store, o.View, o.Hasher = w.Store, view, hasher()
	o.Now = func() time.Time { return s.now }
	o.Address = func(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() }
	o.SignInPage = func(w http.ResponseWriter, r *http.Request, in session.SignIn) error {
		s.asked = &in
		return nil
	}
	s.Manager = session.New(o)
	return s
}

// hasher is cheap: what is tested does not depend on the cost.
func hasher() *account.Hasher {
	return account.NewHasher(account.HasherOptions{Cost: account.Cost{MemoryKiB: 8, Passes: 1, Threads: 1}})
}

const password = "horse battery"

// user makes an account that signs in with password.
func user(t testing.TB, w *storetest.World, email string) account.Account {
	t.Helper()
	hash, err := hasher().Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	a := w.Account(t, email)
	if err := w.Store.ChangePassword(t.Context(), a.ID, hash, [32]byte{}, storetest.By(0)); err != nil {
		t.Fatal(err)
	}
	return a
}

// browser keeps cookies and comes from one address.
type browser struct {
	address string
	cookies map[string]*http.Cookie
}

func newBrowser() *browser {
	return &browser{address: "192.0.2.1:1234", cookies: map[string]*http.Cookie{}}
}

func (b *browser) request(method, target string, form url.Values) *http.Request {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, target, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.RemoteAddr = b.address
	r.Header.Set("User-Agent", "test")
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

func (b *browser) get(target string) *http.Request { return b.request("GET", target, nil) }

// keep takes the cookies of an answer.
func (b *browser) keep(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
}

func (b *browser) clone() *browser {
	other := newBrowser()
	for name, c := range b.cookies {
		other.cookies[name] = c
	}
	return other
}

// signIn starts a session as the sign-in page does after the password was right.
func (s *site) signIn(t testing.TB, b *browser, a account.Account) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Start(w, b.request("POST", "/sign-in", url.Values{}), a); err != nil {
		t.Fatal(err)
	}
	b.keep(w)
}

func (s *site) wantUser(t *testing.T, b *browser, id int64) {
	t.Helper()
	u, err := s.Current(b.get("/account"))
	if err != nil || u.Account.ID != id || u.Session.AccountID != id {
		t.Errorf("signed in: %+v, %v; want %d", u.Account, err, id)
	}
}

func (s *site) wantNobody(t *testing.T, b *browser, want error) {
	t.Helper()
	u, err := s.Current(b.get("/account"))
	if !errors.Is(err, want) || u.Account != nil || u.Session != nil {
		t.Errorf("signed in: %+v, %v; want %v", u, err, want)
	}
}

func TestSignInAndOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, a, b := newSite(t, w, session.Options{}), user(t, w, "ann@example.com"), newBrowser()
		s.wantNobody(t, b, session.ErrNone)
		if s.Badge(b.get("/")) != nil {
			t.Error("a badge without a name")
		}
		s.signIn(t, b, a)
		s.wantUser(t, b, a.ID)
		if badge := s.Badge(b.get("/")); badge == nil || badge.Email != "ann@example.com" || badge.Name != "ann" {
			t.Errorf("badge %+v", badge)
		}
		stolen := b.clone()
		rec := httptest.NewRecorder()
		if err := s.End(rec, b.request("POST", "/sign-out", url.Values{})); err != nil {
			t.Fatal(err)
		}
		b.keep(rec)
		if len(b.cookies) != 0 {
			t.Errorf("cookies are left: %v", b.cookies)
		}
		s.wantNobody(t, b, session.ErrNone)
		s.wantNobody(t, stolen, session.ErrExpired)
		if n := w.Count(t, `sessions`); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

func TestCookies(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	a := user(t, w, "ann@example.com")
	for _, tc := range []struct {
		secure bool
		names  []string
	}{
		{false, []string{"gatelodge_session", "gatelodge_device"}},
		{true, []string{"__Host-gatelodge_session", "__Host-gatelodge_device"}},
	} {
		s := newSite(t, w, session.Options{Secure: tc.secure})
		b := newBrowser()
		s.signIn(t, b, a)
		for _, end := range []bool{false, true} {
			rec := httptest.NewRecorder()
			var err error
			if end {
				err = s.End(rec, b.get("/"))
			} else {
				err = s.Start(rec, b.get("/"), a)
				b.keep(rec)
			}
			cookies := rec.Result().Cookies()
			if err != nil || len(cookies) != 2 {
				t.Fatalf("cookies %v, %v", cookies, err)
			}
			for i, c := range cookies {
				if c.Name != tc.names[i] || !c.HttpOnly || c.Secure != tc.secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || (c.MaxAge < 0) != end {
					t.Errorf("secure %v, end %v: %+v", tc.secure, end, c)
				}
			}
		}
	}
}

// CVE-2024-7341: a session that somebody planted in the browser never becomes the
// session of who signs in there, and does not outlive that.
func TestSessionFixation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s := newSite(t, w, session.Options{})
		victim, eve := user(t, w, "ann@example.com"), user(t, w, "eve@example.com")
		planted := newBrowser()
		s.signIn(t, planted, eve)
		unknown, _ := account.NewToken()
		for name, b := range map[string]*browser{
			"of the attacker": planted.clone(),
			"made up":         {address: planted.address, cookies: map[string]*http.Cookie{"gatelodge_session": {Name: "gatelodge_session", Value: unknown}}},
			"not a token":     {address: planted.address, cookies: map[string]*http.Cookie{"gatelodge_session": {Name: "gatelodge_session", Value: "x"}}},
		} {
			before := b.clone()
			s.signIn(t, b, victim)
			s.wantUser(t, b, victim.ID)
			if b.cookies["gatelodge_session"].Value == before.cookies["gatelodge_session"].Value {
				t.Errorf("%s: the value was taken over", name)
			}
			if u, err := s.Current(before.get("/")); err == nil {
				t.Errorf("%s: the planted value is signed in as %d", name, u.Account.ID)
			}
		}
		s.wantNobody(t, planted, session.ErrExpired)
	})
}

func TestSessionsEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx, by := t.Context(), storetest.By(0)
		s := newSite(t, w, session.Options{})
		for name, end := range map[string]func(a account.Account) error{
			"disabled": func(a account.Account) error { return w.Store.SetAccountDisabled(ctx, a.ID, s.now, by) },
			"disabled, and the session slipped in beside it": func(a account.Account) error {
				w.Exec(t, `UPDATE accounts SET disabled_at = 1 WHERE id = $1`, a.ID)
				return w.Store.UpdateAccount(ctx, a.ID, 2, store.AccountDetails{}, by)
			},
			"deleted":                    func(a account.Account) error { return w.Store.DeleteAccount(ctx, a.ID, by) },
			"password changed elsewhere": func(a account.Account) error { return w.Store.ChangePassword(ctx, a.ID, "other", [32]byte{1}, by) },
			"not used":                   func(a account.Account) error { s.now = s.now.Add(12 * time.Hour); return nil },
		} {
			t.Run(name, func(t *testing.T) {
				a, b := user(t, w, strings.ReplaceAll(name, " ", ".")+"@example.com"), newBrowser()
				s.signIn(t, b, a)
				s.wantUser(t, b, a.ID)
				if err := end(a); err != nil {
					t.Fatal(err)
				}
				s.wantNobody(t, b, session.ErrExpired)
				// The browser has dropped the session's cookie, and the device's is left.
				delete(b.cookies, "gatelodge_session")
				s.wantNobody(t, b, session.ErrExpired)
			})
		}
	})
}

// A session lives on with its use, which is written seldom, and not for ever.
func TestSessionIsTouched(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	s, a, b := newSite(t, w, session.Options{}), user(t, w, "ann@example.com"), newBrowser()
	s.signIn(t, b, a)
	w.Faults.Reset()
	for range 4 {
		s.now = s.now.Add(time.Minute)
		s.wantUser(t, b, a.ID)
	}
	if n := w.Faults.Counts().Commits; n != 0 {
		t.Errorf("%d writes within five minutes", n)
	}
	begun := s.now
	for s.now.Before(begun.Add(40 * 24 * time.Hour)) {
		s.now = s.now.Add(11 * time.Hour)
		if _, err := s.Current(b.get("/")); errors.Is(err, session.ErrExpired) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if lived := s.now.Sub(begun); lived < 29*24*time.Hour || lived > 31*24*time.Hour {
		t.Errorf("a session in use lived for %v, want 30 days", lived)
	}
}

func TestBy(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	s, a := newSite(t, w, session.Options{}), user(t, w, "ann@example.com")
	b := newBrowser()
	b.address = "[2001:db8::1]:99"
	by := s.By(b.get("/"), session.User{Account: &a}, s.now)
	if by.AccountID != a.ID || by.Address != "2001:db8::1" || !by.At.Equal(s.now) {
		t.Errorf("%+v", by)
	}
	if by := s.By(b.get("/"), session.User{}, s.now); by.AccountID != 0 {
		t.Errorf("nobody is %d", by.AccountID)
	}
}

// When the database is gone, nobody is told that they are not signed in.
func TestCurrentWithoutDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, a, b := newSite(t, w, session.Options{}), user(t, w, "ann@example.com"), newBrowser()
		s.signIn(t, b, a)
		for n := 1; ; n++ {
			fresh := newSite(t, w, session.Options{}) // which remembers nothing yet
			w.Faults.Reset()
			w.Faults.Fail(n, faultdb.Failed)
			u, err := fresh.Current(b.get("/"))
			pending := w.Faults.Pending()
			w.Faults.Reset()
			if pending {
				if err != nil || n < 3 {
					t.Errorf("%d calls, %v", n-1, err)
				}
				return
			}
			if err == nil || errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrExpired) || u.Account != nil {
				t.Errorf("call %d: %+v, %v", n, u, err)
			}
		}
	})
}
