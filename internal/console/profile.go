package console

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// head is what all pages of a profile have on top.
type head struct {
	Name, LogoURL string
	Suspended     bool
	Dynamic       bool // the application registered itself
	Tabs          []web.Tab
}

type tab string

const (
	tabGeneral     tab = ""
	tabWebSettings tab = "/web-settings"
	tabDevices     tab = "/devices"
	tabSettings    tab = "/settings"
	tabScopes      tab = "/scopes"
	tabLoginButton tab = "/login-button"
	tabRun         tab = "/run"
	tabActivity    tab = "/activity"
)

func newHead(p registry.SecurityProfile, current tab) head {
	h := head{Name: p.Name, LogoURL: logoURL(p.Logo), Suspended: !p.SuspendedAt.IsZero(), Dynamic: p.Dynamic}
	for _, t := range []struct {
		tab  tab
		text string
	}{{tabGeneral, "General"}, {tabWebSettings, "Web Settings"}, {tabDevices, "TVs and Other Devices"}, {tabSettings, "Settings"}, {tabScopes, "Scopes"}, {tabLoginButton, "Login button"}, {tabRun, "Try it"}, {tabActivity, "Activity"}} {
		h.Tabs = append(h.Tabs, web.Tab{Text: t.text, URL: profilePath(p) + string(t.tab), Current: t.tab == current})
	}
	return h
}

func profileKey(p registry.SecurityProfile) string { return hex.EncodeToString(p.Application[:]) }

func profilePath(p registry.SecurityProfile) string { return p.Application.ConsolePath() }

func webSettingsPath(p registry.SecurityProfile) string {
	return profilePath(p) + string(tabWebSettings)
}

func settingsPath(p registry.SecurityProfile) string { return profilePath(p) + string(tabSettings) }

func logoURL(h registry.LogoHash) string {
	if h == (registry.LogoHash{}) {
		return ""
	}
	return "/logos/" + h.String() + ".png"
}

// profile reads the profile that the address names, if it is the visitor's.
func (s *Surface) profile(r *http.Request, v visit) (registry.SecurityProfile, error) {
	var key registry.ApplicationKey
	text := r.PathValue("id")
	// The digits have one spelling: what comes out must be what went in.
	if b, err := hex.DecodeString(text); err != nil || copy(key[:], b) != len(key) || hex.EncodeToString(key[:]) != text {
		return registry.SecurityProfile{}, noProfile()
	}
	p, err := s.Store.Profile(r.Context(), v.developer.ID, key)
	if errors.Is(err, store.ErrNotFound) {
		return p, noProfile()
	}
	if err == nil {
		web.LogAttr(r.Context(), slog.String("profile", s.Namespace.ApplicationID(p.Application)))
	}
	return p, err
}

func noProfile() error {
	return web.NotFound("No security profile of yours has this address. It may have been deleted.",
		web.Link{Text: "Your security profiles", URL: listPath})
}

// toGeneral and toWebSettings lead from addresses that take nothing but a POST.
func (s *Surface) toGeneral(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	return redirect(w, r, profilePath(p))
}

func (s *Surface) toWebSettings(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	return redirect(w, r, webSettingsPath(p))
}
