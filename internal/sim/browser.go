package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Browser keeps cookies, follows redirects and sends what a real one sends. It has
// no JavaScript.
type Browser struct {
	// Page is what it shows now.
	Page *Page
	// Header is sent with every request.
	Header http.Header

	world  *World
	client *http.Client
}

// NewBrowser opens a browser without cookies, on a computer of its own.
func (w *World) NewBrowser() *Browser {
	w.t.Helper()
	w.mu.Lock()
	w.people++
	address := "10.0." + itoa(w.people/250) + "." + itoa(w.people%250+1) + ":50000"
	w.mu.Unlock()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &Browser{world: w, Header: http.Header{}, client: &http.Client{
		Transport: network{w, address}, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Cookies are what the browser would send to the server.
func (b *Browser) Cookies() []*http.Cookie {
	u, err := url.Parse(b.world.Issuer)
	if err != nil {
		b.world.t.Fatal(err)
	}
	return b.client.Jar.Cookies(u)
}

// Page is a document in a browser, or what is left of one when nobody listens at
// its address (Status 0): the address itself.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
	// Via are the addresses that redirected here, the first first.
	Via []string
	// Posted is the form that this page is the answer to, nil after a GET.
	Posted url.Values

	browser *Browser
	doc     *html.Node
}

// Open goes to an address, relative ones on the server.
func (b *Browser) Open(address string) *Page {
	b.world.t.Helper()
	return b.goTo(http.MethodGet, b.resolve(address), nil, "", "none")
}

// Submit posts a form to an address as a page of the server would.
func (b *Browser) Submit(address string, form url.Values) *Page {
	b.world.t.Helper()
	return b.goTo(http.MethodPost, b.resolve(address), []byte(form.Encode()), "application/x-www-form-urlencoded", "same-origin")
}

func (b *Browser) resolve(address string) *url.URL {
	b.world.t.Helper()
	base, err := url.Parse(b.world.Issuer + "/")
	if err != nil {
		b.world.t.Fatal(err)
	}
	if b.Page != nil {
		base = b.Page.URL
	}
	if strings.HasPrefix(address, "/") {
		address = b.world.Issuer + address
	}
	u, err := base.Parse(address)
	if err != nil {
		b.world.t.Fatal(err)
	}
	return u
}

// goTo sends one request and follows its redirects.
func (b *Browser) goTo(method string, u *url.URL, body []byte, contentType, site string) *Page {
	b.world.t.Helper()
	var via []string
	for range 20 {
		page := b.send(method, u, body, contentType, site)
		page.Via = via
		if method == http.MethodPost && contentType == "application/x-www-form-urlencoded" {
			page.Posted, _ = url.ParseQuery(string(body)) // made by Encode
		}
		location := page.Header.Get("Location")
		if page.Status < 300 || page.Status > 399 || location == "" {
			b.Page = page
			return page
		}
		next, err := u.Parse(location)
		if err != nil {
			b.world.t.Fatalf("redirect to %q: %v", location, err)
		}
		via = append(via, u.String())
		if page.Status != http.StatusTemporaryRedirect && page.Status != http.StatusPermanentRedirect {
			method, body, contentType = http.MethodGet, nil, ""
		}
		u = next
	}
	b.world.t.Fatalf("too many redirects: %v", via)
	return nil
}

// Send sends one request and shows what comes, redirects included.
func (b *Browser) Send(method, address string, form url.Values) *Page {
	b.world.t.Helper()
	page := b.send(method, b.resolve(address), []byte(form.Encode()), "application/x-www-form-urlencoded", "same-origin")
	b.Page = page
	return page
}

func (b *Browser) send(method string, u *url.URL, body []byte, contentType, site string) *Page {
	b.world.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, u.String(), bytes.NewReader(body))
	if err != nil {
		b.world.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("User-Agent", "sim")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Origin", b.world.Issuer)
	}
	for name, values := range b.Header {
		r.Header[name] = values
	}
	response, err := b.client.Do(r)
	if errors.Is(err, ErrNobody) {
		return &Page{URL: u, Header: http.Header{}, browser: b}
	}
	if err != nil {
		b.world.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.world.t.Fatal(err)
	}
	return &Page{URL: u, Status: response.StatusCode, Header: response.Header, Body: string(text), browser: b}
}

func (p *Page) root() *html.Node {
	if p.doc == nil {
		doc, err := html.Parse(strings.NewReader(p.Body))
		if err != nil {
			p.browser.world.t.Fatal(err)
		}
		p.doc = doc
	}
	return p.doc
}

// Text is what the page says, blanks folded.
func (p *Page) Text() string { return text(p.root()) }

// Title is the page's first heading.
func (p *Page) Title() string {
	if h := find(p.root(), func(n *html.Node) bool { return n.Data == "h1" }); h != nil {
		return text(h)
	}
	return ""
}

// Has reports whether there is a button of this name.
func (p *Page) Has(button string) bool { return p.button(button) != nil }

// Follow presses the link of this name.
func (p *Page) Follow(name string) *Page {
	p.browser.world.t.Helper()
	a := find(p.root(), func(n *html.Node) bool { return n.Data == "a" && strings.EqualFold(accessibleName(n), name) })
	if a == nil {
		p.browser.world.t.Fatalf("no link %q on the page:\n%s", name, p.Text())
	}
	return p.browser.goTo(http.MethodGet, p.link(attr(a, "href")), nil, "", "same-origin")
}

// link is where an address on the page leads: pages may be another server's.
func (p *Page) link(address string) *url.URL {
	p.browser.world.t.Helper()
	u, err := p.URL.Parse(address)
	if err != nil {
		p.browser.world.t.Fatal(err)
	}
	return u
}

// GoOn presses the button of a page that does so itself where there is JavaScript, as
// that which posts an answer to an application. Any other page it gives as it is.
func (p *Page) GoOn() *Page {
	p.browser.world.t.Helper()
	form := find(p.root(), func(n *html.Node) bool { return n.Data == "form" && has(n, "data-autosubmit") })
	if form == nil {
		return p
	}
	return p.Press(text(find(form, func(n *html.Node) bool { return n.Data == "button" })))
}

// Press fills fields, given by their labels or names and values in turn, and
// presses a button of their form. A check box is ticked by any value but "".
func (p *Page) Press(button string, fields ...string) *Page {
	b := p.browser
	b.world.t.Helper()
	pressed := p.button(button)
	if pressed == nil {
		b.world.t.Fatalf("no button %q on the page at %s (%d):\n%s", button, p.URL, p.Status, p.Text())
	}
	form := pressed
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		b.world.t.Fatalf("button %q is in no form", button)
	}
	values := successful(form)
	for i := 0; i+1 < len(fields); i += 2 {
		control := field(form, fields[i])
		if control == nil {
			b.world.t.Fatalf("no field %q in the form of %q:\n%s", fields[i], button, text(form))
		}
		fill(values, control, fields[i+1])
	}
	if name := attr(pressed, "name"); name != "" {
		values.Set(name, attr(pressed, "value"))
	}
	action := b.resolve(p.URL.String())
	if to := attr(form, "action"); to != "" {
		action = p.link(to)
	}
	if !strings.EqualFold(attr(form, "method"), "post") {
		action.RawQuery = values.Encode()
		return b.goTo(http.MethodGet, action, nil, "", "same-origin")
	}
	if attr(form, "enctype") == "multipart/form-data" {
		body, contentType := multipartBody(values)
		return b.goTo(http.MethodPost, action, body, contentType, "same-origin")
	}
	return b.goTo(http.MethodPost, action, []byte(values.Encode()), "application/x-www-form-urlencoded", "same-origin")
}

