package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Form is what a person typed and what is wrong with it. Handlers fill it from
// the request, add errors, and render it again with status 422 until it is OK.
type Form struct {
	Values url.Values
	Errors []FieldError
	Files  map[string]File
}

// FieldError says in words what is wrong with one field. Suggestion, when not
// empty, is a value that would be accepted; the person takes it with a button.
type FieldError struct {
	Field      string
	Message    string
	Suggestion string
}

const suggestPrefix = "suggest."

// NewForm makes a form that shows values.
func NewForm(values url.Values) *Form {
	if values == nil {
		values = url.Values{}
	}
	return &Form{Values: values, Files: map[string]File{}}
}

// ParseForm reads a posted form, urlencoded or multipart; query parameters are
// left out. Its errors are answered by the adapter (413 for too large a body).
func ParseForm(r *http.Request) (*Form, error) {
	if err := parseBody(r); err != nil {
		return nil, err
	}
	return NewForm(r.PostForm), nil
}

// parseBody parses either kind of form, wholly in memory: the body is limited already.
func parseBody(r *http.Request) error {
	// First, because ParseMultipartForm says only "not multipart" of an urlencoded
	// body that it could not read.
	if err := r.ParseForm(); err != nil {
		return bodyError(err)
	}
	err := r.ParseMultipartForm(UploadBody)
	if err == http.ErrNotMultipart {
		return nil
	}
	if err != nil {
		return bodyError(err)
	}
	return nil
}

// Get returns the first value of a field with the blanks around it removed.
func (f *Form) Get(name string) string { return strings.TrimSpace(f.Values.Get(name)) }

// Fail adds an error to a field.
func (f *Form) Fail(field, message string) {
	f.Errors = append(f.Errors, FieldError{Field: field, Message: message})
}

// Suggest adds an error together with a value that would be right.
func (f *Form) Suggest(field, message, suggestion string) {
	f.Errors = append(f.Errors, FieldError{Field: field, Message: message, Suggestion: suggestion})
}

// OK reports whether nothing is wrong.
func (f *Form) OK() bool { return len(f.Errors) == 0 }

// Err returns the first error of a field.
func (f *Form) Err(field string) (FieldError, bool) {
	i := slices.IndexFunc(f.Errors, func(e FieldError) bool { return e.Field == field })
	if i < 0 {
		return FieldError{}, false
	}
	return f.Errors[i], true
}

// Pressed reports whether the form was sent by the submit button of that name,
// such as "add" below a list of rows.
func (f *Form) Pressed(button string) bool { return f.Values.Has(button) }

// TakeSuggestion applies a pressed "Use this instead" button. When it reports
// true the form is to be shown again with the value in place, not to be saved.
func (f *Form) TakeSuggestion() bool {
	for name, values := range f.Values {
		if field, ok := strings.CutPrefix(name, suggestPrefix); ok && len(values) > 0 {
			f.Values.Del(name)
			f.Values.Set(field, values[0])
			return true
		}
	}
	return false
}

// maxRows bounds the rows of a list in a form, whatever numbers were posted.
const maxRows = 100

// Rows is the number of rows of a list whose fields are called stem.0, stem.1
// and so on; there is always one, so that there is something to type into.
func (f *Form) Rows(stem string) int {
	rows := 1
	for name := range f.Values {
		if s, n := splitNumber(name); s == stem && n < maxRows {
			rows = max(rows, n+1)
		}
	}
	return rows
}

// AddRow adds an empty row, for the button "Add another" without JavaScript.
func (f *Form) AddRow(stem string) {
	if n := f.Rows(stem); n < maxRows {
		f.Values.Set(fmt.Sprintf("%s.%d", stem, n), "")
	}
}

// Column returns what is in each row of a list, without the blanks around it;
// empty rows are in it too, so that an index is the number in the field's name.
func (f *Form) Column(stem string) []string {
	column := make([]string, f.Rows(stem))
	for i := range column {
		column[i] = f.Get(fmt.Sprintf("%s.%d", stem, i))
	}
	return column
}
