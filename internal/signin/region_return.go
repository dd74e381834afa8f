package signin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/region"
	"gatelodge/internal/seal"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// regionSkew is how far the clocks of two regions may be apart.
const regionSkew = time.Minute

// fromRegion is where neighbours send people back to.
func (s *Surface) fromRegion(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	flow, n, err := s.openFlow(r, q.Get("state"))
	if err != nil {
		return err
	}
	to := toDestination(flow.To)
	to.keepOpener(w)
	again := url.Values{"continue": {flow.To}}
	if flow.Again != 0 {
		again.Set("again", "1")
	}
	tryAgain := web.Link{Text: "Try again", URL: WithRegion(n.Name, again)}
	if q.Get("iss") != n.Issuer {
		// RFC 9207: a neighbour answers for itself alone.
		return regionFailure(n, region.ErrRefused, to)
	}
	switch code := q.Get("error"); code {
	case "":
	case "access_denied":
		return &web.Error{
			Status: http.StatusForbidden, Title: "You did not allow it",
			Detail: "To sign you in here, " + s.Regions.This.Title + " has to learn from " + n.Title + " who you are: your name, your e-mail address and an id. Nobody was signed in.",
			Turn:   web.YourTurn, Next: "Try again and choose Allow, or sign in with another account.",
			Links: []web.Link{tryAgain, {Text: "Sign in", URL: to.Via(session.SignInPath)}},
		}
	default:
		return regionFailure(n, region.Answered(n, code), to)
	}
	p, err := s.Regions.Finish(r.Context(), n, flow.ask(""), q.Get("code"))
	if err != nil {
		return regionFailure(n, err, to)
	}
	a, err := s.Store.AccountByHome(r.Context(), p.Home)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if flow.Again != 0 {
			return anotherPerson(n, tryAgain)
		}
		return s.newcomer(w, r, n, flow, p)
	case err != nil:
		return err
	case !a.DisabledAt.IsZero():
		return web.Forbidden("Who runs "+s.Regions.This.Title+" has disabled your account here. What you have in "+n.Title+" is not touched.",
			web.Link{Text: "Contact us", URL: "/help/contact"})
	}
	if flow.Again != 0 {
		u, err := s.Sessions.Current(r)
		switch {
		case err != nil && !errors.Is(err, session.ErrNone) && !errors.Is(err, session.ErrExpired):
			return err
		case flow.Again != a.ID, err == nil && u.Account.ID != a.ID:
			return anotherPerson(n, tryAgain)
		case p.SignedIn.AuthenticatedAt.Before(time.Unix(flow.At, 0).Add(-regionSkew)):
			return regionFailure(n, region.ErrRefused, to)
		}
	}
	if err := s.follow(r, a, p); err != nil {
		return err
	}
	return s.enter(w, r, a, p.SignedIn, to)
}

func anotherPerson(n region.Region, tryAgain web.Link) error {
	return &web.Error{
		Status: http.StatusForbidden, Title: "That is another account",
		Detail: "You signed in in " + n.Title + " with another account than the one that is signed in here. Nothing was shown or changed.",
		Turn:   web.YourTurn, Next: "Try again with the account that you use here.", Links: []web.Link{tryAgain},
	}
}

// enter signs in, and goes on to where the person was going.
func (s *Surface) enter(w http.ResponseWriter, r *http.Request, a account.Account, home account.SignedInAtHome, to destination) error {
	if err := s.Sessions.StartFrom(w, r, a, home); err != nil {
		return err
	}
	return s.goOn(w, r, a.ID, to, s.takeTyped(w, r))
}

// follow takes over an e-mail address that has changed at home. Who has a password here
// signs in with the address here, so it stays; so does one that another account needs.
func (s *Surface) follow(r *http.Request, a account.Account, p region.Person) error {
	email, ok := confirmedEmail(p)
	if !ok || email == a.Email {
		return nil
	}
	_, signsInHere, err := s.Store.HomeOf(r.Context(), a.ID)
	if err != nil || signsInHere {
		return err
	}
	now := s.Now()
	err = s.Store.ChangeEmail(r.Context(), a.ID, email, account.EmailKey(email), now, s.Sessions.By(r, session.User{}, now))
	if errors.Is(err, store.ErrEmailTaken) {
		return nil
	}
	return err
}

