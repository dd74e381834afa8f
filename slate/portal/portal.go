package portal

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"gatelodge/internal/limit"
	"gatelodge/internal/web"
	"gatelodge/slate/reports"
	"gatelodge/slate/store"
)

//go:embed all:pages frame assets
var files embed.FS

// Options are what a Portal is made of.
type Options struct {
	Store   *store.Store
	Library *reports.Library
	// Gatelodge is the issuer; ClientID and ClientSecret are Slate's own there.
	Gatelodge              string
	ClientID, ClientSecret string
	// URL is the public base URL, without a slash at its end. Gatelodge has to know
	// URL + ReturnPath as a return URL, and may know URL + BackChannelPath for its
	// logout tokens.
	URL string
	// PostLogoutURL is where Gatelodge sends people after they signed out there, when it
	// is registered for that: URL + SignedOutPath. "" leaves them at Gatelodge.
	PostLogoutURL string
	// Contact is where Contact us leads: a mail address or an http(s) URL; "" for none.
	Contact string
	// Address tells where a request comes from; where its connection does when nil.
	Address func(*http.Request) netip.Addr
	// HTTPClient asks Gatelodge; nil for one with a time limit.
	HTTPClient *http.Client
	Logger     *slog.Logger
	Now        func() time.Time
}

// Paths that Gatelodge has to know.
const (
	ReturnPath      = "/signed-in"
	SignedOutPath   = "/signed-out"
	BackChannelPath = "/backchannel-logout"
)

// askLimit bounds a request to Gatelodge: a person waits for it.
const askLimit = 10 * time.Second

// Portal is Slate's pages. It is safe for concurrent use.
type Portal struct {
	// Kit is for what else answers on Slate's address.
	Kit *web.Kit

	options Options
	pages   *web.Pages
	origin  string // Gatelodge's, for what its pages may be led to
	secure  bool

	// logouts bounds how often an address may send logout tokens.
	logouts *limit.Limiter

	mu    sync.Mutex // guards the rest
	known *gatelodge
}

// New makes a portal. It asks nothing of Gatelodge yet.
func New(o Options) (*Portal, error) {
	issuer, err := url.Parse(o.Gatelodge)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("portal: %q is no address of Gatelodge", o.Gatelodge)
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: askLimit}
	}
	if o.Address == nil {
		o.Address = func(r *http.Request) netip.Addr { return limit.ClientAddress(r.RemoteAddr, nil, nil) }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Portal{
		options: o, origin: issuer.Scheme + "://" + issuer.Host, secure: strings.HasPrefix(o.URL, "https://"),
		logouts: limit.New(logoutRate),
	}
	folders := map[string]fs.FS{}
	for _, name := range []string{"pages", "frame", "assets"} {
		if folders[name], err = fs.Sub(files, name); err != nil {
			return nil, err
		}
	}
	p.Kit, err = web.New(web.Options{
		ProductName: "Slate", Contact: o.Contact, Issuer: o.URL, Logger: o.Logger, Secure: p.secure, Now: o.Now,
		Frame: folders["frame"], Assets: folders["assets"], Unavailable: store.IsUnavailable,
	})
	if err != nil {
		return nil, err
	}
	if p.pages, err = p.Kit.Pages(folders["pages"], templateFuncs()); err != nil {
		return nil, err
	}
	p.labels()
	return p, p.pages.Need("home", "help", "contact", "signed-out", "settings", "dashboard", "groups", "channels", "types", "periods",
		"applications", "application-new", "application-edit", "application", "users", "user", "user-new", "user-invite", "activity")
}

// labels are for the page that gives back what was typed when Slate fails.
func (p *Portal) labels() {
	p.Kit.Labels("/accounts/",
		web.Label{Name: "client_id", Text: "Client ID"}, web.Label{Name: "reporting", Text: "Reporting", Chosen: true}, web.Label{Name: "purpose", Text: "What it is for"},
		web.Label{Name: "code", Text: "User code"}, web.Label{Name: "email", Text: "Email"}, web.Label{Name: "days", Text: "Good for", Chosen: true},
		web.Label{Name: "manage", Text: "Manage", Chosen: true}, web.Label{Name: "reports", Text: "Reports: View Only", Chosen: true}, web.Label{Name: "seen"}, web.Label{Name: "look"})
}

