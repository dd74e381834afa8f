package console

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
)

// call is one request of an application, told once: the console makes it when the flow
// is run, and the code in every language is written from it.
type call struct {
	method, url string
	query, form []parameter // in the order in which they are sent
	as          authentication
	clientID    string // of basic
	// opens: the address is one for the user's browser.
	opens bool
}

type parameter struct {
	name string
	value
}

// value is a text, or the variable that holds it where the code runs.
type value struct{ text, variable string }

func fixed(text string) value { return value{text: text} }
func held(name string) value  { return value{variable: name} }

func (v value) in(variables map[string]string) string {
	if v.variable != "" {
		return variables[v.variable]
	}
	return v.text
}

// authentication is how a request says whose it is.
type authentication uint8

const (
	anonymous authentication = iota
	basic                    // client ID and secret (RFC 6749 section 2.3.1)
	bearer                   // the access token (RFC 6750 section 2.1)
)

// Variables of the code. CLIENT_SECRET and RETURN_URL are those of the downloaded file.
const (
	varSecret     = "CLIENT_SECRET"
	varAssertion  = "CLIENT_ASSERTION"
	varReturnURL  = "RETURN_URL"
	varState      = "STATE"
	varVerifier   = "CODE_VERIFIER"
	varChallenge  = "CODE_CHALLENGE"
	varCode       = "CODE"
	varDeviceCode = "DEVICE_CODE"
	varAccess     = "ACCESS_TOKEN"
	varRefresh    = "REFRESH_TOKEN"
	varIDToken    = "ID_TOKEN"
)

// application is a profile's application as its code sees itself, in one dialect.
type application struct {
	issuer, clientID string
	kind             registry.Kind
	auth             registry.AuthMethod
	dialect          oauth.Dialect
	returnURL, state value
	scope            []string
}

// application gives the application of a profile, which sends its users back to returnURL.
func (s *Surface) application(p registry.SecurityProfile, d oauth.Dialect, returnURL value, scope ...string) application {
	return application{
		issuer: s.Issuer, clientID: s.Namespace.ClientID(p.Client), kind: p.Settings.Kind, auth: p.Settings.Auth,
		dialect: d, returnURL: returnURL, state: held(varState), scope: scope,
	}
}

// Paths of the two dialects (contract.md, "Endpoints").
const (
	authorizePath = "/ap/oa"
	tokenPath     = "/auth/o2/token"
	tokenInfoAPI  = "/auth/o2/tokeninfo"
	profileAPI    = "/user/profile"

	standardAuthorizePath = "/oauth2/authorize"
	standardTokenPath     = "/oauth2/token"
	standardDevicePath    = "/oauth2/device_authorization"
	userInfoAPI           = "/oauth2/userinfo"
	revokePath            = "/oauth2/revoke"
)

// assertionType says what an assertion is (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func (a application) authorizeURL() string {
	if a.dialect == oauth.LoginWithAmazon {
		return a.issuer + authorizePath
	}
	return a.issuer + standardAuthorizePath
}

func (a application) tokenURL() string {
	if a.dialect == oauth.LoginWithAmazon {
		return a.issuer + tokenPath
	}
	return a.issuer + standardTokenPath
}

// proves reports whether the application needs PKCE: all do on the standard paths, and
// those without a secret everywhere.
func (a application) proves() bool { return a.dialect == oauth.Standard || a.kind.Public() }

// usesSecret reports whether the application proves itself with its secret.
func (a application) usesSecret() bool { return !a.kind.Public() && a.auth == registry.AuthSecret }

// authorize sends a user to the authorization endpoint (RFC 6749 section 4.1.1).
func (a application) authorize() call {
	c := call{method: http.MethodGet, url: a.authorizeURL(), opens: true, query: []parameter{
		{"client_id", fixed(a.clientID)}, {"redirect_uri", a.returnURL}, {"response_type", fixed("code")},
		{"scope", fixed(strings.Join(a.scope, " "))}, {"state", a.state},
	}}
	if a.proves() {
		c.query = slices.Insert(c.query, 1, parameter{"code_challenge_method", fixed("S256")})
		// The challenge comes last, where the shell puts it.
		c.query = append(c.query, parameter{"code_challenge", held(varChallenge)})
	}
	return c
}

// exchange turns the code into tokens (RFC 6749 section 4.1.3).
func (a application) exchange() call {
	form := []parameter{
		{"grant_type", fixed(string(oauth.GrantAuthorizationCode))}, {"code", held(varCode)}, {"redirect_uri", a.returnURL},
	}
	if a.proves() {
		form = append(form, parameter{"code_verifier", held(varVerifier)})
	}
	return a.authenticated(a.tokenURL(), form...)
}

