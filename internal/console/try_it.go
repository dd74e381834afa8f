package console

import (
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
)

// byHand is the dialect of an exchange by hand. On the paths of Login with Amazon a
// client with a secret needs no PKCE, so it is done with less; only on the standard
// ones does a client without a secret get refresh tokens, and assertions are no habit of
// Login with Amazon.
func byHand(n registry.Settings) oauth.Dialect {
	if n.Kind == registry.Web && n.Auth == registry.AuthSecret {
		return oauth.LoginWithAmazon
	}
	return oauth.Standard
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
	returnURL := ""
	if len(p.ReturnURLs) > 0 {
		returnURL = p.ReturnURLs[chosen].Value
	}
	a := s.applicationByHand(p, returnURL)
	t := tryView{
		Chosen: chosen, Others: p.ReturnURLs, PKCE: a.proves(), Verifier: makeVerifierCommand,
		Key: p.Settings.Auth == registry.AuthKey, Audience: s.Issuer, Secret: readSecretCommand,
		Pushed: p.Settings.RequirePAR, Bound: p.Settings.RequireDPoP,
	}
	switch p.Settings.Kind {
	case registry.Service:
		a.scope = nil
		t.Token = a.clientCredentials().curl()
		return t
	case registry.Device:
		t.Pair, t.Poll = a.pair().curl(), a.poll().curl()
	}
	t.Refresh, t.Profile = a.refresh().curl(), a.userInfo().curl()
	if returnURL == "" || p.Settings.Kind == registry.Device {
		return t
	}
	t.ReturnURL, t.Exchange = returnURL, a.exchange().curl()
	if t.PKCE {
		t.Authorize = a.authorize().curl()
	} else {
		t.Authorize = a.authorize().address(nil)
	}
	return t
}

// applicationByHand is the application as somebody with a terminal plays it.
func (s *Surface) applicationByHand(p registry.SecurityProfile, returnURL string) application {
	a := s.application(p, byHand(p.Settings), fixed(returnURL), previewScope)
	a.state = fixed("try-it")
	return a
}
