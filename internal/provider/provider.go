package provider

import (
	"crypto/hkdf"
	"crypto/sha256"
	"embed"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/fetch"
	"gatelodge/internal/limit"
	"gatelodge/internal/live"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

//go:embed *.html
var files embed.FS

// Options are what a Provider is made of.
type Options struct {
	Kit      *web.Kit
	Store    *store.Store
	View     *live.View
	Sessions *session.Manager
	// Issuer is the public base URL without a slash at its end.
	Issuer     string
	Namespace  registry.Namespace
	SubjectKey []byte
	Email      account.EmailPolicy
	Now        func() time.Time
	Address    func(*http.Request) netip.Addr
	// Fetch reaches the addresses that applications name.
	Fetch *fetch.Fetcher
	// Log is told of what goes wrong while applications are told of sign-outs.
	Log *slog.Logger
	// Draining is closed when the server is about to stop: nobody is kept waiting then.
	Draining <-chan struct{}
	// Registration says which applications may register themselves; "" is off.
	Registration Registration
	// RegistrationScopes are those that such applications may have, nil for all that
	// are built in.
	RegistrationScopes []string
	Logos              *registry.LogoDecoder
	// Metrics, when set, is where token requests are counted.
	Metrics prometheus.Registerer
}

// Provider serves the protocol. Call [Provider.Run] to have applications told of
// sign-outs.
type Provider struct {
	Options
	pages  *web.Pages
	cookie string
	// facts, pairs and pushes slow down what strangers can ask for and have kept.
	facts, pairs, pushes *limit.Limiter
	keySets              *fetch.KeySets
	// sessions is the key of the names that applications know sessions by.
	sessions []byte
	// logouts wakes up who tells of sign-outs.
	logouts chan struct{}
	// waiting are the requests at the feed for APIs.
	waiting waiting
	// tokens counts the requests for them.
	tokens *tokenMeter
}

// New makes a Provider.
func New(o Options) (*Provider, error) {
	pages, err := o.Kit.Pages(files)
	if err != nil {
		return nil, err
	}
	if err := pages.Need("consent", "device", "device_consent", "form_post", "logout", "logout_done", "logout_refused", "refused", "relay"); err != nil {
		return nil, err
	}
	// The answers to the pages are posted again as they were.
	answers := []web.Label{{Name: "decision"}, {Name: "account"}, {Name: "scope"}}
	o.Kit.Labels(consentPath, answers...)
	o.Kit.Labels(devicePath, append(answers, web.Label{Name: fieldUserCode, Text: labelUserCode})...)
	p := &Provider{Options: o, pages: pages, cookie: "gatelodge_request", tokens: newTokenMeter(o.Metrics)}
	if o.Sessions.Secure {
		p.cookie = "__Host-" + p.cookie
	}
	p.pairs = limit.New(limit.Rate{Burst: 120, Every: time.Second})
	p.facts = limit.New(limit.Rate{Burst: 60, Every: time.Second})
	p.pushes = limit.New(limit.Rate{Burst: 60, Every: time.Second})
	p.keySets = fetch.NewKeySets(o.Fetch)
	if p.sessions, err = hkdf.Key(sha256.New, o.SubjectKey, nil, "names of sessions", 32); err != nil {
		return nil, err
	}
	p.logouts = make(chan struct{}, 1)
	o.Store.Observe(p.wakeForLogouts)
	return p, nil
}

var (
	// silent is what Login with Amazon never asks consent for.
	silent = oauth.ScopeSet{}.With(registry.NumberUserID)
	// openID is the scope that asks for an ID token.
	openID = oauth.ScopeSet{}.With(registry.NumberOpenID)
)

// userID is how the profile's developer account knows the account.
func (p *Provider) userID(profile *registry.SecurityProfile, accountID int64) string {
	return registry.UserID(p.Namespace, p.SubjectKey, profile.DeveloperID, accountID)
}

// refuse tells the profile's owner why a request was turned away.
func (p *Provider) refuse(r *http.Request, profile *registry.SecurityProfile, refusal audit.Refusal) {
	if profile == nil {
		return
	}
	refusal.ProfileID = profile.ID
	refusal.RequestID = web.RequestID(r.Context())
	refusal.LastAt = p.Now()
	web.LogAttr(r.Context(), slog.String("refused", refusal.Code))
	p.View.Refused(refusal)
}

// words is what the owner reads of a protocol error.
func words(e *oauth.Error) string {
	if e.Reason != "" {
		return e.Reason
	}
	return e.Description
}
