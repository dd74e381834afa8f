package oauth

import (
	"net/url"
	"strings"
	"testing"
)

func TestRedirectURIWith(t *testing.T) {
	pairs := []Pair{{"code", "Spl x+l"}, {"empty", ""}, {"state", "a&b=c#d?é/%"}}
	const added = "code=Spl%20x%2Bl&state=a%26b%3Dc%23d%3F%C3%A9%2F%25"
	tests := []struct{ name, registered, want string }{
		{"path", "https://a.example/cb", "https://a.example/cb?" + added},
		{"no path", "https://localhost", "https://localhost?" + added},
		{"query kept as it is", "https://a.example/cb?b=%7e&a=1+2&&", "https://a.example/cb?b=%7e&a=1+2&&" + added},
		{"query", "https://a.example/cb?close", "https://a.example/cb?close&" + added},
		{"lone question mark", "https://a.example/cb?", "https://a.example/cb?" + added},
		{"question mark in the query", "https://a.example/cb?x=?", "https://a.example/cb?x=?" + added},
		{"native application", "com.example.app:/cb", "com.example.app:/cb?" + added},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := MatchedRedirectURI(tt.registered)
			if got := u.With(pairs...); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := u.With(); got != tt.registered {
				t.Errorf("without parameters: %s", got)
			}
			if u.String() != tt.registered {
				t.Errorf("String: %s", u)
			}
		})
	}
}

func TestRedirectURIParts(t *testing.T) {
	tests := []struct{ registered, host, scheme string }{
		{"https://app.example.com/cb?x=//evil.example", "app.example.com", "https"},
		{"HTTP://localhost:3000/", "localhost:3000", "http"},
		{"http://[::1]:8080/cb", "[::1]:8080", "http"},
		{"amzn://com.example.app", "com.example.app", "amzn"},
		{"com.example.app:/cb", "", "com.example.app"},
	}
	for _, tt := range tests {
		u := MatchedRedirectURI(tt.registered)
		if u.Host() != tt.host || u.Scheme() != tt.scheme {
			t.Errorf("%s: got %q %q, want %q %q", u, u.Host(), u.Scheme(), tt.host, tt.scheme)
		}
	}
}

// Whatever is added, the registered bytes stay in front, the answer goes to the
// same place, and the client reads back what was added.
func FuzzRedirectURIWith(f *testing.F) {
	f.Add("https://a.example/cb", "code", "a b+c&d=e#f")
	f.Add("https://a.example/cb?x=1&", "state", "\r\nLocation: https://evil.example")
	f.Add("https://localhost?", "state", "\xff\x00")
	f.Fuzz(func(t *testing.T, registered, name, value string) {
		before, err := url.Parse(registered)
		if err != nil || before.Scheme == "" || strings.Contains(registered, "#") {
			t.Skip("not a value that can be registered")
		}
		got := MatchedRedirectURI(registered).With(Pair{"code", "x"}, Pair{name, value})
		if !strings.HasPrefix(got, registered) {
			t.Fatalf("%q does not begin with %q", got, registered)
		}
		if rest := got[len(registered):]; strings.ContainsAny(rest, " \r\n#\"<>") {
			t.Errorf("unescaped: %q", rest)
		}
		after, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		if after.Scheme != before.Scheme || after.Host != before.Host || after.Path != before.Path ||
			after.Opaque != before.Opaque || after.User.String() != before.User.String() || after.Fragment != "" {
			t.Errorf("%q became %q", registered, got)
		}
		added := strings.TrimPrefix(after.RawQuery, before.RawQuery)
		read, err := url.ParseQuery(strings.TrimPrefix(added, "&"))
		if err != nil {
			t.Fatal(err)
		}
		if values := read[name]; value != "" && (len(values) == 0 || values[len(values)-1] != value) {
			t.Errorf("%q=%q reads back as %q", name, value, values)
		}
	})
}
