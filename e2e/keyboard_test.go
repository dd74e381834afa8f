package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"gatelodge/internal/sqldb"
)

// TestKeyboard does the console's part of the walk with Tab, Enter and letters.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	p := newPage(t, s)
	p.open("/sign-up?continue=/console")

	// The form's first field has the focus already, and Enter in a field sends it.
	p.focused("textbox", "Name")
	p.write(ada.name)
	p.tabTo("Email")
	p.write(ada.email)
	p.tabTo("Password")
	p.write(ada.password)
	p.load(http.StatusOK, "Enter", chromedp.KeyEvent(kb.Enter))
	p.sees("Make your first security profile")

	// The way past the header comes first on every page.
	p.tab()
	p.focused("link", "Skip to the content")
	p.enter()
	p.tabTo("Create a New Security Profile")
	p.load(http.StatusOK, "Enter", chromedp.KeyEvent(kb.Enter))

	// What is wrong gets the focus.
	p.tabTo("Security Profile Name")
	p.write(downloader.name)
	p.load(http.StatusUnprocessableEntity, "Enter", chromedp.KeyEvent(kb.Enter))
	p.focused("textbox", "Security Profile Description")
	p.tabTo("Security Profile Description")
	p.write(downloader.description)
	p.tabTo("Consent Privacy Notice URL")
	p.write(downloader.privacy)
	p.tabTo("Save")
	p.load(http.StatusOK, "Enter", chromedp.KeyEvent(kb.Enter))
	p.sees("“" + downloader.name + "” was created")

	p.tabTo("Manage")
	p.enter()
	p.tabTo("Security Profile")
	p.key(kb.Escape)
	p.focused("DisclosureTriangle", "Manage")
	if p.has("Security Profile") {
		t.Error("Escape does not close the menu")
	}
	p.enter()
	p.tabTo("Web Settings")
	p.load(http.StatusOK, "Enter", chromedp.KeyEvent(kb.Enter))
	p.tabTo("Edit")
	p.load(http.StatusOK, "Enter", chromedp.KeyEvent(kb.Enter))
	p.tabTo("Allowed Return URLs")
	p.write("https://localhost")
	p.tabTo("Add another")
	p.enter()
	p.sees("Allowed Return URLs (added)")
	p.focused("textbox", "Allowed Return URLs (added)")
	p.tabTo("Save")
	p.load(http.StatusOK, "Enter", chromedp.KeyEvent(kb.Enter))
	p.sees("In effect here now", "https://localhost")
	p.tabTo("Show Secret")
	p.enter()
	p.find(pressable, "Hide")
	if secret := p.value("Client Secret"); !strings.HasPrefix(secret, "amzn1.oa2-cs.v1.") {
		t.Errorf("Client Secret %q", secret)
	}
	p.focused("button", "Copy")

	// Arrows choose a kind; what is folded away opens, and is passed while it is not.
	p.open(strings.TrimSuffix(strings.SplitN(p.address(), "?", 2)[0], "/web-settings") + "/settings")
	p.tabTo("Web application")
	p.key(kb.ArrowDown)
	p.focused("radio", "Single page")
	p.tabTo("More settings")
	p.tab()
	p.focused("button", "Save")
	p.open(p.address())
	p.tabTo("More settings")
	p.enter()
	p.tabTo("Key set")
	p.tabTo("Require pushed requests")
	p.key(" ")
	p.tabTo("Post-logout URLs")
	p.write("https://reports.example.com/bye")
	p.load(http.StatusOK, "Enter", chromedp.KeyEvent(kb.Enter))
	p.sees("In effect here now")
	p.holds(map[string]string{"Post-logout URLs": "https://reports.example.com/bye"})
}

// key presses a key.
func (p *page) key(key string) {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	p.must(chromedp.Do(ctx, chromedp.KeyEvent(key)))
}

func (p *page) enter() {
	p.t.Helper()
	p.key(kb.Enter)
}

// tab goes on to the next thing that can have the focus, and checks that one sees
// where that is.
func (p *page) tab() {
	p.t.Helper()
	p.key(kb.Tab)
	if hidden := evaluate[string](p, `(() => {
		const e = document.activeElement;
		if (!e || e === document.body) return "";
		const s = getComputedStyle(e), r = e.getBoundingClientRect();
		const seen = e.matches(":focus-visible") && (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none");
		return seen && r.width > 4 && r.height > 4 && r.bottom > 0 && r.top < innerHeight && r.left >= 0 && r.right <= innerWidth + 1 ? "" : e.outerHTML.slice(0, 300);
	})()`); hidden != "" {
		p.t.Errorf("%s: one does not see that the focus is at %s", p.address(), hidden)
	}
}

// tabTo presses Tab until something with the name has the focus.
func (p *page) tabTo(name string) {
	p.t.Helper()
	var passed []string
	for range 60 {
		e := p.focus()
		bare, _, _ := strings.Cut(e.name, ": ")
		if strings.EqualFold(e.name, name) || strings.EqualFold(bare, name) {
			return
		}
		passed = append(passed, e.name)
		p.tab()
	}
	p.t.Fatalf("%s: Tab does not come to %q, but to %q", p.address(), name, passed)
}

// focused waits until something has the focus: a page gives it to a field only when
// it is first painted.
func (p *page) focused(role, name string) {
	p.t.Helper()
	var e element
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if e = p.focus(); e.role == role && strings.EqualFold(e.name, name) {
			return
		}
	}
	p.t.Fatalf("%s: the focus is at the %s %q, want the %s %q", p.address(), e.role, e.name, role, name)
}

// focus is what has the focus.
func (p *page) focus() element {
	p.t.Helper()
	for _, e := range p.elements() {
		if e.focused && e.role != "RootWebArea" {
			return e
		}
	}
	return element{}
}

// write types text into what has the focus.
func (p *page) write(text string) {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	p.must(chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})))
}
