package api

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"gatelodge/internal/web"
)

//go:embed openapi.json
var document []byte

//go:embed docs.html
var pageFiles embed.FS

// docs tell what the API answers: to programs as an OpenAPI document, to people as a
// page made from it.
type docs struct {
	pages    *web.Pages
	page     docsPage
	document []byte
	bar      func(http.ResponseWriter, *http.Request) (any, error)
}

func newDocs(o Options) (*docs, error) {
	var d openAPI
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("api: openapi.json: %w", err)
	}
	pages, err := o.Kit.Pages(pageFiles)
	if err != nil {
		return nil, err
	}
	if err := pages.Need("docs"); err != nil {
		return nil, err
	}
	// Some clients cannot go by a server's path alone.
	here := bytes.Replace(document, []byte(`"url": "`+Base+`"`), []byte(`"url": "`+o.URL+Base+`"`), 1)
	return &docs{pages, d.page(o.URL + Base), here, o.Bar}, nil
}

func (d *docs) serveDocument(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, no-cache")
	return sendCurrent(w, r, d.document)
}

func (d *docs) servePage(w http.ResponseWriter, r *http.Request) error {
	page := web.Page{Title: d.page.Title, Data: d.page}
	if d.bar != nil {
		var err error
		if page.Bar, err = d.bar(w, r); err != nil {
			return err
		}
	}
	return d.pages.Render(w, r, http.StatusOK, "docs", page)
}

// openAPI is what the page shows of the document.
type openAPI struct {
	Info struct{ Title, Description string }
	Tags []struct{ Name, Description string }
	// Paths by method.
	Paths      map[string]map[string]operation
	Components struct {
		Parameters map[string]parameter
		Schemas    map[string]schema
		Responses  map[string]struct{ Description string }
	}
}

type operation struct {
	OperationID          string
	Summary, Description string
	Tags                 []string
	Parameters           []reference
	Responses            map[string]struct {
		reference
		Content map[string]struct {
			Schema  reference
			Example json.RawMessage
		}
	}
}

type reference struct {
	Ref string `json:"$ref"`
}

// name is the last part of what is referred to.
func (r reference) name() string { return r.Ref[strings.LastIndexByte(r.Ref, '/')+1:] }

type parameter struct {
	Name, In, Description string
	Example               any
}

type schema struct {
	Description string
	Properties  map[string]struct {
		Description string
		Items       reference
	}
	Required []string
}

// docsPage is what the template shows.
type docsPage struct {
	Title, Description string
	Base, Document     string
	Sections           []docsSection
	Refusals           []docsRefusal
	Error              []docsField
}

type docsSection struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	ID, Summary, Description string
	Path, Command, Example   string
	Parameters               []parameter
	Fields                   []docsField
}

type docsField struct {
	Name, Description string
	Optional          bool
}

type docsRefusal struct{ Status, Description string }

func (d openAPI) page(base string) docsPage {
	p := docsPage{Title: d.Info.Title, Description: d.Info.Description, Base: base, Document: Base + "/openapi.json", Error: d.fields("Error")}
	paths := slices.Collect(maps.Keys(d.Paths))
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	for _, tag := range d.Tags {
		section := docsSection{Name: tag.Name, Description: tag.Description}
		for _, path := range paths {
			if o := d.Paths[path]["get"]; slices.Contains(o.Tags, tag.Name) {
				section.Operations = append(section.Operations, d.operation(base, path, o))
			}
		}
		p.Sections = append(p.Sections, section)
	}
	seen := map[string]string{}
	for _, methods := range d.Paths {
		for status, r := range methods["get"].Responses {
			if r.Ref != "" {
				seen[status] = d.Components.Responses[r.name()].Description
			}
		}
	}
	for _, status := range slices.Sorted(maps.Keys(seen)) {
		p.Refusals = append(p.Refusals, docsRefusal{status, seen[status]})
	}
	return p
}

func (d openAPI) operation(base, path string, o operation) docsOperation {
	shown := docsOperation{ID: o.OperationID, Summary: o.Summary, Description: o.Description, Path: Base + path}
	example := path
	for _, r := range o.Parameters {
		p := d.Components.Parameters[r.name()]
		shown.Parameters = append(shown.Parameters, p)
		example = strings.ReplaceAll(example, "{"+p.Name+"}", fmt.Sprint(p.Example))
	}
	shown.Command = `curl --header "Authorization: Bearer $ACCESS_TOKEN" "` + base + example + `?limit=50"`
	content := o.Responses["200"].Content["application/json"]
	item := d.Components.Schemas[content.Schema.name()].Properties["data"].Items
	shown.Fields = d.fields(item.name())
	var pretty bytes.Buffer
	if json.Indent(&pretty, content.Example, "", "  ") == nil {
		shown.Example = pretty.String()
	}
	return shown
}

// fields are those of a schema, the required ones first.
func (d openAPI) fields(name string) []docsField {
	s := d.Components.Schemas[name]
	var all []docsField
	for _, field := range s.Required {
		all = append(all, docsField{field, s.Properties[field].Description, false})
	}
	for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
		if !slices.Contains(s.Required, field) {
			all = append(all, docsField{field, s.Properties[field].Description, true})
		}
	}
	return all
}
