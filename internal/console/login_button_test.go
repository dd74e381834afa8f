package console

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"gatelodge/internal/registry"
)

var snippetCode = regexp.MustCompile(`(?s)<code id="(snippet[^"]*)">(.*?)</code>`)

// snippets are the blocks of code, by their ids.
func (a answer) snippets() map[string]string {
	all := map[string]string{}
	for _, m := range snippetCode.FindAllStringSubmatch(a.body, -1) {
		all[m[1]] = html.UnescapeString(m[2])
	}
	return all
}

func TestLoginButton(t *testing.T) {
	w := newWorld(t)
	ada := w.developerNamed("Ada")
	profile := ada.profileNamed("App", `https://app.example.com/cb?q="</script><b>`)
	path := profilePath(profile) + "/login-button"
	page := ada.get(path).want(200, "No origin is allowed yet", "Add an origin", "/sdk/button/light-195x46.svg", "/sdk/button/dark-32x32.svg", "/help/javascript")
	got := page.snippets()
	for _, want := range []string{
		`setClientId("` + registry.Namespace("amzn1").ClientID(profile.Client) + `")`, `/sdk/login.js"></script>`, `id="amazon-root"`, "pkce: true", "retrieveProfile",
		`/sdk/button/light-195x46.svg" alt="Login" width="195" height="46"`,
	} {
		if !strings.Contains(got["snippet"], want) {
			t.Errorf("the snippet lacks %q:\n%s", want, got["snippet"])
		}
	}
	if got := got["snippet-redirect"]; !strings.Contains(got, `"https://app.example.com/cb?q=\"\u003c/script>\u003cb>"`) || strings.Contains(got, "</script>") {
		t.Errorf("the return URL is not quoted:\n%s", got)
	}
	for _, code := range got {
		if left := regexp.MustCompile(`ISSUER|CLIENT_ID|BUTTON|WORDS|WIDTH|HEIGHT|RETURN_URL|amzn1\.oa2-cs`).FindString(code); left != "" {
			t.Errorf("the snippet holds %q:\n%s", left, code)
		}
	}
	if got := ada.get(path+"?button=dark-46x46").want(200, `aria-current="true"`).snippets()["snippet"]; !strings.Contains(got, `/sdk/button/dark-46x46.svg" alt="Login" width="46" height="46"`) {
		t.Errorf("the chosen button is not in\n%s", got)
	}
	ada.get(path+"?button="+`"><script>alert(1)</script>`).want(200, "light-195x46.svg").lacks("<script>alert")

	origins := []registry.AllowedOrigin{{Value: "http://localhost:3000", Note: "mine"}}
	if err := w.store.SaveWebSettings(t.Context(), profile.DeveloperID, profile.ID, profile.Version, origins, nil, ada.by()); err != nil {
		t.Fatal(err)
	}
	ada.get(path).want(200, "http://localhost:3000", "mine", "Edit Allowed Origins", "has none yet").lacks("No origin is allowed yet", "snippet-redirect")
	ada.become(ada.reload(profile), registry.Service)
	ada.get(path).want(200, "No Login button for this kind of application", "Service").lacks("login.js")
	w.developerNamed("Bob").get(path).want(404)
}
