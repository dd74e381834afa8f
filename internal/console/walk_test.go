package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/audit"
)

func profileValues() url.Values {
	return url.Values{
		"name": {"Video Report Downloader"}, "description": {"Fetches the weekly reports."},
		"privacy_url": {"https://www.example.com/privacy"},
	}
}

var hrefs = regexp.MustCompile(`href="(/console/profiles/[0-9a-f]{32})"`)

// TestWalk goes from nothing to a second secret, by what the pages offer.
func TestWalk(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")

	ada.get("/console").want(200, "Make your first security profile", "Create a New Security Profile")
	ada.get("/console/profiles/new").want(200, "Security Profile Name", "Security Profile Description",
		"Consent Privacy Notice URL", "Consent Logo Image", ">Save<", "by Ada Ltd")

	list := ada.get(ada.post("/console/profiles/new", profileValues()).location())
	list.want(200, "“Video Report Downloader” was created", `class="is-new"`, "Fetches the weekly reports.",
		"Manage", "Security Profile", "Web Settings")
	path := hrefs.FindStringSubmatch(list.body)[1]

	ada.get(path+"/web-settings").want(200, "Client ID", "amzn1.application-oa2-client.", "Client Secret", "Show Secret",
		"Add a return URL first").lacks("amzn1.oa2-cs.v1.")
	edit := ada.get(path+"/web-settings?edit=1").want(200, "Allowed Return URLs", "Allowed Origins", "Add another")
	saved := ada.get(ada.post(path+"/web-settings", url.Values{
		"seen": {edit.value("seen")}, "return_urls.0": {"https://localhost"}, "return_urls_note.0": {"by hand"},
	}).location())
	saved.want(200, "Saved", "In effect here now, and everywhere by 14:03:23 UTC.", "https://localhost", "by hand",
		"https://id.example.com/ap/oa?client_id=amzn1.application-oa2-client.")

	action := regexp.MustCompile(`action="(` + path + `/secrets/\d+)/show"`).FindStringSubmatch(saved.body)[1]
	shown := ada.post(action+"/show", nil).want(200)
	secret := regexp.MustCompile(`<textarea[^>]* id="client-secret"[^>]*>(amzn1\.oa2-cs\.v1\.[0-9a-f]{64})</textarea>`).FindStringSubmatch(shown.body)
	if secret == nil {
		t.Fatal("the secret is not in its field")
	}
	if got := shown.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q on a page with a secret, want no-store", got)
	}

	second := ada.get(ada.post(path+"/secrets", nil).location())
	second.want(200, "Client Secret 2", "Two secrets are live")
	ada.get(action+"/end").want(200, "Access and refresh tokens survive", "End now", "End at a date")
	ended := ada.get(ada.post(action+"/end", url.Values{"end": {"now"}}).location())
	ended.want(200, "Ended", "Create a second secret")
	ada.post(action+"/end", url.Values{"end": {"never"}}).want(404)

	if strings.Contains(wd.log.String(), secret[1]) {
		t.Error("the secret is in the log")
	}
}

// TestNamesOfCredentials: outside programs find the two fields by their labels, in
// part and in any case, so nothing else may be called so.
func TestNamesOfCredentials(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	page := ada.get(webSettingsPath(ada.profileNamed("App", "https://localhost")))
	named := regexp.MustCompile(`(?i)<label[^>]*>[^<]*(client id|client secret)|aria-label="[^"]*(?:client id|client secret)`)
	if got := named.FindAllString(page.body, -1); len(got) != 2 {
		t.Errorf("%q are called so, want the two fields alone", got)
	}
}

func TestNewProfileIsMarkedForAMinute(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	ada.profileNamed("One")
	wd.sleep(59 * time.Second)
	ada.get("/console").want(200, `class="is-new"`)
	wd.sleep(2 * time.Second)
	ada.get("/console").want(200).lacks(`class="is-new"`)
}

// TestForeignProfile asks for every route of a profile with somebody else's
// session: each says the same as for a profile that does not exist.
func TestForeignProfile(t *testing.T) {
	wd := newWorld(t)
	ada, eve := wd.developerNamed("Ada"), wd.developerNamed("Eve")
	profile := ada.profileNamed("Secret plans", "https://ada.example.com/cb")
	form := url.Values{
		"name": {"Taken"}, "description": {"over"}, "privacy_url": {"https://eve.example.com/"}, "seen": {generalMark(profile)},
		"return_urls.0": {"https://eve.example.com/cb"}, "confirm": {"delete"}, "end": {"never"}, "format": {"env"},
		"address": {"https://ada.example.com/cb?code=abc"},
	}
	tried := 0
	for _, rt := range wd.s.routes() {
		method, pattern, _ := strings.Cut(rt.pattern, " ")
		if !strings.Contains(pattern, "{id}") {
			continue
		}
		tried++
		fill := func(id string) string {
			return strings.NewReplacer("{id}", id, "{secret}", "1", "{device}", "1").Replace(pattern)
		}
		own := strings.NewReplacer("/secrets/1", secretViews(profile, wd.clock())[0].Path[len(profilePath(profile)):]).Replace(fill(profileKey(profile)))
		for _, target := range []string{own, fill("00000000000000000000000000000000"), fill(strings.ToUpper(profileKey(profile)) + "AA"), fill("x")} {
			var a answer
			if method == http.MethodGet {
				a = eve.get(target)
			} else {
				a = eve.post(target, form)
			}
			if a.status != 404 || strings.Contains(a.body, "Secret plans") {
				t.Errorf("%s %s: status %d, want 404 and no word of the profile", method, target, a.status)
			}
		}
	}
	if tried < 15 {
		t.Errorf("only %d routes tried", tried)
	}
	eve.get("/console?q=" + url.QueryEscape(wd.s.Namespace.ClientID(profile.Client))).want(200).lacks("Secret plans")
	after := ada.reload(profile)
	if after.Version != profile.Version || len(after.ReturnURLs) != 1 || ada.events(profile, audit.SecretShown) != 0 {
		t.Errorf("the profile was touched: %+v", after)
	}
}

