package oauth

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTokenRequest(t *testing.T) {
	const (
		missing     = "The request is missing a required parameter : "
		invalid     = "The request has an invalid parameter : "
		unsupported = "The authorization grant type is not supported by the authorization server"
	)
	tests := []struct {
		name, body  string
		want        TokenRequest
		code        ErrorCode
		description string
	}{
		{
			name: "RFC 6749 section 4.1.3",
			body: "grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA&redirect_uri=https%3A%2F%2Fclient%2Eexample%2Ecom%2Fcb",
			want: TokenRequest{GrantType: GrantAuthorizationCode, Code: "SplxlOBeZQQYbYS6WxSbIA", RedirectURI: "https://client.example.com/cb"},
		},
		{
			name: "RFC 7636 section 4.5",
			body: "grant_type=authorization_code&code=AN&code_verifier=" + rfcVerifier,
			want: TokenRequest{GrantType: GrantAuthorizationCode, Code: "AN", CodeVerifier: rfcVerifier},
		},
		{
			name: "empty verifier is none",
			body: "grant_type=authorization_code&code=AN&code_verifier=&redirect_uri=",
			want: TokenRequest{GrantType: GrantAuthorizationCode, Code: "AN"},
		},
		{
			name: "RFC 6749 section 6",
			body: "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA&code=ignored",
			want: TokenRequest{GrantType: GrantRefreshToken, RefreshToken: "tGzv3JOkF0XG5Qx2TlKWIA"},
		},
		{
			name: "refresh with Login with Amazon's alphabet, narrowed",
			body: "grant_type=refresh_token&refresh_token=Atzr%7CIwEB-_&scope=profile+profile",
			want: TokenRequest{GrantType: GrantRefreshToken, RefreshToken: "Atzr|IwEB-_", Scope: []string{"profile"}},
		},
		{name: "no grant type", body: "code=AN", code: InvalidRequest, description: missing + "grant_type"},
		{name: "no code", body: "grant_type=authorization_code&code=", code: InvalidRequest, description: missing + "code"},
		{name: "no refresh token", body: "grant_type=refresh_token", code: InvalidRequest, description: missing + "refresh_token"},
		{name: "password", body: "grant_type=password&username=a&password=b", code: UnsupportedGrantType, description: unsupported},
		{name: "grant type in other case", body: "grant_type=Authorization_Code&code=AN", code: UnsupportedGrantType, description: unsupported},
		{name: "code twice", body: "grant_type=authorization_code&code=AN&code=AN", code: InvalidRequest, description: invalid + "code"},
		{name: "grant type twice", body: "grant_type=authorization_code&grant_type=refresh_token&code=AN", code: InvalidRequest, description: invalid + "grant_type"},
		{name: "verifier twice", body: "grant_type=authorization_code&code=AN&code_verifier=" + rfcVerifier + "&code_verifier=", code: InvalidRequest, description: invalid + "code_verifier"},
		{name: "return URL twice", body: "grant_type=authorization_code&code=AN&redirect_uri=https://a&redirect_uri=https://b", code: InvalidRequest, description: invalid + "redirect_uri"},
		{name: "short verifier", body: "grant_type=authorization_code&code=AN&code_verifier=abc", code: InvalidRequest, description: invalid + "code_verifier"},
		{name: "verifier out of grammar", body: "grant_type=authorization_code&code=AN&code_verifier=" + rfcVerifier + "%3D", code: InvalidRequest, description: invalid + "code_verifier"},
		{name: "scope out of grammar", body: "grant_type=refresh_token&refresh_token=t&scope=%22", code: InvalidScope, description: invalid + "scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseTokenRequest(params(t, tt.body))
			wantError(t, err, tt.code, tt.description)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
