package oauth

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDeviceRequest(t *testing.T) {
	no := false
	for name, test := range map[string]struct {
		d     Dialect
		query string
		want  DeviceRequest
		err   *Error
	}{
		"standard":        {Standard, "scope=openid+profile+openid&x=1", DeviceRequest{Scope: []string{"openid", "profile"}, ScopeData: map[string]ScopeDatum{}}, nil},
		"no scope":        {Standard, "", DeviceRequest{}, &Error{Code: InvalidScope, Description: "The request is missing a required parameter : scope"}},
		"Amazon":          {LoginWithAmazon, "response_type=device_code&scope=profile&scope_data=%7B%22profile%22%3A%7B%22essential%22%3Afalse%7D%7D", DeviceRequest{Scope: []string{"profile"}, ScopeData: map[string]ScopeDatum{"profile": {&no}}}, nil},
		"no type":         {LoginWithAmazon, "scope=profile", DeviceRequest{}, &Error{Code: InvalidRequest, Description: "The request is missing a required parameter : response_type"}},
		"another type":    {LoginWithAmazon, "response_type=code&scope=profile", DeviceRequest{}, &Error{Code: InvalidRequest, Description: "The request has an invalid parameter : response_type"}},
		"Amazon no scope": {LoginWithAmazon, "response_type=device_code", DeviceRequest{}, &Error{Code: InvalidRequest, Description: "The request is missing a required parameter : scope"}},
		"bad scope_data":  {LoginWithAmazon, "response_type=device_code&scope=profile&scope_data=x", DeviceRequest{}, &Error{Code: InvalidRequest, Description: "The request has an invalid parameter : scope_data"}},
		"scope twice":     {Standard, "scope=a&scope=b", DeviceRequest{}, &Error{Code: InvalidRequest, Description: "The request has an invalid parameter : scope"}},
		"long scope":      {Standard, "scope=" + strings.Repeat("a", 2001), DeviceRequest{}, &Error{Code: InvalidRequest, Description: "The request has an invalid parameter : scope"}},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			got, perr := ParseDeviceRequest(ParseParams(values), test.d)
			if perr != nil {
				perr.Reason = ""
			}
			if diff := cmp.Diff(test.err, perr); diff != "" {
				t.Errorf("error (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPairAlone(t *testing.T) {
	for query, want := range map[string]bool{
		"grant_type=device_code&device_code=a&user_code=b":                                true,
		"grant_type=device_code&client_id=":                                               true,
		"grant_type=device_code&client_id=a":                                              false,
		"grant_type=device_code&client_id=a&client_id=b":                                  false,
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=a": false,
		"grant_type=authorization_code":                                                   false,
		"grant_type=device_code&grant_type=device_code":                                   false,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := PairAlone(ParseParams(values)); got != want {
			t.Errorf("%s: %v", query, got)
		}
	}
}
