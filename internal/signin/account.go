package signin

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	eventsShown = 10
	// sessionsShown bounds the list for who signs in by a program all day.
	sessionsShown = 20
)

type accountPage struct {
	Form        *web.Form
	Email       string
	Unconfirmed bool
	Confirms    bool // a link can be sent
	Company     string
	// Home is set of an account that lives in another region.
	Home     *homeView
	Sessions []sessionRow
	Hidden   int // sessions that are not in the list
	Events   []audit.Event
}

// PasswordHere reports whether the account signs in here with a password.
func (p accountPage) PasswordHere() bool { return p.Home == nil || p.Home.SignsInHere }

// sessionRow is a session in words.
type sessionRow struct {
	ID       string
	Device   string
	Address  string
	Since    time.Time
	LastSeen time.Time
	Here     bool // it is the browser that asks
}

func (s *Surface) account(w http.ResponseWriter, r *http.Request, u session.User) error {
	return s.showAccount(w, r, u, http.StatusOK, said(r), detailsForm(*u.Account))
}

func detailsForm(a account.Account) *web.Form {
	return web.NewForm(url.Values{
		"name": {a.Name}, "postal_code": {a.PostalCode}, "version": {strconv.FormatInt(a.Version, 10)},
	})
}

// showDetails brings back what was typed before the session had run out.
func (s *Surface) showDetails(w http.ResponseWriter, r *http.Request, u session.User, typed url.Values) error {
	form := detailsForm(*u.Account)
	for _, name := range []string{"name", "postal_code", "version"} {
		if typed.Has(name) {
			form.Values[name] = typed[name]
		}
	}
	return s.showAccount(w, r, u, http.StatusOK, nil, form)
}

func (s *Surface) showAccount(w http.ResponseWriter, r *http.Request, u session.User, status int, flash *web.Flash, form *web.Form) error {
	ctx := r.Context()
	p := accountPage{
		Form: form, Email: u.Account.Email, Confirms: s.confirms(),
		Unconfirmed: s.Email == account.ConfirmRequired && u.Account.EmailConfirmedAt.IsZero(),
	}
	developer, err := s.Store.DeveloperOf(ctx, u.Account.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	p.Company = developer.Company
	switch home, ok, err := s.home(r, u.Account.ID); {
	case err != nil:
		return err
	case ok:
		p.Home = &home
	}
	if p.Sessions, p.Hidden, err = s.sessions(r, u); err != nil {
		return err
	}
	if p.Events, err = s.Store.AccountEvents(ctx, u.Account.ID, eventsShown); err != nil {
		return err
	}
	return s.own(w, r, u, status, "account", "Your account", flash, p)
}

func (s *Surface) sessions(r *http.Request, u session.User) (rows []sessionRow, hidden int, err error) {
	all, err := s.Store.Sessions(r.Context(), u.Account.ID, s.Now())
	if err != nil {
		return nil, 0, err
	}
	for _, one := range all {
		here := one.Digest == u.Session.Digest
		if !here && len(rows) >= sessionsShown {
			hidden++
			continue
		}
		rows = append(rows, sessionRow{
			ID: base64.RawURLEncoding.EncodeToString(one.Digest[:]), Device: deviceInWords(one.UserAgent), Address: one.Address,
			Since: one.CreatedAt, LastSeen: one.LastSeenAt, Here: here,
		})
	}
	return rows, hidden, nil
}

func (s *Surface) toAccount(w http.ResponseWriter, r *http.Request, _ session.User) error {
	http.Redirect(w, r, accountPath, http.StatusSeeOther)
	return nil
}

func (s *Surface) saveDetails(w http.ResponseWriter, r *http.Request, u session.User) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if form.TakeSuggestion() {
		return s.showAccount(w, r, u, http.StatusOK, nil, form)
	}
	d := store.AccountDetails{
		Name:       parse(form, "name", account.ParseName),
		PostalCode: parse(form, "postal_code", account.ParsePostalCode),
	}
	if !form.OK() {
		return s.showAccount(w, r, u, http.StatusUnprocessableEntity, nil, form)
	}
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	if err != nil {
		version = u.Account.Version // a program that has not read the page
	}
	err = s.Store.UpdateAccount(r.Context(), u.Account.ID, version, d, s.Sessions.By(r, u, s.Now()))
	if errors.Is(err, store.ErrStale) {
		return s.showBothDetails(w, r, u, form, d)
	}
	if err != nil {
		return err
	}
	return done(w, r, accountPath, detailsSaved)
}

// showBothDetails shows what was typed beside what was saved elsewhere meanwhile.
// Saving once more is a decision between the two.
func (s *Surface) showBothDetails(w http.ResponseWriter, r *http.Request, u session.User, form *web.Form, typed store.AccountDetails) error {
	now, err := s.Store.Account(r.Context(), u.Account.ID)
	if err != nil {
		return err
	}
	if typed.Name != now.Name {
		form.Suggest("name", fmt.Sprintf("Changed elsewhere meanwhile: it is “%s” now. Save again to have what stands here.", now.Name), now.Name)
	}
	if typed.PostalCode != now.PostalCode {
		form.Suggest("postal_code", fmt.Sprintf("Changed elsewhere meanwhile: it is “%s” now. Save again to have what stands here.", now.PostalCode), now.PostalCode)
	}
	form.Values.Set("version", strconv.FormatInt(now.Version, 10))
	if form.OK() {
		return done(w, r, accountPath, detailsSaved) // both meant the same
	}
	return s.showAccount(w, r, u, http.StatusConflict, nil, form)
}

// endSessions ends the session that a row's button names, or all but this one.
func (s *Surface) endSessions(w http.ResponseWriter, r *http.Request, u session.User) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	by := s.Sessions.By(r, u, s.Now())
	if form.Pressed("others") {
		if err := s.Store.EndOtherSessions(r.Context(), u.Account.ID, u.Session.Digest, by); err != nil {
			return err
		}
		return done(w, r, accountPath, sessionsEnded)
	}
	raw, err := base64.RawURLEncoding.DecodeString(form.Get("session"))
	if err != nil || len(raw) != len(u.Session.Digest) {
		return web.NotFound("This session does not exist.", web.Link{Text: "Your account", URL: accountPath})
	}
	digest := [32]byte(raw)
	if digest == u.Session.Digest {
		return s.signOut(w, r)
	}
	if err := s.Store.EndSession(r.Context(), u.Account.ID, digest, by); err != nil {
		return err
	}
	return done(w, r, accountPath, sessionEnded)
}
