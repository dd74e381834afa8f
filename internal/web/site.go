package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// helpPages are the pages below /help, in the order of the walk; those that are no step of it come after.
var helpPages = []string{"make-a-profile", "return-urls", "credentials", "tokens", "javascript", "kinds", "contact"}

// helpTitles are their titles.
var helpTitles = map[string]string{
	"make-a-profile": "Make a security profile",
	"return-urls":    "Say where users are sent back to",
	"credentials":    "Take the credentials",
	"tokens":         "From a code to a token",
	"javascript":     "Login button and JavaScript",
	"kinds":          "Kinds of application",
	"contact":        "Contact us",
	regionsPage:      "Regions",
}

// regionsPage is there only where there are regions.
const regionsPage = "regions"

func (k *Kit) helpPages() []string {
	if len(k.regions) == 0 {
		return helpPages
	}
	last := len(helpPages) - 1 // Contact us
	return append(slices.Clone(helpPages[:last]), regionsPage, helpPages[last])
}

// Site serves what belongs to no surface: the home page, help, assets, and the
// page for addresses where nothing is. It is mounted at "/".
func (k *Kit) Site() (http.Handler, error) {
	pages, err := k.ownPages("site")
	if err != nil {
		return nil, err
	}
	if err := pages.Need(append([]string{"home", "help", regionsPage}, helpPages...)...); err != nil {
		return nil, err
	}
	show := func(name, title, active string) Handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			return pages.Render(w, r, http.StatusOK, name, Page{
				Title: title, Active: active, Account: k.signedIn(r),
				Data: sitePage{
					Issuer: k.issuer, Contact: contactLink(k.contact), Pages: k.helpIndex(name), Regions: k.regions,
					Examples: newExamples(k.issuer), Consent: sampleConsent(),
				},
			})
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", k.Browser(show("home", "", "")))
	mux.Handle("GET /help", k.Browser(show("help", "Help", "help")))
	mux.Handle("GET /help/{page}", k.Browser(func(w http.ResponseWriter, r *http.Request) error {
		name := r.PathValue("page")
		if !slices.Contains(k.helpPages(), name) {
			return NotFound("There is no help page at this address.", Link{"Help", "/help"})
		}
		return show(name, helpTitles[name], "help")(w, r)
	}))
	mux.Handle("/assets/", k.Assets())
	mux.Handle("GET /favicon.ico", http.RedirectHandler(k.Asset("mark.svg"), http.StatusFound))
	mux.Handle("/", k.NotFound(Link{"Home", "/"}, Link{"Console", "/console"}, Link{"Help", "/help"}))
	return mux, nil
}

// sitePage is what the home and help pages show.
type sitePage struct {
	Issuer   string
	Contact  Link // empty when the operator named none
	Pages    []Tab
	Examples examples
	Regions  []Region
	Consent  Consent
}

func (k *Kit) helpIndex(current string) []Tab {
	tabs := []Tab{{Text: "Overview", URL: "/help", Current: current == "help"}}
	for _, name := range k.helpPages() {
		tabs = append(tabs, Tab{Text: helpTitles[name], URL: "/help/" + name, Current: current == name})
	}
	return tabs
}

func (k *Kit) signedIn(r *http.Request) *AccountBadge {
	if k.account == nil {
		return nil
	}
	return k.account(r)
}

// NotFound is the page for addresses where nothing is, with ways on. An address that was
// typed with a slash at its end is looked for without it first.
func (k *Kit) NotFound(links ...Link) http.Handler {
	return k.Browser(func(w http.ResponseWriter, r *http.Request) error {
		bare := url.URL{Path: strings.TrimRight(r.URL.Path, "/"), RawQuery: r.URL.RawQuery}
		if bare.Path != r.URL.Path && bare.Path != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			http.Redirect(w, r, localURL(&bare), http.StatusFound)
			return nil
		}
		return NotFound("No page has this address.", links...)
	})
}
