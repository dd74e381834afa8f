package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// Fields of the form that package registry knows as yes or no.
const (
	fieldAskedAs     = "asked_as"
	fieldOpenTo      = "open_to"
	fieldWithoutUser = "without_user"

	askedEssential, askedVoluntary = "essential", "voluntary"
	openToAll, openToGranted       = "all", "granted"
)

const (
	labelScopeName   = "Scope name"
	labelAliases     = "Other names"
	labelLabel       = "Line on the consent page"
	labelDetail      = "Sentence below it"
	labelAskedAs     = "On the consent page it is"
	labelOpenTo      = "Who may ask for it"
	labelWithoutUser = "Applications may have it for themselves, without a user"
	labelClaims      = "What it tells of the user"
	labelAudience    = "The API that it is for"
)

type scopePage struct {
	// Scope is as it is saved, the zero one for a new one.
	Scope    registry.Scope
	New      bool
	Own      bool
	Path     string
	Form     *web.Form
	Conflict []conflictRow
	Preview  web.Consent
	Groups   []choiceGroup
	Claims   []registry.Claim
	APIs     []web.Choice
	Holders  []holderView
	Grant    *web.Form
	Retire   *web.Form
}

type holderView struct{ Name, ClientID string }

// wordsList is the list of the words in other languages, for its buttons.
var wordsList = []string{registry.FieldWordsLanguage, registry.FieldWordsLabel, registry.FieldWordsDetail}

// WordsField names a field of a row of the page's list; in the row that the page's
// script copies, the number is yet to come.
func (scopePage) WordsField(stem string, row any) string { return fmt.Sprint(stem, ".", row) }

// MaxTranslations bounds the list.
func (scopePage) MaxTranslations() int { return registry.MaxTranslations }

// formOfScope shows a scope as it is saved.
func formOfScope(scope registry.Scope) *web.Form {
	f := scope.Form()
	values := url.Values{
		registry.FieldScopeName: {f.Name}, registry.FieldAliases: {strings.Join(f.Aliases, " ")},
		registry.FieldLabel: {f.Label}, registry.FieldDetail: {f.Detail}, registry.FieldClaims: f.Claims,
		registry.FieldAudience: {strconv.FormatInt(f.Audience, 10)},
		fieldAskedAs:           {askedVoluntary}, fieldOpenTo: {openToAll}, fieldSeen: {scopeMark(scope)},
	}
	if f.Essential {
		values.Set(fieldAskedAs, askedEssential)
	}
	if f.Restricted {
		values.Set(fieldOpenTo, openToGranted)
	}
	if f.WithoutUser {
		values.Set(fieldWithoutUser, "yes")
	}
	setWords(values, f.Translations)
	return web.NewForm(values)
}

func setWords(values url.Values, words []registry.Words) {
	for i, w := range words {
		values.Set(registry.WordsField(registry.FieldWordsLanguage, i), w.Language)
		values.Set(registry.WordsField(registry.FieldWordsLabel, i), w.Label)
		values.Set(registry.WordsField(registry.FieldWordsDetail, i), w.Detail)
	}
}

// wordsOf takes the rows out of a form, as they were typed.
func wordsOf(form *web.Form) []registry.Words {
	rows := 0
	for _, stem := range wordsList {
		rows = max(rows, form.Rows(stem))
	}
	words := make([]registry.Words, rows)
	for i := range words {
		words[i] = registry.Words{
			Language: form.Get(registry.WordsField(registry.FieldWordsLanguage, i)),
			Label:    form.Get(registry.WordsField(registry.FieldWordsLabel, i)),
			Detail:   form.Get(registry.WordsField(registry.FieldWordsDetail, i)),
		}
	}
	return words
}

