package oauth

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAuthorizationTarget(t *testing.T) {
	tests := []struct {
		name, query              string
		wantClient, wantRedirect string
		err                      string
	}{
		{"both", "client_id=c&redirect_uri=https%3A%2F%2Fa.example%2Fcb%3Fx", "c", "https://a.example/cb?x", ""},
		{"faults elsewhere do not count", "client_id=c&redirect_uri=https://a&scope=a&scope=b", "c", "https://a", ""},
		{"no client", "redirect_uri=https://a", "", "", "The request is missing a required parameter : client_id"},
		{"empty client", "client_id=&redirect_uri=https://a", "", "", "The request is missing a required parameter : client_id"},
		{"two clients", "client_id=a&client_id=b&redirect_uri=https://a", "", "", "The request has an invalid parameter : client_id"},
		{"no return URL: client known", "client_id=c", "c", "", "The request is missing a required parameter : redirect_uri"},
		{"two return URLs: client known", "client_id=c&redirect_uri=https://a&redirect_uri=https://evil", "c", "", "The request has an invalid parameter : redirect_uri"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, redirect, err := ParseAuthorizationTarget(params(t, tt.query))
			code := InvalidRequest
			if tt.err == "" {
				code = ""
			}
			wantError(t, err, code, tt.err)
			if client != tt.wantClient || redirect != tt.wantRedirect {
				t.Errorf("got %q %q, want %q %q", client, redirect, tt.wantClient, tt.wantRedirect)
			}
		})
	}
}

func TestParseAuthorizationRequest(t *testing.T) {
	yes, no := true, false
	// RFC 6749 section 4.1.1 with PKCE.
	v := url.Values{
		"response_type":         {"code"},
		"client_id":             {"s6BhdRkqt3"},
		"redirect_uri":          {"https://client.example.com/cb"},
		"scope":                 {"profile postal_code profile alexa::ask:skills:readwrite"},
		"state":                 {"xyz /?&=+%20\r\né"},
		"code_challenge":        {rfcChallenge},
		"code_challenge_method": {"S256"},
		"scope_data":            {`{"profile":{"essential":true},"postal_code":{"essential":false,"productID":{"x":[1]}},"other":17}`},
		"ui_locales":            {"de en"},
		"prompt":                {"login consent"},
		"login_hint":            {"a@example.com"},
		"utm_source":            {"a", "b"},
	}
	want := AuthorizationRequest{
		ResponseType: ResponseCode, ResponseMode: ModeQuery,
		ClientID:    "s6BhdRkqt3",
		RedirectURI: "https://client.example.com/cb",
		Scope:       []string{"profile", "postal_code", "alexa::ask:skills:readwrite"},
		State:       "xyz /?&=+%20\r\né",
		Challenge:   Challenge{Method: S256, Value: rfcChallenge},
		ScopeData:   map[string]ScopeDatum{"profile": {Essential: &yes}, "postal_code": {Essential: &no}},
		UILocales:   []string{"de", "en"},
		Prompt:      []string{"login", "consent"},
		LoginHint:   "a@example.com",
	}
	for _, d := range []Dialect{Standard, LoginWithAmazon} {
		got, err := ParseAuthorizationRequest(ParseParams(v), d)
		wantError(t, err, "", "")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dialect %d: %s", d, diff)
		}
	}
}

