package web

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// TestPagesCheck: what is wrong with a template is found before somebody asks for the
// page.
func TestPagesCheck(t *testing.T) {
	k := testKit(t, Options{})
	for _, c := range []struct{ name, page, says string }{
		{"template that is not there", `{{define "content"}}{{if .X}}{{template "nowhere"}}{{end}}{{end}}`, "nowhere"},
		{"function that is not there", `{{define "content"}}{{nothing}}{{end}}`, "nothing"},
		{"icon that is not there", `{{define "content"}}{{range .X}}{{icon "unicorn"}}{{end}}{{end}}`, "unicorn"},
		{"misspelt option", `{{define "content"}}{{if .X}}a{{else}}{{field .F "name" "lable" "Name"}}{{end}}{{end}}`, "lable"},
		{"option without value", `{{define "content"}}{{with .F}}{{field . "name" "label"}}{{end}}{{end}}`, "pairs"},
		{"in a piece of it", `{{define "piece"}}{{icon "unicorn"}}{{end}}{{define "content"}}{{template "piece"}}{{end}}`, "unicorn"},
		{"no content", `{{define "contents"}}{{end}}`, "content"},
		{"context that cannot be escaped", `{{define "content"}}<a href="{{if .X}}"{{end}}>{{end}}`, "branches"},
	} {
		pages, err := k.Pages(fstest.MapFS{"p.html": {Data: []byte(c.page)}})
		if err != nil {
			t.Fatal(err)
		}
		if err = pages.Check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.says)
		}
	}
	pages, err := k.Pages(fstest.MapFS{
		"_shared.html": {Data: []byte(`{{define "shared"}}shared {{shout .}}{{end}}`)},
		"p.html":       {Data: []byte(`{{define "content"}}<h1>{{template "shared" .}}</h1>{{end}}`)},
	}, template.FuncMap{"shout": strings.ToUpper})
	if err != nil {
		t.Fatal(err)
	}
	if pages.Need("p") != nil || pages.Need("p", "q") == nil || pages.Need("_shared") == nil {
		t.Error("Need does not tell which pages there are")
	}
	w := httptest.NewRecorder()
	if err := pages.Render(w, httptest.NewRequest("GET", "/", nil), 200, "p", Page{Title: "T", Data: "a"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<title>T · Gatelodge</title>", "<h1>shared A</h1>"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("page does not have %q", want)
		}
	}
}

