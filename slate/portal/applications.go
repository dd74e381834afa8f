package portal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatelodge/internal/web"
	"gatelodge/slate/store"
)

// maxPurpose bounds in characters what is written about an application.
const maxPurpose = 1000

type applicationsPage struct {
	Account      store.Membership
	Applications []store.Application
	URL          string
	New          int64 // the one that was added a moment ago
}

// newFor is how long an application that was added is marked.
const newFor = time.Minute

func (p *Portal) applications(w http.ResponseWriter, r *http.Request, v visit) error {
	all, err := p.options.Store.Applications(r.Context(), v.account.ID)
	if err != nil {
		return err
	}
	page := applicationsPage{Account: v.account, Applications: all, URL: p.options.URL}
	if n := len(all); n > 0 && v.now.Sub(all[n-1].AddedAt) < newFor {
		page.New = all[n-1].ID
	}
	return p.render(w, r, v, http.StatusOK, "applications", web.Page{Title: "Applications", Active: "applications", Flash: doneFlash(r)}, page)
}

type newApplicationPage struct {
	Account store.Membership
	Form    *web.Form
	// Facts, when set, are what is about to be let in; Seen is their digest.
	Facts *facts
	Seen  string
	Flash *web.Flash
}

func (p *Portal) newApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.showNewApplication(w, r, v, http.StatusOK, newApplicationPage{Form: web.NewForm(nil)})
}

func (p *Portal) showNewApplication(w http.ResponseWriter, r *http.Request, v visit, status int, page newApplicationPage) error {
	page.Account = v.account
	web.AllowImages(w, p.origin)
	return p.render(w, r, v, status, "application-new", web.Page{Title: "Add Application", Active: "applications", Flash: page.Flash}, page)
}

// seen says what somebody was shown: what is added is that and nothing else.
func (f facts) seen() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{f.ClientID, f.Name, f.Publisher, f.Privacy}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// addApplication lets an application in. What Gatelodge tells of it was shown before by
// Look up, or by the script that presses it; whoever was shown something adds that and
// nothing else.
func (p *Portal) addApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	id := form.Get("client_id")
	known, err := p.options.Store.Applications(r.Context(), v.account.ID)
	if err != nil {
		return err
	}
	var f facts
	if id == "" {
		form.Fail("client_id", "Enter the client ID that the developer of the application gave you.")
	} else if i := slices.IndexFunc(known, func(a store.Application) bool { return a.ClientID == id }); i >= 0 {
		form.Fail("client_id", alreadyIn(known[i]))
	} else if f, err = p.facts(r.Context(), id); errors.Is(err, errNoClient) {
		form.Fail("client_id", "Gatelodge knows no application with this client ID. Copy it again, the whole of it; it begins like amzn1.application-oa2-client.")
	} else if err != nil {
		return p.cannotLookUp(w, r, v, form, err)
	}
	looking := form.Get("look") != ""
	if !looking {
		if form.Get("reporting") == "" {
			form.Fail("reporting", "Tick Reporting. It is what an application can be let in for.")
		}
		checkPurpose(form)
	}
	page := newApplicationPage{Form: form}
	if f.ClientID != "" {
		page.Facts, page.Seen = &f, f.seen()
	}
	if !form.OK() {
		return p.showNewApplication(w, r, v, http.StatusUnprocessableEntity, page)
	}
	if seen := form.Get("seen"); looking || seen != "" && seen != page.Seen {
		return p.showNewApplication(w, r, v, http.StatusOK, page)
	}
	_, err = p.options.Store.AddApplication(r.Context(), store.Application{
		AccountID: v.account.ID, ClientID: id, Reporting: true, Name: shorten(f.Name, maxName), Publisher: shorten(f.Publisher, maxName), Purpose: form.Get("purpose"),
	}, store.Actor{PersonID: v.person.ID, At: v.now})
	if errors.Is(err, store.ErrTaken) { // somebody else was quicker
		form.Fail("client_id", "Another manager has just added it.")
		page.Facts = nil
		return p.showNewApplication(w, r, v, http.StatusUnprocessableEntity, page)
	}
	if err != nil {
		return err
	}
	return done(w, r, accountPath(v.account.ID, "applications"), "application-added")
}

// cannotLookUp gives back what was typed while Gatelodge cannot be asked about it.
func (p *Portal) cannotLookUp(w http.ResponseWriter, r *http.Request, v visit, form *web.Form, cause error) error {
	web.LogAttr(r.Context(), slog.String("cause", cause.Error()))
	w.Header().Set("Retry-After", strconv.Itoa(int(downFor/time.Second)))
	return p.showNewApplication(w, r, v, http.StatusServiceUnavailable, newApplicationPage{Form: form, Flash: &web.Flash{
		Kind: web.Warning, Title: "Gatelodge does not answer",
		Detail: "It knows the applications, so this one cannot be looked up at the moment. Nothing was added, and what you typed is still here. Wait a minute, then send it again.",
	}})
}

