package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/seal"
	"gatelodge/internal/signing"
	"gatelodge/internal/store"
)

// Bound is how old an answer from memory can be at most.
const Bound = time.Second

// Limits of profiles and grants are in bytes (weight.go), room for about 40,000 and
// 300,000 of the usual size. The others are numbers of entries.
const (
	profileBytes = 40 << 20
	grantBytes   = 64 << 20
	maxKeys      = 50_000 // of profiles
	maxPairs     = 400_000
	maxAccounts  = 100_000
	maxSessions  = 50_000
)

type signingKeys struct {
	set *signing.Set
	all []signing.Key
}

type pair struct{ account, profile int64 }

// View answers reads. It is made by [New], kept true by [View.Run] and safe for
// concurrent use. Values are shared: callers must not change them.
type View struct {
	store  *store.Store
	issuer string
	log    *slog.Logger
	origin time.Time // monotonic zero

	profiles *cache[int64, *registry.SecurityProfile]
	clients  *cache[registry.ClientKey, int64]
	apis     *cache[string, int64] // by their audience
	origins  *cache[string, int64] // one profile that allows it
	grants   *cache[int64, *authz.Grant]
	pairs    *cache[pair, int64]
	accounts *cache[int64, *account.Account]
	sessions *cache[[32]byte, *account.Session]
	scopes   *cache[struct{}, *registry.Scopes] // the one table

	keys    atomic.Pointer[seal.Keys]
	signing atomic.Pointer[signingKeys]
	// restored is when the database was last put back to an older state, in seconds.
	restored atomic.Int64
	// trustedSince is when the last good poll began, in nanoseconds after origin.
	trustedSince atomic.Int64
	clockAhead   atomic.Int64          // of the database's clock, in nanoseconds
	failure      atomic.Pointer[error] // of the last poll
	hears        atomic.Bool           // notifications come

	making sync.Mutex // one signing key is made at a time

	mu                       sync.Mutex // guards what follows
	cursor                   store.Cursor
	sealingRead, signingRead outcome

	// moved is closed and replaced when the feed has moved on.
	moved atomic.Pointer[chan struct{}]

	usage gathered
}

// New makes a view of the store for an issuer, reads the sealing keys and the
// place in the feed to follow from. Call [View.Run] to keep it true.
func New(ctx context.Context, s *store.Store, issuer string, log *slog.Logger) (*View, error) {
	v := &View{
		store: s, issuer: issuer, log: log, origin: time.Now(),
		profiles: newWeighed[int64](profileBytes, profileWeight),
		clients:  newCache[registry.ClientKey, int64](maxKeys),
		apis:     newCache[string, int64](maxKeys),
		origins:  newCache[string, int64](maxKeys),
		grants:   newWeighed[int64](grantBytes, grantWeight),
		pairs:    newCache[pair, int64](maxPairs),
		accounts: newCache[int64, *account.Account](maxAccounts),
		sessions: newCache[[32]byte, *account.Session](maxSessions),
		scopes:   newCache[struct{}, *registry.Scopes](1),
	}
	v.usage.init()
	moved := make(chan struct{})
	v.moved.Store(&moved)
	v.trustedSince.Store(int64(-Bound) - 1)
	if err := v.loadKeys(ctx); err != nil {
		return nil, err
	}
	s.Observe(v.apply)
	return v, v.poll(ctx)
}

// poll reads the feed once.
func (v *View) poll(ctx context.Context) error {
	began := time.Since(v.origin)
	v.mu.Lock()
	after := v.cursor
	v.mu.Unlock()
	feed, ahead, err := v.store.WatchChanges(ctx, after, pollWithin)
	if err != nil {
		return err
	}
	v.clockAhead.Store(int64(ahead))
	ctx, cancel := context.WithTimeout(ctx, Bound) // for keys, which are read by way of the others' connections
	defer cancel()
	v.mu.Lock()
	defer v.mu.Unlock()
	if feed.Reload {
		if feed.Next.Number < v.cursor.Number {
			v.reset(store.Cursor{}) // put back to an older state: numbers come again
		}
		v.reset(feed.Next)
		v.wake()
		if err := v.loadKeys(ctx); err != nil {
			return err
		}
	}
	if err := v.applyKeys(ctx, feed.Changes); err != nil {
		return err
	}
	v.apply(feed.Changes)
	v.cursor = feed.Next
	v.trustedSince.Store(int64(began))
	return nil
}

