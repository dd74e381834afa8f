package console

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
)

// become changes a profile's settings without the form.
func (p *person) become(profile registry.SecurityProfile, k registry.Kind) registry.SecurityProfile {
	p.t.Helper()
	settings := profile.Settings
	settings.Kind = k
	if err := p.store.SaveSettings(p.t.Context(), profile.DeveloperID, profile.ID, profile.Version, settings, nil, p.by()); err != nil {
		p.t.Fatal(err)
	}
	return p.reload(profile)
}

var chosen = regexp.MustCompile(`<input type="radio"[^>]* name="([^"]*)" value="([^"]*)" checked`)

// choices are the radio buttons that are chosen, by their names.
func (a answer) choices() map[string]string {
	all := map[string]string{}
	for _, m := range chosen.FindAllStringSubmatch(a.body, -1) {
		all[m[1]] += m[2]
	}
	return all
}

func TestSettings(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://localhost")
	path := settingsPath(profile)
	page := ada.get(path).want(200, "Kind of application", "ID token signature", "RS256", "ES256", "The secret is then no longer needed on /oauth2/token", ">Save<")
	for _, k := range registry.Kinds() {
		page.want(200, k.Label()+"</label>", k.Words())
	}
	if got := page.choices(); got["kind"] != "web" || got["id_token_alg"] != "RS256" {
		t.Errorf("chosen at first: %v", got)
	}

	values := url.Values{"seen": {page.value("seen")}, "kind": {"native"}, "id_token_alg": {"ES256"}}
	saved := ada.get(ada.post(path, values).location()).want(200, "Saved", "In effect here now, and everywhere by 14:03:23 UTC.")
	if got := saved.choices(); got["kind"] != "native" || got["id_token_alg"] != "ES256" {
		t.Errorf("chosen after Save: %v", got)
	}
	if got, want := ada.reload(profile).Settings, (registry.Settings{Kind: registry.Native, IDTokenAlg: "ES256"}); got != want {
		t.Errorf("saved %+v, want %+v", got, want)
	}
	ada.post(path, values).want(303) // pressed twice
	if n := ada.events(profile, audit.SettingsChanged); n != 1 {
		t.Errorf("%d events, want one", n)
	}
	ada.get(profilePath(profile)+"/activity").want(200, "Settings changed", "native")
}

func TestSettingsRefused(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "com.example.app:/cb")
	path := settingsPath(profile)
	for name, test := range map[string]struct {
		kind, alg string
		want      []string
	}{
		"nothing":   {"", "", []string{"Choose one of the kinds below.", "Choose one of the algorithms below."}},
		"unknown":   {"root", "none", []string{"Choose one of the kinds below.", "Choose one of the algorithms below."}},
		"symmetric": {"native", "HS256", []string{"Choose one of the algorithms below."}},
		"return URL of a native app": {"single-page", "RS256",
			[]string{"Only a native app may have the return URL com.example.app:/cb. Remove it under Web Settings first."}},
	} {
		t.Run(name, func(t *testing.T) {
			page := ada.post(path, url.Values{"seen": {settingsMark(profile)}, "kind": {test.kind}, "id_token_alg": {test.alg}})
			page.want(422, test.want...)
			if got := page.choices()["kind"]; test.kind != "root" && got != test.kind {
				t.Errorf("%q came back as %q", test.kind, got)
			}
		})
	}
	if after := ada.reload(profile); after.Version != profile.Version {
		t.Errorf("something was saved: %+v", after.Settings)
	}
}

func TestSettingsConflict(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("App")
	path := settingsPath(profile)
	seen := ada.get(path).value("seen")
	grace := wd.user("Grace")
	hers := registry.Settings{Kind: registry.Service, IDTokenAlg: "RS256", Implicit: true}
	if err := wd.store.SaveSettings(t.Context(), ada.developer.ID, profile.ID, profile.Version, hers, nil, grace.by()); err != nil {
		t.Fatal(err)
	}
	values := url.Values{"seen": {seen}, "kind": {"native"}, "id_token_alg": {"RS256"}}
	page := ada.post(path, values).want(409, "changed while you were editing", "Grace saved them", "<td data-label=\"Saved now\">Service</td>", "<td data-label=\"What you chose\">Native app</td>")
	page.lacks(">" + labelIDTokenAlg + "</th>") // the same in both
	if got := page.choices()["kind"]; got != "native" {
		t.Errorf("the form holds %q, want what was chosen", got)
	}
	if got := ada.reload(profile).Settings; got != hers {
		t.Errorf("the first save is gone: %+v", got)
	}
	values.Set("seen", page.value("seen"))
	ada.post(path, values).want(303)
	if got, want := ada.reload(profile).Settings, (registry.Settings{Kind: registry.Native, IDTokenAlg: "RS256", Implicit: true}); got != want {
		t.Errorf("after a save made knowingly: %+v, want %+v", got, want)
	}
}

func TestSettingsComeBackThroughSignIn(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("App")
	wd.sleep(13 * time.Hour)
	page := ada.post(settingsPath(profile), url.Values{"seen": {settingsMark(profile)}, "kind": {"native"}, "id_token_alg": {"ES256"}}).want(401, "continue="+settingsPath(profile))
	_, typed, _ := strings.Cut(page.body, " typed=")
	ada.signIn()
	again := ada.post(settingsPath(profile), url.Values{"typed": {typed}}).want(200, "What you typed is here again")
	if got := again.choices(); got["kind"] != "native" || got["id_token_alg"] != "ES256" {
		t.Errorf("chosen: %v", got)
	}
}

