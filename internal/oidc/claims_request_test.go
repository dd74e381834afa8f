package oidc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Core section 5.5.
const coreClaims = `{
   "userinfo":
    {
     "given_name": {"essential": true},
     "nickname": null,
     "email": {"essential": true},
     "email_verified": {"essential": true},
     "picture": null,
     "http://example.info/claims/groups": null
    },
   "id_token":
    {
     "auth_time": {"essential": true},
     "acr": {"values": ["urn:mace:incommon:iap:silver"] }
    }
  }`

func TestParseClaims(t *testing.T) {
	for name, tc := range map[string]struct {
		value string
		want  ClaimsRequest
	}{
		"not sent":                {"", ClaimsRequest{}},
		"Core section 5.5":        {coreClaims, ClaimsRequest{UserInfo: Email | EmailVerified, Essential: Email | EmailVerified, AuthTime: true, ACR: []string{"urn:mace:incommon:iap:silver"}}},
		"empty":                   {`{}`, ClaimsRequest{}},
		"members of no use":       {`{"userinfo":null,"id_token":{},"verified_claims":[1],"USERINFO":5}`, ClaimsRequest{}},
		"voluntary":               {`{"id_token":{"name":null,"email":{},"address":{"essential":false}}}`, ClaimsRequest{IDToken: Name | Email | Address}},
		"essential in one":        {`{"userinfo":{"name":null},"id_token":{"name":{"essential":true}}}`, ClaimsRequest{UserInfo: Name, IDToken: Name, Essential: Name}},
		"one user":                {`{"id_token":{"sub":{"value":"248289761001"}}}`, ClaimsRequest{Subjects: []string{"248289761001"}}},
		"one user, userinfo":      {`{"userinfo":{"sub":{"value":"248289761001"}}}`, ClaimsRequest{Subjects: []string{"248289761001"}}},
		"essential acr":           {`{"id_token":{"acr":{"essential":true,"values":["2","1"],"value":"0"}}}`, ClaimsRequest{ACR: []string{"2", "1", "0"}, ACREssential: true}},
		"values of any type":      {`{"id_token":{"email_verified":{"value":true},"acr":{"values":[1,"a",null,{"b":"c"}]}}}`, ClaimsRequest{IDToken: EmailVerified, ACR: []string{"a"}}},
		"more in a claim":         {`{"id_token":{"name":{"Essential":1,"purpose":"x"}}}`, ClaimsRequest{IDToken: Name}},
		"deep in what is ignored": {`{"id_token":{"x":` + strings.Repeat(`{"y":`, 600) + "1" + strings.Repeat("}", 602), ClaimsRequest{}},
		"name in other case":      {`{"id_token":{"Name":null,"Auth_Time":null}}`, ClaimsRequest{}},
	} {
		got, err := ParseClaims(tc.value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestParseClaimsRefuses(t *testing.T) {
	long := strings.Repeat("x", 257)
	for name, tc := range map[string]struct{ value, want string }{
		"not JSON":                  {`userinfo`, "The claims are not a JSON object."},
		"array":                     {`[]`, "The claims are not a JSON object."},
		"null":                      {`null`, "The claims are not a JSON object."},
		"two objects":               {`{}{}`, "The claims are not a JSON object."},
		"too long":                  {`{"x":"` + strings.Repeat("x", 8<<10) + `"}`, "The claims are 8200 bytes long; at most 8192 are read."},
		"userinfo is a list":        {`{"userinfo":["email"]}`, "The member userinfo of the claims is not a JSON object."},
		"id_token is true":          {`{"id_token":true}`, "The member id_token of the claims is not a JSON object."},
		"claim is true":             {`{"id_token":{"email":true}}`, "A claim of the member id_token is neither null nor a JSON object."},
		"essential is text":         {`{"userinfo":{"email":{"essential":"true"}}}`, "A member essential of the claims is neither true nor false."},
		"values is text":            {`{"id_token":{"acr":{"values":"1"}}}`, "A member values of the claims is not an array."},
		"too many values":           {`{"id_token":{"acr":{"values":[` + strings.Repeat(`"1",`, 20) + `"1"]}}}`, "A claim has more than 20 values."},
		"too many, one of it alone": {`{"id_token":{"acr":{"value":"1","values":[` + strings.Repeat(`"1",`, 19) + `"1"]}}}`, "A claim has more than 20 values."},
		"long value":                {fmt.Sprintf(`{"id_token":{"sub":{"value":%q}}}`, long), "A value of a claim is longer than 256 bytes."},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseClaims(tc.value)
			wantRefusal(t, err, "claims", tc.want)
			if diff := cmp.Diff(ClaimsRequest{}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever is sent, what comes out is bounded, and is asked for in so many words.
func FuzzParseClaims(f *testing.F) {
	f.Add(coreClaims)
	f.Add(`{"id_token":{"sub":{"value":"a"},"name":null},"userinfo":{"address":{"essential":true}}}`)
	f.Add(`{"id_token":{"acr":{"values":[1,"\ud800"]}}}`)
	f.Fuzz(func(t *testing.T, value string) {
		got, err := ParseClaims(value)
		if err != nil {
			if diff := cmp.Diff(ClaimsRequest{}, got); diff != "" {
				t.Fatalf("%q refused, and yet %s", value, diff)
			}
			return
		}
		if value != "" && !json.Valid([]byte(value)) {
			t.Fatalf("%q taken as %+v", value, got)
		}
		if len(got.ACR) > 20 || len(got.Subjects) > 20 || got.Essential&^(got.UserInfo|got.IDToken) != 0 {
			t.Fatalf("%q taken as %+v", value, got)
		}
		// An equal request in other words means the same.
		var members map[string]any
		if value == "" || json.Unmarshal([]byte(value), &members) != nil {
			return
		}
		again, jsonErr := json.Marshal(members)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		second, err := ParseClaims(string(again))
		if err != nil && len(again) <= 8<<10 && len(again) <= len(value) {
			t.Fatalf("%q taken, %q refused: %v", value, again, err)
		}
		if err == nil {
			if diff := cmp.Diff(got, second); diff != "" {
				t.Fatalf("%q and %q: %s", value, again, diff)
			}
		}
	})
}
