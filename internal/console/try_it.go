package console

import (
	"net/url"
	"strings"

	"gatelodge/internal/registry"
)

// The paths of Login with Amazon: a client with a secret needs no PKCE there, so
// the whole exchange can be done by hand.
const (
	authorizePath = "/ap/oa"
	tokenPath     = "/auth/o2/token"
	profileAPI    = "/user/profile"
)

// tryView is "Try it": every request of the walk, finished for this profile.
type tryView struct {
	// ReturnURL is the one that is tried, of Others; empty when none is allowed yet.
	ReturnURL string
	Chosen    int
	Others    []registry.ReturnURL
	Authorize string
	Secret    string
	Exchange  string
	Refresh   string
	Profile   string
}

func (s *Surface) tryIt(p registry.SecurityProfile, chosen int) tryView {
	t := tryView{
		Chosen: chosen, Others: p.ReturnURLs,
		Secret: readSecretCommand, Refresh: s.refreshCommand(p),
		Profile: command("curl", `--header "Authorization: Bearer $ACCESS_TOKEN"`, shellQuote(s.Issuer+profileAPI)),
	}
	if len(p.ReturnURLs) == 0 {
		return t
	}
	t.ReturnURL = p.ReturnURLs[chosen].Value
	t.Authorize = s.Issuer + authorizePath + "?" + url.Values{
		"client_id": {s.Namespace.ClientID(p.Client)}, "redirect_uri": {t.ReturnURL},
		"response_type": {"code"}, "scope": {s.profileScope.Name}, "state": {"try-it"},
	}.Encode()
	t.Exchange = s.exchangeCommand(p, t.ReturnURL, `"code=$CODE"`)
	return t
}

// readSecretCommand asks for the secret without showing it and without leaving it
// in the shell's history.
const readSecretCommand = `printf 'Client Secret: ' && read -rs CLIENT_SECRET && echo`

// exchangeCommand turns a code into tokens. code is the argument that names it,
// quoted for the shell.
func (s *Surface) exchangeCommand(p registry.SecurityProfile, returnURL, code string) string {
	return s.tokenCommand(p,
		"--data grant_type=authorization_code",
		"--data-urlencode "+code,
		"--data-urlencode "+shellQuote("redirect_uri="+returnURL))
}

func (s *Surface) refreshCommand(p registry.SecurityProfile) string {
	return s.tokenCommand(p,
		"--data grant_type=refresh_token",
		`--data-urlencode "refresh_token=$REFRESH_TOKEN"`)
}

// tokenCommand authenticates with HTTP Basic: curl hides --user from the list of
// processes, other arguments it does not.
func (s *Surface) tokenCommand(p registry.SecurityProfile, data ...string) string {
	parts := append([]string{"curl", "--user " + shellQuote(s.Namespace.ClientID(p.Client)+":") + `"$CLIENT_SECRET"`}, data...)
	return command(append(parts, shellQuote(s.Issuer+tokenPath))...)
}

// command puts each part on a line of its own.
func command(parts ...string) string { return strings.Join(parts, " \\\n  ") }
