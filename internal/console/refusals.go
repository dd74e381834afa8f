package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// recently is how long a refusal is worth a notice on Web Settings.
const recently = 24 * time.Hour

// refusalView is a refusal as the profile's owner reads it.
type refusalView struct {
	audit.Refusal
	// Compared shows the return URL or origin that was sent against the allowed one
	// that is most like it now.
	Compared *registry.ReturnURLMismatch
	// AllowedNow: the value has been allowed since.
	AllowedNow bool
	// AddURL leads to the edit form with the value filled in, Add says so.
	AddURL, Add string
}

func newRefusalView(p registry.SecurityProfile, refusal audit.Refusal) refusalView {
	view := refusalView{Refusal: refusal}
	if refusal.Sent == "" {
		return view
	}
	if refusal.Code == audit.OriginNotAllowed {
		return view.ofOrigin(p)
	}
	if u, err := url.Parse(refusal.Sent); err != nil || u.Scheme == "" || u.Host == "" && !(p.Settings.Kind == registry.Native && u.Path != "") {
		return view // no return URL
	}
	_, err := registry.MatchReturnURL(p.Settings.Kind, p.ReturnURLs, refusal.Sent)
	mismatch, ok := errors.AsType[*registry.ReturnURLMismatch](err)
	if !ok {
		view.AllowedNow = true
		return view
	}
	if mismatch.Nearest != "" {
		view.Compared = mismatch
	}
	view.AddURL, view.Add = addPath(p, refusal.Sent), "Add the URL that was sent"
	return view
}

// ofOrigin is the view of a refusal whose Sent is a page's origin.
func (view refusalView) ofOrigin(p registry.SecurityProfile) refusalView {
	_, _, err := registry.MatchRelay("", p.Origins, registry.RelayURL("", view.Sent))
	mismatch, ok := errors.AsType[*registry.OriginMismatch](err)
	if !ok {
		view.AllowedNow = true
		return view
	}
	if mismatch.Nearest != "" {
		view.Compared = &registry.ReturnURLMismatch{SentParts: mismatch.SentParts, NearestParts: mismatch.NearestParts}
	}
	if mismatch.Sent != "null" {
		view.AddURL, view.Add = addOriginPath(p, view.Sent), "Add the origin that was sent"
	}
	return view
}

// addPath leads to the edit form with a return URL filled in that is not saved, and
// addOriginPath with an origin.
func addPath(p registry.SecurityProfile, value string) string {
	return webSettingsPath(p) + "?" + url.Values{editParam: {"1"}, addParam: {value}}.Encode()
}

func addOriginPath(p registry.SecurityProfile, value string) string {
	return webSettingsPath(p) + "?" + url.Values{editParam: {"1"}, addOriginParam: {value}}.Encode()
}

// refusalNotice puts the newest refusal on Web Settings, where its cause is mended.
// It is nil when there was none recently.
func refusalNotice(p registry.SecurityProfile, refusals []audit.Refusal, now time.Time) *web.Flash {
	if len(refusals) == 0 || now.Sub(refusals[0].LastAt) > recently {
		return nil
	}
	view := newRefusalView(p, refusals[0])
	if view.AllowedNow {
		return nil
	}
	notice := &web.Flash{
		Kind: web.Warning, Title: "A request of this application was refused",
		Detail: view.Words,
		Links:  []web.Link{{Text: "See the refusals", URL: profilePath(p) + string(tabActivity) + "#refusals"}},
	}
	if view.AddURL != "" {
		notice.Detail = fmt.Sprintf("It sent %s. %s", clip(view.Sent), cmp.Or(view.Words, "It is not one of the allowed return URLs."))
		notice.Links = append(notice.Links, web.Link{Text: view.Add, URL: view.AddURL})
	}
	return notice
}

// clip keeps a stranger's long value from filling the page.
func clip(s string) string {
	const most = 200
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}
