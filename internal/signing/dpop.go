package signing

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"gatelodge/internal/oauth"
)

const (
	maxProof = 4 << 10
	// proofWindow is how far a proof's iat may be from now, either way.
	proofWindow = 60 * time.Second
)

// DPoPRequest is the request that a proof has to be made for.
type DPoPRequest struct {
	Method string
	// URL is the address that the client called, as it is known to the outside.
	URL string
	// AccessToken is the one that came with the request, "" where none does.
	AccessToken string
	Now         time.Time
	// Nonce judges the nonce of the proof, "" when it has none: true for "" means
	// that a proof may do without. When Nonce is nil, none was ever given out.
	Nonce func(nonce string) bool
}

// DPoPProof is a proof that was judged good. Whether it was seen before is the
// caller's to judge, by the pair of Thumbprint and ID.
type DPoPProof struct {
	Thumbprint [sha256.Size]byte // of the key, RFC 7638
	ID         string            // jti
	IssuedAt   time.Time         // as the client says; its clock is only trusted where no nonce is
}

type proofClaims struct {
	ID          string       `json:"jti"`
	Method      string       `json:"htm"`
	URL         string       `json:"htu"`
	IssuedAt    *numericDate `json:"iat"`
	AccessToken string       `json:"ath"`
	Nonce       string       `json:"nonce"`
}

// ParseDPoP judges a proof of possession, in the order of the list in RFC 9449
// section 4.3. That there was just one DPoP header (point 1) only its reader knows.
func ParseDPoP(proof string, want DPoPRequest) (DPoPProof, *oauth.Error) {
	// Points 2, 5, and "does not contain a private key" of 7.
	jws, err := parseCompact(proof, maxProof, fromClients)
	if err != nil {
		return DPoPProof{}, refuseProof("The DPoP proof is not a compact JWT signed with ES256, RS256 or PS256 that has a public key in its header.")
	}
	header := jws.Signatures[0].Protected
	jwk := header.JSONWebKey
	switch {
	// Point 4.
	case typeOf(header) != "dpop+jwt":
		return DPoPProof{}, refuseProof("The typ of the DPoP proof is not dpop+jwt.")
	case jwk == nil:
		return DPoPProof{}, refuseProof("The header of the DPoP proof has no jwk.")
	case jwk.Algorithm != "" && jwk.Algorithm != header.Algorithm:
		return DPoPProof{}, refuseProof("The jwk of the DPoP proof is for another alg.")
	}
	if problem := checkPublic(jwk.Key); problem != "" {
		return DPoPProof{}, refuseProof("The jwk of the DPoP proof " + problem + ".")
	}
	// Point 6.
	payload, err := jws.Verify(jwk.Key)
	if err != nil {
		return DPoPProof{}, refuseProof("The signature of the DPoP proof is not by the key in its header.")
	}
	var claims proofClaims
	if err := decode(payload, &claims); err != nil {
		return DPoPProof{}, refuseProof("The claims of the DPoP proof are not a JSON object with each member once, in the types of RFC 9449.")
	}
	if err := claims.check(want); err != nil {
		return DPoPProof{}, err
	}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return DPoPProof{}, refuseProof("The jwk of the DPoP proof is not valid.")
	}
	return DPoPProof{Thumbprint: [sha256.Size]byte(thumbprint), ID: claims.ID, IssuedAt: claims.IssuedAt.time()}, nil
}

func (c proofClaims) check(want DPoPRequest) *oauth.Error {
	var reason string
	switch {
	// Point 3.
	case !isID(c.ID):
		reason = "The DPoP proof has no jti of 1 to 256 characters."
	case c.IssuedAt == nil:
		reason = "The DPoP proof has no iat."
	// Points 8 and 9.
	case c.Method != want.Method:
		reason = "The htm of the DPoP proof is not the method of the request."
	case !sameTarget(c.URL, want.URL):
		reason = "The htu of the DPoP proof is not the URL of the request."
	// Point 12. The proof is bound to the token; that the token is bound to the
	// key is for whoever knows the token.
	case want.AccessToken != "" && c.AccessToken != accessTokenHash(want.AccessToken):
		reason = "The ath of the DPoP proof is not the hash of the access token."
	default:
		return c.checkTime(want)
	}
	return refuseProof(reason)
}

// checkTime holds points 10 and 11: a good nonce tells when the proof was made,
// whatever the clock of the client says; without one its iat does.
func (c proofClaims) checkTime(want DPoPRequest) *oauth.Error {
	if want.Nonce != nil {
		if !want.Nonce(c.Nonce) {
			return useNonce("The DPoP proof needs the nonce of the header DPoP-Nonce.")
		}
		if c.Nonce != "" {
			return nil
		}
	}
	if off := c.IssuedAt.time().Sub(want.Now).Abs(); off <= proofWindow {
		return nil
	}
	if want.Nonce != nil {
		// A client whose clock is wrong gets along with a nonce.
		return useNonce("The iat of the DPoP proof is too far from now: use the nonce of the header DPoP-Nonce.")
	}
	return refuseProof("The iat of the DPoP proof is more than 60 seconds from now.")
}

// accessTokenHash is the claim ath (RFC 9449 section 4.2).
func accessTokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameTarget compares htu with the URL of the request, "ignoring any query and
// fragment parts" (RFC 9449 section 4.3), and after the normalisation that the same
// section advises.
func sameTarget(htu, called string) bool {
	if htu == called {
		return true
	}
	a, ok := normalTarget(htu)
	if !ok {
		return false
	}
	b, ok := normalTarget(called)
	return ok && a == b
}

// normalTarget applies syntax- and scheme-based normalisation (RFC 3986 sections
// 6.2.2 and 6.2.3). What has another form than an http URL has no normal form.
func normalTarget(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.User != nil || u.Host == "" {
		return "", false
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme { // in lower case already
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	path, err := url.Parse(u.Scheme + "://" + strings.TrimSuffix(host, ":") + normalEscapes(u.EscapedPath()))
	if err != nil {
		return "", false
	}
	path = path.ResolveReference(path) // takes out dot segments
	if path.Path == "" {
		path.Path = "/"
	}
	return path.String(), true
}

// normalEscapes decodes the escapes of unreserved characters, and writes the others
// in upper case.
func normalEscapes(path string) string {
	if !strings.ContainsRune(path, '%') {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			out.WriteByte(path[i])
			continue
		}
		escape := path[i : i+3]
		i += 2
		if decoded, err := url.PathUnescape(escape); err == nil && isUnreserved(decoded[0]) {
			out.WriteString(decoded)
		} else {
			out.WriteString(strings.ToUpper(escape))
		}
	}
	return out.String()
}

// isUnreserved is for RFC 3986 section 2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

func refuseProof(description string) *oauth.Error { return oauth.InvalidProof(description) }

func useNonce(description string) *oauth.Error {
	return &oauth.Error{Code: oauth.UseDPoPNonce, Description: description}
}
