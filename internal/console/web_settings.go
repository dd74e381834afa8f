package console

import (
	"context"
	"net/http"
	"strconv"

	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

const (
	labelReturnURLs = "Allowed Return URLs"
	labelOrigins    = "Allowed Origins"

	editParam      = "edit"
	addParam       = "add"
	addOriginParam = "add_origin"
	tryParam       = "try"
)

type webSettingsPage struct {
	Head       head
	Path       string
	ClientID   string
	Kind       registry.Kind
	Key        bool // assertions take the place of the secret
	Refusal    *web.Flash
	Secrets    []secretView
	CanAdd     bool
	Download   downloadView
	ReturnURLs []registry.ReturnURL
	Origins    []registry.AllowedOrigin
	Try        tryView
	Pasted     pastedView
}

// showWebSettings shows the settings, or with ?edit=1 the form that changes them.
func (s *Surface) showWebSettings(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	if r.FormValue(editParam) != "" {
		return s.showWebSettingsForm(w, r, v, p)
	}
	page, err := s.webSettings(r.Context(), v, p)
	if err != nil {
		return err
	}
	if i, err := strconv.Atoi(r.FormValue(tryParam)); err == nil && i >= 0 && i < len(p.ReturnURLs) {
		page.Try = s.tryIt(p, i)
	}
	return s.renderWebSettings(w, r, v, http.StatusOK, page, savedFlash(r, p, v.now))
}

// webSettings is the page of p with nothing shown and nothing pasted.
func (s *Surface) webSettings(ctx context.Context, v visit, p registry.SecurityProfile) (webSettingsPage, error) {
	refusals, err := s.Store.Refusals(ctx, p.ID)
	if err != nil {
		return webSettingsPage{}, err
	}
	page := webSettingsPage{
		Head: newHead(p, tabWebSettings), Path: profilePath(p), ClientID: s.Namespace.ClientID(p.Client), Kind: p.Settings.Kind, Key: p.Settings.Auth == registry.AuthKey,
		Refusal: refusalNotice(p, refusals, v.now),
		Secrets: secretViews(p, v.now), CanAdd: p.CanAddSecret(v.now),
		ReturnURLs: p.ReturnURLs, Origins: p.Origins,
		Try: s.tryIt(p, 0), Pasted: pastedView{Form: web.NewForm(nil)},
	}
	if len(page.Secrets) > 0 {
		page.Download = downloadView{Action: page.Secrets[0].Path + "/download"}
	}
	return page, nil
}

func (s *Surface) renderWebSettings(w http.ResponseWriter, r *http.Request, v visit, status int, page webSettingsPage, flash *web.Flash) error {
	return s.render(w, r, v, status, "web_settings", "Web Settings · "+page.Head.Name, flash, page)
}
