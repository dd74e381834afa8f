package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const module = "gatelodge/"

// may lists for each package which of our own packages its non-test code may
// import (docs/architecture.md). A package that is not here fails the test.
var may = map[string][]string{
	// Pure domain: no I/O, no clock.
	"internal/oauth":    {},
	"internal/registry": {"internal/oauth"},
	"internal/authz":    {"internal/oauth"},
	"internal/account":  {},
	"internal/audit":    {},
	// Infrastructure.
	"internal/sqldb":   {},
	"internal/keyring": {},
	"internal/seal":    {},
	"internal/mail":    {},
	"internal/limit":   {},
	"internal/logging": {},
	"internal/config":  {"internal/registry", "internal/region"},
	"internal/signing": {"internal/oauth"},
	"internal/fetch":   {"internal/signing"},
	"internal/oidc":    {"internal/oauth"},
	"internal/region":  {"internal/account"},
	"internal/store":   {"internal/sqldb", "internal/keyring", "internal/audit", "internal/account", "internal/authz", "internal/oauth", "internal/registry"},
	"internal/live":    {"internal/oauth", "internal/signing", "internal/store", "internal/seal", "internal/audit", "internal/account", "internal/authz", "internal/registry"},
	// HTTP.
	"internal/web":      {},
	"internal/sdk":      {},
	"internal/session":  {"internal/web", "internal/live", "internal/store", "internal/seal", "internal/audit", "internal/account", "internal/registry"},
	"internal/console":  surface,
	"internal/signin":   surface,
	"internal/provider": surface,
	// Wiring.
	"internal/server": everything,
	"cmd/gatelodge":   everything,
	// The outsider: it knows Gatelodge by HTTP only.
	"guard":         {},
	"slate/store":   {"internal/sqldb"},
	"slate/reports": {"slate/store"},
	"slate/api":     {"guard", "internal/web", "slate/store", "slate/reports"},
	"slate/portal":  {"internal/web", "internal/limit", "slate/store", "slate/reports"},
	"slate":         {"guard", "internal/web", "internal/sqldb", "internal/limit", "slate/store", "slate/reports", "slate/api", "slate/portal"},
	"cmd/slate":     {"internal/sqldb", "internal/logging", "slate", "slate/api", "slate/store", "slate/reports"},
	// An application as any partner could write one: the public addresses are all it knows.
	"cmd/report-downloader": {},
	// Both sides in one process, and the one place where they meet.
	"cmd/demo": everything,
	// Support of tests.
	"internal/arch":            {},
	"internal/faultdb":         {},
	"internal/sqldb/sqldbtest": {"internal/sqldb"},
	"internal/store/storetest": {"internal/store", "internal/sqldb", "internal/sqldb/sqldbtest", "internal/faultdb", "internal/keyring", "internal/account", "internal/audit", "internal/oauth", "internal/registry"},
	"internal/web/webtest":     {"internal/web"},
	"slate/store/storetest":    {"internal/sqldb"},
	"internal/sim":             everything,
	"internal/crashtest":       everything,
	"internal/hatest":          everything,
	"internal/replicatest":     everything,
	"bench":                    {},
	"e2e":                      {},
}

// surface is what the three surfaces may import; never one another.
var surface = []string{
	"internal/signing", "internal/oidc", "internal/fetch", "internal/region",
	"internal/web", "internal/session", "internal/store", "internal/live", "internal/seal", "internal/mail", "internal/limit", "internal/audit",
	"internal/registry", "internal/authz", "internal/account", "internal/oauth", "internal/sdk",
}

var everything = []string{"*"}

// pure packages may not touch the world.
var pure = []string{"internal/oidc", "internal/oauth", "internal/registry", "internal/authz", "internal/account", "internal/audit"}

// testSupport is never imported by the program.
var testSupport = []string{"internal/sim", "internal/faultdb", "internal/sqldb/sqldbtest", "internal/store/storetest", "internal/web/webtest", "slate/store/storetest", "internal/crashtest", "internal/hatest", "internal/replicatest"}

type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
	GoFiles    []string
	Dir        string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
}

func TestImports(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := may[name]
		if !known {
			t.Errorf("%s has no rule: say in arch_test.go and docs/architecture.md what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			own, isOwn := strings.CutPrefix(imported, module)
			switch {
			case isOwn && !slices.Contains(allowed, own) && !slices.Equal(allowed, everything):
				t.Errorf("%s imports %s", name, own)
			case isOwn && slices.Contains(testSupport, own) && !slices.Contains(testSupport, name):
				t.Errorf("%s imports %s, which is for tests", name, own)
			case slices.Contains(pure, name) && (imported == "net/http" || imported == "database/sql"):
				t.Errorf("%s imports %s, and has to stay pure", name, imported)
			case isDriver(imported) && name != "internal/sqldb" && name != "internal/sqldb/sqldbtest":
				t.Errorf("%s imports the driver %s: only sqldb may", name, imported)
			}
		}
	}
}

func isDriver(path string) bool {
	return strings.HasPrefix(path, "modernc.org/sqlite") || strings.HasPrefix(path, "github.com/jackc/pgx")
}

// TestPurePackagesHaveNoClock: what depends on the time takes it as an argument.
func TestPurePackagesHaveNoClock(t *testing.T) {
	for _, p := range list(t, "./internal/...") {
		if !slices.Contains(pure, strings.TrimPrefix(p.ImportPath, module)) {
			continue
		}
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range []string{"time.Now(", "time.Since(", "time.Until("} {
				if strings.Contains(string(text), call) {
					t.Errorf("%s/%s calls %s)", p.ImportPath, file, call)
				}
			}
		}
	}
}

// TestNames: a package is named for what it owns.
func TestNames(t *testing.T) {
	for _, p := range list(t, "./...") {
		base := p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]
		if slices.Contains([]string{"util", "utils", "common", "helpers", "models", "types", "service"}, base) {
			t.Errorf("%s: a name that says nothing", p.ImportPath)
		}
	}
}

// TestDependencies: a module that comes into the binary shows in the diff of
// testdata/modules.txt. Run with -update after it was meant.
func TestDependencies(t *testing.T) {
	modules := map[string]bool{}
	for _, p := range list(t, "-deps", "./cmd/gatelodge") {
		if p.Module != nil && !strings.HasPrefix(p.ImportPath, module) {
			modules[p.Module.Path] = true
		}
	}
	got := strings.Join(slices.Sorted(maps.Keys(modules)), "\n") + "\n"
	const golden = "testdata/modules.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("modules in the binary (-golden +now):\n%s", diff)
	}
}
