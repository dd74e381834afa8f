package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/store"
)

// ErrWrongPassword says that e-mail address and password do not belong together,
// and no more: not which of the two is unknown.
var ErrWrongPassword = errors.New("session: e-mail address or password is wrong")

// SlowDownError says that too many passwords were tried.
type SlowDownError struct{ Wait time.Duration }

func (e *SlowDownError) Error() string {
	return fmt.Sprintf("session: too many attempts, wait %v", e.Wait)
}

// Authenticate checks an e-mail address and a password, and slows guessing. It
// evaluates the password exactly once, whether the address has an account or not;
// an attempt that is refused for its frequency evaluates nothing either way. It
// answers ErrWrongPassword, a *SlowDownError or account.ErrBusy.
func (m *Manager) Authenticate(r *http.Request, email, password string) (account.Account, error) {
	a, err := m.authenticate(r, email, password)
	m.signIns.count(err)
	return a, err
}

func (m *Manager) authenticate(r *http.Request, email, password string) (account.Account, error) {
	key := account.EmailKey(email)
	ctx := r.Context()
	a, hash, err := m.Store.AccountByEmail(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	guess := account.ThrottleKey(account.SignInByAccount, key)
	if device, ok := m.deviceAccount(r); ok && err == nil && device == a.ID {
		guess = account.ThrottleKey(account.SignInByDevice, key, m.deviceName(r))
	}
	if err := m.check(r, guess, hash, password); err != nil {
		return account.Account{}, err
	}
	if !a.DisabledAt.IsZero() {
		return account.Account{}, ErrWrongPassword
	}
	return a, m.rehash(ctx, a.ID, hash, password)
}

// Confirm checks the password of somebody who is signed in once more and renews
// the time of the sign-in. It answers as Authenticate does.
func (m *Manager) Confirm(r *http.Request, u User, password string) error {
	hash, err := m.Store.PasswordHash(r.Context(), u.Account.ID)
	if err != nil {
		return err
	}
	guess := account.ThrottleKey(account.SignInByDevice, account.EmailKey(u.Account.Email), strconv.FormatInt(u.Account.ID, 10))
	if err := m.check(r, guess, hash, password); err != nil {
		return err
	}
	return m.Store.ReauthenticateSession(r.Context(), u.Session.Digest, m.Now())
}

// check takes one attempt from the caller's address and from the account before
// the password is evaluated. When it was right, the address gets its one back and
// the account all of them.
func (m *Manager) check(r *http.Request, guess [32]byte, hash, password string) error {
	ctx, now := r.Context(), m.Now()
	address := account.AddressThrottleKey(account.SignInByAddress, m.Address(r))
	for _, bucket := range []struct {
		key  [32]byte
		kind account.ThrottleKind
	}{{address, account.SignInByAddress}, {guess, account.SignInByAccount}} {
		wait, err := m.Store.Take(ctx, bucket.key, bucket.kind.Rate(), now)
		if err != nil {
			return err
		}
		if wait > 0 {
			return &SlowDownError{wait}
		}
	}
	ok, err := m.Hasher.Verify(ctx, hash, password)
	if err != nil {
		return err
	}
	if !ok {
		return ErrWrongPassword
	}
	if err := m.Store.GiveBack(ctx, address, account.SignInByAddress.Rate()); err != nil {
		return err
	}
	return m.Store.Forgive(ctx, guess)
}

func (m *Manager) rehash(ctx context.Context, id int64, hash, password string) error {
	if !m.Hasher.Outdated(hash) {
		return nil
	}
	fresh, err := m.Hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	return m.Store.RehashPassword(ctx, id, hash, fresh)
}
