package sim

import (
	"net/url"
	"strconv"
	"strings"

	"gatelodge/internal/account"
	"gatelodge/internal/oauth"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Paths of the two dialects, for [Application.AuthorizeURL] and [Application.Redeem].
const (
	Standard = oauth.Standard
	Amazon   = oauth.LoginWithAmazon
)

// Password is everybody's.
const Password = "correct horse battery staple"

// Person is somebody with an account, signed in with a browser.
type Person struct {
	*Browser
	Name, Email string
	ID          int64
}

// SignUp makes an account through the page, as a user who comes from an application.
func (w *World) SignUp(name string) *Person {
	w.t.Helper()
	return w.signUp(name, "/account")
}

// Developer makes an account through the page, as a developer.
func (w *World) Developer(name string) *Person {
	w.t.Helper()
	return w.signUp(name, "/console")
}

func (w *World) signUp(name, destination string) *Person {
	w.t.Helper()
	b := w.NewBrowser()
	w.mu.Lock()
	p := &Person{Browser: b, Name: name, Email: strings.ToLower(strings.Fields(name)[0]) + itoa(w.people) + "@example.org"}
	w.mu.Unlock()
	page := b.Submit("/sign-up", url.Values{"name": {name}, "email": {p.Email}, "password": {Password}, "continue": {destination}})
	a, _, err := w.Store.AccountByEmail(w.t.Context(), account.EmailKey(p.Email))
	if err != nil {
		w.t.Fatalf("sign up %s: %v\n%d %s", name, err, page.Status, page.Text())
	}
	p.ID = a.ID
	return p
}

// SignIn signs the person in with another browser.
func (p *Person) SignIn(b *Browser) *Page {
	b.world.t.Helper()
	return b.Open("/sign-in").Press("Sign in", "Email", p.Email, "Password", Password)
}

// Authorize opens an authorization request of the application, allows what it asks
// for where the person is asked, and gives what the return URL received. Pairs are
// as in [Application.AuthorizeURL].
func (p *Person) Authorize(a *Application, d oauth.Dialect, pairs ...string) url.Values {
	p.world.t.Helper()
	page := p.Open(a.AuthorizeURL(d, pairs...))
	if page.Status == 200 && page.Has("Allow") {
		page = page.Press("Allow")
	}
	back, ok := a.Received(page.GoOn())
	if !ok {
		p.world.t.Fatalf("did not come back to %s but to %s (%d):\n%s", a.ReturnURL, page.URL, page.Status, page.Text())
	}
	return back
}

// Code is Authorize's code.
func (p *Person) Code(a *Application, d oauth.Dialect, pairs ...string) string {
	p.world.t.Helper()
	back := p.Authorize(a, d, pairs...)
	if back.Get("code") == "" {
		p.world.t.Fatalf("no code: %v", back)
	}
	return back.Get("code")
}
