package api

import (
	"testing"

	"gatelodge/internal/web"
	"gatelodge/internal/web/webtest"
)

func TestTemplates(t *testing.T) { webtest.CheckPages(t, web.Options{}, pageFiles) }
