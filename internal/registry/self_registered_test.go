package registry

import (
	"strings"
	"testing"

	"gatelodge/internal/oauth"
)

func TestKindOfSelfRegistration(t *testing.T) {
	const basic, none = "client_secret_basic", AuthMethodNone
	code, device, service := oauth.GrantAuthorizationCode, oauth.GrantDeviceCode, oauth.GrantClientCredentials
	for _, tt := range []struct {
		name, application, method string
		grants                    []oauth.GrantType
		urls                      []string
		want                      Kind
		ok                        bool
	}{
		{"on a server", "", basic, []oauth.GrantType{code}, []string{"https://a.example"}, Web, true},
		{"on a server, tested at home", "", basic, []oauth.GrantType{code}, []string{"http://localhost:3000"}, Web, true},
		{"code before all else", "", basic, []oauth.GrantType{service, device, code}, []string{"https://a.example"}, Web, true},
		{"in a browser", "", none, []oauth.GrantType{code}, []string{"https://a.example"}, SinglePage, true},
		{"in a browser, tested at home", "web", none, []oauth.GrantType{code}, []string{"http://localhost:3000"}, SinglePage, true},
		{"in a browser, both", "", none, []oauth.GrantType{code}, []string{"http://localhost:3000", "https://a.example"}, SinglePage, true},
		{"says that it is native", "native", basic, []oauth.GrantType{code}, []string{"https://a.example"}, Native, true},
		{"own scheme", "", basic, []oauth.GrantType{code}, []string{"https://a.example", "com.example.app:/cb"}, Native, true},
		{"own port", "", none, []oauth.GrantType{code}, []string{"http://127.0.0.1/cb", "http://[::1]/cb"}, Native, true},
		{"own port by https", "", none, []oauth.GrantType{code}, []string{"https://localhost/cb"}, SinglePage, true},
		{"says that it is of the web", "web", none, []oauth.GrantType{code}, []string{"com.example.app:/cb"}, SinglePage, true},
		{"television", "", none, []oauth.GrantType{device, oauth.GrantRefreshToken}, nil, Device, true},
		{"service", "", basic, []oauth.GrantType{service}, nil, Service, true},
		{"refresh alone", "", basic, []oauth.GrantType{oauth.GrantRefreshToken}, nil, Web, false},
		{"nothing", "", basic, nil, nil, Web, false},
	} {
		got, ok := SelfRegistration{ApplicationType: tt.application, AuthMethod: tt.method, Grants: tt.grants, ReturnURLs: tt.urls}.Kind()
		if got != tt.want || ok != tt.ok {
			t.Errorf("%s: %s %v, want %s %v", tt.name, got.Name(), ok, tt.want.Name(), tt.ok)
		}
	}
}

// TestDynamicMay: who registered itself has what its kind is made for, and nothing
// that its kind has not.
func TestDynamicMay(t *testing.T) {
	all := []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode}
	for kind, want := range map[Kind]string{
		Web: "code refresh", SinglePage: "code refresh", Native: "code refresh", Device: "refresh device", Service: "client",
	} {
		dynamic, ordinary := SecurityProfile{Dynamic: true, Settings: Settings{Kind: kind}}, SecurityProfile{Settings: Settings{Kind: kind}}
		var got []string
		for i, g := range all {
			if dynamic.May(g) {
				got = append(got, []string{"code", "refresh", "client", "device"}[i])
			}
			if ordinary.May(g) != kind.May(g) {
				t.Errorf("%s made in the console: %s is %v", kind.Name(), g, ordinary.May(g))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", kind.Name(), got, want)
		}
		if dynamic.MustProveItself() == kind.Public() || ordinary.MustProveItself() {
			t.Errorf("%s: who has to prove itself", kind.Name())
		}
	}
}

func TestUnnamedApplication(t *testing.T) {
	long := strings.Repeat("a", 60) + ".example.com"
	for value, want := range map[string]string{
		"":                              "Unnamed application",
		"https://app.example:8443/cb":   "app.example",
		"com.example.app:/cb":           "com.example.app",
		"http://[::1]:3000/cb":          "[::1]",
		"https://" + long + "/callback": long[len(long)-50:],
	} {
		var urls []ReturnURL
		if value != "" {
			urls = []ReturnURL{{Value: value}}
		}
		if got := UnnamedApplication(urls); got != want {
			t.Errorf("%q is called %q, want %q", value, got, want)
		}
	}
}

func TestParseSelfDescription(t *testing.T) {
	for _, tt := range []struct{ name, privacy, wrong string }{
		{" Reports ", "", ""},
		{"Reports", "https://a.example/p", ""},
		{"", "", FieldName},
		{"---", "", FieldName},
		{strings.Repeat("n", 51), "", FieldName},
		{"a\u202eb", "", FieldName},
		{"Reports", "javascript:alert(1)", FieldPrivacyURL},
	} {
		form, errs := ParseSelfDescription(tt.name, tt.privacy)
		wrong := ""
		if errs != nil {
			wrong = errs[0].Field
		}
		if wrong != tt.wrong || wrong == "" && form.Name != "Reports" {
			t.Errorf("%q, %q: %+v %v", tt.name, tt.privacy, form, errs)
		}
	}
}
