package registry

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const relayIssuer = "https://id.example"

func TestMatchRelay(t *testing.T) {
	allowed := []AllowedOrigin{{Value: "http://localhost:3000"}, {Value: "https://www.example.com"}}
	for origin, sent := range map[string]string{
		"https://www.example.com": "https://id.example/sdk/relay?origin=https%3A%2F%2Fwww.example.com",
		"http://localhost:3000":   "https://id.example/sdk/relay?origin=http%3A%2F%2Flocalhost%3A3000",
	} {
		redirect, got, err := MatchRelay(relayIssuer, allowed, sent)
		if err != nil || got.Value != origin || redirect.String() != sent {
			t.Errorf("MatchRelay(%q) = %q, %q, %v", sent, redirect, got.Value, err)
		}
	}
}

func TestMatchRelayRefuses(t *testing.T) {
	const www = "https://www.example.com"
	tests := map[string]struct {
		allowed []string
		sent    string // the origin, or with "/sdk" in it the whole address
		want    string // of Words
		named   string
	}{
		"none allowed":    {nil, www, "No origin is allowed yet", www},
		"other host":      {[]string{www}, "https://evil.example", "The host is another", "https://evil.example"},
		"subdomain":       {[]string{"https://example.com"}, "https://a.example.com", "The host is another", "https://a.example.com"},
		"www":             {[]string{www}, "https://example.com", "“www.”", "https://example.com"},
		"longer host":     {[]string{www}, www + ".evil.example", "The host is another", www + ".evil.example"},
		"port":            {[]string{"http://localhost:3000"}, "http://localhost:3001", "port 3001", "http://localhost:3001"},
		"own port":        {[]string{www}, www + ":443", "port 443", www + ":443"},
		"scheme":          {[]string{"https://localhost"}, "http://localhost", "sent with http", "http://localhost"},
		"upper case":      {[]string{www}, "https://WWW.example.com", "upper and lower case", "https://WWW.example.com"},
		"slash":           {[]string{www}, www + "/", "“/” at the end", www + "/"},
		"path":            {[]string{www}, www + "/app", "The path is another", www + "/app"},
		"user name":       {[]string{www}, "https://www.example.com@evil.example", "The host is another", "https://www.example.com@evil.example"},
		"opaque":          {[]string{www, "null"}, "null", "hides its origin", "null"},
		"empty":           {[]string{www, ""}, "", "has to name one origin", ""},
		"white space":     {[]string{www}, " " + www, "White space", " " + www},
		"no query":        {[]string{www}, relayIssuer + "/sdk/relay", "has to name one origin", ""},
		"two origins":     {[]string{www}, RelayURL(relayIssuer, www) + "&origin=https%3A%2F%2Fevil.example", "has to name one origin", ""},
		"more parameters": {[]string{www}, RelayURL(relayIssuer, www) + "&code=x", "has to name one origin", ""},
		"other spelling":  {[]string{www}, relayIssuer + "/sdk/relay?origin=https://www.example.com", "has to name one origin", ""},
		"lower-case hex":  {[]string{www}, relayIssuer + "/sdk/relay?origin=https%3a%2f%2fwww.example.com", "has to name one origin", ""},
		"fragment":        {[]string{www}, RelayURL(relayIssuer, www) + "#x", "has to name one origin", ""},
		"other page":      {[]string{www}, strings.Replace(RelayURL(relayIssuer, www), "?", "/x?", 1), "has to name one origin", ""},
		"bad encoding":    {[]string{www}, relayIssuer + "/sdk/relay?origin=%zz", "has to name one origin", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var allowed []AllowedOrigin
			for _, v := range tt.allowed {
				allowed = append(allowed, AllowedOrigin{Value: v})
			}
			sent := tt.sent
			if !strings.Contains(sent, RelayPath) {
				sent = RelayURL(relayIssuer, sent)
			}
			redirect, origin, err := MatchRelay(relayIssuer, allowed, sent)
			m, ok := errors.AsType[*OriginMismatch](err)
			if !ok || redirect.String() != "" || origin.Value != "" {
				t.Fatalf("MatchRelay(%q) = %q, %q, %v; want a refusal", sent, redirect, origin.Value, err)
			}
			if !strings.Contains(m.Words, tt.want) || m.Sent != tt.named {
				t.Errorf("MatchRelay(%q): %q of %q; want %q of %q", sent, m.Words, m.Sent, tt.want, tt.named)
			}
			if !IsRelay(relayIssuer, sent) {
				t.Errorf("%q is not judged as a relay", sent)
			}
		})
	}
}

func TestRelayMismatchShowsTheDifference(t *testing.T) {
	_, _, err := MatchRelay(relayIssuer, []AllowedOrigin{{Value: "http://localhost:3000"}}, RelayURL(relayIssuer, "http://localhost:4000"))
	want := &OriginMismatch{
		Sent: "http://localhost:4000", Nearest: "http://localhost:3000", Words: "It was sent with port 4000, and is registered with port 3000.",
		SentParts:    Difference{"http://localhost:", "4", "000"},
		NearestParts: Difference{"http://localhost:", "3", "000"},
	}
	if diff := cmp.Diff(want, err); diff != "" {
		t.Error(diff)
	}
}

func TestAllowsOrigin(t *testing.T) {
	allowed := []AllowedOrigin{{Value: "https://www.example.com"}, {Value: "http://localhost:3000"}, {Value: "null"}, {}}
	for sent, want := range map[string]bool{
		"https://www.example.com": true, "http://localhost:3000": true,
		"null": false, "": false, "https://www.example.com/": false, "https://WWW.example.com": false, "https://www.example.com:443": false,
		"http://www.example.com": false, "http://localhost": false, "https://example.com": false, "https://www.example.com.evil.example": false,
		"https://www.example.com, https://evil.example": false,
	} {
		if got := AllowsOrigin(allowed, sent); got != want {
			t.Errorf("AllowsOrigin(%q) = %v", sent, got)
		}
	}
}

// FuzzMatchRelay: whatever is sent, an answer goes to the relay page for an origin
// of the list, in the one spelling.
func FuzzMatchRelay(f *testing.F) {
	f.Add("https://www.example.com", RelayURL(relayIssuer, "https://www.example.com"))
	f.Add("https://www.example.com", RelayURL(relayIssuer, "https://www.example.com")+"&origin=https://evil.example")
	f.Add("http://localhost:1", relayIssuer+"/sdk/relay?origin=%00")
	f.Fuzz(func(t *testing.T, origin, sent string) {
		redirect, matched, err := MatchRelay(relayIssuer, []AllowedOrigin{{Value: origin}}, sent)
		if err == nil && (matched.Value != origin || redirect.String() != RelayURL(relayIssuer, origin) || origin == "null") {
			t.Fatalf("%q among %q gave %q", sent, origin, redirect)
		}
		if err != nil && sent == RelayURL(relayIssuer, origin) && origin != "null" && origin != "" {
			t.Fatalf("%q is refused for %q: %v", sent, origin, err)
		}
	})
}
