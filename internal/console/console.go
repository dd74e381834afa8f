package console

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/live"
	"gatelodge/internal/region"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

//go:embed *.html
var templates embed.FS

// functions are what the templates call beside those of the kit.
var functions = template.FuncMap{
	"clip": clip,
	"inc":  func(n int) int { return n + 1 },
	"int":  func(n int64) int { return int(n) },
	// numbered leaves the first row with the bare title as its name: that is how
	// outside programs find it.
	"numbered": func(title string, row int) string {
		if row == 0 {
			return title
		}
		return fmt.Sprintf("%s (%d)", title, row+1)
	},
}

// Options are what the console is made of.
type Options struct {
	Kit      *web.Kit
	Store    *store.Store
	View     *live.View
	Sessions *session.Manager
	// Logos is shared by everything that decodes uploads.
	Logos     *registry.LogoDecoder
	Namespace registry.Namespace
	// Issuer is the public base URL, without a trailing slash.
	Issuer string
	// Protocol answers what applications ask: the server's own handler. Flows that a
	// developer runs go through it.
	Protocol http.Handler
	// Regions say which countries are at home elsewhere.
	Regions region.Setting
	Now     func() time.Time
}

// Surface is the console.
type Surface struct {
	Options
	pages     *web.Pages
	countries []web.Choice
}

// New parses the console's pages.
func New(o Options) (*Surface, error) {
	s := &Surface{Options: o}
	for _, c := range account.Countries() {
		s.countries = append(s.countries, web.Choice{Value: c.Code, Text: c.Name})
	}
	var err error
	if s.pages, err = o.Kit.Pages(templates, functions); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if err := s.pages.Need("list", "register", "new", "general", "web_settings", "web_settings_edit", "secret_end", "devices", "device_remove", "settings", "login_button", "run", "activity", "scopes", "operator_scopes", "operator_scope"); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	o.Kit.Labels("/console",
		web.Label{Name: fieldCompany, Text: "Company"}, web.Label{Name: fieldCountry, Text: "Country", Chosen: true}, web.Label{Name: fieldContinue},
		web.Label{Name: registry.FieldName, Text: labelName}, web.Label{Name: registry.FieldDescription, Text: labelDescription},
		web.Label{Name: registry.FieldPrivacyURL, Text: labelPrivacyURL}, web.Label{Name: fieldLogo, Text: labelLogo},
		web.Label{Name: fieldRemoveLogo, Text: "Remove the logo", Chosen: true}, web.Label{Name: fieldSeen}, web.Label{Name: fieldAttempt},
		web.Label{Name: registry.FieldReturnURLs, Text: labelReturnURLs}, web.Label{Name: returnURLList.Note, Text: "Note for return URL"},
		web.Label{Name: registry.FieldOrigins, Text: labelOrigins}, web.Label{Name: originList.Note, Text: "Note for origin"},
		web.Label{Name: registry.FieldKind, Text: labelKind, Chosen: true}, web.Label{Name: registry.FieldIDTokenAlg, Text: labelIDTokenAlg, Chosen: true},
		web.Label{Name: registry.FieldDeviceName, Text: labelDeviceName},
		web.Label{Name: registry.FieldAuth, Text: labelAuth, Chosen: true}, web.Label{Name: registry.FieldJWKS, Text: labelJWKS}, web.Label{Name: registry.FieldJWKSURI, Text: labelJWKSURI},
		web.Label{Name: registry.FieldTokenFormat, Text: labelTokenFormat, Chosen: true}, web.Label{Name: registry.FieldImplicit, Text: labelImplicit, Chosen: true},
		web.Label{Name: registry.FieldRequireDPoP, Text: labelDPoP, Chosen: true}, web.Label{Name: registry.FieldRequirePAR, Text: labelPAR, Chosen: true},
		web.Label{Name: registry.FieldBackChannelLogoutURI, Text: labelBackChannel},
		web.Label{Name: registry.FieldPostLogoutURLs, Text: labelPostLogout}, web.Label{Name: postLogoutList.Note, Text: "Note for post-logout URL"},
		web.Label{Name: fieldDialect}, web.Label{Name: fieldScope, Text: "Scopes", Chosen: true}, web.Label{Name: fieldRun}, web.Label{Name: fieldStep},
		web.Label{Name: fieldConfirm, Text: labelConfirm}, web.Label{Name: fieldAddress, Text: labelAddress},
		web.Label{Name: registry.FieldScopeName, Text: labelScopeName}, web.Label{Name: registry.FieldAliases, Text: labelAliases},
		web.Label{Name: registry.FieldLabel, Text: labelLabel}, web.Label{Name: registry.FieldDetail, Text: labelDetail},
		web.Label{Name: fieldAskedAs, Text: labelAskedAs, Chosen: true}, web.Label{Name: fieldOpenTo, Text: labelOpenTo, Chosen: true}, web.Label{Name: fieldWithoutUser, Text: labelWithoutUser, Chosen: true},
		web.Label{Name: registry.FieldClaims, Text: labelClaims}, web.Label{Name: registry.FieldAudience, Text: labelAudience},
		web.Label{Name: registry.FieldWordsLanguage, Text: "Language"}, web.Label{Name: registry.FieldWordsLabel, Text: labelLabel},
		web.Label{Name: registry.FieldWordsDetail, Text: labelDetail}, web.Label{Name: fieldHolder, Text: labelHolder}, web.Label{Name: fieldWithdraw},
		web.Label{Name: fieldEnd}, web.Label{Name: fieldDate, Text: labelDate}, web.Label{Name: fieldFormat},
	)
	return s, nil
}

// visit is a request of somebody who is signed in and has a developer account.
type visit struct {
	session.User
	developer account.DeveloperAccount
	now       time.Time
}

type handler func(http.ResponseWriter, *http.Request, visit) error

// typedHandler shows a form with what was typed before the session had run out.
type typedHandler func(http.ResponseWriter, *http.Request, visit, url.Values) error

// page is a route for developers.
func (s *Surface) page(h handler) http.Handler {
	return s.Kit.Browser(s.Sessions.Require(s.developer(h)))
}

// form is the target of a form whose typed values outlive the session.
func (s *Surface) form(submit handler, show typedHandler, opts ...web.Option) http.Handler {
	return s.Kit.Browser(s.Sessions.RequireForm(s.developer(submit), func(w http.ResponseWriter, r *http.Request, u session.User, typed url.Values) error {
		return s.developer(func(w http.ResponseWriter, r *http.Request, v visit) error {
			return show(w, r, v, typed)
		})(w, r, u)
	}), opts...)
}

// developer lets through who has a developer account. Others make one on the spot
// and come back.
func (s *Surface) developer(h handler) session.Handler {
	return func(w http.ResponseWriter, r *http.Request, u session.User) error {
		d, err := s.Store.DeveloperOf(r.Context(), u.Account.ID)
		if errors.Is(err, store.ErrNotFound) {
			back := r.URL.Path
			if r.Method == http.MethodGet {
				back = r.URL.RequestURI()
			}
			http.Redirect(w, r, registerPath+"?"+url.Values{fieldContinue: {back}}.Encode(), http.StatusSeeOther)
			return nil
		}
		if err != nil {
			return err
		}
		return h(w, r, visit{User: u, developer: d, now: s.Now()})
	}
}

// render writes a page of the console. A nil flash is none.
func (s *Surface) render(w http.ResponseWriter, r *http.Request, v visit, status int, page, title string, flash *web.Flash, data any) error {
	return s.pages.Render(w, r, status, page, web.Page{
		Title: title, Active: "console", Account: v.Badge(), Flash: flash, Data: data,
	})
}

func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
