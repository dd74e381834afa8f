package signin

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"gatelodge/internal/account"
	"gatelodge/internal/region"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

type signInPage struct {
	Form    *web.Form
	To      destination
	Typed   string // what was typed before, sealed
	Expired bool
	As      *web.AccountBadge // who is signed in already
	MayJoin bool
	// Regions are the neighbours in which somebody may have their account.
	Regions []region.Region
}

// SignInPage is the sign-in page in place of one that somebody asked for or posted
// to without being signed in.
func (s *Surface) SignInPage(w http.ResponseWriter, r *http.Request, in session.SignIn) error {
	return s.showSignIn(w, r, http.StatusUnauthorized, nil, signInPage{
		Form: web.NewForm(nil), To: toDestination(in.Continue), Typed: in.Typed, Expired: in.Expired,
	})
}

func (s *Surface) signInForm(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	to := toDestination(q.Get("continue"))
	to.keepOpener(w)
	form := web.NewForm(nil)
	// An application may know who its user is (OpenID Connect Core section 3.1.2.1). Its
	// word fills the field and proves nothing.
	if email, err := account.ParseEmail(q.Get("login_hint")); err == nil {
		form.Values.Set("email", email)
	}
	return s.showSignIn(w, r, http.StatusOK, nil, signInPage{
		Form: form, To: to, Expired: q.Has("expired"), As: s.Sessions.Badge(r),
	})
}

func (s *Surface) showSignIn(w http.ResponseWriter, r *http.Request, status int, flash *web.Flash, p signInPage) error {
	allowApplication(w, p.To)
	s.allowRegions(w)
	p.MayJoin, p.Regions = s.SignUp == Open, s.doors()
	title := "Sign in"
	if p.Expired {
		title = "Your session has expired"
	}
	return s.narrow(w, r, status, "sign_in", title, flash, p)
}

func (s *Surface) signIn(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	p := signInPage{
		Form:    form,
		To:      toDestination(cmp.Or(form.Get("continue"), r.URL.Query().Get("continue"))),
		Typed:   form.Values.Get("typed"),
		Expired: form.Values.Has("expired"),
	}
	p.To.keepOpener(w)
	if form.TakeSuggestion() {
		return s.showSignIn(w, r, http.StatusOK, nil, p)
	}
	email, password := parse(form, "email", account.ParseEmail), form.Values.Get("password")
	if password == "" {
		form.Fail("password", "Enter your password.")
	}
	if !form.OK() {
		return s.showSignIn(w, r, http.StatusUnprocessableEntity, nil, p)
	}
	a, err := s.Sessions.Authenticate(r, email, password)
	if status, words, ok := wait(w, err); ok {
		return s.showSignIn(w, r, status, words, p)
	}
	if errors.Is(err, session.ErrWrongPassword) {
		form.Fail("password", "Email or password is not right. Check both and try again."+s.orElsewhere())
		return s.showSignIn(w, r, http.StatusUnprocessableEntity, nil, p)
	}
	if err != nil {
		return err
	}
	if err := s.Sessions.Start(w, r, a); err != nil {
		return err
	}
	return s.goOn(w, r, a.ID, p.To, p.Typed)
}

// signInAgainPage brings somebody back to the form that they were filling in.
type signInAgainPage struct {
	Path  string // where the form is; empty when what was typed is another account's
	Typed string
	Next  string
}

// goOn sends somebody who has just signed in to where they wanted to go. A form
// that was typed before is posted back to its page, which shows it and saves
// nothing; one of another account is dropped.
func (s *Surface) goOn(w http.ResponseWriter, r *http.Request, accountID int64, to destination, typed string) error {
	next, err := s.next(r.Context(), accountID, to)
	if err != nil {
		return err
	}
	if typed == "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	p := signInAgainPage{Next: next}
	if path, ok := s.Sessions.TypedBy(r, typed, accountID); ok {
		p.Path, p.Typed = path, typed
	}
	return s.narrow(w, r, http.StatusOK, "sign_in_again", "You are signed in again", nil, p)
}

func (s *Surface) next(ctx context.Context, accountID int64, to destination) (string, error) {
	if to != "" {
		return string(to), nil
	}
	_, err := s.Store.DeveloperOf(ctx, accountID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return accountPath, nil
	case err != nil:
		return "", err
	}
	return consolePath, nil
}

func (s *Surface) signOutForm(w http.ResponseWriter, r *http.Request) error {
	return s.narrow(w, r, http.StatusOK, "sign_out", "Sign out", nil, s.Sessions.Badge(r))
}

func (s *Surface) signOut(w http.ResponseWriter, r *http.Request) error {
	at, there, err := s.homeSession(r)
	if err != nil {
		return err
	}
	if err := s.Sessions.End(w, r); err != nil {
		return err
	}
	if there {
		return s.signedOutHere(w, r, at)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
