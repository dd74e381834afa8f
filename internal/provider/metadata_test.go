package provider_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

// TestDiscovery: the metadata promises nothing that is not there. Whatever it names
// is asked for.
func TestDiscovery(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	var m map[string]any
	documents := map[string]string{}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		got := w.Get(path)
		if got.Status != http.StatusOK || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") || got.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Fatalf("%s: %v %v", path, got, got.Header)
		}
		documents[got.Body] = path
		if err := json.Unmarshal([]byte(got.Body), &m); err != nil {
			t.Fatal(err)
		}
	}
	if len(documents) != 1 || m["issuer"] != w.Issuer {
		t.Errorf("issuer %v, %d documents", m["issuer"], len(documents))
	}
	list := func(name string) []string {
		var all []string
		for _, v := range m[name].([]any) {
			all = append(all, v.(string))
		}
		return all
	}
	t.Run("endpoints", func(t *testing.T) {
		asked := 0
		for name, value := range m {
			address, ok := value.(string)
			if !ok || !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" && name != "service_documentation" {
				continue
			}
			asked++
			path, own := strings.CutPrefix(address, w.Issuer)
			if !own {
				t.Errorf("%s is %s", name, address)
			}
			method := http.MethodGet
			if slices.Contains([]string{"token_endpoint", "introspection_endpoint", "revocation_endpoint", "device_authorization_endpoint", "pushed_authorization_request_endpoint"}, name) {
				method = http.MethodPost
			}
			if got := w.Do(w.Request(method, path, nil)); got.Status == http.StatusNotFound || got.Status == http.StatusMethodNotAllowed || got.Status >= 500 {
				t.Errorf("%s: %s %s: %v", name, method, path, got)
			}
		}
		if asked < 7 {
			t.Errorf("only %d endpoints", asked)
		}
	})
	t.Run("grant types", func(t *testing.T) {
		want := []string{"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"}
		if got := list("grant_types_supported"); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		for _, grant := range want {
			if got := w.Post("/oauth2/token", url.Values{"grant_type": {grant}, "client_id": {app.ID}, "client_secret": {app.Secret}}); got.Text("error") == "unsupported_grant_type" {
				t.Errorf("%s: %v", grant, got)
			}
		}
	})
	t.Run("scopes", func(t *testing.T) {
		for _, scope := range list("scopes_supported") {
			if back := user.Authorize(app, sim.Standard, "scope", scope); back.Get("code") == "" {
				t.Errorf("%s: %v", scope, back)
			}
		}
	})
	t.Run("response types, modes and methods", func(t *testing.T) {
		for name, want := range map[string][]string{
			"response_types_supported": {"code"}, "response_modes_supported": {"query", "fragment", "form_post"}, "code_challenge_methods_supported": {"S256"},
			"acr_values_supported": {"urn:gatelodge:acr:password"}, "ui_locales_supported": {"en"},
			"subject_types_supported": {"pairwise"}, "id_token_signing_alg_values_supported": {"RS256", "ES256"}, "claim_types_supported": {"normal"},
			"token_endpoint_auth_methods_supported":                    {"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
			"introspection_endpoint_auth_methods_supported":            {"client_secret_basic", "client_secret_post", "private_key_jwt"},
			"revocation_endpoint_auth_methods_supported":               {"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
			"token_endpoint_auth_signing_alg_values_supported":         {"ES256", "RS256", "PS256"},
			"introspection_endpoint_auth_signing_alg_values_supported": {"ES256", "RS256", "PS256"},
			"revocation_endpoint_auth_signing_alg_values_supported":    {"ES256", "RS256", "PS256"},
			"dpop_signing_alg_values_supported":                        {"ES256", "RS256", "PS256"},
		} {
			if got := list(name); !slices.Equal(got, want) {
				t.Errorf("%s %v, want %v", name, got, want)
			}
		}
		for name, value := range m {
			switch value := value.(type) {
			case bool:
				want := slices.Contains([]string{
					"authorization_response_iss_parameter_supported", "backchannel_logout_supported", "backchannel_logout_session_supported", "claims_parameter_supported",
				}, name)
				if value != want {
					t.Errorf("%s is %v", name, value)
				}
			case nil:
				t.Errorf("%s is null", name)
			case []any:
				if len(value) == 0 { // RFC 8414 section 3.2
					t.Errorf("%s is empty", name)
				}
			}
		}
	})
	t.Run("claims", func(t *testing.T) {
		app := w.NewApplication()
		app.Set(func(s *registry.Settings) { s.BackChannelLogoutURI = "https://app.example/logout" })
		rp := w.NewRelyingParty(app, "profile", "email", "address")
		got := rp.SignIn(user)
		told := maps.Clone(got.Claims)
		maps.Copy(told, got.Profile)
		told["address"] = true // when a postal code was entered
		want, promised := slices.Sorted(maps.Keys(told)), slices.Sorted(slices.Values(list("claims_supported")))
		if !slices.Equal(promised, want) {
			t.Errorf("promised %v, told %v", promised, want)
		}
	})
	t.Run("keys", func(t *testing.T) {
		got := w.Get("/oauth2/jwks")
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal([]byte(got.Body), &set); err != nil {
			t.Fatal(err)
		}
		var algs []string
		for _, k := range set.Keys {
			algs = append(algs, k["alg"])
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} {
				if _, there := k[private]; there {
					t.Errorf("key %s tells its %s", k["kid"], private)
				}
			}
			if k["use"] != "sig" || k["kid"] == "" {
				t.Errorf("key %v", k)
			}
		}
		slices.Sort(algs)
		if !slices.Equal(algs, []string{"ES256", "RS256"}) || got.Header.Get("Content-Type") != "application/jwk-set+json" {
			t.Errorf("keys by %v, %s", algs, got.Header.Get("Content-Type"))
		}
	})
}
