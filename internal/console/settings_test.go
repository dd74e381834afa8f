package console

import (
	"html"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/web"
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

// plainSettings is the form as a browser sends it for a profile of which nobody
// opened the rest.
func plainSettings(p registry.SecurityProfile, k registry.Kind) url.Values {
	values := formOfSettings(p)
	values.Set("seen", settingsMark(p))
	values.Set("kind", k.Name())
	return values
}

// with replaces values of a form; "" takes one out.
func with(values url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

const (
	goodKey = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","kid":"first"}`
	goodSet = `{"keys":[` + goodKey + `]}`
)

func TestSettings(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://localhost")
	path := settingsPath(profile)
	page := ada.get(path).want(200, "Kind of application", "The secret is then no longer needed on /oauth2/token", ">Save<", `<details class="more">`,
		labelAuth, labelJWKS, labelJWKSURI, labelIDTokenAlg, labelImplicit, labelDPoP, labelPAR, labelBackChannel, labelPostLogout,
		"never a refresh token", `data-kinds="web service"`)
	page.lacks(labelTokenFormat, "Only for APIs", "Keys that are saved")
	for _, k := range registry.Kinds() {
		page.want(200, k.Label()+"</label>", k.Words(), k.Means())
	}
	if got := page.choices(); got["kind"] != "web" || got["auth"] != "secret" || got["id_token_alg"] != "RS256" {
		t.Errorf("chosen at first: %v", got)
	}

	values := with(plainSettings(profile, registry.Web), "auth", "key", "jwks", " "+goodSet+"\r\n", "id_token_alg", "ES256",
		"implicit", "yes", "require_dpop", "yes", "require_par", "yes", "backchannel_logout_uri", "https://app.example.com/logout",
		"post_logout_urls.0", "https://app.example.com/bye", "post_logout_urls_note.0", "live", "token_format", "jwt")
	saved := ada.get(ada.post(path, values).location()).want(200, "Saved", "In effect here now, and everywhere by 14:03:23 UTC.",
		`<details class="more" open>`, "Keys that are saved", "<code>first</code>", "ES256", `value="https://app.example.com/bye"`, `value="live"`, `value="https://app.example.com/logout"`)
	if got := saved.choices(); got["kind"] != "web" || got["id_token_alg"] != "ES256" || got["auth"] != "key" {
		t.Errorf("chosen after Save: %v", got)
	}
	for _, box := range []string{"implicit", "require_dpop", "require_par"} {
		saved.want(200, `name="`+box+`" value="yes" checked`)
	}
	after := ada.reload(profile)
	want := registry.Settings{
		Kind: registry.Web, IDTokenAlg: "ES256", Implicit: true, Auth: registry.AuthKey, JWKS: goodSet, RequireDPoP: true, RequirePAR: true,
		BackChannelLogoutURI: "https://app.example.com/logout", TokenFormat: registry.JWT,
	}
	if diff := cmp.Diff(want, after.Settings); diff != "" {
		t.Error(diff)
	}
	if want := (registry.ReturnURL{Value: "https://app.example.com/bye", Note: "live"}); len(after.PostLogoutURLs) != 1 || after.PostLogoutURLs[0] != want {
		t.Errorf("post-logout URLs %v", after.PostLogoutURLs)
	}
	ada.post(path, values).want(303) // pressed twice
	if n := ada.events(profile, audit.SettingsChanged); n != 1 {
		t.Errorf("%d events, want one", n)
	}
	ada.get(profilePath(profile)+"/activity").want(200, "Settings changed", "web")

	// Another kind needs nothing tidied up first.
	ada.post(path, plainSettings(after, registry.Native)).want(303)
	want = registry.Settings{Kind: registry.Native, IDTokenAlg: "ES256", RequireDPoP: true, RequirePAR: true, BackChannelLogoutURI: "https://app.example.com/logout", TokenFormat: registry.JWT}
	if diff := cmp.Diff(want, ada.reload(profile).Settings); diff != "" {
		t.Error(diff)
	}
}

// TestSettingsOfAnAPI: only an API is asked what its tokens look like.
func TestSettingsOfAnAPI(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("Reports API")
	profile.Audience = "https://reports.example.com/"
	rec := httptest.NewRecorder()
	v := visit{User: session.User{Account: &ada.account}, developer: ada.developer, now: ada.clock()}
	if err := ada.s.renderSettings(rec, ada.request("GET", "/", nil), v, 200, profile, settingsPage{Form: web.NewForm(formOfSettings(profile))}, nil); err != nil {
		t.Fatal(err)
	}
	page := answer{t, rec.Code, rec.Result().Header, rec.Body.String()}
	page.want(200, labelTokenFormat, "https://reports.example.com/", "RFC 9068")
	if got := page.choices()["token_format"]; got != "opaque" {
		t.Errorf("chosen: %q", got)
	}
}

func TestSettingsRefused(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "com.example.app:/cb")
	profile = ada.become(profile, registry.Native)
	path := settingsPath(profile)
	profile.Settings = registry.DefaultSettings(registry.Web)
	private := strings.Replace(goodKey, `"kid"`, `"d":"x","kid"`, 1)
	for name, test := range map[string]struct {
		change []string
		want   []string
		// focus is the id of what has the focus.
		focus string
	}{
		"nothing":   {[]string{"kind", ""}, []string{"Choose one of the kinds below."}, "f-kind-web"},
		"unknown":   {[]string{"kind", "root"}, []string{"Choose one of the kinds below."}, "f-kind-web"},
		"symmetric": {[]string{"kind", "native", "id_token_alg", "HS256"}, []string{"Choose one of the algorithms below."}, "f-id_token_alg-RS256"},
		"return URL of a native app": {[]string{"kind", "single-page"},
			[]string{"Only a native app may have the return URL com.example.app:/cb. Remove it under Web Settings first."}, "f-kind-single-page"},
		"no keys":     {[]string{"auth", "key", "kind", "service"}, []string{"Give the application’s public keys"}, ""},
		"private key": {[]string{"jwks", `{"keys":[` + private + `]}`}, []string{"Key 1 has its private part", "Make a new pair"}, ""},
		"no alg of ours": {[]string{"jwks", `{"keys":[` + strings.Replace(goodKey, `"kid"`, `"alg":"ES512","kid"`, 1) + `]}`},
			[]string{"The key set has no key that can be used here. Key 1 is not one for RS256, PS256 or ES256."}, ""},
		"one kid twice": {[]string{"jwks", `{"keys":[` + goodKey + "," + goodKey + `]}`}, []string{"Two EC keys have the kid “first”."}, ""},
		"logout": {[]string{"kind", "native", "backchannel_logout_uri", "http://app.example.com/logout", "post_logout_urls.0", "HTTPS://app.example.com"},
			[]string{"Use https", "https://app.example.com/logout", "Write https in lower case."}, "f-backchannel_logout_uri"},
	} {
		t.Run(name, func(t *testing.T) {
			values := with(plainSettings(profile, registry.Web), test.change...)
			page := ada.post(path, values)
			page.want(422, test.want...)
			if got := page.choices()["kind"]; got != values.Get("kind") && got != "" {
				t.Errorf("%q came back as %q", values.Get("kind"), got)
			}
			for _, name := range []string{"jwks_uri", "backchannel_logout_uri", "post_logout_urls.0"} {
				if got := page.value(name); got != values.Get(name) {
					t.Errorf("%s came back as %q, want %q", name, got, values.Get(name))
				}
			}
			if !strings.Contains(html.UnescapeString(page.body), ">"+values.Get("jwks")+"</textarea>") {
				t.Error("the keys did not come back")
			}
			if focused := regexp.MustCompile(` id="([^"]*)"[^>]* autofocus`).FindAllStringSubmatch(page.body, -1); test.focus != "" && (len(focused) != 1 || focused[0][1] != test.focus) {
				t.Errorf("the focus is at %q, want %s", focused, test.focus)
			}
			if name != "return URL of a native app" && !strings.Contains(page.body, `<details class="more" open>`) {
				t.Error("what is wrong is folded away")
			}
		})
	}
	if after := ada.reload(profile); after.Version != profile.Version {
		t.Errorf("something was saved: %+v", after.Settings)
	}
}

// TestSettingsButtons: rows come and go, and a suggestion is taken, without a script
// and without saving.
func TestSettingsButtons(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App")
	path := settingsPath(profile)
	page := ada.post(path, with(plainSettings(profile, registry.Native), "add", "post_logout_urls"))
	page.want(200, `<details class="more" open>`, `name="post_logout_urls.1"`)
	if got := page.choices()["kind"]; got != "native" {
		t.Errorf("the form holds %q", got)
	}
	ada.post(path, with(plainSettings(profile, registry.Web), "post_logout_urls.0", "https://a.example", "post_logout_urls.1", "https://b.example", "remove", "post_logout_urls.0")).
		want(200, `value="https://b.example"`).lacks("https://a.example")
	if got := ada.post(path, with(plainSettings(profile, registry.Web), "suggest.jwks_uri", "https://a.example/keys")).want(200).value("jwks_uri"); got != "https://a.example/keys" {
		t.Errorf("jwks_uri %q", got)
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
	values := plainSettings(profile, registry.Native)
	values.Set("post_logout_urls.0", "https://ada.example/bye")
	values.Set("seen", ada.get(path).value("seen"))
	grace := wd.user("Grace")
	hers, bye := registry.Settings{Kind: registry.SinglePage, IDTokenAlg: "RS256", Implicit: true}, []registry.ReturnURL{{Value: "https://grace.example/bye"}}
	if err := wd.store.SaveSettings(t.Context(), ada.developer.ID, profile.ID, profile.Version, hers, bye, grace.by()); err != nil {
		t.Fatal(err)
	}
	page := ada.post(path, values).want(409, "changed while you were editing", "Grace saved it", "<td data-label=\"Saved now\">Single page</td>", "<td data-label=\"Your version\">Native app</td>",
		"Implicit grant On Off", "https://grace.example/bye Only here", "https://ada.example/bye Only here")
	page.lacks(">" + labelIDTokenAlg + "</th>") // the same in both
	if got := page.choices()["kind"]; got != "native" {
		t.Errorf("the form holds %q, want what was chosen", got)
	}
	if got := ada.reload(profile).Settings; got != hers {
		t.Errorf("the first save is gone: %+v", got)
	}
	values.Set("seen", page.value("seen"))
	ada.post(path, values).want(303)
	after := ada.reload(profile)
	if want := registry.DefaultSettings(registry.Native); after.Settings != want || after.PostLogoutURLs[0].Value != "https://ada.example/bye" {
		t.Errorf("after a save made knowingly: %+v %v", after.Settings, after.PostLogoutURLs)
	}
}

func TestSettingsComeBackThroughSignIn(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("App")
	wd.sleep(13 * time.Hour)
	page := ada.post(settingsPath(profile), with(plainSettings(profile, registry.Native), "id_token_alg", "ES256", "backchannel_logout_uri", "https://app.example.com/x")).want(401, "continue="+settingsPath(profile))
	_, typed, _ := strings.Cut(page.body, " typed=")
	ada.signIn()
	again := ada.post(settingsPath(profile), url.Values{"typed": {typed}}).want(200, "What you typed is here again", `<details class="more" open>`, "https://app.example.com/x")
	if got := again.choices(); got["kind"] != "native" || got["id_token_alg"] != "ES256" {
		t.Errorf("chosen: %v", got)
	}
}

// TestNewProfileKind: the first credentials fit the kind, and nobody has to know that
// there are kinds.
func TestNewProfileKind(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	page := ada.get(newPath).want(200, "Kind of application", "Web application", "A program on a server that keeps its secret.", `href="/help/kinds"`)
	if got := page.choices()["kind"]; got != "web" {
		t.Errorf("chosen at first: %q", got)
	}
	for kind, want := range map[string]string{"": "no secret", "device": "a device sends its client ID", "service": "A service gets its tokens with these two alone"} {
		values := profileValues()
		if kind != "" {
			values.Set("kind", kind)
		}
		list := ada.get(ada.post(newPath, values).location())
		settings := ada.get(hrefs.FindStringSubmatch(list.body)[1] + "/web-settings")
		if kind == "" {
			settings.want(200).lacks("is not needed")
		} else {
			settings.want(200, want)
		}
	}
	values := profileValues()
	values.Set("kind", "desktop")
	values.Set("name", "")
	ada.post(newPath, values).want(422, "Choose one of the kinds below.", "2 things need your attention")
	values.Set("kind", "native")
	if got := ada.post(newPath, values).want(422).choices()["kind"]; got != "native" {
		t.Errorf("came back as %q", got)
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
	device := []string{
		"curl \\\n  --data-urlencode 'client_id=" + id + "' \\\n  --data scope=profile \\\n  '" + testIssuer + "/oauth2/device_authorization'",
		"curl \\\n  --data grant_type=urn:ietf:params:oauth:grant-type:device_code \\\n  --data-urlencode \"device_code=$DEVICE_CODE\" \\\n  --data-urlencode 'client_id=" + id + "' \\\n  '" + testIssuer + "/oauth2/token'",
		"The secret is not needed: a device",
	}
	signed := []string{
		"The secret is refused", "Sign an assertion with the application’s private key", "<code>" + testIssuer + "</code> as <code>aud</code>",
		"--data client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \\\n  --data-urlencode \"client_assertion=$CLIENT_ASSERTION\"",
	}
	for _, test := range []struct {
		kind        registry.Kind
		auth        registry.AuthMethod
		want, lacks []string
	}{
		{registry.Web, registry.AuthSecret, web, []string{"CODE_VERIFIER", "/oauth2/token'", "The secret is not needed"}},
		{registry.SinglePage, registry.AuthSecret, public, []string{"--user", "CLIENT_SECRET", "/ap/oa", "/auth/o2/token"}},
		{registry.Native, registry.AuthSecret, public, []string{"--user", "CLIENT_SECRET", "/ap/oa", "/auth/o2/token"}},
		{registry.Device, registry.AuthSecret, device, []string{"--user", "CLIENT_SECRET", "authorization_code", "Make the command", "Add a return URL first"}},
		{registry.Service, registry.AuthSecret, service, []string{"authorization_code", "/ap/oa", "Make the command", "Add a return URL first"}},
		{registry.Service, registry.AuthKey, append(signed, "--data grant_type=client_credentials"), []string{"--user", "CLIENT_SECRET"}},
		{registry.Web, registry.AuthKey, append(signed, "--data grant_type=authorization_code", "code_verifier=$CODE_VERIFIER", testIssuer+"/oauth2/token"), []string{"--user", "CLIENT_SECRET", "/ap/oa", "used up"}},
	} {
		t.Run(test.kind.Name()+" "+test.auth.Name(), func(t *testing.T) {
			profile := ada.reload(profile)
			profile.Settings.Auth = test.auth
			profile = ada.become(profile, test.kind)
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

// TestKindsAreExplained: the help page that the console leads to knows every kind.
func TestKindsAreExplained(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	site, err := ada.s.Kit.Site()
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	site.ServeHTTP(rec, httptest.NewRequest("GET", "/help/kinds", nil))
	page := answer{t, rec.Code, rec.Result().Header, rec.Body.String()}
	for _, k := range registry.Kinds() {
		page.want(200, `<th scope="row">`+k.Label()+"</th>", "<dt>"+k.Label()+"</dt>")
	}
}

// TestTryItStricter: what the commands do not do by themselves is said.
func TestTryItStricter(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://localhost")
	ada.get(webSettingsPath(profile)).want(200).lacks("Settings requires")
	profile.Settings.RequireDPoP, profile.Settings.RequirePAR = true, true
	profile = ada.become(profile, registry.SinglePage)
	ada.get(webSettingsPath(profile)).want(200, "Settings requires proof of possession", "Settings requires pushed requests", "/oauth2/par")
}
