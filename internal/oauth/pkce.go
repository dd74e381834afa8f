package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// ChallengeMethod is how a PKCE challenge was made from its verifier
// (RFC 7636 section 4.2).
type ChallengeMethod uint8

const (
	// PKCENone: no challenge was sent.
	PKCENone ChallengeMethod = iota
	S256
	Plain
)

// Challenge is what an authorization request said about the verifier of its exchange.
type Challenge struct {
	Method ChallengeMethod
	Value  string
}

const (
	minVerifier = 43
	maxVerifier = 128
	// s256Length is the length of 32 bytes in base64url without padding.
	s256Length = 43
)

// Verify reports whether verifier is the one that the challenge was made from
// (RFC 7636 section 4.6). Without a challenge only the absence of a verifier is
// right: were one ignored, leaving out the challenge on the way to the user would
// switch PKCE off (RFC 9700 section 4.8.2).
func (c Challenge) Verify(verifier string) bool {
	if c.Method == PKCENone {
		return verifier == ""
	}
	if !isVerifier(verifier) {
		return false
	}
	got := verifier
	if c.Method == S256 {
		sum := sha256.Sum256([]byte(verifier))
		got = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(got), []byte(c.Value)) == 1
}

// RequirePKCE is the rule on who may redeem a code without PKCE; it is asked at
// the exchange, because only there it is known whether the client has a secret.
// A client without one needs S256 in either dialect: its verifier is all that
// ties the code to it. The dialect is that of the authorization request.
func RequirePKCE(d Dialect, m ChallengeMethod, auth ClientAuthMethod) *Error {
	switch {
	case m == S256:
		return nil
	case auth == AuthNone && m == PKCENone:
		return ClientAuthenticationFailed().Because("The code was redeemed without a client secret, and its authorization request had no code_challenge. Send the secret, or use PKCE with S256.")
	case auth == AuthNone:
		return InvalidGrantParameter("code").Because("The code was redeemed without a client secret, and its authorization request had code_challenge_method plain. Send the secret, or use S256.")
	case d == Standard && m == Plain:
		return InvalidGrantParameter("code").Because("The code's authorization request had code_challenge_method plain; only S256 is accepted here.")
	default:
		return nil
	}
}

// parseChallenge reads code_challenge and code_challenge_method (RFC 7636
// sections 4.3 and 4.4.1).
func parseChallenge(p Params, d Dialect) (Challenge, *Error) {
	value, method := p.Value("code_challenge"), p.Value("code_challenge_method")
	if value == "" {
		if method != "" {
			return Challenge{}, MissingParameter("code_challenge")
		}
		return Challenge{}, nil
	}
	c := Challenge{Value: value}
	switch {
	case method == "S256":
		c.Method = S256
	case method == "" && d == Standard:
		return Challenge{}, MissingParameter("code_challenge_method").Because("Without code_challenge_method the method is plain, and only S256 is accepted here.")
	case method == "plain" && d == Standard:
		return Challenge{}, InvalidParameter("code_challenge_method").Because("The code_challenge_method is plain; only S256 is accepted here.")
	case method == "plain", method == "":
		// RFC 7636 section 4.3: "plain" when the method is left out.
		c.Method = Plain
	default:
		return Challenge{}, InvalidParameter("code_challenge_method").Because("The code_challenge_method must be S256 or plain, in this spelling.")
	}
	switch {
	case !isVerifier(value):
		// RFC 7636 section 4.2: a challenge has the grammar of a verifier.
		return Challenge{}, InvalidParameter("code_challenge").Because("The code_challenge must be 43 to 128 characters of A-Z, a-z, 0-9 and -._~, without padding.")
	case c.Method == S256 && len(value) != s256Length:
		// No verifier fits another length, a digest in hexadecimal for example;
		// better said now than after the user's consent.
		return Challenge{}, InvalidParameter("code_challenge").Because("The code_challenge of S256 must be the SHA-256 digest in base64url without padding: 43 characters.")
	}
	return c, nil
}

// isVerifier checks code-verifier = 43*128unreserved (RFC 7636 section 4.1).
func isVerifier(s string) bool {
	if len(s) < minVerifier || len(s) > maxVerifier {
		return false
	}
	for i := range len(s) {
		if !isUnreserved(s[i]) {
			return false
		}
	}
	return true
}

// isUnreserved checks unreserved of RFC 3986 section 2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
