package registry

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatchReturnURL(t *testing.T) {
	registered := []ReturnURL{{"https://localhost", ""}, {"https://www.example.com/cb?close", "shop"}}
	for _, r := range registered {
		if got, err := MatchReturnURL(Web, registered, r.Value); err != nil || got.String() != r.Value {
			t.Errorf("MatchReturnURL(%q) = %q, %v", r.Value, got, err)
		}
	}
}

// TestRedirectAttacks tries the redirect URI rows of the threat model against exact comparison, and against the form
// in which return URLs are registered. Where refusal is "", the vector is somebody's own well-formed address, which
// they may register but not send for another's.
func TestRedirectAttacks(t *testing.T) {
	registered := []ReturnURL{
		{Value: "https://allowed.com/cb"},
		{Value: "https://foo.example.com/cb?close"},
		{Value: "https://localhost"},
		{Value: "http://localhost:8080"},
		{Value: "http://127.0.0.1:8080/cb?x=1"},
	}
	tests := []struct{ id, vector, refusal string }{
		{"CVE-2023-6291", "https://allowed.com.evil.com/cb", ""},
		{"CVE-2023-6291 no dot", "https://allowed.comevil.com/cb", ""},
		{"CVE-2023-6291 port", "https://allowed.com:8443/cb", ""},
		{"CVE-2023-6927", "https://*", "stand for"},
		{"CVE-2023-6927 path", "https://allowed.com/cb*", "stand for"},
		{"CVE-2024-1132", "https://allowed.com/cb/..%2f..%2fevil", "encoded dot, slash"},
		{"CVE-2024-1132 dots", "https://allowed.com/cb/%2e%2e/%2e%2e/evil", "encoded dot, slash"},
		{"CVE-2022-3782", "https://allowed.com/cb/%252e%252e%252f..%252fevil", "encoded percent sign"},
		{"CVE-2022-3782 host", "https://allowed.com%252f..%252f@evil.com/cb", "user name"},
		{"CVE-2026-3872", "https://allowed.com/cb/..;/evil", "“.” or “..”"},
		{"CVE-2026-3872 parameter", "https://allowed.com/cb/..;a=b/..;/evil", "“.” or “..”"},
		{"CVE-2026-7504", "https://allowed.com/cb/*/../../evil", "stand for"},
		{"CVE-2026-7504 suffix", "https://allowed.com/cb/evil", ""},
		{"CVE-2024-8883", "http://localhost:80@evil", "user name"},
		{"CVE-2024-8883 host", "https://allowed.com@evil.com/cb", "user name"},
		{"CVE-2024-8883 password", "https://a:b@allowed.com/cb", "user name"},
		{"CVE-2020-10776", "javascript:alert(document.domain)", "Begin the address"},
		{"CVE-2020-10776 host", "javascript://allowed.com/cb%0aalert(1)", "other schemes"},
		{"CVE-2020-10776 case", "JaVaScRiPt:alert(1)", "Begin the address"},
		{"CVE-2020-10776 data", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "Begin the address"},
		{"CVE-2018-14658", "https://allowed.com/x/../cb", "“.” or “..”"},
		{"CVE-2018-14658 case of host", "https://ALLOWED.com/cb", "Write the host as allowed.com"},
		{"CVE-2018-14658 port", "https://allowed.com:443/cb", "Leave out port 443"},
		{"CVE-2018-14658 escape", "https://allowed.com/%63b", ""},
		{"CVE-2018-14658 dot after host", "https://allowed.com./cb", "Write the host as allowed.com"},
		{"CVE-2026-15573", "https://allowed.com/./cb", "“.” or “..”"},
		{"CVE-2026-15573 empty segment", "https://allowed.com//cb", ""},
		{"CVE-2026-15573 parameter", "https://allowed.com/cb;x", ""},
		{"CVE-2024-52289", "https://fooaexample.com/cb?close", ""},
		{"CVE-2024-52289 regex", "https://.*/cb", "stand for"},
		{"CVE-2024-21637", "javascript:fetch('//evil.com')//https://allowed.com/cb", "other schemes"},
		{"CVE-2020-15234", "https://allowed.com/CB", ""},
		{"CVE-2020-15234 query", "https://foo.example.com/cb?CLOSE", ""},
		{"CVE-2020-15233 host", "http://127.0.0.2:8080/cb?x=1", ""},
		{"CVE-2020-15233 name", "http://localhost:8080/cb?x=1", ""},
		{"CVE-2020-15233 query", "http://127.0.0.1:8080/cb?x=2", ""},
		{"CVE-2020-15233 port", "http://127.0.0.1:8081/cb?x=1", ""},
		{"CVE-2025-4143", "https://evil.com/cb", ""},
		{"CVE-2026-54072", "https://evil.com/?u=https://allowed.com/cb", ""},
		{"CVE-2021-29456", "https://evil.com/logout#https://allowed.com/cb", "#"},
		{"CVE-2022-23527 tab", "/\thttps://evil.com", "control characters"},
		{"CVE-2022-23527 tab in scheme", "ht\ttps://allowed.com/cb", "control characters"},
		{"CVE-2019-20479", `/\evil.com`, "Write “/”"},
		{"CVE-2019-20479 backslash first", `\/evil.com`, "Write “/”"},
		{"CVE-2019-14857", "///evil.com", "Begin the address"},
		{"CVE-2019-14857 two", "//evil.com", "Begin the address"},
		{"CVE-2020-26938", `https://allowed.com/cb"><script>alert(1)</script>`, "percent-encoded"},
		{"CVE-2020-26938 query", `https://allowed.com/cb?a=<img/src=x/onerror=alert(1)>`, "percent-encoded"},
		{"hydra 92bd3eab9", "https://badexample.com/cb", ""},
		{"hydra 92bd3eab9 wildcard", "https://*example.com/cb", "stand for"},
		{"dex#4941", `https://evil.com\@allowed.com/cb`, "Write “/”"},
		{"dex#4941 host", `https://allowed.com\.evil.com/cb`, "Write “/”"},
		{"dex#4941 path", `https://allowed.com/cb\..\evil`, "Write “/”"},
		{"header", "https://allowed.com/cb\r\nLocation: https://evil.com", "control characters"},
		{"encoded header", "https://allowed.com/cb%0d%0aLocation:%20https://evil.com", "control character %0d"},
		{"null byte", "https://allowed.com/cb\x00.evil.com", "control characters"},
		{"fragment", "https://allowed.com/cb#", "#"},
		{"slash", "https://localhost/", ""},
		{"prefix", "https://allowed.com/c", ""},
		{"empty", "", "Write a whole address"},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			match, err := MatchReturnURL(Web, registered, tt.vector)
			if _, ok := errors.AsType[*ReturnURLMismatch](err); !ok || match.String() != "" {
				t.Errorf("sending %q: matched %q, %v", tt.vector, match, err)
			}
			_, problem := ParseReturnURL(Web, tt.vector)
			switch {
			case tt.refusal == "" && problem != nil:
				t.Errorf("registering %q: %s", tt.vector, problem.Message)
			case tt.refusal != "" && problem == nil:
				t.Errorf("registering %q is accepted", tt.vector)
			case tt.refusal != "" && !strings.Contains(problem.Message, tt.refusal):
				t.Errorf("registering %q: %q, want %q in it", tt.vector, problem.Message, tt.refusal)
			}
		})
	}
}

