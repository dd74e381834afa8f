package oauth

// GrantType is the value of the parameter grant_type.
type GrantType string

const (
	GrantAuthorizationCode GrantType = "authorization_code"
	GrantRefreshToken      GrantType = "refresh_token"
	GrantClientCredentials GrantType = "client_credentials"
)

// TokenRequest is a request to the token endpoint without the client's
// credentials, see [ParseClientCredentials]. Fields of other grant types are empty.
type TokenRequest struct {
	GrantType GrantType

	// Of authorization_code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
	Code         string
	RedirectURI  string // "" when it was not sent
	CodeVerifier string // "" when it was not sent

	// Of refresh_token (RFC 6749 section 6) and client_credentials (section 4.4.2).
	// Scope is empty when none was sent: a refresh then asks for all that the token
	// has.
	RefreshToken string
	Scope        []string
}

// ParseTokenRequest reads a form, or a body that [ParseJSON] has read.
func ParseTokenRequest(p Params) (TokenRequest, *Error) {
	if err := p.refusal(); err != nil {
		return TokenRequest{}, err
	}
	grantType, err := p.required("grant_type")
	if err != nil {
		return TokenRequest{}, err
	}
	switch GrantType(grantType) {
	case GrantAuthorizationCode:
		return parseCodeGrant(p)
	case GrantRefreshToken:
		return parseRefreshGrant(p)
	case GrantClientCredentials:
		scope, err := optionalScope(p)
		if err != nil {
			return TokenRequest{}, err
		}
		return TokenRequest{GrantType: GrantClientCredentials, Scope: scope}, nil
	default:
		return TokenRequest{}, unsupportedGrantType().Because("The grant_type must be authorization_code, refresh_token or client_credentials.")
	}
}

func parseCodeGrant(p Params) (TokenRequest, *Error) {
	code, err := p.required("code")
	if err != nil {
		return TokenRequest{}, err
	}
	verifier := p.Value("code_verifier")
	if verifier != "" && !isVerifier(verifier) {
		return TokenRequest{}, InvalidParameter("code_verifier").Because("The code_verifier must be 43 to 128 characters of A-Z, a-z, 0-9 and -._~.")
	}
	return TokenRequest{
		GrantType:    GrantAuthorizationCode,
		Code:         code,
		RedirectURI:  p.Value("redirect_uri"),
		CodeVerifier: verifier,
	}, nil
}

func parseRefreshGrant(p Params) (TokenRequest, *Error) {
	token, err := p.required("refresh_token")
	if err != nil {
		return TokenRequest{}, err
	}
	scope, err := optionalScope(p)
	if err != nil {
		return TokenRequest{}, err
	}
	return TokenRequest{GrantType: GrantRefreshToken, RefreshToken: token, Scope: scope}, nil
}

func optionalScope(p Params) ([]string, *Error) {
	if scope := p.Value("scope"); scope != "" {
		return ParseScope(scope)
	}
	return nil, nil
}
