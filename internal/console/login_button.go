package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sdk"
)

// buttonParam names the drawing that the snippet is shown with.
const buttonParam = "button"

type loginButtonPage struct {
	Head head
	Path string
	// Users: the kind of application has users to sign in at all.
	Users   bool
	Kind    registry.Kind
	Origins []registry.AllowedOrigin
	// AddOrigin and Settings are where origins and the kind are changed.
	AddOrigin, Settings string
	// Try is where the flow is run.
	Try     string
	Schemes []buttonScheme
	Snippet string
	// ReturnURL is the one that the snippet without a popup names, Redirect that
	// snippet; both are empty when none is allowed yet.
	ReturnURL, Redirect string
}

// buttonScheme is the drawings for pages of one ground.
type buttonScheme struct {
	Style   sdk.Style
	Title   string
	Buttons []buttonView
}

type buttonView struct {
	sdk.Button
	URL    string
	Chosen bool
}

// Size is what tells the drawings of one scheme apart.
func (b buttonView) Size() string {
	size := strconv.Itoa(b.Width) + " × " + strconv.Itoa(b.Height)
	if b.Width == b.Height {
		return size + ", mark alone"
	}
	return size
}

// loginButton shows how a page signs users in with the JavaScript SDK, finished for
// this profile.
func (s *Surface) loginButton(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	page := loginButtonPage{
		Head: newHead(p, tabLoginButton), Path: profilePath(p), Users: p.Settings.Kind.May(oauth.GrantAuthorizationCode), Kind: p.Settings.Kind,
		Origins: p.Origins, AddOrigin: webSettingsPath(p) + "?" + url.Values{editParam: {"1"}}.Encode() + "#" + registry.FieldOrigins, Settings: settingsPath(p), Try: runPath(p),
	}
	chosen := sdk.Buttons()[0]
	for _, b := range sdk.Buttons() {
		if b.Name() == r.FormValue(buttonParam) {
			chosen = b
		}
	}
	for _, scheme := range []buttonScheme{{Style: sdk.Light, Title: "For light pages"}, {Style: sdk.Dark, Title: "For dark pages"}} {
		for _, b := range sdk.Buttons() {
			if b.Style == scheme.Style {
				view := buttonView{Button: b, URL: profilePath(p) + string(tabLoginButton) + "?" + url.Values{buttonParam: {b.Name()}}.Encode(), Chosen: b == chosen}
				scheme.Buttons = append(scheme.Buttons, view)
			}
		}
		page.Schemes = append(page.Schemes, scheme)
	}
	page.Snippet = s.snippet(p, chosen, popupSnippet, "")
	if len(p.ReturnURLs) > 0 {
		page.ReturnURL = p.ReturnURLs[0].Value
		page.Redirect = s.snippet(p, chosen, redirectSnippet, page.ReturnURL)
	}
	return s.render(w, r, v, http.StatusOK, "login_button", "Login button · "+p.Name, nil, page)
}

// snippet fills in one of the snippets below. A client ID and the issuer have no character
// that means anything in HTML or in a string of JavaScript; a return URL is quoted.
func (s *Surface) snippet(p registry.SecurityProfile, b sdk.Button, text, returnURL string) string {
	return strings.NewReplacer(
		"ISSUER", s.Issuer, "CLIENT_ID", s.Namespace.ClientID(p.Client), "BUTTON", b.Path(), "WORDS", b.Words(),
		"WIDTH", strconv.Itoa(b.Width), "HEIGHT", strconv.Itoa(b.Height), "RETURN_URL", quoteForScript(returnURL),
	).Replace(text)
}

// quoteForScript writes a string for a script element: a return URL may hold quotes,
// and "</script>" would end the element.
func quoteForScript(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "<", `\u003c`).Replace(s) + `"`
}

const popupSnippet = `<div id="amazon-root"></div>
<a href="#" id="LoginWithAmazon"><img src="ISSUERBUTTON" alt="WORDS" width="WIDTH" height="HEIGHT"></a>
<p id="login-words" role="status"></p>

<script>
  const tell = (words) => { document.getElementById("login-words").textContent = words; };
  window.onGatelodgeLoginReady = () => {
    gatelodge.Login.setClientId("CLIENT_ID");
  };
  document.getElementById("LoginWithAmazon").addEventListener("click", (event) => {
    event.preventDefault();
    gatelodge.Login.authorize({ scope: "profile", pkce: true }, (answer) => {
      if (answer.error) return tell(answer.error_description);
      gatelodge.Login.retrieveToken(answer.code, (token) => {
        if (!token.success) return tell(token.error_description);
        gatelodge.Login.retrieveProfile(token.access_token, (got) => {
          tell(got.success ? "Hello " + got.profile.Name : got.error_description);
        });
      });
    });
  });
</script>
<script async id="amazon-login-sdk" src="ISSUER/sdk/login.js"></script>
`

const redirectSnippet = `// In the click of the button:
gatelodge.Login.authorize({ scope: "profile", pkce: true, popup: false }, RETURN_URL);

// On the page at the return URL, once the SDK is ready:
const back = new URLSearchParams(location.search);
if (back.has("code")) {
  gatelodge.Login.retrieveToken(back.get("code"), (token) => {
    if (token.success) gatelodge.Login.retrieveProfile(token.access_token, (got) => { /* got.profile.Name */ });
  });
}
`
