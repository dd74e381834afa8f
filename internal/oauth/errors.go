package oauth

import "strings"

// ErrorCode is the value of the parameter error (RFC 6749 section 11.4).
type ErrorCode string

// Codes of RFC 6749 sections 4.1.2.1 and 5.2.
const (
	InvalidRequest          ErrorCode = "invalid_request"
	InvalidClient           ErrorCode = "invalid_client"
	InvalidGrant            ErrorCode = "invalid_grant"
	UnauthorizedClient      ErrorCode = "unauthorized_client"
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"
	UnsupportedResponseType ErrorCode = "unsupported_response_type"
	InvalidScope            ErrorCode = "invalid_scope"
	AccessDenied            ErrorCode = "access_denied"
	ServerError             ErrorCode = "server_error"
	TemporarilyUnavailable  ErrorCode = "temporarily_unavailable"
)

// Code of RFC 8707 section 2.
const InvalidTarget ErrorCode = "invalid_target"

// Codes of RFC 8628 section 3.5, and the one of Login with Amazon for a pair that is
// wrong or over (login-with-amazon.md section 9).
const (
	AuthorizationPending ErrorCode = "authorization_pending"
	SlowDown             ErrorCode = "slow_down"
	ExpiredToken         ErrorCode = "expired_token"
	InvalidCodePair      ErrorCode = "invalid_code_pair"
)

// Code of RFC 7009 section 2.2.1.
const UnsupportedTokenType ErrorCode = "unsupported_token_type"

// Codes of RFC 6750 section 3.1.
const (
	InvalidToken      ErrorCode = "invalid_token"
	InsufficientScope ErrorCode = "insufficient_scope"
)

// Codes of OpenID Connect Core section 3.1.2.6.
const (
	InteractionRequired ErrorCode = "interaction_required"
	LoginRequired       ErrorCode = "login_required"
	ConsentRequired     ErrorCode = "consent_required"

	// Of OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
	UnmetAuthenticationRequirements ErrorCode = "unmet_authentication_requirements"

	RequestNotSupported    ErrorCode = "request_not_supported"
	RequestURINotSupported ErrorCode = "request_uri_not_supported"
	InvalidRequestURI      ErrorCode = "invalid_request_uri"
)

// Codes of RFC 9449 section 12.2.
const (
	InvalidDPoPProof ErrorCode = "invalid_dpop_proof"
	UseDPoPNonce     ErrorCode = "use_dpop_nonce"
)

// Error is the refusal of a request. The parsers return *Error and not error:
// whatever they refuse has a code for the wire.
type Error struct {
	Code ErrorCode
	// Description goes on the wire as error_description. Clients of Login with
	// Amazon match on these texts, to the blank before the colon
	// (login-with-amazon.md section 8).
	Description string
	// Reason is a sentence for the owner of the client, and may say more than
	// the wire does. It never holds a credential.
	Reason string
}

func (e *Error) Error() string {
	s := "oauth: " + string(e.Code) + ": " + e.Description
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	return s
}

// Because returns a copy of e with the given reason.
func (e *Error) Because(reason string) *Error {
	return &Error{Code: e.Code, Description: e.Description, Reason: reason}
}

// Status is the HTTP status at token-style endpoints (RFC 6749 section 5.2).
func (e *Error) Status() int {
	switch e.Code {
	case InvalidClient:
		return 401
	case InsufficientScope:
		return 403
	case ServerError:
		return 500
	case TemporarilyUnavailable:
		return 503
	default:
		return 400
	}
}

// BearerStatus is the HTTP status at a protected resource. It differs from
// [Error.Status] in what is wrong with the token or its proof, which is 401 there
// (RFC 6750 section 3.1, RFC 9449 section 7.1); the resources of Login with Amazon
// answer 400 for a bad token (login-with-amazon.md section 11).
func (e *Error) BearerStatus() int {
	switch e.Code {
	case InvalidToken, InvalidDPoPProof, UseDPoPNonce:
		return 401
	default:
		return e.Status()
	}
}

// MissingParameter refuses a request that lacks a parameter.
func MissingParameter(name string) *Error {
	return &Error{Code: InvalidRequest, Description: "The request is missing a required parameter : " + echo(name)}
}

// InvalidParameter refuses a parameter that breaks a rule.
func InvalidParameter(name string) *Error {
	return &Error{Code: InvalidRequest, Description: "The request has an invalid parameter : " + echo(name)}
}

// InvalidGrantParameter refuses a code: unknown, used, expired, another client's,
// or redeemed with another return URL or verifier.
func InvalidGrantParameter(name string) *Error {
	return &Error{Code: InvalidGrant, Description: "The request has an invalid grant parameter : " + echo(name)}
}

// InvalidRefreshToken refuses a refresh token.
func InvalidRefreshToken() *Error {
	e := InvalidGrantParameter("refresh_token")
	e.Description += ". User may have revoked or didn't grant the permission."
	return e
}

// Pending tells a device that its user has not answered yet (RFC 8628 section 3.5).
func Pending() *Error {
	return &Error{Code: AuthorizationPending, Description: "The user has not answered yet"}
}

// TooSoon tells a device that it polls faster than its interval allows.
func TooSoon() *Error {
	return &Error{Code: SlowDown, Description: "The device polls too fast"}
}

// InvalidPair refuses a pair of codes in the words of Login with Amazon, which do not
// tell a wrong one from one that is over (login-with-amazon.md section 9).
func InvalidPair() *Error {
	return &Error{Code: InvalidCodePair, Description: "The device code or the user code is wrong or has expired"}
}

// DeviceCodeExpired tells a device that its user took too long.
func DeviceCodeExpired() *Error {
	return &Error{Code: ExpiredToken, Description: "The device code has expired"}
}

// InvalidAccessToken refuses an access token (login-with-amazon.md section 10).
func InvalidAccessToken() *Error {
	e := InvalidParameter("access_token")
	e.Code = InvalidToken
	return e
}

// ClientAuthenticationFailed refuses a client, and never says on the wire why.
func ClientAuthenticationFailed() *Error {
	return &Error{Code: InvalidClient, Description: "Client authentication failed"}
}

// InvalidProof refuses a proof of possession, or a request without one that needs it
// (RFC 9449 section 5).
func InvalidProof(description string) *Error {
	return &Error{Code: InvalidDPoPProof, Description: description}
}

// NotAuthorized refuses a client that may not use the grant or scope.
func NotAuthorized() *Error {
	return &Error{Code: UnauthorizedClient, Description: "Not authorized for requested operation"}
}

// UnknownScope refuses a scope that does not exist or that the client may not ask for.
func UnknownScope() *Error {
	return &Error{Code: InvalidScope, Description: "An unknown scope was requested"}
}

// InvalidResource refuses an API that a token was asked for (RFC 8707 section 2).
func InvalidResource() *Error {
	e := InvalidParameter("resource")
	e.Code = InvalidTarget
	return e
}

func unsupportedGrantType() *Error {
	return &Error{Code: UnsupportedGrantType, Description: "The authorization grant type is not supported by the authorization server"}
}

func unsupportedResponseType() *Error {
	return &Error{Code: UnsupportedResponseType, Description: "The response type is not supported by the authorization server"}
}

// maxEcho bounds what a description repeats of a request.
const maxEcho = 64

// echo makes s fit for error_description: %x20-21 / %x23-5B / %x5D-7E
// (RFC 6749 appendix A.8).
func echo(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxEcho)]
}
