package registry

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/oauth"
)

func builtIn(t *testing.T) *Scopes {
	t.Helper()
	scopes, err := NewScopes(BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	return scopes
}

func TestBuiltInScopes(t *testing.T) {
	scopes := builtIn(t)
	tests := []struct {
		name   string
		number int
		claims []Claim
	}{
		{"profile", 0, []Claim{"user_id", "name", "email"}},
		{"profile:user_id", 1, []Claim{"user_id"}},
		{"postal_code", 2, []Claim{"user_id", "postal_code"}},
		{"openid", 3, []Claim{"user_id"}},
		{"email", 4, []Claim{"email"}},
		{"address", 5, []Claim{"postal_code"}},
		{"phone", 6, nil},
		{"offline_access", 7, nil},
	}
	for _, tt := range tests {
		s, ok := scopes.Lookup(tt.name)
		if !ok || s.Number != tt.number || !s.Essential || s.Label == "" {
			t.Errorf("Lookup(%q) = %+v, %v", tt.name, s, ok)
		}
		if diff := cmp.Diff(tt.claims, s.Claims); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if byNumber, ok := scopes.ByNumber(tt.number); !ok || byNumber.Name != tt.name {
			t.Errorf("ByNumber(%d) = %+v, %v", tt.number, byNumber, ok)
		}
	}
	if s, ok := scopes.ByNumber(8); ok {
		t.Errorf("ByNumber(8) = %+v", s)
	}
	if got := len(slices.Collect(scopes.All())); got != 8 {
		t.Errorf("All yields %d scopes, want 8", got)
	}
}

func TestScopesParse(t *testing.T) {
	scopes, err := NewScopes([]Scope{
		{Number: 70, Name: "slate::reporting", Aliases: []string{"reporting"}, Label: "Reports", Claims: []Claim{"user_id"}},
		{Number: 0, Name: "profile", Label: "You", Claims: []Claim{"name", "user_id"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	set, unknown := scopes.Parse([]string{"reporting", "Profile", "profile", "alexa:all", "slate::reporting"})
	if want := (oauth.ScopeSet{}).With(0).With(70); set != want {
		t.Errorf("set = %v, want %v", set, want)
	}
	if diff := cmp.Diff([]string{"Profile", "alexa:all"}, unknown); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"profile", "slate::reporting"}, scopes.Names(set)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Claim{"name", "user_id"}, scopes.Claims(set)); diff != "" {
		t.Error(diff)
	}
}

func TestNewScopesRefuses(t *testing.T) {
	tests := map[string][]Scope{
		"number too large":  {{Number: 128, Name: "a", Label: "A"}},
		"negative number":   {{Number: -1, Name: "a", Label: "A"}},
		"same number":       {{Number: 5, Name: "a", Label: "A"}, {Number: 5, Name: "b", Label: "B"}},
		"same name":         {{Number: 5, Name: "a", Label: "A"}, {Number: 6, Name: "a", Label: "A"}},
		"alias of another":  {{Number: 5, Name: "a", Label: "A"}, {Number: 6, Name: "b", Aliases: []string{"a"}, Label: "B"}},
		"no name":           {{Number: 5, Label: "A"}},
		"space in name":     {{Number: 5, Name: "a b", Label: "A"}},
		"quotation mark":    {{Number: 5, Name: `a"b`, Label: "A"}},
		"backslash in name": {{Number: 5, Name: `a\b`, Label: "A"}},
		"no label":          {{Number: 5, Name: "a"}},
	}
	for name, scopes := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := NewScopes(scopes); err == nil {
				t.Errorf("NewScopes(%+v) = %+v, want an error", scopes, got)
			}
		})
	}
}

func TestAudiences(t *testing.T) {
	scopes, err := NewScopes(append(BuiltIn(),
		Scope{Number: 16, Name: "reports:read", Label: "Reports", Audience: 7},
		Scope{Number: 17, Name: "reports:write", Label: "Reports", Audience: 7},
		Scope{Number: 18, Name: "mail:read", Label: "Mail", Audience: 9}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		names []string
		apis  []int64
		here  bool
	}{
		{nil, nil, false},
		{[]string{"profile", "openid"}, nil, true},
		{[]string{"reports:read", "reports:write"}, []int64{7}, false},
		{[]string{"mail:read", "profile", "reports:read"}, []int64{7, 9}, true},
	} {
		set, _ := scopes.Parse(tc.names)
		apis, here := scopes.Audiences(set)
		if !slices.Equal(apis, tc.apis) || here != tc.here {
			t.Errorf("%v: %v, %v; want %v, %v", tc.names, apis, here, tc.apis, tc.here)
		}
	}
	all, _ := scopes.Parse([]string{"profile", "reports:read", "mail:read"})
	for api, want := range map[int64][]string{7: {"reports:read"}, 9: {"mail:read"}, 8: nil} {
		if got := scopes.Names(scopes.For(api, all)); !slices.Equal(got, want) {
			t.Errorf("for %d: %v, want %v", api, got, want)
		}
	}
}

// TestScopeWords: RFC 4647 section 3.4, lookup.
func TestScopeWords(t *testing.T) {
	s := Scope{Label: "Reports", Translations: []Words{{Language: "de", Label: "Berichte"}, {Language: "pt-BR", Label: "Relatórios"}}}
	for _, tc := range []struct {
		languages []string
		want      string
	}{
		{nil, "Reports"},
		{[]string{"de"}, "Berichte"},
		{[]string{"DE-at-1996"}, "Berichte"},
		{[]string{"pt"}, "Reports"},
		{[]string{"pt-BR"}, "Relatórios"},
		{[]string{"fr", "pt-br", "de"}, "Relatórios"},
		{[]string{"en-GB", "de"}, "Reports"},
	} {
		if got, _ := s.In(tc.languages); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.languages, got, tc.want)
		}
	}
}