// readScope takes a scope out of a form.
func readScope(form *web.Form, apis []registry.SecurityProfile) registry.ScopeForm {
	f := registry.ScopeForm{
		Name: form.Get(registry.FieldScopeName), Aliases: strings.Fields(form.Get(registry.FieldAliases)),
		Label: form.Get(registry.FieldLabel), Detail: form.Get(registry.FieldDetail), Claims: form.Values[registry.FieldClaims],
		Essential: form.Get(fieldAskedAs) != askedVoluntary, Restricted: form.Get(fieldOpenTo) != openToAll,
		WithoutUser: form.Get(fieldWithoutUser) != "", Translations: wordsOf(form),
	}
	if id := form.Get(registry.FieldAudience); id != "" && id != "0" {
		i := slices.IndexFunc(apis, func(api registry.SecurityProfile) bool { return strconv.FormatInt(api.ID, 10) == id })
		if i < 0 {
			form.Fail(registry.FieldAudience, "This API is not there any more. Choose another.")
			return f
		}
		f.Audience = apis[i].ID
	}
	return f
}

// scopeMark tells whether a scope is still what a form was filled with.
func scopeMark(s registry.Scope) string {
	f := s.Form()
	all := []string{
		f.Name, f.Label, f.Detail, strconv.FormatInt(f.Audience, 10), strconv.FormatBool(f.Essential),
		strconv.FormatBool(f.Restricted), strconv.FormatBool(f.WithoutUser), strings.Join(f.Aliases, " "), strings.Join(f.Claims, " "),
	}
	for _, w := range f.Translations {
		all = append(all, w.Language, w.Label, w.Detail)
	}
	return mark(all...)
}

func (s *Surface) showNewScope(w http.ResponseWriter, r *http.Request, o operation) error {
	form := web.NewForm(url.Values{fieldAskedAs: {askedEssential}, fieldOpenTo: {openToGranted}, registry.FieldAudience: {"0"}})
	return s.renderNewScope(w, r, o, http.StatusOK, form, nil)
}

func (s *Surface) showNewScopeTyped(w http.ResponseWriter, r *http.Request, o operation, typed url.Values) error {
	if typed == nil {
		return redirect(w, r, newScopePath)
	}
	return s.renderNewScope(w, r, o, http.StatusOK, web.NewForm(typed), typedFlash)
}

func (s *Surface) renderNewScope(w http.ResponseWriter, r *http.Request, o operation, status int, form *web.Form, flash *web.Flash) error {
	apis, err := s.Store.APIs(r.Context())
	if err != nil {
		return err
	}
	return s.renderScope(w, r, o, status, registry.Scope{Number: registry.FirstOwnNumber}, apis, scopePage{New: true, Form: form}, flash)
}

func (s *Surface) showScope(w http.ResponseWriter, r *http.Request, o operation) error {
	table, apis, err := s.scopesAndAPIs(r.Context())
	if err != nil {
		return err
	}
	scope, err := scopeOf(r, table)
	if err != nil {
		return err
	}
	flash := savedVersion(r, scope.Version, scope.RetiredAt, o.now)
	if r.FormValue(savedParam) == "profiles" {
		flash = &web.Flash{Kind: web.Success, Title: "Saved", Detail: inEffect(o.now, o.now)}
	}
	return s.renderScope(w, r, o, http.StatusOK, scope, apis, scopePage{Form: formOfScope(scope)}, flash)
}

func (s *Surface) showScopeTyped(w http.ResponseWriter, r *http.Request, o operation, typed url.Values) error {
	table, apis, err := s.scopesAndAPIs(r.Context())
	if err != nil {
		return err
	}
	scope, err := scopeOf(r, table)
	if err != nil {
		return err
	}
	if typed == nil {
		return redirect(w, r, scopePath(scope))
	}
	return s.renderScope(w, r, o, http.StatusOK, scope, apis, scopePage{Form: web.NewForm(typed)}, typedFlash)
}