// confirmedEmail is the address that the home region vouches for. An address that it
// has not confirmed is a mere claim, and is nobody's here.
func confirmedEmail(p region.Person) (string, bool) {
	email, err := account.ParseEmail(p.Email)
	return email, err == nil && p.Confirmed
}

// newcomer makes the account of somebody who signs in for the first time. One that is
// here already with the same address is never taken for theirs: they sign in to it.
func (s *Surface) newcomer(w http.ResponseWriter, r *http.Request, n region.Region, flow regionFlow, p region.Person) error {
	to := toDestination(flow.To)
	email, ok := confirmedEmail(p)
	if !ok {
		return &web.Error{
			Status: http.StatusForbidden, Title: "Your e-mail address is not confirmed yet",
			Detail: n.Title + " does not know yet that the address of your account is yours, so it cannot be used here.",
			Turn:   web.YourTurn, Next: "Open the link in the mail that " + n.Host() + " sent you, then come back.",
			Links: []web.Link{{Text: "Your account in " + n.Title, URL: n.Issuer + accountPath}, {Text: "Try again", URL: to.Via(withPath + "/" + n.Name)}},
		}
	}
	there, hash, err := s.Store.AccountByEmail(r.Context(), account.EmailKey(email))
	switch {
	case err == nil && hash == "":
		return s.livesElsewhere(r, there, email)
	case err == nil:
		return s.askToJoin(w, r, n, joining{Home: p.Home, Email: email, SignedIn: p.SignedIn, To: flow.To})
	case !errors.Is(err, store.ErrNotFound):
		return err
	case s.SignUp != Open:
		return s.showClosed(w, r, http.StatusForbidden)
	}
	now := s.Now()
	if err := s.admitSignUp(r, now); err != nil {
		return tooManyJoin(err)
	}
	made := store.NewAccount{Email: email, EmailKey: account.EmailKey(email), Confirmed: now, Home: &p.Home}
	if made.Name, err = account.ParseName(p.Name); err != nil {
		made.Name, _, _ = strings.Cut(email, "@")
	}
	if to.Develops() {
		made.Developer = &store.NewDeveloper{Company: made.Name, Country: s.countryIn(r, n, flow.Country)}
	}
	a, err := s.Store.CreateAccount(r.Context(), made, s.Sessions.By(r, session.User{}, now))
	switch {
	case errors.Is(err, store.ErrHomeTaken): // pressed twice
		if a, err = s.Store.AccountByHome(r.Context(), p.Home); err != nil {
			return err
		}
	case errors.Is(err, store.ErrEmailTaken):
		return web.Conflict("An account has been made with your address just now.", web.Link{Text: "Try again", URL: to.Via(withPath + "/" + n.Name)})
	case err != nil:
		return err
	}
	return s.enter(w, r, a, p.SignedIn, to)
}

func tooManyJoin(err error) error {
	if slow, ok := errors.AsType[*session.SlowDownError](err); ok {
		return web.TooMany(slow.Wait, "Very many accounts are being made from where you are.")
	}
	return err
}

// countryIn is the country of a developer who lives in n: the one that was asked for,
// else the browser's, if it is at home there, else any that is.
func (s *Surface) countryIn(r *http.Request, n region.Region, asked string) string {
	for _, country := range []string{asked, preferredCountry(r.Header.Get("Accept-Language"))} {
		if home, ok := s.Regions.Home(country); ok && home.Name == n.Name {
			return country
		}
	}
	if len(n.Countries) > 0 {
		return n.Countries[0]
	}
	return defaultCountry
}

// livesElsewhere is the page for an account with this address that another home's
// person uses, and nobody can sign in to here.
func (s *Surface) livesElsewhere(r *http.Request, a account.Account, email string) error {
	home, _, err := s.Store.HomeOf(r.Context(), a.ID)
	if err != nil {
		return err
	}
	e := &web.Error{
		Status: http.StatusConflict, Title: "There is an account here with this address already",
		Detail: "It has the address " + email + " and belongs to another account than the one that you signed in with. Nobody was signed in.",
		Turn:   web.YourTurn, Next: "If it is yours, sign in with the account that it belongs to. If that account has been deleted, ask who runs this server to hand yours over.",
		Links: []web.Link{{Text: "Sign in", URL: session.SignInPath}, {Text: "Contact us", URL: "/help/contact"}},
	}
	if n, ok := s.Regions.At(home.Issuer); ok {
		e.Detail = "It has the address " + email + " and belongs to another account of " + n.Title + " than the one that you signed in with. Nobody was signed in."
	}
	return e
}

