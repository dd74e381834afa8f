package console

import (
	"errors"
	"net/http"
	"strings"

	"gatelodge/internal/registry"
	"gatelodge/internal/signing"
	"gatelodge/internal/web"
)

type settingsPage struct {
	Head     head
	Path     string
	Form     *web.Form
	Conflict *conflict
	// More opens what the kind has set by itself.
	More                       bool
	Kinds, Auth, Algs, Formats choiceGroup
	Keys                       []signing.ClientKeyFacts // of the key set that is saved
	Audience                   string
	PostLogout                 listView
}

// choiceGroup is one question with everything that can be answered.
type choiceGroup struct {
	Name, Label, Rule, Error string
	Choices                  []choiceView
}

// choiceView is an answer with the sentence that explains it. Warning is shown
// while it is chosen, and empty for what is saved already.
type choiceView struct {
	Value, Label, Words, Warning string
	Chosen, Autofocus            bool
}

// UsedBy names the kinds that use a field, for the rules of the page that hide it from
// the others.
func (settingsPage) UsedBy(field string) string {
	var names []string
	for _, k := range registry.Kinds() {
		if k.Uses(field) {
			names = append(names, k.Name())
		}
	}
	return strings.Join(names, " ")
}

// renderSettings shows the page of p; page brings what is not p's.
func (s *Surface) renderSettings(w http.ResponseWriter, r *http.Request, v visit, status int, p registry.SecurityProfile, page settingsPage, flash *web.Flash) error {
	page.Head, page.Path, page.Audience = newHead(p, tabSettings), settingsPath(p), p.Audience
	page.More = page.More || !isPlain(readSettings(page.Form, p))
	if p.Settings.JWKS != "" {
		// A key set that came in otherwise may have what a person would be asked to mend.
		page.Keys, _ = signing.DescribeJWKS([]byte(p.Settings.JWKS))
	}
	page.Kinds = kindChoices(page.Form, func(k registry.Kind) (words, warning string) {
		return k.Words() + " " + k.Means(), kindWarning(p.Settings.Kind, k)
	})
	page.Auth = choiceGroup{Name: registry.FieldAuth, Label: labelAuth, Rule: "How the application proves itself when it asks for tokens."}
	for _, m := range registry.AuthMethods() {
		page.Auth.Choices = append(page.Auth.Choices, choiceView{
			Value: m.Name(), Label: authLabel(m), Words: authWords(m), Warning: authWarning(p.Settings.Auth, m),
		})
	}
	page.Algs = choiceGroup{Name: registry.FieldIDTokenAlg, Label: labelIDTokenAlg, Rule: "Only for applications that ask for the scope openid. The keys are published at " + s.Issuer + "/oauth2/jwks."}
	for _, alg := range registry.IDTokenAlgs() {
		page.Algs.Choices = append(page.Algs.Choices, choiceView{Value: alg, Label: alg, Words: algorithmWords(alg)})
	}
	page.Formats = choiceGroup{Name: registry.FieldTokenFormat, Label: labelTokenFormat, Rule: "This profile is an API. It decides what the tokens look like that applications call it with."}
	for _, f := range registry.TokenFormats() {
		page.Formats.Choices = append(page.Formats.Choices, choiceView{Value: f.Name(), Label: formatLabel(f), Words: formatWords(f)})
	}
	saved := formOfSettings(p)
	for _, g := range []*choiceGroup{&page.Auth, &page.Algs, &page.Formats} {
		g.choose(page.Form, saved.Get(g.Name))
	}
	page.PostLogout = listView{
		urlList: postLogoutList, Form: page.Form, Title: labelPostLogout, Singular: "post-logout URL", Short: "URL",
		Check: returnURLCheck(p.Settings.Kind), Another: "Add another post-logout URL", Placeholder: "https://www.example.com/signed-out", Added: -1,
		Rule: "Where the application may have its users sent once they have signed out here (post_logout_redirect_uri). The rules are those of return URLs, and requests must name exactly one of these.",
	}
	if e, ok := page.Form.Err(registry.FieldPostLogoutURLs); ok {
		page.PostLogout.Error = e.Message
	}
	return s.render(w, r, v, status, "settings", "Settings · "+p.Name, flash, page)
}

