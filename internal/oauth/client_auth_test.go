package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseClientCredentials(t *testing.T) {
	const (
		id      = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
		secret  = "amzn1.oa2-cs.v1.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		failed  = "Client authentication failed"
		invalid = "The request has an invalid parameter : "
	)
	basic := func(pair string) []string {
		return []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}
	}
	const jwt = "client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
	both := ClientCredentials{ClientID: id, Secret: secret, Method: AuthBasic}
	tests := []struct {
		name        string
		header      []string
		body        string
		want        ClientCredentials
		code        ErrorCode
		description string
	}{
		{"RFC 6749 section 2.3.1, Basic", []string{"Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"}, "", ClientCredentials{ClientID: "s6BhdRkqt3", Secret: "gX1fBat3bV", Method: AuthBasic}, "", ""},
		{"RFC 6749 section 2.3.1, body", nil, "client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw", ClientCredentials{ClientID: "s6BhdRkqt3", Secret: "7Fjfp0ZBr1KtDRbnfVdmIw", Method: AuthPost}, "", ""},
		{"no secret", nil, "client_id=" + id, ClientCredentials{ClientID: id}, "", ""},
		{"empty secret", nil, "client_secret=&client_id=" + id, ClientCredentials{ClientID: id}, "", ""},
		{"nothing", nil, "", ClientCredentials{}, InvalidRequest, "The request is missing a required parameter : client_id"},
		{"secret alone", nil, "client_secret=" + secret, ClientCredentials{}, InvalidRequest, "The request is missing a required parameter : client_id"},
		{"client_id twice", nil, "client_id=a&client_id=b", ClientCredentials{}, InvalidRequest, invalid + "client_id"},
		{"client_secret twice", nil, "client_id=a&client_secret=b&client_secret=c", ClientCredentials{}, InvalidRequest, invalid + "client_secret"},

		{"Basic, ours", basic(id + ":" + secret), "", both, "", ""},
		{"Basic, scheme in other case, more blanks", []string{"bAsIc   " + strings.TrimPrefix(basic(id + ":" + secret)[0], "Basic ")}, "", both, "", ""},
		{"Basic, encoded dots and dashes", basic(strings.ReplaceAll(id, ".", "%2E") + ":" + strings.ReplaceAll(secret, "-", "%2d")), "", both, "", ""},
		{"Basic, plus is a blank, colon encoded", basic("a+b:c%3Ad%2B"), "", ClientCredentials{ClientID: "a b", Secret: "c:d+", Method: AuthBasic}, "", ""},
		{"Basic beside the same client_id", basic(id + ":" + secret), "client_id=" + id, both, "", ""},
		{"Basic beside the same secret", basic(id + ":" + secret), "client_id=" + id + "&client_secret=" + secret, both, "", ""},
		{"Basic beside another client_id", basic(id + ":" + secret), "client_id=other", ClientCredentials{}, InvalidRequest, invalid + "client_id"},
		{"Basic beside another secret", basic(id + ":" + secret), "client_secret=other", ClientCredentials{}, InvalidRequest, invalid + "client_secret"},

		{"documented misprint", basic(id + ":client:" + secret), "", ClientCredentials{}, InvalidClient, failed},
		{"no colon", basic(id), "", ClientCredentials{}, InvalidClient, failed},
		{"no secret in Basic", basic(id + ":"), "", ClientCredentials{}, InvalidClient, failed},
		{"no id in Basic", basic(":" + secret), "client_id=" + id, ClientCredentials{}, InvalidClient, failed},
		{"bad percent-encoding", basic(id + ":%zz"), "", ClientCredentials{}, InvalidClient, failed},
		{"control character", basic(id + ":a%00b"), "", ClientCredentials{}, InvalidClient, failed},
		{"not ASCII", basic(id + ":%C3%A9"), "", ClientCredentials{}, InvalidClient, failed},
		{"id too long", basic(strings.Repeat("a", 101) + ":b"), "", ClientCredentials{}, InvalidClient, failed},
		{"secret too long", basic("a:" + strings.Repeat("b", 257)), "", ClientCredentials{}, InvalidClient, failed},
		{"not base64", []string{"Basic " + id + ":" + secret}, "", ClientCredentials{}, InvalidClient, failed},
		{"base64 with a line break", []string{"Basic czZCaGRSa3F0\nMzpnWDFmQmF0M2JW"}, "", ClientCredentials{}, InvalidClient, failed},
		{"base64 with stray bits", []string{"Basic YTpiYx=="}, "", ClientCredentials{}, InvalidClient, failed},
		{"empty header beside a good body", []string{""}, "client_id=a&client_secret=b", ClientCredentials{}, InvalidClient, failed},
		{"scheme alone", []string{"Basic"}, "", ClientCredentials{}, InvalidClient, failed},
		{"other scheme beside a good body", []string{"Bearer abc"}, "client_id=a&client_secret=b", ClientCredentials{}, InvalidClient, failed},
		{"RFC 7523 section 2.2", nil, jwt, ClientCredentials{Assertion: "a.b.c", Method: AuthAssertion}, "", ""},
		{"assertion beside client_id", nil, jwt + "&client_id=" + id, ClientCredentials{ClientID: id, Assertion: "a.b.c", Method: AuthAssertion}, "", ""},
		{"assertion beside an empty secret", nil, jwt + "&client_secret=", ClientCredentials{Assertion: "a.b.c", Method: AuthAssertion}, "", ""},
		{"assertion beside a secret", nil, jwt + "&client_id=" + id + "&client_secret=" + secret, ClientCredentials{}, InvalidClient, failed},
		{"assertion beside Basic", basic(id + ":" + secret), jwt, ClientCredentials{}, InvalidClient, failed},
		{"assertion without its type", nil, "client_assertion=a.b.c&client_id=" + id, ClientCredentials{}, InvalidRequest, "The request is missing a required parameter : client_assertion_type"},
		{"type without an assertion", nil, strings.TrimPrefix(jwt, "client_assertion=a.b.c&") + "&client_secret=" + secret + "&client_id=" + id, ClientCredentials{}, InvalidRequest, "The request is missing a required parameter : client_assertion"},
		{"assertion of another type", nil, "client_assertion=a.b.c&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer", ClientCredentials{}, InvalidClient, failed},
		{"assertion twice", nil, jwt + "&client_assertion=a.b.c", ClientCredentials{}, InvalidRequest, invalid + "client_assertion"},
		{"assertion too long", nil, jwt + strings.Repeat("c", 8190), ClientCredentials{}, InvalidRequest, invalid + "client_assertion_type"},

		{"two headers", append(basic("a:b"), basic("a:b")...), "", ClientCredentials{}, InvalidRequest, invalid + "Authorization"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseClientCredentials(tt.header, params(t, tt.body))
			wantError(t, err, tt.code, tt.description)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is in the error: %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Credentials that a client encodes come out the same, and a refusal never comes
// with credentials.
func FuzzBasic(f *testing.F) {
	f.Add("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW", "s6BhdRkqt3", "gX1fBat3bV")
	f.Add("basic  YTpiYx==", "a b+c%3A", ":%&=~")
	f.Add("Basic Og==", "\x00", "é")
	f.Fuzz(func(t *testing.T, header, id, secret string) {
		if c, err := parseBasic(header); err != nil {
			if c != (ClientCredentials{}) {
				t.Errorf("%q: refused, with %+v", header, c)
			}
		} else if c.ClientID == "" || c.Secret == "" || c.Method != AuthBasic || !isVisible(c.ClientID+c.Secret) {
			t.Errorf("%q: accepted %+v", header, c)
		}
		pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
		c, err := parseBasic("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
		possible := id != "" && secret != "" && len(id) <= 100 && len(secret) <= 256 && isVisible(id+secret)
		if (err == nil) != possible {
			t.Fatalf("%q %q: %v", id, secret, err)
		}
		if possible && (c.ClientID != id || c.Secret != secret) {
			t.Errorf("%q %q came out as %+v", id, secret, c)
		}
	})
}
