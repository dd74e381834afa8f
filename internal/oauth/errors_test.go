package oauth

import (
	"strings"
	"testing"
)

// The texts of login-with-amazon.md section 8: clients match on them.
func TestErrorTexts(t *testing.T) {
	tests := []struct {
		err         *Error
		code        ErrorCode
		description string
		status      int
	}{
		{MissingParameter("grant_type"), "invalid_request", "The request is missing a required parameter : grant_type", 400},
		{InvalidParameter("scope_data"), "invalid_request", "The request has an invalid parameter : scope_data", 400},
		{ClientAuthenticationFailed(), "invalid_client", "Client authentication failed", 401},
		{InvalidGrantParameter("code"), "invalid_grant", "The request has an invalid grant parameter : code", 400},
		{InvalidRefreshToken(), "invalid_grant", "The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission.", 400},
		{InvalidAccessToken(), "invalid_token", "The request has an invalid parameter : access_token", 400},
		{NotAuthorized(), "unauthorized_client", "Not authorized for requested operation", 400},
		{UnknownScope(), "invalid_scope", "An unknown scope was requested", 400},
		{unsupportedGrantType(), "unsupported_grant_type", "The authorization grant type is not supported by the authorization server", 400},
		{unsupportedResponseType(), "unsupported_response_type", "The response type is not supported by the authorization server", 400},
		{&Error{Code: ServerError}, "server_error", "", 500},
		{&Error{Code: TemporarilyUnavailable}, "temporarily_unavailable", "", 503},
		{&Error{Code: InsufficientScope}, "insufficient_scope", "", 403},
	}
	for _, tt := range tests {
		t.Run(string(tt.code), func(t *testing.T) {
			if tt.err.Code != tt.code || tt.err.Description != tt.description || tt.err.Status() != tt.status {
				t.Errorf("got %q %q %d, want %q %q %d", tt.err.Code, tt.err.Description, tt.err.Status(), tt.code, tt.description, tt.status)
			}
		})
	}
}

func TestBearerStatus(t *testing.T) {
	for code, want := range map[ErrorCode]int{InvalidRequest: 400, InvalidToken: 401, InsufficientScope: 403, ServerError: 500} {
		if got := (&Error{Code: code}).BearerStatus(); got != want {
			t.Errorf("%s: got %d, want %d", code, got, want)
		}
	}
}

func TestErrorEcho(t *testing.T) {
	const prefix = "The request has an invalid parameter : "
	tests := []struct{ name, want string }{
		{"a\"b\\c\nd\x7fé", "a?b?c?d??"},
		{"bad\xffbyte", "bad?byte"},
		{strings.Repeat("n", 1000), strings.Repeat("n", 64)},
	}
	for _, tt := range tests {
		if got := InvalidParameter(tt.name).Description; got != prefix+tt.want {
			t.Errorf("got %q, want %q", got, prefix+tt.want)
		}
	}
}

func TestErrorBecause(t *testing.T) {
	plain := ClientAuthenticationFailed()
	told := plain.Because("The secret sent is not one of this profile's live secrets.")
	if plain.Reason != "" {
		t.Error("Because changed its receiver")
	}
	const want = "oauth: invalid_client: Client authentication failed (The secret sent is not one of this profile's live secrets.)"
	if got := told.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := plain.Error(); got != "oauth: invalid_client: Client authentication failed" {
		t.Errorf("without a reason: got %q", got)
	}
}

// wantError fails unless got has the code and description; code "" wants none.
func wantError(t *testing.T, got *Error, code ErrorCode, description string) {
	t.Helper()
	switch {
	case got == nil && code == "":
	case got == nil:
		t.Errorf("no error, want %s %q", code, description)
	case got.Code != code || got.Description != description:
		t.Errorf("got %v, want %s %q", got, code, description)
	}
}

// onTheWire reports whether s may be an error_description (RFC 6749 appendix A.8).
func onTheWire(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' })
}
