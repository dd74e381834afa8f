package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

// Size is how much there is in a database that was filled for measurements. Each
// account has Grants / Accounts grants, each to another profile.
type Size struct {
	Accounts, Profiles, Grants int
	// Scopes are those of each grant.
	Scopes oauth.ScopeSet
	// PasswordHash is everybody's.
	PasswordHash string
	By           audit.By
}

// Filled is a database of a size. Accounts, profiles and grants are numbered from 0.
type Filled struct {
	Size
	Profiles []FilledProfile
}

// FilledProfile is a profile with what its application knows.
type FilledProfile struct {
	ID       int64
	ClientID string
	Secret   string
}

// first is where the ids of what is filled in begin: an hour before the store's own
// ids of the same day, which are milliseconds since 2024 and 21 bits more.
func (f Filled) first() int64 {
	since := f.By.At.Add(-time.Hour).Sub(time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC))
	return since.Milliseconds() << 21
}

// AccountID is the id of the ith account.
func (f Filled) AccountID(i int) int64 { return f.first() + int64(i) }

// Email is the address of the ith account.
func (f Filled) Email(i int) string { return fmt.Sprintf("user%07d@example.com", i) }

// Grant says what the ith grant is: its id, and the numbers of account and profile.
func (f Filled) Grant(i int) (id int64, accountNumber, profileNumber int) {
	accountNumber = i % f.Accounts
	round, rounds := i/f.Accounts, (f.Grants+f.Accounts-1)/f.Accounts
	return f.first() + int64(i), accountNumber, (accountNumber + round*max(1, f.Size.Profiles/rounds)) % f.Size.Profiles
}

// Fill fills an empty database. Profiles come by way of the store, in transactions
// that share their commits; of accounts and grants there are too many for that, so
// their rows, with those of consents and events, are written as the store writes them.
func Fill(ctx context.Context, db *sqldb.DB, s *store.Store, size Size) (Filled, error) {
	f := Filled{Size: size, Profiles: make([]FilledProfile, size.Profiles)}
	at := size.By.At.UnixMicro()
	err := bulk(ctx, db, size.Accounts, `accounts (id, email, email_key, email_confirmed_at, name, postal_code, password_hash, created_at, updated_at, disabled_at, version)`,
		func(i int) []any {
			email := f.Email(i)
			return []any{f.AccountID(i), email, account.EmailKey(email), at, fmt.Sprintf("User Number %d", i), "12345", size.PasswordHash, at, at, 0, 1}
		})
	if err != nil {
		return f, err
	}
	if err := f.fillProfiles(ctx, s); err != nil {
		return f, err
	}
	scopes := size.Scopes.AppendBinary([]byte{})
	if err := bulk(ctx, db, size.Grants, `grants (id, account_id, profile_id, scopes, asked, created_at, updated_at, last_used_at)`, func(i int) []any {
		id, a, p := f.Grant(i)
		return []any{id, f.AccountID(a), f.Profiles[p].ID, scopes, scopes, at, at, 0}
	}); err != nil {
		return f, err
	}
	if err := bulk(ctx, db, size.Grants, `consents (id, grant_id, asked, allowed, words, given_at)`, func(i int) []any {
		id, _, _ := f.Grant(i)
		return []any{id, id, scopes, scopes, "consent-page/1", at}
	}); err != nil {
		return f, err
	}
	return f, bulk(ctx, db, size.Grants, `events (id, kind, at, account_id, actor_id, profile_id, detail, address, request_id)`, func(i int) []any {
		id, a, p := f.Grant(i)
		return []any{id, string(audit.GrantGiven), at, f.AccountID(a), f.AccountID(a), 0, fmt.Sprint("Application ", p), "192.0.2.1", "0123456789abcdef"}
	})
}

// profilesOfOne is how many profiles each developer account has.
const profilesOfOne = 100

func (f Filled) fillProfiles(ctx context.Context, s *store.Store) error {
	developers := make([]int64, (f.Size.Profiles+profilesOfOne-1)/profilesOfOne)
	for i := range developers {
		d, err := s.CreateDeveloper(ctx, f.AccountID(i%f.Accounts), store.NewDeveloper{Company: fmt.Sprint("Company ", i), Country: "GB"}, f.By)
		if err != nil {
			return err
		}
		developers[i] = d.ID
	}
	const together = 64
	errs := make([]error, together)
	var wg sync.WaitGroup
	for worker := range together {
		wg.Go(func() {
			for i := worker; i < f.Size.Profiles && errs[worker] == nil; i += together {
				f.Profiles[i], errs[worker] = f.profile(ctx, s, developers[i/profilesOfOne], i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (f Filled) profile(ctx context.Context, s *store.Store, developer int64, i int) (FilledProfile, error) {
	secret := registry.NewClientSecret(Namespace)
	p, err := s.CreateProfile(ctx, store.NewProfile{
		DeveloperID: developer,
		Form:        registry.ProfileForm{Name: fmt.Sprint("Application ", i), Description: "Reads the reports of its users", PrivacyURL: "https://example.com/privacy"},
		ReturnURLs:  []registry.ReturnURL{{Value: "http://127.0.0.1:3999/cb"}, {Value: fmt.Sprintf("https://app%d.example.com/signed-in", i)}},
		Secret:      secret,
	}, f.By)
	return FilledProfile{ID: p.ID, ClientID: Namespace.ClientID(p.Client), Secret: secret}, err
}

const (
	rowsPerStatement = 200
	rowsPerCommit    = 50 * rowsPerStatement
)

// bulk inserts n rows into a table with its columns.
func bulk(ctx context.Context, db *sqldb.DB, n int, into string, row func(i int) []any) error {
	width := strings.Count(into, ",") + 1
	text := func(rows int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "INSERT INTO %s VALUES ", into)
		for i := range rows * width {
			switch {
			case i == 0:
				b.WriteString("(")
			case i%width == 0:
				b.WriteString("), (")
			default:
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", i+1)
		}
		b.WriteString(")")
		return b.String()
	}
	whole := text(rowsPerStatement)
	for from := 0; from < n; from += rowsPerCommit {
		err := db.Write(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
			for begin := from; begin < min(n, from+rowsPerCommit); begin += rowsPerStatement {
				end := min(n, begin+rowsPerStatement)
				statement := whole
				if end-begin < rowsPerStatement {
					statement = text(end - begin)
				}
				args := make([]any, 0, (end-begin)*width)
				for i := begin; i < end; i++ {
					args = append(args, row(i)...)
				}
				if _, err := tx.Exec(ctx, statement, args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("fill %s: %w", into, err)
		}
	}
	return nil
}
