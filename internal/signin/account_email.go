package signin

import (
	"errors"
	"net/http"
	"net/url"

	"gatelodge/internal/account"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

type emailPage struct {
	Form  *web.Form
	Email string
	// Confirms: a link goes to the new address. Stuck: one would have to, but this
	// server sends no mail.
	Confirms, Stuck bool
}

func (s *Surface) emailForm(w http.ResponseWriter, r *http.Request, u session.User) error {
	return s.showEmail(w, r, u, http.StatusOK, nil, web.NewForm(nil))
}

func (s *Surface) showTypedEmail(w http.ResponseWriter, r *http.Request, u session.User, typed url.Values) error {
	return s.showEmail(w, r, u, http.StatusOK, nil, web.NewForm(url.Values{"email": typed["email"]}))
}

func (s *Surface) showEmail(w http.ResponseWriter, r *http.Request, u session.User, status int, flash *web.Flash, form *web.Form) error {
	return s.own(w, r, u, status, "account_email", "Change your e-mail address", flash, emailPage{
		Form: form, Email: u.Account.Email, Confirms: s.confirms(), Stuck: s.Email == account.ConfirmRequired && !s.mails(),
	})
}

// changeEmail gives the account another address: at once where addresses are not
// confirmed, else when the link that goes to the new one is opened. So a mistyped
// address locks nobody out.
func (s *Surface) changeEmail(w http.ResponseWriter, r *http.Request, u session.User) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if form.TakeSuggestion() {
		return s.showEmail(w, r, u, http.StatusOK, nil, form)
	}
	email, password := parse(form, "email", account.ParseEmail), form.Values.Get("password")
	if password == "" {
		form.Fail("password", "Enter your password.")
	}
	if form.OK() && email == u.Account.Email {
		form.Fail("email", "This is your address already.")
	}
	if s.Email == account.ConfirmRequired && !s.mails() {
		return s.showEmail(w, r, u, http.StatusServiceUnavailable, nil, form)
	}
	if !form.OK() {
		return s.showEmail(w, r, u, http.StatusUnprocessableEntity, nil, form)
	}
	status, words, err := s.confirmPassword(w, r, u, form)
	switch {
	case err != nil:
		return err
	case status != 0:
		return s.showEmail(w, r, u, status, words, form)
	case s.confirms():
		return s.askNewEmail(w, r, u, email)
	}
	now := s.Now()
	err = s.Store.ChangeEmail(r.Context(), u.Account.ID, email, account.EmailKey(email), now, s.Sessions.By(r, u, now))
	if errors.Is(err, store.ErrEmailTaken) {
		form.Fail("email", "There is another account with this address. Enter another one.")
		return s.showEmail(w, r, u, http.StatusUnprocessableEntity, nil, form)
	}
	if err != nil {
		return err
	}
	return done(w, r, accountPath, emailChanged)
}

// askNewEmail answers the same whether the address is free or another account's.
func (s *Surface) askNewEmail(w http.ResponseWriter, r *http.Request, u session.User, email string) error {
	now := s.Now()
	key := account.EmailKey(email)
	owner, _, err := s.Store.AccountByEmail(r.Context(), key)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && owner.ID == u.Account.ID:
		err = s.postConfirmation(newEmailLink(*u.Account, email, now), now)
	case err == nil:
		err = s.postAddressTaken(email, now)
	}
	if err != nil {
		return err
	}
	return done(w, r, accountPath, emailAsked)
}

// confirmPassword checks the field "password" of somebody who is signed in. When
// it is not right, status is that of the answer, and the form says why.
func (s *Surface) confirmPassword(w http.ResponseWriter, r *http.Request, u session.User, form *web.Form) (status int, words *web.Flash, err error) {
	err = s.Sessions.Confirm(r, u, form.Values.Get("password"))
	if status, words, ok := wait(w, err); ok {
		return status, words, nil
	}
	if errors.Is(err, session.ErrWrongPassword) {
		form.Fail("password", "This is not your present password.")
		return http.StatusUnprocessableEntity, nil, nil
	}
	return 0, nil, err
}
