package web

import (
	"net/mail"
	"net/url"
)

// contactLink turns the operator's setting into a link: a mail address or an
// http(s) URL. Anything else gives none, rather than a link that leads nowhere.
func contactLink(contact string) Link {
	if u, err := url.Parse(contact); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return Link{u.Host, contact}
	}
	if a, err := mail.ParseAddress(contact); err == nil {
		return Link{a.Address, "mailto:" + a.Address}
	}
	return Link{}
}
