package web

import (
	"fmt"
	"html/template"
)

// Tab is one page of several that belong to one thing.
type Tab struct {
	Text, URL string
	Current   bool
}

// Menu is a button that opens a few links; it works without JavaScript.
type Menu struct {
	Label       string // what the button says
	DescribedBy string // id of the element that says what it belongs to; may be empty
	Items       []Link
}

// Pager leads through a long list. An empty URL means that there is no such page.
type Pager struct {
	From, To, Total int
	Prev, Next      string
}

// Secret is a value that is hidden until somebody asks for it. The form posts
// to Action; a request with "Accept: application/json" gets {"secret": …}, or
// 401 {"reauthenticate": true} when a password is needed, which is then posted
// as "password"; "continue" beside it names the page where it is confirmed without one. Without JavaScript the same post answers with the page, where
// Value or Reauthenticate is set.
type Secret struct {
	ID, Label, Action string
	Button            string // "Show Secret" when empty
	Value             string
	Reauthenticate    bool
	Error             string // about the password
	HideURL           string // where "Hide" leads without JavaScript
}

// Consent is what a person is asked to allow, on the consent page and in its preview.
type Consent struct {
	Name, LogoURL string // the application
	Publisher     string
	PrivacyURL    string
	Items         []ConsentItem
	Host          string // where the browser goes next
	OwnScheme     string // with which it goes to an app on the device, in place of Host
	Account       AccountBadge
	SwitchURL     string // "Use another account"
	// Unvouched says that the application registered itself, and where it leads.
	Unvouched bool
	// SameService says that it is another region of this very service.
	SameService bool
	// Preview draws it without anything that can be pressed, bound to the
	// fields "name", "privacy_url" and "logo" of the form beside it.
	Preview bool
}

// ConsentItem is one thing that the application gets.
type ConsentItem struct {
	Scope    string // value of the check box of a voluntary item
	Label    string
	Detail   string
	Language string   // of Label and Detail, where it is not the page's
	Values   []string // what it will see, such as the name itself
	Optional bool     // voluntary: the person may leave it out
	Checked  bool
}

// pieceFuncs are the components that are not fields.
func (t *templates) pieceFuncs() template.FuncMap {
	type notice struct {
		Kind   Kind
		Title  string
		Detail string
		Links  []Link
	}
	return template.FuncMap{
		"copyable": func(id, label, value string) (template.HTML, error) {
			return t.component("copyable", map[string]string{"ID": id, "Label": label, "Value": value})
		},
		"copyshort": func(label, value string) (template.HTML, error) {
			return t.component("copyshort", map[string]string{"Label": label, "Value": value})
		},
		"copyfield": func(id, label, value string) (template.HTML, error) {
			return t.component("copyfield", map[string]string{"ID": id, "Label": label, "Value": value})
		},
		"codeblock": func(id, title, code string) (template.HTML, error) {
			return t.component("codeblock", map[string]string{"ID": id, "Title": title, "Code": code})
		},
		"secret":  func(s Secret) (template.HTML, error) { return t.component("secret", s) },
		"tabs":    func(tabs []Tab) (template.HTML, error) { return t.component("tabs", tabs) },
		"menu":    func(m Menu) (template.HTML, error) { return t.component("menu", m) },
		"pager":   func(p Pager) (template.HTML, error) { return t.component("pager", p) },
		"consent": func(c Consent) (template.HTML, error) { return t.component("consent", c) },
		"notice": func(kind Kind, title, detail string) (template.HTML, error) {
			return t.component("notice", notice{Kind: kind, Title: title, Detail: detail})
		},
		"flash": func(f Flash) (template.HTML, error) { return t.component("notice", notice(f)) },
		"badge": func(kind Kind, text string) (template.HTML, error) {
			return t.component("badge", map[string]any{"Kind": kind, "Text": text})
		},
		"host": func(host string) (template.HTML, error) { return t.component("host", hostof(host)) },
		"avatar": func(name, logoURL string) (template.HTML, error) {
			return t.component("avatar", map[string]string{"Name": name, "URL": logoURL})
		},
		"searchfield": func(name, label, value string) (template.HTML, error) {
			return t.component("searchfield", map[string]string{"Name": name, "Label": label, "Value": value})
		},
		"menulink": func(text, url string) Link { return Link{text, url} },
		"menuof": func(label, describedBy string, items ...Link) (Menu, error) {
			if len(items) == 0 {
				return Menu{}, fmt.Errorf("menu %q is empty", label)
			}
			return Menu{label, describedBy, items}, nil
		},
	}
}
