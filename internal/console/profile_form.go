package console

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	fieldLogo       = "logo"
	fieldRemoveLogo = "remove_logo"
	// fieldSeen carries the mark of what a form was filled with.
	fieldSeen = "seen"

	labelName        = "Security Profile Name"
	labelDescription = "Security Profile Description"
	labelPrivacyURL  = "Consent Privacy Notice URL"
	labelLogo        = "Consent Logo Image"
)

// typedFlash greets somebody who comes back through the sign-in page.
var typedFlash = &web.Flash{
	Kind: web.Info, Title: "What you typed is here again",
	Detail: "It is not saved yet: look it over, then press Save.",
}

// mark tells whether the values that a form was filled with are still the same.
func mark(values ...string) string {
	h := sha256.New()
	for _, v := range values {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(v))))
		h.Write([]byte(v))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func generalMark(p registry.SecurityProfile) string {
	return mark(p.Name, p.Description, p.PrivacyURL, p.Logo.String())
}

// profileInput is the profile form once it is accepted.
type profileInput struct {
	text registry.ProfileForm
	logo store.LogoChange
}

// readProfileForm judges the profile form. What is wrong is in form afterwards,
// and a logo that is a picture stays with it. ready says that the form may be saved:
// there are no errors, and no button but Save was pressed.
func (s *Surface) readProfileForm(r *http.Request, form *web.Form) (in profileInput, ready bool, err error) {
	again := form.TakeSuggestion()
	text, problems := registry.ParseProfileForm(form.Values.Get(registry.FieldName),
		form.Values.Get(registry.FieldDescription), form.Values.Get(registry.FieldPrivacyURL))
	if !again {
		for _, p := range problems {
			form.Suggest(p.Field, p.Message, p.Suggestion)
		}
	}
	in.text = text
	if in.logo, err = s.readLogo(r, form); err != nil {
		return in, false, err
	}
	return in, form.OK() && !again, nil
}

// readLogo takes the picture out of the form. One that is refused is forgotten and
// takes nothing else with it.
func (s *Surface) readLogo(r *http.Request, form *web.Form) (store.LogoChange, error) {
	file, ok, err := form.File(r, fieldLogo, registry.LogoMaxBytes)
	switch {
	case errors.Is(err, web.ErrFileTooLarge):
		form.Fail(fieldLogo, "The file has more than 1 MiB. Save it smaller or compress it more.")
		return store.LogoChange{}, nil
	case err != nil:
		return store.LogoChange{}, err
	case !ok:
		return store.LogoChange{Remove: form.Values.Has(fieldRemoveLogo)}, nil
	}
	logo, err := s.Logos.Decode(r.Context(), file.Data)
	if problem, ok := errors.AsType[*registry.LogoProblem](err); ok {
		form.Fail(fieldLogo, problem.Message)
		delete(form.Files, fieldLogo)
		return store.LogoChange{}, nil
	}
	if err != nil {
		return store.LogoChange{}, err
	}
	return store.LogoChange{Hash: logo.Hash, PNG: logo.PNG}, nil
}

// typedForm makes the form of values that came back through the sign-in page. A
// file among them is where [web.Form.File] looks for one that was kept.
func (s *Surface) typedForm(r *http.Request, typed url.Values) (*web.Form, error) {
	r.PostForm = typed
	form := web.NewForm(typed)
	_, _, err := form.File(r, fieldLogo, registry.LogoMaxBytes)
	if errors.Is(err, web.ErrFileTooLarge) {
		return form, nil
	}
	return form, err
}

// previewScope is what the preview of the consent page asks for.
const previewScope = "profile"

// preview is the consent page as users of the profile will see it, with the
// developer as the user.
func (s *Surface) preview(ctx context.Context, v visit, form *web.Form, logo registry.LogoHash, returnURLs []registry.ReturnURL) (web.Consent, error) {
	scopes, err := s.View.Scopes(ctx)
	if err != nil {
		return web.Consent{}, err
	}
	scope, _ := scopes.Lookup(previewScope)
	c := web.Consent{
		Name: form.Get(registry.FieldName), PrivacyURL: form.Get(registry.FieldPrivacyURL),
		LogoURL: logoURL(logo), Publisher: v.developer.Company,
		Items: []web.ConsentItem{{
			Scope: scope.Name, Label: scope.Label, Detail: scope.Detail,
			Values: []string{v.Account.Name, v.Account.Email},
		}},
		Account: *v.Badge(), Preview: true,
	}
	if len(returnURLs) > 0 {
		if u, err := url.Parse(returnURLs[0].Value); err == nil {
			c.Host = u.Host
			if c.Host == "" {
				c.OwnScheme = u.Scheme
			}
		}
	}
	return c, nil
}
