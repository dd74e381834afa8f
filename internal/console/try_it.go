package console

import (
	"net/url"
	"strings"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
)

// The paths of Login with Amazon: a client with a secret needs no PKCE there, so
// the whole exchange can be done by hand.
const (
	authorizePath = "/ap/oa"
	tokenPath     = "/auth/o2/token"
	profileAPI    = "/user/profile"
)

// The paths of the standards: only there does a client without a secret get refresh
// tokens, and assertions are no habit of Login with Amazon.
const (
	standardAuthorizePath = "/oauth2/authorize"
	standardTokenPath     = "/oauth2/token"
	standardDevicePath    = "/oauth2/device_authorization"
)

// paths are where an application sends its users and its requests.
func paths(n registry.Settings) (authorize, token string) {
	if n.Kind == registry.Web && n.Auth == registry.AuthSecret {
		return authorizePath, tokenPath
	}
	return standardAuthorizePath, standardTokenPath
}

// usesPKCE reports whether codes need a verifier on the paths that are tried.
func usesPKCE(n registry.Settings) bool {
	authorize, _ := paths(n)
	return authorize == standardAuthorizePath
}

// tryView is "Try it": every request of the walk, finished for this profile. What a
// kind of application has no use for is empty.
type tryView struct {
	// ReturnURL is the one that is tried, of Others; empty when none is allowed yet.
	ReturnURL string
	Chosen    int
	Others    []registry.ReturnURL
	// PKCE is whether a verifier goes along with the code.
	PKCE      bool
	Verifier  string
	Authorize string
	// Key is whether the application signs assertions, in the place of Secret.
	Key      bool
	Audience string // of those assertions
	Secret   string
	Exchange string
	Refresh  string
	Profile  string
	Token    string
	Pair     string
	Poll     string
	// Pushed and Bound are what no command of curl does in one line: requests that
	// are pushed, and tokens bound to a key.
	Pushed, Bound bool
}

func (s *Surface) tryIt(p registry.SecurityProfile, chosen int) tryView {
	t := tryView{
		Chosen: chosen, Others: p.ReturnURLs, PKCE: usesPKCE(p.Settings), Verifier: makeVerifierCommand,
		Key: p.Settings.Auth == registry.AuthKey, Audience: s.Issuer, Secret: readSecretCommand,
		Pushed: p.Settings.RequirePAR, Bound: p.Settings.RequireDPoP,
	}
	switch p.Settings.Kind {
	case registry.Service:
		t.Token = s.tokenCommand(p, "--data grant_type=client_credentials")
		return t
	case registry.Device:
		t.Pair = command("curl", "--data-urlencode "+shellQuote("client_id="+s.Namespace.ClientID(p.Client)), "--data scope="+previewScope, shellQuote(s.Issuer+standardDevicePath))
		t.Poll = s.tokenCommand(p, "--data grant_type="+string(oauth.GrantDeviceCode), `--data-urlencode "device_code=$DEVICE_CODE"`)
	}
	t.Refresh = s.refreshCommand(p)
	t.Profile = command("curl", `--header "Authorization: Bearer $ACCESS_TOKEN"`, shellQuote(s.Issuer+profileAPI))
	if len(p.ReturnURLs) == 0 || p.Settings.Kind == registry.Device {
		return t
	}
	t.ReturnURL = p.ReturnURLs[chosen].Value
	parameters := url.Values{
		"client_id": {s.Namespace.ClientID(p.Client)}, "redirect_uri": {t.ReturnURL},
		"response_type": {"code"}, "scope": {previewScope}, "state": {"try-it"},
	}
	authorize, _ := paths(p.Settings)
	if t.PKCE {
		parameters.Set("code_challenge_method", "S256")
		// The challenge comes last, where the shell puts it.
		t.Authorize = `echo ` + shellQuote(s.Issuer+authorize+"?"+parameters.Encode()+"&code_challenge=") + `"$CODE_CHALLENGE"`
	} else {
		t.Authorize = s.Issuer + authorize + "?" + parameters.Encode()
	}
	t.Exchange = s.exchangeCommand(p, t.ReturnURL, `"code=$CODE"`)
	return t
}

// readSecretCommand asks for the secret without showing it and without leaving it
// in the shell's history.
const readSecretCommand = `printf 'Client Secret: ' && read -rs CLIENT_SECRET && echo`

// makeVerifierCommand makes a verifier of 64 characters and its S256 challenge, which
// is base64url without padding (RFC 7636 sections 4.1 and 4.2).
const makeVerifierCommand = `CODE_VERIFIER=$(openssl rand -hex 32)
CODE_CHALLENGE=$(printf %s "$CODE_VERIFIER" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d '=')`

// exchangeCommand turns a code into tokens. code is the argument that names it,
// quoted for the shell.
func (s *Surface) exchangeCommand(p registry.SecurityProfile, returnURL, code string) string {
	data := []string{
		"--data grant_type=authorization_code",
		"--data-urlencode " + code,
		"--data-urlencode " + shellQuote("redirect_uri="+returnURL),
	}
	if usesPKCE(p.Settings) {
		data = append(data, `--data-urlencode "code_verifier=$CODE_VERIFIER"`)
	}
	return s.tokenCommand(p, data...)
}

func (s *Surface) refreshCommand(p registry.SecurityProfile) string {
	return s.tokenCommand(p,
		"--data grant_type=refresh_token",
		`--data-urlencode "refresh_token=$REFRESH_TOKEN"`)
}

// tokenCommand authenticates with HTTP Basic: curl hides --user from the list of
// processes, other arguments it does not. Applications that cannot keep a secret say
// who they are, and no more; those that sign add what they have signed (RFC 7523
// section 2.2).
func (s *Surface) tokenCommand(p registry.SecurityProfile, data ...string) string {
	clientID := s.Namespace.ClientID(p.Client)
	_, token := paths(p.Settings)
	switch {
	case p.Settings.Kind.Public():
		data = append(data, "--data-urlencode "+shellQuote("client_id="+clientID))
	case p.Settings.Auth == registry.AuthKey:
		data = append(data, "--data client_assertion_type="+assertionType, `--data-urlencode "client_assertion=$CLIENT_ASSERTION"`)
	default:
		data = append([]string{"--user " + shellQuote(clientID+":") + `"$CLIENT_SECRET"`}, data...)
	}
	return command(append(append([]string{"curl"}, data...), shellQuote(s.Issuer+token))...)
}

// assertionType says what an assertion is (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// command puts each part on a line of its own.
func command(parts ...string) string { return strings.Join(parts, " \\\n  ") }
