package registry

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseReturnURLAccepts(t *testing.T) {
	for _, s := range []string{
		"https://localhost", // the walk's fallback: no slash is added
		"https://localhost/",
		"https://www.example.com/oauth/callback",
		"https://www.example.com:8443/cb?close",
		"https://www.example.com/cb?next=%2Fhome%3Fa%3D10%25&b=https://x@y/../z",
		"https://www.example.com?tenant=7",
		"https://xn--bcher-kva.example/cb",
		"https://my_app.example.com/cb",
		"https://r3---sn.example.com/cb",
		"https://intranet/cb",
		"https://192.0.2.7/cb",
		"https://[2001:db8::1]:8443/cb",
		"http://localhost/cb",
		"http://localhost:3000/signin-amazon",
		"http://127.0.0.1:8080/cb",
		"http://127.12.34.56/cb",
		"http://[::1]:8080/cb",
		"https://www.example.com/~user/a;v=1/b(c)!$&'+,=:@",
		"https://www.example.com/caf%C3%A9/...",
		"https://www.example.com/" + strings.Repeat("p", 1976),
	} {
		if got, problem := ParseReturnURL(Web, s); problem != nil || got.Value != s {
			t.Errorf("ParseReturnURL(%q) = %q, %+v", s, got.Value, problem)
		}
	}
}

