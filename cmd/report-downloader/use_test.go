package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"pgregory.net/rapid"
)

// TestUse: what is called wrongly is refused in words, before anything is sent.
func TestUse(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	id := "--client-id=id"
	for name, tt := range map[string]struct {
		args  []string
		code  int
		words string
	}{
		"nothing":          {nil, exitWrongUse, "a command is missing"},
		"no such command":  {[]string{"fetch"}, exitWrongUse, `there is no command "fetch"`},
		"an argument":      {[]string{"sync", id, "reports"}, exitWrongUse, `sync takes flags only, not "reports"`},
		"no such flag":     {[]string{"sync", "--client-secret", "x"}, exitWrongUse, "unknown flag"},
		"no client":        {[]string{"sync", "--to", "x"}, exitWrongUse, "--client-id is missing"},
		"no folder":        {[]string{"sync", id}, exitWrongUse, "--to is missing"},
		"two ways":         {[]string{"login", id, "--code", "--device"}, exitWrongUse, "two ways"},
		"http in the open": {[]string{"status", id, "--to=x", "--slate", "http://slate.example"}, exitWrongUse, "write https://slate.example"},
		"no address":       {[]string{"login", id, "--gatelodge", "gatelodge"}, exitWrongUse, "--gatelodge: write a base URL"},
		"too many at once": {[]string{"sync", id, "--to=x", "--parallel=100"}, exitWrongUse, "--parallel"},
		"no secret file":   {[]string{"login", id, "--client-secret-file", filepath.Join(folder, "none")}, exitWrongUse, "no such file"},
		"empty secret":     {[]string{"login", id, "--client-secret-file", file("secret", "\n")}, exitWrongUse, "is empty"},
		"return elsewhere": {[]string{"login", id, "--return-url", "https://app.example/return"}, exitWrongUse, "use --code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &screen{see: func(string) {}}
			p := &program{
				transport: transport(func(r *http.Request) (*http.Response, error) {
					t.Errorf("sent to %s", r.URL)
					return nil, io.EOF
				}),
				in: strings.NewReader(""), out: s, errs: s, getenv: func(string) string { return "" },
				browse: func(context.Context, string) error { return nil },
			}
			args := tt.args
			if len(args) > 0 {
				args = append(args, "--tokens", filepath.Join(folder, "none.json"))
			}
			if code := p.run(t.Context(), args); code != tt.code || !strings.Contains(s.String(), tt.words) {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, s)
			}
		})
	}
}

// TestTokenFile: tokens are their owner's alone, and go where they came from.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	s := settings{gatelodge: "https://gatelodge.example", clientID: "id", tokens: filepath.Join(t.TempDir(), "tokens.json")}
	if _, err := readTokens(s); err != errNotLoggedIn {
		t.Errorf("none: %v", err)
	}
	for range 2 { // a new file, and one that is replaced
		if err := writeTokens(s, &oauth2.Token{AccessToken: "a", RefreshToken: "r"}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(s.tokens)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v %v", info, err)
		}
		if token, err := readTokens(s); err != nil || token.RefreshToken != "r" {
			t.Errorf("%v %v", token, err)
		}
	}
	other := s
	other.gatelodge = "https://other.example"
	if _, err := readTokens(other); err == nil || !strings.Contains(err.Error(), "log in again") {
		t.Errorf("another server: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(s.tokens, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := readTokens(s); err == nil || !strings.Contains(err.Error(), "others can read") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(s.tokens))
	if err != nil || len(left) != 1 {
		t.Errorf("left over: %v %v", left, err)
	}
}

// TestFileNames: whatever a server names a thing, it is one name of a file.
func TestFileNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Sample Channel (US)": "Sample Channel (US)", "": "_", ".": "_", "..": "_", "../../etc/passwd": "_.._.._etc_passwd", ".ssh": "_.ssh",
		`a\b`: "a_b", "C:x": "C_x", "Grüße. ": "Grüße", "a\x1b[2Jb": "a_[2Jb", strings.Repeat("é", 100): strings.Repeat("é", 60),
	} {
		if got := fileName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := fileName(rapid.String().Draw(t, "name"))
		if name == "" || name[0] == '.' || strings.ContainsAny(name, `/\`) || !filepath.IsLocal(name) {
			t.Fatalf("%q", name)
		}
	})
}

// TestNextPageElsewhere: the token is not sent where a page names another server.
func TestNextPageElsewhere(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"https://evil.example/apis/v1/accounts?offset=1", "http://slate.example/apis/v1/accounts", "https://slate.example/apis/v1/accounts?limit=100", "/apis/v1/accounts", ":"} {
		sent := 0
		client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			sent++
			response := respond(200)
			response.Body = io.NopCloser(strings.NewReader(`{"total": 2, "next": "` + next + `", "data": [{"id": "1"}]}`))
			return response, nil
		})}
		a := &reportingAPI{base: "https://slate.example/apis/v1/accounts", client: client, tokens: &tokens{token: &oauth2.Token{AccessToken: "a"}}}
		if err := pages(t.Context(), a, "", url.Values{}, func([]item) {}); err == nil || sent != 1 {
			t.Errorf("%s: %d sent, %v", next, sent, err)
		}
	}
}