// TestResponse: where the answer goes to is known also for a request that is refused.
func TestResponse(t *testing.T) {
	const target = "client_id=c&redirect_uri=https://a&scope=profile&response_type="
	for query, want := range map[string]ResponseMode{
		"code": ModeQuery, "code&response_mode=query": ModeQuery, "code&response_mode=fragment": ModeFragment, "code&response_mode=form_post": ModeFormPost,
		"code&response_mode=other": ModeQuery, "token": ModeQuery, "": ModeQuery,
	} {
		if got := RequestedMode(params(t, target+query), Standard); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, want := range map[string]ResponseMode{"code": ModeQuery, "code&response_mode=fragment": ModeQuery, "token": ModeFragment} {
		if got := RequestedMode(params(t, target+query), LoginWithAmazon); got != want {
			t.Errorf("Login with Amazon, %s: %s, want %s", query, got, want)
		}
	}
}

func TestParseAuthorizationRequestDialects(t *testing.T) {
	const (
		target       = "client_id=c&redirect_uri=https://a&"
		code         = target + "response_type=code&"
		good         = code + "scope=profile&"
		missing      = "The request is missing a required parameter : "
		invalid      = "The request has an invalid parameter : "
		responseType = "The response type is not supported by the authorization server"
	)
	type refusal struct {
		code        ErrorCode
		description string
	}
	var ok refusal
	both := func(code ErrorCode, description string) [2]refusal {
		return [2]refusal{{code, description}, {code, description}}
	}
	tests := []struct {
		name, query string
		want        [2]refusal // Standard, LoginWithAmazon
	}{
		{"least there is", good, [2]refusal{}},
		{"no target", "response_type=code&scope=profile", both(InvalidRequest, missing+"client_id")},
		{"no response_type", target + "scope=profile", both(InvalidRequest, missing+"response_type")},
		{"implicit", target + "scope=profile&response_type=token", [2]refusal{{UnsupportedResponseType, responseType}, ok}},
		{"ID token alone", target + "scope=openid&response_type=id_token", both(UnsupportedResponseType, responseType)},
		{"form post", good + "response_mode=form_post", [2]refusal{}},
		{"unknown response_mode", good + "response_mode=web_message", [2]refusal{{InvalidRequest, invalid + "response_mode"}, ok}},
		{"response_mode in other case", good + "response_mode=Query", [2]refusal{{InvalidRequest, invalid + "response_mode"}, ok}},
		{"CVE-2023-6927", good + "response_mode=form_post.jwt", [2]refusal{{InvalidRequest, invalid + "response_mode"}, ok}},
		{"two resources", good + "resource=https://api.example/&resource=urn:example:api", [2]refusal{}},
		{"relative resource", good + "resource=/api", [2]refusal{{InvalidTarget, invalid + "resource"}, ok}},
		{"resource with fragment", good + "resource=https://api.example/%23a", [2]refusal{{InvalidTarget, invalid + "resource"}, ok}},
		{"five resources", good + "resource=urn:a:1&resource=urn:a:2&resource=urn:a:3&resource=urn:a:4&resource=urn:a:5", [2]refusal{{InvalidTarget, invalid + "resource"}, ok}},
		{"dpop_jkt", good + "dpop_jkt=" + rfcChallenge, [2]refusal{}},
		{"dpop_jkt too short", good + "dpop_jkt=" + rfcChallenge[1:], [2]refusal{{InvalidRequest, invalid + "dpop_jkt"}, ok}},
		{"dpop_jkt padded", good + "dpop_jkt=" + rfcChallenge + "%3D", [2]refusal{{InvalidRequest, invalid + "dpop_jkt"}, ok}},
		{"hybrid", target + "scope=profile&response_type=code+token", both(UnsupportedResponseType, responseType)},
		{"response_type in other case", target + "scope=profile&response_type=CODE", both(UnsupportedResponseType, responseType)},
		{"no scope", code, [2]refusal{{InvalidScope, missing + "scope"}, {InvalidRequest, missing + "scope"}}},
		{"blank scope", code + "scope=+", both(InvalidScope, invalid+"scope")},
		{"scope out of grammar", code + "scope=profile%0Apostal_code", both(InvalidScope, invalid+"scope")},
		{"scope twice", good + "scope=postal_code", both(InvalidRequest, invalid+"scope")},
		{"state twice", good + "state=a&state=b", both(InvalidRequest, invalid+"state")},
		{"S256", good + "code_challenge_method=S256&code_challenge=" + rfcChallenge, [2]refusal{}},
		{"plain", good + "code_challenge_method=plain&code_challenge=" + rfcVerifier, [2]refusal{{InvalidRequest, invalid + "code_challenge_method"}, ok}},
		{"method left out", good + "code_challenge=" + rfcVerifier, [2]refusal{{InvalidRequest, missing + "code_challenge_method"}, ok}},
		{"method in other case", good + "code_challenge_method=s256&code_challenge=" + rfcChallenge, both(InvalidRequest, invalid+"code_challenge_method")},
		{"unknown method", good + "code_challenge_method=S512&code_challenge=" + rfcChallenge, both(InvalidRequest, invalid+"code_challenge_method")},
		{"method without challenge", good + "code_challenge_method=S256", both(InvalidRequest, missing+"code_challenge")},
		{"method with empty challenge", good + "code_challenge_method=S256&code_challenge=", both(InvalidRequest, missing+"code_challenge")},
		{"challenge too short", good + "code_challenge_method=S256&code_challenge=" + rfcChallenge[1:], both(InvalidRequest, invalid+"code_challenge")},
		{"challenge too long", good + "code_challenge=" + strings.Repeat("a", 129) + "&code_challenge_method=S256", both(InvalidRequest, invalid+"code_challenge")},
		{"plain challenge too short", good + "code_challenge=" + rfcVerifier[1:], [2]refusal{{InvalidRequest, missing + "code_challenge_method"}, {InvalidRequest, invalid + "code_challenge"}}},
		{"challenge in standard base64", good + "code_challenge_method=S256&code_challenge=%2B" + rfcChallenge[1:], both(InvalidRequest, invalid+"code_challenge")},
		{"challenge padded", good + "code_challenge_method=S256&code_challenge=" + rfcChallenge + "%3D", both(InvalidRequest, invalid+"code_challenge")},
		{"challenge in hexadecimal", good + "code_challenge_method=S256&code_challenge=" + strings.Repeat("0f", 32), both(InvalidRequest, invalid+"code_challenge")},
		{"scope_data empty object", good + "scope_data={}", [2]refusal{}},
		{"scope_data entry without essential", good + `scope_data={"profile":{}}`, [2]refusal{}},
		{"scope_data entry of another scope", good + `scope_data={"postal_code":7}`, [2]refusal{}},
		{"scope_data not JSON", good + "scope_data={", both(InvalidRequest, invalid+"scope_data")},
		{"scope_data null", good + "scope_data=null", both(InvalidRequest, invalid+"scope_data")},
		{"scope_data array", good + "scope_data=[]", both(InvalidRequest, invalid+"scope_data")},
		{"scope_data entry not an object", good + `scope_data={"profile":true}`, both(InvalidRequest, invalid+"scope_data")},
		{"scope_data entry null", good + `scope_data={"profile":null}`, both(InvalidRequest, invalid+"scope_data")},
		{"scope_data essential a text", good + `scope_data={"profile":{"essential":"true"}}`, both(InvalidRequest, invalid+"scope_data")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for d, want := range tt.want {
				_, err := ParseAuthorizationRequest(params(t, tt.query), Dialect(d))
				wantError(t, err, want.code, want.description)
			}
		})
	}
}

