package provider

import (
	"errors"
	"net/http"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// matchTarget finds where the answer may go: to an Allowed Return URL, or by the relay
// page to the page of an Allowed Origin that opened a popup, whose origin it then
// gives. Its errors are *registry.ReturnURLMismatch and *registry.OriginMismatch.
func (p *Provider) matchTarget(profile *registry.SecurityProfile, sent string) (oauth.RedirectURI, string, error) {
	if registry.IsRelay(p.Issuer, sent) {
		redirect, origin, err := registry.MatchRelay(p.Issuer, profile.Origins, sent)
		return redirect, origin.Value, err
	}
	if redirect, ok := registry.MatchRunReturnURL(p.Issuer, profile, sent); ok {
		return redirect, "", nil
	}
	redirect, err := registry.MatchReturnURL(profile.Settings.Kind, profile.ReturnURLs, sent)
	return redirect, "", err
}

// popupConsentPath is consentPath for a request that began in a popup: signin knows it
// by the same text.
const popupConsentPath = consentPath + "?popup=1&request="

// keepOpener leaves a popup its opener, on every page and redirect of its way: one
// that severs the two would leave the relay page nobody to tell.
func (p *Provider) keepOpener(w http.ResponseWriter, r *http.Request, redirectURI string) {
	if registry.IsRelay(p.Issuer, redirectURI) || r.URL.Path == consentPath && r.URL.Query().Has("popup") {
		web.KeepOpener(w)
	}
}

// relay is where a popup ends: its script tells the window that opened it the answer,
// in a message that the browser gives to the named origin alone. The address can be
// written by anybody, and then tells nobody anything new: what stands in it is what its
// writer knows, and the page takes no more of it than the origin.
func (p *Provider) relay(w http.ResponseWriter, r *http.Request) error {
	web.KeepOpener(w)
	origins := r.URL.Query()["origin"]
	if len(origins) != 1 {
		return strayRelay(nil)
	}
	o, problem := registry.ParseAllowedOrigin(origins[0])
	if problem != nil {
		return strayRelay(errors.New(problem.Message))
	}
	known, err := p.View.HasOrigin(r.Context(), o.Value)
	if err != nil {
		return err
	}
	if !known {
		return strayRelay(errors.New("no application has this origin"))
	}
	return p.pages.Render(w, r, http.StatusOK, "relay", web.Page{Title: "Back to the application", Narrow: true, Data: o.Value})
}

// strayRelay is the page for an address that no answer leads to. It repeats nothing of
// the address.
func strayRelay(cause error) *web.Error {
	return &web.Error{
		Status: http.StatusBadRequest, Title: "This window has nothing to bring back", Turn: web.YourTurn, Err: cause,
		Detail: "Its address does not name a page that may hear the answer.",
		Next:   "Close it, go back to the application, and start again from there.",
	}
}