// TestTemplates: the pages that web serves itself have nothing wrong in them.
func TestTemplates(t *testing.T) {
	k := testKit(t, Options{})
	for _, folder := range []string{"site", "errors"} {
		pages, err := k.ownPages(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := pages.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestRenderFailsWhole: a template that breaks halfway leaves nothing behind.
func TestRenderFailsWhole(t *testing.T) {
	k := testKit(t, Options{})
	pages, err := k.Pages(fstest.MapFS{"p.html": {Data: []byte(`{{define "content"}}half a page {{.Missing.Field}}{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	w := serve(k.Browser(func(w http.ResponseWriter, r *http.Request) error {
		return pages.Render(w, r, 200, "p", Page{Data: struct{ Other int }{1}})
	}), httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "half a page") {
		t.Errorf("status %d, body %s", w.Code, w.Body)
	}
}

func component(t *testing.T, k *Kit, text string, data any) string {
	t.Helper()
	pages, err := k.Pages(fstest.MapFS{"p.html": {Data: []byte(`{{define "content"}}[[` + text + `]]{{end}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := pages.Render(w, httptest.NewRequest("GET", "/", nil), 200, "p", Page{Data: data}); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(w.Body.String(), "[[")
	inner, _, ok := strings.Cut(rest, "]]\n</main>")
	if !ok {
		t.Fatalf("no component in %s", w.Body)
	}
	return inner
}

func TestFields(t *testing.T) {
	k := testKit(t, Options{})
	form := NewForm(url.Values{"name": {`"><b>`}, "password": {"hunter2"}, "scope": {"b"}, "country": {"DE"}})
	form.Suggest("url", `No <i>.`, `https://x/?a="b`)
	form.Fail("name", "Too long.")
	form.Fail("terms", "Tick it.")
	form.Files["logo"] = File{Name: "<l>.png", Data: []byte("abc")}
	for _, c := range []struct {
		name, text string
		has, not   []string
	}{
		{"value and error", `{{field . "name" "label" "Na<me" "rule" "Up to 5." "maxlength" 5}}`,
			[]string{`value="&#34;&gt;&lt;b&gt;"`, `<label for="f-name">Na&lt;me</label>`, `aria-invalid="true"`,
				`aria-describedby="f-name-rule f-name-error"`, `id="f-name-rule">Up to 5.`, "Too long.", `data-max="5"`, ` required`},
			[]string{"<b>", " maxlength", "autofocus"}},
		{"first error has the focus", `{{field . "url" "label" "URL" "optional" true}}`,
			[]string{" autofocus", "No &lt;i&gt;.", `name="suggest.url" value="https://x/?a=&#34;b"`, "Use this instead", "optional"}, []string{" required"}},
		{"an error elsewhere takes the focus", `{{field . "email" "autofocus" true}}`, []string{`id="f-email"`}, []string{"autofocus", "aria-invalid"}},
		{"passwords are never sent back", `{{field . "password" "type" "password" "autocomplete" "current-password"}}`,
			[]string{`type="password"`, `value=""`, `autocomplete="current-password"`}, []string{"hunter2"}},
		{"rows", `{{field . "name" "rows" 3}}`, []string{"<textarea", `rows="3"`, "&#34;&gt;&lt;b&gt;</textarea>"}, []string{"<input"}},
		{"ticked", `{{checkbox . "scope" "b" "label" "B"}}`, []string{`id="f-scope-b"`, " checked"}, nil},
		{"not ticked", `{{checkbox . "scope" "a" "label" "A"}}`, []string{`value="a"`}, []string{" checked"}},
		{"one alone that is wrong is where the summary leads", `{{checkbox . "terms" "yes" "label" "Terms"}}`, []string{`id="f-terms"`, `aria-invalid="true"`, "Tick it."}, nil},
		{"choice", `{{choice . "country" (list)}}`, []string{`<option value="DE" selected>Germany`, `<option value="FR">`}, nil},
		{"kept file", `{{filefield . "logo" "label" "Logo" "maxbytes" 9}}`,
			[]string{`name="logo.kept" value="YWJj"`, "&lt;l&gt;.png", `data-max-bytes="9"`}, []string{" required"}},
		{"summary", `{{formhead .}}`, []string{"3 things need your attention", `href="#f-url"`, `href="#f-name"`, "default-submit"}, nil},
		{"no form", `{{field (nothing) "name"}}`, []string{`value=""`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			pages, err := k.Pages(fstest.MapFS{"p.html": {Data: []byte(`{{define "content"}}` + c.text + `{{end}}`)}}, template.FuncMap{
				"list": func() []Choice { return []Choice{{"FR", "France"}, {"DE", "Germany"}} }, "nothing": func() *Form { return nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			if err := pages.Render(w, httptest.NewRequest("GET", "/", nil), 200, "p", Page{Data: form}); err != nil {
				t.Fatal(err)
			}
			_, got, _ := strings.Cut(w.Body.String(), "<main")
			got, _, _ = strings.Cut(got, "</main>")
			for _, want := range c.has {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in %s", want, got)
				}
			}
			for _, never := range c.not {
				if strings.Contains(got, never) {
					t.Errorf("%q in %s", never, got)
				}
			}
		})
	}
}

// TestDefaultSubmit: Enter presses the first submit button of a form, which must
// not be a suggestion.
func TestDefaultSubmit(t *testing.T) {
	form := NewForm(nil)
	form.Suggest("url", "No.", "https://x.example/")
	got := component(t, testKit(t, Options{}), `{{formhead .}}{{field . "url"}}`, form)
	first := regexp.MustCompile(`<button[^>]*>`).FindString(got)
	if !strings.Contains(first, "default-submit") || strings.Contains(first, "name=") {
		t.Errorf("first button: %s", first)
	}
}

func TestSecret(t *testing.T) {
	k := testKit(t, Options{})
	hidden := component(t, k, `{{secret .}}`, Secret{ID: "s", Label: "Client Secret", Action: "/show"})
	asking := component(t, k, `{{secret .}}`, Secret{ID: "s", Label: "Client Secret", Action: "/show", Reauthenticate: true, Error: "No."})
	shown := component(t, k, `{{secret .}}`, Secret{ID: "s", Label: "Client Secret", Action: "/show", Value: "abc", HideURL: "/x"})
	if !strings.Contains(hidden, "Show Secret") || !strings.Contains(hidden, `action="/show" data-reveal-password hidden`) {
		t.Errorf("hidden: %s", hidden)
	}
	if !strings.Contains(asking, `action="/show" data-reveal-password>`) || !strings.Contains(asking, "No.") {
		t.Errorf("asking: %s", asking)
	}
	if !strings.Contains(shown, ">abc</textarea>") || strings.Contains(shown, "<form") || !strings.Contains(shown, `href="/x"`) {
		t.Errorf("shown: %s", shown)
	}
}

func TestWords(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{short("amzn1.application-oa2-client.5f2c0f4a41f04f58a3f0ab0b8d6b3c11"), "amzn1.application-oa2-client.5f2c…3c11"},
		{short("short"), "short"},
		{short(strings.Repeat("a", 40)), "aaaaaaaaaaaaaa…aaaaaa"},
		{initials("Video report downloader"), "VR"}, {initials("élan"), "É"}, {initials(" "), "?"},
		{number(7), "7"}, {number(1234), "1,234"}, {number(1234567), "1,234,567"}, {number(-123), "-123"},
		{span(0), "1 second"}, {span(61 * time.Second), "2 minutes"}, {span(time.Hour), "1 hour"}, {span(25 * time.Hour), "2 days"},
		{elapsed(119 * time.Minute), "1 hour"}, {elapsed(59 * time.Second), "59 seconds"}, {elapsed(50 * time.Hour), "2 days"},
		{string(ago(time.Time{}, now)), "Never"},
		{string(ago(now.Add(-time.Second), now)), `<time datetime="2026-03-02T13:59:59Z" title="2 March 2026, 13:59:59 UTC">just now</time>`},
		{string(ago(now.Add(-72*time.Minute), now)), `<time datetime="2026-03-02T12:48:00Z" title="2 March 2026, 12:48:00 UTC">1 hour ago</time>`},
		{string(date(time.Time{})), "–"}, {string(datetime(now)), `<time datetime="2026-03-02T14:00:00Z" title="2 March 2026, 14:00:00 UTC">2 Mar 2026, 14:00 UTC</time>`},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	for host, local := range map[string]bool{
		"localhost": true, "localhost:8000": true, "127.0.0.1:1": true, "[::1]:80": true, "::1": true,
		"localhost.evil.example": false, "downloader.example": false, "127.0.0.1.evil.example": false,
	} {
		if got := hostof(host).Local; got != local {
			t.Errorf("%s local: %v, want %v", host, got, local)
		}
	}
}
