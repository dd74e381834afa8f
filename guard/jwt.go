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
	case c.Issuer != g.options.Issuer, !slices.Contains(c.Audience, g.options.Audience), len(c.EndsWith) == 0:
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
	mu   sync.Mutex
	keys []jose.JSONWebKey
	// readAt is when keys were read, triedAt when that was last begun.
	readAt, triedAt time.Time
}

const (
	// keysLive is how long keys are used before they are read again: a key that was
	// withdrawn is not trusted for longer.
	keysLive = 10 * time.Minute
	// keysAgain is how often made-up key ids can cause a reading.
	keysAgain = 10 * time.Second
)

// find gives a key by its id. While one request reads the set anew, the others go on
// with what is known: a made-up id costs nobody else anything.
func (k *keySet) find(ctx context.Context, g *Guard, id string, now time.Time) (jose.JSONWebKey, bool) {
	key, known, due := k.look(id, now)
	if !due {
		return key, known
	}
	// Whoever hangs up must not end a reading that is for all.
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysAgain)
	defer cancel()
	keys, err := readKeys(reading, g)
	k.mu.Lock()
	if err == nil {
		k.keys, k.readAt = keys, now
	} else if now.Sub(k.readAt) > keysLive {
		k.keys = nil
	}
	k.mu.Unlock()
	key, known, _ = k.look(id, now)
	return key, known
}

// look finds a key among those that were read, and says whether it is the caller's turn
// to read them again.
func (k *keySet) look(id string, now time.Time) (key jose.JSONWebKey, known, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.keys, func(key jose.JSONWebKey) bool { return key.KeyID == id })
	if i >= 0 {
		key, known = k.keys[i], true
	}
	old := now.Sub(k.readAt) > keysLive
	if due = (old || !known) && now.Sub(k.triedAt) > keysAgain; due {
		k.triedAt = now
	}
	return key, known, due
}

func readKeys(ctx context.Context, g *Guard) ([]jose.JSONWebKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.options.Issuer+"/oauth2/jwks", nil)
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	if err := g.ask(r, &set); err != nil {
		return nil, err
	}
	return set.Keys, nil
}
