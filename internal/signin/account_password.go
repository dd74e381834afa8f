package signin

import (
	"net/http"

	"gatelodge/internal/session"
	"gatelodge/internal/web"
)

func (s *Surface) passwordForm(w http.ResponseWriter, r *http.Request, u session.User) error {
	return s.showPassword(w, r, u, http.StatusOK, nil, web.NewForm(nil))
}

func (s *Surface) showPassword(w http.ResponseWriter, r *http.Request, u session.User, status int, flash *web.Flash, form *web.Form) error {
	return s.own(w, r, u, status, "account_password", "Change your password", flash, newPasswordPage{form, u.Account.Email})
}

// changePassword sets another password and ends all other sessions: whoever has the
// old one is out.
func (s *Surface) changePassword(w http.ResponseWriter, r *http.Request, u session.User) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if form.Values.Get("password") == "" {
		form.Fail("password", "Enter your present password.")
	}
	password := parse(form, "new_password", passwordFor(*u.Account))
	if form.OK() && password == form.Values.Get("password") {
		form.Fail("new_password", "This is the present password. Choose another.")
	}
	if !form.OK() {
		return s.showPassword(w, r, u, http.StatusUnprocessableEntity, nil, form)
	}
	status, words, err := s.confirmPassword(w, r, u, form)
	if err != nil {
		return err
	}
	if status != 0 {
		return s.showPassword(w, r, u, status, words, form)
	}
	hash, err := s.Hasher.Hash(r.Context(), password)
	if status, words, ok := wait(w, err); ok {
		return s.showPassword(w, r, u, status, words, form)
	}
	if err != nil {
		return err
	}
	if err := s.Store.ChangePassword(r.Context(), u.Account.ID, hash, u.Session.Digest, s.Sessions.By(r, u, s.Now())); err != nil {
		return err
	}
	s.tellPasswordChanged(r.Context(), u.Account.Email)
	return done(w, r, accountPath, passwordChanged)
}
