package registry

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestOwnSchemesAreForNativeApplications(t *testing.T) {
	for _, s := range []string{
		"com.example.app:/callback",
		"com.example.app:/",
		"com.example.my-app2:/oauth/cb?close=%20",
		"app.example:/cb",
	} {
		if got, problem := ParseReturnURL(Native, s); problem != nil || got.Value != s || !got.UsesOwnScheme() {
			t.Errorf("native: ParseReturnURL(%q) = %+v, %+v", s, got, problem)
		}
		for _, k := range []Kind{Web, SinglePage, Service} {
			if got, problem := ParseReturnURL(k, s); problem == nil {
				t.Errorf("%s: ParseReturnURL(%q) = %+v, want a refusal", k.Name(), s, got)
			}
		}
		if u, err := url.Parse(s); err != nil || u.String() != s {
			t.Errorf("%q is read by net/url as %q, %v", s, u, err)
		}
	}
	for _, s := range []string{"https://localhost", "http://127.0.0.1/cb", "https://www.example.com:8443/cb"} {
		if got, problem := ParseReturnURL(Native, s); problem != nil || got.UsesOwnScheme() {
			t.Errorf("native: ParseReturnURL(%q) = %+v, %+v", s, got, problem)
		}
	}
}

func TestOwnSchemesRefused(t *testing.T) {
	tests := map[string]struct{ in, message, suggestion string }{
		"javascript":            {"javascript:alert(1)", "other schemes", ""},
		"javascript, path":      {"javascript:/%0aalert(1)", "other schemes", ""},
		"javascript, case":      {"JaVaScRiPt:/alert(1)", "other schemes", ""},
		"javascript, tab":       {"java\tscript:/alert(1)", "control characters", ""},
		"javascript, host":      {"javascript://www.example.com/%0aalert(1)", "other schemes", ""},
		"javascript, dotted":    {".javascript:/alert(1)", "other schemes", ""},
		"data":                  {"data:text/html,hi", "other schemes", ""},
		"file":                  {"file:///etc/passwd", "other schemes", ""},
		"blob":                  {"blob:https://www.example.com/1", "other schemes", ""},
		"vbscript":              {"vbscript:/x", "other schemes", ""},
		"about":                 {"about:/blank", "other schemes", ""},
		"intent":                {"intent:/x", "other schemes", ""},
		"view-source":           {"view-source:/x", "other schemes", ""},
		"filesystem":            {"filesystem:/x", "other schemes", ""},
		"mail":                  {"mailto:/x", "other schemes", ""},
		"web socket":            {"wss://www.example.com/cb", "other schemes", ""},
		"no dot":                {"myapp:/cb", "other schemes", ""},
		"dot at the end":        {"com.:/cb", "other schemes", ""},
		"dot first":             {".app:/cb", "other schemes", ""},
		"two dots":              {"com..app:/cb", "other schemes", ""},
		"underscore":            {"com.example.my_app:/cb", "other schemes", ""},
		"digit first":           {"1com.example:/cb", "other schemes", ""},
		"semicolon in scheme":   {"com.example;sandbox:/cb", "other schemes", ""},
		"hyphen last":           {"com.example-:/cb", "other schemes", ""},
		"letters of one's own":  {"com.bücher:/cb", "other schemes", ""},
		"upper case":            {"com.Example.App:/cb", "Write com.example.app in lower case", "com.example.app:/cb"},
		"two slashes":           {"com.example.app://callback", "exactly one “/”", "com.example.app:/callback"},
		"three slashes":         {"com.example.app:///callback", "exactly one “/”", "com.example.app:/callback"},
		"no slash":              {"com.example.app:callback", "exactly one “/”", "com.example.app:/callback"},
		"scheme alone":          {"com.example.app:", "exactly one “/”", "com.example.app:/"},
		"fragment":              {"com.example.app:/cb#top", "#", "com.example.app:/cb"},
		"empty query":           {"com.example.app:/cb?", "Leave out the “?”", "com.example.app:/cb"},
		"wildcard":              {"com.example.app:/*", "stand for", ""},
		"backslash":             {`com.example.app:\cb`, "Write “/”", "com.example.app:/cb"},
		"space before":          {" com.example.app:/cb", "space before or after", "com.example.app:/cb"},
		"dot segments":          {"com.example.app:/a/../cb", "“.” or “..”", "com.example.app:/cb"},
		"encoded slash":         {"com.example.app:/a%2fcb", "encoded dot, slash", ""},
		"encoded line break":    {"com.example.app:/cb?x=%0d%0a", "control character %0d", ""},
		"line break":            {"com.example.app:/cb\r\nX: y", "control characters", "com.example.app:/cbX:%20y"},
		"quotation mark":        {`com.example.app:/cb"`, "percent-encoded", "com.example.app:/cb%22"},
		"too long":              {"com.example.app:/" + strings.Repeat("p", 1984), "Shorten this to 2000", ""},
		"mistyped https":        {"htps://www.example.com/cb", "other schemes", "https://www.example.com/cb"},
		"http on a public host": {"http://www.example.com/cb", "Use https", "https://www.example.com/cb"},
		"no scheme but a port":  {"www.example.com:8443/cb", "Begin the address", "https://www.example.com:8443/cb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, problem := ParseReturnURL(Native, tt.in)
			if problem == nil {
				t.Fatalf("ParseReturnURL(%q) = %+v, want a refusal", tt.in, got)
			}
			if !strings.Contains(problem.Message, tt.message) {
				t.Errorf("ParseReturnURL(%q): %q, want %q in it", tt.in, problem.Message, tt.message)
			}
			if problem.Suggestion != tt.suggestion {
				t.Errorf("ParseReturnURL(%q) suggests %q, want %q", tt.in, problem.Suggestion, tt.suggestion)
			}
		})
	}
}

