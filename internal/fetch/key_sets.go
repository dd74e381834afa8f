package fetch

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatelodge/internal/signing"
)

const (
	maxKeySets = 1000
	// What an answer says of its own freshness counts within these bounds.
	freshFor, freshAtLeast, freshAtMost = 10 * time.Minute, time.Minute, time.Hour
	// pause is between two requests to one address, whatever strangers send.
	pause = 30 * time.Second
	// usableFor bounds how long a key that was taken back may count while its
	// owner's server cannot be reached.
	usableFor = 24 * time.Hour
)

// KeySets keeps the key sets that clients publish at an address of their own
// (jwks_uri), a bounded number of them. It is safe for concurrent use.
type KeySets struct {
	fetcher *Fetcher
	mu      sync.Mutex
	sets    map[string]*keySet
}

// NewKeySets returns an empty cache for the whole process to share.
func NewKeySets(f *Fetcher) *KeySets {
	return &KeySets{fetcher: f, sets: make(map[string]*keySet)}
}

// For gives the keys at an address for verifying an assertion. They are read again
// when they are no longer fresh, or when the assertion names a key that is not among
// them: that is how a new key is announced (OpenID Connect Core section 10.1.1). When
// the address cannot be read, the keys that it had go on for a day; when it has a set
// that is refused, they end, because that is what their owner says. Errors are
// *[Error], but for ctx's own.
func (s *KeySets) For(ctx context.Context, address, assertion string, now time.Time) (signing.ClientKeys, error) {
	set := s.at(address)
	for {
		set.mu.Lock()
		usable := now.Before(set.usableUntil)
		serves := usable && !set.keys.Lack(assertion)
		keys, problem, reading := set.keys, set.problem, set.reading
		switch {
		case serves && (now.Before(set.freshUntil) || reading != nil), reading == nil && now.Before(set.triedAt.Add(pause)):
			set.mu.Unlock()
			if !usable || !serves && problem != nil {
				return signing.ClientKeys{}, problem
			}
			return keys, nil
		case reading != nil:
			set.mu.Unlock()
			select {
			case <-reading:
			case <-ctx.Done():
				return signing.ClientKeys{}, ctx.Err()
			}
		default:
			set.reading, set.triedAt = make(chan struct{}), now
			set.mu.Unlock()
			// Others may wait for it, so it does not end with this request.
			set.read(context.WithoutCancel(ctx), s.fetcher, address, now)
		}
	}
}

// at gives the entry of an address. A full cache gives up an arbitrary one.
func (s *KeySets) at(address string) *keySet {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, ok := s.sets[address]
	if !ok {
		if len(s.sets) >= maxKeySets {
			for other := range s.sets {
				delete(s.sets, other)
				break
			}
		}
		set = &keySet{}
		s.sets[address] = set
	}
	return set
}

type keySet struct {
	mu                      sync.Mutex
	reading                 chan struct{} // nil unless a request is under way; closed at its end
	triedAt                 time.Time
	keys                    signing.ClientKeys
	freshUntil, usableUntil time.Time
	problem                 error // why the last request brought no keys
}

func (k *keySet) read(ctx context.Context, f *Fetcher, address string, now time.Time) {
	body, err := f.Get(ctx, address, "application/jwk-set+json, application/json", MaxBytes)
	var keys signing.ClientKeys
	if err == nil {
		keys, err = signing.ParseJWKS(body.Data)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.problem = err
	if err == nil {
		k.keys, k.freshUntil, k.usableUntil = keys, now.Add(freshness(body.cacheControl)), now.Add(usableFor)
	} else if refused, ok := errors.AsType[*signing.KeySetError](err); ok {
		k.problem = &Error{refused.Message, err}
		k.keys, k.freshUntil, k.usableUntil = signing.ClientKeys{}, time.Time{}, time.Time{}
	}
	close(k.reading)
	k.reading = nil
}

// freshness reads Cache-Control (RFC 9111 section 5.2.2).
func freshness(cacheControl string) time.Duration {
	fresh := freshFor
	for directive := range strings.SplitSeq(strings.ToLower(cacheControl), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return freshAtLeast
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				fresh = time.Duration(seconds) * time.Second
			}
		}
	}
	return min(max(fresh, freshAtLeast), freshAtMost)
}