// renderScope shows the page of a scope; page brings what is not the scope's.
func (s *Surface) renderScope(w http.ResponseWriter, r *http.Request, o operation, status int, scope registry.Scope, apis []registry.SecurityProfile, page scopePage, flash *web.Flash) error {
	page.Scope, page.Own, page.Path, page.Claims = scope, scope.Own(), newScopePath, registry.Claims()
	title := "New scope"
	if !page.New {
		page.Path, title = scopePath(scope), scope.Name
		holders, err := s.Store.Holders(r.Context(), holdersShown)
		if err != nil {
			return err
		}
		for _, h := range holders {
			if h.Number == scope.Number {
				page.Holders = append(page.Holders, holderView{h.Name, s.Namespace.ClientID(h.Client)})
			}
		}
	}
	if page.Grant == nil {
		page.Grant = web.NewForm(nil)
	}
	if page.Retire == nil {
		page.Retire = web.NewForm(nil)
	}
	page.APIs = []web.Choice{{Value: "0", Text: "This server itself"}}
	for _, api := range apis {
		page.APIs = append(page.APIs, web.Choice{Value: strconv.FormatInt(api.ID, 10), Text: api.Audience + " (" + api.Name + ")"})
	}
	page.Groups = []choiceGroup{
		{Name: fieldAskedAs, Label: labelAskedAs, Rule: "Applications can ask for it the other way round.", Choices: []choiceView{
			{Value: askedEssential, Label: "Essential", Words: "Users allow it, or nothing at all."},
			{Value: askedVoluntary, Label: "Voluntary", Words: "Users tick it if they want to."},
		}},
		{Name: fieldOpenTo, Label: labelOpenTo, Rule: "What was granted to an application before stays granted when you open a scope to all and close it again.", Choices: []choiceView{
			{Value: openToGranted, Label: "Only applications that you grant it to", Words: "Others read “known, but not granted to this profile”. Tokens of applications that it is not granted to lose it at once.",
				Warning: restrictWarning(page.New, scope)},
			{Value: openToAll, Label: "Every application", Words: "Whoever registers an application here may ask users for it."},
		}},
	}
	for i, g := range page.Groups {
		for j, c := range g.Choices {
			page.Groups[i].Choices[j].Chosen = page.Form.Get(g.Name) == c.Value
		}
	}
	page.Preview = web.Consent{
		Name: "An application", Publisher: "its publisher", Account: *o.Badge(), Preview: true, Host: "application.example",
		Items: []web.ConsentItem{{Label: cmp.Or(page.Form.Get(registry.FieldLabel), labelLabel), Detail: cmp.Or(page.Form.Get(registry.FieldDetail), labelDetail)}},
	}
	return s.renderOperator(w, r, o, status, "operator_scope", title, flash, page)
}

func restrictWarning(isNew bool, scope registry.Scope) string {
	if isNew || scope.Restricted {
		return ""
	}
	return "Until now every application may ask for it. Those that it was never granted to are refused from then on."
}

// failScope puts what package registry found into the form.
func failScope(form *web.Form, problems registry.FieldErrors) {
	for _, p := range problems {
		form.Suggest(p.Field, p.Message, p.Suggestion)
	}
}

// pressedWordsButton carries out "Add another language" and "Remove" without JavaScript.
func pressedWordsButton(form *web.Form) bool {
	add, remove := form.Values.Get("add"), form.Values.Get("remove")
	form.Values.Del("add")
	form.Values.Del("remove")
	if add == registry.FieldWordsLanguage {
		form.AddRow(registry.FieldWordsLanguage)
	}
	words := wordsOf(form)
	if text, ok := strings.CutPrefix(remove, registry.FieldWordsLanguage+"."); ok {
		if row, err := strconv.Atoi(text); err == nil && row >= 0 && row < len(words) {
			for i := range words {
				for _, stem := range wordsList {
					form.Values.Del(registry.WordsField(stem, i))
				}
			}
			setWords(form.Values, slices.Delete(words, row, row+1))
		}
	}
	return cmp.Or(add, remove) != ""
}

func (s *Surface) createScope(w http.ResponseWriter, r *http.Request, o operation) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if pressedWordsButton(form) || form.TakeSuggestion() {
		return s.renderNewScope(w, r, o, http.StatusOK, form, nil)
	}
	table, apis, err := s.scopesAndAPIs(r.Context())
	if err != nil {
		return err
	}
	scope, problems := registry.ParseScope(readScope(form, apis), table)
	failScope(form, problems)
	if form.OK() {
		scope, err = s.Store.CreateScope(r.Context(), scope, s.Sessions.By(r, o.User, o.now))
		switch {
		case err == nil:
			return redirect(w, r, scopesPath+"?"+url.Values{createdParam: {strconv.Itoa(scope.Number)}}.Encode())
		case !failedScope(form, err):
			return err
		}
	}
	return s.renderNewScope(w, r, o, http.StatusUnprocessableEntity, form, nil)
}

