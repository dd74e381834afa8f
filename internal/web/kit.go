package web

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Body sizes. A form that carries a picture may bring it twice — the copy kept
// from an earlier attempt, a third larger for its base64, and a newly chosen
// file — and a file somewhat above the limit must still reach the handler, so
// that the answer is the form again and not a bare refusal.
const (
	FormBody   = 128 << 10
	UploadBody = 4 << 20
)

// Options are what a Kit is made of.
type Options struct {
	// ProductName is shown in the header and in every title; "Gatelodge" when empty.
	ProductName string
	// Contact is where Contact us leads: a mail address or an http(s) URL.
	// When empty the page names the operator of the installation instead.
	Contact string
	// Issuer is the public base URL, without a trailing slash; the help pages
	// write it into their examples.
	Issuer string
	Logger *slog.Logger
	// Secure says that the issuer is https: the browser is told to stay there.
	Secure bool
	Now    func() time.Time
	// Account tells who is signed in, for the pages that web serves itself.
	// It may be nil, and its result may be nil.
	Account func(*http.Request) *AccountBadge
	// Regions are all regions of the service; empty where there is only this one.
	Regions []Region
	// Unavailable, when set, tells the errors that say no more than "not now", such as
	// those of a database that is just being replaced: they are answered with 503 and
	// Retry-After. All that it does not know are faults of the program, and 500.
	Unavailable func(error) bool
	// Frame, when set, holds templates (*.html) that take the place of pieces of the
	// layout: "styles", "mark", "bar" and "foot". Products have their own.
	Frame fs.FS
	// Assets, when set, are served beside the kit's; one of the same name takes its place.
	Assets fs.FS
	// Metrics, when set, is where requests are counted.
	Metrics prometheus.Registerer
}

// Region is one of several places of the service, each with addresses of its own.
type Region struct {
	Title, Issuer string
	// Countries are those at home there, in words.
	Countries []string
	Here      bool
}

// Kit holds what all pages share: layout, components, assets, headers, log.
type Kit struct {
	product string
	contact string
	issuer  string
	regions []Region
	log     *slog.Logger
	meters  *meters
	now     func() time.Time
	account func(*http.Request) *AccountBadge
	passing func(error) bool

	secure  bool
	headers http.Header
	origin  *http.CrossOriginProtection
	assets  assetSet
	base    *templates
	errors  *Pages
	labels  map[string]labelSet
}

// New makes a Kit. It fails only when an asset is broken.
func New(o Options) (*Kit, error) {
	k := &Kit{
		product: cmp.Or(o.ProductName, "Gatelodge"),
		contact: o.Contact,
		issuer:  cmp.Or(o.Issuer, "http://localhost:8080"),
		regions: o.Regions,
		log:     o.Logger,
		meters:  newMeters(o.Metrics),
		now:     o.Now,
		account: o.Account,
		passing: o.Unavailable,
		labels:  make(map[string]labelSet),
		secure:  o.Secure,
		headers: pageHeaders(o.Secure),
		origin:  http.NewCrossOriginProtection(),
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.now == nil {
		k.now = time.Now
	}
	if k.passing == nil {
		k.passing = func(error) bool { return false }
	}
	var err error
	if k.assets, err = loadAssets(o.Assets); err != nil {
		return nil, fmt.Errorf("web: assets: %w", err)
	}
	k.base = k.newBase(o.Frame)
	if k.errors, err = k.ownPages("errors"); err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	return k, nil
}
