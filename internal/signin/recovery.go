package signin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/mail"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// RecoveryLink is where the holder of a recovery token chooses a new password.
func RecoveryLink(issuer, token string) string {
	return strings.TrimSuffix(issuer, "/") + recoverPath + "/" + token
}

type recoveryPage struct {
	Form  *web.Form
	Mails bool
}

func (s *Surface) recoveryForm(w http.ResponseWriter, r *http.Request) error {
	return s.showRecovery(w, r, http.StatusOK, nil, web.NewForm(nil))
}

func (s *Surface) showRecovery(w http.ResponseWriter, r *http.Request, status int, flash *web.Flash, form *web.Form) error {
	return s.narrow(w, r, status, "recovery", "Forgot your password?", flash, recoveryPage{form, s.mails()})
}

// askRecovery answers the same, after the same work, whether the address has an
// account or not: all that differs happens after the answer.
func (s *Surface) askRecovery(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	email := parse(form, "email", account.ParseEmail)
	switch {
	case !s.mails():
		return s.showRecovery(w, r, http.StatusServiceUnavailable, nil, web.NewForm(nil))
	case form.TakeSuggestion():
		form.Errors = nil
		return s.showRecovery(w, r, http.StatusOK, nil, form)
	case !form.OK():
		return s.showRecovery(w, r, http.StatusUnprocessableEntity, nil, form)
	}
	now := s.Now()
	// It is a way into an account, so it counts as one.
	if err := s.takeByAddress(r.Context(), r, account.SignInByAddress, now); err != nil {
		if status, words, ok := wait(w, err); ok {
			return s.showRecovery(w, r, status, words, form)
		}
		return err
	}
	err = s.post("recovery", func(ctx context.Context) error { return s.sendRecovery(ctx, account.EmailKey(email), now) })
	if err != nil {
		return err
	}
	return s.narrow(w, r, http.StatusOK, "recovery_sent", "Check your mail", nil, email)
}

func (s *Surface) sendRecovery(ctx context.Context, emailKey string, now time.Time) error {
	ok, err := s.mayMail(ctx, emailKey, now)
	if err != nil || !ok {
		return err
	}
	a, hash, err := s.Store.AccountByEmail(ctx, emailKey)
	if errors.Is(err, store.ErrNotFound) || err == nil && !a.DisabledAt.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	if hash == "" {
		// A password here would open the account after its home has closed it.
		return s.tellHome(ctx, a)
	}
	token, recovery := account.NewRecovery(a.ID, now)
	if err := s.Store.CreateRecovery(ctx, recovery, emailKey, now); err != nil {
		return err
	}
	return s.Mail.Send(ctx, mail.Recovery(a.Email, RecoveryLink(s.Issuer, token), s.ProductName, account.RecoveryLifetime))
}

type newPasswordPage struct {
	Form  *web.Form
	Email string
}

// PasswordRule is stated beside the new password.
func (newPasswordPage) PasswordRule() string { return passwordRule }

// recovering says whose link this is, or answers the page for one that is used up.
func (s *Surface) recovering(r *http.Request) (a account.Account, digest [32]byte, err error) {
	digest, ok := account.DigestToken(r.PathValue("token"))
	if !ok {
		return a, digest, deadRecoveryLink()
	}
	a, err = s.Store.Recovery(r.Context(), digest, s.Now())
	if errors.Is(err, store.ErrNotFound) || err == nil && !a.DisabledAt.IsZero() {
		return a, digest, deadRecoveryLink()
	}
	return a, digest, err
}

func deadRecoveryLink() *web.Error {
	return &web.Error{
		Status: http.StatusGone, Title: "This link cannot be used any more",
		Detail: "It was used already, is older than " + inWords(account.RecoveryLifetime) + ", or arrived incomplete. Your password is as it was.",
		Turn:   web.YourTurn, Next: "Ask for a new one.",
		Links: []web.Link{{Text: "Ask for a new link", URL: recoverPath}, {Text: "Sign in", URL: session.SignInPath}},
	}
}

// newPasswordForm does not use the link up: programs that scan mails open it too.
func (s *Surface) newPasswordForm(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.recovering(r)
	if err != nil {
		return err
	}
	return s.showNewPassword(w, r, http.StatusOK, nil, newPasswordPage{web.NewForm(nil), a.Email})
}

func (s *Surface) showNewPassword(w http.ResponseWriter, r *http.Request, status int, flash *web.Flash, p newPasswordPage) error {
	return s.narrow(w, r, status, "recovery_password", "Choose a new password", flash, p)
}

func (s *Surface) newPassword(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	// Before anything is hashed: a stranger's made-up link costs us a look-up.
	a, digest, err := s.recovering(r)
	if err != nil {
		return err
	}
	p := newPasswordPage{form, a.Email}
	password := parse(form, "new_password", passwordFor(a))
	if !form.OK() {
		return s.showNewPassword(w, r, http.StatusUnprocessableEntity, nil, p)
	}
	hash, err := s.Hasher.Hash(r.Context(), password)
	if status, words, ok := wait(w, err); ok {
		return s.showNewPassword(w, r, status, words, p)
	}
	if err != nil {
		return err
	}
	_, err = s.Store.Recover(r.Context(), digest, hash, s.Sessions.By(r, session.User{}, s.Now()))
	if errors.Is(err, store.ErrNotFound) {
		return deadRecoveryLink()
	}
	if err != nil {
		return err
	}
	if err := s.Sessions.Start(w, r, a); err != nil {
		return err
	}
	s.tellPasswordChanged(r.Context(), a.Email)
	return done(w, r, accountPath, passwordRecovered)
}
