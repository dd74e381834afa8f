package registry

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/oauth"
)

// rejectAll and acceptAll stand in for the judgement of keys.
func rejectAll(string) string { return "Key 1 is bad." }
func acceptAll(string) string { return "" }

func TestParseSettings(t *testing.T) {
	web, own := ReturnURL{Value: "https://localhost"}, ReturnURL{Value: "com.example.app:/cb"}
	// plain is the form as a browser sends it when nobody opened the rest.
	plain := func(k Kind, change func(*SettingsForm)) SettingsForm {
		f := FormOfSettings(DefaultSettings(k), nil)
		if change != nil {
			change(&f)
		}
		return f
	}
	const keys = `{"keys":[{}]}`
	everything := func(f *SettingsForm) {
		f.Auth, f.JWKS, f.IDTokenAlg, f.TokenFormat = "key", keys, "ES256", "jwt"
		f.Implicit, f.RequireDPoP, f.RequirePAR = true, true, true
		f.BackChannelLogoutURI = "https://app.example.com/logout"
		f.PostLogoutURLs = []ReturnURL{{Value: "https://app.example.com/bye", Note: " live "}, {}}
	}
	bye := []ReturnURL{{"https://app.example.com/bye", "live"}}
	tests := map[string]struct {
		form   SettingsForm
		urls   []ReturnURL
		want   Settings
		logout []ReturnURL
	}{
		"web":         {plain(Web, nil), []ReturnURL{web}, Settings{Kind: Web, IDTokenAlg: "RS256"}, nil},
		"single page": {plain(SinglePage, nil), []ReturnURL{web}, Settings{Kind: SinglePage, IDTokenAlg: "RS256"}, nil},
		"native":      {plain(Native, nil), []ReturnURL{web, own}, Settings{Kind: Native, IDTokenAlg: "RS256"}, nil},
		"device":      {plain(Device, nil), nil, Settings{Kind: Device, IDTokenAlg: "RS256"}, nil},
		"service":     {plain(Service, nil), nil, Settings{Kind: Service, IDTokenAlg: "RS256"}, nil},
		"all of web": {plain(Web, everything), nil, Settings{
			Kind: Web, IDTokenAlg: "ES256", Implicit: true, Auth: AuthKey, JWKS: keys, RequireDPoP: true, RequirePAR: true,
			BackChannelLogoutURI: "https://app.example.com/logout", TokenFormat: JWT,
		}, bye},
		// What the kind has no use for is left out, and not refused.
		"all of single page": {plain(SinglePage, everything), nil, Settings{
			Kind: SinglePage, IDTokenAlg: "ES256", Implicit: true, RequireDPoP: true, RequirePAR: true,
			BackChannelLogoutURI: "https://app.example.com/logout", TokenFormat: JWT,
		}, bye},
		"all of native": {plain(Native, everything), nil, Settings{
			Kind: Native, IDTokenAlg: "ES256", RequireDPoP: true, RequirePAR: true,
			BackChannelLogoutURI: "https://app.example.com/logout", TokenFormat: JWT,
		}, bye},
		"all of device":  {plain(Device, everything), nil, Settings{Kind: Device, IDTokenAlg: "ES256", RequireDPoP: true, TokenFormat: JWT}, nil},
		"all of service": {plain(Service, everything), nil, Settings{Kind: Service, IDTokenAlg: "RS256", Auth: AuthKey, JWKS: keys, RequireDPoP: true, TokenFormat: JWT}, nil},
		"what is not used may be wrong": {SettingsForm{Kind: "service", Auth: "secret", IDTokenAlg: "none", TokenFormat: "opaque", BackChannelLogoutURI: "x", PostLogoutURLs: []ReturnURL{{Value: "x"}}},
			nil, Settings{Kind: Service, IDTokenAlg: "RS256"}, nil},
		"keys by address":                    {plain(Web, func(f *SettingsForm) { f.Auth, f.JWKSURI = "key", "https://app.example.com/keys?v=1" }), nil, Settings{Kind: Web, IDTokenAlg: "RS256", Auth: AuthKey, JWKSURI: "https://app.example.com/keys?v=1"}, nil},
		"keys on the same computer":          {plain(Web, func(f *SettingsForm) { f.JWKSURI = "http://127.0.0.1:9000/keys" }), nil, Settings{Kind: Web, IDTokenAlg: "RS256", JWKSURI: "http://127.0.0.1:9000/keys"}, nil},
		"keys before they are needed":        {plain(Web, func(f *SettingsForm) { f.JWKS = "\r\n{\r\n}\r\n" }), nil, Settings{Kind: Web, IDTokenAlg: "RS256", JWKS: "{\n}"}, nil},
		"a scheme of its own after sign-out": {plain(Native, func(f *SettingsForm) { f.PostLogoutURLs = []ReturnURL{own} }), nil, Settings{Kind: Native, IDTokenAlg: "RS256"}, []ReturnURL{own}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, logout, errs := ParseSettings(tt.form, tt.urls, acceptAll)
			if diff := cmp.Diff(tt.want, got); diff != "" || errs != nil {
				t.Errorf("%v\n%s", errs, diff)
			}
			if diff := cmp.Diff(tt.logout, logout); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseSettingsRefuses(t *testing.T) {
	good := FormOfSettings(DefaultSettings(Web), nil)
	many := make([]ReturnURL, MaxPostLogoutURLs+1)
	for i := range many {
		many[i].Value = "https://app.example.com/" + strconv.Itoa(i)
	}
	const http = "Use https: http is accepted for localhost, 127.0.0.1 and [::1] only, because what is sent over it can be read on the way."
	tests := map[string]struct {
		change func(*SettingsForm)
		urls   []ReturnURL
		want   FieldErrors
	}{
		"nothing":                {func(f *SettingsForm) { *f = SettingsForm{} }, nil, FieldErrors{{"kind", "Choose one of the kinds below.", ""}}},
		"label in place of name": {func(f *SettingsForm) { f.Kind = "Web application" }, nil, FieldErrors{{"kind", "Choose one of the kinds below.", ""}}},
		"scheme of its own": {nil, []ReturnURL{{Value: "com.example.app:/cb"}},
			FieldErrors{{"kind", "Only a native app may have the return URL com.example.app:/cb. Remove it under Web Settings first.", ""}}},
		"choices": {func(f *SettingsForm) { f.Auth, f.IDTokenAlg, f.TokenFormat = "none", "none", "JWT" }, nil,
			FieldErrors{{"auth", "Choose one of the two below.", ""}, {"id_token_alg", "Choose one of the algorithms below.", ""}, {"token_format", "Choose one of the formats below.", ""}}},
		"symmetric algorithm": {func(f *SettingsForm) { f.IDTokenAlg = "HS256" }, nil, FieldErrors{{"id_token_alg", "Choose one of the algorithms below.", ""}}},
		"no key": {func(f *SettingsForm) { f.Auth = "key" }, nil,
			FieldErrors{{"jwks", "Give the application’s public keys, as a key set or as the address of one: a signed assertion is checked with them.", ""}}},
		"bad key":      {func(f *SettingsForm) { f.JWKS = "{}" }, nil, FieldErrors{{"jwks", "Key 1 is bad.", ""}}},
		"too long":     {func(f *SettingsForm) { f.JWKS = strings.Repeat("k", JWKSMaxBytes+1) }, nil, FieldErrors{{"jwks", "Shorten this to 32768 bytes; it has 32769. Only keys that are in use have to be here.", ""}}},
		"not UTF-8":    {func(f *SettingsForm) { f.JWKS = "\xff" }, nil, FieldErrors{{"jwks", "Write this again: some of its characters did not arrive as valid UTF-8.", ""}}},
		"keys by http": {func(f *SettingsForm) { f.JWKSURI = "http://app.example.com/keys" }, nil, FieldErrors{{"jwks_uri", http, "https://app.example.com/keys"}}},
		"keys twice": {func(f *SettingsForm) { f.JWKS, f.JWKSURI = "{}", "https://app.example.com/keys" }, nil,
			FieldErrors{{"jwks", "Key 1 is bad.", ""}, {"jwks_uri", "Keep one of the two: the key set, or the address of one.", ""}}},
		"logout": {func(f *SettingsForm) {
			f.BackChannelLogoutURI = "http://app.example.com/logout"
			f.PostLogoutURLs = []ReturnURL{{Value: "com.example.app:/bye"}, {Value: "HTTPS://app.example.com"}}
		}, nil, FieldErrors{{"backchannel_logout_uri", http, "https://app.example.com/logout"},
			{"post_logout_urls.0", "Begin the address with https:// (or, for your own machine only, http://).", ""},
			{"post_logout_urls.1", "Write https in lower case.", "https://app.example.com"}}},
		"fragment": {func(f *SettingsForm) { f.BackChannelLogoutURI = "https://app.example.com/#x" }, nil,
			FieldErrors{{"backchannel_logout_uri", "Leave out “#” and what follows it: browsers never send that part, and nothing could be added behind it.", "https://app.example.com/"}}},
		"too many": {func(f *SettingsForm) { f.PostLogoutURLs = many }, nil, FieldErrors{{"post_logout_urls", "Keep at most 20 of these; there are more.", ""}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			form := good
			if tt.change != nil {
				tt.change(&form)
			}
			got, logout, errs := ParseSettings(form, tt.urls, rejectAll)
			if diff := cmp.Diff(tt.want, errs); diff != "" || got != (Settings{}) || logout != nil {
				t.Errorf("%+v %v\n%s", got, logout, diff)
			}
		})
	}
}

// FuzzParseSettings: what is accepted is accepted again as it is shown, and says
// nothing that its kind has no use for.
func FuzzParseSettings(f *testing.F) {
	f.Add("web", "key", "ES256", "jwt", `{"keys":[]}`, "", "https://app.example.com/logout", "https://app.example.com/bye", " note ", uint8(7))
	f.Add("native", "secret", "RS256", "opaque", "\r\n", "http://localhost/keys", "", "com.example.app:/bye", "", uint8(0))
	f.Add("service", "key", "", "opaque", "", "https://app.example.com/keys", "x", "y", "", uint8(2))
	f.Fuzz(func(t *testing.T, kind, auth, alg, format, jwks, uri, backChannel, postLogout, note string, flags uint8) {
		form := SettingsForm{
			Kind: kind, Auth: auth, IDTokenAlg: alg, TokenFormat: format, JWKS: jwks, JWKSURI: uri, BackChannelLogoutURI: backChannel,
			Implicit: flags&1 != 0, RequireDPoP: flags&2 != 0, RequirePAR: flags&4 != 0, PostLogoutURLs: []ReturnURL{{postLogout, note}},
		}
		got, logout, errs := ParseSettings(form, nil, acceptAll)
		if errs != nil {
			if got != (Settings{}) || logout != nil {
				t.Fatalf("refused, and yet %+v %v", got, logout)
			}
			return
		}
		again, logoutAgain, errs := ParseSettings(FormOfSettings(got, logout), nil, rejectUnless(got.JWKS))
		if errs != nil || again != got || !slices.Equal(logout, logoutAgain) {
			t.Fatalf("%+v %v\nbecame %+v %v: %v", got, logout, again, logoutAgain, errs)
		}
		k := got.Kind
		switch {
		case got.Auth == AuthKey && (k.Public() || got.JWKS == "" == (got.JWKSURI == "")),
			got.JWKS != "" && (k.Public() || got.JWKSURI != ""),
			got.Implicit && k != Web && k != SinglePage,
			(got.RequirePAR || got.BackChannelLogoutURI != "" || logout != nil) && !k.May(oauth.GrantAuthorizationCode),
			got.IDTokenAlg != "RS256" && (k == Service || got.IDTokenAlg != "ES256"):
			t.Fatalf("accepted: %+v %v", got, logout)
		}
	})
}

// rejectUnless accepts one text of keys.
func rejectUnless(jwks string) KeyCheck {
	return func(s string) string {
		if s != jwks {
			return "Other keys."
		}
		return ""
	}
}

func TestKinds(t *testing.T) {
	var labels []string
	for _, k := range Kinds() {
		labels = append(labels, k.Label())
		if got, ok := ParseKind(k.Name()); !ok || got != k {
			t.Errorf("ParseKind(%q) = %v, %v", k.Name(), got, ok)
		}
		for _, words := range []string{k.Words(), k.Means()} {
			if !strings.HasSuffix(words, ".") {
				t.Errorf("%s: %q is no sentence", k.Name(), words)
			}
		}
	}
	if got, want := strings.Join(labels, ", "), "Web application, Single page, Native app, Device, Service"; got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
}