// Routes registers the pages. What else answers on the address has longer paths.
func (p *Portal) Routes(mux *http.ServeMux) {
	mux.Handle("GET /{$}", p.anybody(p.home))
	mux.Handle("GET /sign-in", p.anybody(p.signIn))
	mux.Handle("GET "+ReturnPath, p.anybody(p.signInReturn))
	mux.Handle("POST /sign-out", p.anybody(p.signOut))
	mux.Handle("GET "+SignedOutPath, p.anybody(p.signedOut))
	mux.Handle("POST "+BackChannelPath, p.Kit.API(p.backChannelLogout, web.MaxBody(logoutBody)))
	mux.Handle("GET /help", p.anybody(p.help))
	mux.Handle("GET /help/contact", p.anybody(p.contact))
	mux.Handle("GET /applications/{application}", p.anybody(p.application))
	mux.Handle("GET /user-settings", p.somebody(p.settings))

	mux.Handle("GET /accounts/{account}", p.member(mayEnter, p.dashboard))
	mux.Handle("GET /accounts/{account}/reporting", p.member(mayRead, p.groups))
	mux.Handle("GET /accounts/{account}/reporting/{group}", p.member(mayRead, p.channels))
	mux.Handle("GET /accounts/{account}/reporting/{group}/{channel}", p.member(mayRead, p.types))
	mux.Handle("GET /accounts/{account}/reporting/{group}/{channel}/{type}", p.member(mayRead, p.periods))
	mux.Handle("GET /accounts/{account}/reports/{report}/download", p.member(mayRead, p.download))

	mux.Handle("GET /accounts/{account}/applications", p.member(mayManage, p.applications))
	mux.Handle("GET /accounts/{account}/applications/new", p.member(mayManage, p.newApplication))
	mux.Handle("POST /accounts/{account}/applications/new", p.member(mayManage, p.addApplication))
	mux.Handle("GET /accounts/{account}/applications/{application}", p.member(mayManage, p.editApplication))
	mux.Handle("POST /accounts/{account}/applications/{application}", p.member(mayManage, p.describeApplication))
	mux.Handle("POST /accounts/{account}/applications/{application}/remove", p.member(mayManage, p.removeApplication))

	mux.Handle("GET /accounts/{account}/users", p.member(mayManage, p.users))
	mux.Handle("GET /accounts/{account}/users/new", p.member(mayManage, p.newUser))
	mux.Handle("POST /accounts/{account}/users/new", p.member(mayManage, p.addUser))
	mux.Handle("GET /accounts/{account}/users/invite", p.member(mayManage, p.newInvitation))
	mux.Handle("POST /accounts/{account}/users/invite", p.member(mayManage, p.invite))
	mux.Handle("POST /accounts/{account}/invitations/{invitation}/take-back", p.member(mayManage, p.uninvite))
	mux.Handle("GET /accounts/{account}/users/{user}", p.member(mayManage, p.user))
	mux.Handle("POST /accounts/{account}/users/{user}", p.member(mayManage, p.setRights))
	mux.Handle("POST /accounts/{account}/users/{user}/remove", p.member(mayManage, p.removeUser))
	mux.Handle("GET /accounts/{account}/activity", p.member(mayManage, p.activity))

	mux.Handle("/assets/", p.Kit.Assets())
	mux.Handle("GET /favicon.ico", http.RedirectHandler(p.Kit.Asset("mark.svg"), http.StatusFound))
	mux.Handle("/", p.Kit.NotFound(web.Link{Text: "Home", URL: "/"}, web.Link{Text: "Help", URL: "/help"}))
}

// render shows a page; section is the part of an account that it belongs to.
func (p *Portal) render(w http.ResponseWriter, r *http.Request, v visit, status int, page string, frame web.Page, data any) error {
	// The form behind Sign out leads on to Gatelodge.
	web.AllowFormAction(w, p.origin)
	frame.Bar, frame.Data = newBar(v, frame.Active), data
	return p.pages.Render(w, r, status, page, frame)
}

// bar is what the top of every page shows.
type bar struct {
	Person   store.Person
	Account  store.Membership // none when its ID is 0
	Accounts []barAccount
}

type barAccount struct {
	Name    string
	ID      int64
	URL     string
	Current bool
}

func newBar(v visit, section string) bar {
	b := bar{Person: v.person, Account: v.account}
	for _, m := range v.memberships {
		b.Accounts = append(b.Accounts, barAccount{m.Name, m.ID, switchPath(m, section), m.ID == v.account.ID})
	}
	return b
}

// switchPath leads to the same part of another account, or to its dashboard when it is
// not open to the person there.
func switchPath(m store.Membership, section string) string {
	switch section {
	case "reporting":
		if m.Reports {
			return accountPath(m.ID, section)
		}
	case "applications", "users", "activity":
		if m.Manage {
			return accountPath(m.ID, section)
		}
	case "settings":
		return fmt.Sprintf("/user-settings?account=%d", m.ID)
	}
	return accountPath(m.ID)
}

// accountPath is the address of a page of an account.
func accountPath(id int64, parts ...any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "/accounts/%d", id)
	for _, part := range parts {
		fmt.Fprintf(&b, "/%v", part)
	}
	return b.String()
}

// personName is what somebody without a name is called by.
func personName(p store.Person) string { return cmp.Or(p.Name, p.Email, "A user without a name") }
