package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/oauth"
)

// goodScope is a form without fault.
func goodScope(change func(*ScopeForm)) ScopeForm {
	f := ScopeForm{
		Name: "reports:read", Aliases: []string{"reports", "urn:example:reports/read"}, Label: "Your reports", Detail: "It reads them.",
		Essential: true, Restricted: true, WithoutUser: true, Claims: []string{"email", "user_id"}, Audience: 7,
		Translations: []Words{{"pt-BR", "Seus relatórios", "Lê os relatórios."}, {}, {"de", "Ihre Berichte", "Sie werden gelesen."}},
	}
	change(&f)
	return f
}

func TestParseScope(t *testing.T) {
	got, errs := ParseScope(goodScope(func(f *ScopeForm) { f.Label = "  Your reports "; f.Aliases = append(f.Aliases, " ") }), builtIn(t))
	want := Scope{
		Number: 16, Name: "reports:read", Aliases: []string{"reports", "urn:example:reports/read"}, Label: "Your reports", Detail: "It reads them.",
		Essential: true, Restricted: true, WithoutUser: true, Claims: []Claim{"user_id", "email"}, Audience: 7,
		Translations: []Words{{"de", "Ihre Berichte", "Sie werden gelesen."}, {"pt-BR", "Seus relatórios", "Lê os relatórios."}},
	}
	if diff := cmp.Diff(want, got); diff != "" || errs != nil {
		t.Errorf("%v (-want +got)\n%s", errs, diff)
	}
	want.Version = 3
	again, errs := want.Edit(want.Form(), table(t, want))
	if diff := cmp.Diff(want, again); diff != "" || errs != nil {
		t.Errorf("saved as it is: %v (-want +got)\n%s", errs, diff)
	}
}

// table is that of the built-in scopes and one more.
func table(t *testing.T, own ...Scope) *Scopes {
	t.Helper()
	scopes, err := NewScopes(append(BuiltIn(), own...))
	if err != nil {
		t.Fatal(err)
	}
	return scopes
}

