package portal

import (
	"errors"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/web"
	"gatelodge/slate/store"
)

type usersPage struct {
	Account     store.Membership
	Me          int64
	Members     []store.Member
	Invitations []store.Invitation
	SignIn      string
}

func (p *Portal) users(w http.ResponseWriter, r *http.Request, v visit) error {
	members, err := p.options.Store.Members(r.Context(), v.account.ID)
	if err != nil {
		return err
	}
	waiting, err := p.options.Store.Invitations(r.Context(), v.account.ID, v.now)
	if err != nil {
		return err
	}
	return p.render(w, r, v, http.StatusOK, "users", web.Page{Title: "Users", Active: "users", Flash: doneFlash(r)},
		usersPage{v.account, v.person.ID, members, waiting, p.options.URL + "/sign-in"})
}

// rightsIn reads the check boxes.
func rightsIn(form *web.Form) store.Rights {
	return store.Rights{Manage: form.Get("manage") != "", Reports: form.Get("reports") != ""}
}

// checkGiven refuses to give what the giver does not have (slate.md section 12); to
// take it away is open to every manager.
func checkGiven(form *web.Form, v visit, before, after store.Rights) {
	if after.Reports && !before.Reports && !v.account.Reports {
		form.Fail("reports", "You do not have this permission yourself, so you cannot give it.")
	}
}

func checkSome(form *web.Form, r store.Rights) {
	if r == (store.Rights{}) {
		form.Fail("manage", "Tick at least one permission.")
	}
}

type userFormPage struct {
	Account store.Membership
	Form    *web.Form
	Tabs    []web.Tab
	Days    []web.Choice
	SignIn  string
}

func (p *Portal) showUserForm(w http.ResponseWriter, r *http.Request, v visit, status int, page, title string, form *web.Form) error {
	tab := func(text, name string) web.Tab {
		return web.Tab{Text: text, URL: accountPath(v.account.ID, "users", strings.TrimPrefix(name, "user-")), Current: name == page}
	}
	var days []web.Choice
	for _, n := range invitationDays {
		days = append(days, web.Choice{Value: strconv.Itoa(n), Text: strconv.Itoa(n) + " days"})
	}
	return p.render(w, r, v, status, page, web.Page{Title: title, Active: "users"},
		userFormPage{v.account, form, []web.Tab{tab("By user code", "user-new"), tab("By email", "user-invite")}, days, p.options.URL + "/sign-in"})
}

func (p *Portal) newUser(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.showUserForm(w, r, v, http.StatusOK, "user-new", "Add User", web.NewForm(map[string][]string{"reports": {"yes"}}))
}

func (p *Portal) addUser(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	rights := rightsIn(form)
	var person store.Person
	if form.Get("code") == "" {
		form.Fail("code", "Enter the user code. They find it in Slate, under My user settings.")
	} else if person, err = p.options.Store.PersonByCode(r.Context(), form.Get("code")); errors.Is(err, store.ErrNotFound) {
		form.Fail("code", "Nobody has this user code. It is ten letters and digits; let them copy it for you.")
	} else if err != nil {
		return err
	}
	checkSome(form, rights)
	checkGiven(form, v, store.Rights{}, rights)
	if form.OK() {
		err = p.options.Store.LetIn(r.Context(), v.account.ID, person.ID, rights, store.Actor{PersonID: v.person.ID, At: v.now})
		if errors.Is(err, store.ErrTaken) {
			form.Fail("code", personName(person)+" is a user of this account already. Change the permissions on the user’s own page.")
		} else if err != nil {
			return err
		}
	}
	if !form.OK() {
		return p.showUserForm(w, r, v, http.StatusUnprocessableEntity, "user-new", "Add User", form)
	}
	return done(w, r, accountPath(v.account.ID, "users"), "user-added")
}

// invitationDays are how long an invitation can be good for; the first is the usual.
var invitationDays = []int{7, 1, 30}

func (p *Portal) newInvitation(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.showUserForm(w, r, v, http.StatusOK, "user-invite", "Invite User", web.NewForm(map[string][]string{"reports": {"yes"}}))
}

func (p *Portal) invite(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	rights := rightsIn(form)
	email := form.Get("email")
	if address, err := mail.ParseAddress(email); err != nil || address.Address != email || len(email) > 254 {
		form.Fail("email", "Enter one address, such as ann@example.com.")
	} else if err := p.checkNotIn(r, v, form, email); err != nil {
		return err
	}
	var lives time.Duration
	for _, n := range invitationDays {
		if form.Get("days") == strconv.Itoa(n) {
			lives = time.Duration(n) * 24 * time.Hour
		}
	}
	if lives == 0 {
		form.Fail("days", "Choose one of these.")
	}
	checkSome(form, rights)
	checkGiven(form, v, store.Rights{}, rights)
	if !form.OK() {
		return p.showUserForm(w, r, v, http.StatusUnprocessableEntity, "user-invite", "Invite User", form)
	}
	if err := p.options.Store.Invite(r.Context(), v.account.ID, email, rights, v.now.Add(lives), store.Actor{PersonID: v.person.ID, At: v.now}); err != nil {
		return err
	}
	return done(w, r, accountPath(v.account.ID, "users"), "invited")
}

