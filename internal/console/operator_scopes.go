package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	fieldHolder   = "holder"
	fieldWithdraw = "withdraw"

	labelHolder = "Client ID of a security profile"

	retiredParam = "retired"
	retireWord   = "retire"

	// holdersShown bounds the profiles that are listed for all scopes together.
	holdersShown = 1000
)

type scopeRow struct {
	registry.Scope
	Path    string
	API     string // its identifier, "" for this server
	Holders int
	New     bool
}

// listScopes shows every scope that can be asked for.
func (s *Surface) listScopes(w http.ResponseWriter, r *http.Request, o operation) error {
	table, apis, err := s.scopesAndAPIs(r.Context())
	if err != nil {
		return err
	}
	holders, err := s.Store.Holders(r.Context(), holdersShown)
	if err != nil {
		return err
	}
	count := map[int]int{}
	for _, h := range holders {
		count[h.Number]++
	}
	var rows []scopeRow
	var flash *web.Flash
	for scope := range table.All() {
		row := scopeRow{Scope: scope, Path: scopePath(scope), API: apiName(scope, apis), Holders: count[scope.Number], New: r.FormValue(createdParam) == strconv.Itoa(scope.Number)}
		if row.New {
			flash = &web.Flash{Kind: web.Success, Title: "“" + scope.Name + "” was created", Detail: inEffect(o.now, o.now)}
		}
		rows = append(rows, row)
	}
	if r.FormValue(retiredParam) != "" {
		flash = &web.Flash{Kind: web.Success, Title: "The scope was retired", Detail: "Nobody can ask for it any more, and tokens have lost it. " + inEffect(o.now, o.now)}
	}
	return s.renderOperator(w, r, o, http.StatusOK, "operator_scopes", "Scopes", flash, rows)
}

// scopesAndAPIs reads what the operator edits from the database: nobody edits what
// another server has changed already.
func (s *Surface) scopesAndAPIs(ctx context.Context) (*registry.Scopes, []registry.SecurityProfile, error) {
	all, _, err := s.Store.Scopes(ctx)
	if err != nil {
		return nil, nil, err
	}
	table, err := registry.NewScopes(all)
	if err != nil {
		return nil, nil, err
	}
	apis, err := s.Store.APIs(ctx)
	return table, apis, err
}

// apiName is the identifier of the API that a scope is for.
func apiName(scope registry.Scope, apis []registry.SecurityProfile) string {
	for _, api := range apis {
		if api.ID == scope.Audience {
			return api.Audience
		}
	}
	if scope.Audience != 0 {
		return "An API that was deleted"
	}
	return ""
}

func scopePath(scope registry.Scope) string { return scopesPath + "/" + strconv.Itoa(scope.Number) }

// scopeOf finds the scope that the address names.
func scopeOf(r *http.Request, table *registry.Scopes) (registry.Scope, error) {
	text := r.PathValue("number")
	number, err := strconv.Atoi(text)
	scope, ok := table.ByNumber(number)
	// The number has one spelling.
	if err != nil || !ok || strconv.Itoa(number) != text || !scope.RetiredAt.IsZero() {
		return registry.Scope{}, web.NotFound("No scope has this address. It may have been retired.", web.Link{Text: "Scopes", URL: scopesPath})
	}
	return scope, nil
}

// toScope leads from addresses that take nothing but a POST.
func (s *Surface) toScope(w http.ResponseWriter, r *http.Request, _ operation) error {
	table, err := s.View.Scopes(r.Context())
	if err != nil {
		return err
	}
	scope, err := scopeOf(r, table)
	if err != nil {
		return err
	}
	return redirect(w, r, scopePath(scope))
}

// changeHolders grants a scope to a profile, or withdraws it.
func (s *Surface) changeHolders(w http.ResponseWriter, r *http.Request, o operation) error {
	table, apis, err := s.scopesAndAPIs(r.Context())
	if err != nil {
		return err
	}
	scope, err := scopeOf(r, table)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	change, field := s.Store.GrantScopes, fieldHolder
	if form.Pressed(fieldWithdraw) {
		change, field = s.Store.WithdrawScopes, fieldWithdraw
	}
	key, err := s.Namespace.ParseClientID(form.Get(field))
	if err != nil {
		form.Fail(fieldHolder, "Write the client ID as the profile’s owner reads it under Web Settings. It begins with “"+string(s.Namespace)+".application-oa2-client.”.")
		return s.renderScope(w, r, o, http.StatusUnprocessableEntity, scope, apis, scopePage{Form: formOfScope(scope), Grant: form}, nil)
	}
	p, err := s.View.Client(r.Context(), key)
	if err == nil {
		err = change(r.Context(), p.ID, oauth.ScopeSet{}.With(scope.Number), scope.Name, s.Sessions.By(r, o.User, o.now))
	}
	if errors.Is(err, store.ErrNotFound) {
		form.Fail(fieldHolder, "No security profile has this client ID.")
		return s.renderScope(w, r, o, http.StatusUnprocessableEntity, scope, apis, scopePage{Form: formOfScope(scope), Grant: form}, nil)
	}
	if err != nil {
		return err
	}
	return redirect(w, r, scopePath(scope)+"?"+url.Values{savedParam: {"profiles"}}.Encode()+"#profiles-title")
}

// retireScope ends a scope for good. It cannot be undone, so a word has to be typed.
func (s *Surface) retireScope(w http.ResponseWriter, r *http.Request, o operation) error {
	table, apis, err := s.scopesAndAPIs(r.Context())
	if err != nil {
		return err
	}
	scope, err := scopeOf(r, table)
	if err != nil {
		return err
	}
	if !scope.Own() {
		return web.Forbidden("The scope "+scope.Name+" belongs to the protocols and stays. Restrict it to keep applications from asking for it.", web.Link{Text: "Back", URL: scopePath(scope)})
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if form.Get(fieldConfirm) != retireWord {
		form.Fail(fieldConfirm, "Type the word “retire”, in lower case, to retire the scope. Nothing was changed.")
		return s.renderScope(w, r, o, http.StatusUnprocessableEntity, scope, apis, scopePage{Form: formOfScope(scope), Retire: form}, nil)
	}
	err = s.Store.RetireScope(r.Context(), scope.Number, scope.Version, s.Sessions.By(r, o.User, o.now))
	if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrNotFound) {
		return web.Conflict("The scope was changed or retired by somebody else at the same moment.", web.Link{Text: "Scopes", URL: scopesPath})
	}
	if err != nil {
		return err
	}
	return redirect(w, r, scopesPath+"?"+url.Values{retiredParam: {"1"}}.Encode())
}
