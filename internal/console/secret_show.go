package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// showSecret answers with a client secret's value: as JSON to the page's script,
// else as the page with the value in its place. Each showing is an event; the value
// is in no URL, no log, and no cache (every page says no-store).
func (s *Surface) showSecret(w http.ResponseWriter, r *http.Request, v visit) error {
	p, c, err := s.secret(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	asked, err := s.confirm(r, v, form, webSettingsPath(p))
	if err != nil {
		return err
	}
	var value string
	if asked.OK {
		value, err = s.Store.ShowSecret(r.Context(), v.developer.ID, p.ID, c.ID, s.Sessions.By(r, v.User, v.now))
		if errors.Is(err, store.ErrNotFound) {
			return noSecret(p)
		}
		if err != nil {
			return err
		}
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		return answerSecret(w, value, asked)
	}
	if asked.AtHome != "" {
		return redirect(w, r, asked.AtHome)
	}
	page, err := s.webSettings(r.Context(), v, p)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(page.Secrets, func(view secretView) bool { return view.Action == r.URL.Path })
	if i < 0 {
		return noSecret(p)
	}
	shown := &page.Secrets[i].Secret
	shown.Value, shown.Reauthenticate, shown.Error = value, !asked.OK, asked.Problem
	status := http.StatusOK
	if !asked.OK {
		status = asked.Status
	}
	return s.renderWebSettings(w, r, v, status, page, nil)
}

// secretAnswer is what the page's script reads.
type secretAnswer struct {
	Secret         string `json:"secret,omitempty"`
	Reauthenticate bool   `json:"reauthenticate,omitempty"`
	Error          string `json:"error,omitempty"`
	// Continue is where to confirm it in place of a password.
	Continue string `json:"continue,omitempty"`
}

func answerSecret(w http.ResponseWriter, value string, asked asked) error {
	b, err := json.Marshal(secretAnswer{Secret: value, Reauthenticate: !asked.OK, Error: asked.Problem, Continue: asked.AtHome})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if !asked.OK {
		w.WriteHeader(http.StatusUnauthorized)
	}
	_, err = w.Write(b)
	return err
}
