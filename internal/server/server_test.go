package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/keyring"
	"gatelodge/internal/live"
	"gatelodge/internal/mail"
	"gatelodge/internal/server"
	"gatelodge/internal/signin"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// each runs test once per dialect, with a configuration on an empty database.
func each(t *testing.T, test func(t *testing.T, c server.Config)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			t.Parallel()
			test(t, config(t, dialect))
		})
	}
}

func config(t *testing.T, dialect sqldb.Dialect) server.Config {
	t.Helper()
	return server.Config{
		Database: sqldbtest.Config(t, dialect), Ring: newRing(t), Issuer: "http://localhost:8080", Namespace: "amzn1", SignUp: signin.Open,
		Logger: slog.New(slog.DiscardHandler), PasswordCost: account.Cost{MemoryKiB: 8, Passes: 1, Threads: 1},
	}
}

func newRing(t *testing.T) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func start(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	s, err := server.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// refused wants New to fail with these words.
func refused(t *testing.T, c server.Config, words string) {
	t.Helper()
	s, err := server.New(t.Context(), c)
	if err == nil {
		t.Fatalf("the server starts, want %q (close: %v)", words, s.Close())
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want %q", err, words)
	}
}

// TestDatabaseOfAnother: a server does not start with a key file or a namespace
// that is not the database's, and what it refused leaves no trace.
func TestDatabaseOfAnother(t *testing.T) {
	each(t, func(t *testing.T, c server.Config) {
		start(t, c)
		other := c
		other.Ring = newRing(t)
		refused(t, other, "the key file is not this database's")
		other = c
		other.Namespace = "other"
		other.Issuer = "https://other.example"
		refused(t, other, `the database's identifiers begin with "amzn1", the setting says "other"`)
		again := start(t, c)
		identity, err := again.Store.Identify(t.Context(), "", time.Now())
		if err != nil || identity.Namespace != "amzn1" || identity.Issuer != "http://localhost:8080" {
			t.Errorf("%+v, %v", identity, err)
		}
	})
}

// TestIssuerIsRemembered for the commands: that of the last server that started.
func TestIssuerIsRemembered(t *testing.T) {
	each(t, func(t *testing.T, c server.Config) {
		for _, issuer := range []string{"http://localhost:8080", "https://id.example.com"} {
			c.Issuer = issuer
			identity, err := start(t, c).Store.Identify(t.Context(), "", time.Now())
			if err != nil || identity.Issuer != issuer {
				t.Errorf("%q, %v, want %q", identity.Issuer, err, issuer)
			}
		}
	})
}

// signUp fills in the form, in a browser without cookies.
func signUp(s *server.Server, issuer string, headers ...string) *http.Response {
	form := url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "password": {"correct horse battery staple"}}
	r := httptest.NewRequest(http.MethodPost, issuer+"/sign-up", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.RemoteAddr = "10.0.0.7:4711"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Result()
}

// TestSignUp: what the settings make of the same form.
func TestSignUp(t *testing.T) {
	public := func(c *server.Config) { c.Issuer = "https://id.example.com" }
	withMail := func(c *server.Config) {
		smtp, err := mail.NewSMTP("smtp://127.0.0.1:1?from=no-reply@id.example.com")
		if err != nil {
			panic(err)
		}
		c.Mail = smtp
	}
	for _, tc := range []struct {
		name      string
		with      []func(*server.Config)
		status    int
		cookie    string // which a session is in, "" for no session
		confirmed bool
	}{
		{"on loopback", nil, http.StatusSeeOther, "gatelodge_session", true},
		{"on loopback by address", []func(*server.Config){func(c *server.Config) { c.Issuer = "http://[::1]:8080" }}, http.StatusSeeOther, "gatelodge_session", true},
		{"on loopback with a mail server", []func(*server.Config){withMail}, http.StatusOK, "", false},
		{"in public", []func(*server.Config){public}, http.StatusSeeOther, "__Host-gatelodge_session", false},
		{"in public with a mail server", []func(*server.Config){public, withMail}, http.StatusOK, "", false},
		{"by invitation", []func(*server.Config){func(c *server.Config) { c.SignUp = signin.Invite }}, http.StatusForbidden, "", false},
		{"closed", []func(*server.Config){func(c *server.Config) { c.SignUp = signin.Closed }}, http.StatusForbidden, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := config(t, sqldb.SQLite)
			for _, change := range tc.with {
				change(&c)
			}
			s := start(t, c)
			response := signUp(s, c.Issuer)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != tc.status {
				t.Fatalf("%d %s, %v, want %d", response.StatusCode, body, err, tc.status)
			}
			got := ""
			for _, cookie := range response.Cookies() {
				if strings.HasSuffix(cookie.Name, "session") {
					got = cookie.Name
				}
			}
			if got != tc.cookie {
				t.Errorf("a session in %q, want %q", got, tc.cookie)
			}
			a, _, err := s.Store.AccountByEmail(t.Context(), "ada@example.com")
			if tc.status == http.StatusForbidden {
				if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("an account is there: %v", err)
				}
				return
			}
			if err != nil || !a.EmailConfirmedAt.IsZero() != tc.confirmed {
				t.Errorf("confirmed %v, %v, want %t", a.EmailConfirmedAt, err, tc.confirmed)
			}
		})
	}
}

