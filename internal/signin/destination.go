package signin

import (
	"net/http"
	"net/url"
	"strings"

	"gatelodge/internal/session"
	"gatelodge/internal/web"
)

// destination is where a person goes on to: a path of this site with its query, or
// empty when they came for nothing but signing in. [toDestination] alone makes one.
type destination string

// toDestination reads the parameter "continue", which a stranger may have written
// into a link: what would lead elsewhere, or back to where it came from, is none.
func toDestination(s string) destination {
	d := destination(session.LocalPath(s, ""))
	switch d.path() {
	case session.SignInPath, signUpPath, signOutPath:
		return ""
	}
	if strings.HasPrefix(d.path(), session.SignInPath+"/") {
		return ""
	}
	return d
}

func (d destination) path() string {
	path, _, _ := strings.Cut(string(d), "?")
	return path
}

// Authorizes reports whether an application has sent the person here.
func (d destination) Authorizes() bool {
	switch d.path() {
	case "/consent", "/ap/oa", "/oauth2/authorize":
		return true
	}
	return false
}

// keepOpener leaves a popup its opener, where the person is on the way to the consent
// page of a request that began in one (package provider writes that address).
func (d destination) keepOpener(w http.ResponseWriter) {
	if strings.HasPrefix(string(d), "/consent?popup=1&") {
		web.KeepOpener(w)
	}
}

// Develops reports whether the person comes as a developer: to the console, or for
// nothing in particular.
func (d destination) Develops() bool {
	return d == "" || d.path() == consolePath || strings.HasPrefix(d.path(), consolePath+"/")
}

// Choose is the sign-up page with the list of countries open, from which the way leads
// on to d.
func (d destination) Choose() string {
	q := url.Values{"country": {"choose"}}
	if d != "" {
		q.Set("continue", string(d))
	}
	return signUpPath + "?" + q.Encode()
}

// Via is the page at path, from which the way leads on to d.
func (d destination) Via(path string) string {
	if d == "" {
		return path
	}
	return path + "?" + url.Values{"continue": {string(d)}}.Encode()
}
