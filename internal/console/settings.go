package console

import (
	"errors"
	"net/http"
	"net/url"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	labelKind       = "Kind of application"
	labelIDTokenAlg = "ID token signature"
)

type settingsPage struct {
	Head     head
	Path     string
	Form     *web.Form
	Conflict *settingsConflict
	Groups   []choiceGroup
}

// settingsConflict is what was saved by somebody else while the form was open,
// beside what was chosen.
type settingsConflict struct {
	editor
	Rows []conflictRow
}

// choiceGroup is one question with everything that can be answered.
type choiceGroup struct {
	Name, Label, Rule, Error string
	Choices                  []choiceView
}

// choiceView is an answer with the sentence that explains it. Warning is shown
// while it is chosen, and empty for what is saved already.
type choiceView struct {
	Value, Label, Words, Warning string
	Chosen                       bool
}

func settingsMark(p registry.SecurityProfile) string {
	return mark(p.Settings.Kind.Name(), p.Settings.IDTokenAlg)
}

func formOfSettings(p registry.SecurityProfile) *web.Form {
	return web.NewForm(url.Values{
		registry.FieldKind: {p.Settings.Kind.Name()}, registry.FieldIDTokenAlg: {p.Settings.IDTokenAlg},
		fieldSeen: {settingsMark(p)},
	})
}

func (s *Surface) showSettings(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	return s.renderSettings(w, r, v, http.StatusOK, p, settingsPage{Form: formOfSettings(p)}, savedFlash(r, p, v.now))
}

func (s *Surface) showSettingsTyped(w http.ResponseWriter, r *http.Request, v visit, typed url.Values) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	if typed == nil {
		return redirect(w, r, settingsPath(p))
	}
	return s.renderSettings(w, r, v, http.StatusOK, p, settingsPage{Form: web.NewForm(typed)}, typedFlash)
}

// renderSettings shows the page of p; page brings what is not p's.
func (s *Surface) renderSettings(w http.ResponseWriter, r *http.Request, v visit, status int, p registry.SecurityProfile, page settingsPage, flash *web.Flash) error {
	page.Head, page.Path = newHead(p, tabSettings), settingsPath(p)
	kinds := choiceGroup{Name: registry.FieldKind, Label: labelKind, Rule: "It decides what the application may ask for and how it proves itself."}
	for _, k := range registry.Kinds() {
		kinds.Choices = append(kinds.Choices, choiceView{
			Value: k.Name(), Label: k.Label(), Words: k.Words(), Warning: kindWarning(p.Settings.Kind, k),
		})
	}
	algorithms := choiceGroup{Name: registry.FieldIDTokenAlg, Label: labelIDTokenAlg, Rule: "Only for applications that ask for the scope openid. The keys are published at " + s.Issuer + "/oauth2/jwks."}
	for _, alg := range registry.IDTokenAlgs() {
		algorithms.Choices = append(algorithms.Choices, choiceView{Value: alg, Label: alg, Words: algorithmWords(alg)})
	}
	page.Groups = []choiceGroup{kinds, algorithms}
	for i, g := range page.Groups {
		if e, ok := page.Form.Err(g.Name); ok {
			page.Groups[i].Error = e.Message
		}
		for j, c := range g.Choices {
			g.Choices[j].Chosen = page.Form.Get(g.Name) == c.Value
		}
	}
	return s.render(w, r, v, status, "settings", "Settings · "+p.Name, flash, page)
}

func algorithmWords(alg string) string {
	if alg == registry.DefaultIDTokenAlg {
		return "An RSA signature, which every OpenID Connect library can check. The right one if nothing speaks against it."
	}
	return "An ECDSA signature on P-256. It is shorter and no weaker; choose it if your library can check it."
}

// kindWarning says what a change of kind means for an application that runs
// already, above all for its secret.
func kindWarning(from, to registry.Kind) string {
	switch {
	case to == from:
		return ""
	case to == registry.Service:
		return "Users can no longer be sent to this application: authorization requests and refresh tokens are refused from then on. Its secret is then all that it has."
	case to.Public() && !from.Public():
		return "The secret is then no longer needed on /oauth2/token: PKCE takes its place. The existing secrets stay good: end them under Web Settings once nothing uses them, and never put one into a page or an app. Tokens for the application alone (client credentials) are refused."
	case from.Public() && to == registry.Web:
		return "The application then needs its secret to get refresh tokens."
	}
	return ""
}

// saveSettings saves what was chosen, unless somebody else saved something else
// since the form was opened.
func (s *Surface) saveSettings(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	by := s.Sessions.By(r, v.User, v.now)
	for range saveAttempts {
		// Judged at each attempt: the return URLs may have been changed in between.
		in, problems := registry.ParseSettings(form.Get(registry.FieldKind), form.Get(registry.FieldIDTokenAlg), p.ReturnURLs)
		if problems != nil {
			for _, f := range problems {
				form.Fail(f.Field, f.Message)
			}
			return s.renderSettings(w, r, v, http.StatusUnprocessableEntity, p, settingsPage{Form: form}, nil)
		}
		saved := p.Settings
		saved.Kind, saved.IDTokenAlg = in.Kind, in.IDTokenAlg // the rest is not of this form
		in = saved
		if in == p.Settings {
			return redirect(w, r, s.savedPath(settingsPath(p), p.Version)) // pressed twice
		}
		if form.Get(fieldSeen) != settingsMark(p) {
			return s.conflictSettings(w, r, v, p, form, in)
		}
		err = s.Store.SaveSettings(r.Context(), v.developer.ID, p.ID, p.Version, in, p.PostLogoutURLs, by)
		switch {
		case err == nil:
			return redirect(w, r, s.savedPath(settingsPath(p), p.Version+1))
		case errors.Is(err, store.ErrNotFound):
			return noProfile()
		case !errors.Is(err, store.ErrStale):
			return err
		}
		if p, err = s.profile(r, v); err != nil {
			return err
		}
	}
	return store.ErrStale
}

// conflictSettings shows what is saved now beside what was chosen. The form then
// carries the mark of what is saved now: Save goes over it, knowingly.
func (s *Surface) conflictSettings(w http.ResponseWriter, r *http.Request, v visit, p registry.SecurityProfile, form *web.Form, in registry.Settings) error {
	editor, err := s.lastEditor(r.Context(), v, p, audit.SettingsChanged)
	if err != nil {
		return err
	}
	c := &settingsConflict{editor: editor}
	for _, row := range []conflictRow{
		{labelKind, p.Settings.Kind.Label(), in.Kind.Label()},
		{labelIDTokenAlg, p.Settings.IDTokenAlg, in.IDTokenAlg},
	} {
		if row.Saved != row.Typed {
			c.Rows = append(c.Rows, row)
		}
	}
	form.Values.Set(fieldSeen, settingsMark(p))
	return s.renderSettings(w, r, v, http.StatusConflict, p, settingsPage{Form: form, Conflict: c}, nil)
}
