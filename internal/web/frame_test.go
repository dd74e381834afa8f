package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

// TestFrame: a product has its own mark, bar and assets, on error pages too, and the
// kit's own in the places that it leaves.
func TestFrame(t *testing.T) {
	k := testKit(t, Options{
		ProductName: "Slate",
		Frame: fstest.MapFS{"frame.html": {Data: []byte(`{{define "styles"}}<link rel="stylesheet" href="{{asset "own.css"}}">{{end}}
			{{define "mark"}}<b>own mark</b>{{end}}{{define "bar"}}<nav>own bar of {{.Bar}}</nav>{{end}}`)}},
		Assets: fstest.MapFS{"own.css": {Data: []byte("own")}, "mark.svg": {Data: []byte("<svg>own</svg>")}},
	})
	pages, err := k.Pages(fstest.MapFS{"page.html": {Data: []byte(`{{define "content"}}<h1>Here</h1>{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	page := serve(k.Browser(func(w http.ResponseWriter, r *http.Request) error {
		return pages.Render(w, r, http.StatusOK, "page", Page{Bar: "Ann"})
	}), httptest.NewRequest("GET", "/", nil)).Body.String()
	for _, want := range []string{"own mark", "own bar of Ann", k.Asset("own.css"), "Contact us", "<h1>Here"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "Console") {
		t.Error("the page has the kit's bar")
	}
	missing := serve(k.NotFound(Link{"Home", "/"}), httptest.NewRequest("GET", "/x", nil))
	if body := missing.Body.String(); missing.Code != http.StatusNotFound || !strings.Contains(body, "own mark") || strings.Contains(body, "/console") {
		t.Errorf("%d %s", missing.Code, body)
	}
	for name, want := range map[string]string{"own.css": "own", "mark.svg": "<svg>own</svg>"} {
		if got := serve(k.Assets(), httptest.NewRequest("GET", k.Asset(name), nil)); got.Body.String() != want {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	if k.Asset("app.css") == "" || k.Asset("app.css") == testKit(t, Options{}).Asset("app.css") {
		t.Error("assets that differ have one address")
	}
	broken := testKit(t, Options{Frame: fstest.MapFS{"frame.html": {Data: []byte(`{{define "bar"}}{{nothing}}{{end}}`)}}})
	if broken.errors.Check() == nil {
		t.Error("a frame that is broken is taken")
	}
	if _, err := New(Options{Assets: fstest.MapFS{"x.html": {}}}); err == nil {
		t.Error("an asset without a type is taken")
	}
}
