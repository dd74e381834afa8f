package provider

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// asker is the page in a browser that sends a request to an endpoint for
// applications. Whether it may read the answer is decided once.
type asker struct {
	origin  string
	decided bool
}

type askerKey struct{}

// crossOrigin lets pages of Allowed Origins use an endpoint (Fetch section 3.2). It
// answers preflights; the handler says with [Provider.share] whose answer it is, and
// until then nobody else's page can read it. Cookies are never let in: nothing behind
// such an endpoint looks at them.
func (p *Provider) crossOrigin(h web.Handler, methods ...string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header()["Vary"] = byOrigin
		origin := askingOrigin(r)
		if origin == "" {
			return h(w, r)
		}
		a := &asker{origin: origin}
		r = r.WithContext(context.WithValue(r.Context(), askerKey{}, a))
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			a.decided = true
			return p.preflight(w, r, origin, methods)
		}
		return h(w, r)
	}
}

// askingOrigin is the origin that a browser sends, "" for programs, for opaque
// origins ("null", which any sandboxed frame has) and for what no browser sends.
func askingOrigin(r *http.Request) string {
	sent := r.Header.Values("Origin")
	if len(sent) != 1 {
		return ""
	}
	// What cannot be registered needs no look into the database.
	if o, problem := registry.ParseAllowedOrigin(sent[0]); problem == nil {
		return o.Value
	}
	return ""
}

// Headers that pages may send and read beside those that browsers always let pass.
var (
	askedHeaders = strings.Join([]string{"Authorization", "Content-Type", "DPoP", "X-Amz-Access-Token"}, ", ")
	toldHeaders  = strings.Join([]string{"DPoP-Nonce", "Retry-After", "WWW-Authenticate", "X-Amzn-RequestId"}, ", ")
)

// preflight says what a page may send. It comes before any client is known, so it
// asks only whether some profile has the origin.
func (p *Provider) preflight(w http.ResponseWriter, r *http.Request, origin string, methods []string) error {
	known, err := p.View.HasOrigin(r.Context(), origin)
	if err != nil {
		return p.unavailable(w, r, err)
	}
	if !known {
		return p.writeError(w, r, http.StatusForbidden, &oauth.Error{Code: oauth.InvalidRequest, Description: "This origin is not one of the Allowed Origins of any application"})
	}
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	h.Set("Access-Control-Allow-Headers", askedHeaders)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// share lets the page that asks read an answer about this profile, if its origin is
// one of the profile's Allowed Origins. Otherwise the developer, who sees nothing but
// a failure in the browser, reads in the console why.
func (p *Provider) share(w http.ResponseWriter, r *http.Request, profile *registry.SecurityProfile) {
	a, ok := r.Context().Value(askerKey{}).(*asker)
	if !ok || a.decided || profile == nil {
		return
	}
	a.decided = true
	switch {
	case registry.AllowsOrigin(profile.Origins, a.origin):
		shareWith(w, a.origin)
	case a.origin != p.Issuer: // our own pages can read everything
		p.refuse(r, profile, audit.Refusal{
			Endpoint: r.URL.Path, Code: audit.OriginNotAllowed, Sent: a.origin,
			Words: "A page of this origin sent a request from a browser, which did not let it read the answer: the origin is not one of the Allowed Origins.",
		})
	}
}

// shareError lets the page that asks read an error before it is known whose request
// it is, if any profile has its origin: an error tells nothing of anybody. Where that
// cannot be found out, the page learns nothing.
func (p *Provider) shareError(w http.ResponseWriter, r *http.Request) {
	a, ok := r.Context().Value(askerKey{}).(*asker)
	if !ok || a.decided {
		return
	}
	a.decided = true
	known, err := p.View.HasOrigin(r.Context(), a.origin)
	if err != nil {
		web.LogAttr(r.Context(), slog.String("origin_lookup", err.Error()))
		return
	}
	if known {
		shareWith(w, a.origin)
	}
}

func shareWith(w http.ResponseWriter, origin string) {
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Expose-Headers", toldHeaders)
}
