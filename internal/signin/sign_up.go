package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// defaultCountry is assumed of a developer whose browser names none.
const defaultCountry = "US"

type signUpPage struct {
	Form      *web.Form
	To        destination
	Countries []web.Choice
	// Details unfolds company and country.
	Details bool
	// Regions: the country decides where the account lives.
	Regions bool
}

// PasswordRule is stated beside every new password.
func (signUpPage) PasswordRule() string { return passwordRule }

var passwordRule = fmt.Sprintf("At least %d characters. Some words in a row are easy to remember.", account.PasswordMin)

func (s *Surface) signUpForm(w http.ResponseWriter, r *http.Request) error {
	if s.SignUp != Open {
		return s.showClosed(w, r, http.StatusOK)
	}
	to := toDestination(r.URL.Query().Get("continue"))
	to.keepOpener(w)
	form := web.NewForm(nil)
	if country := r.URL.Query().Get("country"); country != "" {
		if code, err := account.ParseCountry(country); err == nil {
			form.Values.Set("country", code)
		}
		return s.showSignUp(w, r, http.StatusOK, nil, form, to)
	}
	if country := preferredCountry(r.Header.Get("Accept-Language")); to.Develops() {
		if n, ok := s.abroad(country); ok {
			return s.showWith(w, r, n, to, country, false)
		}
	}
	return s.showSignUp(w, r, http.StatusOK, nil, form, to)
}

func (s *Surface) showSignUp(w http.ResponseWriter, r *http.Request, status int, flash *web.Flash, form *web.Form, to destination) error {
	allowApplication(w, to)
	if form.Get("country") == "" {
		form.Values.Set("country", preferredCountry(r.Header.Get("Accept-Language")))
	}
	_, company := form.Err("company")
	_, country := form.Err("country")
	return s.narrow(w, r, status, "sign_up", "Create an account", flash, signUpPage{
		Form: form, To: to, Countries: s.countries, Details: company || country || form.Get("company") != "" || r.URL.Query().Has("country"),
		Regions: s.Regions != nil,
	})
}

func (s *Surface) showClosed(w http.ResponseWriter, r *http.Request, status int) error {
	return s.narrow(w, r, status, "sign_up_closed", "Create an account", nil, s.SignUp)
}

func (s *Surface) signUp(w http.ResponseWriter, r *http.Request) error {
	if s.SignUp != Open {
		return s.showClosed(w, r, http.StatusForbidden)
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	to := toDestination(cmp.Or(form.Get("continue"), r.URL.Query().Get("continue")))
	to.keepOpener(w)
	if form.TakeSuggestion() {
		return s.showSignUp(w, r, http.StatusOK, nil, form, to)
	}
	n, password := readSignUp(r, form, to)
	if n.Developer != nil {
		if at, ok := s.abroad(n.Developer.Country); ok {
			http.Redirect(w, r, WithRegion(at.Name, url.Values{"country": {n.Developer.Country}, "continue": {string(to)}}), http.StatusSeeOther)
			return nil
		}
	}
	if !form.OK() {
		return s.showSignUp(w, r, http.StatusUnprocessableEntity, nil, form, to)
	}
	now := s.Now()
	if err := s.admitSignUp(r, now); err != nil {
		if status, words, ok := wait(w, err); ok {
			return s.showSignUp(w, r, status, words, form, to)
		}
		return err
	}
	// The one evaluation, whether the address is free or taken.
	n.PasswordHash, err = s.Hasher.Hash(r.Context(), password)
	if status, words, ok := wait(w, err); ok {
		return s.showSignUp(w, r, status, words, form, to)
	}
	if err != nil {
		return err
	}
	if s.Email == account.ConfirmNotAsked {
		n.Confirmed = now
	}
	a, err := s.Store.CreateAccount(r.Context(), n, s.Sessions.By(r, session.User{}, now))
	taken := errors.Is(err, store.ErrEmailTaken)
	if err != nil && !taken {
		return err
	}
	if s.confirms() {
		return s.answerByMail(w, r, a, taken, to, now)
	}
	if taken {
		form.Fail("email", "There is an account with this address already. Sign in, or enter another address.")
		return s.showSignUp(w, r, http.StatusUnprocessableEntity, nil, form, to)
	}
	if err := s.Sessions.Start(w, r, a); err != nil {
		return err
	}
	return s.goOn(w, r, a.ID, to, "")
}

// answerByMail gives the same answer whether the address was free or taken: who
// owns the mailbox learns which by mail. Nobody is signed in yet, since that could
// not be had for a taken address.
func (s *Surface) answerByMail(w http.ResponseWriter, r *http.Request, a account.Account, taken bool, to destination, now time.Time) error {
	var err error
	if taken {
		err = s.postAddressTaken(a.Email, now)
	} else {
		err = s.postConfirmation(newEmailLink(a, a.Email, now), now)
	}
	if err != nil {
		return err
	}
	return s.narrow(w, r, http.StatusOK, "sign_up_sent", "Check your mail", nil, struct {
		Email string
		To    destination
	}{a.Email, to})
}

// admitSignUp slows who makes accounts in numbers; a *session.SlowDownError says
// for how long.
func (s *Surface) admitSignUp(r *http.Request, now time.Time) error {
	return s.takeByAddress(r.Context(), r, account.SignUpByAddress, now)
}

func (s *Surface) takeByAddress(ctx context.Context, r *http.Request, kind account.ThrottleKind, now time.Time) error {
	wait, err := s.Store.Take(ctx, account.AddressThrottleKey(kind, s.Sessions.Address(r)), kind.Rate(), now)
	if err == nil && wait > 0 {
		return &session.SlowDownError{Wait: wait}
	}
	return err
}

// readSignUp reads the form. A developer account is made for who comes as a
// developer; what it needs has defaults, so that three fields are enough.
func readSignUp(r *http.Request, form *web.Form, to destination) (n store.NewAccount, password string) {
	n.Name = parse(form, "name", account.ParseName)
	n.Email = parse(form, "email", account.ParseEmail)
	n.EmailKey = account.EmailKey(n.Email)
	password = parse(form, "password", passwordFor(account.Account{Name: n.Name, Email: n.Email}))
	if !to.Develops() {
		return n, password
	}
	n.Developer = &store.NewDeveloper{Company: n.Name, Country: preferredCountry(r.Header.Get("Accept-Language"))}
	if form.Get("company") != "" {
		n.Developer.Company = parse(form, "company", account.ParseCompany)
	}
	if form.Get("country") != "" {
		n.Developer.Country = parse(form, "country", account.ParseCountry)
	}
	return n, password
}

// preferredCountry is the first region that the browser's languages name
// (RFC 9110 section 12.5.4), such as CH in "de-CH, de;q=0.9".
func preferredCountry(acceptLanguage string) string {
	for tag := range strings.SplitSeq(acceptLanguage, ",") {
		tag, _, _ = strings.Cut(tag, ";")
		subtags := strings.Split(strings.TrimSpace(tag), "-")
		for _, subtag := range subtags[1:] {
			if len(subtag) == 1 {
				break // RFC 5646 section 2.2.6: what follows belongs to an extension
			}
			if country, err := account.ParseCountry(subtag); err == nil {
				return country
			}
		}
	}
	return defaultCountry
}
