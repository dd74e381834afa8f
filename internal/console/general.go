package console

import (
	"net/http"
	"net/url"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

type generalPage struct {
	Head     head
	Form     *web.Form
	Preview  web.Consent
	HasLogo  bool
	Conflict *conflict
	Delete   *web.Form
	Path     string
	Created  time.Time
	Updated  time.Time
}

func (s *Surface) showGeneral(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	return s.renderGeneral(w, r, v, http.StatusOK, p, generalPage{Form: generalForm(p)}, savedFlash(r, p, v.now))
}

func generalForm(p registry.SecurityProfile) *web.Form {
	return web.NewForm(url.Values{
		registry.FieldName: {p.Name}, registry.FieldDescription: {p.Description}, registry.FieldPrivacyURL: {p.PrivacyURL},
		fieldSeen: {generalMark(p)},
	})
}

func (s *Surface) showGeneralTyped(w http.ResponseWriter, r *http.Request, v visit, typed url.Values) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	if typed == nil {
		return redirect(w, r, profilePath(p))
	}
	form, err := s.typedForm(r, typed)
	if err != nil {
		return err
	}
	return s.renderGeneral(w, r, v, http.StatusOK, p, generalPage{Form: form}, typedFlash)
}

// renderGeneral shows the page of p; page brings what is not p's.
func (s *Surface) renderGeneral(w http.ResponseWriter, r *http.Request, v visit, status int, p registry.SecurityProfile, page generalPage, flash *web.Flash) error {
	web.AllowImages(w, "blob:")
	page.Head, page.Path = newHead(p, tabGeneral), profilePath(p)
	page.HasLogo = p.Logo != registry.LogoHash{}
	page.Created, page.Updated = p.CreatedAt, p.UpdatedAt
	var err error
	if page.Preview, err = s.preview(r.Context(), v, page.Form, p.Logo, p.ReturnURLs); err != nil {
		return err
	}
	if page.Delete == nil {
		page.Delete = web.NewForm(nil)
	}
	return s.render(w, r, v, status, "general", p.Name, flash, page)
}

func (s *Surface) saveGeneral(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	in, ready, err := s.readProfileForm(r, form)
	if err != nil {
		return err
	}
	if !ready {
		return s.renderGeneral(w, r, v, statusOf(form), p, generalPage{Form: form}, nil)
	}
	by := s.Sessions.By(r, v.User, v.now)
	return s.save(w, r, v, p, saving{
		form: form, page: tabGeneral, event: audit.ProfileChanged, mark: generalMark, judge: in.isSaved,
		show: func(status int, p registry.SecurityProfile, c *conflict) error {
			return s.renderGeneral(w, r, v, status, p, generalPage{Form: form, Conflict: c}, nil)
		},
		rows: func(p registry.SecurityProfile) []conflictRow { return in.rows(p, form.Files[fieldLogo].Name) },
		write: func(p registry.SecurityProfile) error {
			return s.Store.UpdateProfile(r.Context(), v.developer.ID, p.ID, p.Version, in.text, in.logo, by)
		},
	})
}

// isSaved reports whether p is already as the form says.
func (in profileInput) isSaved(p registry.SecurityProfile) bool {
	logo := in.logo.PNG == nil && !in.logo.Remove ||
		in.logo.PNG != nil && in.logo.Hash == p.Logo ||
		in.logo.Remove && p.Logo == registry.LogoHash{}
	return logo && in.text == registry.ProfileForm{Name: p.Name, Description: p.Description, PrivacyURL: p.PrivacyURL}
}

// rows are what the form says otherwise than p. A logo is told by its file's name.
func (in profileInput) rows(p registry.SecurityProfile, file string) []conflictRow {
	logo := map[bool]string{true: "A logo", false: "No logo"}
	saved := logo[p.Logo != registry.LogoHash{}]
	typed := saved // the form does not touch it
	switch {
	case in.logo.PNG != nil:
		typed = "Another logo: " + file
	case in.logo.Remove:
		typed = logo[false]
	}
	return differing(
		wordsRow(labelName, p.Name, in.text.Name),
		wordsRow(labelDescription, p.Description, in.text.Description),
		wordsRow(labelPrivacyURL, p.PrivacyURL, in.text.PrivacyURL),
		wordsRow(labelLogo, saved, typed),
	)
}
