package sim

import (
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
)

// NewScope makes a scope as the operator would. One without words gets some.
func (w *World) NewScope(s registry.Scope) registry.Scope {
	w.t.Helper()
	if s.Label == "" {
		s.Label, s.Detail = "The scope "+s.Name, "It is for tests."
	}
	made, err := w.Store.CreateScope(w.t.Context(), s, audit.By{At: time.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// Retire ends a scope as it was made.
func (w *World) Retire(s registry.Scope) {
	w.t.Helper()
	if err := w.Store.RetireScope(w.t.Context(), s.Number, s.Version, audit.By{At: time.Now()}); err != nil {
		w.t.Fatal(err)
	}
}

// Grant lets the application ask for a scope that is restricted.
func (a *Application) Grant(s registry.Scope) {
	a.world.t.Helper()
	if err := a.world.Store.GrantScopes(a.world.t.Context(), a.Profile.ID, oauth.ScopeSet{}.With(s.Number), s.Name, a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}

// Withdraw takes that back.
func (a *Application) Withdraw(s registry.Scope) {
	a.world.t.Helper()
	if err := a.world.Store.WithdrawScopes(a.world.t.Context(), a.Profile.ID, oauth.ScopeSet{}.With(s.Number), s.Name, a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}

// BecomeAPI makes the application the API of an identifier.
func (a *Application) BecomeAPI(audience string) {
	a.world.t.Helper()
	if err := a.world.Store.SetAudience(a.world.t.Context(), a.Profile.ID, audience, a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}
