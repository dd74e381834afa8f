package provider

import (
	"html/template"
	"net/http"

	"gatelodge/internal/oauth"
	"gatelodge/internal/web"
)

// answerMode is how the answer to a request reaches the return URL, its errors too. A
// form cannot be posted to the scheme of a native application.
func answerMode(params oauth.Params, d oauth.Dialect, to oauth.RedirectURI) (oauth.ResponseMode, *oauth.Error) {
	mode := oauth.RequestedMode(params, d)
	if mode == oauth.ModeFormPost && to.Scheme() != "https" && to.Scheme() != "http" {
		return oauth.ModeQuery, oauth.InvalidParameter("response_mode").Because("The answer cannot be posted to an app by its own scheme. Leave response_mode=form_post out.")
	}
	return mode, nil
}

type formPostData struct {
	Host   string
	Action template.URL
	Pairs  []oauth.Pair
}

// formPost answers by a page whose form posts the answer to the return URL (OAuth 2.0
// Form Post Response Mode section 2). A module presses its button; without JavaScript
// the user does. Its form may lead where a consent may, and not to the return URL alone:
// applications send the browser on from there. Return URLs are https or loopback by registration, so none can carry
// a script into the page (CVE-2024-21637).
func (p *Provider) formPost(w http.ResponseWriter, r *http.Request, t target, pairs []oauth.Pair) error {
	d := formPostData{Host: t.redirect.Host(), Action: template.URL(t.redirect.String())}
	for _, pair := range pairs {
		if pair.Value != "" {
			d.Pairs = append(d.Pairs, pair)
		}
	}
	allowLeaving(w, t.redirect)
	// The application sees whose page posted: under the common policy the browser
	// would say "Origin: null". The address of this page stays here.
	w.Header().Set("Referrer-Policy", "strict-origin")
	return p.pages.Render(w, r, http.StatusOK, "form_post", web.Page{Title: "Going back to the application", Narrow: true, Data: d})
}