func TestScopeDataDefaults(t *testing.T) {
	p := params(t, `client_id=c&redirect_uri=https://a&response_type=code&scope=a+b+c+d&scope_data={"a":{},"b":{"essential":null},"c":{"Essential":true}}`)
	got, err := ParseAuthorizationRequest(p, LoginWithAmazon)
	wantError(t, err, "", "")
	want := map[string]ScopeDatum{"a": {}, "b": {}, "c": {}}
	if diff := cmp.Diff(want, got.ScopeData); diff != "" {
		t.Error(diff)
	}
}

// A request that is accepted has every field in its grammar, and the state comes
// back byte for byte.
func FuzzParseAuthorizationRequest(f *testing.F) {
	f.Add("client_id=c&redirect_uri=https://a&response_type=code&scope=profile+postal_code&state=a%00b", true)
	f.Add("client_id=c&redirect_uri=https://a&response_type=code&scope=profile&state=%2B+%C3%A9&code_challenge="+rfcVerifier, true)
	f.Add("client_id=c&redirect_uri=https://a&response_type=code&scope=profile&code_challenge_method=S256&code_challenge="+rfcChallenge, false)
	f.Add(`client_id=c&redirect_uri=https://a&response_type=code&scope=profile&scope_data={"profile":{"essential":true},"x":1}`, false)
	f.Fuzz(func(t *testing.T, query string, amazon bool) {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Skip()
		}
		d := Standard
		if amazon {
			d = LoginWithAmazon
		}
		r, refused := ParseAuthorizationRequest(ParseParams(v), d)
		if refused != nil {
			if !onTheWire(refused.Description) || refused.Code == "" {
				t.Fatalf("%q %q", refused.Code, refused.Description)
			}
			if diff := cmp.Diff(AuthorizationRequest{}, r); diff != "" {
				t.Fatalf("refused, but %s", diff)
			}
			return
		}
		if r.State != v.Get("state") || r.ClientID != v.Get("client_id") || r.RedirectURI != v.Get("redirect_uri") {
			t.Errorf("read %+v from %q", r, query)
		}
		if r.ClientID == "" || len(r.ClientID) > 100 || r.RedirectURI == "" || len(r.RedirectURI) > 2000 || len(r.State) > 4096 {
			t.Errorf("out of bounds: %+v", r)
		}
		if len(r.Scope) == 0 || len(slices.Compact(slices.Sorted(slices.Values(r.Scope)))) != len(r.Scope) {
			t.Errorf("scope %q", r.Scope)
		}
		for _, scope := range r.Scope {
			if scope == "" || !onTheWire(scope) || strings.Contains(scope, " ") {
				t.Errorf("scope token %q", scope)
			}
		}
		for name := range r.ScopeData {
			if !slices.Contains(r.Scope, name) {
				t.Errorf("scope_data for %q, which was not requested", name)
			}
		}
		switch r.Challenge.Method {
		case PKCENone:
			if v.Get("code_challenge") != "" || r.Challenge.Value != "" {
				t.Errorf("challenge dropped: %+v", r.Challenge)
			}
		case Plain:
			if d == Standard || !r.Challenge.Verify(r.Challenge.Value) {
				t.Errorf("plain challenge %q under dialect %d", r.Challenge.Value, d)
			}
		case S256:
			if len(r.Challenge.Value) != 43 || r.Challenge.Value != v.Get("code_challenge") {
				t.Errorf("S256 challenge %q", r.Challenge.Value)
			}
		}
	})
}

func params(t *testing.T, query string) Params {
	t.Helper()
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return ParseParams(v)
}
