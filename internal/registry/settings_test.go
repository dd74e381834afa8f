package registry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSettings(t *testing.T) {
	web, own := ReturnURL{Value: "https://localhost"}, ReturnURL{Value: "com.example.app:/cb"}
	tests := map[string]struct {
		kind, alg string
		urls      []ReturnURL
		want      Settings
		errs      FieldErrors
	}{
		"web":         {"web", "RS256", []ReturnURL{web}, Settings{Kind: Web, IDTokenAlg: "RS256"}, nil},
		"single page": {"single-page", "ES256", []ReturnURL{web}, Settings{Kind: SinglePage, IDTokenAlg: "ES256"}, nil},
		"native":      {"native", "RS256", []ReturnURL{web, own}, Settings{Kind: Native, IDTokenAlg: "RS256"}, nil},
		"service":     {"service", "ES256", nil, Settings{Kind: Service, IDTokenAlg: "ES256"}, nil},
		"scheme of its own": {"web", "RS256", []ReturnURL{web, own}, Settings{},
			FieldErrors{{"kind", "Only a native app may have the return URL com.example.app:/cb. Remove it under Web Settings first.", ""}}},
		"none": {"", "", []ReturnURL{own}, Settings{},
			FieldErrors{{"kind", "Choose one of the kinds below.", ""}, {"id_token_alg", "Choose one of the algorithms below.", ""}}},
		"label in place of name": {"Web application", "RS256", nil, Settings{}, FieldErrors{{"kind", "Choose one of the kinds below.", ""}}},
		"algorithm none":         {"web", "none", nil, Settings{}, FieldErrors{{"id_token_alg", "Choose one of the algorithms below.", ""}}},
		"symmetric algorithm":    {"web", "HS256", nil, Settings{}, FieldErrors{{"id_token_alg", "Choose one of the algorithms below.", ""}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, errs := ParseSettings(tt.kind, tt.alg, tt.urls)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.errs, errs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	var labels []string
	for _, k := range Kinds() {
		labels = append(labels, k.Label())
		if got, ok := ParseKind(k.Name()); !ok || got != k {
			t.Errorf("ParseKind(%q) = %v, %v", k.Name(), got, ok)
		}
		if !strings.HasSuffix(k.Words(), ".") {
			t.Errorf("%s: %q is no sentence", k.Name(), k.Words())
		}
	}
	if got, want := strings.Join(labels, ", "), "Web application, Single page, Native app, Device, Service"; got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
}
