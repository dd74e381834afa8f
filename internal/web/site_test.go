package web

import (
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	k := testKit(t, Options{})
	site, err := k.Site()
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{
		"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "mark.svg": "image/svg+xml",
	} {
		address := k.Asset(name)
		if !regexp.MustCompile(`^/assets/[0-9a-f]{16}/` + regexp.QuoteMeta(name) + `$`).MatchString(address) {
			t.Errorf("address of %s: %q", name, address)
		}
		w := serve(site, httptest.NewRequest("GET", address, nil))
		if w.Code != 200 || w.Body.Len() == 0 || w.Header().Get("Content-Type") != kind ||
			w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: status %d, headers %v", name, w.Code, w.Header())
		}
	}
	if got := k.Asset("nothing.css"); got != "" {
		t.Errorf("an asset that is not there has the address %q", got)
	}
	w := serve(site, httptest.NewRequest("GET", "/assets/0123456789abcdef/app.css", nil))
	if w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("another version's hash: status %d, %q; nobody may keep that", w.Code, w.Header().Get("Cache-Control"))
	}
	for _, missing := range []string{"/assets/", "/assets/x", k.Asset("app.css") + "x", path.Dir(k.Asset("app.css")) + "/../kit.go"} {
		if w := serve(site, httptest.NewRequest("GET", missing, nil)); w.Code == 200 {
			t.Errorf("%s: status %d", missing, w.Code)
		}
	}
	// Modules find each other by relative names, which the map in app.js has to get right.
	for _, m := range regexp.MustCompile(`"\./([a-z]+\.js)"`).FindAllStringSubmatch(string(k.assets.files["app.js"]), -1) {
		if k.Asset(m[1]) == "" {
			t.Errorf("app.js loads %s, which is not there", m[1])
		}
	}
}

func TestSite(t *testing.T) {
	badge := &AccountBadge{Name: "Ada Lovelace", Email: "ada@example.com"}
	k := testKit(t, Options{Contact: "help@example.com", Issuer: "https://gate.example"})
	site, err := k.Site()
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`href="(/(?:help[^"]*)?)"`)
	seen := map[string]bool{}
	var visit func(address string)
	visit = func(address string) {
		if seen[address] {
			return
		}
		seen[address] = true
		w := serve(site, httptest.NewRequest("GET", address, nil))
		page := w.Body.String()
		if w.Code != 200 || strings.Count(page, "<h1") != 1 || !strings.Contains(page, `<html lang="en">`) || !strings.Contains(page, "Contact us") {
			t.Errorf("%s: status %d, %d h1", address, w.Code, strings.Count(page, "<h1"))
		}
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if ids[m[1]] {
				t.Errorf("%s: two elements are called %s", address, m[1])
			}
			ids[m[1]] = true
		}
		for _, m := range links.FindAllStringSubmatch(page, -1) {
			visit(m[1])
		}
	}
	visit("/")
	for _, want := range []string{"/help", "/help/make-a-profile", "/help/return-urls", "/help/credentials", "/help/tokens", "/help/kinds", "/help/contact"} {
		if !seen[want] {
			t.Errorf("no way leads to %s", want)
		}
	}
	for address, says := range map[string]string{
		"/":                     `href="/console"`,
		"/help/make-a-profile":  "<a href=\"/console/profiles/new\">Create a New Security Profile</a>",
		"/help/return-urls":     "<strong>Allowed Return URLs</strong>",
		"/help/credentials":     "<strong>Show Secret</strong>",
		"/help/tokens":          "https://gate.example/auth/o2/token",
		"/help/kinds":           "<th scope=\"row\">Native app</th>",
		"/help/contact":         `href="mailto:help@example.com"`,
		"/help/nothing":         "no help page at this address",
		"/nothing":              "There is nothing here",
		"/help/contact/further": "There is nothing here",
	} {
		if w := serve(site, httptest.NewRequest("GET", address, nil)); !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s does not say %q", address, says)
		}
	}
	if w := serve(site, httptest.NewRequest("GET", "/nothing", nil)); w.Code != 404 {
		t.Errorf("/nothing: status %d", w.Code)
	}
	for address, goesTo := range map[string]string{
		"/help/": "/help", "/help/tokens/": "/help/tokens", "/console/?a=b#c": "/console?a=b%23c", "/assets/": "/assets",
		"/%2Fevil.example/": "/", "/%5Cevil.example/": "/%5Cevil.example",
	} {
		if w := serve(site, httptest.NewRequest("GET", address, nil)); w.Code != http.StatusFound || w.Header().Get("Location") != goesTo {
			t.Errorf("%s: status %d, goes to %s", address, w.Code, w.Header().Get("Location"))
		}
	}
	if w := serve(site, httptest.NewRequest("POST", "/nothing/", nil)); w.Code != 404 {
		t.Errorf("a form to /nothing/: status %d", w.Code)
	}
	signedIn := *k
	signedIn.account = func(*http.Request) *AccountBadge { return badge }
	if site, err = signedIn.Site(); err != nil {
		t.Fatal(err)
	}
	if page := serve(site, httptest.NewRequest("GET", "/", nil)).Body.String(); !strings.Contains(page, "Ada Lovelace") || !strings.Contains(page, `<form method="post" action="/sign-out">`) {
		t.Error("the home page does not say who is signed in")
	}
}

func TestContact(t *testing.T) {
	for setting, want := range map[string]Link{
		"help@example.com":         {"help@example.com", "mailto:help@example.com"},
		"https://example.com/help": {"example.com", "https://example.com/help"},
		"":                         {}, "javascript:alert(1)": {}, "//evil.example": {}, "call us": {},
	} {
		if got := contactLink(setting); got != want {
			t.Errorf("%q: %+v, want %+v", setting, got, want)
		}
	}
}