func multipartBody(values url.Values) (body []byte, contentType string) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, all := range values {
		for _, value := range all {
			_ = m.WriteField(name, value) // a bytes.Buffer does not fail
		}
	}
	_ = m.Close()
	return b.Bytes(), m.FormDataContentType()
}

func fill(values url.Values, control *html.Node, value string) {
	name := attr(control, "name")
	if kind := attr(control, "type"); kind != "checkbox" && kind != "radio" {
		values.Set(name, value)
		return
	}
	own := attr(control, "value")
	if own == "" {
		own = "on"
	}
	values[name] = slices.DeleteFunc(values[name], func(v string) bool { return v == own })
	if value != "" {
		values.Add(name, own)
	}
}

func (p *Page) button(name string) *html.Node {
	return find(p.root(), func(n *html.Node) bool {
		if n.Data == "input" && attr(n, "type") == "submit" {
			return strings.EqualFold(attr(n, "value"), name)
		}
		// The hidden button that stands for the Enter key is nobody's to press.
		return n.Data == "button" && attr(n, "aria-hidden") == "" && strings.EqualFold(accessibleName(n), name)
	})
}

// successful are the fields that a form sends as it stands (HTML, "constructing
// the entry list").
func successful(form *html.Node) url.Values {
	values := url.Values{}
	each(form, func(n *html.Node) {
		name := attr(n, "name")
		if name == "" || has(n, "disabled") {
			return
		}
		switch n.Data {
		case "input":
			switch attr(n, "type") {
			case "submit", "button", "image", "reset", "file":
			case "checkbox", "radio":
				if has(n, "checked") {
					fill(values, n, "on")
				}
			default:
				values.Add(name, attr(n, "value"))
			}
		case "textarea":
			values.Add(name, strings.TrimPrefix(rawText(n), "\n"))
		case "select":
			option := find(n, func(o *html.Node) bool { return o.Data == "option" && has(o, "selected") })
			if option == nil {
				option = find(n, func(o *html.Node) bool { return o.Data == "option" })
			}
			if option != nil {
				values.Add(name, attr(option, "value"))
			}
		}
	})
	return values
}