// refresh gets another access token (RFC 6749 section 6).
func (a application) refresh() call {
	return a.authenticated(a.tokenURL(),
		parameter{"grant_type", fixed(string(oauth.GrantRefreshToken))}, parameter{"refresh_token", held(varRefresh)})
}

// clientCredentials gets a token for the application itself (RFC 6749 section 4.4).
func (a application) clientCredentials() call {
	form := []parameter{{"grant_type", fixed(string(oauth.GrantClientCredentials))}}
	if len(a.scope) > 0 {
		form = append(form, parameter{"scope", fixed(strings.Join(a.scope, " "))})
	}
	return a.authenticated(a.tokenURL(), form...)
}

// pair gets the codes of a device and of its user (RFC 8628 section 3.1).
func (a application) pair() call {
	return call{method: http.MethodPost, url: a.issuer + standardDevicePath, form: []parameter{
		{"client_id", fixed(a.clientID)}, {"scope", fixed(strings.Join(a.scope, " "))},
	}}
}

// poll asks whether the user has answered (RFC 8628 section 3.4).
func (a application) poll() call {
	return a.authenticated(a.tokenURL(),
		parameter{"grant_type", fixed(string(oauth.GrantDeviceCode))}, parameter{"device_code", held(varDeviceCode)})
}

// revoke ends the tokens (RFC 7009 section 2.1).
func (a application) revoke(token string) call {
	return a.authenticated(a.issuer+revokePath, parameter{"token", held(token)})
}

// userInfo reads what the user allowed to be read: UserInfo where the scopes ask for
// an ID token (OpenID Connect Core section 5.3), else the profile.
func (a application) userInfo() call {
	path := profileAPI
	if a.dialect == oauth.Standard && slices.Contains(a.scope, registry.OpenID) {
		path = userInfoAPI
	}
	return call{method: http.MethodGet, url: a.issuer + path, as: bearer}
}

// tokenInfo asks what the access token is (login-with-amazon.md section 10).
func (a application) tokenInfo() call {
	return call{method: http.MethodGet, url: a.issuer + tokenInfoAPI, query: []parameter{{"access_token", held(varAccess)}}}
}

// authenticated is a request in which the application says who it is, in the way that
// its profile has chosen.
func (a application) authenticated(address string, form ...parameter) call {
	c := call{method: http.MethodPost, url: address, form: form}
	switch {
	case a.kind.Public():
		c.form = append(c.form, parameter{"client_id", fixed(a.clientID)})
	case a.auth == registry.AuthKey:
		c.form = append(c.form,
			parameter{"client_assertion_type", fixed(assertionType)},
			parameter{"client_assertion", held(varAssertion)})
	default:
		c.as, c.clientID = basic, a.clientID
	}
	return c
}

// with puts a text in the place of a variable.
func (c call) with(name, text string) call {
	for _, list := range []*[]parameter{&c.query, &c.form} {
		*list = slices.Clone(*list)
		for i, p := range *list {
			if p.variable == name {
				(*list)[i].value = fixed(text)
			}
		}
	}
	return c
}

// address is the whole address, query and all.
func (c call) address(variables map[string]string) string {
	if len(c.query) == 0 {
		return c.url
	}
	return c.url + "?" + encode(c.query, variables)
}

// request makes the request itself.
func (c call) request(ctx context.Context, variables map[string]string) (*http.Request, error) {
	var body io.Reader
	if c.form != nil {
		body = strings.NewReader(encode(c.form, variables))
	}
	r, err := http.NewRequestWithContext(ctx, c.method, c.address(variables), body)
	if err != nil {
		return nil, err
	}
	if c.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	switch c.as {
	case basic:
		// Section 2.3.1 has both encoded first.
		r.SetBasicAuth(url.QueryEscape(c.clientID), url.QueryEscape(variables[varSecret]))
	case bearer:
		r.Header.Set("Authorization", "Bearer "+variables[varAccess])
	}
	return r, nil
}

// encode writes parameters in their order.
func encode(parameters []parameter, variables map[string]string) string {
	pairs := make([]string, len(parameters))
	for i, p := range parameters {
		pairs[i] = url.QueryEscape(p.name) + "=" + url.QueryEscape(p.in(variables))
	}
	return strings.Join(pairs, "&")
}

// variables are those that the code of the call reads, in the order of their use.
func (c call) variables() []string {
	var names []string
	if c.as == basic {
		names = append(names, varSecret)
	}
	if c.as == bearer {
		names = append(names, varAccess)
	}
	for _, p := range slices.Concat(c.query, c.form) {
		if p.variable != "" {
			names = append(names, p.variable)
		}
	}
	return names
}

// sent is the text that the form holds for a name, "" when it is a variable or missing.
func (c call) sent(name string) string {
	for _, p := range c.form {
		if p.name == name {
			return p.text
		}
	}
	return ""
}