// failedScope turns what the store refuses into words of the form. It reports whether
// there are any.
func failedScope(form *web.Form, err error) bool {
	switch {
	case errors.Is(err, store.ErrNameTaken):
		form.Fail(registry.FieldScopeName, "One of the names was given to another scope at this moment.")
	case errors.Is(err, store.ErrNotFound):
		form.Fail(registry.FieldAudience, "This API is not there any more. Choose another.")
	case errors.Is(err, store.ErrTooMany):
		form.Fail(registry.FieldScopeName, fmt.Sprintf("No number is left: there are %d for scopes of your own, and those of retired ones are in use in tokens.", registry.MaxScopes-registry.FirstOwnNumber))
	default:
		return false
	}
	return true
}

// saveScope saves the form over the scope, unless somebody else saved something else
// since the form was opened.
func (s *Surface) saveScope(w http.ResponseWriter, r *http.Request, o operation) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	again := pressedWordsButton(form) || form.TakeSuggestion()
	for range saveAttempts {
		table, apis, err := s.scopesAndAPIs(r.Context())
		if err != nil {
			return err
		}
		scope, err := scopeOf(r, table)
		if err != nil {
			return err
		}
		if again {
			return s.renderScope(w, r, o, http.StatusOK, scope, apis, scopePage{Form: form}, nil)
		}
		edited, problems := scope.Edit(readScope(form, apis), table)
		failScope(form, problems)
		switch {
		case !form.OK():
			return s.renderScope(w, r, o, http.StatusUnprocessableEntity, scope, apis, scopePage{Form: form}, nil)
		case scopeMark(edited) == scopeMark(scope):
			return redirect(w, r, s.savedPath(scopePath(scope), scope.Version)) // pressed twice
		case form.Get(fieldSeen) != scopeMark(scope):
			form.Values.Set(fieldSeen, scopeMark(scope))
			return s.renderScope(w, r, o, http.StatusConflict, scope, apis, scopePage{Form: form, Conflict: scopeDifferences(scope, edited, apis)}, nil)
		}
		err = s.Store.UpdateScope(r.Context(), edited, s.Sessions.By(r, o.User, o.now))
		switch {
		case err == nil:
			return redirect(w, r, s.savedPath(scopePath(scope), scope.Version+1))
		case errors.Is(err, store.ErrStale):
		case !failedScope(form, err):
			return err
		default:
			return s.renderScope(w, r, o, http.StatusUnprocessableEntity, scope, apis, scopePage{Form: form}, nil)
		}
	}
	return store.ErrStale
}

// scopeDifferences are the fields in which two versions differ, in words.
func scopeDifferences(saved, typed registry.Scope, apis []registry.SecurityProfile) []conflictRow {
	yes := map[bool]string{true: "Yes", false: "No"}
	asked := map[bool]string{true: "Essential", false: "Voluntary"}
	open := map[bool]string{true: "Only applications that you grant it to", false: "Every application"}
	words := func(s registry.Scope) string {
		var all []string
		for _, w := range s.Translations {
			all = append(all, w.Language+": "+w.Label+" – "+w.Detail)
		}
		return strings.Join(all, "; ")
	}
	a, b := saved.Form(), typed.Form()
	return differing(
		wordsRow(labelScopeName, a.Name, b.Name),
		wordsRow(labelAliases, strings.Join(a.Aliases, " "), strings.Join(b.Aliases, " ")),
		wordsRow(labelLabel, a.Label, b.Label),
		wordsRow(labelDetail, a.Detail, b.Detail),
		wordsRow(labelAskedAs, asked[a.Essential], asked[b.Essential]),
		wordsRow(labelOpenTo, open[a.Restricted], open[b.Restricted]),
		wordsRow(labelWithoutUser, yes[a.WithoutUser], yes[b.WithoutUser]),
		wordsRow(labelClaims, strings.Join(a.Claims, " "), strings.Join(b.Claims, " ")),
		wordsRow(labelAudience, apiName(saved, apis), apiName(typed, apis)),
		wordsRow("In other languages", words(saved), words(typed)),
	)
}
