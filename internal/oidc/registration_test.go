package oidc

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseClientMetadata(t *testing.T) {
	got, err := ParseClientMetadata([]byte(`{"redirect_uris":["https://a.example/cb"],"client_name":"A","client_name#de":["x"],"scope":" openid  email openid ",
		"jwks": {"keys": [ ]}, "dpop_bound_access_tokens": true, "grant_types": [], "response_types": null, "unknown": {"a": [1, {"a": 1}]}}`))
	want := ClientMetadata{
		RedirectURIs: []string{"https://a.example/cb"}, Name: "A", Scope: []string{"openid", "email"},
		JWKS: []byte(`{"keys":[]}`), RequireDPoP: true, GrantTypes: []string{},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
}

// TestRefuseMetadata: descriptions are ASCII without quotes and backslashes, and short.
func TestRefuseMetadata(t *testing.T) {
	for _, tt := range []struct{ member, words, code, want string }{
		{"client_name", "Write “A” — not \"B\\C\".", "invalid_client_metadata", "client_name: Write 'A' - not 'B/C'."},
		{"redirect_uris", "ü\n", "invalid_redirect_uri", "redirect_uris: ??"},
		{"scope", strings.Repeat("a", 600), "invalid_client_metadata", "scope: " + strings.Repeat("a", 493)},
	} {
		if got := RefuseMetadata(tt.member, tt.words); string(got.Code) != tt.code || got.Description != tt.want {
			t.Errorf("%+v, want %s %q", got, tt.code, tt.want)
		}
	}
}

// FuzzParseClientMetadata: what is accepted is text that every database takes, and
// what is refused has a description that the wire takes.
func FuzzParseClientMetadata(f *testing.F) {
	for _, body := range []string{
		`{"redirect_uris":["https://a.example/cb"],"scope":"openid","jwks":{"keys":[]}}`, `{"client_name":"\ud800"}`, `{"a":1,"a":1}`,
		`{"redirect_uris":[null,"\u0000"]}`, `[]`, `{"software_statement":"x"}`, `{"dpop_bound_access_tokens":1}`, `{"jwks":{},"jwks_uri":"x"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := ParseClientMetadata(body)
		if err != nil {
			if err.Description == "" || len(err.Description) > 500 || strings.ContainsFunc(err.Description, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
				t.Fatalf("%q", err.Description)
			}
			return
		}
		for _, s := range append([]string{m.AuthMethod, m.ApplicationType, m.Name, m.LogoURI, m.PolicyURI, m.JWKSURI, m.IDTokenAlg, m.SubjectType, m.BackChannelLogoutURI},
			append(append(append(m.RedirectURIs, m.PostLogoutURIs...), m.GrantTypes...), m.ResponseTypes...)...) {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("accepted %q", s)
			}
		}
		if m.JWKS != nil && m.JWKSURI != "" {
			t.Fatal("keys from two places")
		}
	})
}
