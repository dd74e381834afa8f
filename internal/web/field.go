package web

import (
	"fmt"
	"html/template"
	"strings"
)

// optionsAfter says how many fixed arguments each component has before its
// pairs of option and value.
var optionsAfter = map[string]int{"field": 2, "choice": 3, "checkbox": 3, "filefield": 2}

// fieldOptions are the options that fields know.
var fieldOptions = []string{
	"label", "rule", "type", "maxlength", "optional", "rows", "autocomplete", "inputmode",
	"placeholder", "check", "mono", "accept", "maxbytes", "preview", "value", "hidelabel", "autofocus", "checked",
}

// alone is the value of a check box that is the only one of its name. It is found by
// the name, as other fields are.
const alone = "yes"

// Choice is one entry of a select.
type Choice struct {
	Value, Text string
}

// fieldView is a field as its template sees it.
type fieldView struct {
	ID, Name, Label, Rule, Type, Value string
	Error, Suggestion                  string
	Invalid, Optional, Mono            bool
	HideLabel, Autofocus, Checked      bool
	Preview                            bool
	MaxLength, Rows                    int
	MaxBytes                           int
	Autocomplete, InputMode            string
	Placeholder, Check, Accept         string
	Choices                            []Choice
	Kept                               *File
}

// DescribedBy lists the elements that explain the field to a screen reader.
func (f fieldView) DescribedBy() string {
	var ids []string
	if f.Rule != "" {
		ids = append(ids, f.ID+"-rule")
	}
	if f.Invalid {
		ids = append(ids, f.ID+"-error")
	}
	return strings.Join(ids, " ")
}

// fieldID is the id of a field's control; error summaries link to it.
func fieldID(name string) string {
	return "f-" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '-'
	}, name)
}

func newField(f *Form, name string, options []any) (fieldView, error) {
	if f == nil {
		f = NewForm(nil)
	}
	v := fieldView{ID: fieldID(name), Name: name, Label: name, Type: "text", Value: f.Values.Get(name)}
	if len(options)%2 != 0 {
		return v, fmt.Errorf("field %s: options come in pairs", name)
	}
	for i := 0; i < len(options); i += 2 {
		option, _ := options[i].(string)
		if err := v.set(option, options[i+1]); err != nil {
			return v, fmt.Errorf("field %s: %w", name, err)
		}
	}
	if v.Type == "password" {
		v.Value = "" // a password is never sent back
	}
	if e, ok := f.Err(name); ok {
		v.Invalid, v.Error, v.Suggestion = true, e.Message, e.Suggestion
		v.Autofocus = f.Errors[0].Field == name
	} else if len(f.Errors) > 0 {
		v.Autofocus = false
	}
	if file, ok := f.Files[name]; ok {
		v.Kept = &file
	}
	return v, nil
}

func (f *fieldView) set(option string, value any) error {
	text := map[string]*string{
		"label": &f.Label, "rule": &f.Rule, "type": &f.Type, "value": &f.Value,
		"autocomplete": &f.Autocomplete, "inputmode": &f.InputMode,
		"placeholder": &f.Placeholder, "check": &f.Check, "accept": &f.Accept,
	}
	number := map[string]*int{"maxlength": &f.MaxLength, "rows": &f.Rows, "maxbytes": &f.MaxBytes}
	flag := map[string]*bool{
		"optional": &f.Optional, "mono": &f.Mono, "preview": &f.Preview,
		"hidelabel": &f.HideLabel, "autofocus": &f.Autofocus, "checked": &f.Checked,
	}
	switch v := value.(type) {
	case string:
		if p := text[option]; p != nil {
			*p = v
			return nil
		}
	case int:
		if p := number[option]; p != nil {
			*p = v
			return nil
		}
	case bool:
		if p := flag[option]; p != nil {
			*p = v
			return nil
		}
	}
	return fmt.Errorf("no option %q of type %T", option, value)
}

// fieldFuncs are the components of forms.
func (k *Kit) fieldFuncs(t *templates) template.FuncMap {
	return template.FuncMap{
		"field": func(f *Form, name string, options ...any) (template.HTML, error) {
			v, err := newField(f, name, options)
			if err != nil {
				return "", err
			}
			return t.component("field", v)
		},
		"choice": func(f *Form, name string, choices []Choice, options ...any) (template.HTML, error) {
			v, err := newField(f, name, options)
			if err != nil {
				return "", err
			}
			v.Choices = choices
			return t.component("choice", v)
		},
		"checkbox": func(f *Form, name, value string, options ...any) (template.HTML, error) {
			v, err := newField(f, name, options)
			if err != nil {
				return "", err
			}
			if value != alone {
				v.ID = fieldID(name + "-" + value)
			}
			for _, posted := range f.values(name) {
				v.Checked = v.Checked || posted == value
			}
			v.Value = value
			return t.component("checkbox", v)
		},
		"filefield": func(f *Form, name string, options ...any) (template.HTML, error) {
			v, err := newField(f, name, options)
			if err != nil {
				return "", err
			}
			return t.component("filefield", v)
		},
		"formhead": func(f *Form) (template.HTML, error) {
			if f == nil {
				f = NewForm(nil)
			}
			return t.component("formhead", f)
		},
		"fieldid": fieldID,
	}
}

func (f *Form) values(name string) []string {
	if f == nil {
		return nil
	}
	return f.Values[name]
}