func TestRegister(t *testing.T) {
	wd := newWorld(t)
	bob := wd.user("Bob")

	to := bob.get("/console/profiles/new").location()
	if want := "/console/register?continue=%2Fconsole%2Fprofiles%2Fnew"; to != want {
		t.Fatalf("led to %s, want %s", to, want)
	}
	r := bob.request(http.MethodGet, to, nil)
	r.Header.Set("Accept-Language", "en, de-CH;q=0.8, fr-FR;q=0.5")
	page := bob.do(r).want(200, "Create your developer account", `<option value="CH" selected>`)
	if got := page.value("company"); got != "Bob" {
		t.Errorf("company %q is filled in, want the person's name", got)
	}
	bob.post("/console/register", url.Values{"company": {strings.Repeat("x", 101)}, "country": {"XX"}, "continue": {"/console/profiles/new"}}).
		want(422, "Choose your country", strings.Repeat("x", 101))

	onward := url.Values{"company": {"Bob & Co"}, "country": {"CH"}, "continue": {page.value("continue")}}
	if to := bob.post("/console/register", onward).location(); to != "/console/profiles/new" {
		t.Errorf("led to %s, want where Bob was going", to)
	}
	bob.get("/console/profiles/new").want(200, "by Bob & Co")
	for _, away := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "/\thttps://evil.example"} {
		if to := bob.get("/console/register?continue=" + url.QueryEscape(away)).location(); to != "/console" {
			t.Errorf("continue=%q led to %s, want /console", away, to)
		}
	}
}

func TestExpiredSession(t *testing.T) {
	wd := newWorld(t)
	ada, eve := wd.developerNamed("Ada"), wd.developerNamed("Eve")
	profile := ada.profileNamed("Old name", "https://localhost")
	settings := webSettingsPath(profile)
	typedOf := regexp.MustCompile(`continue=(\S+) typed=(\S+)`)

	wd.sleep(13 * time.Hour)
	values := profileValues()
	values.Set("seen", generalMark(profile))
	general := typedOf.FindStringSubmatch(ada.upload(profilePath(profile), values, "logo.png", pngLogo(t)).want(401).body)
	lists := typedOf.FindStringSubmatch(ada.post(settings, url.Values{"return_urls.0": {"https://typed.example/cb"}, "seen": {"x"}}).want(401).body)
	created := typedOf.FindStringSubmatch(ada.upload("/console/profiles/new", profileValues(), "logo.png", pngLogo(t)).want(401).body)
	if general[1] != profilePath(profile) || lists[1] != settings || strings.Contains(general[2], "Downloader") {
		t.Fatalf("the way back is %s and %s, with %s", general[1], lists[1], general[2])
	}

	ada.signIn()
	ada.post(profilePath(profile), url.Values{"typed": {general[2]}}).
		want(200, "What you typed is here again", "logo.png", " is kept", `value="Video Report Downloader"`)
	ada.post(settings, url.Values{"typed": {lists[2]}}).want(200, "What you typed is here again", `value="https://typed.example/cb"`)
	ada.post("/console/profiles/new", url.Values{"typed": {created[2]}}).want(200, `value="Video Report Downloader"`, "logo.png")
	if after := ada.reload(profile); after.Version != profile.Version {
		t.Error("what was typed was saved without being asked")
	}
	list, err := wd.store.CountProfiles(t.Context(), ada.developer.ID)
	if err != nil || list != 1 {
		t.Errorf("%d profiles, %v; want the one there was", list, err)
	}

	eve.signIn()
	eve.post("/console/profiles/new", url.Values{"typed": {created[2]}}).want(303).lacks("Video Report Downloader")

	// A route that only takes a POST leads to its page after sign-in.
	action := secretViews(profile, wd.clock())[0].Path
	if to := ada.get(action + "/show").location(); to != settings {
		t.Errorf("GET of show led to %s, want %s", to, settings)
	}
}
