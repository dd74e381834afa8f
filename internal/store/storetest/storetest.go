// Package storetest gives tests a migrated database of either dialect with a
// store on it, and the people and profiles that most tests begin with.
package storetest

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/keyring"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
)

// Namespace is the first part of identifiers in the databases made here.
const Namespace registry.Namespace = "amzn1"

// Now is when everything made here was made.
func Now() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) }

// By is an actor of no importance, d after Now.
func By(d time.Duration) audit.By { return audit.By{At: Now().Add(d)} }

// World is a database with a store on it.
type World struct {
	Store *store.Store
	DB    *sqldb.DB
	Ring  *keyring.Ring
	// Faults counts and fails the calls of this handle alone.
	Faults *faultdb.DB
	// Config opens the database once more.
	Config sqldb.Config
	// KeyFile holds Ring.
	KeyFile string
}

// Each runs test once per dialect, each time with an empty database that has its
// identity.
func Each(t *testing.T, test func(t *testing.T, w *World)) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) { test(t, New(t, dialect)) })
	}
}

// New makes one database. For PostgreSQL without a server it skips t.
func New(t testing.TB, dialect sqldb.Dialect) *World {
	t.Helper()
	w := &World{Config: sqldbtest.Config(t, dialect), KeyFile: filepath.Join(t.TempDir(), "key-encryption-keys")}
	if w.Config.URL != "" {
		// Nobody pulls the plug here, and tests make many small commits. (The URL has a
		// query: sqldbtest names the schema in it.)
		w.Config.URL += "&synchronous_commit=off"
	}
	ring, err := keyring.Create(w.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	w.Ring = ring
	w.open(t)
	if err := w.DB.Migrate(t.Context(), store.Migrations()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Identify(t.Context(), string(Namespace), Now()); err != nil {
		t.Fatal(err)
	}
	w.Faults.Reset()
	return w
}

// Again opens the database once more, as another process would.
func (w *World) Again(t testing.TB) *World {
	t.Helper()
	other := &World{Ring: w.Ring, Config: w.Config, KeyFile: w.KeyFile}
	other.open(t)
	return other
}

func (w *World) open(t testing.TB) {
	t.Helper()
	cfg := w.Config
	w.Faults = new(faultdb.DB)
	cfg.Wrap = w.Faults.Wrap
	w.DB = sqldbtest.Open(t, cfg)
	w.Store = store.New(w.DB, w.Ring)
}

// Count counts the rows that a query's FROM and WHERE select.
func (w *World) Count(t testing.TB, from string, args ...any) (n int) {
	t.Helper()
	if err := w.DB.QueryRow(t.Context(), `SELECT COUNT(*) FROM `+from, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Exec runs a statement past the store.
func (w *World) Exec(t testing.TB, text string, args ...any) {
	t.Helper()
	err := w.DB.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, text, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Account makes a user named by the part of email before the @.
func (w *World) Account(t testing.TB, email string) account.Account {
	t.Helper()
	name, _, _ := strings.Cut(email, "@")
	a, err := w.Store.CreateAccount(t.Context(), store.NewAccount{
		Email: email, EmailKey: account.EmailKey(email), Name: name, PasswordHash: "no password", Confirmed: Now(),
	}, By(0))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Developer makes an account with a developer account.
func (w *World) Developer(t testing.TB, email string) (account.Account, account.DeveloperAccount) {
	t.Helper()
	a := w.Account(t, email)
	d, err := w.Store.CreateDeveloper(t.Context(), a.ID, store.NewDeveloper{Company: a.Name + " Ltd", Country: "GB"}, By(0))
	if err != nil {
		t.Fatal(err)
	}
	return a, d
}

// Profile makes a profile with one return URL and gives the value of its secret.
func (w *World) Profile(t testing.TB, developerID int64, name string) (registry.SecurityProfile, string) {
	t.Helper()
	secret := registry.NewClientSecret(Namespace)
	p, err := w.Store.CreateProfile(t.Context(), store.NewProfile{
		DeveloperID: developerID,
		Form:        registry.ProfileForm{Name: name, Description: "For tests", PrivacyURL: "https://example.com/privacy"},
		ReturnURLs:  []registry.ReturnURL{{Value: "https://example.com/cb"}},
		Secret:      secret,
	}, By(0))
	if err != nil {
		t.Fatal(err)
	}
	return p, secret
}
