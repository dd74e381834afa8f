package signin

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// applicationRow is an application that the account has allowed something.
type applicationRow struct {
	ID         int64 // of the grant
	Name       string
	Logo       string
	Publisher  string
	PrivacyURL string
	May        []registry.Words
	Since      time.Time
	LastUsed   time.Time
}

func (s *Surface) applications(w http.ResponseWriter, r *http.Request, u session.User) error {
	connected, err := s.Store.ConnectedApplications(r.Context(), u.Account.ID)
	if err != nil {
		return err
	}
	scopes, err := s.View.Scopes(r.Context())
	if err != nil {
		return err
	}
	languages := web.Languages(r)
	rows := make([]applicationRow, 0, len(connected))
	for _, c := range connected {
		row := applicationRow{
			ID: c.Grant.ID, Name: c.Name, Logo: c.Logo.Path(), Publisher: c.Publisher, PrivacyURL: c.PrivacyURL,
			Since: c.Grant.CreatedAt, LastUsed: c.Grant.LastUsedAt,
		}
		for n := range c.Grant.Scopes.Numbers() {
			if scope, ok := scopes.ByNumber(n); ok && scope.RetiredAt.IsZero() {
				row.May = append(row.May, scope.Spoken(languages))
			}
		}
		rows = append(rows, row)
	}
	return s.own(w, r, u, http.StatusOK, "applications", "Connected applications", said(r), rows)
}

// removeApplication ends a grant and with it every token that hangs on it. It needs
// no typed word: who removes one by mistake allows it again.
func (s *Surface) removeApplication(w http.ResponseWriter, r *http.Request, u session.User) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(form.Get("grant"), 10, 64)
	if err == nil {
		err = s.Store.RemoveGrant(r.Context(), u.Account.ID, id, s.Sessions.By(r, u, s.Now()))
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange) {
		return web.NotFound("This application is not connected with your account, or not any more.",
			web.Link{Text: "Connected applications", URL: applicationsPath})
	}
	if err != nil {
		return err
	}
	return done(w, r, applicationsPath, grantRemoved)
}
