package console

import (
	"crypto/rand"
	"net/http"
	"net/url"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// fieldAttempt names the form as it was opened: sent twice, because the first answer was
// lost or somebody pressed twice, it makes one profile.
const fieldAttempt = "attempt"

type newPage struct {
	Form    *web.Form
	Kinds   choiceGroup
	Preview web.Consent
	HasLogo bool
}

func (s *Surface) showNew(w http.ResponseWriter, r *http.Request, v visit) error {
	return s.renderNew(w, r, v, http.StatusOK, web.NewForm(url.Values{registry.FieldKind: {registry.Web.Name()}}), nil)
}

func (s *Surface) showNewTyped(w http.ResponseWriter, r *http.Request, v visit, typed url.Values) error {
	if typed == nil {
		return redirect(w, r, newPath)
	}
	form, err := s.typedForm(r, typed)
	if err != nil {
		return err
	}
	return s.renderNew(w, r, v, http.StatusOK, form, typedFlash)
}

func (s *Surface) renderNew(w http.ResponseWriter, r *http.Request, v visit, status int, form *web.Form, flash *web.Flash) error {
	if form.Get(fieldAttempt) == "" {
		form.Values.Set(fieldAttempt, rand.Text())
	}
	web.AllowImages(w, "blob:") // the file just chosen, in the preview
	preview, err := s.preview(r.Context(), v, form, registry.LogoHash{}, nil)
	if err != nil {
		return err
	}
	return s.render(w, r, v, status, "new", "Create a New Security Profile", flash, newPage{
		Form: form, Preview: preview,
		Kinds: kindChoices(form, func(k registry.Kind) (words, warning string) { return k.Words(), "" }),
	})
}

// create makes a profile with its first secret and leads to the list, where it is
// marked.
func (s *Surface) create(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	in, ready, err := s.readProfileForm(r, form)
	if err != nil {
		return err
	}
	kind := readKind(form)
	if !ready || !form.OK() {
		return s.renderNew(w, r, v, statusOf(form), form, nil)
	}
	p, err := s.Store.CreateProfile(r.Context(), store.NewProfile{
		DeveloperID: v.developer.ID, Form: in.text, Logo: in.logo, Settings: registry.DefaultSettings(kind),
		Secret: registry.NewClientSecret(s.Namespace), Attempt: form.Get(fieldAttempt),
	}, s.Sessions.By(r, v.User, v.now))
	if err != nil {
		return err
	}
	return redirect(w, r, listPath+"?"+url.Values{createdParam: {profileKey(p)}}.Encode())
}

// readKind takes the kind out of the form. Programs that fill it in need not know
// that there are kinds.
func readKind(form *web.Form) registry.Kind {
	if !form.Values.Has(registry.FieldKind) {
		form.Values.Set(registry.FieldKind, registry.Web.Name())
	}
	kind, ok := registry.ParseKind(form.Get(registry.FieldKind))
	if !ok {
		form.Fail(registry.FieldKind, "Choose one of the kinds below.")
	}
	return kind
}

// statusOf is the status of a form that is shown again: 422 when something is
// wrong with it, 200 when a button such as Add another asked for it.
func statusOf(form *web.Form) int {
	if form.OK() {
		return http.StatusOK
	}
	return http.StatusUnprocessableEntity
}
