package guard

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// checkKey holds a token that is bound to a key to a proof of it, and lets no other
// come with one (RFC 9449 section 7).
func (g *Guard) checkKey(r *http.Request, scheme, token, thumbprint string, now time.Time) error {
	switch {
	case thumbprint == "" && scheme == schemeBearer:
		return nil
	case thumbprint == "":
		return invalidToken("The access token is not bound to a key: send it as Bearer")
	case scheme == schemeBearer:
		// Section 7.2: else a stolen token could be used without the key.
		e := invalidToken("The access token is bound to a key: send it as DPoP with a proof")
		e.scheme = schemeDPoP
		return e
	}
	headers := r.Header.Values("DPoP")
	if len(headers) != 1 {
		return invalidProof("The request must have one DPoP header")
	}
	return g.checkProof(r, headers[0], token, thumbprint, now)
}

// proofLives is how old a proof may be.
const proofLives = time.Minute

// checkProof is RFC 9449 section 4.3.
func (g *Guard) checkProof(r *http.Request, proof, token, thumbprint string, now time.Time) error {
	jws, err := jose.ParseSignedCompact(proof, algorithms)
	if err != nil {
		return invalidProof("The proof is not a signed JWT with RS256 or ES256")
	}
	header := jws.Signatures[0].Protected
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	switch {
	case typ != "dpop+jwt":
		return invalidProof("The typ of the proof is not dpop+jwt")
	case header.JSONWebKey == nil || !header.JSONWebKey.IsPublic():
		return invalidProof("The proof does not name a public key")
	}
	sum, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil || base64.RawURLEncoding.EncodeToString(sum) != thumbprint {
		return invalidProof("The proof is of another key than the access token")
	}
	payload, err := jws.Verify(header.JSONWebKey.Key)
	if err != nil {
		return invalidProof("The signature of the proof is not good")
	}
	var c struct {
		ID       string `json:"jti"`
		Method   string `json:"htm"`
		URL      string `json:"htu"`
		IssuedAt int64  `json:"iat"`
		Hash     string `json:"ath"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return invalidProof("The claims of the proof cannot be read")
	}
	hash := sha256.Sum256([]byte(token))
	issued := time.Unix(c.IssuedAt, 0)
	switch {
	case c.Method != r.Method, !g.sameURL(c.URL, r):
		return invalidProof("The proof is for another request")
	case c.Hash != base64.RawURLEncoding.EncodeToString(hash[:]):
		return invalidProof("The proof is for another access token")
	case now.Sub(issued) > proofLives, issued.Sub(now) > clockSkew:
		return invalidProof("The proof is too old, or from the future")
	case c.ID == "" || !g.proofs.first(thumbprint+" "+c.ID, issued.Add(proofLives+clockSkew), now):
		return invalidProof("The proof was used before")
	}
	return nil
}

// sameURL compares htu with the address that was called, without query and fragment
// (section 4.3, number 9).
func (g *Guard) sameURL(htu string, r *http.Request) bool {
	named, err := url.Parse(htu)
	if err != nil {
		return false
	}
	base, err := url.Parse(g.options.URL)
	if err != nil || g.options.URL == "" {
		base = &url.URL{Scheme: "https", Host: r.Host}
		if r.TLS == nil && strings.HasPrefix(g.options.Issuer, "http:") {
			base.Scheme = "http" // everything is on loopback
		}
	}
	return strings.EqualFold(named.Scheme, base.Scheme) && strings.EqualFold(named.Host, base.Host) &&
		named.EscapedPath() == strings.TrimSuffix(base.EscapedPath(), "/")+r.URL.EscapedPath()
}

// proofs remembers the proofs that were seen, each once. It is this process's own:
// two processes take the same proof once each within its minute.
type proofs struct {
	mu   sync.Mutex
	seen map[[32]byte]time.Time
}

// maxProofs bounds the memory for proofs; beyond it none is taken.
const maxProofs = 100_000

func (p *proofs) first(id string, until, now time.Time) bool {
	key := sha256.Sum256([]byte(id))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[[32]byte]time.Time{}
	}
	if _, ok := p.seen[key]; ok {
		return false
	}
	if len(p.seen) >= maxProofs {
		for k, end := range p.seen {
			if now.After(end) {
				delete(p.seen, k)
			}
		}
	}
	if len(p.seen) >= maxProofs {
		return false
	}
	p.seen[key] = until
	return true
}
