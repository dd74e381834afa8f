package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatelodge/internal/account"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	fieldCompany  = account.FieldCompany
	fieldCountry  = account.FieldCountry
	fieldContinue = "continue"
)

type registerPage struct {
	Form      *web.Form
	Countries []web.Choice
}

// showRegister offers a developer account to somebody who is signed in without
// one, with everything filled in.
func (s *Surface) showRegister(w http.ResponseWriter, r *http.Request, u session.User) error {
	onward := session.LocalPath(r.FormValue(fieldContinue), listPath)
	if _, err := s.Store.DeveloperOf(r.Context(), u.Account.ID); !errors.Is(err, store.ErrNotFound) {
		if err != nil {
			return err
		}
		return redirect(w, r, onward)
	}
	form := web.NewForm(url.Values{
		fieldCompany:  {u.Account.Name},
		fieldCountry:  {countryOf(r.Header.Get("Accept-Language"))},
		fieldContinue: {onward},
	})
	return s.renderRegister(w, r, u, http.StatusOK, form)
}

func (s *Surface) showRegisterTyped(w http.ResponseWriter, r *http.Request, u session.User, typed url.Values) error {
	if typed == nil {
		return redirect(w, r, registerPath)
	}
	return s.renderRegister(w, r, u, http.StatusOK, web.NewForm(typed))
}

func (s *Surface) renderRegister(w http.ResponseWriter, r *http.Request, u session.User, status int, form *web.Form) error {
	return s.pages.Render(w, r, status, "register", web.Page{
		Title: "Create your developer account", Active: "console", Account: u.Badge(), Narrow: true,
		Data: registerPage{form, s.countries},
	})
}

// register makes the developer account and goes on to where the person was going.
func (s *Surface) register(w http.ResponseWriter, r *http.Request, u session.User) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if form.TakeSuggestion() {
		return s.renderRegister(w, r, u, http.StatusOK, form)
	}
	company, err := account.ParseCompany(cmp.Or(form.Get(fieldCompany), u.Account.Name))
	if err := failField(form, err); err != nil {
		return err
	}
	country, err := account.ParseCountry(form.Values.Get(fieldCountry))
	if err := failField(form, err); err != nil {
		return err
	}
	if !form.OK() {
		return s.renderRegister(w, r, u, http.StatusUnprocessableEntity, form)
	}
	onward := session.LocalPath(form.Values.Get(fieldContinue), listPath)
	switch _, err := s.Store.DeveloperOf(r.Context(), u.Account.ID); {
	case err == nil:
		return redirect(w, r, onward) // pressed twice
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	elsewhere, err := s.abroad(r, u, country, onward)
	if err != nil {
		return err
	}
	if elsewhere != "" {
		return redirect(w, r, elsewhere)
	}
	by := s.Sessions.By(r, u, s.Now())
	if _, err := s.Store.CreateDeveloper(r.Context(), u.Account.ID, store.NewDeveloper{Company: company, Country: country}, by); err != nil {
		return err
	}
	return redirect(w, r, onward)
}

// failField puts an error of package account beside its field. Another error is
// returned.
func failField(form *web.Form, err error) error {
	if e, ok := errors.AsType[*account.FieldError](err); ok {
		form.Suggest(e.Field, e.Message, e.Suggestion)
		return nil
	}
	return err
}

// countryOf guesses a country from the first language with a region that the
// browser asks for: "de-CH, de;q=0.8" is Switzerland.
func countryOf(acceptLanguage string) string {
	for language := range strings.SplitSeq(acceptLanguage, ",") {
		tag, _, _ := strings.Cut(language, ";")
		parts := strings.Split(strings.TrimSpace(tag), "-")
		if len(parts) < 2 {
			continue
		}
		if code, err := account.ParseCountry(parts[len(parts)-1]); err == nil {
			return code
		}
	}
	return "US"
}
