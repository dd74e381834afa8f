package web

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestForm(t *testing.T) {
	f := NewForm(url.Values{"name": {"  Ada \n"}, "suggest.url.1": {"https://x.example/"}, "url.1": {"http://x.example/"}, "add": {"url"}})
	if got := f.Get("name"); got != "Ada" {
		t.Errorf("name %q", got)
	}
	if !f.Pressed("add") || f.Pressed("remove") {
		t.Error("which button was pressed is not told")
	}
	if !f.TakeSuggestion() || f.Get("url.1") != "https://x.example/" || f.TakeSuggestion() {
		t.Errorf("the suggestion was not taken, once: %v", f.Values)
	}
	if !f.OK() {
		t.Error("nothing is wrong yet")
	}
	f.Fail("name", "first")
	f.Fail("name", "second")
	if e, ok := f.Err("name"); !ok || e.Message != "first" || f.OK() {
		t.Errorf("error of name: %+v", e)
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct {
		values url.Values
		want   []string
	}{
		{nil, []string{""}},
		{url.Values{"url.0": {" a "}, "url.2": {"c"}, "url_note.9": {"n"}, "url": {"x"}, "url.x": {"y"}}, []string{"a", "", "c"}},
	} {
		if diff := cmp.Diff(c.want, NewForm(c.values).Column("url")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.values, diff)
		}
	}
	f := NewForm(url.Values{"url.0": {"a"}, "url.2000000000": {"far"}, "url.-1": {"b"}})
	if got := f.Rows("url"); got != 1 {
		t.Errorf("a number made up by a stranger makes %d rows", got)
	}
	for range 2 * maxRows {
		f.AddRow("url")
	}
	if got := f.Rows("url"); got != maxRows {
		t.Errorf("%d rows, want at most %d", got, maxRows)
	}
}

func TestFile(t *testing.T) {
	kept := func(data, name string) url.Values { return url.Values{"logo.kept": {data}, "logo.kept_name": {name}} }
	for _, c := range []struct {
		name   string
		fields url.Values
		upload string
		want   File
		ok     bool
		err    error
	}{
		{"none", nil, "", File{}, false, nil},
		{"chosen", nil, "png", File{"logo.png", []byte("png")}, true, nil},
		{"kept", kept("YWJj", "a.png"), "", File{"a.png", []byte("abc")}, true, nil},
		{"chosen wins over kept", kept("YWJj", "a.png"), "png", File{"logo.png", []byte("png")}, true, nil},
		{"chosen too large", nil, strings.Repeat("a", 11), File{}, false, ErrFileTooLarge},
		{"chosen just fits", nil, strings.Repeat("a", 10), File{"logo.png", []byte(strings.Repeat("a", 10))}, true, nil},
		{"kept too large", kept(strings.Repeat("YWJj", 4), "a"), "", File{}, false, ErrFileTooLarge},
		{"kept made up", kept("!!", "a"), "", File{}, false, nil},
		{"name with folders", kept("YWJj", `C:\pics\..\a"\x00.png`), "", File{`x00.png`, []byte("abc")}, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			fields := map[string]string{}
			for name := range c.fields {
				fields[name] = c.fields.Get(name)
			}
			files := map[string]string{}
			if c.upload != "" {
				files["logo"] = c.upload
			}
			body, kind := multipartBody(t, fields, files)
			r := httptest.NewRequest("POST", "/", body)
			r.Header.Set("Content-Type", kind)
			form, err := ParseForm(r)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := form.File(r, "logo", 10)
			if ok != c.ok || !errors.Is(err, c.err) {
				t.Errorf("ok %v, error %v; want %v, %v", ok, err, c.ok, c.err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			if _, kept := form.Files["logo"]; kept != c.ok {
				t.Errorf("remembered for the next showing: %v", kept)
			}
		})
	}
}

func TestPlainName(t *testing.T) {
	for in, want := range map[string]string{
		"logo.png": "logo.png", "../../etc/passwd": "passwd", `C:\x\y.png`: "y.png", "a\x00\nb": "ab", "": "file", "..": "..", "/": "file",
		strings.Repeat("é", 90): strings.Repeat("é", 80),
	} {
		if got := plainName(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
