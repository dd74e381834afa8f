package oauth

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseParams(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name   string
		params url.Values
		want   string // value of the parameter state
		err    string // description of the refusal
	}{
		{"once", url.Values{"state": {"s"}}, "s", ""},
		{"sent twice", url.Values{"state": {"s", "s"}}, "", "The request has an invalid parameter : state"},
		{"sent twice, first one empty", url.Values{"state": {"", "s"}}, "", "The request has an invalid parameter : state"},
		{"without a value is omitted", url.Values{"state": {""}}, "", ""},
		{"no values at all", url.Values{"state": {}}, "", ""},
		{"unknown one twice", url.Values{"state": {"s"}, "utm": {"a", "b"}}, "s", ""},
		{"unknown one not UTF-8", url.Values{"state": {"s"}, "utm": {"\xff"}}, "s", ""},
		{"resource may be repeated", url.Values{"state": {"s"}, "resource": {"https://a", "https://b"}}, "s", ""},
		{"names are case sensitive", url.Values{"state": {"s"}, "STATE": {"t", "u"}}, "s", ""},
		{"not UTF-8", url.Values{"state": {"\xff"}}, "", "The request has an invalid parameter : state"},
		{"zero byte", url.Values{"state": {"a\x00b"}}, "", "The request has an invalid parameter : state"},
		{"longest state", url.Values{"state": {long(4096)}}, long(4096), ""},
		{"state too long", url.Values{"state": {long(4097)}}, "", "The request has an invalid parameter : state"},
		{"longest scope", url.Values{"scope": {long(2000)}}, "", ""},
		{"scope too long", url.Values{"scope": {long(2001)}}, "", "The request has an invalid parameter : scope"},
		{"longest client_id", url.Values{"client_id": {long(100)}}, "", ""},
		{"client_id too long", url.Values{"client_id": {long(101)}}, "", "The request has an invalid parameter : client_id"},
		{"redirect_uri too long", url.Values{"redirect_uri": {long(2001)}}, "", "The request has an invalid parameter : redirect_uri"},
		{"scope_data too long", url.Values{"scope_data": {long(8193)}}, "", "The request has an invalid parameter : scope_data"},
		{"code too long", url.Values{"code": {long(2049)}}, "", "The request has an invalid parameter : code"},
		{"refresh_token too long", url.Values{"refresh_token": {long(2049)}}, "", "The request has an invalid parameter : refresh_token"},
		{"two faults: first by name", url.Values{"state": {"a", "b"}, "code": {"a", "b"}}, "", "The request has an invalid parameter : code"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := ParseParams(tt.params)
			if got := p.Value("state"); got != tt.want {
				t.Errorf("state %q, want %q", got, tt.want)
			}
			code := InvalidRequest
			if tt.err == "" {
				code = ""
			}
			wantError(t, p.refusal(), code, tt.err)
		})
	}
}

func TestParseParamsTooMany(t *testing.T) {
	v := url.Values{"client_id": {"c"}, "redirect_uri": {"https://a"}}
	for i := range 98 {
		v.Add("x", fmt.Sprint(i))
	}
	if _, _, err := ParseAuthorizationTarget(ParseParams(v)); err != nil {
		t.Errorf("100 parameters: %v", err)
	}
	v.Add("x", "one more")
	_, _, err := ParseAuthorizationTarget(ParseParams(v))
	wantError(t, err, InvalidRequest, "The request has too many parameters")
}

func TestParseJSON(t *testing.T) {
	const notFlat = "The request body is not a flat JSON object"
	tests := []struct {
		name, body string
		want       url.Values
		err        string
	}{
		{"texts", `{"grant_type":"refresh_token","client_id":"c"}`, url.Values{"grant_type": {"refresh_token"}, "client_id": {"c"}}, ""},
		{"literals", ` {"a":1.50, "b":true, "c":false, "d":null, "e":12345678901234567890} `, url.Values{"a": {"1.50"}, "b": {"true"}, "c": {"false"}, "e": {"12345678901234567890"}}, ""},
		{"escapes", `{"a":"\u0041\n\"|"}`, url.Values{"a": {"A\n\"|"}}, ""},
		{"empty object", `{}`, url.Values{}, ""},
		{"nothing", ``, nil, notFlat},
		{"array", `["a"]`, nil, notFlat},
		{"text", `"a"`, nil, notFlat},
		{"null", `null`, nil, notFlat},
		{"trailing comma", `{"a":"b",}`, nil, notFlat},
		{"two objects", `{"a":"b"}{"a":"c"}`, nil, notFlat},
		{"cut short", `{"a":"b"`, nil, notFlat},
		{"a form", `a=b`, nil, notFlat},
		{"not UTF-8", "{\"a\":\"\xff\"}", nil, notFlat},
		{"nested object", `{"code":{"x":1}}`, nil, "The request has an invalid parameter : code"},
		{"nested array", `{"code":["x"]}`, nil, "The request has an invalid parameter : code"},
		{"name twice", `{"code":"a","code":"b"}`, nil, "The request has an invalid parameter : code"},
		{"name twice in other spelling", `{"code":"a","c\u006fde":"b"}`, nil, "The request has an invalid parameter : code"},
		{"name twice, one null", `{"code":null,"code":"b"}`, nil, "The request has an invalid parameter : code"},
		{"name not fit for the wire", `{"a\"\u0000é":[]}`, nil, "The request has an invalid parameter : a???"},
		{"deep", strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), nil, "The request has an invalid parameter : a"},
		{"too large", `{"a":"` + strings.Repeat("x", 32<<10) + `"}`, nil, notFlat},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseJSON([]byte(tt.body))
			code := InvalidRequest
			if tt.err == "" {
				code = ""
			}
			wantError(t, err, code, tt.err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What was read, written again, reads the same.
func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"grant_type":"authorization_code","code":"AN","n":1e3,"b":true,"z":null}`))
	f.Add([]byte(`{"a":"\ud800","b":"\u0000","":"x"}`))
	f.Add([]byte(`{"a":{"b":["c"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		first, refused := ParseJSON(body)
		if refused != nil {
			if first != nil || !onTheWire(refused.Description) {
				t.Fatalf("refusal %q with values %v", refused.Description, first)
			}
			return
		}
		flat := map[string]string{}
		for name, values := range first {
			if len(values) != 1 {
				t.Fatalf("%q has %d values", name, len(values))
			}
			flat[name] = values[0]
		}
		again, err := json.Marshal(flat)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > maxJSON {
			t.Skip("escapes made it too long")
		}
		second, refused := ParseJSON(again)
		if refused != nil {
			t.Fatalf("%s: %v", again, refused)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	})
}
