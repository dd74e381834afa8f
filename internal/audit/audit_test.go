package audit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"time"
)

// Every kind that the package declares reads as words, and no two the same.
func TestEveryKindHasWords(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]Kind{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Kind" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		k := Kind(value)
		if k.Words() == value {
			t.Errorf("%s has no words", k)
		}
		if other, taken := seen[k.Words()]; taken {
			t.Errorf("%s reads as %s does", k, other)
		}
		seen[k.Words()] = k
		return true
	})
	if len(seen) == 0 {
		t.Fatal("found no kinds")
	}
	if got := Kind("of a newer version").Words(); got != "of a newer version" {
		t.Errorf("an unknown kind reads as %q", got)
	}
}

func TestCause(t *testing.T) {
	r := Refusal{ProfileID: 1, Endpoint: "/ap/oa", Code: "invalid_request", Words: "not registered", Sent: "https://a.example", Nearest: "https://b.example"}
	later := r
	later.RequestID, later.LastAt, later.Count, later.Nearest = "another", time.Unix(1, 0), 9, ""
	if later.Cause() != r.Cause() {
		t.Error("time, request and what is registered now are no part of the cause")
	}
	for name, change := range map[string]func(*Refusal){
		"endpoint": func(r *Refusal) { r.Endpoint = "/oauth2/authorize" },
		"code":     func(r *Refusal) { r.Code = "invalid_scope" },
		"words":    func(r *Refusal) { r.Words = "" },
		"sent":     func(r *Refusal) { r.Sent = "https://c.example" },
		"a border": func(r *Refusal) { r.Code, r.Words = "invalid_requestn", "ot registered" },
	} {
		other := r
		change(&other)
		if other.Cause() == r.Cause() {
			t.Errorf("another %s, and the same cause", name)
		}
	}
}
