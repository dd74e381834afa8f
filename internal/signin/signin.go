package signin

import (
	"cmp"
	"embed"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/live"
	"gatelodge/internal/mail"
	"gatelodge/internal/region"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

//go:embed *.html
var files embed.FS

// SignUp says who may make an account.
type SignUp string

const (
	Open   SignUp = "open"
	Invite SignUp = "invite"
	Closed SignUp = "closed"
)

// Options are what a Surface is made of.
type Options struct {
	Kit      *web.Kit
	Store    *store.Store
	View     *live.View
	Sessions *session.Manager
	Hasher   *account.Hasher
	// Mail sends mails: mail.None where no mail server is configured.
	Mail mail.Sender
	// Issuer is the public base URL that links in mails begin with.
	Issuer string
	// ProductName is how mails call this server; "Gatelodge" when empty.
	ProductName string
	Email       account.EmailPolicy
	SignUp      SignUp
	// Regions signs people in who have their account in another region; nil where there
	// are no regions.
	Regions *region.Party
	// Log is told of mails that could not be sent.
	Log *slog.Logger
	Now func() time.Time
}

// Surface serves the pages. Call [Surface.Run] to have its mails sent.
type Surface struct {
	Options
	pages     *web.Pages
	countries []web.Choice
	outbox    chan letter
}

// New makes a Surface. Its SignInPage belongs into the session manager.
func New(o Options) (*Surface, error) {
	o.ProductName = cmp.Or(o.ProductName, "Gatelodge")
	o.Issuer = strings.TrimSuffix(o.Issuer, "/")
	s := &Surface{Options: o, outbox: make(chan letter, outboxSize)}
	var err error
	if s.pages, err = o.Kit.Pages(files); err != nil {
		return nil, err
	}
	for _, c := range account.Countries() {
		s.countries = append(s.countries, web.Choice{Value: c.Code, Text: c.Name})
	}
	o.Kit.Labels("/",
		web.Label{Name: "name", Text: "Name"},
		web.Label{Name: "email", Text: "Email"}, web.Label{Name: "password", Text: "Password"},
		web.Label{Name: "new_password", Text: "New password"},
		web.Label{Name: "postal_code", Text: "Postal code"},
		web.Label{Name: "company", Text: "Company"}, web.Label{Name: "country", Text: "Country", Chosen: true},
		web.Label{Name: "continue"}, web.Label{Name: "typed"}, web.Label{Name: "expired"},
		web.Label{Name: "version"}, web.Label{Name: "token"}, web.Label{Name: "session"}, web.Label{Name: "grant"},
		web.Label{Name: "again"}, web.Label{Name: "joining"},
	)
	return s, s.pages.Need("sign_in", "sign_in_again", "sign_out", "sign_up", "sign_up_closed", "sign_up_sent",
		"confirm_email", "recovery", "recovery_sent", "recovery_password",
		"account", "account_email", "account_password", "account_delete", "account_deleted", "applications",
		"sign_in_with", "sign_in_join", "sign_out_home", "account_at_home")
}

// mails reports whether this server can send mails.
func (s *Surface) mails() bool { return s.Mail != mail.None{} }

// confirms reports whether an address is confirmed by a link that is sent to it.
func (s *Surface) confirms() bool {
	return s.Email == account.ConfirmRequired && s.mails()
}

// narrow renders a page for somebody who need not be signed in.
func (s *Surface) narrow(w http.ResponseWriter, r *http.Request, status int, name, title string, flash *web.Flash, data any) error {
	return s.pages.Render(w, r, status, name, web.Page{Title: title, Narrow: true, Flash: flash, Data: data})
}

// own renders a page of somebody's own account.
func (s *Surface) own(w http.ResponseWriter, r *http.Request, u session.User, status int, name, title string, flash *web.Flash, data any) error {
	return s.pages.Render(w, r, status, name, web.Page{Title: title, Active: "account", Account: u.Badge(), Flash: flash, Data: data})
}

// parse reads one field. What is wrong with it stands in the form afterwards.
func parse(form *web.Form, field string, read func(string) (string, error)) string {
	value, err := read(form.Values.Get(field))
	if err != nil {
		e, ok := errors.AsType[*account.FieldError](err)
		if !ok {
			e = &account.FieldError{Message: "This cannot be used here. Enter something else."}
		}
		form.Suggest(field, e.Message, e.Suggestion)
	}
	return value
}

// passwordFor reads a new password of the account that a describes.
func passwordFor(a account.Account) func(string) (string, error) {
	return func(s string) (string, error) { return account.ParsePassword(s, a) }
}
