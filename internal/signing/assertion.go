package signing

import (
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/internal/oauth"
)

const (
	// maxAssertion has room for a certificate chain in the header, which some
	// clients send and nobody here reads.
	maxAssertion = 8 << 10
	// maxAssertionLifetime bounds how long its jti has to be remembered.
	maxAssertionLifetime = time.Hour
)

// AssertionRequest is what an assertion has to be made for.
type AssertionRequest struct {
	ClientID string
	// Audiences are our names, of which the assertion must have one: the issuer
	// and the URL of the token endpoint.
	Audiences []string
	Now       time.Time
}

// Assertion is a verified assertion. It authenticates its client once: the caller
// has to count its id.
type Assertion struct {
	ID string // jti
	// CountUntil is when no replica would take the assertion any more, so that its
	// id may be forgotten.
	CountUntil time.Time
	// MadeAt is when it was made at the earliest: its iat, or what its exp allows.
	MadeAt time.Time
}

type assertionClaims struct {
	Issuer    string       `json:"iss"`
	Subject   string       `json:"sub"`
	Audience  audience     `json:"aud"`
	ExpiresAt *numericDate `json:"exp"`
	NotBefore *numericDate `json:"nbf"`
	IssuedAt  *numericDate `json:"iat"`
	ID        string       `json:"jti"`
}

// AssertionClient tells which client an assertion is by, as it says itself: the
// parameter client_id may be left out beside it (RFC 7521 section 4.2). It verifies
// nothing.
func AssertionClient(token string) (clientID string, err *oauth.Error) {
	jws, err := parseAssertion(token)
	if err != nil {
		return "", err
	}
	claims, err := readAssertion(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return "", err
	}
	return claims.Subject, nil
}

// VerifyAssertion judges the client_assertion of private_key_jwt (RFC 7523
// section 3; OpenID Connect Core section 9).
func VerifyAssertion(keys ClientKeys, token string, want AssertionRequest) (Assertion, *oauth.Error) {
	jws, err := parseAssertion(token)
	if err != nil {
		return Assertion{}, err
	}
	payload, err := keys.verify(jws)
	if err != nil {
		return Assertion{}, err
	}
	claims, err := readAssertion(payload)
	if err != nil {
		return Assertion{}, err
	}
	if reason := claims.refusal(want); reason != "" {
		return Assertion{}, refuseAssertion(reason)
	}
	made := claims.ExpiresAt.time().Add(-maxAssertionLifetime - skew)
	if claims.IssuedAt != nil {
		made = claims.IssuedAt.time()
	}
	return Assertion{ID: claims.ID, CountUntil: claims.ExpiresAt.time().Add(2 * skew), MadeAt: made}, nil
}

// refusal says which rule the claims break, "" when none.
func (c assertionClaims) refusal(want AssertionRequest) string {
	now := want.Now
	switch {
	// Section 3, points 1 and 2.B.
	case c.Subject != want.ClientID:
		return "The assertion's iss and sub are not the client ID."
	// Point 3. Strings are compared as they are (RFC 3986 section 6.2.1).
	case !slices.ContainsFunc(c.Audience, func(aud string) bool { return slices.Contains(want.Audiences, aud) }):
		return "The assertion's aud is neither the issuer nor the URL of the token endpoint."
	// Point 4.
	case c.ExpiresAt == nil:
		return "The assertion has no exp."
	case !now.Before(c.ExpiresAt.time().Add(skew)):
		return "The assertion has expired, or a clock is wrong."
	case c.ExpiresAt.time().After(now.Add(maxAssertionLifetime + skew)):
		return "The assertion's exp is more than an hour ahead."
	// Points 5 and 6.
	case c.NotBefore != nil && c.NotBefore.time().After(now.Add(skew)):
		return "The assertion's nbf is in the future, or a clock is wrong."
	case c.IssuedAt != nil && c.IssuedAt.time().After(now.Add(skew)):
		return "The assertion's iat is in the future, or a clock is wrong."
	// Point 7 leaves jti to choice; Core section 9 requires it, and without it an
	// assertion could be sent twice (CVE-2020-5300).
	case !isID(c.ID):
		return "The assertion has no jti of 1 to 256 characters."
	}
	return ""
}

func parseAssertion(token string) (*jose.JSONWebSignature, *oauth.Error) {
	jws, err := parseCompact(token, maxAssertion, fromClients)
	if err != nil {
		return nil, refuseAssertion("The assertion is not a compact JWT signed with ES256, RS256 or PS256, without critical extensions.")
	}
	// RFC 8725 section 3.11: a JWT that says it is something else, such as a proof
	// of possession by the same key, is no assertion.
	typ := strings.TrimPrefix(strings.ToLower(typeOf(jws.Signatures[0].Protected)), "application/")
	if typ != "" && typ != "jwt" && typ != "client-authentication+jwt" {
		return nil, refuseAssertion("The assertion's typ says that it is a JWT for something else.")
	}
	return jws, nil
}

func readAssertion(payload []byte) (assertionClaims, *oauth.Error) {
	var claims assertionClaims
	if err := decode(payload, &claims); err != nil {
		return assertionClaims{}, refuseAssertion("The assertion's claims are not a JSON object with each member once, in the types of RFC 7519.")
	}
	if claims.Issuer == "" || claims.Issuer != claims.Subject {
		return assertionClaims{}, refuseAssertion("The assertion's iss and sub are not both the client ID.")
	}
	return claims, nil
}

// verify gives the payload of a JWS by one of the keys. The header can only choose
// among them: a key or an address that it brings along (jwk, jku, x5c, x5u) is not
// looked at.
func (k ClientKeys) verify(jws *jose.JSONWebSignature) ([]byte, *oauth.Error) {
	header := jws.Signatures[0].Protected
	for _, key := range k.keys {
		if !key.fits(header) {
			continue
		}
		if payload, err := jws.Verify(key.public); err == nil {
			return payload, nil
		}
	}
	return nil, refuseAssertion("The assertion is not signed by a key of the client, in the algorithm of that key.")
}

// fits reports whether a key may have made a signature with this header.
func (k clientKey) fits(header jose.Header) bool {
	return (header.KeyID == "" || k.id == "" || k.id == header.KeyID) &&
		slices.Contains(k.algs, jose.SignatureAlgorithm(header.Algorithm))
}

// Lack reports whether an assertion is by a key that is not among the keys, as its
// header says: a newer set may then have it. It verifies nothing, and of what is no
// assertion it reports false.
func (k ClientKeys) Lack(token string) bool {
	jws, err := parseAssertion(token)
	if err != nil {
		return false
	}
	header := jws.Signatures[0].Protected
	return !slices.ContainsFunc(k.keys, func(key clientKey) bool { return key.fits(header) })
}

func refuseAssertion(reason string) *oauth.Error {
	return oauth.ClientAuthenticationFailed().Because(reason)
}
