package console

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// secretView is one client secret on Web Settings: in the credentials while it is
// live, and a row of the table.
type secretView struct {
	web.Secret
	Path                         string
	Created, LastUsed, ExpiresAt time.Time
	Live                         bool
}

// byUse orders secrets: the newest that has no end first, since it is the one to use.
func byUse(secrets []registry.ClientSecret, now time.Time) []registry.ClientSecret {
	rank := func(c registry.ClientSecret) int {
		switch {
		case c.ExpiresAt.IsZero():
			return 0
		case c.Live(now):
			return 1
		}
		return 2
	}
	return slices.SortedStableFunc(slices.Values(secrets), func(a, b registry.ClientSecret) int {
		return cmp.Or(rank(a)-rank(b), b.CreatedAt.Compare(a.CreatedAt))
	})
}

// secretViews lists a profile's secrets.
func secretViews(p registry.SecurityProfile, now time.Time) []secretView {
	secrets := byUse(p.Secrets, now)
	views := make([]secretView, len(secrets))
	for i, c := range secrets {
		path := profilePath(p) + "/secrets/" + strconv.FormatInt(c.ID, 10)
		views[i] = secretView{
			Secret: web.Secret{
				ID: "client-secret", Label: "Client Secret", Action: path + "/show",
				Button: "Show Secret", HideURL: webSettingsPath(p),
			},
			Path: path, Created: c.CreatedAt, LastUsed: c.LastUsedAt, ExpiresAt: c.ExpiresAt, Live: c.Live(now),
		}
		if i > 0 {
			views[i].ID += "-" + strconv.Itoa(i+1)
			views[i].Label += " " + strconv.Itoa(i+1)
		}
	}
	return views
}

// secret finds the profile and the secret of it that the address names.
func (s *Surface) secret(r *http.Request, v visit) (registry.SecurityProfile, registry.ClientSecret, error) {
	p, err := s.profile(r, v)
	if err != nil {
		return p, registry.ClientSecret{}, err
	}
	id, err := strconv.ParseInt(r.PathValue("secret"), 10, 64)
	i := slices.IndexFunc(p.Secrets, func(c registry.ClientSecret) bool { return c.ID == id })
	if err != nil || i < 0 {
		return p, registry.ClientSecret{}, noSecret(p)
	}
	return p, p.Secrets[i], nil
}

func noSecret(p registry.SecurityProfile) error {
	return web.NotFound("This profile has no such client secret. It may have ended.",
		web.Link{Text: "Its Web Settings", URL: webSettingsPath(p)})
}

// addSecret makes a second live secret, to move the application to.
func (s *Surface) addSecret(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	_, err = s.Store.AddSecret(r.Context(), v.developer.ID, p.ID, registry.NewClientSecret(s.Namespace), s.Sessions.By(r, v.User, v.now))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return noProfile()
	case errors.Is(err, store.ErrTooMany):
		page, err := s.webSettings(r.Context(), v, p)
		if err != nil {
			return err
		}
		return s.renderWebSettings(w, r, v, http.StatusConflict, page, &web.Flash{
			Kind: web.Danger, Title: "There are two live secrets already",
			Detail: "End one of them first; then there is room for another.",
		})
	case err != nil:
		return err
	}
	return redirect(w, r, s.savedPath(webSettingsPath(p), p.Version)+"#secrets")
}

// asked is the answer to "is it still you?".
type asked struct {
	// OK: the sign-in is recent, or has just been renewed with the password.
	OK bool
	// AtHome is where somebody confirms it who has no password here.
	AtHome string
	// Problem is what is wrong with the password, empty when none was given.
	Problem string
	Status  int
}

// confirm makes sure that the sign-in is recent, renewing it with the password
// that came along. Who has none here is sent home for it, and comes back to the page
// at back.
func (s *Surface) confirm(r *http.Request, v visit, form *web.Form, back string) (asked, error) {
	if v.Session.Recent(v.now) {
		return asked{OK: true}, nil
	}
	if at, err := s.confirmAtHome(r, v, back); err != nil || at != "" {
		return asked{AtHome: at, Status: http.StatusForbidden}, err
	}
	password := form.Values.Get(account.FieldPassword)
	if password == "" {
		return asked{Status: http.StatusForbidden}, nil
	}
	err := s.Sessions.Confirm(r, v.User, password)
	if err == nil {
		return asked{OK: true}, nil
	}
	if slow, ok := errors.AsType[*session.SlowDownError](err); ok {
		return asked{Problem: "Too many attempts. Wait " + minutes(slow.Wait) + ", then try again.", Status: http.StatusTooManyRequests}, nil
	}
	switch {
	case errors.Is(err, session.ErrWrongPassword):
		return asked{Problem: "That is not your password. Try again.", Status: http.StatusUnprocessableEntity}, nil
	case errors.Is(err, account.ErrBusy):
		return asked{Problem: "Many people are signing in just now. Try again in a moment.", Status: http.StatusServiceUnavailable}, nil
	}
	return asked{}, err
}

func minutes(d time.Duration) string {
	if n := int(math.Ceil(d.Minutes())); n > 1 {
		return strconv.Itoa(n) + " minutes"
	}
	return "a minute"
}
