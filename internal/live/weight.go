package live

import (
	"gatelodge/internal/authz"
	"gatelodge/internal/registry"
)

// What an entry counts for is its size in multiples of the usual one. A profile has a
// few addresses and a secret, but may have fifty long ones and a set of keys.
const (
	usualProfile = 2048
	usualGrant   = 320
)

func profileWeight(p *registry.SecurityProfile) int {
	size := 600 + len(p.Name) + len(p.Description) + len(p.PrivacyURL) + len(p.Audience) +
		len(p.Settings.JWKS) + len(p.Settings.JWKSURI) + len(p.Settings.BackChannelLogoutURI) + 128*len(p.Secrets)
	for _, list := range [][]registry.ReturnURL{p.ReturnURLs, p.PostLogoutURLs} {
		for _, u := range list {
			size += 64 + len(u.Value) + len(u.Note)
		}
	}
	for _, o := range p.Origins {
		size += 64 + len(o.Value) + len(o.Note)
	}
	for _, d := range p.Devices {
		size += 96 + len(d.Name)
	}
	return 1 + size/usualProfile
}

// grantWeight counts the families that have ended: an application that revokes what it
// is given leaves one behind each time.
func grantWeight(g *authz.Grant) int {
	return 1 + len(g.Ended)*len(authz.Family{})/usualGrant
}
