package web

import (
	"net/http"
	"strings"
)

const (
	cspHeader  = "Content-Security-Policy"
	formAction = "form-action 'self'"
	imgSrc     = "img-src 'self'"

	openerPolicy = "Cross-Origin-Opener-Policy"
)

// noSniff is the one value of a header, made once.
var noSniff = []string{"nosniff"}

// pageHeaders are sent with every page. The policy allows nothing inline.
func pageHeaders(secure bool) http.Header {
	h := http.Header{}
	h.Set(cspHeader, strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		imgSrc,
		"font-src 'none'",
		"connect-src 'self'",
		formAction,
		"frame-ancestors 'none'",
		"base-uri 'none'",
	}, "; "))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: browsers then send "Origin: null" with forms, which the origin
	// check of those without Sec-Fetch-Site refuses.
	h.Set("Referrer-Policy", "same-origin")
	h.Set(openerPolicy, "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=63072000")
	}
	return h
}

// AllowFormAction lets the forms of this answer lead to sources beside our own
// origin. Chromium applies form-action to the whole chain of redirects behind a
// form, so a form whose chain ends at an application (sign-in, consent) needs
// "https:", loopback or the application's own scheme here.
func AllowFormAction(w http.ResponseWriter, sources ...string) {
	allow(w, formAction, sources)
}

// AllowImages adds image sources to this answer, such as "blob:" for the
// preview of a file that has only been chosen.
func AllowImages(w http.ResponseWriter, sources ...string) {
	allow(w, imgSrc, sources)
}

// KeepOpener lets this answer be in a popup of another site's page without severing the
// two windows, for the way from an authorization request in a popup back to the page
// that opened it. The console and the account pages never do this.
//
// It is safe for these pages. All that such a page can do to the window it opened is
// what it could do without: send it elsewhere, close it, post messages (none of ours
// listens), count its frames (there are none). It cannot read them, and they cannot be
// framed. They in turn hand nothing to their opener but what relay.js posts, to the
// origin that was allowed.
func KeepOpener(w http.ResponseWriter) { w.Header().Set(openerPolicy, "unsafe-none") }

func allow(w http.ResponseWriter, directive string, sources []string) {
	for _, s := range sources {
		// A source that could end its directive is never let into the header.
		if s == "" || strings.ContainsAny(s, "; ,\t\r\n") {
			continue
		}
		csp := w.Header().Get(cspHeader)
		w.Header().Set(cspHeader, strings.Replace(csp, directive, directive+" "+s, 1))
	}
}

// clearAnswer removes what a handler prepared for an answer that it then did not give.
func clearAnswer(h http.Header) {
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Etag", "Last-Modified", "Location"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
}