func TestMismatch(t *testing.T) {
	shop := "https://www.example.com/shop/callback"
	tests := map[string]struct {
		sent, registered string
		rule             MismatchRule
		words            string
		sentParts        Difference
		nearestDiffers   string
	}{
		"scheme": {"http://localhost:8080/cb", "https://localhost:8080/cb", RuleScheme,
			"It was sent with http, and is registered with https.", Difference{"http", "", "://localhost:8080/cb"}, "s"},
		"slash sent": {"https://localhost/", "https://localhost", RuleTrailingSlash,
			"The two differ in the “/” at the end, which counts.", Difference{"https://localhost", "/", ""}, ""},
		"slash missing": {shop + "?a=1", shop + "/?a=1", RuleTrailingSlash,
			"The two differ in the “/” at the end, which counts.", Difference{shop, "", "?a=1"}, "/"},
		"letter case": {"https://www.example.com/Shop/callback", shop, RuleLetterCase,
			"The two differ in upper and lower case only, which counts.", Difference{"https://www.example.com/", "S", "hop/callback"}, "s"},
		"port": {"http://localhost:8081/cb", "http://localhost:8080/cb", RulePort,
			"It was sent with port 8081, and is registered with port 8080.", Difference{"http://localhost:808", "1", "/cb"}, "0"},
		"port missing": {"http://localhost/cb", "http://localhost:8080/cb", RulePort,
			"It was sent with no port, and is registered with port 8080.", Difference{"http://localhost", "", "/cb"}, ":8080"},
		"query": {shop + "?close", shop, RuleQuery,
			"The query string (from “?” on) differs; it is part of the comparison.", Difference{shop, "?close", ""}, ""},
		"www": {"https://example.com/shop/callback", shop, RuleWWW,
			"The two differ in “www.” before the host.", Difference{"https://", "", "example.com/shop/callback"}, "www."},
		"white space": {shop + " ", shop, RuleWhitespace,
			"White space was sent with the address.", Difference{shop, " ", ""}, ""},
		"encoded once more": {"https%3A%2F%2Fwww.example.com%2Fshop%2Fcallback", shop, RuleEncoding,
			"The two differ in percent encoding only; send the address encoded exactly once, in the registered spelling.",
			Difference{"https", "%3A%2F%2Fwww.example.com%2Fshop%2F", "callback"}, "://www.example.com/shop/"},
		"encoded otherwise": {"https://www.example.com/%7eshop", "https://www.example.com/%7Eshop", RuleEncoding,
			"The two differ in percent encoding only; send the address encoded exactly once, in the registered spelling.",
			Difference{"https://www.example.com/%7", "e", "shop"}, "E"},
		"fragment": {shop + "#top", shop, RuleFragment,
			"A return URL has no “#” part.", Difference{shop, "#top", ""}, ""},
		"path": {"https://www.example.com/shop/back", shop, RulePath,
			"The path is another than the registered one.", Difference{"https://www.example.com/shop/", "", "back"}, "call"},
		"host": {"https://www.example.org/shop/callback", shop, RuleHost,
			"The host is another than the registered www.example.com.", Difference{"https://www.example.", "org", "/shop/callback"}, "com"},
		"user name": {"https://www.example.com@evil.example/shop/callback", shop, RuleHost,
			"The host is another than the registered www.example.com.", Difference{"https://www.example.com", "@evil.example", "/shop/callback"}, ""},
		"several": {"http://localhost:8081/cb", "https://localhost:8080/cb", RuleSeveral,
			"It was sent with http, and is registered with https. It was sent with port 8081, and is registered with port 8080.",
			Difference{"http", "://localhost:8081", "/cb"}, "s://localhost:8080"},
		"no URL": {"callback", shop, RuleSeveral,
			"The address sent is not a whole one with scheme and host.", Difference{"", "", "callback"}, "https://www.example.com/shop/"},
		"cut between characters": {"https://localhost/\u00e9", "https://localhost/\u00e8", RulePath,
			"The path is another than the registered one.", Difference{"https://localhost/", "\u00e9", ""}, "\u00e8"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := MatchReturnURL(Web, []ReturnURL{{Value: tt.registered}}, tt.sent)
			m, ok := errors.AsType[*ReturnURLMismatch](err)
			if !ok {
				t.Fatalf("MatchReturnURL: %v", err)
			}
			want := &ReturnURLMismatch{
				Sent: tt.sent, Nearest: tt.registered, Rule: tt.rule, Words: tt.words,
				SentParts:    tt.sentParts,
				NearestParts: Difference{tt.sentParts.Before, tt.nearestDiffers, tt.sentParts.After},
			}
			if diff := cmp.Diff(want, m); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(m.Error(), "example") || strings.Contains(m.Error(), "localhost") {
				t.Errorf("the error's text tells values: %q", m)
			}
		})
	}
}

