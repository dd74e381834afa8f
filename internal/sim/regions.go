package sim

import (
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/region"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

// Admit lets another region sign people in who have their account in this world, as
// gatelodge region admit does.
func (w *World) Admit(name, title, issuer string) region.Credentials {
	w.t.Helper()
	secret := registry.NewClientSecret(Namespace)
	settings := registry.DefaultSettings(registry.Web)
	settings.BackChannelLogoutURI = issuer + region.EndedPath
	p, err := w.Store.AdmitRegion(w.t.Context(), name, store.NewProfile{
		Form: registry.ProfileForm{Name: title, Description: "A region", PrivacyURL: issuer + "/help"}, Settings: settings, Secret: secret,
		ReturnURLs: []registry.ReturnURL{{Value: issuer + region.ReturnPath}}, PostLogoutURLs: []registry.ReturnURL{{Value: issuer + region.HomePath}},
	}, audit.By{At: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	return region.Credentials{ClientID: registry.Namespace(Namespace).ClientID(p.Client), ClientSecret: secret}
}

// Reach lets this world's people and server reach another's, and the other way round.
func (w *World) Reach(other *World) {
	w.Host(other.host(), other.handler)
	other.Host(w.host(), w.handler)
}

// Lose takes a host away: nobody answers there any more, until it comes back.
func (w *World) Lose(other *World) (back func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.hosts, other.host())
	return func() { w.Host(other.host(), other.handler) }
}
