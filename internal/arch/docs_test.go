package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// heldBy is the header of the column in which tests are named.
const heldBy = "held by"

// testName is a test in the text of a document: `package.TestName/subtest`.
var testName = regexp.MustCompile("`([a-z0-9]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)(?:/([^`]+))?`")

// TestNamedTestsExist holds the tables of conformance and threats to the source:
// every row names tests that exist, or says why it has none.
func TestNamedTestsExist(t *testing.T) {
	tests := testsOf(t, "../..")
	for _, doc := range []string{"conformance.md", "threat-model.md"} {
		rows := rowsOf(t, "../../docs/"+doc)
		if len(rows) < 50 {
			t.Errorf("%s: only %d rows", doc, len(rows))
		}
		for _, row := range rows {
			if problem := checkRow(row, tests); problem != "" {
				t.Errorf("%s: %q: %s", doc, row.id, problem)
			}
		}
	}
}

// TestCheckRow: the check of the documents can fail.
func TestCheckRow(t *testing.T) {
	tests := map[string][]string{"provider.TestA": {"one", "two"}}
	for text, want := range map[string]bool{
		"`provider.TestA`":                      true,
		"`provider.TestA/one` `provider.TestA`": true,
		"n/a: there is no such thing here":      true,
		"differs: on purpose: `provider.TestA`": true,
		"":                                      false,
		"yes":                                   false,
		"n/a":                                   false,
		"n/a: no":                               false,
		"differs: on purpose":                   false,
		"`provider.TestB`":                      false,
		"`other.TestA`":                         false,
		"`provider.TestA/three`":                false,
		"n/a: see `provider.TestB` for this":    false,
	} {
		if problem := checkRow(row{id: "x", heldBy: text}, tests); (problem == "") != want {
			t.Errorf("%q: %q", text, problem)
		}
	}
}

type row struct{ id, heldBy string }

func checkRow(r row, tests map[string][]string) (problem string) {
	named := testName.FindAllStringSubmatch(r.heldBy, -1)
	if reason, ok := strings.CutPrefix(r.heldBy, "n/a:"); ok {
		if len(strings.TrimSpace(reason)) < 10 {
			return "no reason is given"
		}
	} else if len(named) == 0 {
		return "no test is named"
	}
	for _, m := range named {
		name, subtest := m[1]+"."+m[2], m[3]
		literals, ok := tests[name]
		switch {
		case !ok:
			return "there is no " + name
		case subtest != "" && !slices.ContainsFunc(literals, func(s string) bool { return s == subtest }):
			return fmt.Sprintf("%s has no subtest %q", name, subtest)
		}
	}
	return ""
}

// rowsOf gives the rows of a document's tables that end in a column "held by".
func rowsOf(t *testing.T, path string) []row {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	inTable := false
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch last := cells[len(cells)-1]; {
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case last == heldBy:
			inTable = true
		case inTable && strings.Trim(last, "-:") != "":
			rows = append(rows, row{cells[0] + " " + cells[1], last})
		}
	}
	return rows
}

// testsOf gives every test of the module, by package and name, with the texts that
// stand in it: the names of its subtests are among them.
func testsOf(t *testing.T, root string) map[string][]string {
	t.Helper()
	tests := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") && !strings.HasPrefix(fn.Name.Name, "Fuzz") {
				continue
			}
			literals := []string{}
			ast.Inspect(fn, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil {
						literals = append(literals, s)
					}
				}
				return true
			})
			tests[strings.TrimSuffix(file.Name.Name, "_test")+"."+fn.Name.Name] = literals
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
