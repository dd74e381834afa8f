package provider

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/seal"
	"gatelodge/internal/store"
)

// requestURN begins every request_uri that is given out here (RFC 9126 section 2.2).
// Others are never read, and nothing is ever fetched from one (CVE-2020-10770).
const requestURN = "urn:ietf:params:oauth:request_uri:"

// par takes an authorization request from the application itself, before its user's
// browser comes (RFC 9126 section 2).
func (p *Provider) par(w http.ResponseWriter, r *http.Request) error {
	x := &exchange{path: oauth.Standard, now: p.Now()}
	params, err := p.identify(r, x)
	if err == nil && x.method == oauth.AuthNone {
		if !x.client.Settings.Kind.Public() {
			err = oauth.ClientAuthenticationFailed().Because("Pushing a request needs the client secret or key, except for single pages and native apps.")
		} else if wait, ok := p.pushes.Allow(p.Address(r), x.now); !ok {
			// Anybody can say that they are this client, and each request is a row.
			w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			return p.writeError(w, r, http.StatusTooManyRequests, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "Too many requests"})
		}
	}
	id := ""
	if err == nil {
		id, err = p.push(r, x, params)
	}
	err = errors.Join(err, p.offerNonceFor(w, r, x))
	if e, ok := errors.AsType[*unsafeTarget](err); ok {
		p.refuse(r, e.profile, e.refusal(r.URL.Path))
		return p.writeError(w, r, e.cause.Status(), e.cause)
	}
	if e, ok := errors.AsType[*rejection](err); ok {
		err = e.cause
	}
	if err != nil {
		return p.turnBack(w, r, x, err)
	}
	p.share(w, r, x.client)
	return writeJSON(w, http.StatusCreated, struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int    `json:"expires_in"`
	}{requestURN + id, int(store.PushedLifetime / time.Second)})
}

// push verifies a request as the authorization endpoint would, and keeps it.
func (p *Provider) push(r *http.Request, x *exchange, params oauth.Params) (id string, err error) {
	if params.Value("request_uri") != "" {
		// RFC 9126 section 2.1.
		return "", oauth.InvalidParameter("request_uri").Because("A request that is pushed cannot name one that was pushed before.")
	}
	if err := p.prove(r, x); err != nil {
		return "", err
	}
	values := maps.Clone(x.values)
	for _, credential := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		values.Del(credential)
	}
	values.Set("client_id", p.clientID(x.client, x.device))
	if x.key != (jkt{}) {
		if sent := params.Value("dpop_jkt"); sent != "" && sent != thumbprint(x.key) {
			// RFC 9449 section 10.1.
			return "", oauth.InvalidParameter("dpop_jkt").Because("The dpop_jkt is not of the key that the DPoP proof is by.")
		}
		values.Set("dpop_jkt", thumbprint(x.key))
	}
	q, err := p.verify(r.Context(), values, oauth.Standard)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	sealed, err := p.View.Keys().Seal(nil, seal.Pushed, x.now, plain)
	if errors.Is(err, seal.ErrTooLong) {
		return "", q.tooLong()
	}
	if err != nil {
		return "", err
	}
	if err := p.spend(r.Context(), x); err != nil {
		return "", err
	}
	// Section 7.1: nobody can guess it, and who reads the database cannot use it.
	var raw [32]byte
	rand.Read(raw[:])
	id = base64.RawURLEncoding.EncodeToString(raw[:])
	return id, p.Store.PushRequest(r.Context(), sha256.Sum256([]byte(id)), x.client.ID, sealed, x.now)
}

// pushedID gives the id of a request_uri that was given out here, if the parameters
// have one.
func pushedID(values url.Values, d oauth.Dialect) (id string, ok bool) {
	if d != oauth.Standard || len(values["request_uri"]) != 1 {
		return "", false
	}
	return strings.CutPrefix(values.Get("request_uri"), requestURN)
}

// authorizePushed goes on with a request that was pushed: client_id and request_uri are
// all that is looked at (RFC 9126 section 4). Nothing but a page can answer an error
// before the request is known, as there is no return URL to trust.
func (p *Provider) authorizePushed(w http.ResponseWriter, r *http.Request, values url.Values, id string) error {
	if r.Method == http.MethodPost {
		// As with other posted requests, another site's form decides nothing; the request
		// is taken when the browser comes back by GET.
		http.Redirect(w, r, r.URL.Path+"?"+url.Values{"client_id": {values.Get("client_id")}, "request_uri": {requestURN + id}}.Encode(), http.StatusSeeOther)
		return nil
	}
	q, err := p.takePushed(r, values, id)
	if err != nil {
		return p.turnAway(w, r, err)
	}
	return p.goOn(w, r, q)
}

func (p *Provider) takePushed(r *http.Request, values url.Values, id string) (*request, error) {
	ctx := r.Context()
	profile, key, err := p.client(ctx, oauth.ParseParams(values).Value("client_id"))
	if err != nil {
		return nil, err
	}
	stale := &unsafeTarget{
		cause: &oauth.Error{Code: oauth.InvalidRequestURI, Description: "The request_uri is not valid",
			Reason: "This request is more than 90 seconds old, was used already, or was pushed by another application."},
		profile: profile, clientID: values.Get("client_id"),
	}
	if key != profile.Client {
		return nil, stale // a device's client ID, which pushes nothing
	}
	sealed, err := p.Store.TakeRequest(ctx, sha256.Sum256([]byte(id)), profile.ID, p.Now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, stale
	}
	if err != nil {
		return nil, err
	}
	plain, err := p.View.Open(ctx, seal.Pushed, string(sealed))
	if err != nil {
		return nil, err
	}
	var pushed url.Values
	if err := json.Unmarshal(plain, &pushed); err != nil {
		return nil, err
	}
	// The profile may have changed since.
	return p.verify(ctx, pushed, oauth.Standard)
}
