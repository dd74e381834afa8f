package oauth

import (
	"strings"
	"testing"
)

// RFC 7636 appendix B.
const (
	rfcVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfcChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestChallengeVerify(t *testing.T) {
	long := strings.Repeat("aZ9-._~x", 16)
	tests := []struct {
		name      string
		challenge Challenge
		verifier  string
		want      bool
	}{
		{"RFC 7636 appendix B", Challenge{S256, rfcChallenge}, rfcVerifier, true},
		{"other verifier", Challenge{S256, rfcChallenge}, "x" + rfcVerifier[1:], false},
		{"challenge sent as verifier", Challenge{S256, rfcChallenge}, rfcChallenge, false},
		{"no verifier", Challenge{S256, rfcChallenge}, "", false},
		{"plain", Challenge{Plain, rfcVerifier}, rfcVerifier, true},
		{"plain, longest", Challenge{Plain, long}, long, true},
		{"plain, other case", Challenge{Plain, rfcVerifier}, strings.ToUpper(rfcVerifier), false},
		{"plain, prefix", Challenge{Plain, long}, long[:127], false},
		{"plain, no verifier", Challenge{Plain, rfcVerifier}, "", false},
		{"plain, verifier without grammar", Challenge{Plain, "short"}, "short", false},
		{"neither challenge nor verifier", Challenge{}, "", true},
		{"verifier without challenge", Challenge{}, rfcVerifier, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.challenge.Verify(tt.verifier); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestVerifierGrammar(t *testing.T) {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	if !isVerifier(unreserved) {
		t.Error("unreserved characters refused")
	}
	for c := range 256 {
		s := unreserved[:50] + string([]byte{byte(c)})
		if got, want := isVerifier(s), strings.IndexByte(unreserved, byte(c)) >= 0; got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
	for n, want := range map[int]bool{0: false, 42: false, 43: true, 128: true, 129: false} {
		if got := isVerifier(strings.Repeat("a", n)); got != want {
			t.Errorf("length %d: got %v, want %v", n, got, want)
		}
	}
}

func TestRequirePKCE(t *testing.T) {
	const failed, badCode = "Client authentication failed", "The request has an invalid grant parameter : code"
	tests := []struct {
		name        string
		dialect     Dialect
		method      ChallengeMethod
		auth        ClientAuthMethod
		code        ErrorCode
		description string
	}{
		{"standard, public, S256", Standard, S256, AuthNone, "", ""},
		{"standard, public, plain", Standard, Plain, AuthNone, InvalidGrant, badCode},
		{"standard, public, none", Standard, PKCENone, AuthNone, InvalidClient, failed},
		{"standard, secret, S256", Standard, S256, AuthBasic, "", ""},
		{"standard, secret, plain", Standard, Plain, AuthPost, InvalidGrant, badCode},
		{"standard, secret, none", Standard, PKCENone, AuthBasic, "", ""},
		{"amazon, public, S256", LoginWithAmazon, S256, AuthNone, "", ""},
		{"amazon, public, plain", LoginWithAmazon, Plain, AuthNone, InvalidGrant, badCode},
		{"amazon, public, none", LoginWithAmazon, PKCENone, AuthNone, InvalidClient, failed},
		{"amazon, secret, S256", LoginWithAmazon, S256, AuthPost, "", ""},
		{"amazon, secret, plain", LoginWithAmazon, Plain, AuthPost, "", ""},
		{"amazon, secret, none", LoginWithAmazon, PKCENone, AuthBasic, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, RequirePKCE(tt.dialect, tt.method, tt.auth), tt.code, tt.description)
		})
	}
}
