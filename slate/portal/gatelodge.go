package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatelodge/internal/web"
)

// gatelodge is what its metadata says.
type gatelodge struct {
	provider *oidc.Provider
	oauth2   oauth2.Config
	verifier *oidc.IDTokenVerifier
	// endSession is where it signs people out, "" when it cannot be asked to.
	endSession string
	// names: its answers name it (RFC 9207 section 3).
	names  bool
	readAt time.Time
}

// metadataLives is how long metadata is relied on.
const metadataLives = time.Hour

// gatelodge gives what is known of Gatelodge, and asks when nothing is. What has
// become old serves on while there is no answer.
func (p *Portal) gatelodge(ctx context.Context, now time.Time) (*gatelodge, error) {
	p.mu.Lock()
	known := p.known
	p.mu.Unlock()
	if known != nil && now.Sub(known.readAt) < metadataLives {
		return known, nil
	}
	fresh, err := p.readMetadata(ctx, now)
	if err != nil && known != nil {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = fresh
	return fresh, nil
}

func (p *Portal) readMetadata(ctx context.Context, now time.Time) (*gatelodge, error) {
	provider, err := oidc.NewProvider(p.asking(ctx), p.options.Gatelodge)
	if err != nil {
		return nil, err
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
		Names      bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, err
	}
	return &gatelodge{
		provider: provider,
		oauth2: oauth2.Config{
			ClientID: p.options.ClientID, ClientSecret: p.options.ClientSecret, Endpoint: provider.Endpoint(),
			RedirectURL: p.options.URL + ReturnPath, Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
		},
		verifier:   provider.Verifier(&oidc.Config{ClientID: p.options.ClientID, Now: p.options.Now}),
		endSession: more.EndSession, names: more.Names, readAt: now,
	}, nil
}

// asking makes the libraries use Slate's client.
func (p *Portal) asking(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.options.HTTPClient)
}

// downFor is when to try again, where Gatelodge could not be asked.
const downFor = 30 * time.Second

// down is the page for when Gatelodge cannot be asked.
func down(err error, links ...web.Link) *web.Error {
	return &web.Error{
		Status: http.StatusServiceUnavailable, Title: "Gatelodge does not answer", Turn: web.OurTurn,
		Detail: "Slate’s users sign in with Gatelodge, and applications are registered there. It cannot be reached at the moment; nothing that you did caused it.",
		Next:   "Wait a minute, then try again.", Links: links, RetryAfter: downFor, Err: err,
	}
}

// withoutKeys reports whether a token could not be verified because the keys could not
// be read. The library says so in words alone.
func withoutKeys(err error) bool { return strings.Contains(err.Error(), "fetching keys") }

// facts are what Gatelodge tells everybody of an application.
type facts struct {
	ClientID  string `json:"client_id"`
	Name      string `json:"client_name"`
	Logo      string `json:"logo_uri"`
	Publisher string `json:"publisher"`
	Privacy   string `json:"policy_uri"`
}

var (
	errNoClient = errors.New("portal: no application has this client ID")
	// clientID is a client ID that can be a part of a path as it is.
	clientID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]{7,199}$`)
)

// maxFacts bounds what is read of an answer.
const maxFacts = 64 << 10

// facts asks for what is public of a client, or answers errNoClient.
func (p *Portal) facts(ctx context.Context, id string) (facts, error) {
	if !clientID.MatchString(id) {
		return facts{}, errNoClient
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.options.Gatelodge+"/oauth2/clients/"+url.PathEscape(id), nil)
	if err != nil {
		return facts{}, err
	}
	response, err := p.options.HTTPClient.Do(r)
	if err != nil {
		return facts{}, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return facts{}, errNoClient
	default:
		return facts{}, fmt.Errorf("portal: Gatelodge answered %d to a question about a client", response.StatusCode)
	}
	var f facts
	if err := json.NewDecoder(io.LimitReader(response.Body, maxFacts)).Decode(&f); err != nil {
		return facts{}, err
	}
	if f.ClientID != id || f.Name == "" {
		return facts{}, errors.New("portal: Gatelodge told of another client than was asked for")
	}
	if !strings.HasPrefix(f.Logo, p.origin+"/") {
		f.Logo = "" // pictures come from Gatelodge alone
	}
	if u, err := url.Parse(f.Privacy); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		f.Privacy = ""
	}
	return f, nil
}
