package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Widths of the screens that pages are looked at on.
const (
	desktop = 1280
	phone   = 390
	narrow  = 360 // the narrowest that must not scroll sideways
)

// patience is how long a page may take to show what is looked for.
const patience = 30 * time.Second

// page is a browser window of one person, with cookies of its own.
type page struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu sync.Mutex
	// complaints are what the browser found wrong, and expected the statuses of
	// documents that a test has asked for, which the browser complains about too.
	complaints []complaint
	expected   map[string]bool
	// chain is the addresses that led to the present document, redirects included.
	chain   []string
	chainOf network.RequestID
}

type complaint struct{ url, text string }

// newPage opens a window in a fresh browser profile.
func newPage(t *testing.T, s *server) *page {
	t.Helper()
	if shared.noChrome != "" {
		without(t, shared.noChrome)
	}
	ctx, closeContext := chromedp.NewContext(shared.chrome, chromedp.WithNewBrowserContext())
	p := &page{t: t, ctx: ctx, base: s.issuer, expected: map[string]bool{}}
	t.Cleanup(func() {
		p.checkComplaints()
		closeContext()
	})
	p.must(chromedp.Do(ctx)) // the first call must have no deadline: it would be the window's
	p.must(chromedp.Listen(ctx, p.listen))
	_, err := chromedp.Call(ctx, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{
		Source: `addEventListener("securitypolicyviolation", (e) => console.error("content security policy:", e.violatedDirective, e.blockedURI))`,
	})
	p.must(err)
	// Several windows are open at once, and each is to be as one in front.
	_, err = chromedp.Call(p.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	p.must(err)
	p.width(desktop)
	return p
}

// scripting is whether the page's own JavaScript runs.
type scripting string

const (
	withJavaScript    scripting = "with JavaScript"
	withoutJavaScript scripting = "without JavaScript"
)

// scripts turns the page's own scripts on or off for the documents to come.
func (p *page) scripts(js scripting) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: js == withoutJavaScript})
	p.must(err)
}

func (p *page) width(w int64) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: w, Height: 900, DeviceScaleFactor: 1})
	p.must(err)
}

// scheme is light or dark.
func (p *page) scheme(name string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	p.must(err)
}

func (p *page) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// limited bounds one step.
func (p *page) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, patience)
}

func (p *page) listen(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			p.complain(e.Entry.URL, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
		}
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			p.asked(e)
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.complain(e.ExceptionDetails.URL, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value)+arg.Description)
			}
			p.complain("", "console: "+strings.Join(words, " "))
		}
	}
}

func (p *page) asked(e *network.EventRequestWillBeSent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.RequestID != p.chainOf {
		p.chain, p.chainOf = nil, e.RequestID
	}
	if e.Request.Method == http.MethodGet {
		p.chain = append(p.chain, e.Request.URL)
	}
}

func (p *page) chainOfAddresses() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.chain)
}

func (p *page) complain(url, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, complaint{url, text})
}

// expect lets one complaint of the browser pass: that the document at url came with
// an error status, which is what the test is about.
func (p *page) expect(url string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected[expectation(url, status)] = true
}

func expectation(url string, status int) string {
	url, _, _ = strings.Cut(url, "#")
	return fmt.Sprintf("%s network: Failed to load resource: the server responded with a status of %d (%s)", url, status, http.StatusText(status))
}

func (p *page) checkComplaints() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.complaints {
		at, _, _ := strings.Cut(c.url, "#")
		if !p.expected[at+" "+c.text] {
			p.t.Errorf("the browser complains at %q: %s", c.url, c.text)
		}
	}
}

// open goes to an address of the server as if it had been typed.
func (p *page) open(path string) {
	p.t.Helper()
	p.openWith(path, http.StatusOK)
}

// openWith is open for a page with another status.
func (p *page) openWith(path string, want int) {
	p.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.base + path
	}
	p.load(want, "open "+path, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdpage.Navigate, cdpage.NavigateParams{URL: path})
		return err
	}))
}

// load does what leads to another document, waits until that is there, and checks
// its status.
func (p *page) load(want int, what string, lead chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	response, err := chromedp.RunResponse(ctx, lead)
	if err != nil {
		p.t.Fatalf("%s, from %s: %v", what, p.address(), err)
	}
	if response == nil {
		return // another place of the same document
	}
	if int(response.Status) != want {
		p.t.Fatalf("%s: status %d of %s, want %d; the page says:\n%s", what, response.Status, response.URL, want, p.text())
	}
	if want >= http.StatusBadRequest {
		p.expect(response.URL, want)
	}
}

// loadFails does what leads to an address at which nothing answers.
func (p *page) loadFails(what string, lead chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	_, err := chromedp.RunResponse(ctx, lead)
	if _, ok := errors.AsType[*chromedp.LoadError](err); !ok {
		p.t.Fatalf("%s: %v, want a page that fails to load", what, err)
	}
}

// address is what stands in the address bar, also of a page that failed to load.
func (p *page) address() string {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	history, err := chromedp.Run(ctx, chromedp.NavigationEntries())
	if err != nil || len(history.Entries) == 0 {
		p.t.Fatalf("the browser's history: %v", err)
	}
	return history.Entries[history.CurrentIndex].URL
}

// evaluate asks the page by JavaScript, which works where the page's own is off.
func evaluate[T any](p *page, expression string) T {
	p.t.Helper()
	v, err := attempt[T](p, expression)
	if err != nil {
		p.t.Fatalf("evaluate %.80s: %v", expression, err)
	}
	return v
}

// attempt is evaluate for a page that may just be leaving for another.
func attempt[T any](p *page, expression string) (T, error) {
	ctx, cancel := p.limited()
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// innerText is what a person reads; a page that is about to come has no body yet.
const innerText = `document.body?.innerText ?? ""`

// text is what a person reads on the page, in one line.
func (p *page) text() string {
	p.t.Helper()
	return inOneLine(evaluate[string](p, innerText))
}

func inOneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// sees waits until the page says all of words.
func (p *page) sees(words ...string) {
	p.t.Helper()
	var text, missing string
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		read, err := attempt[string](p, innerText)
		if err != nil && time.Now().Before(deadline) {
			continue // on its way to the next page
		}
		if err != nil {
			p.t.Fatalf("%s cannot be read: %v", p.address(), err)
		}
		text, missing = inOneLine(read), ""
		for _, w := range words {
			if !strings.Contains(text, w) {
				missing = w
				break
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s does not say %q:\n%s", p.address(), missing, text)
		}
	}
}

// lacks checks that the page, its fields and hidden parts included, has none of words.
func (p *page) lacks(words ...string) {
	p.t.Helper()
	source := evaluate[string](p, `document.documentElement.outerHTML + [...document.querySelectorAll("input, textarea")].map((e) => e.value).join(" ")`)
	for _, w := range words {
		if strings.Contains(source, w) {
			p.t.Fatalf("%s must not say %q:\n…%.300s…", p.address(), w, source[max(0, strings.Index(source, w)-150):])
		}
	}
}

// forget takes a cookie away, as time does.
func (p *page) forget(cookie string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: cookie, URL: p.base})
	p.must(err)
}
