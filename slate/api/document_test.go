package api_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatelodge/slate/api"
)

// apiDocument is openapi.json, as what every answer is held to.
type apiDocument struct {
	root    map[string]any
	schemas map[string]*jsonschema.Schema // of bodies, by pointer
	// paths are the templates of paths, those with fewer variables first.
	paths []string
}

const documentURL = "https://slate.example/apis/v1/openapi.json"

func readDocument(t testing.TB) *apiDocument {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(documentURL, root); err != nil {
		t.Fatal(err)
	}
	d := &apiDocument{root: root.(map[string]any), schemas: map[string]*jsonschema.Schema{}}
	for name := range d.at("components", "schemas") {
		pointer := "#/components/schemas/" + name
		if d.schemas[pointer], err = c.Compile(documentURL + pointer); err != nil {
			t.Fatal(err)
		}
	}
	d.paths = slices.SortedFunc(maps.Keys(d.at("paths")), func(a, b string) int { return strings.Count(a, "{") - strings.Count(b, "{") })
	return d
}

// at goes down the document and follows references.
func (d *apiDocument) at(steps ...string) map[string]any { return d.down(d.root, steps...) }

func (d *apiDocument) down(from map[string]any, steps ...string) map[string]any {
	for _, step := range steps {
		next, ok := from[step].(map[string]any)
		if !ok {
			return nil
		}
		if ref, ok := next["$ref"].(string); ok {
			next = d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		from = next
	}
	return from
}

// template is the path of the document that a path belongs to, "" for none.
func (d *apiDocument) template(path string) string {
	path, ok := strings.CutPrefix(path, api.Base)
	if !ok {
		return ""
	}
	parts := strings.Split(path, "/")
	i := slices.IndexFunc(d.paths, func(template string) bool {
		steps := strings.Split(template, "/")
		return len(steps) == len(parts) && !slices.ContainsFunc(steps, func(step string) bool {
			part := parts[slices.Index(steps, step)]
			return step != part && (!strings.HasPrefix(step, "{") || part == "")
		})
	})
	if i < 0 {
		return ""
	}
	return d.paths[i]
}

// hold fails the test when an answer is not as the document says.
func (d *apiDocument) hold(t testing.TB, r *http.Request, got *httptest.ResponseRecorder) {
	t.Helper()
	if !strings.HasPrefix(r.URL.Path, api.Base) || strings.HasSuffix(r.URL.Path, "/openapi.json") || got.Code == http.StatusTemporaryRedirect {
		return
	}
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %q answers %d: "+format, append([]any{r.Method, r.URL.RequestURI(), got.Code}, args...)...)
	}
	if r.Method == http.MethodOptions && got.Code == http.StatusNoContent {
		if got.Header().Get("Allow") == "" || got.Body.Len() > 0 {
			bad("%v %s", got.Header(), got.Body)
		}
		return
	}
	response := d.at("components", "responses", "NotFound")
	if template := d.template(r.URL.EscapedPath()); template != "" {
		response = d.down(d.at("paths", template, "get", "responses"), fmtStatus(got.Code))
	} else if got.Code != http.StatusNotFound {
		bad("there is no such path in the document")
	}
	if response == nil {
		bad("the document does not say so: %s", got.Body)
		return
	}
	headers, _ := response["headers"].(map[string]any)
	for name, header := range headers {
		if header.(map[string]any)["required"] == true && got.Header().Get(name) == "" {
			bad("without the header %s", name)
		}
	}
	schema := d.down(response, "content", "application/json")
	switch {
	case schema == nil:
		if got.Body.Len() > 0 {
			bad("with a body: %s", got.Body)
		}
		return
	case !strings.HasPrefix(got.Header().Get("Content-Type"), "application/json"):
		bad("%s", got.Header().Get("Content-Type"))
	case r.Method == http.MethodHead:
		if got.Body.Len() > 0 {
			bad("HEAD with a body")
		}
		return
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.Body.Bytes()))
	if err != nil {
		bad("%v: %s", err, got.Body)
		return
	}
	ref := schema["schema"].(map[string]any)["$ref"].(string)
	if err := d.schemas[ref].Validate(body); err != nil {
		bad("%v\n%s", err, got.Body)
	}
}
