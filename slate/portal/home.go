package portal

import (
	"errors"
	"html/template"
	"net/http"
	"net/mail"
	"net/url"
	"strconv"
	"time"

	"gatelodge/internal/web"
	"gatelodge/slate/store"
)

// templateFuncs are what Slate's pages call beside the kit's functions.
func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"accountpath": accountPath,
		"personname":  personName,
		"permissions": permissions,
		"period":      period,
		"bignumber":   bigNumber,
	}
}

// permissions says what somebody may do, in the words of the check boxes.
func permissions(r store.Rights) string {
	switch {
	case r.Manage && r.Reports:
		return "Manage, Reports: View Only"
	case r.Manage:
		return "Manage"
	case r.Reports:
		return "Reports: View Only"
	}
	return "None"
}

// period says the days of a report as short as they allow.
func period(begin, end time.Time) string {
	switch {
	case begin.Equal(end):
		return begin.Format("2 Jan 2006")
	case begin.Day() == 1 && end.AddDate(0, 0, 1).Day() == 1 && begin.Month() == end.Month() && begin.Year() == end.Year():
		return begin.Format("January 2006")
	case begin.Year() != end.Year():
		return begin.Format("2 Jan 2006") + " – " + end.Format("2 Jan 2006")
	case begin.Month() != end.Month():
		return begin.Format("2 Jan") + " – " + end.Format("2 Jan 2006")
	}
	return begin.Format("2") + " – " + end.Format("2 Jan 2006")
}

type homePage struct {
	Person      store.Person
	Memberships []store.Membership
}

func (p *Portal) home(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.render(w, r, v, http.StatusOK, "home", web.Page{Active: "home"}, homePage{v.person, v.memberships})
}

func (p *Portal) help(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.render(w, r, v, http.StatusOK, "help", web.Page{Title: "Help", Active: "help"}, p.options.Gatelodge)
}

func (p *Portal) contact(w http.ResponseWriter, r *http.Request, v visit) error {
	return p.render(w, r, v, http.StatusOK, "contact", web.Page{Title: "Contact us", Active: "help"}, contactLink(p.options.Contact))
}

// contactLink turns the operator's setting into a link, or none.
func contactLink(contact string) web.Link {
	if u, err := url.Parse(contact); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return web.Link{Text: u.Host, URL: contact}
	}
	if a, err := mail.ParseAddress(contact); err == nil {
		return web.Link{Text: a.Address, URL: "mailto:" + a.Address}
	}
	return web.Link{}
}

type settingsPage struct {
	Person      store.Person
	Memberships []store.Membership
	Gatelodge   string
}

// settings is My user settings. The account that somebody comes from stays the one in
// the bar.
func (p *Portal) settings(w http.ResponseWriter, r *http.Request, v visit) error {
	v.enter(r.URL.Query().Get("account"))
	return p.render(w, r, v, http.StatusOK, "settings", web.Page{Title: "My user settings", Active: "settings"}, settingsPage{v.person, v.memberships, p.options.Gatelodge})
}

// number reads an id from the path.
func number(r *http.Request, name string) (int64, error) {
	text := r.PathValue(name)
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(id, 10) != text {
		return 0, store.ErrNotFound
	}
	return id, nil
}

// missing turns store.ErrNotFound into a page in words; other errors stay what they are.
func missing(err error, words string, links ...web.Link) error {
	if errors.Is(err, store.ErrNotFound) {
		return web.NotFound(words, links...)
	}
	return err
}

// done leads on after a change, to a page that says what was done.
func done(w http.ResponseWriter, r *http.Request, path, what string) error {
	http.Redirect(w, r, path+"?"+url.Values{"done": {what}}.Encode(), http.StatusSeeOther)
	return nil
}

// doneFlash is what the page says then. Anybody can write such an address, so it says
// nothing beside these words.
func doneFlash(r *http.Request) *web.Flash {
	switch r.URL.Query().Get("done") {
	case "application-added":
		return &web.Flash{Kind: web.Success, Title: "The application was added", Detail: "It can read reports of this account now, for users who allow it and have the permission Reports: View Only."}
	case "application-removed":
		return &web.Flash{Kind: web.Success, Title: "The application was removed", Detail: "Its next call for this account is refused. What users allowed it at Gatelodge stays there until they take it back."}
	case "purpose-saved":
		return &web.Flash{Kind: web.Success, Title: "Saved", Detail: "The application’s page says so now."}
	case "user-added":
		return &web.Flash{Kind: web.Success, Title: "The user was added", Detail: "The account is in their account list now."}
	case "invited":
		return &web.Flash{Kind: web.Success, Title: "The invitation waits", Detail: "Slate sends no mail. Tell them to sign in to Slate with this address; the account is then in their list."}
	case "uninvited":
		return &web.Flash{Kind: web.Success, Title: "The invitation was taken back"}
	case "rights-saved":
		return &web.Flash{Kind: web.Success, Title: "Saved", Detail: "The permissions are in effect now, for applications that they use as well."}
	case "user-removed":
		return &web.Flash{Kind: web.Success, Title: "The user was removed", Detail: "Their pages and the calls of applications that they use are refused from now on."}
	}
	return nil
}
