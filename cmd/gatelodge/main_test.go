package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is the program too: called by the name gatelodge, it runs main.
func TestMain(m *testing.M) {
	testscript.Main(patient{m}, map[string]func(){"gatelodge": main})
}

// patient runs more tests side by side than there are cores: a command waits for a
// second until its change is in effect, and a test waits for commands.
type patient struct{ *testing.M }

func (p patient) Run() int {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	code := p.M.Run()
	if previous.binary != "" {
		os.RemoveAll(filepath.Dir(previous.binary))
	}
	return code
}
