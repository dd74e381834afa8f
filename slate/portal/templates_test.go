package portal

import (
	"io/fs"
	"testing"

	"gatelodge/internal/web"
)

// A template that is wrong is found here: the server parses it when somebody asks for
// the page.
func TestTemplates(t *testing.T) {
	folders := map[string]fs.FS{}
	for _, name := range []string{"pages", "frame", "assets"} {
		var err error
		if folders[name], err = fs.Sub(files, name); err != nil {
			t.Fatal(err)
		}
	}
	kit, err := web.New(web.Options{Frame: folders["frame"], Assets: folders["assets"]})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := kit.Pages(folders["pages"], templateFuncs())
	if err != nil {
		t.Fatal(err)
	}
	if err := pages.Check(); err != nil {
		t.Error(err)
	}
}
