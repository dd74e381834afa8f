package portal_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"gatelodge/internal/sim"
	"gatelodge/slate/portal"
	"gatelodge/slate/store"
)

// picturesVariable names the environment variable with the folder that gets a picture
// of each page.
const picturesVariable = "GATELODGE_SCREENSHOTS"

// patience is how long a page may take to come.
const patience = 30 * time.Second

// window is a browser that looks at Slate through a socket.
type window struct {
	t    *testing.T
	ctx  context.Context
	base string
	axe  string

	mu         sync.Mutex
	complaints []string
}

func openWindow(t *testing.T, base string) *window {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("there is no browser: %v", err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("lang", "en-US"),
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900))
	t.Cleanup(stop)
	ctx, closeContext := chromedp.NewContext(allocator)
	t.Cleanup(closeContext)
	b := &window{t: t, ctx: ctx, base: base}
	b.must(chromedp.Do(ctx))
	b.must(chromedp.Listen(ctx, func(event any) {
		e, ok := event.(*log.EventEntryAdded)
		if !ok || e.Entry.Level != log.EntryLevelError || strings.Contains(e.Entry.Text, "the server responded with a status of 4") {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.complaints = append(b.complaints, e.Entry.URL+" "+e.Entry.Text)
	}))
	axe, err := os.ReadFile(filepath.Join("..", "..", "e2e", "node_modules", "axe-core", "axe.min.js"))
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || os.Getenv("CI") == "true") {
		t.Fatal(err)
	}
	b.axe = string(axe)
	return b
}

func (b *window) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// be makes it the browser of whoever a session is of; "" is nobody's.
func (b *window) be(session string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, network.ClearBrowserCookies, cdp.Empty{})
	b.must(err)
	if session == "" {
		return
	}
	_, err = chromedp.Call(b.ctx, network.SetCookie, network.SetCookieParams{Name: "slate-session", Value: session, URL: b.base})
	b.must(err)
}

func (b *window) open(path string) {
	b.t.Helper()
	b.load(path, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdpage.Navigate, cdpage.NavigateParams{URL: b.base + path})
		return err
	}))
}

// send fills fields of the page's form by their names and sends it.
func (b *window) send(fields ...string) {
	b.t.Helper()
	script, button := "const f = document.querySelector('form.form');", "'.btn.primary'"
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "look" {
			button = "'[name=look]'"
			continue
		}
		script += fmt.Sprintf("{const e = f.elements[%q]; if (e.type === 'checkbox') e.checked = %q !== ''; else e.value = %q;}", fields[i], fields[i+1], fields[i+1])
	}
	b.load("the form", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](script+"f.requestSubmit(f.querySelector("+button+"))"))
		return err
	}))
}

func (b *window) load(what string, lead chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, lead); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func evaluate[T any](b *window, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %.80s: %v", expression, err)
	}
	return v
}

const everyRule = `{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}`

// look looks at the page on a desktop and on a phone, in both schemes.
func (b *window) look(name string) {
	b.t.Helper()
	if b.axe != "" {
		evaluate[chromedp.Void](b, b.axe+"; undefined")
	}
	for _, at := range []struct {
		scheme string
		width  int64
	}{{"light", 1280}, {"dark", 1280}, {"dark", 390}, {"light", 390}, {"light", 360}} {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: at.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		b.must(err)
		_, err = chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: at.width, Height: 900, DeviceScaleFactor: 1})
		b.must(err)
		if wide := evaluate[[]string](b, `document.scrollingElement.scrollWidth <= innerWidth ? [] :
			[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth).slice(0, 5).map((e) => e.outerHTML.slice(0, 200))`); len(wide) > 0 {
			b.t.Errorf("%s scrolls sideways at %d px because of\n%s", name, at.width, strings.Join(wide, "\n"))
		}
		if b.axe != "" && at.width != 360 {
			for _, v := range evaluate[[]struct {
				ID, Help string
				Nodes    []struct{ HTML, FailureSummary string }
			}](b, `axe.run(document, `+everyRule+`).then((r) => r.violations)`) {
				for _, n := range v.Nodes {
					b.t.Errorf("%s, %s, %d px: %s: %s\n%s\n%s", name, at.scheme, at.width, v.ID, v.Help, n.HTML, n.FailureSummary)
				}
			}
		}
		if at.width == 1280 {
			if odd := evaluate[[]string](b, `[...document.querySelectorAll("table")].filter((e) => getComputedStyle(e).display !== "table").map((e) => e.outerHTML.slice(0, 200))`); len(odd) > 0 {
				b.t.Errorf("%s: the columns do not stand below their headings in\n%s", name, strings.Join(odd, "\n"))
			}
		}
		b.keep(fmt.Sprintf("slate-%s-%s-%d.png", name, at.scheme, at.width))
	}
	// A page gives the focus only when it is painted.
	at := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if at = evaluate[string](b, `(document.querySelector("[aria-invalid=true]") ?? document.activeElement) === document.activeElement ? "" : document.activeElement.outerHTML.slice(0, 200)`); at == "" {
			break
		}
	}
	if at != "" {
		b.t.Errorf("%s: the focus is not at the first error, but at %s", name, at)
	}
	if n := evaluate[int](b, `document.querySelectorAll("h1").length`); n != 1 {
		b.t.Errorf("%s has %d first headings", name, n)
	}
}