func TestMismatchNearest(t *testing.T) {
	registered := []ReturnURL{
		{Value: "https://localhost"},
		{Value: "https://shop.example.com/cb"},
		{Value: "https://shop.example.com/cb?tenant=12345678901234567890"},
		{Value: "https://staging.example.com/cb"},
	}
	tests := map[string]struct{ sent, nearest string }{
		"fewest changes":                  {"https://shop.example.com/cbb/c", "https://shop.example.com/cb"},
		"another host":                    {"https://stagin.example.com/db", "https://staging.example.com/cb"},
		"explained before fewest changes": {"https://staging.example.com/cb?a=a-long-one-that-was-added-by-a-library", "https://staging.example.com/cb"},
		"nothing like any":                {strings.Repeat("x", 5000), "https://localhost"},
		"far but the same beginning":      {"https://shop.example.com/" + strings.Repeat("x", 300), "https://shop.example.com/cb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := MatchReturnURL(Web, registered, tt.sent)
			if m, _ := errors.AsType[*ReturnURLMismatch](err); m == nil || m.Nearest != tt.nearest {
				t.Errorf("nearest: %+v, want %q", m, tt.nearest)
			}
		})
	}
}

func TestMismatchWithNothingToCompare(t *testing.T) {
	_, err := MatchReturnURL(Web, nil, "https://localhost")
	if m, _ := errors.AsType[*ReturnURLMismatch](err); m == nil || m.Rule != RuleNoneAllowed || m.Nearest != "" {
		t.Errorf("nothing registered: %+v", m)
	}
	_, err = MatchReturnURL(Web, []ReturnURL{{Value: ""}}, "")
	if m, _ := errors.AsType[*ReturnURLMismatch](err); m == nil || m.Rule != RuleMissing {
		t.Errorf("nothing sent: %+v", m)
	}
}

