package registry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAllowedOrigin(t *testing.T) {
	for _, s := range []string{
		"https://www.example.com", "https://www.example.com:8443", "http://localhost", "http://localhost:3000", "http://127.0.0.1:3000",
		"http://[::1]:3000", "https://xn--bcher-kva.example", "https://" + strings.Repeat("abc.", 62) + "a",
	} {
		if got, problem := ParseAllowedOrigin(s); problem != nil || got.Value != s {
			t.Errorf("ParseAllowedOrigin(%q) = %q, %+v", s, got.Value, problem)
		}
	}
}

func TestParseAllowedOriginRefuses(t *testing.T) {
	tests := map[string]struct{ in, message, suggestion string }{
		"null":           {"null", "“null”", ""},
		"Null":           {" Null ", "“null”", ""},
		"slash":          {"https://www.example.com/", "ends before", "https://www.example.com"},
		"path":           {"https://www.example.com:8443/app/login?x=1#y", "ends before", "https://www.example.com:8443"},
		"query":          {"https://www.example.com?x=1", "ends before", "https://www.example.com"},
		"fragment":       {"https://www.example.com#y", "ends before", "https://www.example.com"},
		"odd path":       {"https://www.example.com/%2f/100%", "ends before", "https://www.example.com"},
		"public http":    {"http://www.example.com", "Use https", "https://www.example.com"},
		"upper case":     {"https://WWW.example.com", "Write the host as", "https://www.example.com"},
		"default port":   {"https://www.example.com:443", "Leave out port 443", "https://www.example.com"},
		"loopback port":  {"http://localhost:80/", "Leave out port 80", "http://localhost"},
		"wildcard":       {"https://*.example.com", "stand for", ""},
		"user name":      {"https://a@www.example.com", "user name", ""},
		"no scheme":      {"www.example.com", "Begin", "https://www.example.com"},
		"file":           {"file://", "other schemes", ""},
		"extension":      {"chrome-extension://abcdef", "other schemes", ""},
		"several":        {"https://a.example https://b.example", "letters, digits", ""},
		"comma":          {"https://a.example,https://b.example", "letters, digits", ""},
		"empty":          {"", "Write a whole address", ""},
		"too long":       {"https://www.example.com/" + strings.Repeat("p", 300), "Shorten this to 300", ""},
		"own letters":    {"https://bücher.example", "Write the host as", "https://xn--bcher-kva.example"},
		"encoded twice":  {"https://www.example.com%252f.evil.example", "percent", ""},
		"backslash host": {`https://www.example.com\.evil.example`, "Write “/”", "https://www.example.com"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, problem := ParseAllowedOrigin(tt.in)
			if problem == nil {
				t.Fatalf("ParseAllowedOrigin(%q) = %+v, want a refusal", tt.in, got)
			}
			if !strings.Contains(problem.Message, tt.message) {
				t.Errorf("ParseAllowedOrigin(%q): %q, want %q in it", tt.in, problem.Message, tt.message)
			}
			if problem.Suggestion != tt.suggestion {
				t.Errorf("ParseAllowedOrigin(%q) suggests %q, want %q", tt.in, problem.Suggestion, tt.suggestion)
			}
		})
	}
}

func TestParseAllowedOrigins(t *testing.T) {
	got, errs := ParseAllowedOrigins([]AllowedOrigin{{"https://www.example.com", " shop "}, {}})
	if diff := cmp.Diff([]AllowedOrigin{{"https://www.example.com", "shop"}}, got); diff != "" || errs != nil {
		t.Error(diff, errs)
	}
	_, errs = ParseAllowedOrigins([]AllowedOrigin{{"https://a.example", ""}, {"https://a.example", "x\ty"}})
	want := FieldErrors{
		{"origins.1", "Remove this one: number 1 says the same.", ""},
		{"origins.1.note", "Write this on one line, without control characters such as tabs or line breaks.", "x y"},
	}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
	if OriginField(1) != want[0].Field || OriginNoteField(1) != want[1].Field {
		t.Errorf("fields are named %q and %q", OriginField(1), OriginNoteField(1))
	}
}
