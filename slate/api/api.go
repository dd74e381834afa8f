package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatelodge/guard"
	"gatelodge/internal/web"
	"gatelodge/slate/reports"
	"gatelodge/slate/store"
)

// Base is the path of the API.
const Base = "/apis/v1"

// Options are what an API is made of.
type Options struct {
	Store   *store.Store
	Library *reports.Library
	Guard   *guard.Guard
	Kit     *web.Kit
	// Bar is what the top of the API's page shows to whoever asks for it; nil for nothing.
	Bar func(http.ResponseWriter, *http.Request) (any, error)
	// URL is the public base URL, without a slash at its end.
	URL string
	// Scope is what a token has to have.
	Scope string
	// Rate is how often an application may call for one user; the zero value is
	// DefaultRate.
	Rate Rate
	Log  *slog.Logger
	Now  func() time.Time
}

// API answers calls. It is safe for concurrent use.
type API struct {
	Options
	rates *rates
	calls calls
	docs  *docs
}

// New makes an API. It fails only when what is built in is broken.
func New(o Options) (*API, error) {
	if o.Rate == (Rate{}) {
		o.Rate = DefaultRate
	}
	d, err := newDocs(o)
	if err != nil {
		return nil, err
	}
	return &API{Options: o, rates: newRates(o.Rate), docs: d}, nil
}

// Routes registers everything of the API.
func (a *API) Routes(mux *http.ServeMux) {
	for path, resource := range map[string]resource{
		"/accounts":                   a.accounts,
		"/accounts/{account}":         a.groups,
		"/accounts/{account}/{group}": a.channels,
		"/accounts/{account}/{group}/{channel}/reportTypes":                a.types,
		"/accounts/{account}/{group}/{channel}/reportTypes/{type}/reports": a.reports,
	} {
		mux.Handle(Base+path, a.Kit.API(Readable(a.resource(resource))))
		mux.Handle(Base+path+"/{$}", a.Kit.API(Readable(withoutSlash)))
	}
	mux.Handle(Base+"/openapi.json", a.Kit.API(Readable(a.docs.serveDocument)))
	mux.Handle("/apis/", a.Kit.API(nothing))
	mux.Handle("GET /apis/{$}", http.RedirectHandler("/apis", http.StatusPermanentRedirect))
	mux.Handle("GET /apis", a.Kit.Browser(a.docs.servePage))
}

// Readable turns away other methods than those that read, and lets pages of every
// origin read: what is answered goes by the token or the signature in a request alone,
// never by a cookie.
func Readable(h web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		const allowed = "GET, HEAD, OPTIONS"
		cors := w.Header()
		cors["Access-Control-Allow-Origin"] = everyOrigin
		cors["Access-Control-Expose-Headers"] = exposed
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			return h(w, r)
		case http.MethodOptions:
			cors.Set("Access-Control-Allow-Methods", allowed)
			cors.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, If-None-Match, If-Range, Range")
			cors.Set("Access-Control-Max-Age", "86400")
			w.Header().Set("Allow", allowed)
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		w.Header().Set("Allow", allowed)
		return methodNotAllowed().write(w, r)
	}
}

// Headers that never change share their values; nobody appends to them.
var (
	everyOrigin     = []string{"*"}
	exposed         = []string{"ETag, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, WWW-Authenticate, X-Amzn-RequestId"}
	privateNoCache  = []string{"private, no-cache"}
	byAuthorization = []string{"Authorization"}
	jsonType        = []string{"application/json"}
)

// withoutSlash sends clients that join paths with one slash too many to the resource.
func withoutSlash(w http.ResponseWriter, r *http.Request) error {
	to := url.URL{Path: strings.TrimSuffix(r.URL.Path, "/"), RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
	return nil
}

// nothing answers where there is no resource.
func nothing(w http.ResponseWriter, r *http.Request) error {
	return notFound("There is no resource with this path: see "+Base+"/openapi.json.").write(w, r)
}

// callsEvery is how often the times of the last calls are written down.
const callsEvery = time.Minute

// Run writes down when applications called last, until ctx ends.
func (a *API) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			// What was gathered is still to be written.
			a.writeCalls(context.WithoutCancel(ctx))
			return
		case <-time.After(callsEvery):
			a.writeCalls(ctx)
		}
	}
}

func (a *API) writeCalls(ctx context.Context) {
	gathered := a.calls.take()
	if len(gathered) == 0 {
		return
	}
	if err := a.Store.Called(ctx, gathered); err != nil {
		for id, at := range gathered {
			a.calls.note(id, at)
		}
		a.Log.WarnContext(ctx, "the times of the last calls could not be written", "error", err)
	}
}