func (v *View) reset(at store.Cursor) {
	v.profiles.reset(at)
	v.clients.reset(at)
	v.apis.reset(at)
	v.origins.reset(at)
	v.grants.reset(at)
	v.pairs.reset(at)
	v.accounts.reset(at)
	v.sessions.reset(at)
	v.scopes.reset(at)
}

func (v *View) apply(changes []store.Change) {
	v.forget(changes)
	if len(changes) > 0 {
		v.wake()
	}
}

func (v *View) forget(changes []store.Change) {
	for _, c := range changes {
		switch c.Kind {
		case store.ProfileChanged:
			v.profiles.forget(c.ID(), c.Number)
		case store.GrantChanged:
			v.grants.forget(c.ID(), c.Number)
		case store.AccountChanged:
			v.accounts.forget(c.ID(), c.Number)
		case store.SessionChanged:
			var digest [32]byte
			copy(digest[:], c.Subject)
			v.sessions.forget(digest, c.Number)
		case store.ScopesChanged:
			v.scopes.forget(struct{}{}, c.Number)
		case store.DeviceEnded: // the profile's own change says so too
		case store.KeysChanged: // applyKeys
		case store.LogoutsDue: // the provider's
		}
	}
}

func (v *View) applyKeys(ctx context.Context, changes []store.Change) error {
	for _, c := range changes {
		if c.Kind == store.KeysChanged {
			return v.loadKeys(ctx)
		}
	}
	return nil
}

func (v *View) loadKeys(ctx context.Context) error {
	if err := v.loadSealing(ctx); err != nil {
		return err
	}
	return errors.Join(v.loadSigning(ctx), v.loadRestored(ctx))
}

func (v *View) loadSealing(ctx context.Context) error {
	stored, err := v.store.SealingKeys(ctx)
	if err != nil {
		return err
	}
	all := make([]seal.Key, len(stored))
	for i, k := range stored {
		all[i] = seal.Key{ID: k.ID, Secret: k.Secret, From: k.UsableFrom}
	}
	keys, err := seal.NewKeys(v.issuer, all)
	if err != nil {
		return fmt.Errorf("live: sealing keys: %w", err)
	}
	v.keys.Store(keys)
	return nil
}

func (v *View) loadSigning(ctx context.Context) error {
	stored, err := v.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	all := make([]signing.Key, len(stored))
	for i, k := range stored {
		if all[i], err = signing.ParsePrivate(k.Private); err != nil {
			return fmt.Errorf("live: signing key %s: %w", k.ID, err)
		}
		all[i].CreatedAt, all[i].UsableFrom, all[i].RetiredAt = k.CreatedAt, k.UsableFrom, k.RetiredAt
	}
	set, err := signing.NewSet(v.issuer, all)
	if err != nil {
		return fmt.Errorf("live: signing keys: %w", err)
	}
	v.signing.Store(&signingKeys{set, all})
	return nil
}

// Trusted reports whether answers come from memory, and how long ago the feed was
// last read.
func (v *View) Trusted() (trusted bool, lag time.Duration) {
	lag = time.Since(v.origin) - time.Duration(v.trustedSince.Load())
	return lag <= Bound, lag
}

// lookup answers from the cache, or loads and keeps. load is a method of the store and
// not of one store: a function that is bound to v would be made for each call.
func lookup[K comparable, V any](ctx context.Context, v *View, c *cache[K, *V], k K, load func(*store.Store, context.Context, K) (V, store.Cursor, error)) (*V, error) {
	if trusted, _ := v.Trusted(); trusted {
		if value, ok := c.get(k); ok {
			return value, nil
		}
	} else {
		c.passed.Add(1)
	}
	value, at, err := load(v.store, ctx, k)
	if err != nil {
		return nil, err
	}
	c.put(k, &value, at)
	return &value, nil
}

// Profile reads a profile by id, or answers store.ErrNotFound.
func (v *View) Profile(ctx context.Context, id int64) (*registry.SecurityProfile, error) {
	return lookup(ctx, v, v.profiles, id, (*store.Store).ProfileByID)
}

// Client reads a profile by its client key or that of one of its devices, or answers
// store.ErrNotFound. A key never moves to another profile, so only the profile itself
// can get old.
func (v *View) Client(ctx context.Context, key registry.ClientKey) (*registry.SecurityProfile, error) {
	if id, ok := v.clients.get(key); ok {
		p, err := v.Profile(ctx, id)
		if err == nil && p.Client != key {
			if _, ok := p.Device(key); !ok {
				return nil, store.ErrNotFound // the device was removed
			}
		}
		return p, err
	}
	p, at, err := v.store.ProfileByClient(ctx, key)
	if err != nil {
		return nil, err
	}
	v.clients.put(key, p.ID, at)
	v.profiles.put(p.ID, &p, at)
	return &p, nil
}