func TestKindWarning(t *testing.T) {
	for _, from := range registry.Kinds() {
		for _, to := range registry.Kinds() {
			got := kindWarning(from, to)
			if from == to && got != "" {
				t.Errorf("%s as it is: %q", from.Name(), got)
			}
			if from == registry.Web && to != from && !strings.Contains(strings.ToLower(got), "secret") {
				t.Errorf("from web to %s: %q says nothing of the secret", to.Name(), got)
			}
		}
	}
}

// TestTryIt: each kind of application gets the requests that it can make.
func TestTryIt(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://localhost")
	id := ada.s.Namespace.ClientID(profile.Client)
	web := []string{
		testIssuer + "/ap/oa?client_id=" + id + "&redirect_uri=https%3A%2F%2Flocalhost&response_type=code&scope=profile&state=try-it",
		"curl \\\n  --user '" + id + ":'\"$CLIENT_SECRET\" \\\n  --data grant_type=authorization_code",
		"'" + testIssuer + "/auth/o2/token'",
	}
	public := []string{
		"CODE_VERIFIER=$(openssl rand -hex 32)\nCODE_CHALLENGE=$(printf %s \"$CODE_VERIFIER\" | openssl dgst -sha256 -binary | openssl base64 -A",
		"echo '" + testIssuer + "/oauth2/authorize?client_id=" + id + "&code_challenge_method=S256&redirect_uri=https%3A%2F%2Flocalhost&response_type=code&scope=profile&state=try-it&code_challenge='\"$CODE_CHALLENGE\"",
		"--data-urlencode \"code_verifier=$CODE_VERIFIER\" \\\n  --data-urlencode 'client_id=" + id + "' \\\n  '" + testIssuer + "/oauth2/token'",
		"The secret is not needed on <code>/oauth2/token</code>",
	}
	service := []string{
		"curl \\\n  --user '" + id + ":'\"$CLIENT_SECRET\" \\\n  --data grant_type=client_credentials \\\n  '" + testIssuer + "/oauth2/token'",
	}
	for _, test := range []struct {
		kind        registry.Kind
		want, lacks []string
	}{
		{registry.Web, web, []string{"CODE_VERIFIER", "/oauth2/token'", "The secret is not needed"}},
		{registry.SinglePage, public, []string{"--user", "CLIENT_SECRET", "/ap/oa", "/auth/o2/token"}},
		{registry.Native, public, []string{"--user", "CLIENT_SECRET", "/ap/oa", "/auth/o2/token"}},
		{registry.Service, service, []string{"authorization_code", "/ap/oa", "Make the command", "Add a return URL first"}},
	} {
		t.Run(test.kind.Name(), func(t *testing.T) {
			profile := ada.reload(profile)
			if profile.Settings.Kind != test.kind {
				profile = ada.become(profile, test.kind)
			}
			page := ada.get(webSettingsPath(profile))
			page.body = html.UnescapeString(page.body)
			page.want(200, test.want...).lacks(test.lacks...)
		})
	}
}

func TestCredentialsFileByKind(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://localhost")
	for kind, want := range map[registry.Kind]string{
		registry.Web:     "AUTHORIZATION_URL=" + testIssuer + "/ap/oa\nTOKEN_URL=" + testIssuer + "/auth/o2/token\nRETURN_URL=https://localhost\n",
		registry.Native:  "AUTHORIZATION_URL=" + testIssuer + "/oauth2/authorize\nTOKEN_URL=" + testIssuer + "/oauth2/token\nRETURN_URL=https://localhost\n",
		registry.Service: "TOKEN_URL=" + testIssuer + "/oauth2/token\n",
	} {
		profile.Settings.Kind = kind
		_, got, _ := strings.Cut(envFile(ada.s.handover(profile, "the secret")), "CLIENT_SECRET='the secret'\n")
		if got != want {
			t.Errorf("%s: %s, want %s", kind.Name(), got, want)
		}
	}
}

// TestNativeReturnURLs: an app's own scheme is taken, and found again in a pasted
// address and in a refusal.
func TestNativeReturnURLs(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App")
	path := webSettingsPath(profile)
	values := url.Values{"seen": {webSettingsMark(profile)}, "return_urls.0": {"com.example.app:/cb"}}
	ada.post(path, values).want(422, "Begin the address with https://")
	profile = ada.become(profile, registry.Native)
	ada.get(path+"?edit=1").want(200, "a scheme of the app’s own", `data-check="native-return-url"`)
	ada.post(path, url.Values{"seen": {webSettingsMark(profile)}, "return_urls.0": {"com.example.app://cb"}}).want(422, "Write exactly one “/”", "com.example.app:/cb")
	ada.post(path, values).want(303)

	page := ada.post(profilePath(profile)+"/code", url.Values{"address": {"com.example.app:/cb?code=abcdefghijklmnopqrstu&state=x"}})
	page.want(200, "Exchange this code", "CODE_VERIFIER (step 1)").lacks("CLIENT_SECRET")
	ada.get(profilePath(profile)).want(200, "An app on this device, opened by com.example.app:")

	profile = ada.reload(profile)
	view := newRefusalView(profile, audit.Refusal{Sent: "com.example.app:/other"})
	if view.Compared == nil || view.Compared.Rule != registry.RulePath || view.AddURL == "" {
		t.Errorf("the refusal is shown as %+v", view)
	}
}
