package session

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatelodge/internal/registry"
	"gatelodge/internal/seal"
	"gatelodge/internal/web"
)

// Handler answers a request of somebody who is signed in.
type Handler func(w http.ResponseWriter, r *http.Request, u User) error

// FormHandler shows a form with what was typed into it, and saves nothing.
type FormHandler func(w http.ResponseWriter, r *http.Request, u User, typed url.Values) error

// typedField is the form field in which sealed values travel.
const typedField = "typed"

// SignInPath is where a person signs in.
const SignInPath = "/sign-in"

// Require lets only signed-in people through. Others sign in first and come back:
// to the page they asked for, or, when they posted, to the page that they posted
// from.
func (m *Manager) Require(h Handler) web.Handler {
	return m.RequireForm(h, nil)
}

// RequireForm is Require for the target of a form: show, when not nil, brings back
// what was typed before the session had run out.
func (m *Manager) RequireForm(submit Handler, show FormHandler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		u, err := m.Current(r)
		switch {
		case errors.Is(err, ErrNone), errors.Is(err, ErrExpired):
			return m.askToSignIn(w, r, show != nil, errors.Is(err, ErrExpired))
		case err != nil:
			return err
		}
		if r.Method == http.MethodPost && show != nil {
			form, err := web.ParseForm(r)
			if err != nil {
				return err
			}
			if sealed := form.Values.Get(typedField); sealed != "" {
				return show(w, r, u, m.openTyped(r, u, sealed))
			}
		}
		return submit(w, r, u)
	}
}

func (m *Manager) askToSignIn(w http.ResponseWriter, r *http.Request, keep, expired bool) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		q := url.Values{"continue": {r.URL.RequestURI()}}
		if expired {
			q.Set("expired", "1")
		}
		http.Redirect(w, r, SignInPath+"?"+q.Encode(), http.StatusSeeOther)
		return nil
	}
	page := SignIn{Continue: r.URL.Path, Expired: expired}
	if keep {
		form, err := web.ParseForm(r)
		if err != nil {
			return err
		}
		if sealed := form.Values.Get(typedField); sealed != "" {
			page.Typed = sealed // it was on its way back already
		} else if page.Typed, err = m.sealTyped(r, form); err != nil {
			return err
		}
	}
	return m.SignInPage(w, r, page)
}

// typed is a form on its way through the sign-in page.
type typed struct {
	Account int64      `json:"a"`
	Path    string     `json:"p"`
	Values  url.Values `json:"v"`
}

// sealTyped keeps a form for the account whose session this browser had. When that
// is not known, nothing is kept: whoever signs in next must not read it.
func (m *Manager) sealTyped(r *http.Request, form *web.Form) (string, error) {
	owner, ok := m.deviceAccount(r)
	if !ok {
		return "", nil
	}
	values := url.Values{}
	for name, v := range form.Values {
		if !strings.Contains(strings.ToLower(name), "password") {
			values[name] = v
		}
	}
	form.Keep(r, values, registry.LogoMaxBytes)
	plain, err := json.Marshal(typed{Account: owner, Path: r.URL.Path, Values: values})
	if err != nil {
		return "", err
	}
	sealed, err := m.View.Keys().Seal(nil, seal.Form, m.Now(), plain)
	if errors.Is(err, seal.ErrTooLong) {
		return "", nil
	}
	return string(sealed), err
}

// openTyped reads what was typed, if it was this account that typed it, and into
// this form.
func (m *Manager) openTyped(r *http.Request, u User, sealed string) url.Values {
	plain, err := m.View.Open(r.Context(), seal.Form, sealed)
	if err != nil {
		return nil
	}
	var t typed
	if json.Unmarshal(plain, &t) != nil || t.Account != u.Account.ID || t.Path != r.URL.Path {
		return nil
	}
	return t.Values
}

// TypedBy reports whether a sealed form is the account's, so that after sign-in it
// is brought back only to whom it belongs.
func (m *Manager) TypedBy(r *http.Request, sealed string, accountID int64) (path string, ok bool) {
	plain, err := m.View.Open(r.Context(), seal.Form, sealed)
	if err != nil {
		return "", false
	}
	var t typed
	if json.Unmarshal(plain, &t) != nil || t.Account != accountID {
		return "", false
	}
	return t.Path, true
}

// LocalPath makes sure that a way back leads into this site: a path, and nothing
// that a browser would read as another host (attacks.md, "/\evil", "///evil",
// "/\thttps://evil"). Anything else becomes fallback.
func LocalPath(path, fallback string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || len(path) > 16<<10 {
		return fallback
	}
	for _, c := range []byte(path) {
		if c <= ' ' || c == '\\' || c == 0x7f {
			return fallback
		}
	}
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil || strings.HasPrefix(u.Path, "//") {
		return fallback
	}
	return path
}