// isPlain reports whether a form says nothing but a kind and what that sets by itself.
func isPlain(f registry.SettingsForm) bool {
	in, postLogout, problems := registry.ParseSettings(f, nil, keyProblem)
	return problems == nil && in == registry.DefaultSettings(in.Kind) && postLogout == nil
}

// kindChoices asks for the kind; words explains each.
func kindChoices(form *web.Form, words func(registry.Kind) (words, warning string)) choiceGroup {
	g := choiceGroup{Name: registry.FieldKind, Label: labelKind, Rule: "It decides what the application may ask for and how it proves itself."}
	for _, k := range registry.Kinds() {
		c := choiceView{Value: k.Name(), Label: k.Label()}
		c.Words, c.Warning = words(k)
		g.Choices = append(g.Choices, c)
	}
	g.choose(form, "")
	return g
}

// choose marks what the form says, or otherwise where it says nothing. The focus goes
// to a question whose answer is the first thing that is wrong.
func (g *choiceGroup) choose(form *web.Form, otherwise string) {
	value := otherwise
	if form.Values.Has(g.Name) {
		value = form.Get(g.Name)
	}
	focus := 0
	for i := range g.Choices {
		if g.Choices[i].Value == value {
			g.Choices[i].Chosen = true
			focus = i
		}
	}
	if e, ok := form.Err(g.Name); ok {
		g.Error = e.Message
		g.Choices[focus].Autofocus = form.Errors[0].Field == g.Name
	}
}

// keyProblem judges the keys that somebody pasted.
func keyProblem(jwks string) string {
	_, err := signing.DescribeJWKS([]byte(jwks))
	if refused, ok := errors.AsType[*signing.KeySetError](err); ok {
		return refused.Message
	}
	return ""
}

// kindWarning says what a change of kind means for an application that runs
// already, above all for its secret.
func kindWarning(from, to registry.Kind) string {
	switch {
	case to == from:
		return ""
	case to == registry.Service:
		return "Users can no longer be sent to this application: authorization requests and refresh tokens are refused from then on. It then gets tokens with its secret or key alone."
	case to == registry.Device:
		return "Users can no longer be sent to this application by a return URL, and the secret is no longer needed. The existing secrets stay good: end them under Web Settings once nothing uses them."
	case to.Public() && !from.Public():
		return "The secret is then no longer needed on /oauth2/token: PKCE takes its place. The existing secrets stay good: end them under Web Settings once nothing uses them, and never put one into a page or an app. Tokens for the application alone (client credentials) are refused."
	case from.Public() && to == registry.Web:
		return "The application then needs its secret to get refresh tokens."
	}
	return ""
}

func authLabel(m registry.AuthMethod) string {
	if m == registry.AuthKey {
		return "Signed assertion"
	}
	return "Secret"
}

func authWords(m registry.AuthMethod) string {
	if m == registry.AuthKey {
		return "It signs a short-lived statement with a private key that never leaves it (private_key_jwt, RFC 7523). Secrets are then refused."
	}
	return "It sends its secret in the header or in the body (client_secret_basic, client_secret_post)."
}

// authWarning says what a change means for an application that runs already.
func authWarning(from, to registry.AuthMethod) string {
	switch {
	case from == to:
		return ""
	case to == registry.AuthKey:
		return "The secrets of this profile are refused as soon as this is saved: the application has to sign by then."
	}
	return "Assertions are refused as soon as this is saved: the application needs its secret by then."
}

func algorithmWords(alg string) string {
	if alg == registry.DefaultIDTokenAlg {
		return "An RSA signature, which every OpenID Connect library can check. The right one if nothing speaks against it."
	}
	return "An ECDSA signature on P-256. It is shorter and no weaker; choose it if your library can check it."
}

func formatLabel(f registry.TokenFormat) string {
	if f == registry.JWT {
		return "JWT"
	}
	return "Opaque"
}

func formatWords(f registry.TokenFormat) string {
	if f == registry.JWT {
		return "The API checks the signature by itself (RFC 9068). A token that was ended goes on working there until it expires, for up to an hour."
	}
	return "The API asks here about each token (introspection, RFC 7662), and learns at once when one was ended."
}
