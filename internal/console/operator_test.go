package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
)

// operate makes the person an operator from a time on.
func (p *person) operate(since time.Time) *person {
	p.t.Helper()
	if err := p.store.SetOperator(p.t.Context(), p.account.ID, since, p.by()); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// scope reads a scope by its name.
func (wd *world) scope(name string) (registry.Scope, bool) {
	wd.t.Helper()
	all, _, err := wd.store.Scopes(wd.t.Context())
	if err != nil {
		wd.t.Fatal(err)
	}
	table, err := registry.NewScopes(all)
	if err != nil {
		wd.t.Fatal(err)
	}
	return table.Lookup(name)
}

func itoa(id int64) string { return strconv.FormatInt(id, 10) }

// reportsForm is the form of a scope without fault.
func reportsForm(pairs ...string) url.Values {
	values := url.Values{
		"scope_name": {"reports:read"}, "aliases": {"reports  rr"}, "label": {"Your reports"}, "detail": {"It reads them."},
		"asked_as": {"voluntary"}, "open_to": {"granted"}, "without_user": {"yes"}, "claims": {"email", "name"}, "audience": {"0"},
		"language.0": {"de"}, "words_label.0": {"Ihre Berichte"}, "words_detail.0": {"Sie werden gelesen."},
	}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// TestOperatorPagesAreTheOperators: every address asks for itself whether the account
// is an operator's now (CVE-2026-14209).
func TestOperatorPagesAreTheOperators(t *testing.T) {
	wd := newWorld(t)
	ada, grace := wd.developerNamed("Ada"), wd.user("Grace")
	was := wd.user("Mary").operate(wd.clock())
	was.get(scopesPath).want(200)
	was.operate(time.Time{}) // in the same session
	profile := ada.profileNamed("App")
	id := ada.s.Namespace.ClientID(profile.Client)
	tried := 0
	for _, rt := range wd.s.routes() {
		method, pattern, _ := strings.Cut(rt.pattern, " ")
		if !strings.HasPrefix(pattern, scopesPath) {
			continue
		}
		tried++
		target := strings.ReplaceAll(pattern, "{number}", "3")
		for _, p := range []*person{ada, grace, was} {
			if method == http.MethodGet {
				p.get(target).want(404, "No page has this address.")
				continue
			}
			p.post(target, reportsForm("holder", id, "confirm", "retire", "seen", "x", "label", "Taken over")).want(404, "No page has this address.")
		}
		nobody := &person{world: wd}
		if got := nobody.do(nobody.request(method, target, nil)); got.status != 303 && got.status != 401 {
			t.Errorf("%s %s without a session: %d", method, target, got.status)
		}
	}
	if tried < 9 {
		t.Errorf("only %d addresses were tried", tried)
	}
	if got, _ := wd.scope("openid"); got.Version != 1 || !got.RetiredAt.IsZero() {
		t.Errorf("openid was changed: %+v", got)
	}
	if _, ok := wd.scope("reports:read"); ok {
		t.Error("a scope was made")
	}
	if got := ada.reload(profile).Granted; !got.Empty() {
		t.Errorf("granted: %v", got)
	}
	ada.get(listPath).want(200).lacks(scopesPath)
	ada.operate(wd.clock()).get(listPath).want(200, `href="`+scopesPath+`"`)
}

func TestScopePages(t *testing.T) {
	wd := newWorld(t)
	root := wd.user("Root").operate(wd.clock()) // without a developer account
	ada := wd.developerNamed("Ada")
	api := ada.profileNamed("API")
	if err := wd.store.SetAudience(t.Context(), api.ID, "https://api.example.com", root.by()); err != nil {
		t.Fatal(err)
	}
	root.get(scopesPath).want(200, "Scopes 8", "openid", "profile:user_id", "Every application", "Essential")
	root.get(newScopePath).want(200, "New scope", "https://api.example.com (API)", "Only applications that you grant it to").lacks("Retire this scope", "Granted to")

	values := reportsForm("audience", itoa(api.ID))
	list := root.get(root.post(newScopePath, values).location()).want(200, "“reports:read” was created", "In effect here now", "or reports", "or rr", "Nobody yet", "Voluntary", "https://api.example.com", "also without a user", "en, de")
	list.lacks("Scopes 8")
	got, _ := wd.scope("reports:read")
	if got.Audience != api.ID || !got.Restricted || got.Essential || !got.WithoutUser || len(got.Claims) != 2 || len(got.Translations) != 1 || len(got.Aliases) != 2 {
		t.Errorf("made %+v", got)
	}
	path := scopePath(got)

	// Edit; what is shown is what is saved.
	page := root.get(path).want(200, "reports rr", "Your reports", "Ihre Berichte", "Type retire to confirm", "What users will see")
	if choices := page.choices(); choices["asked_as"] != "voluntary" || choices["open_to"] != "granted" {
		t.Errorf("chosen: %v", choices)
	}
	if n := strings.Count(page.body, `name="claims" value="email" checked`) + strings.Count(page.body, `name="without_user" value="yes" checked`); n != 2 {
		t.Errorf("%d of two boxes are ticked", n)
	}
	values.Set("seen", page.value("seen"))
	values.Set("label", "Your daily reports")
	values.Set("asked_as", "essential")
	values.Set("open_to", "all")
	values.Del("without_user")
	root.get(root.post(path, values).location()).want(200, "Saved", "In effect here now, and everywhere by 14:03:23 UTC.", "Your daily reports", "Every application may ask for it.")
	root.post(path, values).want(303) // pressed twice
	if got, _ := wd.scope("rr"); got.Version != 2 || got.Label != "Your daily reports" || !got.Essential || got.Restricted || got.WithoutUser {
		t.Errorf("saved %+v", got)
	}

	// A built-in scope keeps its name, its claims and its place.
	openid, _ := wd.scope("openid")
	built := root.get(scopePath(openid)).want(200, "It belongs to the protocols")
	built.lacks("Type retire to confirm", `name="scope_name"`, `name="claims"`, `name="audience"`)
	root.post(scopePath(openid), reportsForm("seen", built.value("seen"), "audience", itoa(api.ID))).want(303)
	if got, ok := wd.scope("openid"); !ok || got.Label != "Your reports" || len(got.Claims) != 1 || got.Claims[0] != "user_id" || got.Audience != 0 || got.WithoutUser || len(got.Aliases) != 0 {
		t.Errorf("openid: %+v", got)
	}
	root.post(scopePath(openid)+"/retire", url.Values{"confirm": {"retire"}}).want(403, "belongs to the protocols and stays")

	// Retire.
	root.post(path+"/retire", url.Values{"confirm": {"delete"}}).want(422, "Type the word “retire”")
	root.get(root.post(path+"/retire", url.Values{"confirm": {"retire"}}).location()).want(200, "The scope was retired", "Scopes 8")
	for _, to := range []string{path, path + "/retire", scopesPath + "/03", scopesPath + "/99", scopesPath + "/-1", scopesPath + "/x"} {
		root.get(to).want(404, "No scope has this address.")
	}
	root.post(path, values).want(404)
}

func TestScopeFormRefused(t *testing.T) {
	wd := newWorld(t)
	root := wd.user("Root").operate(wd.clock())
	for name, tt := range map[string]struct {
		values url.Values
		want   []string
	}{
		"nothing":       {url.Values{}, []string{"Write the name that applications ask by", "Write what the application gets", "Write a sentence that tells users"}},
		"name is taken": {reportsForm("scope_name", "openid"), []string{"The name openid belongs to a scope already."}},
		"name":          {reportsForm("scope_name", "reports read"), []string{"without blanks", "reports_read", "Use this instead"}},
		"language":      {reportsForm("language.0", "Deutsch!"), []string{"Write the tag of a language", "Ihre Berichte"}},
		"claim":         {reportsForm("claims", "sub"), []string{"There is no claim"}},
		"API":           {reportsForm("audience", "17"), []string{"This API is not there any more. Choose another."}},
		"no number":     {reportsForm("audience", "x"), []string{"This API is not there any more. Choose another."}},
	} {
		t.Run(name, func(t *testing.T) {
			root.post(newScopePath, tt.values).want(422, tt.want...)
		})
	}
	if _, ok := wd.scope("reports:read"); ok {
		t.Error("something was saved")
	}
	// The buttons of the form save nothing either.
	again := root.post(newScopePath, reportsForm("scope_name", "x y", "suggest.scope_name", "x_y")).want(200)
	if got := again.value("scope_name"); got != "x_y" {
		t.Errorf("the suggestion was not taken: %q", got)
	}
	added := root.post(newScopePath, reportsForm("add", "language")).want(200, "Language 2")
	added.lacks("Language 3")
	removed := root.post(newScopePath, reportsForm("remove", "language.0", "language.1", "fr", "words_label.1", "Rapports")).want(200, "Language 1")
	removed.lacks("Language 2", "Ihre Berichte")
	if got := removed.value("words_label.0"); got != "Rapports" {
		t.Errorf("the row below moved up as %q", got)
	}
	root.post(newScopePath, reportsForm("remove", "language.99")).want(200)
	if _, ok := wd.scope("reports:read"); ok {
		t.Error("a button saved")
	}
}

func TestScopeConflict(t *testing.T) {
	wd := newWorld(t)
	root, other := wd.user("Root").operate(wd.clock()), wd.user("Other").operate(wd.clock())
	root.post(newScopePath, reportsForm()).want(303)
	scope, _ := wd.scope("reports:read")
	path := scopePath(scope)
	seen := root.get(path).value("seen")
	other.post(path, reportsForm("seen", seen, "label", "Hers", "open_to", "all")).want(303)
	page := root.post(path, reportsForm("seen", seen, "label", "His")).want(409, "changed while you were editing",
		`<td data-label="Saved now">Hers</td><td data-label="Your version">His</td>`, `<td data-label="Saved now">Every application</td>`)
	page.lacks(`<th scope="row">` + labelDetail) // the same in both
	if got, _ := wd.scope("reports:read"); got.Label != "Hers" {
		t.Errorf("the first save is gone: %+v", got)
	}
	root.post(path, reportsForm("seen", page.value("seen"), "label", "His")).want(303)
	if got, _ := wd.scope("reports:read"); got.Label != "His" || !got.Restricted || got.Version != 3 {
		t.Errorf("after a save made knowingly: %+v", got)
	}
}

func TestScopeFormComesBackThroughSignIn(t *testing.T) {
	wd := newWorld(t)
	root := wd.user("Root").operate(wd.clock())
	openid, _ := wd.scope("openid")
	for _, path := range []string{newScopePath, scopePath(openid)} {
		wd.sleep(13 * time.Hour)
		page := root.post(path, reportsForm()).want(401, "continue="+path)
		_, typed, _ := strings.Cut(page.body, " typed=")
		root.signIn()
		if got := root.post(path, url.Values{"typed": {typed}}).want(200, "What you typed is here again").value("label"); got != "Your reports" {
			t.Errorf("%s: %q", path, got)
		}
		root.post(path, url.Values{"typed": {"nonsense"}}).want(303)
	}
}

func TestScopeHolders(t *testing.T) {
	wd := newWorld(t)
	root, ada := wd.user("Root").operate(wd.clock()), wd.developerNamed("Ada")
	profile := ada.profileNamed("App")
	id := wd.s.Namespace.ClientID(profile.Client)
	root.post(newScopePath, reportsForm()).want(303)
	scope, _ := wd.scope("reports:read")
	path := scopePath(scope)
	for sent, want := range map[string]string{"": "Write the client ID", "nonsense": "Write the client ID", "amzn1.application-oa2-client." + strings.Repeat("0", 32): "No security profile has this client ID."} {
		root.post(path+"/profiles", url.Values{"holder": {sent}}).want(422, want)
	}
	tab := profilePath(profile) + "/scopes"
	ada.get(tab).want(200, "What the application may ask for", "openid", "Your postal code", "Known, but not granted to this profile", "reports:read", "Your reports", "/help/contact").lacks("It reads them.")

	root.get(root.post(path+"/profiles", url.Values{"holder": {id}}).location()).want(200, "Saved", "Granted to 1", "App")
	if got := ada.reload(profile).Granted; got != (oauth.ScopeSet{}).With(scope.Number) {
		t.Errorf("granted %v", got)
	}
	ada.get(tab).want(200, "reports:read", "It reads them.", "Voluntary", "Also without a user").lacks("Known, but not granted")
	ada.get(profilePath(profile)+"/activity").want(200, "Scopes granted by the operator", "reports:read")
	root.get(scopesPath).want(200, "1 profile")

	root.post(path+"/profiles", url.Values{"withdraw": {id}}).want(303)
	if got := ada.reload(profile).Granted; !got.Empty() {
		t.Errorf("withdrawn, and still granted: %v", got)
	}
	if n := ada.events(profile, audit.ScopesWithdrawn); n != 1 {
		t.Errorf("%d events, want one", n)
	}
	ada.get(tab).want(200, "Known, but not granted")
}

// TestProfileScopesByAPI: what is for an API stands under its identifier.
func TestProfileScopesByAPI(t *testing.T) {
	wd := newWorld(t)
	root, ada := wd.user("Root").operate(wd.clock()), wd.developerNamed("Ada")
	api := ada.profileNamed("API")
	if err := wd.store.SetAudience(t.Context(), api.ID, "https://api.example.com", root.by()); err != nil {
		t.Fatal(err)
	}
	root.post(newScopePath, reportsForm("audience", itoa(api.ID), "open_to", "all")).want(303)
	ada.get(profilePath(ada.profileNamed("App"))+"/scopes").want(200, "For https://api.example.com", "reports:read").lacks("This profile is an API")
	ada.get(profilePath(api)+"/scopes").want(200, "This profile is an API")
	if err := wd.store.DeleteProfile(t.Context(), ada.developer.ID, api.ID, ada.by()); err != nil {
		t.Fatal(err)
	}
	root.get(scopesPath).want(200, "An API that was deleted")
}
