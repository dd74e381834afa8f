package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// urlList is a list of addresses in a form: the names of its numbered fields.
type urlList struct {
	Value, Note string
	Most        int
}

var (
	returnURLList = urlList{registry.FieldReturnURLs, "return_urls_note", registry.MaxReturnURLs}
	originList    = urlList{registry.FieldOrigins, "origins_note", registry.MaxOrigins}
)

type webSettingsForm struct {
	Head     head
	Path     string
	Form     *web.Form
	Conflict *conflict
	// Added is the row that a link filled in.
	Added addedRow
	Lists []listView
}

// addedRow is a row of one of the lists, the zero value none.
type addedRow struct {
	list string
	row  int
}

// of is the row if it is the list's, or else -1.
func (a addedRow) of(l urlList) int {
	if a.list != l.Value {
		return -1
	}
	return a.row
}

// listView is such a list as the form shows it.
type listView struct {
	urlList
	Form            *web.Form
	Title, Rule     string
	Singular, Short string
	Check           string
	Another         string
	Placeholder     string
	Error           string
	Added           int
}

func webSettingsMark(p registry.SecurityProfile) string {
	var all []string
	for _, u := range p.ReturnURLs {
		all = append(all, u.Value, u.Note)
	}
	all = append(all, strconv.Itoa(len(p.ReturnURLs)))
	for _, o := range p.Origins {
		all = append(all, o.Value, o.Note)
	}
	return mark(all...)
}

// ValueField and NoteField name the fields of a row; in the row that the page's
// script copies, the number is yet to come.
func (l urlList) ValueField(row any) string { return fmt.Sprint(l.Value, ".", row) }
func (l urlList) NoteField(row any) string  { return fmt.Sprint(l.Note, ".", row) }

// fill puts rows into a form.
func (l urlList) fill(values url.Values, row int, value, note string) {
	values.Set(l.ValueField(row), value)
	values.Set(l.NoteField(row), note)
}

// rows takes the rows out of a form, as they were typed.
func (l urlList) rows(form *web.Form) []registry.ReturnURL {
	rows := make([]registry.ReturnURL, form.Rows(l.Value))
	for i := range rows {
		rows[i] = registry.ReturnURL{Value: form.Values.Get(l.ValueField(i)), Note: form.Values.Get(l.NoteField(i))}
	}
	return rows
}

// fail puts what package registry found beside the rows.
func (l urlList) fail(form *web.Form, problems registry.FieldErrors) {
	for _, p := range problems {
		field := p.Field
		if row, ok := strings.CutSuffix(field, ".note"); ok {
			field = l.Note + strings.TrimPrefix(row, l.Value)
		}
		form.Suggest(field, p.Message, p.Suggestion)
	}
}

// add makes an empty row, for "Add another" without JavaScript.
func (l urlList) add(form *web.Form) {
	if form.Rows(l.Value) >= l.Most {
		form.Fail(l.Value, fmt.Sprintf("There can be %d of these; that many are here.", l.Most))
		return
	}
	form.AddRow(l.Value)
}

// remove takes a row out; those after it move up.
func (l urlList) remove(form *web.Form, field string) {
	text, ok := strings.CutPrefix(field, l.Value+".")
	row, err := strconv.Atoi(text)
	rows := l.rows(form)
	if !ok || err != nil || row < 0 || row >= len(rows) {
		return
	}
	for i := range rows {
		form.Values.Del(l.ValueField(i))
		form.Values.Del(l.NoteField(i))
	}
	for i, u := range slices.Delete(rows, row, row+1) {
		l.fill(form.Values, i, u.Value, u.Note)
	}
}

func formOfWebSettings(p registry.SecurityProfile) *web.Form {
	values := url.Values{fieldSeen: {webSettingsMark(p)}}
	for i, u := range p.ReturnURLs {
		returnURLList.fill(values, i, u.Value, u.Note)
	}
	for i, o := range p.Origins {
		originList.fill(values, i, o.Value, o.Note)
	}
	return web.NewForm(values)
}

// showWebSettingsForm opens the form. A link from a refusal brings the value that
// was sent; it is filled into a row of its own and saved by nobody but the person.
func (s *Surface) showWebSettingsForm(w http.ResponseWriter, r *http.Request, v visit, p registry.SecurityProfile) error {
	page := webSettingsForm{Form: formOfWebSettings(p)}
	returnURL, origin := r.FormValue(addParam), r.FormValue(addOriginParam)
	var flash *web.Flash
	switch {
	case returnURL != "" && len(returnURL) <= registry.ReturnURLMaxBytes:
		_, problem := registry.ParseReturnURL(p.Settings.Kind, returnURL)
		flash = page.add(returnURLList, p.ReturnURLs, "A return URL", returnURL, "Save it only if it is an address of your own: codes are sent there.", problem)
	case origin != "" && len(origin) <= registry.OriginMaxBytes:
		_, problem := registry.ParseAllowedOrigin(origin)
		flash = page.add(originList, asURLs(p.Origins), "An origin", origin, "Save it only if the pages there are your own: they get the users’ tokens.", problem)
	}
	return s.renderWebSettingsForm(w, r, v, http.StatusOK, p, page, flash)
}