func alreadyIn(a store.Application) string {
	words := fmt.Sprintf("This is %s. It was added on %s", a.Name, a.AddedAt.Format("2 January 2006"))
	if a.AddedBy != "" {
		words += " by " + a.AddedBy
	}
	return words + "."
}

func checkPurpose(form *web.Form) {
	switch purpose := form.Get("purpose"); {
	case utf8.RuneCountInString(purpose) > maxPurpose:
		form.Fail("purpose", fmt.Sprintf("This is %d characters long; there is room for %d.", utf8.RuneCountInString(purpose), maxPurpose))
	case !utf8.ValidString(purpose) || strings.ContainsRune(purpose, 0):
		form.Fail("purpose", "This holds something that is no text. Type it again.")
	}
}

// accountApplication finds an application of the account that the page belongs to.
func (p *Portal) accountApplication(r *http.Request, v visit) (store.Application, error) {
	id, err := number(r, "application")
	if err != nil {
		return store.Application{}, p.noApplication(v, err)
	}
	a, err := p.options.Store.ApplicationOf(r.Context(), v.account.ID, id)
	return a, p.noApplication(v, err)
}

func (p *Portal) noApplication(v visit, err error) error {
	return missing(err, "This application is not, or no longer, let into "+v.account.Name+".", web.Link{Text: "Applications", URL: accountPath(v.account.ID, "applications")})
}

type editApplicationPage struct {
	Account     store.Membership
	Application store.Application
	Form        *web.Form
	Page        string // the address of its page for everybody
}

func (p *Portal) editApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	a, err := p.accountApplication(r, v)
	if err != nil {
		return err
	}
	form := web.NewForm(map[string][]string{"purpose": {a.Purpose}})
	return p.showEditApplication(w, r, v, http.StatusOK, a, form)
}

func (p *Portal) showEditApplication(w http.ResponseWriter, r *http.Request, v visit, status int, a store.Application, form *web.Form) error {
	return p.render(w, r, v, status, "application-edit", web.Page{Title: a.Name, Active: "applications", Flash: doneFlash(r)},
		editApplicationPage{v.account, a, form, fmt.Sprintf("%s/applications/%d", p.options.URL, a.ID)})
}

func (p *Portal) describeApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	a, err := p.accountApplication(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if checkPurpose(form); !form.OK() {
		return p.showEditApplication(w, r, v, http.StatusUnprocessableEntity, a, form)
	}
	if err := p.options.Store.SetPurpose(r.Context(), v.account.ID, a.ID, form.Get("purpose"), store.Actor{PersonID: v.person.ID, At: v.now}); err != nil {
		return p.noApplication(v, err)
	}
	return done(w, r, accountPath(v.account.ID, "applications", a.ID), "purpose-saved")
}

func (p *Portal) removeApplication(w http.ResponseWriter, r *http.Request, v visit) error {
	id, err := number(r, "application")
	if err == nil {
		err = p.options.Store.RemoveApplication(r.Context(), v.account.ID, id, store.Actor{PersonID: v.person.ID, At: v.now})
	}
	if err != nil {
		return p.noApplication(v, err)
	}
	return done(w, r, accountPath(v.account.ID, "applications"), "application-removed")
}

type applicationPage struct {
	Application store.Application
	Account     string
	AccountID   int64
	// Manages: whoever looks may change what is written here.
	Manages   bool
	Gatelodge string
}

// application explains an application to everybody: it is what a profile's Consent
// Privacy Notice URL can lead to.
func (p *Portal) application(w http.ResponseWriter, r *http.Request, v visit) error {
	id, err := number(r, "application")
	var a store.Application
	if err == nil {
		a, err = p.options.Store.Application(r.Context(), id)
	}
	if err != nil {
		return missing(err, "No account at Slate lets in the application that this page was about. It can read no reports.", web.Link{Text: "Home", URL: "/"})
	}
	account, err := p.options.Store.Account(r.Context(), a.AccountID)
	if err != nil {
		return err
	}
	manages := slices.ContainsFunc(v.memberships, func(m store.Membership) bool { return m.ID == a.AccountID && m.Manage })
	return p.render(w, r, v, http.StatusOK, "application", web.Page{Title: a.Name}, applicationPage{a, account.Name, account.ID, manages, p.options.Gatelodge})
}
