package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
)

func TestReturnURLsKeepWhatWasTyped(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://app.example.com/cb")
	path := webSettingsPath(profile)
	values := url.Values{
		"seen":          {webSettingsMark(profile)},
		"return_urls.0": {"https://app.example.com/cb"}, "return_urls_note.0": {"production"},
		"return_urls.1": {"HTTPS://Staging.example.com/cb"}, "return_urls_note.1": {strings.Repeat("n", 61)},
		"return_urls.7": {"https://*.example.com"},
		"origins.0":     {"https://app.example.com/"},
	}
	page := ada.post(path, values).want(422, "Write https in lower case.", "Use this instead", "https://staging.example.com/cb",
		"Shorten this to 60 characters; it has 61.", "“*” does not stand for anything here", "Write only scheme, host and port")
	for name, want := range values {
		if got := page.value(name); got != want[0] {
			t.Errorf("%s came back as %q, want %q", name, got, want[0])
		}
	}
	if after := ada.reload(profile); after.Version != profile.Version {
		t.Error("half of it was saved")
	}

	values.Set("suggest.return_urls.1", "https://staging.example.com/cb")
	if got := ada.post(path, values).want(200).value("return_urls.1"); got != "https://staging.example.com/cb" {
		t.Errorf("the row holds %q, want the suggestion", got)
	}
}