func TestParseScopeRefuses(t *testing.T) {
	const grammar = "Write it in Latin letters, digits and signs such as “:”, without blanks, quotation marks or backslashes."
	mails := Scope{Number: 16, Name: "mails", Aliases: []string{"post"}, Label: "Mails", Version: 1}
	for name, tt := range map[string]struct {
		change func(*ScopeForm)
		want   FieldErrors
	}{
		"nothing": {func(f *ScopeForm) { *f = ScopeForm{} }, FieldErrors{
			{"scope_name", "Write the name that applications ask by, such as reports:read.", ""},
			{"label", "Write what the application gets, as users read it on the consent page, such as “Your sales reports”.", ""},
			{"detail", "Write a sentence that tells users what allowing it means.", ""},
		}},
		"blank in the name":      {func(f *ScopeForm) { f.Name = "reports read" }, FieldErrors{{"scope_name", grammar, "reports_read"}}},
		"quotation mark":         {func(f *ScopeForm) { f.Name = `a"b` }, FieldErrors{{"scope_name", grammar, "a_b"}}},
		"backslash":              {func(f *ScopeForm) { f.Name = `a\b` }, FieldErrors{{"scope_name", grammar, "a_b"}}},
		"umlaut":                 {func(f *ScopeForm) { f.Name = "über" }, FieldErrors{{"scope_name", grammar, "ber"}}},
		"suggestion is taken":    {func(f *ScopeForm) { f.Name = "post al_code\\" }, FieldErrors{{"scope_name", grammar, "post_al_code"}}},
		"suggestion is a name":   {func(f *ScopeForm) { f.Name = "offline access" }, FieldErrors{{"scope_name", grammar, ""}}},
		"long name":              {func(f *ScopeForm) { f.Name = strings.Repeat("x", 65) }, FieldErrors{{"scope_name", "Shorten xxxxxxxxxxxxxxxx… to 64 characters; it has 65.", ""}}},
		"name of a built-in one": {func(f *ScopeForm) { f.Name = "openid" }, FieldErrors{{"scope_name", "The name openid belongs to a scope already.", ""}}},
		"name of another":        {func(f *ScopeForm) { f.Name = "mails" }, FieldErrors{{"scope_name", "The name mails belongs to a scope already.", ""}}},
		"alias of another":       {func(f *ScopeForm) { f.Name = "post" }, FieldErrors{{"scope_name", "The name post belongs to a scope already.", ""}}},
		"alias is another's":     {func(f *ScopeForm) { f.Aliases = []string{"profile"} }, FieldErrors{{"aliases", "The name profile belongs to a scope already.", ""}}},
		"alias is the name":      {func(f *ScopeForm) { f.Aliases = []string{"reports:read"} }, FieldErrors{{"aliases", `Write "reports:read" once.`, ""}}},
		"alias twice":            {func(f *ScopeForm) { f.Aliases = []string{"r", "r"} }, FieldErrors{{"aliases", `Write "r" once.`, ""}}},
		"nine aliases": {func(f *ScopeForm) { f.Aliases = strings.Fields("a b c d e f g h i") },
			FieldErrors{{"aliases", "There can be 8 other names; here are 9.", ""}}},
		"claim":         {func(f *ScopeForm) { f.Claims = []string{"sub"} }, FieldErrors{{"claims", `There is no claim "sub"; choose among user_id, name, email and postal_code.`, ""}}},
		"long label":    {func(f *ScopeForm) { f.Label = strings.Repeat("ü", 81) }, FieldErrors{{"label", "Shorten this to 80 characters; it has 81.", ""}}},
		"lines":         {func(f *ScopeForm) { f.Detail = "a\nb" }, FieldErrors{{"detail", "Write this on one line, without control characters such as tabs or line breaks.", "a b"}}},
		"turned around": {func(f *ScopeForm) { f.Label = "Your \u202estroper" }, FieldErrors{{"label", "Write this on one line, without control characters such as tabs or line breaks.", "Your stroper"}}},
		"no language": {func(f *ScopeForm) { f.Translations = []Words{{"", "Berichte", "Sie werden gelesen."}} },
			FieldErrors{{"language.0", "Write the tag of a language, such as de, fr or pt-BR.", ""}}},
		"English": {func(f *ScopeForm) { f.Translations = []Words{{"EN", "Reports", "They are read."}} },
			FieldErrors{{"language.0", "The words in English are the ones above.", ""}}},
		"language twice": {func(f *ScopeForm) { f.Translations = []Words{{"de", "A", "B"}, {}, {"DE", "A", "B"}} },
			FieldErrors{{"language.2", "The language DE is here twice.", ""}}},
		"no words": {func(f *ScopeForm) { f.Translations = []Words{{"de", "", ""}} }, FieldErrors{
			{"words_label.0", "Write what the application gets, as users read it on the consent page, such as “Your sales reports”.", ""},
			{"words_detail.0", "Write a sentence that tells users what allowing it means.", ""},
		}},
		"too many languages": {func(f *ScopeForm) {
			f.Translations = nil
			for i := range 41 {
				f.Translations = append(f.Translations, Words{fmt.Sprintf("x%c-%c", 'a'+i/26, 'a'+i%26), "A", "B"})
			}
		}, FieldErrors{{"language.40", "There can be words in 40 languages beside English.", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, errs := ParseScope(goodScope(tt.change), table(t, mails))
			if diff := cmp.Diff(tt.want, errs); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(Scope{}, got); diff != "" {
				t.Errorf("something came of it: %s", diff)
			}
		})
	}
}

// TestEditBuiltIn: what clients of the protocols rely on stays as it is.
func TestEditBuiltIn(t *testing.T) {
	scopes := builtIn(t)
	for saved := range scopes.All() {
		want := saved
		want.Label, want.Detail, want.Essential, want.Restricted = "Words", "More words.", false, true
		want.Translations = []Words{{"de", "Worte", "Mehr Worte."}}
		got, errs := saved.Edit(ScopeForm{
			Name: "other", Aliases: []string{"another"}, Label: "Words", Detail: "More words.", Restricted: true, WithoutUser: true,
			Claims: []string{"email"}, Audience: 7, Translations: []Words{{"de", "Worte", "Mehr Worte."}},
		}, scopes)
		if diff := cmp.Diff(want, got); diff != "" || errs != nil {
			t.Errorf("%s: %v (-want +got)\n%s", saved.Name, errs, diff)
		}
	}
}

func TestParseAudience(t *testing.T) {
	for typed, want := range map[string]string{
		" https://api.example.com ": "", "https://api.example.com/v1?x=y": "", "urn:example:api": "", "http://localhost:9000": "",
		"":                        "Write the address of the API, such as https://api.example.com.",
		"api.example.com":         "Write a whole address, such as https://api.example.com.",
		"/v1":                     "Write a whole address, such as https://api.example.com.",
		"https://":                "Write a whole address, such as https://api.example.com.",
		"https://a.example/#x":    "Write it without “#” and what follows.",
		"https://a.example/#":     "Write it without “#” and what follows.",
		"https://a b.example":     "Write it without blanks, quotation marks and characters beyond ASCII.",
		"https://ä.example":       "Write it without blanks, quotation marks and characters beyond ASCII.",
		"https://u@a.example":     "Write it without a user name or password before the “@”.",
		"https://a.example/%zz/%": "Write a whole address, such as https://api.example.com.",
		"https://a.example/" + strings.Repeat("x", 250): "Shorten this to 250 characters; it has 268.",
	} {
		got, errs := ParseAudience(typed)
		if errs.Of(FieldAudience).Message != want || want == "" && got != strings.TrimSpace(typed) || want != "" && got != "" {
			t.Errorf("%q: %q, %v; want %q", typed, got, errs, want)
		}
	}
}

// TestUsable: tokens lose what is retired or withdrawn.
func TestUsable(t *testing.T) {
	retired := Scope{Number: 18, Name: "reports:read", Label: "Of before", Claims: []Claim{ClaimEmail}, RetiredAt: time.Unix(1, 0)}
	scopes := table(t, Scope{Number: 16, Name: "reports:read", Label: "R", Restricted: true}, Scope{Number: 17, Name: "mails", Label: "M"}, retired)
	set := func(numbers ...int) (s oauth.ScopeSet) {
		for _, n := range numbers {
			s = s.With(n)
		}
		return s
	}
	asked := set(0, 16, 17, 18, 40)
	for name, tt := range map[string]struct {
		profile SecurityProfile
		want    oauth.ScopeSet
	}{
		"nothing granted":   {SecurityProfile{}, set(0, 17)},
		"granted":           {SecurityProfile{Granted: set(16)}, set(0, 16, 17)},
		"retired, granted":  {SecurityProfile{Granted: set(18)}, set(0, 17)},
		"registered itself": {SecurityProfile{Dynamic: true, Granted: set(0, 16)}, set(0, 16)},
	} {
		got := scopes.Usable(&tt.profile, asked)
		if got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		for s := range scopes.All() {
			if asked.Has(s.Number) && got.Has(s.Number) != tt.profile.MayAsk(s) {
				t.Errorf("%s: %s may be asked for: %t, and is usable: %t", name, s.Name, tt.profile.MayAsk(s), got.Has(s.Number))
			}
		}
	}
	if got := scopes.Restricted(asked); got != set(16) {
		t.Errorf("restricted: %v", got)
	}
	// A token of before must not pass for one of the scope that has the name now.
	if got := scopes.Names(set(18)); got != nil {
		t.Errorf("a retired scope is called %v", got)
	}
	if got := scopes.Claims(set(18)); got != nil {
		t.Errorf("a retired scope releases %v", got)
	}
	if got := scopes.Names(set(16, 17)); !slices.Equal(got, []string{"reports:read", "mails"}) {
		t.Errorf("names %v", got)
	}
}

func TestIsLanguage(t *testing.T) {
	for tag, want := range map[string]bool{
		"de": true, "pt-BR": true, "zh-Hans-CN": true, "sl-rozaj": true, "de-1996": true, "yue": true,
		"": false, "d": false, "1a": false, "de-": false, "-de": false, "de_AT": false, "de AT": false, "deutsch-österreichisch": false,
		"abcdefghi": false, "de-abcdefghi": false, "de-" + strings.Repeat("ab-", 12) + "ab": false,
	} {
		if got := isLanguage(tag); got != want {
			t.Errorf("%q: %t", tag, got)
		}
	}
}