// API reads the profile of the API that has this identifier, or answers
// store.ErrNotFound. The operator can give an identifier to another profile.
func (v *View) API(ctx context.Context, audience string) (*registry.SecurityProfile, error) {
	if id, ok := v.apis.get(audience); ok {
		if p, err := v.Profile(ctx, id); err == nil && p.Audience == audience {
			return p, nil
		}
	}
	p, at, err := v.store.ProfileByAudience(ctx, audience)
	if err != nil {
		return nil, err
	}
	v.apis.put(audience, p.ID, at)
	v.profiles.put(p.ID, &p, at)
	return &p, nil
}

// HasOrigin reports whether any profile has the origin among its Allowed Origins. What
// no profile has is not remembered: strangers cannot fill the memory with it.
func (v *View) HasOrigin(ctx context.Context, origin string) (bool, error) {
	if id, ok := v.origins.get(origin); ok {
		if p, err := v.Profile(ctx, id); err == nil && registry.AllowsOrigin(p.Origins, origin) {
			return true, nil
		}
	}
	p, at, err := v.store.ProfileByOrigin(ctx, origin)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	v.origins.put(origin, p.ID, at)
	v.profiles.put(p.ID, &p, at)
	return registry.AllowsOrigin(p.Origins, origin), nil
}

// Grant reads a grant by id, or answers store.ErrNotFound.
func (v *View) Grant(ctx context.Context, id int64) (*authz.Grant, error) {
	return lookup(ctx, v, v.grants, id, (*store.Store).GrantSnapshot)
}

// GrantOf reads the grant of a code or token that was issued at a time with some scopes.
// Where the view's grant lacks one of these, it may have been allowed on another server
// a moment ago: then the database is asked.
func (v *View) GrantOf(ctx context.Context, id int64, scopes oauth.ScopeSet, issued, now time.Time) (*authz.Grant, error) {
	g, err := v.Grant(ctx, id)
	if err != nil || g.Scopes.ContainsAll(scopes) || now.Sub(issued) > Bound+authz.ClockSkew {
		return g, err
	}
	fresh, at, err := v.store.GrantSnapshot(ctx, id)
	if err != nil {
		return nil, err
	}
	v.grants.put(id, &fresh, at)
	return &fresh, nil
}

// GrantFor reads the grant of an account to a profile, or answers
// store.ErrNotFound. A grant that ends leaves its id for good, so a remembered id
// is either right or not found any more.
func (v *View) GrantFor(ctx context.Context, accountID, profileID int64) (*authz.Grant, error) {
	k := pair{accountID, profileID}
	if id, ok := v.pairs.get(k); ok {
		if g, err := v.Grant(ctx, id); !errors.Is(err, store.ErrNotFound) {
			return g, err
		}
	}
	g, at, err := v.store.GrantFor(ctx, accountID, profileID)
	if err != nil {
		return nil, err
	}
	v.pairs.put(k, g.ID, at)
	v.grants.put(g.ID, &g, at)
	return &g, nil
}

// Account reads an account by id, or answers store.ErrNotFound.
func (v *View) Account(ctx context.Context, id int64) (*account.Account, error) {
	return lookup(ctx, v, v.accounts, id, (*store.Store).AccountSnapshot)
}

// Session reads a session by its digest, expired or not, or answers
// store.ErrNotFound.
func (v *View) Session(ctx context.Context, digest [32]byte) (*account.Session, error) {
	return lookup(ctx, v, v.sessions, digest, (*store.Store).SessionSnapshot)
}

// Scopes reads the table of scopes.
func (v *View) Scopes(ctx context.Context) (*registry.Scopes, error) {
	return lookup(ctx, v, v.scopes, struct{}{}, func(s *store.Store, ctx context.Context, _ struct{}) (registry.Scopes, store.Cursor, error) {
		all, at, err := s.Scopes(ctx)
		if err != nil {
			return registry.Scopes{}, at, err
		}
		t, err := registry.NewScopes(all)
		if err != nil {
			return registry.Scopes{}, at, fmt.Errorf("live: %w", err)
		}
		return *t, at, nil
	})
}
