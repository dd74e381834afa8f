package provider

import (
	"net/http"
	"slices"
	"strings"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// Paths of the two dialects (contract.md, "Endpoints").
const (
	standardAuthorize = "/oauth2/authorize"
	standardToken     = "/oauth2/token"
	amazonAuthorize   = "/ap/oa"
	amazonToken       = "/auth/o2/token"
	amazonTokenInfo   = "/auth/o2/tokeninfo"
	standardDevice    = "/oauth2/device_authorization"
	amazonDevice      = "/auth/o2/create/codepair"
	consentPath       = "/consent"
	logoutPath        = "/oauth2/logout"
	devicePath        = "/device"
)

// Routes registers every route of the surface.
func (p *Provider) Routes(mux *http.ServeMux) {
	browser := func(h web.Handler) http.Handler { return p.Kit.Browser(h, web.AnyOrigin()) }
	mux.Handle("GET "+standardAuthorize, browser(p.authorize(oauth.Standard)))
	mux.Handle("POST "+standardAuthorize, browser(p.authorize(oauth.Standard)))
	mux.Handle("GET "+amazonAuthorize, browser(p.authorize(oauth.LoginWithAmazon)))
	mux.Handle("POST "+amazonAuthorize, browser(p.authorize(oauth.LoginWithAmazon)))

	mux.Handle("GET "+logoutPath, browser(p.logout))
	mux.Handle("POST "+logoutPath, browser(p.logout))
	mux.Handle("POST "+logoutPath+"/confirm", p.Kit.Browser(p.confirmLogout))

	mux.Handle("GET "+consentPath, p.Kit.Browser(p.consentPage))
	mux.Handle("POST "+consentPath, p.Kit.Browser(p.decide))

	mux.Handle("GET "+devicePath, p.Kit.Browser(p.devicePage))
	mux.Handle("POST "+devicePath, p.Kit.Browser(p.enterCode))

	mux.Handle(standardDevice, p.Kit.API(p.crossOrigin(p.deviceEndpoint(oauth.Standard), http.MethodPost)))
	mux.Handle(standardToken, p.Kit.API(p.crossOrigin(p.tokenEndpoint(oauth.Standard), http.MethodPost)))
	mux.Handle("/.well-known/openid-configuration", p.only(p.metadata, http.MethodGet, http.MethodHead))
	mux.Handle("/.well-known/oauth-authorization-server", p.only(p.metadata, http.MethodGet, http.MethodHead))
	mux.Handle("/oauth2/jwks", p.only(p.jwks, http.MethodGet, http.MethodHead))
	mux.Handle("/oauth2/userinfo", p.onlyShared(p.userInfo, http.MethodGet, http.MethodPost))
	mux.Handle("/oauth2/par", p.onlyShared(p.par, http.MethodPost))
	mux.Handle("/oauth2/introspect", p.only(p.introspect, http.MethodPost))
	mux.Handle("/oauth2/revoke", p.onlyShared(p.revoke, http.MethodPost))
	mux.Handle("/oauth2/changes", p.only(p.changes, http.MethodGet, http.MethodPost))
	mux.Handle(registrationPath, p.only(p.register, http.MethodPost))
	amazon := p.Kit.API(p.amazonAPI())
	for _, auth := range spellings("auth") {
		mux.Handle("/"+auth+"/", amazon)
	}
	mux.Handle("/user/profile", p.onlyShared(p.userProfile, http.MethodGet, http.MethodHead))
	mux.Handle("/ap/user/profile", p.onlyShared(p.oldUserProfile, http.MethodGet, http.MethodHead))
	mux.Handle("GET "+registry.RelayPath, p.Kit.Browser(p.relay))
	mux.Handle("/oauth2/clients/{client_id}", p.only(p.clientFacts, http.MethodGet, http.MethodHead))
}

// Countries serves the device's page below every country, in any case of the letters:
// /us/code (login-with-amazon.md section 9). Beside the other routes the pattern would
// be ambiguous, so it stands before next, which has what no route is for.
func (p *Provider) Countries(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	page := func(h web.Handler) http.HandlerFunc {
		served := p.Kit.Browser(h)
		return func(w http.ResponseWriter, r *http.Request) {
			if isCountry(r.PathValue("country")) && strings.EqualFold(r.PathValue("page"), "code") {
				served.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		}
	}
	mux.HandleFunc("GET /{country}/{page}", page(p.devicePage))
	mux.HandleFunc("POST /{country}/{page}", page(p.enterCode))
	mux.Handle("/", next)
	return mux
}

// only serves some methods and answers all others in JSON, as applications expect.
func (p *Provider) only(h web.Handler, methods ...string) http.Handler {
	return p.Kit.API(p.restrict(h, methods))
}

// onlyShared is only for an endpoint that pages of Allowed Origins may use (cors.go).
// Its handler calls share as soon as it knows whose request it is.
func (p *Provider) onlyShared(h web.Handler, methods ...string) http.Handler {
	return p.Kit.API(p.crossOrigin(p.restrict(h, methods), methods...))
}

func (p *Provider) restrict(h web.Handler, methods []string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			return p.writeError(w, r, http.StatusMethodNotAllowed, &oauth.Error{Code: oauth.InvalidRequest, Description: "Only " + strings.Join(methods, " and ") + " is supported"})
		}
		return h(w, r)
	}
}

// spellings gives a word of lower-case letters in every mix of upper and lower
// case: the mux, which sees to the first part of a path, tells them apart.
func spellings(word string) []string {
	all := []string{""}
	for _, letter := range word {
		var longer []string
		for _, s := range all {
			longer = append(longer, s+string(letter), s+strings.ToUpper(string(letter)))
		}
		all = longer
	}
	return all
}

// amazonAPI serves the paths that published clients spell in any case, such as
// /auth/O2/token (login-with-amazon.md section 7).
func (p *Provider) amazonAPI() web.Handler {
	endpoints := map[string]web.Handler{
		amazonToken:     p.crossOrigin(p.tokenEndpoint(oauth.LoginWithAmazon), http.MethodPost),
		amazonDevice:    p.crossOrigin(p.deviceEndpoint(oauth.LoginWithAmazon), http.MethodPost),
		amazonTokenInfo: p.crossOrigin(p.tokenInfo, http.MethodGet),
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		path := strings.ToLower(r.URL.Path)
		endpoint, ok := endpoints[path]
		if !ok {
			web.SetRoute(r.Context(), "/auth/")
			return p.writeError(w, r, http.StatusNotFound, &oauth.Error{Code: oauth.InvalidRequest, Description: "There is no such endpoint"})
		}
		web.SetRoute(r.Context(), path)
		return endpoint(w, r)
	}
}