func TestEditDistance(t *testing.T) {
	tests := []struct {
		a, b  string
		limit int
		want  int
	}{
		{"", "", 3, 0},
		{"", "abc", 3, 3},
		{"abc", "", 2, 3},
		{"kitten", "sitting", 24, 3},
		{"kitten", "sitting", 3, 3},
		{"kitten", "sitting", 2, 3},
		{"abcdef", "fedcba", 24, 6},
		{"flaw", "lawn", 1, 2},
		{"flaw", "lawn", 2, 2},
		{"xy", "abc", 1, 2},
		{strings.Repeat("a", 1000), strings.Repeat("b", 1000), 24, 25},
		{strings.Repeat("ab", 500), "x" + strings.Repeat("ab", 500), 24, 1},
	}
	for _, tt := range tests {
		for _, pair := range [][2]string{{tt.a, tt.b}, {tt.b, tt.a}} {
			if got := editDistance(pair[0], pair[1], tt.limit); got != tt.want {
				t.Errorf("editDistance(%.10q, %.10q, %d) = %d, want %d", pair[0], pair[1], tt.limit, got, tt.want)
			}
		}
	}
}

func FuzzMismatch(f *testing.F) {
	f.Add("http://localhost:8080/cb", "https://localhost:8081/cb/")
	f.Add("\xff\u00e9", "\xfe\u00e9\u00e8")
	f.Add("aaa", "aa")
	f.Fuzz(func(t *testing.T, sent, registered string) {
		match, err := MatchReturnURL(Web, []ReturnURL{{Value: registered}}, sent)
		if err == nil {
			if sent != registered || match.String() != sent {
				t.Fatalf("%q matches %q as %q", sent, registered, match)
			}
			return
		}
		m, ok := errors.AsType[*ReturnURLMismatch](err)
		if !ok {
			t.Fatal(err)
		}
		if sent == "" {
			return
		}
		s, n := m.SentParts, m.NearestParts
		if s.Before+s.Differs+s.After != sent || n.Before+n.Differs+n.After != registered || s.Before != n.Before || s.After != n.After {
			t.Errorf("%q and %q are cut as %q and %q", sent, registered, s, n)
		}
		if s.Differs == "" && n.Differs == "" {
			t.Errorf("%q and %q: no difference is marked", sent, registered)
		}
		if m.Rule == "" || len(m.Words) > 1000 {
			t.Errorf("%q and %q: rule %q, %d bytes of words", sent, registered, m.Rule, len(m.Words))
		}
	})
}

// BenchmarkMismatch is the most that a stranger can make a refusal cost.
func BenchmarkMismatch(b *testing.B) {
	var registered []ReturnURL
	for i := range 50 {
		registered = append(registered, ReturnURL{Value: "https://localhost/" + strings.Repeat(string(rune('a'+i%26)), 2) + strings.Repeat("ab", 990)})
	}
	sent := "https://localhost/" + strings.Repeat("ab", 900) + strings.Repeat("y", 60_000)
	for b.Loop() {
		MatchReturnURL(Web, registered, sent)
	}
}

func TestMatchPostLogoutURL(t *testing.T) {
	registered := []ReturnURL{{Value: "https://app.example/bye"}, {Value: "http://127.0.0.1:8080/bye"}}
	for _, sent := range []string{"https://app.example/bye", "http://127.0.0.1:8080/bye"} {
		if got, err := MatchPostLogoutURL(registered, sent); err != nil || got.String() != sent {
			t.Errorf("%s: %s, %v", sent, got, err)
		}
	}
	for _, sent := range []string{"", "https://app.example/bye/", "https://app.example/bye?a", "HTTPS://app.example/bye", "http://127.0.0.1:8081/bye", "https://app.example"} {
		got, err := MatchPostLogoutURL(registered, sent)
		m, ok := errors.AsType[*ReturnURLMismatch](err)
		if !ok || got.String() != "" || m.Sent != sent || m.Words == "" {
			t.Errorf("%s: %s, %v", sent, got, err)
		}
	}
	_, err := MatchPostLogoutURL(nil, "https://app.example/bye")
	if m, ok := errors.AsType[*ReturnURLMismatch](err); !ok || m.Words != "None is registered yet; add this one under Settings." {
		t.Errorf("none registered: %+v", err)
	}
}
