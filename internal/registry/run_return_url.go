package registry

import (
	"encoding/hex"

	"gatelodge/internal/oauth"
)

// ConsolePath is the profile's place in the console. It names the application, so
// that a new client ID does not move it.
func (k ApplicationKey) ConsolePath() string { return "/console/profiles/" + hex.EncodeToString(k[:]) }

// RunReturnURL is where the console takes the answer of a flow that the profile's owner
// runs there. It is good for every profile that sends users anywhere, beside the
// registered ones, and is never one of them.
func RunReturnURL(issuer string, k ApplicationKey) string {
	return issuer + k.ConsolePath() + "/run/return"
}

// MatchRunReturnURL reports whether a request of the profile wants its answer in the
// console: byte for byte at the profile's own page there, which shows it to its owner
// and to nobody else.
func MatchRunReturnURL(issuer string, p *SecurityProfile, sent string) (oauth.RedirectURI, bool) {
	if !p.May(oauth.GrantAuthorizationCode) || sent != RunReturnURL(issuer, p.Application) {
		return oauth.RedirectURI{}, false
	}
	return oauth.MatchedRedirectURI(sent), true
}
