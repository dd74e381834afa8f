package oidc

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var provider = Provider{
	Issuer:               "https://lodge.example",
	RegistrationEndpoint: "https://lodge.example/oauth2/register",
	Documentation:        "https://lodge.example/help/",
	Scopes:               []string{"openid", "profile", "email", "offline_access"},
	ACRValues:            []string{"1", "2"},
	UILocales:            []string{"en"},
	SigningAlgorithms:    []string{"RS256", "ES256"},
	ClientAlgorithms:     []string{"ES256", "RS256", "PS256"},
}

// The document is what clients were configured with: a change shows here.
func TestMetadata(t *testing.T) {
	got, err := json.MarshalIndent(provider.Metadata(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const golden = "testdata/openid-configuration.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-golden +now):\n%s", diff)
	}
}

func TestMetadataLeavesOut(t *testing.T) {
	text, err := json.Marshal(Provider{Issuer: "https://lodge.example", Scopes: []string{"openid"}}.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"registration_endpoint", "acr_values_supported", "ui_locales_supported", "service_documentation"} {
		if strings.Contains(string(text), `"`+name+`"`) {
			t.Errorf("%s is there, and empty", name)
		}
	}
}

// What Discovery section 3 and RFC 8414 section 2 require, in the words of the
// documents and not of the struct.
func TestMetadataRequirements(t *testing.T) {
	text, err := json.Marshal(provider.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported",
		"subject_types_supported", "id_token_signing_alg_values_supported"} {
		if doc[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	has := func(name, value string) bool {
		list, _ := doc[name].([]any)
		for _, v := range list {
			if v == value {
				return true
			}
		}
		return false
	}
	if !has("id_token_signing_alg_values_supported", "RS256") {
		t.Error("Discovery: RS256 MUST be included")
	}
	if !has("scopes_supported", "openid") {
		t.Error("Discovery: the server MUST support the openid scope")
	}
	if has("introspection_endpoint_auth_methods_supported", "none") {
		t.Error("CVE-2026-92288: introspection for whoever asks")
	}
	if has("code_challenge_methods_supported", "plain") || has("token_endpoint_auth_signing_alg_values_supported", "none") {
		t.Error("offers what RFC 9700 or RFC 8414 forbids")
	}
	if doc["request_uri_parameter_supported"] != false {
		t.Error("Discovery: request_uri_parameter_supported is true when left out")
	}
}
