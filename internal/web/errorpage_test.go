package web

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func multipartBody(t *testing.T, fields, files map[string]string) (*bytes.Buffer, string) {
	t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := m.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		part, err := m.CreateFormFile(name, name+".png")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return &body, m.FormDataContentType()
}

var (
	inputs    = regexp.MustCompile(`<input type="(text|hidden|password)"[^>]*name="([^"]*)"(?: value="([^"]*)")?`)
	textareas = regexp.MustCompile(`(?s)<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>`)
)

// sentAgain is what "Try again" would post.
func sentAgain(page string) url.Values {
	again := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		again.Add(html.UnescapeString(m[2]), html.UnescapeString(m[3]))
	}
	for _, m := range textareas.FindAllStringSubmatch(page, -1) {
		again.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return again
}

func failing(k *Kit) http.Handler {
	return k.Browser(func(http.ResponseWriter, *http.Request) error { return errors.New("down") }, MaxBody(UploadBody))
}

func TestFailureGivesBackWhatWasTyped(t *testing.T) {
	k := testKit(t, Options{})
	k.Labels("/", Label{Name: "name", Text: "Security Profile Name"}, Label{Name: "return_url", Text: "Allowed Return URL"}, Label{Name: "version"}, Label{Name: "app_secret"},
		Label{Name: "kind", Text: "Kind of application", Chosen: true})
	typed := url.Values{
		"name": {`"><script>alert(1)</script>`}, "return_url.0": {"https://a.example/"}, "return_url.10": {"https://k.example/"},
		"return_url.2": {"https://c.example/"}, "about": {"one\ntwo"}, "version": {"7"}, "scope": {"a", "b"}, "kind": {"single-page"},
		"password": {"hunter2"}, "new_Password": {"hunter3"}, "client_secret": {"hunter4"}, "app_secret": {"hunter5"},
	}
	w := serve(failing(k), post("/console/profiles/1?x=1", typed))
	page := w.Body.String()

	want := url.Values{}
	for name, values := range typed {
		want[name] = values
		if isSecretName(name) {
			want[name] = []string{""}
		}
	}
	if diff := cmp.Diff(want, sentAgain(page)); w.Code != 500 || diff != "" {
		t.Errorf("status %d; what Try again posts (-want +got):\n%s", w.Code, diff)
	}
	for _, never := range []string{"<script>alert", "hunter"} {
		if strings.Contains(page, never) {
			t.Errorf("page holds %q", never)
		}
	}
	if !strings.Contains(page, `<form method="post" class="form">`) {
		t.Error("the form names an address of its own")
	}
	if !strings.Contains(page, `<span class="label">Kind of application</span><input type="hidden" name="kind" value="single-page"><p>single-page</p>`) {
		t.Error("what was chosen is to be seen and not to be typed")
	}
	labels := regexp.MustCompile(`<label for="p\d+">([^<]*)</label>`).FindAllStringSubmatch(page, -1)
	var got []string
	for _, l := range labels {
		got = append(got, l[1])
	}
	wantLabels := []string{
		"Security Profile Name", "Allowed Return URL 1", "Allowed Return URL 3", "Allowed Return URL 11", "App secret",
		"About", "Client secret", "New Password", "Password", "Scope 1", "Scope 2",
	}
	if diff := cmp.Diff(wantLabels, got); diff != "" {
		t.Errorf("labels in their order (-want +got):\n%s", diff)
	}
}

// TestUnavailable: what will be over soon is 503 and says when to come back; what was
// typed is there all the same. Anything else stays 500.
func TestUnavailable(t *testing.T) {
	passing, broken := errors.New("starting up"), errors.New("no such table")
	k := testKit(t, Options{Unavailable: func(err error) bool { return errors.Is(err, passing) }})
	answer := func(err error) Handler {
		return func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("save: %w", err) }
	}
	for _, tc := range []struct {
		err    error
		page   string
		json   string
		status int
		after  string
	}{
		{passing, "We cannot answer at the moment!", `"error":"temporarily_unavailable","error_description":"The service is temporarily unavailable"`, 503, "1"},
		{broken, "Internal Server error!", `"error":"server_error"`, 500, ""},
	} {
		for name, w := range map[string]*httptest.ResponseRecorder{
			tc.page: serve(k.Browser(answer(tc.err)), post("/console", url.Values{"name": {"kept words"}})),
			tc.json: serve(k.API(answer(tc.err)), httptest.NewRequest("GET", "/facts", nil)),
		} {
			if w.Code != tc.status || w.Header().Get("Retry-After") != tc.after || !strings.Contains(w.Body.String(), name) {
				t.Errorf("%v: %d, Retry-After %q, want %d and %q, with %q:\n%s", tc.err, w.Code, w.Header().Get("Retry-After"), tc.status, tc.after, name, w.Body)
			}
			if name == tc.page && !strings.Contains(w.Body.String(), "kept words") {
				t.Errorf("%v: what was typed is lost", tc.err)
			}
		}
	}
}

