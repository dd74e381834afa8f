package oauth

// GrantType is the value of the parameter grant_type.
type GrantType string

const (
	GrantAuthorizationCode GrantType = "authorization_code"
	GrantRefreshToken      GrantType = "refresh_token"
	GrantClientCredentials GrantType = "client_credentials"
	// GrantDeviceCode is RFC 8628's name. Clients of Login with Amazon send the bare
	// word device_code (login-with-amazon.md section 9), which is read as this one.
	GrantDeviceCode GrantType = "urn:ietf:params:oauth:grant-type:device_code"
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

	// Of the device grant (RFC 8628 section 3.4). UserCode is sent by clients of Login
	// with Amazon, together with the bare word (login-with-amazon.md section 9).
	DeviceCode string
	UserCode   string
	// Bare: the grant type was the word device_code, so errors are those of Login with
	// Amazon.
	Bare bool

	// Resources are of every grant but the device's (RFC 8707 section 2.2).
	Resources []string
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
	var r TokenRequest
	switch grantType {
	case string(GrantAuthorizationCode):
		r, err = parseCodeGrant(p)
	case string(GrantRefreshToken):
		r, err = parseRefreshGrant(p)
	case string(GrantClientCredentials):
		r.GrantType = GrantClientCredentials
		r.Scope, err = optionalScope(p)
	case string(GrantDeviceCode), bareDeviceCode:
		return parseDeviceGrant(p)
	default:
		err = unsupportedGrantType().Because("The grant_type must be authorization_code, refresh_token, client_credentials or " + string(GrantDeviceCode) + ".")
	}
	if err != nil {
		return TokenRequest{}, err
	}
	if r.Resources, err = parseResources(p); err != nil {
		return TokenRequest{}, err
	}
	return r, nil
}

// bareDeviceCode is the grant type as clients of Login with Amazon write it.
const bareDeviceCode = "device_code"

// PairAlone reports whether a token request names no client: the pair of codes stands
// for it (login-with-amazon.md section 7).
func PairAlone(p Params) bool {
	return p.Value("grant_type") == bareDeviceCode && p.Value("client_id") == "" && p.refused["client_id"] == nil &&
		p.Value("client_assertion") == "" // which names the client, too
}

func parseDeviceGrant(p Params) (TokenRequest, *Error) {
	code, err := p.required("device_code")
	if err != nil {
		return TokenRequest{}, err
	}
	r := TokenRequest{GrantType: GrantDeviceCode, DeviceCode: code, UserCode: p.Value("user_code"), Bare: p.Value("grant_type") == bareDeviceCode}
	if r.UserCode == "" && r.Bare {
		return TokenRequest{}, MissingParameter("user_code")
	}
	return r, nil
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