func (b *window) keep(file string) {
	b.t.Helper()
	folder := os.Getenv(picturesVariable)
	if folder == "" || strings.HasSuffix(file, "-360.png") {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.must(err)
	b.must(os.MkdirAll(folder, 0o755))
	b.must(os.WriteFile(filepath.Join(folder, file), picture, 0o644))
}

// getRoutes reads from the source what is served for GET.
func getRoutes(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("portal.go")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`"GET "+ReturnPath`, `"GET `+portal.ReturnPath+`"`, `"GET "+SignedOutPath`, `"GET `+portal.SignedOutPath+`"`).Replace(string(source))
	var all []string
	for _, m := range regexp.MustCompile(`mux\.Handle\("(GET [^"]+)"`).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	if len(all) < 20 {
		t.Fatalf("only %d routes were found", len(all))
	}
	return all
}

// notPages are routes for GET that are no pages of their own.
var notPages = []string{"GET /favicon.ico", "GET /accounts/{account}/reports/{report}/download"}

// TestPages looks at every page, empty, full and refused.
func TestPages(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens a browser")
	}
	w := sqlite(t)
	ann, bob, cid := w.person("Ann Archer"), w.person("Bob Baker"), w.person("Cid Cole")
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	w.portal(server.URL, w.Client()).Routes(mux)
	session := func(person *sim.Person) string {
		value := "session-of-" + person.Email
		if err := w.store.StartSession(t.Context(), sha256.Sum256([]byte(value)), w.known(person).ID, "", w.now(), w.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		return value
	}
	routes := http.NewServeMux()
	for _, pattern := range getRoutes(t) {
		routes.Handle(pattern, http.NotFoundHandler())
	}
	seen := map[string]bool{}

	full := w.account("Alpha Pictures International", ann, store.Rights{Manage: true, Reports: true})
	empty := w.account("Beta Films", ann, store.Rights{Manage: true, Reports: true})
	w.let(full, bob, store.Rights{Reports: true})
	w.let(empty, bob, store.Rights{})
	w.weeks(full.ID, "Sample Channel (US)", 60)
	w.weeks(full.ID, "Sample Channel (CA)", 52)
	w.weeks(full.ID, "A Channel with a Name that is quite a bit Longer than the Others (DE)", 30)
	number := strconv.FormatInt(full.ID, 10)
	w.put(number+"/rentOrBuy/North Studio/Paid Daily/2026-01-05.csv", "Date,Units\n2026-01-05,7\n")
	w.put(number+"/financialStatement/US-7/Royalty Statement Monthly/2026-02.csv", "Date,Amount\n2026-02-01,7\n")
	w.put(number+"/channels/Sample Channel (US)/Conversion and Retention Monthly/2026-02.csv", "Date,Rate\n")
	by := store.Actor{PersonID: w.known(ann).ID, At: w.now()}
	application, err := w.store.AddApplication(t.Context(), store.Application{
		AccountID: full.ID, ClientID: w.app.ID, Reporting: true, Name: "Video Report Downloader", Publisher: "Company 2",
		Purpose: "Runs every night on a server of our finance team and keeps a copy of the weekly reports.\n\nQuestions: finance-systems@alpha.example",
	}, by)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Called(t.Context(), map[int64]time.Time{application: w.now()}); err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"report_downloader@alpha.example", "dana@alpha.example"} {
		if err := w.store.Invite(t.Context(), full.ID, email, store.Rights{Reports: true}, w.now().AddDate(0, 0, 7), by); err != nil {
			t.Fatal(err)
		}
	}
	channels, _, err := w.store.Channels(t.Context(), full.ID, store.GroupChannels, store.Page{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	us := channels[len(channels)-1]
	types, _, err := w.store.Types(t.Context(), us.ID, store.Page{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}

	b := openWindow(t, server.URL)
	a, e := fmt.Sprintf("/accounts/%d", full.ID), fmt.Sprintf("/accounts/%d", empty.ID)
	channelPath := fmt.Sprintf("%s/reporting/channels/%d", a, us.ID)
	annIn, bobIn, cidIn := session(ann), session(bob), session(cid)
	for _, page := range []struct {
		name, session, path string
		form                []string
	}{
		{"home-nobody", "", "/", nil},
		{"home-full", annIn, "/", nil},
		{"home-no-account", cidIn, "/", nil},
		{"settings", annIn, "/user-settings?account=" + number, nil},
		{"settings-no-account", cidIn, "/user-settings", nil},
		{"help", annIn, "/help", nil},
		{"contact", "", "/help/contact", nil},
		{"signed-out", "", "/signed-out", nil},
		{"sign-in-error", "", "/signed-in?state=x&code=y", nil},
		{"not-found", annIn, "/nowhere", nil},
		{"dashboard-full", annIn, a, nil},
		{"dashboard-13", annIn, a + "?weeks=13", nil},
		{"dashboard-empty", annIn, e, nil},
		{"dashboard-closed", bobIn, e, nil},
		{"groups-full", annIn, a + "/reporting", nil},
		{"groups-empty", annIn, e + "/reporting", nil},
		{"groups-refused", bobIn, e + "/reporting", nil},
		{"channels", annIn, a + "/reporting/channels", nil},
		{"channels-empty", annIn, e + "/reporting/rentOrBuy", nil},
		{"types", annIn, channelPath, nil},
		{"periods", annIn, fmt.Sprintf("%s/%d", channelPath, types[1].ID), nil},
		{"periods-last", annIn, fmt.Sprintf("%s/%d?page=3", channelPath, types[1].ID), nil},
		{"periods-none", annIn, fmt.Sprintf("%s/%d", channelPath, types[0].ID), nil},
		{"applications-full", annIn, a + "/applications", nil},
		{"applications-empty", annIn, e + "/applications", nil},
		{"applications-refused", bobIn, a + "/applications", nil},
		{"application-new", annIn, e + "/applications/new", nil},
		{"application-wrong", annIn, e + "/applications/new", []string{"client_id", "amzn1.application-oa2-client.0123", "purpose", "For finance."}},
		{"application-look", annIn, e + "/applications/new", []string{"client_id", w.app.ID, "reporting", "yes", "look", ""}},
		{"application-look-wrong", annIn, e + "/applications/new", []string{"client_id", "", "look", ""}},
		{"application-edit", annIn, fmt.Sprintf("%s/applications/%d", a, application), nil},
		{"application-page", "", fmt.Sprintf("/applications/%d", application), nil},
		{"application-page-gone", "", "/applications/1", nil},
		{"users-full", annIn, a + "/users", nil},
		{"users-one", annIn, e + "/users", nil},
		{"user", annIn, fmt.Sprintf("%s/users/%d", a, w.known(bob).ID), nil},
		{"user-me-last", annIn, fmt.Sprintf("%s/users/%d", a, w.known(ann).ID), []string{"manage", ""}},
		{"user-new", annIn, a + "/users/new", nil},
		{"user-new-wrong", annIn, a + "/users/new", []string{"code", "NOBODY", "reports", ""}},
		{"user-invite", annIn, a + "/users/invite", nil},
		{"activity", annIn, a + "/activity", nil},
	} {
		b.be(page.session)
		b.open(page.path)
		if page.form != nil {
			b.send(page.form...)
		}
		b.look(page.name)
		u, err := url.Parse(page.path)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := routes.Handler(&http.Request{Method: http.MethodGet, URL: u})
		seen[pattern] = true
	}
	b.be(annIn)
	b.open(a + "/activity")
	for _, menu := range []string{".account-list", ".settings-menu"} {
		evaluate[chromedp.Void](b, "document.querySelectorAll('details').forEach((d) => d.open = d.matches('"+menu+"')); undefined")
		b.look("menu" + strings.ReplaceAll(menu, ".", "-"))
	}
	for _, pattern := range getRoutes(t) {
		if !seen[pattern] && !slices.Contains(notPages, pattern) && pattern != "GET /sign-in" {
			t.Errorf("nobody looked at %s", pattern)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		t.Errorf("the browser complains: %s", c)
	}
}
