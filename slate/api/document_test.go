package api_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatelodge/internal/sim"
	"gatelodge/slate/api"
	"gatelodge/slate/store"
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

// TestDocument makes every answer that the document has for every path; each is held
// to it.
func TestDocument(t *testing.T) {
	w := newWorld(t, options{})
	d := readDocument(t)
	app := w.NewApplication()
	c := w.authorize(app, "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	c.account("Beta Films", viewer, false)
	w.publish(alpha.ID, store.GroupChannels, "Sample", "Subscription Weekly", monday(0), 5)
	w.publish(alpha.ID, store.GroupStatements, "US-7", "Royalty Weekly", monday(0), 3)
	stranger := w.authorize(app, "Bob")
	busy := w.authorize(app, "Carol")
	filled := func(template string) string {
		group := "channels"
		if strings.Contains(template, store.GroupStatements) {
			group = store.GroupStatements
		}
		channel := c.list("/accounts/1001/" + group).ids()[0]
		kind := c.list("/accounts/1001/" + group + "/" + channel + "/reportTypes").ids()[0]
		return strings.NewReplacer("{account}", "1001", "{group}", group, "{channel}", channel, "{reportIdentifier}", "US-7", "{type}", kind).Replace(template)
	}
	for _, template := range d.paths {
		path := filled(template)
		made := map[string]func() sim.Answer{
			"200": func() sim.Answer { return c.get(path) },
			"304": func() sim.Answer { return c.get(path, "If-None-Match", "*") },
			"400": func() sim.Answer { return c.get(path + "?limit=x") },
			"401": func() sim.Answer { return w.send(http.MethodGet, slateURL+api.Base+path) },
			"403": func() sim.Answer {
				if template == "/accounts" {
					return stranger.get(path)
				}
				return c.get(strings.Replace(path, "1001", "1002", 1))
			},
			"404": func() sim.Answer { return c.get(strings.Replace(path, "1001", "77", 1)) },
			"405": func() sim.Answer { return c.ask(http.MethodDelete, path) },
			"429": func() (got sim.Answer) {
				for range 1000 { // some come back while it is used up
					if got = busy.get(path); got.Status == http.StatusTooManyRequests {
						break
					}
				}
				return got
			},
			"500": func() sim.Answer {
				w.change("ALTER TABLE members RENAME TO lost")
				defer w.change("ALTER TABLE lost RENAME TO members")
				return c.get(path)
			},
			"503": func() sim.Answer {
				down := *c
				down.token = "Atza|unknown"
				w.cut.Store(true)
				defer w.cut.Store(false)
				return down.get(path)
			},
		}
		for status := range d.at("paths", template, "get", "responses") {
			if made[status] == nil {
				t.Errorf("%s: nothing here makes a %s", template, status)
			} else if got := made[status](); fmtStatus(got.Status) != status {
				t.Errorf("%s: %v, want %s", path, got, status)
			}
		}
		if got := c.ask(http.MethodOptions, path); got.Status != http.StatusNoContent || got.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("OPTIONS %s: %v", path, got)
		}
		if got := c.get(path + "/?limit=2"); got.Status != http.StatusTemporaryRedirect || got.Header.Get("Location") != api.Base+path+"?limit=2" {
			t.Errorf("%s/: %v", path, got)
		}
	}
	for _, path := range []string{"", "/", "/account", "/accounts/1001/channels/x", "/accounts/1001/channels/x/reports", "/accounts/1001//reportTypes/x/reports/y"} {
		if got := c.get(path); got.Status != http.StatusNotFound && got.Status != http.StatusTemporaryRedirect {
			t.Errorf("%s: %v", path, got)
		}
	}
	// A page of any origin may call with its user's token.
	asked := w.send(http.MethodOptions, slateURL+api.Base+"/accounts", "Origin", "https://app.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	if asked.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(asked.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %v", asked.Header)
	}
	if got := c.get("/accounts", "Origin", "https://app.example"); got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("another origin: %v", got.Header)
	}
	served := w.send(http.MethodGet, slateURL+api.Base+"/openapi.json")
	if !strings.Contains(served.Body, `"url": "`+slateURL+api.Base+`"`) {
		t.Error("the document does not say where the server is")
	}
	if served.Status != http.StatusOK || served.Header.Get("Content-Type") != "application/json" || !json.Valid([]byte(served.Body)) {
		t.Errorf("the document: %v", served)
	}
	shown := w.send(http.MethodGet, slateURL+"/apis")
	for _, template := range d.paths {
		if !strings.Contains(shown.Body, "GET "+api.Base+template) {
			t.Errorf("the page does not show %s", template)
		}
	}
	for _, words := range []string{"modifiedDateGte", "curl", "statusDescription", "429"} {
		if !strings.Contains(shown.Body, words) {
			t.Errorf("the page does not say %s", words)
		}
	}
}