func TestLoopbackPort(t *testing.T) {
	tests := map[string]struct {
		registered, sent string
		match            bool
	}{
		"the same":                     {"http://127.0.0.1:9000/cb", "http://127.0.0.1:9000/cb", true},
		"another port":                 {"http://127.0.0.1:9000/cb", "http://127.0.0.1:51004/cb", true},
		"a port where none is":         {"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", true},
		"no port where one is":         {"http://127.0.0.1:9000/cb", "http://127.0.0.1/cb", true},
		"IPv6":                         {"http://[::1]/cb", "http://[::1]:51004/cb", true},
		"by name":                      {"http://localhost/cb", "http://localhost:51004/cb", true},
		"with a query":                 {"http://127.0.0.1/cb?x=1", "http://127.0.0.1:51004/cb?x=1", true},
		"without a path":               {"http://127.0.0.1", "http://127.0.0.1:51004", true},
		"CVE-2020-15233 host":          {"http://127.0.0.1/cb?x=1", "http://127.0.0.2:51004/cb?x=1", false},
		"CVE-2020-15233 name":          {"http://127.0.0.1/cb?x=1", "http://localhost:51004/cb?x=1", false},
		"CVE-2020-15233 IPv6":          {"http://127.0.0.1/cb?x=1", "http://[::1]:51004/cb?x=1", false},
		"CVE-2020-15233 spelling":      {"http://127.0.0.1/cb?x=1", "http://127.1:51004/cb?x=1", false},
		"CVE-2020-15233 mapped":        {"http://127.0.0.1/cb?x=1", "http://[::ffff:127.0.0.1]:51004/cb?x=1", false},
		"CVE-2020-15233 case":          {"http://localhost/cb?x=1", "http://LOCALHOST:51004/cb?x=1", false},
		"CVE-2020-15233 query":         {"http://127.0.0.1/cb?x=1", "http://127.0.0.1:51004/cb?x=2", false},
		"CVE-2020-15233 query missing": {"http://127.0.0.1/cb?x=1", "http://127.0.0.1:51004/cb", false},
		"CVE-2020-15233 query added":   {"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?x=1", false},
		"CVE-2020-15233 query empty":   {"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?", false},
		"CVE-2020-15233 path":          {"http://127.0.0.1/cb", "http://127.0.0.1:51004/CB", false},
		"CVE-2020-15233 path added":    {"http://127.0.0.1", "http://127.0.0.1:51004/", false},
		"CVE-2020-15233 fragment":      {"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb#", false},
		"another host":                 {"http://127.0.0.1/cb", "http://evil.example:51004/cb", false},
		"host after the port":          {"http://localhost:80/cb", "http://localhost:80@evil.example/cb", false},
		"user name":                    {"http://localhost/cb", "http://evil@localhost:51004/cb", false},
		"suffix":                       {"http://localhost/cb", "http://localhost.evil.example:51004/cb", false},
		"https by name":                {"https://localhost", "https://localhost:8443", false},
		"https, another port":          {"https://localhost:8443/cb", "https://localhost:8444/cb", false},
		"https for http":               {"http://localhost/cb", "https://localhost:51004/cb", false},
		"public host":                  {"https://www.example.com/cb", "https://www.example.com:8443/cb", false},
		"port 0":                       {"http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false},
		"port too large":               {"http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", false},
		"port that is none":            {"http://127.0.0.1/cb", "http://127.0.0.1:x/cb", false},
		"port missing after colon":     {"http://127.0.0.1/cb", "http://127.0.0.1:/cb", false},
		"line break in port":           {"http://127.0.0.1/cb", "http://127.0.0.1:80\r\n80/cb", false},
		"own scheme":                   {"com.example.app:/cb", "com.example.app:/cb", true},
		"own scheme, case":             {"com.example.app:/cb", "com.example.App:/cb", false},
		"own scheme, another path":     {"com.example.app:/cb", "com.example.app:/evil", false},
		"own scheme, host":             {"com.example.app:/cb", "com.example.app://evil.example/cb", false},
		"another's scheme":             {"com.example.app:/cb", "com.example.application:/cb", false},
		"own scheme, query":            {"com.example.app:/cb", "com.example.app:/cb?x=1", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			registered := []ReturnURL{{Value: "https://www.example.com/other"}, {Value: tt.registered}}
			got, err := MatchReturnURL(Native, registered, tt.sent)
			if tt.match && (err != nil || got.String() != tt.sent) {
				t.Errorf("%q is refused for %q: %v", tt.sent, tt.registered, err)
			}
			if _, mismatch := errors.AsType[*ReturnURLMismatch](err); !tt.match && (!mismatch || got.String() != "") {
				t.Errorf("%q is taken for %q as %q", tt.sent, tt.registered, got)
			}
			for _, k := range []Kind{Web, SinglePage, Service} {
				if got, err := MatchReturnURL(k, registered, tt.sent); tt.sent != tt.registered && err == nil {
					t.Errorf("%s: %q is taken for %q as %q", k.Name(), tt.sent, tt.registered, got)
				}
			}
		})
	}
}

