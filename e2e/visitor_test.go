package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// visitor is a person whose browser has no screen: it keeps cookies, follows
// redirects and sends forms, and takes a hundredth of the time of Chromium.
type visitor struct {
	person
	issuer string
	// address is that of the computer, as a proxy forwards it: the server holds
	// back who signs up or in too often from one.
	address string
	client  *http.Client
}

// visit is where a visitor ended.
type visit struct {
	URL string `json:"url"`
	// Asked are the paths of the forms that were filled in and sent on the way.
	Asked []string `json:"asked"`
	// Posted is what a page had the browser post there (form_post).
	Posted url.Values `json:"posted"`
	// Status and Text are of the page, and empty where it is not the server's.
	Status int    `json:"status"`
	Text   string `json:"text"`
}

// answers are what somebody fills in, by the path of the page.
type answers map[string]url.Values

// answers are what an ordinary visitor does: sign in, and allow.
func (who person) answers() answers {
	return answers{
		"/sign-in": {"email": {who.email}, "password": {who.password}},
		"/sign-up": {"name": {who.name}, "email": {who.email}, "password": {who.password}},
		"/consent": {"decision": {"allow"}},
	}
}

// newVisitor opens the n-th browser.
func newVisitor(s *server, who person, n int64) *visitor {
	jar, _ := cookiejar.New(nil) // never fails
	return &visitor{person: who, issuer: s.issuer, address: fmt.Sprintf("10.0.%d.%d", n/250, n%250+1), client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// goTo goes to an address of the server and on, answering each form once, until it
// is sent elsewhere or nothing more is asked. Other answers go before the ordinary
// ones.
func (v *visitor) goTo(ctx context.Context, address string, other answers) (visit, error) {
	end := visit{URL: address, Asked: []string{}}
	method, form := http.MethodGet, url.Values(nil)
	answered := map[string]bool{}
	for range 20 {
		here, err := url.Parse(end.URL)
		if err != nil {
			return end, err
		}
		if here.Scheme+"://"+here.Host != v.issuer {
			end.Posted = form
			return end, nil
		}
		response, body, err := v.send(ctx, method, end.URL, form)
		if err != nil {
			return end, err
		}
		if to := response.Header.Get("Location"); to != "" {
			// RFC 9110 section 15.4: all but 307 and 308 go on with GET.
			if response.StatusCode != http.StatusTemporaryRedirect && response.StatusCode != http.StatusPermanentRedirect {
				method, form = http.MethodGet, nil
			}
			next, err := here.Parse(to)
			if err != nil {
				return end, err
			}
			end.URL = next.String()
			continue
		}
		doc, err := html.Parse(strings.NewReader(body))
		if err != nil {
			return end, err
		}
		answer := other[here.Path]
		if answer == nil {
			answer = v.answers()[here.Path]
		}
		asked := formWith(doc, answer)
		// The next page may have the same path, as the device's.
		question := here.Path + " " + strings.Join(namesIn(asked), " ")
		if asked == nil || answered[question] {
			end.Status, end.Text = response.StatusCode, textOf(doc)
			return end, nil
		}
		answered[question] = true
		if !has(asked, "data-autosubmit") {
			end.Asked = append(end.Asked, here.Path)
		}
		method, form = http.MethodPost, fieldsOf(asked)
		for _, name := range namesIn(asked) {
			if values, ok := answer[name]; ok {
				form[name] = values
			}
		}
		action, err := here.Parse(attribute(asked, "action"))
		if err != nil {
			return end, err
		}
		end.URL = action.String()
	}
	return end, fmt.Errorf("no end to it, at %s after %q", end.URL, end.Asked)
}

func (v *visitor) send(ctx context.Context, method, address string, form url.Values) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("X-Forwarded-For", v.address)
	r.Header.Set("Sec-Fetch-Site", "none")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", v.issuer)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response, err := v.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// linkTo gives the address of the link with this text, "" when there is none.
func linkTo(doc *html.Node, words string) string {
	for n := range doc.Descendants() {
		if n.Data == "a" && textOf(n) == words {
			return attribute(n, "href")
		}
	}
	return ""
}

// formWith finds the form that asks for one of the answers, or that is sent by itself.
func formWith(doc *html.Node, answer url.Values) *html.Node {
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || !strings.EqualFold(attribute(n, "method"), "post") {
			continue
		}
		asks := func(name string) bool { _, ok := answer[name]; return ok }
		if has(n, "data-autosubmit") || slices.ContainsFunc(namesIn(n), asks) {
			return n
		}
	}
	return nil
}

// namesIn are the names of a form's fields and buttons.
func namesIn(form *html.Node) (names []string) {
	if form == nil {
		return nil
	}
	for n := range form.Descendants() {
		if name := attribute(n, "name"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// fieldsOf is what a form sends as it stands, without its buttons.
func fieldsOf(form *html.Node) url.Values {
	fields := url.Values{}
	for n := range form.Descendants() {
		name, kind := attribute(n, "name"), attribute(n, "type")
		switch {
		case name == "":
		case n.Data == "input" && slices.Contains([]string{"checkbox", "radio"}, kind):
			if has(n, "checked") {
				fields.Add(name, attribute(n, "value"))
			}
		case n.Data == "input" && kind != "submit" && kind != "file":
			fields.Add(name, attribute(n, "value"))
		case n.Data == "textarea":
			var text string
			if n.FirstChild != nil {
				text = n.FirstChild.Data
			}
			fields.Add(name, text)
		case n.Data == "select":
			for o := range n.Descendants() {
				if o.Data == "option" && has(o, "selected") {
					fields.Add(name, attribute(o, "value"))
				}
			}
		}
	}
	return fields
}

func attribute(n *html.Node, name string) string {
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

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