func TestFailureKeepsFiles(t *testing.T) {
	k := testKit(t, Options{})
	body, kind := multipartBody(t, map[string]string{"name": "Downloader"}, map[string]string{"logo": "\x89PNG\x00\xff"})
	r := httptest.NewRequest("POST", "/", body)
	r.Header.Set("Content-Type", kind)
	page := serve(failing(k), r).Body.String()
	if !strings.Contains(page, `enctype="multipart/form-data"`) || !strings.Contains(page, "logo.png") {
		t.Errorf("page: %s", page)
	}
	// Failing once more must not lose it either, and the form that works finds it.
	for range 2 {
		page = serve(failing(k), post("/", sentAgain(page))).Body.String()
	}
	again := post("/", sentAgain(page))
	form, err := ParseForm(again)
	if err != nil {
		t.Fatal(err)
	}
	file, ok, err := form.File(again, "logo", 1<<20)
	if err != nil || !ok || string(file.Data) != "\x89PNG\x00\xff" || file.Name != "logo.png" || form.Get("name") != "Downloader" {
		t.Errorf("after sending again: %+v, %v, %v", file, ok, err)
	}
	body, kind = multipartBody(t, nil, map[string]string{"logo": strings.Repeat("a", keepLimit+1)})
	r = httptest.NewRequest("POST", "/", body)
	r.Header.Set("Content-Type", kind)
	if page := serve(failing(k), r).Body.String(); !strings.Contains(page, "Choose it again") || strings.Contains(page, "aaaaaaaaaa") {
		t.Error("a file too large to be kept is not said to be lost")
	}
}

// TestFailureAfterParsing is the usual case: the handler has read the form.
func TestFailureAfterParsing(t *testing.T) {
	k := testKit(t, Options{})
	h := k.Browser(func(w http.ResponseWriter, r *http.Request) error {
		if _, err := ParseForm(r); err != nil {
			return err
		}
		return errors.New("down")
	})
	if page := serve(h, post("/", url.Values{"name": {"kept words"}})).Body.String(); !strings.Contains(page, "kept words") {
		t.Errorf("page: %s", page)
	}
}

func TestLabelOrder(t *testing.T) {
	k := testKit(t, Options{})
	k.Labels("/", Label{Name: "b", Text: "B"}, Label{Name: "row", Text: "Row"}, Label{Name: "row.0", Text: "First row"})
	got := k.labelsFor("/").order([]string{"zz", "row.1", "a", "row.0", "b"})
	if want := []string{"b", "row.1", "row.0", "a", "zz"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	if text, _ := k.labelsFor("/").label("row.0"); text != "First row" {
		t.Errorf("label of row.0: %q", text)
	}
}

// FuzzLocalURL: the link that tries again never leaves this origin.
func FuzzLocalURL(f *testing.F) {
	for _, s := range []string{"/a?b=c", "//evil.example/", `/\evil.example`, "/%2f%2fevil.example", "https://evil.example/x", "*", "/\t/evil.example", "/?#%"} {
		f.Add(s)
	}
	base, err := url.Parse("https://own.example/")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Skip()
		}
		// Browsers drop tabs and line ends, and read a backslash as a slash.
		link := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(localURL(u))
		ref, err := url.Parse(link)
		if err != nil {
			t.Fatalf("%q became %q, which is no URL: %v", target, link, err)
		}
		if got := base.ResolveReference(ref); got.Host != base.Host || got.Scheme != base.Scheme {
			t.Errorf("%q became %q, which leads to %s", target, link, got.Host)
		}
	})
}

// A field of one name has another label on another surface.
func TestLabelsOfTheLongestPath(t *testing.T) {
	k := testKit(t, Options{})
	k.Labels("/", Label{Name: "name", Text: "Name"})
	k.Labels("/console", Label{Name: "name", Text: "Security Profile Name"})
	for path, want := range map[string]string{"/account": "Name", "/console/profiles/new": "Security Profile Name"} {
		if got, _ := k.labelsFor(path).label("name"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// TestFailureShowsWhereToLook: nobody knows whether what was posted was done, so there is
// a link to the page that the form was on. It never leads anywhere else.
func TestFailureShowsWhereToLook(t *testing.T) {
	k := testKit(t, Options{})
	for referer, want := range map[string]string{
		"http://example.com/console/profiles/1?tab=2": `href="/console/profiles/1?tab=2" target="_blank"`,
		"https://evil.example/console":                "",
		"http://example.com//evil.example":            `href="/" target="_blank"`,
		"/console":                                    "",
		"":                                            "",
	} {
		r := post("/console/profiles/1/secrets", url.Values{"name": {"kept words"}})
		r.Header.Set("Referer", referer)
		page := serve(failing(k), r).Body.String()
		if want != "" && !strings.Contains(page, want) || strings.Contains(page, "_blank") != (want != "") || strings.Contains(page, "evil") {
			t.Errorf("%q: %s", referer, page)
		}
		if !strings.Contains(page, "Whether your change was made is not known") || !strings.Contains(page, "before you send it once more") {
			t.Errorf("%q: the page does not say what is not known", referer)
		}
	}
}
