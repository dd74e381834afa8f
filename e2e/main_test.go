package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// What all tests share: the programs, built once, and one Chromium, in which every
// person has a profile of their own.
var shared struct {
	binary string
	// slate and downloader are the programs beside it.
	slate, downloader string
	chrome            context.Context
	// noChrome says why there is none.
	noChrome string
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gatelodge-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared.binary, shared.slate, shared.downloader = filepath.Join(dir, "gatelodge"), filepath.Join(dir, "slate"), filepath.Join(dir, "report-downloader")
	if out, err := exec.Command("go", "build", "-o", dir, "gatelodge/cmd/gatelodge", "gatelodge/cmd/slate", "gatelodge/cmd/report-downloader").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	path, err := findChromium()
	if err != nil {
		shared.noChrome = err.Error()
		return m.Run()
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true),
		// Otherwise a page that is not in front is slowed down.
		chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("lang", "en-US"), chromedp.UserDataDir(filepath.Join(dir, "chromium")), chromedp.WindowSize(desktop, 900),
	)
	defer stop()
	ctx, closeChrome := chromedp.NewContext(allocator)
	defer closeChrome()
	if err := chromedp.Do(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "start %s: %v\n", path, err)
		return 1
	}
	shared.chrome = ctx
	return m.Run()
}

func findChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no chromium in the path")
}

// without skips t for something that is not there. In CI everything has to be there.
func without(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
