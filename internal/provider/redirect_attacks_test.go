package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/sim"
)

// TestRedirectAttacks sends the return URLs with which others were broken. Each is
// answered by a page that neither redirects nor links there nor tells a stranger
// what is registered; the registered URL works with the same parameters.
func TestRedirectAttacks(t *testing.T) {
	const cb = "https://app.example/cb"
	tests := []struct {
		id         string
		registered string
		sent       []string
		pairs      []string
	}{
		{"CVE-2023-6291", cb, []string{"https://app.example.evil.example/cb", "https://app.example@evil.example/cb", cb + ".evil.example", cb + "/evil"}, nil},
		{"CVE-2023-6927", cb, []string{"https://evil.example/cb", cb + "*"}, []string{"response_mode", "form_post.jwt"}},
		{"CVE-2024-1132", cb, []string{cb + "/..%2f..%2fevil", cb + "/../../evil", cb + "/%2e%2e/evil"}, nil},
		{"CVE-2022-3782", cb, []string{cb + "%252f..%252fevil", "https://app.example/%63b", "https://app.example/%2563b"}, nil},
		{"CVE-2026-3872", cb, []string{cb + "/..;/evil", cb + ";x=/evil"}, nil},
		{"CVE-2026-7504", "https://*.app.example/*", []string{"https://evil.app.example/cb", "https://.app.example/", "https://x@evil.example/.app.example/"}, nil},
		{"CVE-2024-8883", "http://localhost:80", []string{"http://localhost:80@evil.example", "http://localhost:80@evil.example/", "http://localhost:80.evil.example"}, nil},
		{"CVE-2020-10776", cb, []string{"javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "JavaScript://app.example/%0aalert(1)", "vbscript:x", "blob:https://app.example/cb"}, nil},
		{"CVE-2018-14658", cb, []string{"https://APP.example/cb", "https://app.example:443/cb", "https://app.example./cb", "HTTPS://app.example/cb", cb + "/", cb + "?", cb + "#", cb + "?x=1", "https://app.example/x/../cb"}, nil},
		{"CVE-2026-15573", cb, []string{"https://app.example//cb", "https://app.example/./cb", "https://app.example/cb/.", "//app.example/cb", "/cb"}, nil},
		{"CVE-2024-52289", "https://foo.example.com/cb", []string{"https://fooaexample.com/cb", "https://fooxexample.com/cb"}, nil},
		{"CVE-2024-21637", cb, []string{"javascript:alert(1)", "https://evil.example/cb"}, []string{"response_mode", "form_post"}},
		{"CVE-2020-15234", "https://app.example/Callback", []string{"https://app.example/callback", "https://app.example/CALLBACK", "https://App.example/Callback"}, nil},
		{"CVE-2020-15233", "http://127.0.0.1:9000/cb?x=1", []string{"http://127.0.0.1:9000/evil?x=1", "http://127.0.0.1:9000/cb?x=2", "http://localhost:9000/cb?x=1", "http://127.0.0.2:9000/cb?x=1", "http://127.0.0.1:9001/cb?x=1"}, nil},
		{"CVE-2025-4143", cb, []string{"https://evil.example/", "http://app.example/cb"}, nil},
		{"CVE-2026-54072", cb, []string{"https://evil.example/cb"}, []string{"response_type", "token"}},
		{"CVE-2020-26938", cb, []string{`https://app.example/cb"><script>alert(1)</script>`, "https://app.example/cb'onmouseover='alert(1)", "https://<script>alert(1)</script>/cb"}, nil},
		{"hydra-92bd3eab9", "https://app.example/cb", []string{"https://evilapp.example/cb", "https://evil-app.example/cb", "https://sub.app.example/cb"}, nil},
		{"dex-4941", cb, []string{`https://app.example\@evil.example/cb`, `https:\\evil.example/cb`, `https://evil.example\.app.example/cb`, `\\evil.example`}, nil},
	}
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			app := w.NewApplication(tt.registered)
			user.Code(app, sim.Standard) // the attacker would like to have no page at all
			for _, d := range dialects {
				for _, sent := range tt.sent {
					page := user.Send(http.MethodGet, app.AuthorizeURL(d, append(tt.pairs, "redirect_uri", sent)...), nil)
					if page.Status != http.StatusBadRequest || page.Header.Get("Location") != "" || page.Header.Get("Refresh") != "" {
						t.Errorf("%s: %d to %q", sent, page.Status, page.Header.Get("Location"))
					}
					if strings.Contains(page.Body, "<script>alert") || strings.Contains(page.Body, `href="`+sent) || strings.Contains(page.Body, `onmouseover=`) && !strings.Contains(page.Body, "&#39;onmouseover") {
						t.Errorf("%s: is live on the page", sent)
					}
					if tt.registered != "" && strings.Contains(strings.ReplaceAll(page.Text(), sent, ""), tt.registered) {
						t.Errorf("%s: the page tells a stranger what is registered", sent)
					}
				}
			}
			response := append([]string{}, tt.pairs...)
			page := user.Send(http.MethodGet, app.AuthorizeURL(sim.Standard, response...), nil)
			if page.Posted == nil && page.Status == http.StatusOK {
				page = page.GoOn() // form_post
				page.Header.Set("Location", page.URL.String())
			}
			if to := page.Header.Get("Location"); !strings.HasPrefix(to, tt.registered) {
				t.Errorf("the registered URL: %d to %q", page.Status, to)
			}
		})
	}
}
