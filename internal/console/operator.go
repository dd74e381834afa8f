package console

import (
	"net/http"
	"net/url"
	"time"

	"gatelodge/internal/session"
	"gatelodge/internal/web"
)

// operation is a request of an operator, who need not have a developer account.
type operation struct {
	session.User
	now time.Time
}

type operatorHandler func(http.ResponseWriter, *http.Request, operation) error

// operatorTypedHandler shows a form with what was typed before the session had run out.
type operatorTypedHandler func(http.ResponseWriter, *http.Request, operation, url.Values) error

// operatorPage is a route for operators. For all others there is nothing.
func (s *Surface) operatorPage(h operatorHandler) http.Handler {
	return s.Kit.Browser(s.Sessions.Require(s.operator(h)))
}

// operatorForm is the target of a form whose typed values outlive the session.
func (s *Surface) operatorForm(submit operatorHandler, show operatorTypedHandler) http.Handler {
	return s.Kit.Browser(s.Sessions.RequireForm(s.operator(submit), func(w http.ResponseWriter, r *http.Request, u session.User, typed url.Values) error {
		return s.operator(func(w http.ResponseWriter, r *http.Request, o operation) error {
			return show(w, r, o, typed)
		})(w, r, u)
	}))
}

// operator lets operators through, as the account is now and not as it was when they
// signed in.
func (s *Surface) operator(h operatorHandler) session.Handler {
	return func(w http.ResponseWriter, r *http.Request, u session.User) error {
		if u.Account.OperatorSince.IsZero() {
			return web.NotFound("No page has this address.", web.Link{Text: "Console", URL: listPath})
		}
		return h(w, r, operation{User: u, now: s.Now()})
	}
}

// renderOperator writes a page of the operator's. A nil flash is none.
func (s *Surface) renderOperator(w http.ResponseWriter, r *http.Request, o operation, status int, page, title string, flash *web.Flash, data any) error {
	return s.pages.Render(w, r, status, page, web.Page{
		Title: title, Active: "operator", Account: o.Badge(), Flash: flash, Data: data,
	})
}
