package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Label names a form field for people. When the server fails, the page that
// gives back what was typed shows the fields in the order in which their labels
// were registered. A Label with empty Text marks a field that carries no typed
// text (a version, a sealed value, a button): it travels along unseen. One that is
// Chosen was picked from what there is: it is shown, and travels along as it is.
type Label struct {
	Name, Text string
	Chosen     bool
}

// Labels registers the labels of forms that are posted below a path; of several
// paths the longest counts. Numbered fields ("return_url.0") are found by their
// stem. Call it while the program starts, before the first request.
func (k *Kit) Labels(path string, labels ...Label) {
	k.labels[path] = append(k.labels[path], labels...)
}

// labelSet is what is known of the fields below one path.
type labelSet []Label

// labelsFor finds the labels of the forms that are posted to a path.
func (k *Kit) labelsFor(path string) labelSet {
	longest := ""
	for prefix := range k.labels {
		if strings.HasPrefix(path, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return k.labels[longest]
}

// errBody marks a body that could not be read as a form.
type errBody struct{ err error }

func (e *errBody) Error() string { return "read form: " + e.err.Error() }
func (e *errBody) Unwrap() error { return e.err }

func bodyError(err error) error { return &errBody{err} }

// writeErrorPage answers an error. An *Error is its own page; a body that is
// no form is the sender's fault; everything else is ours.
func (k *Kit) writeErrorPage(w http.ResponseWriter, r *http.Request, err error) error {
	clearAnswer(w.Header())
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		w.WriteHeader(statusClientGone)
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return k.writePage(w, r, tooLarge(err))
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Status != http.StatusInternalServerError {
		return k.writePage(w, r, e)
	}
	if _, ok := errors.AsType[*errBody](err); ok {
		return k.writePage(w, r, &Error{
			Status: http.StatusBadRequest, Title: "This form could not be read",
			Detail: "What arrived is not a complete form. Nothing was changed.",
			Turn:   YourTurn, Next: "Go back and send it again.",
		})
	}
	if k.passing(err) {
		w.Header().Set("Retry-After", retryAfter)
		return k.writeFailure(w, r, http.StatusServiceUnavailable, "We cannot answer at the moment")
	}
	return k.writeFailure(w, r, http.StatusInternalServerError, "Internal Server error")
}

func (k *Kit) writePage(w http.ResponseWriter, r *http.Request, e *Error) error {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	return k.errors.Render(w, r, cmp.Or(e.Status, http.StatusInternalServerError), "error", Page{
		Title: e.Title, Narrow: true,
		Data: struct {
			*Error
			RequestID string
		}{e, RequestID(r.Context())},
	})
}

// writeFailure is the page of 500 and 503. It asks nothing of anyone but the request
// itself: database, session and surfaces may all be down.
func (k *Kit) writeFailure(w http.ResponseWriter, r *http.Request, status int, title string) error {
	data := struct {
		RequestID string
		Title     string
		Passing   bool // it will go away by itself
		Posted    *posted
		Retry     string
		Look      string // where to see whether the change was made
	}{RequestID: RequestID(r.Context()), Title: title, Passing: status == http.StatusServiceUnavailable}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		data.Retry = localURL(r.URL)
	case http.MethodPost:
		data.Posted, data.Look = k.rebuild(r), postedFrom(r)
	}
	return k.errors.Render(w, r, status, "failure", Page{
		Title: title, Narrow: true, Data: data,
	})
}

// postedFrom is the page that a form was on, "" where the browser does not say.
func postedFrom(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host == "" || from.Host != r.Host {
		return ""
	}
	return localURL(from)
}

// localURL is the address of this request as a link that cannot leave this
// origin: "//host" and "/\host" would.
func localURL(u *url.URL) string {
	p := u.EscapedPath()
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.HasPrefix(p, `/\`) {
		return "/"
	}
	if u.RawQuery != "" {
		// A raw "#" would begin a fragment, and the rest would not be sent again.
		p += "?" + strings.ReplaceAll(u.RawQuery, "#", "%23")
	}
	return p
}

// posted is a form rebuilt from nothing but what was sent.
type posted struct {
	Multipart bool
	Fields    []postedField
	Hidden    []postedField
	Files     []postedFileField
}

type postedField struct {
	ID, Name, Label, Value string
	Secret, Long, Chosen   bool
}

type postedFileField struct {
	Name, Label string
	File        File
	Lost        bool
}

// keepLimit is the largest file that travels back in a rebuilt form.
const keepLimit = 1 << 20

// rebuild returns the form that was posted, or nil when there was none to read.
func (k *Kit) rebuild(r *http.Request) *posted {
	if err := parseBody(r); err != nil && r.PostForm == nil {
		return nil
	}
	p := &posted{Multipart: r.MultipartForm != nil}
	labels := k.labelsFor(r.URL.Path)
	for _, name := range labels.order(slices.Collect(maps.Keys(r.PostForm))) {
		if strings.HasSuffix(name, keptSuffix) || strings.HasSuffix(name, keptNameSuffix) {
			continue
		}
		values := r.PostForm[name]
		label, visible := labels.label(name)
		secret, chosen := isSecretName(name), labels.chosen(name)
		for i, v := range values {
			f := postedField{
				ID: fmt.Sprintf("p%d", len(p.Fields)), Name: name, Label: label, Value: v, Secret: secret, Chosen: chosen,
				Long: len(v) > 60 || strings.ContainsAny(v, "\r\n"),
			}
			if len(values) > 1 {
				f.Label = fmt.Sprintf("%s %d", label, i+1)
			}
			switch {
			case secret:
				// Never echoed, not even to its owner, nor in a field that is not seen.
				f.Value, f.Long, f.Label = "", false, cmp.Or(label, spell(name))
				p.Fields = append(p.Fields, f)
			case visible:
				p.Fields = append(p.Fields, f)
			default:
				p.Hidden = append(p.Hidden, f)
			}
		}
	}
	for _, name := range fileNames(r) {
		label, _ := labels.label(name)
		file, ok, err := postedFile(r, name, keepLimit)
		if ok || err != nil {
			p.Files = append(p.Files, postedFileField{Name: name, Label: label, File: file, Lost: err != nil})
		}
	}
	if len(p.Fields)+len(p.Hidden)+len(p.Files) == 0 {
		return nil
	}
	return p
}

// fileNames lists the file inputs of a posted form, chosen or kept.
func fileNames(r *http.Request) []string {
	names := map[string]bool{}
	if r.MultipartForm != nil {
		for name := range r.MultipartForm.File {
			names[name] = true
		}
	}
	for name := range r.PostForm {
		if stem, ok := strings.CutSuffix(name, keptSuffix); ok {
			names[stem] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// isSecretName tells fields whose content is never sent back.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "password") || strings.Contains(name, "secret")
}

// label finds the label of a field; visible is false for one that carries no typed text.
func (s labelSet) label(name string) (text string, visible bool) {
	if i := s.index(name); i < len(s) {
		l := s[i]
		if _, number := splitNumber(name); l.Text != "" && l.Name != name {
			return fmt.Sprintf("%s %d", l.Text, number+1), true
		}
		return l.Text, l.Text != ""
	}
	return spell(name), true
}

func (s labelSet) chosen(name string) bool {
	i := s.index(name)
	return i < len(s) && s[i].Chosen
}

// spell makes a label out of a name that has none.
func spell(name string) string {
	words := strings.NewReplacer("_", " ", "-", " ", ".", " ").Replace(name)
	first, size := utf8.DecodeRuneInString(words)
	if size == 0 {
		return "Field"
	}
	return string(unicode.ToUpper(first)) + words[size:]
}

// splitNumber splits "return_url.2" into its stem and 2; number is -1 without one.
func splitNumber(name string) (stem string, number int) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, -1
	}
	n, err := strconv.Atoi(name[i+1:])
	if err != nil || n < 0 {
		return name, -1
	}
	return name[:i], n
}

// order sorts names as their labels were registered, rows of numbered
// fields together, unknown names last.
func (s labelSet) order(names []string) []string {
	slices.SortFunc(names, func(a, b string) int {
		stemA, na := splitNumber(a)
		stemB, nb := splitNumber(b)
		return cmp.Or(cmp.Compare(s.index(a), s.index(b)), cmp.Compare(stemA, stemB), cmp.Compare(na, nb))
	})
	return names
}

// index is where the label of a field stands, its own before that of its
// stem; after all others when there is none.
func (s labelSet) index(name string) int {
	stem, _ := splitNumber(name)
	for _, n := range []string{name, stem} {
		if i := slices.IndexFunc(s, func(l Label) bool { return l.Name == n }); i >= 0 {
			return i
		}
	}
	return len(s)
}
