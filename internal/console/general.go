package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

type generalPage struct {
	Head     head
	Form     *web.Form
	Preview  web.Consent
	HasLogo  bool
	Conflict *generalConflict
	Delete   *web.Form
	Path     string
	Created  time.Time
	Updated  time.Time
}

// generalConflict is what was saved by somebody else while the form was open,
// beside what was typed.
type generalConflict struct {
	editor
	Rows []conflictRow
}

type conflictRow struct{ Label, Saved, Typed string }

// editor says who saved last, and when.
type editor struct {
	Who string
	At  time.Time
}

// saveAttempts bounds how often a save is tried again because something that does
// not concern it was saved in between.
const saveAttempts = 5

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
	for range saveAttempts {
		if in.isSaved(p) {
			return redirect(w, r, s.savedPath(profilePath(p), p.Version)) // pressed twice
		}
		if form.Get(fieldSeen) != generalMark(p) {
			return s.conflictGeneral(w, r, v, p, form, in)
		}
		err = s.Store.UpdateProfile(r.Context(), v.developer.ID, p.ID, p.Version, in.text, in.logo, by)
		switch {
		case err == nil:
			return redirect(w, r, s.savedPath(profilePath(p), p.Version+1))
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

// isSaved reports whether p is already as the form says.
func (in profileInput) isSaved(p registry.SecurityProfile) bool {
	logo := in.logo.PNG == nil && !in.logo.Remove ||
		in.logo.PNG != nil && in.logo.Hash == p.Logo ||
		in.logo.Remove && p.Logo == registry.LogoHash{}
	return logo && in.text == registry.ProfileForm{Name: p.Name, Description: p.Description, PrivacyURL: p.PrivacyURL}
}

// conflictGeneral shows what is saved now beside what was typed. The form then
// carries the mark of what is saved now: Save goes over it, knowingly.
func (s *Surface) conflictGeneral(w http.ResponseWriter, r *http.Request, v visit, p registry.SecurityProfile, form *web.Form, in profileInput) error {
	c := &generalConflict{}
	var err error
	if c.editor, err = s.lastEditor(r.Context(), v, p, audit.ProfileChanged); err != nil {
		return err
	}
	logo := map[bool]string{true: "A logo", false: "No logo"}
	typedLogo := logo[p.Logo != registry.LogoHash{}] // the form does not touch it
	switch {
	case in.logo.PNG != nil:
		typedLogo = "Another logo: " + form.Files[fieldLogo].Name
	case in.logo.Remove:
		typedLogo = logo[false]
	}
	for _, row := range []conflictRow{
		{labelName, p.Name, in.text.Name},
		{labelDescription, p.Description, in.text.Description},
		{labelPrivacyURL, p.PrivacyURL, in.text.PrivacyURL},
		{labelLogo, logo[p.Logo != registry.LogoHash{}], typedLogo},
	} {
		if row.Saved != row.Typed {
			c.Rows = append(c.Rows, row)
		}
	}
	form.Values.Set(fieldSeen, generalMark(p))
	return s.renderGeneral(w, r, v, http.StatusConflict, p, generalPage{Form: form, Conflict: c}, nil)
}

// lastEditor reads from the profile's events who last made a change of that kind.
func (s *Surface) lastEditor(ctx context.Context, v visit, p registry.SecurityProfile, kind audit.Kind) (editor, error) {
	events, err := s.Store.ProfileEvents(ctx, p.ID, eventsShown)
	if err != nil {
		return editor{}, err
	}
	i := slices.IndexFunc(events, func(e audit.Event) bool { return e.Kind == kind })
	if i < 0 {
		return editor{Who: "Somebody else", At: p.UpdatedAt}, nil
	}
	e := editor{Who: actor(events[i]), At: events[i].At}
	if events[i].ActorID == v.Account.ID {
		e.Who = "You, in another window,"
	}
	return e, nil
}
