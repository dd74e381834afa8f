package live

import (
	"gatelodge/internal/authz"
	"gatelodge/internal/registry"
)

// An entry weighs what it takes in memory, in bytes, with its place in the map. A usual
// profile has a few addresses and a secret, and takes a kilobyte; but it may have fifty
// long ones and a set of keys.
const (
	emptyProfile = 560
	emptyGrant   = 224
)

func profileWeight(p *registry.SecurityProfile) int {
	size := emptyProfile + text(p.Name) + text(p.Description) + text(p.PrivacyURL) + text(p.Audience) + text(p.Region) +
		text(p.Settings.IDTokenAlg) + text(p.Settings.JWKS) + text(p.Settings.JWKSURI) + text(p.Settings.BackChannelLogoutURI) +
		112*cap(p.Secrets) + 32*(cap(p.ReturnURLs)+cap(p.PostLogoutURLs)+cap(p.Origins)) + 64*cap(p.Devices)
	for _, list := range [][]registry.ReturnURL{p.ReturnURLs, p.PostLogoutURLs} {
		for _, u := range list {
			size += text(u.Value) + text(u.Note)
		}
	}
	for _, o := range p.Origins {
		size += text(o.Value) + text(o.Note)
	}
	for _, d := range p.Devices {
		size += text(d.Name)
	}
	return size
}

// text is what a string takes beside its header, whose place is in the struct.
func text(s string) int { return (len(s) + 15) &^ 15 }

// grantWeight counts the families that have ended: an application that revokes what it
// is given leaves one behind each time.
func grantWeight(g *authz.Grant) int { return emptyGrant + len(authz.Family{})*cap(g.Ended) }