// TestTrustedProxies: whose word counts about where a request comes from.
func TestTrustedProxies(t *testing.T) {
	for _, tc := range []struct{ trusted, want string }{
		{"10.0.0.0/8", "203.0.113.9"},
		{"192.168.0.0/16", "10.0.0.7"},
	} {
		c := config(t, sqldb.SQLite)
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(tc.trusted)}
		s := start(t, c)
		response := signUp(s, c.Issuer, "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Host", "evil.example")
		response.Body.Close()
		a, _, err := s.Store.AccountByEmail(t.Context(), "ada@example.com")
		if err != nil {
			t.Fatal(err)
		}
		sessions, err := s.Store.Sessions(t.Context(), a.ID, time.Now())
		if err != nil || len(sessions) != 1 || sessions[0].Address != tc.want {
			t.Errorf("with %s trusted: %+v, %v, want one from %s", tc.trusted, sessions, err, tc.want)
		}
		if location := response.Header.Get("Location"); strings.Contains(location, "evil") {
			t.Errorf("the request's own host is believed: %s", location)
		}
	}
}

// TestReady: while the server follows the feed and the database answers.
func TestReady(t *testing.T) {
	each(t, func(t *testing.T, c server.Config) {
		s, err := server.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("after the start: %v", err)
		}
		rename(t, c.Database, `ALTER TABLE feed RENAME TO lost`)
		awaitReady(t, s, "the feed of changes was last read")
		if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "feed") || !strings.Contains(err.Error(), "exist") && !strings.Contains(err.Error(), "no such table") {
			t.Errorf("%v, want it to say why", err)
		}
		rename(t, c.Database, `ALTER TABLE lost RENAME TO feed`)
		awaitReady(t, s, "")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err == nil {
			t.Error("ready without a database")
		}
	})
}

func rename(t *testing.T, c sqldb.Config, text string) {
	t.Helper()
	db := sqldbtest.Open(t, c)
	err := db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// awaitReady waits for an answer of Ready: an error with these words, or none.
func awaitReady(t *testing.T, s *server.Server, words string) {
	t.Helper()
	var err error
	for range 100 {
		err = s.Ready(t.Context())
		if err == nil && words == "" || err != nil && words != "" && strings.Contains(err.Error(), words) {
			return
		}
		time.Sleep(live.Bound / 10)
	}
	t.Fatalf("ready: %v, want %q", err, words)
}

// TestCloseWritesWhatWasGathered: times of last use are not written one by one.
func TestCloseWritesWhatWasGathered(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	_, developer := w.Developer(t, "ada@example.com")
	p, _ := w.Profile(t, developer.ID, "Reports")
	c := config(t, sqldb.SQLite)
	c.Database, c.Ring = w.Config, w.Ring
	s, err := server.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	used := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	s.View.Used(p.ID, p.Secrets[0].ID, 0, used)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after, _, err := w.Store.ProfileByID(t.Context(), p.ID)
	if err != nil || !after.LastUsedAt.Equal(used) || !after.Secrets[0].LastUsedAt.Equal(used) {
		t.Errorf("last used %v, its secret %v (%v), want %v", after.LastUsedAt, after.Secrets[0].LastUsedAt, err, used)
	}
}

// TestNobodysPage: every address that is no surface's has a page.
func TestNobodysPage(t *testing.T) {
	s := start(t, config(t, sqldb.SQLite))
	for path, want := range map[string]int{"/": http.StatusOK, "/nowhere": http.StatusNotFound, "/help": http.StatusOK, "/sign-in": http.StatusOK} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want || !strings.Contains(w.Body.String(), "</html>") || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s answers %d, want %d:\n%s", path, w.Code, want, w.Body)
		}
	}
}
