package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// ClientAuthMethod is how a client sent its credentials (RFC 6749 section 2.3.1).
type ClientAuthMethod uint8

const (
	// AuthNone: no secret was sent, the client only says who it is (RFC 6749
	// section 3.2.1).
	AuthNone ClientAuthMethod = iota
	AuthBasic
	AuthPost
	// AuthAssertion: a JWT signed with the client's own key (RFC 7523 section 2.2).
	AuthAssertion
)

// ClientCredentials is what a client says about itself; nothing is verified yet.
type ClientCredentials struct {
	ClientID  string // may be "" beside an assertion, which has it too
	Secret    string // of AuthBasic and AuthPost
	Method    ClientAuthMethod
	Assertion string // of AuthAssertion
}

// assertionType is the one client_assertion_type that is known (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// ParseClientCredentials reads them from the values of the Authorization header
// and from the body.
func ParseClientCredentials(authorization []string, p Params) (ClientCredentials, *Error) {
	if err := p.refusal(); err != nil {
		return ClientCredentials{}, err
	}
	id, secret := p.Value("client_id"), p.Value("client_secret")
	if p.Value("client_assertion") != "" || p.Value("client_assertion_type") != "" {
		return parseAssertion(authorization, p)
	}
	if len(authorization) == 0 {
		if id == "" {
			return ClientCredentials{}, MissingParameter("client_id")
		}
		if secret == "" {
			return ClientCredentials{ClientID: id}, nil
		}
		return ClientCredentials{ClientID: id, Secret: secret, Method: AuthPost}, nil
	}
	if len(authorization) > 1 {
		return ClientCredentials{}, InvalidParameter("Authorization").Because("The request has more than one Authorization header.")
	}
	c, err := parseBasic(authorization[0])
	switch {
	case err != nil:
		return ClientCredentials{}, err
	case id != "" && id != c.ClientID:
		return ClientCredentials{}, InvalidParameter("client_id").Because("The client_id of the body is not the one of the Authorization header.")
	case secret != "" && secret != c.Secret:
		// RFC 6749 section 2.3: not more than one method in a request. Clients
		// that send the same secret twice are let through.
		return ClientCredentials{}, InvalidParameter("client_secret").Because("The client_secret of the body is not the one of the Authorization header.")
	}
	return c, nil
}

// parseAssertion reads client_assertion and its type (RFC 7521 section 4.2).
func parseAssertion(authorization []string, p Params) (ClientCredentials, *Error) {
	assertion, err := p.required("client_assertion")
	if err != nil {
		return ClientCredentials{}, err
	}
	kind, err := p.required("client_assertion_type")
	if err != nil {
		return ClientCredentials{}, err
	}
	switch {
	// Section 4.2.1: more than one mechanism is invalid_client, and not invalid_request
	// as with secrets alone.
	case len(authorization) > 0:
		return ClientCredentials{}, ClientAuthenticationFailed().Because("The request has both a client_assertion and an Authorization header. Send one of them.")
	case p.Value("client_secret") != "":
		return ClientCredentials{}, ClientAuthenticationFailed().Because("The request has both a client_assertion and a client_secret. Send one of them.")
	case kind != assertionType:
		return ClientCredentials{}, ClientAuthenticationFailed().Because("The client_assertion_type must be " + assertionType + ".")
	}
	return ClientCredentials{ClientID: p.Value("client_id"), Assertion: assertion, Method: AuthAssertion}, nil
}

// parseBasic reads an Authorization header: the client's ID and secret, each
// form-encoded, joined by a colon, in base64 (RFC 6749 section 2.3.1, RFC 7617).
func parseBasic(header string) (ClientCredentials, *Error) {
	malformed := func(reason string) (ClientCredentials, *Error) {
		return ClientCredentials{}, ClientAuthenticationFailed().Because(reason)
	}
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return malformed("The Authorization header has another scheme than Basic.")
	}
	encoded = strings.Trim(encoded, " ")
	// The decoder skips line breaks, also when it is strict.
	pair, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return malformed("The Authorization header is not Basic followed by base64.")
	}
	id, secret, ok := strings.Cut(string(pair), ":")
	// A colon inside of either half is encoded, so there is exactly one. A second
	// one is the misprint client_id:client:secret of Amazon's documentation.
	if !ok || strings.Contains(secret, ":") {
		return malformed("The Authorization header must hold client_id:client_secret, with one colon.")
	}
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	switch {
	case idErr != nil || secretErr != nil:
		return malformed("The client ID or secret in the Authorization header has a malformed percent-encoding.")
	case id == "" || secret == "":
		return malformed("The client ID or secret in the Authorization header is empty. A client without a secret sends its client_id in the body.")
	case len(id) > maxClientID || len(secret) > maxClientSecret || !isVisible(id) || !isVisible(secret):
		return malformed("The client ID or secret in the Authorization header cannot be one of ours: it is too long or has other characters than visible ASCII.")
	}
	return ClientCredentials{ClientID: id, Secret: secret, Method: AuthBasic}, nil
}

// isVisible checks *VSCHAR (RFC 6749 appendices A.1 and A.2).
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
