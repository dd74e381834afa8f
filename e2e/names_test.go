package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Roles in which a name is looked for.
var (
	fields    = []string{"textbox", "searchbox", "combobox", "checkbox", "Date", "button"}
	pressable = []string{"button", "link", "checkbox", "DisclosureTriangle", "tab", "radio"}
)

// element is something on the page that has a role and a name.
type element struct {
	node                           cdp.BackendNodeID
	role, name, description, value string
	focused                        bool
}

// elements are what assistive technology is told of the page.
func (p *page) elements() []element {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		return nil // the document is being replaced
	}
	text := func(v *accessibility.Value) string {
		var s string
		if v != nil && json.Unmarshal(v.Value, &s) == nil {
			return strings.Join(strings.Fields(s), " ")
		}
		return ""
	}
	var all []element
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		e := element{node: n.BackendDOMNodeID, role: text(n.Role), name: text(n.Name), description: text(n.Description), value: text(n.Value)}
		for _, property := range n.Properties {
			if property.Name == accessibility.PropertyNameFocused {
				e.focused = string(property.Value.Value) == "true"
			}
		}
		all = append(all, e)
	}
	return all
}

// all finds the elements of some roles with a name, upper and lower case alike.
func (p *page) all(roles []string, name string) []element {
	p.t.Helper()
	return slices.DeleteFunc(p.elements(), func(e element) bool {
		// Chromium adds the chosen file to the name of a file field.
		bare, _, _ := strings.Cut(e.name, ": ")
		return !slices.Contains(roles, e.role) || !strings.EqualFold(e.name, name) && !strings.EqualFold(bare, name)
	})
}

// find waits for the one element with a name. A description, such as the row that a
// button belongs to, tells several apart.
func (p *page) find(roles []string, name string, description ...string) element {
	p.t.Helper()
	var found []element
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		found = slices.DeleteFunc(p.all(roles, name), func(e element) bool {
			return slices.ContainsFunc(description, func(d string) bool { return !strings.Contains(e.description, d) })
		})
		if len(found) == 1 {
			return found[0]
		}
	}
	var there []string
	for _, e := range p.elements() {
		if slices.Contains(roles, e.role) {
			there = append(there, e.role+" "+e.name)
		}
	}
	p.t.Fatalf("%s has %d of %q %v; there are:\n%s", p.address(), len(found), name, description, strings.Join(there, "\n"))
	return element{}
}

// has reports whether something to press or fill in has the name now.
func (p *page) has(name string) bool {
	p.t.Helper()
	return len(p.all(pressable, name))+len(p.all(fields, name)) > 0
}

// press presses a button or link that leads to another page.
func (p *page) press(name string, description ...string) {
	p.t.Helper()
	p.pressWith(http.StatusOK, name, description...)
}

// pressWith is press for one that leads to a page with another status.
func (p *page) pressWith(want int, name string, description ...string) {
	p.t.Helper()
	p.load(want, "press "+name, p.clicking(p.find(pressable, name, description...)))
}

// click presses something that changes the page in place.
func (p *page) click(name string, description ...string) {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	p.must(chromedp.Do(ctx, p.clicking(p.find(pressable, name, description...))))
}

// clicking moves the mouse there and presses it, so that what lies on top of the
// element would be hit instead.
func (p *page) clicking(e element) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: e.node}); err != nil {
			return err
		}
		quads, err := cdp.Call(ctx, t, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: e.node})
		if err != nil {
			return err
		}
		q := quads.Quads[0]
		_, err = chromedp.MouseClickXY((q[0]+q[4])/2, (q[1]+q[5])/2)(ctx, t)
		return err
	})
}

// fill puts text into the field with a label, in the place of what is there.
func (p *page) fill(label, text string) {
	p.t.Helper()
	e := p.find(fields, label)
	ctx, cancel := p.limited()
	defer cancel()
	_, err := chromedp.Call(ctx, dom.Focus, dom.FocusParams{BackendNodeID: e.node})
	p.must(err)
	_, err = chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Commands: []string{"selectAll"}})
	p.must(err)
	if text == "" {
		_, err = chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Commands: []string{"delete"}})
	} else {
		_, err = chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
	}
	p.must(err)
}

// choose puts a file into the file field with a label.
func (p *page) choose(label, path string) {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	_, err := chromedp.Call(ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{path}, BackendNodeID: p.find(fields, label).node})
	p.must(err)
}

// value is what stands in the field with a label.
func (p *page) value(label string) string {
	p.t.Helper()
	return p.find(fields, label).value
}

// holds waits until the fields have these values.
func (p *page) holds(want map[string]string) {
	p.t.Helper()
	for label, v := range want {
		if got := p.value(label); got != v {
			p.t.Fatalf("%s: %s holds %q, want %q", p.address(), label, got, v)
		}
	}
}