// checkNotIn refuses the address of somebody who is in the account: an invitation
// would change what they may do, at a time that nobody expects.
func (p *Portal) checkNotIn(r *http.Request, v visit, form *web.Form, email string) error {
	members, err := p.options.Store.Members(r.Context(), v.account.ID)
	for _, m := range members {
		if strings.EqualFold(m.Email, email) {
			form.Fail("email", personName(m.Person)+" is a user of this account already. Change the permissions on the user’s own page.")
			break
		}
	}
	return err
}

func (p *Portal) uninvite(w http.ResponseWriter, r *http.Request, v visit) error {
	id, err := number(r, "invitation")
	if err == nil {
		err = p.options.Store.Uninvite(r.Context(), v.account.ID, id, store.Actor{PersonID: v.person.ID, At: v.now})
	}
	if err != nil {
		return missing(err, "This invitation is no longer there: it was accepted, taken back, or its time was over.", usersLink(v))
	}
	return done(w, r, accountPath(v.account.ID, "users"), "uninvited")
}

func usersLink(v visit) web.Link {
	return web.Link{Text: "Users", URL: accountPath(v.account.ID, "users")}
}

// accountUser finds one of the users of the account that the page belongs to.
func (p *Portal) accountUser(r *http.Request, v visit) (store.Member, error) {
	id, err := number(r, "user")
	var m store.Member
	if err == nil {
		m, err = p.options.Store.Member(r.Context(), v.account.ID, id)
	}
	return m, noUser(v, err)
}

func noUser(v visit, err error) error {
	return missing(err, "This is not, or no longer, a user of "+v.account.Name+".", usersLink(v))
}

type userPage struct {
	Account store.Membership
	Member  store.Member
	Me      bool
	Form    *web.Form
}

func (p *Portal) user(w http.ResponseWriter, r *http.Request, v visit) error {
	m, err := p.accountUser(r, v)
	if err != nil {
		return err
	}
	form := web.NewForm(nil)
	if m.Manage {
		form.Values.Set("manage", "yes")
	}
	if m.Reports {
		form.Values.Set("reports", "yes")
	}
	return p.showUser(w, r, v, http.StatusOK, m, form)
}

func (p *Portal) showUser(w http.ResponseWriter, r *http.Request, v visit, status int, m store.Member, form *web.Form) error {
	return p.render(w, r, v, status, "user", web.Page{Title: personName(m.Person), Active: "users", Flash: doneFlash(r)},
		userPage{v.account, m, m.ID == v.person.ID, form})
}

// lastManager is why a change of users does not happen.
const lastManager = "This is the last user with the permission Manage. Give it to somebody else first: an account keeps somebody who can manage it."

func (p *Portal) setRights(w http.ResponseWriter, r *http.Request, v visit) error {
	m, err := p.accountUser(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	rights := rightsIn(form)
	if checkGiven(form, v, m.Rights, rights); form.OK() {
		err = p.options.Store.SetRights(r.Context(), v.account.ID, m.ID, rights, store.Actor{PersonID: v.person.ID, At: v.now})
		switch {
		case errors.Is(err, store.ErrLastManager):
			form.Fail("manage", lastManager)
		case err != nil:
			return noUser(v, err)
		}
	}
	if !form.OK() {
		return p.showUser(w, r, v, http.StatusUnprocessableEntity, m, form)
	}
	if m.ID == v.person.ID && !rights.Manage {
		return done(w, r, accountPath(v.account.ID), "rights-saved")
	}
	return done(w, r, accountPath(v.account.ID, "users", m.ID), "rights-saved")
}

func (p *Portal) removeUser(w http.ResponseWriter, r *http.Request, v visit) error {
	m, err := p.accountUser(r, v)
	if err != nil {
		return err
	}
	err = p.options.Store.RemoveMember(r.Context(), v.account.ID, m.ID, store.Actor{PersonID: v.person.ID, At: v.now})
	switch {
	case errors.Is(err, store.ErrLastManager):
		e := web.Conflict(lastManager, usersLink(v))
		e.Title = personName(m.Person) + " cannot be removed"
		return e
	case err != nil:
		return noUser(v, err)
	case m.ID == v.person.ID: // the account is not theirs any more
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	return done(w, r, accountPath(v.account.ID, "users"), "user-removed")
}
