package provider

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

// What a token may end with before its time. A handle stands for one of them, as one
// API knows it: handles of two APIs cannot be compared, and nothing can be read out
// of one.
const (
	byGrant   = "grant"
	byFamily  = "family"
	byAccount = "account"
	byClient  = "client"
	byDevice  = "device"
)

func (p *Provider) handle(api *registry.SecurityProfile, kind string, subject []byte) string {
	h := hmac.New(sha256.New, p.SubjectKey)
	h.Write([]byte("ends with\x00" + kind + "\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(api.ID)))
	h.Write(subject)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

func idBytes(id int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

// handles are all that a token may end with.
func (p *Provider) handles(api *registry.SecurityProfile, t authz.AccessToken, account int64) []string {
	all := []string{p.handle(api, byClient, idBytes(t.ProfileID))}
	if t.Extra.Device > 0 {
		all = append(all, p.handle(api, byDevice, idBytes(t.Extra.Device)))
	}
	if !t.ClientOnly() {
		all = append(all, p.handle(api, byGrant, idBytes(t.GrantID)), p.handle(api, byFamily, t.Family[:]), p.handle(api, byAccount, idBytes(account)))
	}
	return all
}

// endings is an answer of the feed for APIs.
type endings struct {
	// Reset: everything that was kept has to be forgotten, for what has ended in
	// between is not known.
	Reset bool `json:"reset,omitempty"`
	// Ended are handles: tokens whose ends_with has one of them are good no more.
	Ended []string `json:"ended"`
	// Next is where to go on from, as the parameter after.
	Next string `json:"next"`
}

const (
	// longestWait is how long a request waits for something to tell at most.
	longestWait = 25 * time.Second
	// maxWaiting is how many requests of one API may wait at a time.
	maxWaiting = 8
)

// changes tells an API which of its tokens have ended, so that it need not ask for
// each of them again. A request waits up to the number of seconds in wait until there
// is something to tell. An API that got no answer in time has to ask for each token
// again until it does.
func (p *Provider) changes(w http.ResponseWriter, r *http.Request) error {
	x := &exchange{path: oauth.Standard, now: p.Now()}
	query, err := p.authenticateAPI(r, x)
	if err != nil {
		return p.turnBack(w, r, x, err)
	}
	wait, after, perr := parseFollow(query)
	if perr != nil {
		return p.turnBack(w, r, x, perr)
	}
	if !p.waiting.enter(x.client.ID) {
		w.Header().Set("Retry-After", "1")
		return p.writeError(w, r, http.StatusTooManyRequests, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "Too many requests wait at once"})
	}
	defer p.waiting.leave(x.client.ID)
	answer, err := p.await(r.Context(), x.client, after, wait)
	if r.Context().Err() != nil {
		return nil // nobody is there any more
	}
	if err != nil {
		return p.unavailable(w, r, err)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// authenticateAPI lets in who is an API: a security profile with an audience. Its
// credentials are in the header of a GET request, or in a form like those of
// introspection: the one way for an API that authenticates by key. It gives the
// parameters beside them.
func (p *Provider) authenticateAPI(r *http.Request, x *exchange) (query url.Values, err error) {
	if r.Method == http.MethodPost {
		_, err = p.identify(r, x)
		query = x.values
	} else {
		query = r.URL.Query()
		err = p.authenticateByHeader(r, x)
	}
	switch {
	case err != nil:
		return nil, err
	case x.method == oauth.AuthNone:
		return nil, oauth.ClientAuthenticationFailed().Because("The feed of endings needs the client secret or key.")
	case x.client.Audience == "":
		return nil, oauth.NotAuthorized().Because("This security profile is not an API: the operator has given it no audience.")
	}
	return query, nil
}

func (p *Provider) authenticateByHeader(r *http.Request, x *exchange) error {
	credentials, perr := oauth.ParseClientCredentials(r.Header.Values("Authorization"), oauth.Params{})
	if perr != nil {
		return oauth.ClientAuthenticationFailed().Because(words(perr))
	}
	if err := p.authenticate(r.Context(), x, credentials); err != nil {
		return err
	}
	return x.inService()
}

// parseFollow reads after and wait. A cursor that is not understood is as good as one
// from another life of the database.
func parseFollow(query url.Values) (time.Duration, store.Cursor, *oauth.Error) {
	wait := longestWait
	if text := query.Get("wait"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 16)
		if err != nil || time.Duration(seconds)*time.Second > longestWait {
			return 0, store.Cursor{}, oauth.InvalidParameter("wait")
		}
		wait = time.Duration(seconds) * time.Second
	}
	epoch, number, _ := strings.Cut(query.Get("after"), ".")
	raw, epochErr := hex.DecodeString(epoch)
	n, numberErr := strconv.ParseInt(number, 10, 64)
	if epochErr != nil || numberErr != nil {
		return wait, store.Cursor{}, nil
	}
	return wait, store.Cursor{Epoch: string(raw), Number: n}, nil
}

// await answers as soon as there is something to tell, or when the time is up.
func (p *Provider) await(ctx context.Context, api *registry.SecurityProfile, after store.Cursor, wait time.Duration) (endings, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		moved := p.View.Moved() // before reading: nothing that comes in between is missed
		feed, err := p.View.Follow(ctx, after)
		if err != nil {
			return endings{}, err
		}
		told, err := p.tell(ctx, api, feed)
		if err != nil || told.Reset || len(told.Ended) > 0 {
			return told, err
		}
		after = feed.Next
		select {
		case <-moved:
		case <-timer.C:
			return told, nil
		case <-p.Draining:
			return told, nil
		case <-ctx.Done():
			return told, ctx.Err()
		}
	}
}

// tell makes out of changes what an API has to know.
func (p *Provider) tell(ctx context.Context, api *registry.SecurityProfile, feed store.Feed) (endings, error) {
	told := endings{Ended: []string{}, Reset: feed.Reload, Next: hex.EncodeToString([]byte(feed.Next.Epoch)) + "." + strconv.FormatInt(feed.Next.Number, 10)}
	for _, c := range feed.Changes {
		if c.Kind == store.ScopesChanged {
			told.Reset = true
			continue
		}
		ended, err := p.ended(ctx, api, c)
		if err != nil {
			return endings{}, err
		}
		told.Ended = append(told.Ended, ended...)
	}
	slices.Sort(told.Ended)
	told.Ended = slices.Compact(told.Ended)
	return told, nil
}

// ended are the handles of what a change has ended.
func (p *Provider) ended(ctx context.Context, api *registry.SecurityProfile, c store.Change) ([]string, error) {
	one := func(kind string) []string { return []string{p.handle(api, kind, []byte(c.Subject[:8]))} }
	switch c.Kind {
	case store.GrantChanged:
		return p.endedOfGrant(ctx, api, c)
	case store.AccountChanged:
		a, err := p.View.Account(ctx, c.ID())
		if errors.Is(err, store.ErrNotFound) || err == nil && !a.DisabledAt.IsZero() {
			return one(byAccount), nil
		}
		return nil, err
	case store.ProfileChanged:
		profile, err := p.View.Profile(ctx, c.ID())
		if errors.Is(err, store.ErrNotFound) || err == nil && !profile.SuspendedAt.IsZero() {
			return one(byClient), nil
		}
		return nil, err
	case store.DeviceEnded:
		return one(byDevice), nil
	default:
		return nil, nil
	}
}

// endedOfGrant tells an API of grants that have scopes of its own, and of no others.
func (p *Provider) endedOfGrant(ctx context.Context, api *registry.SecurityProfile, c store.Change) ([]string, error) {
	table, err := p.View.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	grant, err := p.View.Grant(ctx, c.ID())
	if errors.Is(err, store.ErrNotFound) {
		if scopes, known := c.Scopes(); known && table.For(api.ID, scopes).Empty() {
			return nil, nil
		}
		return []string{p.handle(api, byGrant, idBytes(c.ID()))}, nil
	}
	if err != nil || table.For(api.ID, grant.Scopes).Empty() {
		return nil, err
	}
	var all []string
	for _, family := range grant.Ended {
		all = append(all, p.handle(api, byFamily, family[:]))
	}
	return all, nil
}