// joining is somebody of a neighbour who has an account here too. It waits, sealed in
// the page, for them to sign in to that.
type joining struct {
	Home     account.Home           `json:"h"`
	Email    string                 `json:"e"`
	SignedIn account.SignedInAtHome `json:"s"`
	To       string                 `json:"t,omitempty"`
	Browser  []byte                 `json:"b"`
	At       int64                  `json:"at"`
}

type joinPage struct {
	Form    *web.Form
	Region  region.Region
	Here    region.Region
	Email   string
	Joining string
}

func (s *Surface) askToJoin(w http.ResponseWriter, r *http.Request, n region.Region, j joining) error {
	j.Browser, j.At = s.regionBrowser(w, r), s.Now().Unix()
	plain, err := json.Marshal(j)
	if err != nil {
		return err
	}
	sealed, err := s.View.Keys().Seal(nil, seal.Joining, s.Now(), plain)
	if err != nil {
		return err
	}
	return s.showJoin(w, r, http.StatusOK, nil, joinPage{Form: web.NewForm(nil), Region: n, Here: s.Regions.This, Email: j.Email, Joining: string(sealed)}, toDestination(j.To))
}

func (s *Surface) showJoin(w http.ResponseWriter, r *http.Request, status int, flash *web.Flash, p joinPage, to destination) error {
	allowApplication(w, to)
	return s.narrow(w, r, status, "sign_in_join", "You have an account here already", flash, p)
}

// join connects the account of somebody who knows its password with their home.
func (s *Surface) join(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	var j joining
	sealed := form.Values.Get("joining")
	plain, err := s.View.Open(r.Context(), seal.Joining, sealed)
	if err == nil {
		err = json.Unmarshal(plain, &j)
	}
	n, known := s.Regions.At(j.Home.Issuer)
	if err != nil || !known || !s.sameBrowser(r, j.Browser) || s.Now().Sub(time.Unix(j.At, 0)) > regionTime {
		return &web.Error{
			Status: http.StatusBadRequest, Title: "This page cannot be used any more",
			Detail: "It is more than an hour old, or was opened in another browser. Nothing was changed.",
			Turn:   web.YourTurn, Next: "Sign in once more.", Links: []web.Link{{Text: "Sign in", URL: session.SignInPath}}, Err: err,
		}
	}
	to := toDestination(j.To)
	to.keepOpener(w)
	p := joinPage{Form: form, Region: n, Here: s.Regions.This, Email: j.Email, Joining: sealed}
	if form.Values.Get("password") == "" {
		form.Fail("password", "Enter your password.")
		return s.showJoin(w, r, http.StatusUnprocessableEntity, nil, p, to)
	}
	a, err := s.Sessions.Authenticate(r, j.Email, form.Values.Get("password"))
	if status, words, ok := wait(w, err); ok {
		return s.showJoin(w, r, status, words, p, to)
	}
	if errors.Is(err, session.ErrWrongPassword) {
		form.Fail("password", "This is not the password of the account here. It may be another than the one in "+n.Title+".")
		return s.showJoin(w, r, http.StatusUnprocessableEntity, nil, p, to)
	}
	if err != nil {
		return err
	}
	err = s.Store.LinkHome(r.Context(), a.ID, j.Home, s.Sessions.By(r, session.User{Account: &a}, s.Now()))
	if errors.Is(err, store.ErrHomeTaken) {
		return web.Conflict("Your account of "+n.Title+" belongs to another account here by now.", web.Link{Text: "Sign in", URL: session.SignInPath})
	}
	if err != nil {
		return err
	}
	return s.enter(w, r, a, account.SignedInAtHome{AuthenticatedAt: s.Now(), Session: j.SignedIn.Session}, to)
}
