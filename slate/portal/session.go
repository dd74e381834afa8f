package portal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/web"
	"gatelodge/slate/store"
)

// sessionLives is how long somebody stays signed in.
const sessionLives = 12 * time.Hour

// visit is one request of a browser: when it comes, who it is of, and which account
// its page belongs to.
type visit struct {
	now         time.Time
	person      store.Person // nobody when its ID is 0
	session     [32]byte
	memberships []store.Membership
	account     store.Membership // none when its ID is 0
}

// cookieName is the name of a cookie. Over https no other host may set it: the prefix
// makes browsers see to that.
func (p *Portal) cookieName(name string) string {
	if p.secure {
		return "__Host-slate-" + name
	}
	return "slate-" + name
}

func (p *Portal) setCookie(w http.ResponseWriter, name, value string, lives time.Duration) {
	seconds := int(lives / time.Second)
	if seconds == 0 {
		seconds = -1 // now
	}
	http.SetCookie(w, &http.Cookie{
		Name: p.cookieName(name), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteLaxMode,
	})
}

const sessionCookie = "session"

// startSession signs somebody in with this browser. Its cookie is new each time, and
// the database has its digest alone.
func (p *Portal) startSession(w http.ResponseWriter, r *http.Request, v visit, person store.Person, sid string) error {
	if v.person.ID != 0 {
		if err := p.options.Store.EndSession(r.Context(), v.session); err != nil {
			return err
		}
	}
	random := make([]byte, 32)
	rand.Read(random)
	value := base64.RawURLEncoding.EncodeToString(random)
	if err := p.options.Store.StartSession(r.Context(), sha256.Sum256([]byte(value)), person.ID, sid, v.now, v.now.Add(sessionLives)); err != nil {
		return err
	}
	p.setCookie(w, sessionCookie, value, sessionLives)
	return nil
}

// visit finds out who a request is of.
func (p *Portal) visit(r *http.Request) (visit, error) {
	v := visit{now: p.options.Now()}
	cookie, err := r.Cookie(p.cookieName(sessionCookie))
	if err != nil || cookie.Value == "" {
		return v, nil
	}
	v.session = sha256.Sum256([]byte(cookie.Value))
	v.person, err = p.options.Store.Session(r.Context(), v.session, v.now)
	if errors.Is(err, store.ErrNotFound) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	v.memberships, err = p.options.Store.Memberships(r.Context(), v.person.ID)
	if len(v.memberships) == 1 {
		v.account = v.memberships[0]
	}
	return v, err
}

// enter makes an account the one that the page belongs to, and reports whether the
// person is in it.
func (v *visit) enter(number string) bool {
	i := slices.IndexFunc(v.memberships, func(m store.Membership) bool { return strconv.FormatInt(m.ID, 10) == number })
	if i >= 0 {
		v.account = v.memberships[i]
	}
	return i >= 0
}

type handler func(w http.ResponseWriter, r *http.Request, v visit) error

// anybody adapts a page that needs nobody signed in.
func (p *Portal) anybody(h handler) http.Handler {
	return p.Kit.Browser(func(w http.ResponseWriter, r *http.Request) error {
		v, err := p.visit(r)
		if err != nil {
			return err
		}
		return h(w, r, v)
	})
}

// Bar is the top of a page of Slate's that is not the portal's.
func (p *Portal) Bar(w http.ResponseWriter, r *http.Request) (any, error) {
	web.AllowFormAction(w, p.origin)
	v, err := p.visit(r)
	return newBar(v, ""), err
}

// somebody adapts a page for whoever is signed in.
func (p *Portal) somebody(h handler) http.Handler {
	return p.anybody(func(w http.ResponseWriter, r *http.Request, v visit) error {
		if v.person.ID != 0 {
			return h(w, r, v)
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return &web.Error{
				Status: http.StatusUnauthorized, Title: "Your session has expired", Turn: web.YourTurn,
				Detail: "Please sign in to continue. Nothing was changed.",
				Next:   "Sign in, then send the form again: your browser still has what you typed when you go back to it.",
				Links:  []web.Link{{Text: "Sign in", URL: signInPath(formPath(r))}},
			}
		}
		http.Redirect(w, r, signInPath(r.URL.RequestURI()), http.StatusSeeOther)
		return nil
	})
}

// formPath is the page that a form was on.
func formPath(r *http.Request) string {
	path := r.URL.Path
	for _, action := range []string{"/remove", "/take-back"} {
		path = strings.TrimSuffix(path, action)
	}
	if before, _, ok := strings.Cut(path, "/invitations/"); ok {
		return before + "/users"
	}
	return path
}

// right is what a page of an account asks of a member.
type right int

const (
	mayEnter right = iota
	mayRead
	mayManage
)

// member adapts a page of an account. To somebody who is not in it, it is not there.
func (p *Portal) member(need right, h handler) http.Handler {
	return p.somebody(func(w http.ResponseWriter, r *http.Request, v visit) error {
		if !v.enter(r.PathValue("account")) {
			return web.NotFound("There is no such account, or you are not one of its users.", web.Link{Text: "Your accounts", URL: "/"})
		}
		if need == mayRead && !v.account.Reports || need == mayManage && !v.account.Manage {
			return p.notAllowed(r, v, need)
		}
		return h(w, r, v)
	})
}

// notAllowed says which permission is missing, and who can give it.
func (p *Portal) notAllowed(r *http.Request, v visit, need right) error {
	missing := "Reports: View Only"
	if need == mayManage {
		missing = "Manage"
	}
	members, err := p.options.Store.Members(r.Context(), v.account.ID)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range members {
		if m.Manage && m.ID != v.person.ID {
			names = append(names, personName(m.Person))
		}
	}
	who := "the operator of Slate"
	if len(names) > 0 {
		who = strings.Join(names[:min(3, len(names))], " or ")
	}
	e := web.Forbidden("You do not have the permission “"+missing+"” in "+v.account.Name+".", web.Link{Text: v.account.Name, URL: accountPath(v.account.ID)})
	e.Next = "Ask " + who + " for it. It takes effect at once."
	return e
}

// signInPath is where somebody signs in to come to a page of Slate's.
func signInPath(to string) string {
	return "/sign-in?" + url.Values{"continue": {to}}.Encode()
}

// localPath is a path of Slate's, or "/" in place of anything that could lead elsewhere.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsFunc(to, func(c rune) bool { return c == '\\' || c < ' ' || c == 0x7f }) || len(to) > maxContinue {
		return "/"
	}
	return to
}

// maxContinue bounds what a cookie has to carry.
const maxContinue = 1000
