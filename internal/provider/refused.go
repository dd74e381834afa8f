package provider

import (
	"errors"
	"net/http"
	"net/url"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// refusedData is the page for a request that cannot be sent back to its
// application (login-with-amazon.md section 6). What is registered is shown to the
// signed-in owner alone.
type refusedData struct {
	Application string // "" when it is not known
	ClientID    string
	Heading     string
	Reason      string
	Sent        string
	RequestID   string
	Again       bool // starting anew from the application may help
	Popup       bool
	// Of the owner only.
	Owner   bool
	Nearest string
	Was     registry.Difference
	Should  registry.Difference
	EditURL string
	// Edit says what is edited there.
	Edit string
}

// refusedPage says in words which application, what was sent and which rule failed.
func (p *Provider) refusedPage(w http.ResponseWriter, r *http.Request, e *unsafeTarget) error {
	d := refusedData{
		ClientID: printable(e.clientID), Heading: "This request cannot be answered", Reason: words(e.cause),
		RequestID: web.RequestID(r.Context()), Again: e.cause.Code == oauth.InvalidRequestURI,
	}
	if e.profile == nil {
		d.Heading = "This application is not known here"
	} else {
		d.Application = e.profile.Name
		d.Heading = "The request of " + e.profile.Name + " cannot be answered"
	}
	badge := p.Sessions.Badge(r)
	if e.origin != nil {
		if err := p.refusedOrigin(r, e, &d); err != nil {
			return err
		}
	}
	if m := e.mismatch; m != nil {
		d.Heading = "This return URL is not allowed"
		d.Sent = m.Sent
		owner, err := p.ownedBy(r, e.profile)
		if err != nil {
			return err
		}
		if d.Owner = owner; owner {
			d.Nearest, d.Was, d.Should = m.Nearest, m.SentParts, m.NearestParts
			d.EditURL, d.Edit = editPath(e.profile, "add", m.Sent), "Edit Allowed Return URLs"
		} else {
			// The rule in words may tell registered values.
			d.Reason = "After sign-in, " + e.profile.Name + " asked to send you to an address that its developer has not registered as an Allowed Return URL. Addresses are compared exactly, letter by letter."
		}
	}
	p.refuse(r, e.profile, e.refusal(r.URL.Path))
	return p.pages.Render(w, r, http.StatusBadRequest, "refused", web.Page{Title: d.Heading, Narrow: true, Account: badge, Data: d})
}

// refusal is what the profile's owner reads of it.
func (e *unsafeTarget) refusal(endpoint string) audit.Refusal {
	refusal := audit.Refusal{Endpoint: endpoint, Code: string(e.cause.Code), Words: words(e.cause)}
	if m := e.mismatch; m != nil {
		refusal.Words = "The return URL is not one of the Allowed Return URLs. " + m.Words
		refusal.Sent, refusal.Nearest = cut(m.Sent), m.Nearest
	}
	if m := e.origin; m != nil {
		refusal.Code, refusal.Words = audit.OriginNotAllowed, "A page asked for a popup, and its origin is not one of the Allowed Origins. "+m.Words
		refusal.Sent, refusal.Nearest = cut(m.Sent), m.Nearest
	}
	return refusal
}

// refusedOrigin fills the page for a popup of a page whose origin is not allowed: it
// says which one was refused and, to who can change it, where.
func (p *Provider) refusedOrigin(r *http.Request, e *unsafeTarget, d *refusedData) error {
	m := e.origin
	d.Heading, d.Sent, d.Popup = "This page’s origin is not allowed", m.Sent, true
	if m.Sent == "" {
		d.Heading = "This popup does not say which page opened it"
	}
	owner, err := p.ownedBy(r, e.profile)
	if err != nil {
		return err
	}
	switch d.Owner = owner; {
	case owner:
		d.Nearest, d.Was, d.Should = m.Nearest, m.SentParts, m.NearestParts
		d.EditURL, d.Edit = editPath(e.profile, "add_origin", m.Sent), "Edit Allowed Origins"
	case m.Sent != "":
		// The rule in words may tell registered values.
		d.Reason = "A page opened this window to sign you in to " + e.profile.Name + ". Its origin, below, is not among the Allowed Origins of that application, so it must not hear the answer. Origins are compared exactly: scheme, host and port."
	}
	return nil
}

// editPath leads to the form with Allowed Origins and Return URLs, with a value filled
// in that is not saved.
func editPath(profile *registry.SecurityProfile, list, value string) string {
	return "/console/profiles/" + profile.Application.String() + "/web-settings?" + url.Values{"edit": {"1"}, list: {value}}.Encode()
}

// ownedBy reports whether whoever is signed in owns the profile.
func (p *Provider) ownedBy(r *http.Request, profile *registry.SecurityProfile) (bool, error) {
	u, err := p.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrExpired) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d, err := p.Store.DeveloperOf(r.Context(), u.Account.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && d.ID == profile.DeveloperID, err
}

// maxSent is how much of a refused value is kept: as long as a return URL can be.
const maxSent = registry.ReturnURLMaxBytes

func cut(s string) string {
	if len(s) > maxSent {
		return s[:maxSent]
	}
	return s
}

// printable leaves out what is not an identifier's: the page repeats what a
// stranger's link said.
func printable(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	out := []byte(s)
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}
