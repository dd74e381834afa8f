package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// looks looks at pages with axe-core, in both schemes, on a desktop and on a phone.
type looks struct {
	axe string
	mux *http.ServeMux
	// folder gets the pictures, when the environment names one.
	folder string

	mu   sync.Mutex
	seen map[string]bool
}

// picturesVariable names the environment variable with the folder that gets a
// picture of each page that is looked at.
const picturesVariable = "GATELODGE_SCREENSHOTS"

func newLooks(t *testing.T, patterns []string) *looks {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join("node_modules", "axe-core", "axe.min.js"))
	if errors.Is(err, fs.ErrNotExist) {
		without(t, "axe-core is not there: run `npm install` in e2e")
	}
	if err != nil {
		t.Fatal(err)
	}
	return &looks{axe: string(axe), mux: routeMux(patterns), seen: map[string]bool{}, folder: os.Getenv(picturesVariable)}
}

// violation is a rule of axe-core that a page breaks.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

const everyRule = `{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}`

// rulesOfColour are those that a scheme can change.
const rulesOfColour = `{runOnly: {type: "rule", values: ["color-contrast", "link-in-text-block"]}, resultTypes: ["violations"]}`

// at looks at the page as it stands, in all of its looks.
func (l *looks) at(p *page, name string) {
	p.t.Helper()
	l.chain(p)
	evaluate[chromedp.Void](p, l.axe+"; undefined")
	for _, look := range []struct {
		scheme string
		width  int64
		rules  string
	}{{"light", desktop, everyRule}, {"dark", desktop, rulesOfColour}, {"dark", phone, everyRule}, {"light", phone, ""}} {
		p.scheme(look.scheme)
		p.width(look.width)
		if look.rules != "" {
			l.rules(p, look.rules, fmt.Sprintf("%s, %s, %d px", name, look.scheme, look.width))
		}
		l.keep(p, fmt.Sprintf("%s-%s-%d.png", name, look.scheme, look.width))
	}
	p.width(narrow)
	if wide := evaluate[[]string](p, `document.scrollingElement.scrollWidth <= innerWidth ? [] :
		[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth).slice(0, 5).map((e) => e.outerHTML.slice(0, 200))`); len(wide) > 0 {
		p.t.Errorf("%s scrolls sideways at %d px because of\n%s", name, narrow, strings.Join(wide, "\n"))
	}
	p.width(desktop)
	p.scheme("light")
}

// rules runs axe-core. A colour stays the same whatever the width, so that three of
// the four looks see everything.
func (l *looks) rules(p *page, rules, where string) {
	p.t.Helper()
	for _, v := range evaluate[[]violation](p, `axe.run(document, `+rules+`).then((r) => r.violations)`) {
		for _, n := range v.Nodes {
			p.t.Errorf("%s (%s): %s: %s\n%s\n%s", where, p.address(), v.ID, v.Help, n.HTML, n.FailureSummary)
		}
	}
}

func (l *looks) keep(p *page, file string) {
	p.t.Helper()
	if l.folder == "" {
		return
	}
	ctx, cancel := p.limited()
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	p.must(err)
	if err := os.MkdirAll(l.folder, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.folder, file), picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// chain notes the addresses that led to the page as looked at.
func (l *looks) chain(p *page) {
	p.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, address := range p.chainOfAddresses() {
		u, err := url.Parse(address)
		p.must(err)
		if _, pattern := l.mux.Handler(&http.Request{Method: http.MethodGet, URL: u, Host: u.Host}); pattern != "" {
			l.seen[pattern] = true
		}
	}
}