func TestWebSettingsAreReplaced(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://old.example.com/cb")
	ada.post(webSettingsPath(profile), url.Values{
		"seen":          {webSettingsMark(profile)},
		"return_urls.0": {""}, "return_urls.3": {"https://localhost"}, "return_urls_note.3": {" by hand "},
		"origins.0": {"http://localhost:3000"}, "origins_note.0": {"my machine"},
	}).want(303)
	after := ada.reload(profile)
	if diff := cmp.Diff([]registry.ReturnURL{{Value: "https://localhost", Note: "by hand"}}, after.ReturnURLs); diff != "" {
		t.Errorf("return URLs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]registry.AllowedOrigin{{Value: "http://localhost:3000", Note: "my machine"}}, after.Origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

// TestRowsWithoutScript adds and removes rows by the buttons alone.
func TestRowsWithoutScript(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App")
	path := webSettingsPath(profile)
	values := url.Values{"return_urls.0": {"https://a.example"}, "return_urls_note.0": {"a"}, "origins.0": {"https://o.example"}, "add": {"return_urls"}}
	page := ada.post(path, values).want(200, "Allowed Return URLs (2)").lacks("Allowed Origins (2)")
	if page.value("return_urls.0") != "https://a.example" || page.value("return_urls.1") != "" || page.value("origins.0") != "https://o.example" {
		t.Error("adding a row changed the others")
	}
	values = url.Values{"return_urls.0": {"https://a.example"}, "return_urls.1": {"https://b.example"}, "return_urls_note.1": {"b"}, "remove": {"return_urls.0"}}
	page = ada.post(path, values).want(200).lacks("https://a.example")
	if page.value("return_urls.0") != "https://b.example" || page.value("return_urls_note.0") != "b" {
		t.Error("the row after the removed one did not move up")
	}
	for _, remove := range []string{"return_urls.9", "return_urls.-1", "return_urls.x", "origins.5", "seen"} {
		values.Set("remove", remove)
		ada.post(path, values).want(200, "https://a.example", "https://b.example")
	}

	full := url.Values{"add": {"return_urls"}}
	for i := range registry.MaxReturnURLs {
		full.Set(returnURLList.ValueField(i), "https://host"+strconv.Itoa(i)+".example")
	}
	ada.post(path, full).want(422, "There can be 50 of these", "https://host49.example")
	full.Del("add")
	full.Set("seen", webSettingsMark(profile))
	full.Set(returnURLList.ValueField(50), "https://one-too-many.example")
	ada.post(path, full).want(422, "Keep at most 50 of these", "https://one-too-many.example")
	full.Del(returnURLList.ValueField(50))
	ada.post(path, full).want(303)
	if n := len(ada.reload(profile).ReturnURLs); n != 50 {
		t.Errorf("%d return URLs, want 50", n)
	}
}

func TestWebSettingsConflict(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("App", "https://common.example/cb")
	path := webSettingsPath(profile)
	seen := ada.get(path + "?edit=1").value("seen")
	grace := wd.user("Grace")
	hers := []registry.ReturnURL{{Value: "https://common.example/cb"}, {Value: "https://grace.example/cb", Note: "hers"}}
	if err := wd.store.SaveWebSettings(t.Context(), ada.developer.ID, profile.ID, profile.Version, nil, hers, grace.by()); err != nil {
		t.Fatal(err)
	}

	values := url.Values{"seen": {seen}, "return_urls.0": {"https://common.example/cb"}, "return_urls.1": {"https://ada.example/cb"}}
	page := ada.post(path, values).want(409, "changed while you were editing", "Grace saved it", "https://grace.example/cb", "https://ada.example/cb")
	if n := strings.Count(page.body, "Only here"); n != 2 {
		t.Errorf("%d addresses are marked as only on one side, want 2", n)
	}
	if page.value("return_urls.1") != "https://ada.example/cb" {
		t.Error("what was typed is not in the form")
	}
	if got := ada.reload(profile).ReturnURLs; !slices.Equal(got, hers) {
		t.Errorf("the first save is gone: %v", got)
	}
	values.Set("seen", page.value("seen"))
	ada.post(path, values).want(303)
	if got := ada.reload(profile).ReturnURLs; len(got) != 2 || got[1].Value != "https://ada.example/cb" {
		t.Errorf("after a save made knowingly: %v", got)
	}
}

func TestAddFromRefusal(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://app.example.com/cb")
	path := webSettingsPath(profile)
	page := ada.get(addPath(profile, "https://app.example.com/other")).want(200, "is not saved yet")
	if page.value("return_urls.0") != "https://app.example.com/cb" || page.value("return_urls.1") != "https://app.example.com/other" {
		t.Error("the value that was sent is not in a row of its own")
	}
	ada.get(addPath(profile, "http://app.example.com/other")).want(200, "Use https", `value="https://app.example.com/other"`, "Use this instead")
	ada.get(addPath(profile, "https://app.example.com/cb")).want(200, "This return URL is allowed already").lacks("Allowed Return URLs (2)")
	ada.get(addPath(profile, `"><script>alert(1)</script>`)).want(200).lacks("<script>alert")
	ada.get(path + "?edit=1&add=" + strings.Repeat("x", 2001)).want(200).lacks("xxxx")
	page = ada.get(addOriginPath(profile, "http://localhost:3000")).want(200, "An origin was filled in, and is not saved yet", "they get the users’ tokens")
	if page.value("origins.0") != "http://localhost:3000" || page.value("return_urls.0") != "https://app.example.com/cb" {
		t.Error("the origin is not in a row of its own")
	}
	ada.get(addOriginPath(profile, "https://app.example.com/page")).want(200, "ends before", `value="https://app.example.com"`, "Use this instead")
	ada.get(addOriginPath(profile, "null")).want(200, "hides where it is from")
	ada.get(addOriginPath(profile, `"><script>alert(1)</script>`)).want(200).lacks("<script>alert")
	if after := ada.reload(profile); after.Version != profile.Version {
		t.Error("opening the link saved something")
	}
}

func TestRefusalsInWords(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("App", "https://app.example.com/cb", "https://other.example")
	refusals := []audit.Refusal{
		{
			ProfileID: profile.ID, Endpoint: "/ap/oa", Code: "invalid_request", Words: "The two differ in the “/” at the end, which counts.",
			Sent: "https://app.example.com/cb/", Nearest: "https://app.example.com/cb", Count: 1234, FirstAt: wd.clock(), LastAt: wd.clock(),
		},
		{
			ProfileID: profile.ID, Endpoint: "/auth/o2/token", Code: "invalid_client", Words: "The secret had ended.",
			Count: 1, FirstAt: wd.clock().Add(-1), LastAt: wd.clock().Add(-1e9),
		},
	}
	if err := wd.store.AddRefusals(t.Context(), refusals); err != nil {
		t.Fatal(err)
	}
	ada.get(profilePath(profile)+"/activity").want(200, "which counts", "https://app.example.com/cb<mark>/</mark>", "1,234", "The secret had ended.",
		`href="`+strings.ReplaceAll(addPath(profile, "https://app.example.com/cb/"), "&", "&amp;")+`"`)
	ada.get(webSettingsPath(profile)).want(200, "A request of this application was refused", "https://app.example.com/cb/")
	ada.post(webSettingsPath(profile), url.Values{
		"seen": {webSettingsMark(profile)}, "return_urls.0": {"https://app.example.com/cb/"},
	}).want(303)
	ada.get(webSettingsPath(profile)).want(200).lacks("A request of this application was refused")
	ada.get(profilePath(profile)+"/activity").want(200, "Allowed now", "Web settings changed", "Ada", "192.0.2.7")
}

func TestPastedCode(t *testing.T) {
	allowed := []registry.ReturnURL{{Value: "https://localhost"}, {Value: "https://app.example.com/cb?tenant=7"}, {Value: "https://app.example.com/cb"}}
	for address, want := range map[string]pasted{
		"https://localhost/?code=ANdNAVhyhqirUelHGEHA&scope=profile&state=s%201": {Code: "ANdNAVhyhqirUelHGEHA", State: "s 1", ReturnURL: "https://localhost"},
		"https://localhost?code=abc":                   {Code: "abc", ReturnURL: "https://localhost"},
		"https://app.example.com/cb?tenant=7&code=abc": {Code: "abc", ReturnURL: "https://app.example.com/cb?tenant=7"},
		"https://app.example.com/cb?code=abc":          {Code: "abc", ReturnURL: "https://app.example.com/cb"},
	} {
		got, problem := parsePasted(address, allowed)
		if got != want || problem != "" {
			t.Errorf("%s: %+v, %q; want %+v", address, got, problem, want)
		}
	}
	for address, want := range map[string]string{
		"":                                       "Paste the whole address",
		"localhost/?code=abc":                    "cannot be read",
		"https://localhost/other?code=abc":       "none of the profile’s allowed return URLs",
		"https://localhost:8443/?code=abc":       "none of the profile’s allowed return URLs",
		"https://localhost/?error=access_denied": "pressed Cancel",
		"https://localhost/?error=server_error":  "Activity",
		"https://localhost/":                     "no code in this address",
		"https://localhost/?code=%zz":            "damaged",
		"ANdNAVhyhqirUelHGEHA":                   "cannot be read", // of several return URLs, the code alone does not tell which
	} {
		if got, problem := parsePasted(address, allowed); !strings.Contains(problem, want) {
			t.Errorf("%s: %+v, %q; want a problem with %q", address, got, problem, want)
		}
	}
	if got, _ := parsePasted("ANdNAVhyhqirUelHGEHA", allowed[:1]); got.ReturnURL != "https://localhost" {
		t.Errorf("a code alone: %+v", got)
	}

	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("App", "https://localhost")
	page := ada.post(profilePath(profile)+"/code", url.Values{"address": {"https://localhost/?code=ANdNAVhyhqirUelHGEHA&state=xyz"}})
	page.want(200, "--data-urlencode 'code=ANdNAVhyhqirUelHGEHA' \\", "--data-urlencode 'redirect_uri=https://localhost' \\",
		"'https://id.example.com/auth/o2/token'", `"$CLIENT_SECRET"`, "xyz")
	ada.post(profilePath(profile)+"/code", url.Values{"address": {"https://evil.example/?code=abc"}}).want(422, "none of the profile’s allowed return URLs")
	if strings.Contains(wd.log.String(), "ANdNAVhyhqirUelHGEHA") {
		t.Error("the code is in the log")
	}
}

func TestTryOtherReturnURL(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://one.example/cb", "https://two.example/it's?a=b")
	path := webSettingsPath(profile)
	ada.get(path).want(200, "redirect_uri=https%3A%2F%2Fone.example%2Fcb")
	ada.get(path+"?try=1").want(200, "redirect_uri=https%3A%2F%2Ftwo.example%2Fit%27s%3Fa%3Db", `'redirect_uri=https://two.example/it'\''s?a=b'`)
	for _, other := range []string{"2", "-1", "x"} {
		ada.get(path+"?try="+other).want(200, "redirect_uri=https%3A%2F%2Fone.example%2Fcb")
	}
}

func TestMethodsAndPages(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	ada.operate(ada.clock())
	profile := ada.profileNamed("App")
	ada.addDevice(profile, "TV")
	profile = ada.reload(profile)
	for _, rt := range ada.s.routes() {
		method, pattern, _ := strings.Cut(rt.pattern, " ")
		if method != http.MethodGet || strings.HasPrefix(pattern, "/logos/") {
			continue
		}
		target := strings.NewReplacer("/console/profiles/{id}/secrets/{secret}", secretViews(profile, ada.clock())[0].Path,
			"{device}", strconv.FormatInt(profile.Devices[0].ID, 10), "{id}", profileKey(profile), "{number}", "3").Replace(pattern)
		if a := ada.get(target); a.status != 200 && a.status != 303 {
			t.Errorf("GET %s: status %d", target, a.status)
		}
	}
}