func TestMismatchOfOwnSchemes(t *testing.T) {
	tests := map[string]struct {
		sent  string
		rule  MismatchRule
		words string
	}{
		"slash":          {"com.example.app:/cb/", RuleTrailingSlash, "The two differ in the “/” at the end, which counts."},
		"path":           {"com.example.app:/other", RulePath, "The path is another than the registered one."},
		"scheme":         {"com.example.other:/cb", RuleScheme, "It was sent with com.example.other, and is registered with com.example.app."},
		"query":          {"com.example.app:/cb?a=1", RuleQuery, "The query string (from “?” on) differs; it is part of the comparison."},
		"of the web":     {"https://www.example.com/cb", RuleSeveral, "It was sent with https, and is registered with com.example.app. The path is another than the registered one."},
		"without scheme": {"/cb", RuleSeveral, "The address sent is not a whole one with scheme and host."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := MatchReturnURL(Native, []ReturnURL{{Value: "com.example.app:/cb"}}, tt.sent)
			m, _ := errors.AsType[*ReturnURLMismatch](err)
			if m == nil || m.Rule != tt.rule || m.Words != tt.words {
				t.Errorf("%+v, want %s: %s", m, tt.rule, tt.words)
			}
		})
	}
}

// FuzzOwnScheme holds that whatever is accepted or suggested for native applications is a URL that others read the same
// and that no browser acts upon itself.
func FuzzOwnScheme(f *testing.F) {
	for _, s := range []string{"com.example.app:/cb", "javascript:/x", "COM.example://a/../b#c", "java\tscript.x:/", "a.b:c?d", "htps://a.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		accepted, problem := ParseReturnURL(Native, s)
		if problem != nil {
			if problem.Message == "" {
				t.Errorf("%q is refused without a word", s)
			}
			if problem.Suggestion == "" {
				return
			}
			var again *URLProblem
			if accepted, again = ParseReturnURL(Native, problem.Suggestion); again != nil {
				t.Fatalf("%q: the suggestion %q is refused: %s", s, problem.Suggestion, again.Message)
			}
		} else if accepted.Value != s {
			t.Fatalf("%q was rewritten to %q", s, accepted.Value)
		}
		if !accepted.UsesOwnScheme() {
			checkAccepted(t, accepted)
			return
		}
		u, err := url.Parse(accepted.Value)
		if err != nil || u.String() != accepted.Value || u.Host != "" || u.Opaque != "" || !strings.Contains(u.Scheme, ".") || strings.ContainsAny(u.Scheme, "; ,") {
			t.Fatalf("%q is read by net/url as %+v, %v", accepted.Value, u, err)
		}
	})
}