// add fills in a value that came with a link, unless it is saved already, and says so.
func (f *webSettingsForm) add(l urlList, saved []registry.ReturnURL, what, value, caution string, problem *registry.URLProblem) *web.Flash {
	if slices.ContainsFunc(saved, func(u registry.ReturnURL) bool { return u.Value == value }) {
		_, noun, _ := strings.Cut(what, " ")
		return &web.Flash{Kind: web.Info, Title: "This " + noun + " is allowed already", Detail: value}
	}
	f.Added = addedRow{l.Value, len(saved)}
	l.fill(f.Form.Values, f.Added.row, value, "")
	if problem != nil {
		f.Form.Suggest(l.ValueField(f.Added.row), problem.Message, problem.Suggestion)
	}
	return &web.Flash{
		Kind: web.Warning, Title: what + " was filled in, and is not saved yet",
		Detail: "It comes from a refused request. " + caution,
	}
}

func (s *Surface) showWebSettingsTyped(w http.ResponseWriter, r *http.Request, v visit, typed url.Values) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	if typed == nil {
		return redirect(w, r, webSettingsPath(p)+"?"+editParam+"=1")
	}
	return s.renderWebSettingsForm(w, r, v, http.StatusOK, p, webSettingsForm{Form: web.NewForm(typed)}, typedFlash)
}

func (s *Surface) renderWebSettingsForm(w http.ResponseWriter, r *http.Request, v visit, status int, p registry.SecurityProfile, page webSettingsForm, flash *web.Flash) error {
	page.Head, page.Path = newHead(p, tabWebSettings), webSettingsPath(p)
	rule := "Where the browser goes once the user has decided. An https address of your own, or https://localhost if you have none; http only for localhost, 127.0.0.1 and [::1]. Requests must name exactly one of these, character by character."
	if p.Settings.Kind == registry.Native {
		rule = "Where the browser goes once the user has decided: http://127.0.0.1/callback, on whatever port the app listens; a scheme of the app’s own, such as com.example.app:/callback, which is a domain name of yours turned around; or an https address that the system opens the app for. Requests must name exactly one of these; only the port may differ, and only with http."
	}
	page.Lists = []listView{
		{
			urlList: returnURLList, Form: page.Form, Title: labelReturnURLs, Singular: "return URL", Short: "URL", Check: returnURLCheck(p.Settings.Kind), Another: "Add another",
			Placeholder: "https://localhost", Added: page.Added.of(returnURLList),
			Rule: rule,
		},
		{
			urlList: originList, Form: page.Form, Title: labelOrigins, Singular: "origin", Short: "origin", Check: "origin", Another: "Add another origin",
			Placeholder: "https://www.example.com", Added: page.Added.of(originList),
			Rule: "Only for applications that run in the browser: scheme, host and port of the pages that call from there, without a path.",
		},
	}
	for i := range page.Lists {
		if e, ok := page.Form.Err(page.Lists[i].Value); ok {
			page.Lists[i].Error = e.Message
		}
	}
	return s.render(w, r, v, status, "web_settings_edit", "Edit Web Settings · "+p.Name, flash, page)
}

// returnURLCheck names the check that runs while one types.
func returnURLCheck(k registry.Kind) string {
	if k == registry.Native {
		return "native-return-url"
	}
	return "return-url"
}

// saveWebSettings judges the two lists and replaces what was saved, unless somebody
// else did so since the form was opened.
func (s *Surface) saveWebSettings(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if pressedRowButton(form, returnURLList, originList) || form.TakeSuggestion() {
		return s.renderWebSettingsForm(w, r, v, statusOf(form), p, webSettingsForm{Form: form}, nil)
	}
	by := s.Sessions.By(r, v.User, v.now)
	var urls []registry.ReturnURL
	var origins []registry.AllowedOrigin
	return s.save(w, r, v, p, saving{
		form: form, page: tabWebSettings, event: audit.WebSettingsChanged, mark: webSettingsMark,
		judge: func(p registry.SecurityProfile) bool {
			// The kind may have been changed in between.
			var problems registry.FieldErrors
			urls, problems = registry.ParseReturnURLs(p.Settings.Kind, returnURLList.rows(form))
			returnURLList.fail(form, problems)
			origins, problems = registry.ParseAllowedOrigins(asOrigins(originList.rows(form)))
			originList.fail(form, problems)
			return slices.Equal(urls, p.ReturnURLs) && slices.Equal(origins, p.Origins)
		},
		show: func(status int, p registry.SecurityProfile, c *conflict) error {
			return s.renderWebSettingsForm(w, r, v, status, p, webSettingsForm{Form: form, Conflict: c}, nil)
		},
		rows: func(p registry.SecurityProfile) []conflictRow {
			return differing(urlsRow(labelReturnURLs, p.ReturnURLs, urls), urlsRow(labelOrigins, asURLs(p.Origins), asURLs(origins)))
		},
		write: func(p registry.SecurityProfile) error {
			return s.Store.SaveWebSettings(r.Context(), v.developer.ID, p.ID, p.Version, origins, urls, by)
		},
	})
}

// pressedRowButton carries out "Add another" and "Remove" without JavaScript.
func pressedRowButton(form *web.Form, lists ...urlList) bool {
	add, remove := form.Values.Get("add"), form.Values.Get("remove")
	form.Values.Del("add")
	form.Values.Del("remove")
	for _, l := range lists {
		if add == l.Value {
			l.add(form)
		}
		l.remove(form, remove)
	}
	return cmp.Or(add, remove) != ""
}

func asOrigins(rows []registry.ReturnURL) []registry.AllowedOrigin {
	origins := make([]registry.AllowedOrigin, len(rows))
	for i, row := range rows {
		origins[i] = registry.AllowedOrigin(row)
	}
	return origins
}

func asURLs(origins []registry.AllowedOrigin) []registry.ReturnURL {
	urls := make([]registry.ReturnURL, len(origins))
	for i, o := range origins {
		urls[i] = registry.ReturnURL(o)
	}
	return urls
}