func TestParseReturnURLRefuses(t *testing.T) {
	tests := map[string]struct{ in, message, suggestion string }{
		"empty":                   {"", "Write a whole address", ""},
		"too long":                {"https://www.example.com/" + strings.Repeat("p", 1977), "Shorten this to 2000", ""},
		"not UTF-8":               {"https://www.example.com/\xff", "UTF-8", ""},
		"http on a public host":   {"http://www.example.com/cb", "Use https", "https://www.example.com/cb"},
		"http with its own port":  {"http://www.example.com:80/cb", "Leave out port 80", "https://www.example.com/cb"},
		"http on a public port":   {"http://www.example.com:8080/cb", "Use https", "https://www.example.com:8080/cb"},
		"localhost of another":    {"http://localhost.example.com/cb", "Use https", "https://localhost.example.com/cb"},
		"unspecified address":     {"http://0.0.0.0:8080/cb", "Use https", "https://0.0.0.0:8080/cb"},
		"mapped loopback":         {"http://[::ffff:127.0.0.1]/cb", "Write the host as 127.0.0.1", "http://127.0.0.1/cb"},
		"short loopback":          {"http://127.1/cb", "four numbers", ""},
		"hexadecimal loopback":    {"http://0x7f000001/cb", "four numbers", ""},
		"decimal loopback":        {"http://2130706433/cb", "four numbers", ""},
		"long IPv6":               {"http://[0:0:0:0:0:0:0:1]/cb", "Write the host as [::1]", "http://[::1]/cb"},
		"zone":                    {"http://[fe80::1%25eth0]/cb", "IPv6", ""},
		"fragment":                {"https://www.example.com/cb#top", "#", "https://www.example.com/cb"},
		"empty fragment":          {"https://www.example.com/cb#", "#", "https://www.example.com/cb"},
		"user name":               {"https://user@www.example.com/cb", "user name", ""},
		"empty user name":         {"https://@www.example.com/cb", "user name", ""},
		"wildcard host":           {"https://*.example.com/cb", "stand for", ""},
		"wildcard path":           {"https://www.example.com/*", "stand for", ""},
		"upper-case scheme":       {"HTTPS://www.example.com/cb", "lower case", "https://www.example.com/cb"},
		"upper-case host":         {"https://WWW.Example.com/cb", "Write the host as www.example.com", "https://www.example.com/cb"},
		"own letters":             {"https://bücher.example/cb", "Write the host as xn--bcher-kva.example", "https://xn--bcher-kva.example/cb"},
		"full stop of another":    {"https://www。example。com/cb", "Write the host as www.example.com", "https://www.example.com/cb"},
		"bad punycode":            {"https://xn--a.example/cb", "not valid", ""},
		"dot at the end of host":  {"https://www.example.com./cb", "Write the host as", "https://www.example.com/cb"},
		"two dots in host":        {"https://www..example.com/cb", "empty part", ""},
		"encoded host":            {"https://ex%61mple.com/cb", "percent", ""},
		"part of host too long":   {"https://" + strings.Repeat("a", 64) + ".example.com", "at most 63", ""},
		"host too long":           {"https://" + strings.Repeat("abc.", 63) + "ab", "at most 253", ""},
		"hyphen first":            {"https://-a.example.com/cb", "hyphen", ""},
		"default port":            {"https://www.example.com:443/cb", "Leave out port 443", "https://www.example.com/cb"},
		"default port, loopback":  {"http://localhost:80/cb", "Leave out port 80", "http://localhost/cb"},
		"no port after colon":     {"https://www.example.com:/cb", "no port", "https://www.example.com/cb"},
		"leading zero":            {"https://www.example.com:08443/cb", "leading zeros", "https://www.example.com:8443/cb"},
		"port 0":                  {"https://www.example.com:0/cb", "from 1 to 65535", "https://www.example.com/cb"},
		"port too large":          {"https://www.example.com:65536/cb", "from 1 to 65535", ""},
		"no host":                 {"https://", "Write the host", ""},
		"no host but a path":      {"https:///cb", "Write the host", "https://cb"},
		"no host but a port":      {"https://:8443/cb", "Write the host", ""},
		"space before":            {" https://www.example.com/cb", "space before or after", "https://www.example.com/cb"},
		"line break after":        {"https://www.example.com/cb\r\n", "space before or after", "https://www.example.com/cb"},
		"line break within":       {"https://www.example.com/\ncb", "control characters", "https://www.example.com/cb"},
		"null byte":               {"https://www.example.com/cb\x00", "control characters", "https://www.example.com/cb"},
		"space within":            {"https://www.example.com/my cb", "percent-encoded", "https://www.example.com/my%20cb"},
		"own letters in path":     {"https://www.example.com/café", "percent-encoded", "https://www.example.com/caf%C3%A9"},
		"bracket in query":        {"https://www.example.com/cb?a[]=1", "percent-encoded", "https://www.example.com/cb?a%5B%5D=1"},
		"empty query":             {"https://www.example.com/cb?", "Leave out the “?”", "https://www.example.com/cb"},
		"percent alone":           {"https://www.example.com/100%", "two hexadecimal digits", ""},
		"percent without digits":  {"https://www.example.com/cb?a=%zz", "two hexadecimal digits", ""},
		"backslashes":             {`https:\\www.example.com\cb`, "Write “/”", "https://www.example.com/cb"},
		"dot segment":             {"https://www.example.com/a/./cb", "“.” or “..”", "https://www.example.com/a/cb"},
		"two dots":                {"https://www.example.com/a/../cb", "“.” or “..”", "https://www.example.com/cb"},
		"two dots at the end":     {"https://www.example.com/a/b/..", "“.” or “..”", "https://www.example.com/a/"},
		"two dots at the top":     {"https://www.example.com/../../cb", "“.” or “..”", "https://www.example.com/cb"},
		"encoded dots":            {"https://www.example.com/a/%2e%2E/cb", "encoded dot", "https://www.example.com/cb"},
		"encoded dot in a name":   {"https://www.example.com/cb%2ephp", "encoded dot", "https://www.example.com/cb.php"},
		"encoded slash":           {"https://www.example.com/a%2Fcb", "encoded dot, slash", ""},
		"encoded backslash":       {"https://www.example.com/a%5ccb", "encoded dot, slash", ""},
		"encoded twice":           {"https://www.example.com/a%252fcb", "encoded percent sign", ""},
		"dots, semicolon":         {"https://www.example.com/a/..;v=1/cb", "“.” or “..”", ""},
		"dots, encoded semicolon": {"https://www.example.com/a/..%3Bv/cb", "“.” or “..”", ""},
		"encoded line break":      {"https://www.example.com/cb?a=%0D%0ASet-Cookie:b", "control character %0D", ""},
		"encoded null":            {"https://www.example.com/cb%00.png", "control character %00", ""},
		"javascript":              {"javascript:alert(1)", "Begin the address", ""},
		"javascript with host":    {"javascript://www.example.com/%0aalert(1)", "other schemes", ""},
		"data":                    {"data:text/html,hi", "Begin the address", ""},
		"own scheme":              {"com.example.app:/cb", "Begin the address", ""},
		"own scheme with host":    {"myapp://cb", "other schemes", ""},
		"relative":                {"/cb", "Begin the address", ""},
		"word":                    {"callback", "Begin the address", ""},
		"no scheme":               {"www.example.com/cb", "Begin the address", "https://www.example.com/cb"},
		"no scheme but a port":    {"www.example.com:8443/cb", "Begin the address", "https://www.example.com:8443/cb"},
		"scheme-relative":         {"//www.example.com/cb", "Begin the address", "https://www.example.com/cb"},
		"bare localhost":          {"localhost", "Begin the address", "https://localhost"},
		"bare localhost, port":    {"localhost:3000/cb", "Begin the address", "http://localhost:3000/cb"},
		"bare IPv6, port":         {"[::1]:3000/cb", "Begin the address", "http://[::1]:3000/cb"},
		"one slash":               {"https:/www.example.com/cb", "Begin the address", "https://www.example.com/cb"},
		"no colon":                {"https//www.example.com/cb", "Begin the address", "https://www.example.com/cb"},
		"semicolon":               {"http;//localhost:3000/cb", "Begin the address", "http://localhost:3000/cb"},
		"mistyped scheme":         {"htps://www.example.com/cb", "other schemes", "https://www.example.com/cb"},
		"scheme twice":            {"https://https://www.example.com/cb", "no port", "https://www.example.com/cb"},
		"all at once":             {" HTTP://Bücher.Example:80\\a\\..\\cb#x", "space before or after", "https://xn--bcher-kva.example/cb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, problem := ParseReturnURL(Web, tt.in)
			if problem == nil {
				t.Fatalf("ParseReturnURL(%q) = %+v, want a refusal", tt.in, got)
			}
			if got != (ReturnURL{}) {
				t.Errorf("a value beside the refusal: %+v", got)
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

func TestParseReturnURLs(t *testing.T) {
	got, errs := ParseReturnURLs(Web, []ReturnURL{
		{"https://localhost", " staging "},
		{" ", ""},
		{"https://www.example.com/cb", ""},
	})
	if errs != nil {
		t.Fatal(errs)
	}
	want := []ReturnURL{{"https://localhost", "staging"}, {"https://www.example.com/cb", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseReturnURLsNumbersRowsAsTheyCame(t *testing.T) {
	got, errs := ParseReturnURLs(Web, []ReturnURL{
		{},
		{"https://localhost", strings.Repeat("n", 61)},
		{"https://localhost", ""},
		{"", "a note without an address"},
		{"http://www.example.com", "two\nlines"},
	})
	if got != nil {
		t.Errorf("rows beside errors: %+v", got)
	}
	want := FieldErrors{
		{"return_urls.1.note", "Shorten this to 60 characters; it has 61.", ""},
		{"return_urls.2", "Remove this one: number 2 says the same.", ""},
		{"return_urls.3", "Write a whole address, such as https://www.example.com.", ""},
		{"return_urls.4", "Use https: http is accepted for localhost, 127.0.0.1 and [::1] only, because what is sent over it can be read on the way.", "https://www.example.com"},
		{"return_urls.4.note", "Write this on one line, without control characters such as tabs or line breaks.", "two lines"},
	}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
	if got := errs.Of(ReturnURLNoteField(1)).Field + " " + errs.Of(ReturnURLField(2)).Field; got != "return_urls.1.note return_urls.2" {
		t.Errorf("found by their names: %q", got)
	}
}

func TestParseReturnURLsAtTheLimit(t *testing.T) {
	rows := []ReturnURL{{}}
	for i := range 50 {
		rows = append(rows, ReturnURL{Value: fmt.Sprintf("https://localhost/%d", i)})
	}
	if got, errs := ParseReturnURLs(Web, rows); errs != nil || len(got) != 50 {
		t.Errorf("50 rows: %d, %v", len(got), errs)
	}
	_, errs := ParseReturnURLs(Web, append(rows, ReturnURL{Value: "https://localhost"}))
	if diff := cmp.Diff(FieldErrors{{"return_urls", "Keep at most 50 of these; there are more.", ""}}, errs); diff != "" {
		t.Error(diff)
	}
}

// FuzzParseReturnURL holds what the protocol relies on, judged by net/url instead of our own reading.
func FuzzParseReturnURL(f *testing.F) {
	for _, s := range []string{
		"https://localhost", "http://[::1]:8080/cb?x=%2F", " HTTPS://Bücher.example:443/a/../b#c", `https:\\a.b\c`, "localhost:3000",
		"https://a.example/..;/b", "http://localhost:80@evil", "javascript://a.example/%0aalert(1)", "https://a.example/%252e", "https://127.1/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		accepted, problem := ParseReturnURL(Web, s)
		if problem != nil {
			if problem.Message == "" {
				t.Errorf("%q is refused without a word", s)
			}
			if problem.Suggestion == "" {
				return
			}
			suggested, again := ParseReturnURL(Web, problem.Suggestion)
			if again != nil {
				t.Fatalf("%q: the suggestion %q is refused: %s", s, problem.Suggestion, again.Message)
			}
			accepted = suggested
		} else if accepted.Value != s {
			t.Fatalf("%q was rewritten to %q", s, accepted.Value)
		}
		checkAccepted(t, accepted)
	})
}

func checkAccepted(t *testing.T, accepted ReturnURL) {
	t.Helper()
	s := accepted.Value
	u, err := url.Parse(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	host := u.Hostname()
	addr, _ := netip.ParseAddr(host)
	if u.Scheme != "https" && !(u.Scheme == "http" && (host == "localhost" || addr.IsLoopback())) {
		t.Errorf("%q: scheme %q, host %q", s, u.Scheme, host)
	}
	if host == "" || u.User != nil || strings.Contains(s, "#") || u.String() != s {
		t.Errorf("%q: read by net/url as %q (%+v)", s, u, u)
	}
	if clean := u.JoinPath(); u.Path != "" && strings.Contains(u.Path, "/.") && clean.Path != u.Path && !strings.Contains(u.Path, "//") {
		t.Errorf("%q: its path resolves to %q", s, clean.Path)
	}
	registered := []ReturnURL{accepted}
	if match, err := MatchReturnURL(Web, registered, s); err != nil || match.String() != s {
		t.Errorf("%q does not match itself: %v", s, err)
	}
	for i := range len(s) {
		for _, mutated := range []string{s[:i] + string(s[i]^0x20) + s[i+1:], s[:i] + s[i+1:], s[:i] + "/" + s[i:], s[:i]} {
			if match, err := MatchReturnURL(Web, registered, mutated); mutated != s && (err == nil || match.String() != "") {
				t.Fatalf("%q matches %q", mutated, s)
			}
		}
		if i > 64 {
			break
		}
	}
}
