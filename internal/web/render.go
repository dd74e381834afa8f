package web

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed all:templates
var templateFS embed.FS

// Page is what the layout needs around a surface's content. Inside the
// surface's template "content" the dot is Data.
type Page struct {
	Title   string // of the browser's tab; the product's name is added
	Active  string // the current part: "console", "operator", "account" or "help"
	Account *AccountBadge
	Flash   *Flash
	// Narrow is the one-column layout of sign-in, consent and errors.
	Narrow bool
	// Bar is for the "bar" of Options.Frame.
	Bar  any
	Data any
}

// AccountBadge is who is signed in, as the header shows it.
type AccountBadge struct {
	Name, Email string
	// Operator leads to the operator's pages.
	Operator bool
}

// Kind is the tone of a notice. Each has its own icon and word as well, so
// that colour never says something alone.
type Kind string

// The kinds of notice.
const (
	Info    Kind = "info"
	Success Kind = "success"
	Warning Kind = "warning"
	Danger  Kind = "danger"
)

// Flash is a notice on top of a page about what was just done.
type Flash struct {
	Kind   Kind
	Title  string
	Detail string
	Links  []Link
}

// parsed gives templates that are parsed when they are first asked for: most of what a
// start would take goes into pages that nobody may want for hours.
type parsed func() (*template.Template, error)

// templates are the layout and the components, which every surface's pages are
// parsed on top of.
type templates struct{ layout, components parsed }

// Pages are the pages of one surface.
type Pages struct {
	kit   *Kit
	pages map[string]parsed
}

func (k *Kit) newBase(frame fs.FS) *templates {
	t := &templates{}
	t.components = sync.OnceValues(func() (*template.Template, error) {
		return template.New("components").Funcs(k.funcs(t)).ParseFS(templateFS, "templates/components/*.html")
	})
	t.layout = sync.OnceValues(func() (*template.Template, error) {
		layout, err := template.New("layout").Funcs(k.funcs(t)).ParseFS(templateFS, "templates/layout.html")
		if err == nil && frame != nil {
			layout, err = layout.ParseFS(frame, "*.html")
		}
		return layout, err
	})
	return t
}

// Pages finds a surface's templates. Every *.html file at the top of fsys is a page
// called by its name without ".html" and defines "content"; files whose names begin
// with "_" hold pieces that all pages of the surface may call. Each page is parsed when
// it is first rendered; a test of the surface calls [Pages.Check].
func (k *Kit) Pages(fsys fs.FS, funcs ...template.FuncMap) (*Pages, error) {
	files, err := fs.Glob(fsys, "*.html")
	if err != nil {
		return nil, err
	}
	shared := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !strings.HasPrefix(f, "_") })
	p := &Pages{kit: k, pages: map[string]parsed{}}
	for _, file := range files {
		if !strings.HasPrefix(file, "_") {
			p.pages[strings.TrimSuffix(path.Base(file), ".html")] = sync.OnceValues(func() (*template.Template, error) {
				return k.parsePage(fsys, append(slices.Clone(shared), file), funcs)
			})
		}
	}
	return p, nil
}

// parsePage parses a page's own file, the last one, with the pieces that it may call.
func (k *Kit) parsePage(fsys fs.FS, files []string, funcs []template.FuncMap) (*template.Template, error) {
	layout, err := k.base.layout()
	if err != nil {
		return nil, err
	}
	t, err := layout.Clone()
	if err != nil {
		return nil, err
	}
	for _, f := range funcs {
		t.Funcs(f)
	}
	if t, err = t.ParseFS(fsys, files...); err != nil {
		return nil, err
	}
	if t.Lookup("content") == nil {
		return nil, fmt.Errorf("%s does not define \"content\"", files[len(files)-1])
	}
	return t, nil
}

// Check parses all pages and tells what is wrong with them: a reference to a template,
// function, component option or icon that does not exist, or a context that cannot be
// escaped. They are part of the program, so it is for tests.
func (p *Pages) Check() error {
	components, err := p.kit.base.components()
	if err != nil {
		return err
	}
	if err := checkTemplates(components); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(p.pages)) {
		t, err := p.pages[name]()
		if err == nil {
			err = checkTemplates(t)
		}
		if err != nil {
			return fmt.Errorf("page %s: %w", name, err)
		}
	}
	return nil
}

func (k *Kit) ownPages(folder string) (*Pages, error) {
	sub, err := fs.Sub(templateFS, "templates/"+folder)
	if err != nil {
		return nil, err
	}
	return k.Pages(sub)
}

// Need reports pages that are not there; a surface calls it when it is built
// with the names that its handlers render.
func (p *Pages) Need(names ...string) error {
	for _, name := range names {
		if p.pages[name] == nil {
			return fmt.Errorf("web: no page %q among %q", name, slices.Sorted(maps.Keys(p.pages)))
		}
	}
	return nil
}

// view is the layout's dot.
type view struct {
	Page
	Product, Contact string
	RequestID        string
}

// Render writes a page. It renders into memory first, so a template that fails
// halfway becomes the error page and not half a page.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, name string, page Page) error {
	if err := p.Need(name); err != nil {
		return err
	}
	t, err := p.pages[name]()
	if err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	var buf bytes.Buffer
	v := view{Page: page, Product: p.kit.product, Contact: p.kit.contact, RequestID: RequestID(r.Context())}
	if err := t.ExecuteTemplate(&buf, "layout", v); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := buf.WriteTo(w); err != nil {
		return fmt.Errorf("send %s: %w", name, err)
	}
	return nil
}

// checkTemplates finds what html/template would only find when the page is first
// asked for: missing templates and contexts that cannot be
// escaped, and (checkCalls) misspelt options of our own components.
func checkTemplates(t *template.Template) error {
	for _, each := range t.Templates() {
		if each.Tree == nil {
			continue
		}
		if err := checkCalls(each.Tree.Root); err != nil {
			return fmt.Errorf("%s: %w", each.Name(), err)
		}
	}
	// Escaping happens on the first execution. Whatever else goes wrong with
	// no data at all does not matter.
	name := t.Name()
	if t.Lookup("layout") != nil {
		name = "layout"
	}
	err := t.ExecuteTemplate(io.Discard, name, nil)
	if _, ok := errors.AsType[*template.Error](err); ok {
		return err
	}
	return nil
}
