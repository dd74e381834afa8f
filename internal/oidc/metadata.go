package oidc

// Metadata is the document at /.well-known/openid-configuration (Discovery 1.0
// section 3) and at /.well-known/oauth-authorization-server (RFC 8414 section 2):
// one serves both, as either ignores what the other adds.
type Metadata struct {
	Issuer                                     string   `json:"issuer"`
	AuthorizationEndpoint                      string   `json:"authorization_endpoint"`
	TokenEndpoint                              string   `json:"token_endpoint"`
	UserInfoEndpoint                           string   `json:"userinfo_endpoint"`
	JWKSURI                                    string   `json:"jwks_uri"`
	RegistrationEndpoint                       string   `json:"registration_endpoint,omitempty"`
	IntrospectionEndpoint                      string   `json:"introspection_endpoint"`
	RevocationEndpoint                         string   `json:"revocation_endpoint"`
	DeviceAuthorizationEndpoint                string   `json:"device_authorization_endpoint,omitempty"`         // RFC 8628 section 4
	PushedAuthorizationRequestEndpoint         string   `json:"pushed_authorization_request_endpoint,omitempty"` // RFC 9126 section 5
	EndSessionEndpoint                         string   `json:"end_session_endpoint,omitempty"`                  // RP-Initiated Logout section 2.1
	BackChannelLogoutSupported                 bool     `json:"backchannel_logout_supported"`                    // Back-Channel Logout section 2.1
	BackChannelLogoutSessionSupported          bool     `json:"backchannel_logout_session_supported"`            // there
	ScopesSupported                            []string `json:"scopes_supported"`
	ResponseTypesSupported                     []string `json:"response_types_supported"`
	ResponseModesSupported                     []string `json:"response_modes_supported"`
	GrantTypesSupported                        []string `json:"grant_types_supported"`
	CodeChallengeMethodsSupported              []string `json:"code_challenge_methods_supported"`
	TokenEndpointAuthMethodsSupported          []string `json:"token_endpoint_auth_methods_supported"`
	TokenEndpointAuthSigningAlgValuesSupported []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionAuthMethodsSupported          []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthSigningAlgValuesSupported []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationAuthMethodsSupported             []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthSigningAlgValuesSupported    []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	DPoPSigningAlgValuesSupported              []string `json:"dpop_signing_alg_values_supported,omitempty"` // RFC 9449 section 5.1
	SubjectTypesSupported                      []string `json:"subject_types_supported"`
	IDTokenSigningAlgValuesSupported           []string `json:"id_token_signing_alg_values_supported"`
	ClaimTypesSupported                        []string `json:"claim_types_supported"`
	ClaimsSupported                            []string `json:"claims_supported"`
	ClaimsParameterSupported                   bool     `json:"claims_parameter_supported"`
	RequestParameterSupported                  bool     `json:"request_parameter_supported"`
	RequestURIParameterSupported               bool     `json:"request_uri_parameter_supported"` // left out would mean true
	PromptValuesSupported                      []string `json:"prompt_values_supported"`
	ACRValuesSupported                         []string `json:"acr_values_supported,omitempty"`
	UILocalesSupported                         []string `json:"ui_locales_supported,omitempty"`
	IssParameterSupported                      bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207 section 3
	ServiceDocumentation                       string   `json:"service_documentation,omitempty"`
}

// Provider is what differs from one server to another.
type Provider struct {
	Issuer string // without a slash at its end
	// RegistrationEndpoint is "" where clients cannot register themselves.
	RegistrationEndpoint string
	Documentation        string
	Scopes               []string
	ACRValues            []string
	UILocales            []string
	// SigningAlgorithms are those of ID tokens, ClientAlgorithms those of
	// assertions and DPoP proofs.
	SigningAlgorithms []string
	ClientAlgorithms  []string
}

// Metadata describes the provider.
func (p Provider) Metadata() Metadata {
	confidential := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	anyClient := append(confidential, "none")
	return Metadata{
		Issuer:                             p.Issuer,
		AuthorizationEndpoint:              p.Issuer + "/oauth2/authorize",
		TokenEndpoint:                      p.Issuer + "/oauth2/token",
		UserInfoEndpoint:                   p.Issuer + "/oauth2/userinfo",
		JWKSURI:                            p.Issuer + "/oauth2/jwks",
		RegistrationEndpoint:               p.RegistrationEndpoint,
		IntrospectionEndpoint:              p.Issuer + "/oauth2/introspect",
		RevocationEndpoint:                 p.Issuer + "/oauth2/revoke",
		DeviceAuthorizationEndpoint:        p.Issuer + "/oauth2/device_authorization",
		PushedAuthorizationRequestEndpoint: p.Issuer + "/oauth2/par",
		EndSessionEndpoint:                 p.Issuer + "/oauth2/logout",

		BackChannelLogoutSupported:        true,
		BackChannelLogoutSessionSupported: true,

		ScopesSupported:        p.Scopes,
		ResponseTypesSupported: []string{"code"},
		ResponseModesSupported: []string{"query", "fragment", "form_post"},
		GrantTypesSupported: []string{"authorization_code", "refresh_token", "client_credentials",
			"urn:ietf:params:oauth:grant-type:device_code"},
		CodeChallengeMethodsSupported: []string{"S256"},

		TokenEndpointAuthMethodsSupported:          anyClient,
		TokenEndpointAuthSigningAlgValuesSupported: p.ClientAlgorithms,
		// CVE-2026-92288: who only says who it is may not introspect.
		IntrospectionAuthMethodsSupported:          confidential,
		IntrospectionAuthSigningAlgValuesSupported: p.ClientAlgorithms,
		RevocationAuthMethodsSupported:             anyClient,
		RevocationAuthSigningAlgValuesSupported:    p.ClientAlgorithms,
		DPoPSigningAlgValuesSupported:              p.ClientAlgorithms,

		SubjectTypesSupported:            []string{"pairwise"},
		IDTokenSigningAlgValuesSupported: p.SigningAlgorithms,
		ClaimTypesSupported:              []string{"normal"},
		ClaimsSupported: append([]string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid"},
			claimNames[:]...),
		ClaimsParameterSupported: true,
		PromptValuesSupported:    PromptValues(),
		ACRValuesSupported:       p.ACRValues,
		UILocalesSupported:       p.UILocales,
		IssParameterSupported:    true,
		ServiceDocumentation:     p.Documentation,
	}
}
