package console

import (
	"net/http"
	"net/url"
	"slices"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

const (
	labelKind        = "Kind of application"
	labelAuth        = "Authentication"
	labelJWKS        = "Key set"
	labelJWKSURI     = "Address of the key set"
	labelIDTokenAlg  = "ID token signature"
	labelTokenFormat = "Access token format"
	labelImplicit    = "Implicit grant"
	labelDPoP        = "Require proof of possession"
	labelPAR         = "Require pushed requests"
	labelBackChannel = "Back-channel logout address"
	labelPostLogout  = "Post-logout URLs"
)

var postLogoutList = urlList{registry.FieldPostLogoutURLs, "post_logout_urls_note", registry.MaxPostLogoutURLs}

// on is the value of a box that is ticked.
const on = "yes"

func settingsMark(p registry.SecurityProfile) string {
	var all []string
	values := formOfSettings(p)
	for _, name := range settingsFields {
		all = append(all, values.Get(name))
	}
	for _, u := range p.PostLogoutURLs {
		all = append(all, u.Value, u.Note)
	}
	return mark(all...)
}

// settingsFields are the form's fields that hold one value.
var settingsFields = []string{
	registry.FieldKind, registry.FieldAuth, registry.FieldJWKS, registry.FieldJWKSURI, registry.FieldIDTokenAlg, registry.FieldTokenFormat,
	registry.FieldImplicit, registry.FieldRequireDPoP, registry.FieldRequirePAR, registry.FieldBackChannelLogoutURI,
}

// formOfSettings are the values of the form as it shows what is saved.
func formOfSettings(p registry.SecurityProfile) url.Values {
	f := registry.FormOfSettings(p.Settings, p.PostLogoutURLs)
	values := url.Values{
		registry.FieldKind: {f.Kind}, registry.FieldAuth: {f.Auth}, registry.FieldJWKS: {f.JWKS}, registry.FieldJWKSURI: {f.JWKSURI},
		registry.FieldIDTokenAlg: {f.IDTokenAlg}, registry.FieldTokenFormat: {f.TokenFormat}, registry.FieldBackChannelLogoutURI: {f.BackChannelLogoutURI},
	}
	for name, ticked := range map[string]bool{registry.FieldImplicit: f.Implicit, registry.FieldRequireDPoP: f.RequireDPoP, registry.FieldRequirePAR: f.RequirePAR} {
		if ticked {
			values.Set(name, on)
		}
	}
	for i, u := range f.PostLogoutURLs {
		postLogoutList.fill(values, i, u.Value, u.Note)
	}
	return values
}

// readSettings takes out of a form what was chosen and typed. Choices that were not on
// the page are as they are saved: the format of tokens is asked of APIs only.
func readSettings(form *web.Form, p registry.SecurityProfile) registry.SettingsForm {
	saved := formOfSettings(p)
	choice := func(name string) string {
		if !form.Values.Has(name) {
			return saved.Get(name)
		}
		return form.Get(name)
	}
	return registry.SettingsForm{
		Kind: form.Get(registry.FieldKind), Auth: choice(registry.FieldAuth),
		IDTokenAlg: choice(registry.FieldIDTokenAlg), TokenFormat: choice(registry.FieldTokenFormat),
		JWKS: form.Values.Get(registry.FieldJWKS), JWKSURI: form.Get(registry.FieldJWKSURI),
		BackChannelLogoutURI: form.Get(registry.FieldBackChannelLogoutURI),
		Implicit:             form.Get(registry.FieldImplicit) == on,
		RequireDPoP:          form.Get(registry.FieldRequireDPoP) == on,
		RequirePAR:           form.Get(registry.FieldRequirePAR) == on,
		PostLogoutURLs:       postLogoutList.rows(form),
	}
}

func (s *Surface) showSettings(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	values := formOfSettings(p)
	values.Set(fieldSeen, settingsMark(p))
	return s.renderSettings(w, r, v, http.StatusOK, p, settingsPage{Form: web.NewForm(values)}, savedFlash(r, p, v.now))
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
	if pressedRowButton(form, postLogoutList) || form.TakeSuggestion() {
		return s.renderSettings(w, r, v, statusOf(form), p, settingsPage{Form: form, More: true}, nil)
	}
	by := s.Sessions.By(r, v.User, v.now)
	var in registry.Settings
	var postLogout []registry.ReturnURL
	return s.save(w, r, v, p, saving{
		form: form, page: tabSettings, event: audit.SettingsChanged, mark: settingsMark,
		judge: func(p registry.SecurityProfile) bool {
			// The return URLs may have been changed in between.
			var problems registry.FieldErrors
			in, postLogout, problems = registry.ParseSettings(readSettings(form, p), p.ReturnURLs, keyProblem)
			postLogoutList.fail(form, problems)
			return in == p.Settings && slices.Equal(postLogout, p.PostLogoutURLs)
		},
		show: func(status int, p registry.SecurityProfile, c *conflict) error {
			return s.renderSettings(w, r, v, status, p, settingsPage{Form: form, Conflict: c}, nil)
		},
		rows: func(p registry.SecurityProfile) []conflictRow {
			rows := append(settingsRows(p.Settings, in), urlsRow(labelPostLogout, p.PostLogoutURLs, postLogout))
			return differing(rows...)
		},
		write: func(p registry.SecurityProfile) error {
			return s.Store.SaveSettings(r.Context(), v.developer.ID, p.ID, p.Version, in, postLogout, by)
		},
	})
}

// settingsRows are all settings of one value, in words.
func settingsRows(saved, typed registry.Settings) []conflictRow {
	row := func(label string, words func(registry.Settings) string) conflictRow {
		return wordsRow(label, words(saved), words(typed))
	}
	flag := func(label string, is func(registry.Settings) bool) conflictRow {
		return row(label, func(n registry.Settings) string { return map[bool]string{true: "On", false: "Off"}[is(n)] })
	}
	return []conflictRow{
		row(labelKind, func(n registry.Settings) string { return n.Kind.Label() }),
		row(labelAuth, func(n registry.Settings) string { return authLabel(n.Auth) }),
		row(labelJWKS, func(n registry.Settings) string { return orNone(n.JWKS) }),
		row(labelJWKSURI, func(n registry.Settings) string { return orNone(n.JWKSURI) }),
		row(labelIDTokenAlg, func(n registry.Settings) string { return n.IDTokenAlg }),
		row(labelTokenFormat, func(n registry.Settings) string { return formatLabel(n.TokenFormat) }),
		flag(labelImplicit, func(n registry.Settings) bool { return n.Implicit }),
		flag(labelDPoP, func(n registry.Settings) bool { return n.RequireDPoP }),
		flag(labelPAR, func(n registry.Settings) bool { return n.RequirePAR }),
		row(labelBackChannel, func(n registry.Settings) string { return orNone(n.BackChannelLogoutURI) }),
	}
}

func orNone(s string) string {
	if s == "" {
		return "None"
	}
	return s
}
