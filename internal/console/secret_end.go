package console

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	fieldEnd   = "end"
	endNow     = "now"
	endOnDate  = "date"
	endNever   = "never"
	fieldDate  = "date"
	labelDate  = "Last day"
	dateLayout = time.DateOnly

	// latestEnd bounds the date: what is meant to stay has no end at all.
	latestEnd = 5 * 365 * 24 * time.Hour
)

type secretEndPage struct {
	Head   head
	Back   string
	Action string
	Secret secretView
	// Only: no other secret would be left without an end, so this one has to stay.
	Only bool
	Form *web.Form
}

// showEndSecret says what ending a secret does, and asks when.
func (s *Surface) showEndSecret(w http.ResponseWriter, r *http.Request, v visit) error {
	p, c, err := s.secret(r, v)
	if err != nil {
		return err
	}
	tomorrow := v.now.UTC().AddDate(0, 0, 1).Format(dateLayout)
	return s.renderEndSecret(w, r, v, http.StatusOK, p, c, web.NewForm(url.Values{fieldDate: {tomorrow}}))
}

func (s *Surface) renderEndSecret(w http.ResponseWriter, r *http.Request, v visit, status int, p registry.SecurityProfile, c registry.ClientSecret, form *web.Form) error {
	page := secretEndPage{Head: newHead(p, tabWebSettings), Back: webSettingsPath(p) + "#secrets", Action: r.URL.Path, Only: true, Form: form}
	for _, other := range p.Secrets {
		if other.ID != c.ID && other.ExpiresAt.IsZero() {
			page.Only = false
		}
	}
	page.Secret = secretView{Created: c.CreatedAt, LastUsed: c.LastUsedAt, ExpiresAt: c.ExpiresAt, Live: c.Live(v.now)}
	return s.render(w, r, v, status, "secret_end", "End a client secret · "+p.Name, nil, page)
}

// endSecret ends a secret now or after a day, or takes a set end back.
func (s *Surface) endSecret(w http.ResponseWriter, r *http.Request, v visit) error {
	p, c, err := s.secret(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	at, ok := readEnd(form, v.now)
	if !ok {
		return s.renderEndSecret(w, r, v, http.StatusUnprocessableEntity, p, c, form)
	}
	err = s.Store.EndSecret(r.Context(), v.developer.ID, p.ID, c.ID, at, s.Sessions.By(r, v.User, v.now))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return noSecret(p)
	case errors.Is(err, store.ErrTooMany):
		return s.renderEndSecret(w, r, v, http.StatusConflict, p, c, form)
	case err != nil:
		return err
	}
	return redirect(w, r, s.savedPath(webSettingsPath(p), p.Version)+"#secrets")
}

// readEnd reads when the secret is to end: the zero time is never.
func readEnd(form *web.Form, now time.Time) (at time.Time, ok bool) {
	switch form.Get(fieldEnd) {
	case endNow:
		return now, true
	case endNever:
		return time.Time{}, true
	}
	day, err := time.Parse(dateLayout, form.Get(fieldDate))
	end := day.AddDate(0, 0, 1) // the whole day is still good
	switch {
	case err != nil:
		form.Fail(fieldDate, "Write a date such as "+now.UTC().AddDate(0, 1, 0).Format(dateLayout)+".")
	case !end.After(now):
		form.Fail(fieldDate, "Choose today or a later day; this one is over. To end the secret at once, press End now.")
	case end.Sub(now) > latestEnd:
		form.Fail(fieldDate, "Choose a day within five years, or leave the secret without an end.")
	default:
		return end, true
	}
	return time.Time{}, false
}
