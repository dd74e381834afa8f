package portal

import (
	"io/fs"
	"testing"

	"gatelodge/internal/web"
	"gatelodge/internal/web/webtest"
)

func TestTemplates(t *testing.T) {
	folders := map[string]fs.FS{}
	for _, name := range []string{"pages", "frame", "assets"} {
		var err error
		if folders[name], err = fs.Sub(files, name); err != nil {
			t.Fatal(err)
		}
	}
	webtest.CheckPages(t, web.Options{Frame: folders["frame"], Assets: folders["assets"]}, folders["pages"], templateFuncs())
}
