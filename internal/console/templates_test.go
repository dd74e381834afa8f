package console

import (
	"testing"

	"gatelodge/internal/web"
)

// A template that is wrong is found here: the server parses it when somebody asks for
// the page.
func TestTemplates(t *testing.T) {
	kit, err := web.New(web.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := kit.Pages(templates, functions)
	if err != nil {
		t.Fatal(err)
	}
	if err := pages.Check(); err != nil {
		t.Error(err)
	}
}
