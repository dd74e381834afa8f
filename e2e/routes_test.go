package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notPages are routes for GET that are no pages.
var notPages = map[string]string{
	"GET /logos/{file}": "a picture",
	"GET /favicon.ico":  "a picture",
}

// pageRoutes reads from the source which patterns the surfaces and the site serve
// for GET: no list that somebody has to keep.
func pageRoutes(t *testing.T) []string {
	t.Helper()
	source := readSource(t, "console", "signin", "provider", "web", "session", "registry", "region")
	var patterns []string
	for _, file := range []string{"console/routes.go", "signin/routes.go", "provider/routes.go", "web/site.go"} {
		before := len(patterns)
		pkg, _, _ := strings.Cut(file, "/")
		ast.Inspect(source.files[file], func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			if s, ok := source.text(pkg, e); ok {
				if strings.HasPrefix(s, "GET /") {
					patterns = append(patterns, s)
				}
				return false // its parts are not patterns
			}
			return true
		})
		if len(patterns) == before {
			t.Fatalf("no route for GET was found in %s", file)
		}
	}
	for p := range notPages {
		if !slices.Contains(patterns, p) {
			t.Errorf("%s is not a route any more", p)
		}
	}
	slices.Sort(patterns)
	return slices.Compact(slices.DeleteFunc(patterns, func(p string) bool { return notPages[p] != "" }))
}

// source is some packages of the program, with the constants by which routes are named.
type source struct {
	files     map[string]*ast.File
	constants map[string]map[string]ast.Expr
}

func readSource(t *testing.T, packages ...string) source {
	t.Helper()
	s := source{map[string]*ast.File{}, map[string]map[string]ast.Expr{}}
	for _, pkg := range packages {
		s.constants[pkg] = map[string]ast.Expr{}
		paths, err := filepath.Glob(filepath.Join("..", "internal", pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			s.files[pkg+"/"+filepath.Base(path)] = file
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
					for i, name := range spec.Names {
						s.constants[pkg][name.Name] = spec.Values[i]
					}
				}
				return true
			})
		}
	}
	return s
}

// text evaluates an expression of strings.
func (s source) text(pkg string, e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		v, err := strconv.Unquote(e.Value)
		return v, err == nil
	case *ast.Ident:
		value, ok := s.constants[pkg][e.Name]
		if !ok {
			return "", false
		}
		return s.text(pkg, value)
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok && s.constants[x.Name] != nil {
			return s.text(x.Name, e.Sel)
		}
	case *ast.BinaryExpr:
		x, okX := s.text(pkg, e.X)
		y, okY := s.text(pkg, e.Y)
		return x + y, e.Op == token.ADD && okX && okY
	}
	return "", false
}

// routeMux tells which of the patterns an address belongs to.
func routeMux(patterns []string) *http.ServeMux {
	mux := http.NewServeMux()
	for _, p := range patterns {
		mux.Handle(p, http.NotFoundHandler())
	}
	return mux
}
