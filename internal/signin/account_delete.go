package signin

import (
	"net/http"

	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// deleteWord has to be typed for what cannot be undone.
const deleteWord = "delete"

type deletePage struct {
	Form  *web.Form
	Email string
	Ends  store.AccountEnd
	// AtHome: it is confirmed by a sign-in at home, and not by a password.
	AtHome bool
}

func (s *Surface) deleteForm(w http.ResponseWriter, r *http.Request, u session.User) error {
	onward, _, err := s.confirmHere(r, u, deletePath)
	if err != nil {
		return err
	}
	if onward != "" {
		http.Redirect(w, r, onward, http.StatusSeeOther)
		return nil
	}
	return s.showDelete(w, r, u, http.StatusOK, nil, web.NewForm(nil))
}

func (s *Surface) showDelete(w http.ResponseWriter, r *http.Request, u session.User, status int, flash *web.Flash, form *web.Form) error {
	ends, err := s.Store.AccountEnd(r.Context(), u.Account.ID)
	if err != nil {
		return err
	}
	home, there, err := s.home(r, u.Account.ID)
	if err != nil {
		return err
	}
	return s.own(w, r, u, status, "account_delete", "Delete your account", flash, deletePage{form, u.Account.Email, ends, there && !home.SignsInHere})
}

func (s *Surface) deleteAccount(w http.ResponseWriter, r *http.Request, u session.User) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if form.Get("confirm") != deleteWord {
		form.Fail("confirm", "Type the word delete, in small letters.")
	}
	onward, withoutPassword, err := s.confirmHere(r, u, deletePath)
	if err != nil {
		return err
	}
	if onward != "" {
		http.Redirect(w, r, onward, http.StatusSeeOther)
		return nil
	}
	if !withoutPassword && form.Values.Get("password") == "" {
		form.Fail("password", "Enter your password.")
	}
	if !form.OK() {
		return s.showDelete(w, r, u, http.StatusUnprocessableEntity, nil, form)
	}
	if !withoutPassword {
		status, words, err := s.confirmPassword(w, r, u, form)
		if err != nil {
			return err
		}
		if status != 0 {
			return s.showDelete(w, r, u, status, words, form)
		}
	}
	if err := s.Store.DeleteAccount(r.Context(), u.Account.ID, s.Sessions.By(r, u, s.Now())); err != nil {
		return err
	}
	if err := s.Sessions.End(w, r); err != nil {
		return err
	}
	return s.narrow(w, r, http.StatusOK, "account_deleted", "Your account is deleted", nil, nil)
}