// field finds a control by its label or its name.
func field(form *html.Node, name string) *html.Node {
	isControl := func(n *html.Node) bool { return n.Data == "input" || n.Data == "textarea" || n.Data == "select" }
	var found *html.Node
	each(form, func(n *html.Node) {
		if found != nil || n.Data != "label" || !strings.EqualFold(text(n), name) {
			return
		}
		if id := attr(n, "for"); id != "" {
			found = find(form, func(c *html.Node) bool { return isControl(c) && attr(c, "id") == id })
			return
		}
		found = find(n, isControl)
	})
	if found != nil {
		return found
	}
	return find(form, func(n *html.Node) bool { return isControl(n) && attr(n, "name") == name })
}

func accessibleName(n *html.Node) string {
	if label := attr(n, "aria-label"); label != "" {
		return label
	}
	return text(n)
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// each visits the elements under n, templates and scripts left out.
func each(n *html.Node, visit func(*html.Node)) {
	for c := range n.ChildNodes() {
		if c.Type != html.ElementNode || c.Data == "template" || c.Data == "script" {
			continue
		}
		visit(c)
		each(c, visit)
	}
}

func find(n *html.Node, is func(*html.Node) bool) (found *html.Node) {
	each(n, func(c *html.Node) {
		if found == nil && is(c) {
			found = c
		}
	})
	return found
}

func rawText(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		for c := range n.ChildNodes() {
			switch {
			case c.Type == html.TextNode:
				b.WriteString(c.Data)
			case c.Data == "template", c.Data == "script", c.Data == "svg":
			default:
				b.WriteString(" ")
				walk(c)
				b.WriteString(" ")
			}
		}
	}
	walk(n)
	return b.String()
}

func text(n *html.Node) string { return strings.Join(strings.Fields(rawText(n)), " ") }
