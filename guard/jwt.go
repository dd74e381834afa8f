package guard

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that tokens are signed with, and proofs may be.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256}

// clockSkew is how far the clocks of server and API may be apart.
const clockSkew = 30 * time.Second

// verify reads a token that is a JWT (RFC 9068 section 4). It gives up, and the server
// is asked, on anything that it cannot settle by itself: a key it does not know, or a
// token that is older than the endings it knows.
func (g *Guard) verify(ctx context.Context, token string, now time.Time) (answer, bool) {
	if strings.Count(token, ".") != 2 {
		return answer{}, false
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return answer{}, false
	}
	header := jws.Signatures[0].Protected
	// Section 4: typ keeps ID tokens out (RFC 8725 section 3.11).
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); !strings.EqualFold(typ, "at+jwt") && !strings.EqualFold(typ, "application/at+jwt") {
		return answer{}, false
	}
	key, ok := g.keys.find(ctx, g, header.KeyID, now)
	if !ok || key.Algorithm != header.Algorithm {
		return answer{}, false
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return answer{}, false
	}
	var c struct {
		Issuer       string   `json:"iss"`
		Subject      string   `json:"sub"`
		Audience     audience `json:"aud"`
		ClientID     string   `json:"client_id"`
		Scope        string   `json:"scope"`
		IssuedAt     int64    `json:"iat"`
		ExpiresAt    int64    `json:"exp"`
		EndsWith     []string `json:"ends_with"`
		Confirmation struct {
			Thumbprint string `json:"jkt"`
		} `json:"cnf"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return answer{}, false
	}
	issued := time.Unix(c.IssuedAt, 0)
	switch {
	case c.Issuer != g.Issuer, !slices.Contains(c.Audience, g.Audience), len(c.EndsWith) == 0:
		return answer{}, false
	case now.Before(issued.Add(-clockSkew)), !g.follow.knows(issued.Add(-clockSkew)), g.answers.hasEnded(c.EndsWith):
		return answer{}, false
	}
	return answer{
		active: true, thumbprint: c.Confirmation.Thumbprint, handles: c.EndsWith,
		principal: Principal{Subject: c.Subject, ClientID: c.ClientID, Scopes: strings.Fields(c.Scope), ExpiresAt: time.Unix(c.ExpiresAt, 0)},
	}, true
}

// keySet is the server's, read when a key is not known.
type keySet struct {
	mu     sync.Mutex
	keys   []jose.JSONWebKey
	readAt time.Time
}

const (
	// keysLive is how long keys are used before they are read again: a key that was
	// withdrawn is not trusted for longer.
	keysLive = 10 * time.Minute
	// keysAgain is how often made-up key ids can cause a reading.
	keysAgain = 10 * time.Second
)

func (k *keySet) find(ctx context.Context, g *Guard, id string, now time.Time) (jose.JSONWebKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	has := func(key jose.JSONWebKey) bool { return key.KeyID == id }
	age := now.Sub(k.readAt)
	if age > keysLive || age > keysAgain && !slices.ContainsFunc(k.keys, has) {
		k.readAt = now
		if k.keys = nil; k.read(ctx, g) != nil {
			return jose.JSONWebKey{}, false
		}
	}
	i := slices.IndexFunc(k.keys, has)
	if i < 0 {
		return jose.JSONWebKey{}, false
	}
	return k.keys[i], true
}

func (k *keySet) read(ctx context.Context, g *Guard) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.Issuer+"/oauth2/jwks", nil)
	if err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := g.ask(r, &set); err != nil {
		return err
	}
	k.keys = set.Keys
	return nil
}
