package provider

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatelodge/internal/account"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// consentWords names the words of the consent page, for the record of a consent.
const consentWords = "consent-page/1"

// silentWords marks grants that Login with Amazon gives without a page.
const silentWords = "silent/profile:user_id"

type consentData struct {
	Consent web.Consent
	Error   string
	// Account is whom the page asked: the answer counts for nobody else.
	Account int64
}

// consentPage is where sign-in comes back to.
func (p *Provider) consentPage(w http.ResponseWriter, r *http.Request) error {
	p.keepOpener(w, r, "")
	q, err := p.open(r)
	if err != nil {
		return p.turnAway(w, r, err)
	}
	return p.dispatch(w, r, q)
}

func (p *Provider) showConsent(w http.ResponseWriter, r *http.Request, q *request, u session.User, status int, problem string) error {
	c, err := p.consent(r, q.profile, u, url.Values{"continue": {r.URL.RequestURI()}})
	if err != nil {
		return err
	}
	c.Host = q.redirect.Host()
	if q.origin != "" { // the relay page is only on the way
		_, c.Host, _ = strings.Cut(q.origin, "://")
	}
	if c.Host == "" {
		c.OwnScheme = q.redirect.Scheme()
	}
	c.Items = p.consentItems(q.scopes(), q.voluntary.Minus(q.essential), q.languages(r), u)
	allowLeaving(w, q.redirect)
	return p.pages.Render(w, r, status, "consent", web.Page{
		Title: "Allow " + q.profile.Name + "?", Narrow: true, Account: u.Badge(), Data: consentData{Consent: c, Error: problem, Account: u.Account.ID},
	})
}

// consent is the part of what a user is asked that does not depend on the request.
func (p *Provider) consent(r *http.Request, profile *registry.SecurityProfile, u session.User, back url.Values) (web.Consent, error) {
	developer, err := p.Store.Developer(r.Context(), profile.DeveloperID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return web.Consent{}, err
	}
	return web.Consent{
		Name: profile.Name, LogoURL: profile.Logo.Path(), Publisher: developer.Company, PrivacyURL: profile.PrivacyURL,
		Account: *u.Badge(), Unvouched: profile.Dynamic, SameService: profile.Region != "", SwitchURL: session.SignInPath + "?" + back.Encode(),
	}, nil
}

func (p *Provider) consentItems(asked []registry.Scope, voluntary oauth.ScopeSet, languages []string, u session.User) []web.ConsentItem {
	var items []web.ConsentItem
	for _, s := range asked {
		spoken := s.Spoken(languages)
		items = append(items, web.ConsentItem{
			Scope: s.Name, Label: spoken.Label, Detail: spoken.Detail, Language: spoken.Language,
			Values: p.shown(s, u.Account), Optional: voluntary.Has(s.Number),
		})
	}
	return items
}

// shown is what the application would see now, in the user's own values.
func (p *Provider) shown(s registry.Scope, a *account.Account) []string {
	var values []string
	for _, claim := range s.Claims {
		switch claim {
		case registry.ClaimName:
			values = append(values, a.Name)
		case registry.ClaimEmail:
			if email := p.Email.Released(*a); email != "" {
				values = append(values, email)
			} else {
				values = append(values, "Your e-mail address, once you have confirmed it")
			}
		case registry.ClaimPostalCode:
			if a.PostalCode != "" {
				values = append(values, a.PostalCode)
			} else {
				values = append(values, "You have not entered one")
			}
		}
	}
	return values
}

// allowLeaving lets the browser follow the redirect after the form. Chromium holds
// the whole chain of redirects to form-action, the application's own included.
func allowLeaving(w http.ResponseWriter, to oauth.RedirectURI) {
	sources := []string{"https:", "http://localhost:*", "http://127.0.0.1:*"}
	switch to.Scheme() {
	case "https":
	case "http":
		// Loopback addresses that a host source cannot name, such as [::1].
		if host, err := url.Parse(to.String()); err == nil && !slices.Contains([]string{"localhost", "127.0.0.1"}, host.Hostname()) {
			sources = append(sources, "http:")
		}
	default:
		// A native application's own (RFC 8252 section 7.1). Registration lets nothing
		// through that a browser acts upon itself.
		sources = append(sources, to.Scheme()+":")
	}
	web.AllowFormAction(w, sources...)
}

// decide takes the user's answer.
func (p *Provider) decide(w http.ResponseWriter, r *http.Request) error {
	p.keepOpener(w, r, "")
	q, err := p.open(r)
	if err != nil {
		return p.turnAway(w, r, err)
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	u, err := p.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrExpired) {
		return p.toSignIn(w, r, q)
	}
	if err != nil {
		return err
	}
	switch form.Get("decision") {
	case "allow":
	case "cancel":
		allowLeaving(w, q.redirect)
		return p.redirectError(w, r, q.reject(&oauth.Error{Code: oauth.AccessDenied, Description: "Access not permitted."}))
	default:
		return p.showConsent(w, r, q, u, http.StatusUnprocessableEntity, "Choose Allow or Cancel.")
	}
	if oidc.Reauthenticate(q.prompt, q.maxAge, u.Session.AuthenticatedAt, q.startedAt, p.Now()) || !p.isFor(q, u.Account.ID) {
		return p.toSignIn(w, r, q)
	}
	if form.Get("account") != strconv.FormatInt(u.Account.ID, 10) {
		return p.showConsent(w, r, q, u, http.StatusConflict, "You are signed in with another account now. Choose once more.")
	}
	ticked, _ := q.table.Parse(form.Values["scope"])
	allowed := q.ask(nil).Allow(ticked)
	if allowed.Intersect(q.asked).Empty() {
		return p.showConsent(w, r, q, u, http.StatusUnprocessableEntity, "Nothing is ticked. Tick what the application may have, or press Cancel.")
	}
	return p.allow(w, r, q, u, allowed)
}

// allow makes the grant and goes on to the application.
func (p *Provider) allow(w http.ResponseWriter, r *http.Request, q *request, u session.User, allowed oauth.ScopeSet) error {
	words := wordsOf(consentWords, q.scopes(), q.languages(r))
	if q.silent().ContainsAll(q.requested()) && q.dialect == oauth.LoginWithAmazon {
		words = silentWords
	}
	g, err := p.Store.Allow(r.Context(), store.Allowance{
		AccountID: u.Account.ID, ProfileID: q.profile.ID, Asked: q.requested(), Allowed: allowed, Words: words,
	}, p.Sessions.By(r, u, p.Now()))
	if errors.Is(err, store.ErrNotFound) {
		return web.Conflict("The application or your account has ended since this page was opened. Nothing was allowed.")
	}
	if err != nil {
		return err
	}
	// The code covers what was left ticked now, though an older consent may have
	// been wider (login-with-amazon.md section 4, "result").
	return p.finish(w, r, q, u, &g, allowed)
}
