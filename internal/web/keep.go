package web

import (
	"net/http"
	"net/url"
)

// Keep puts the files that were uploaded with the form, and copies kept from
// earlier attempts, into values in the form in which [Form.File] finds them again.
// Files over limit are left out.
func (f *Form) Keep(r *http.Request, values url.Values, limit int64) {
	if r.MultipartForm == nil {
		return
	}
	for name := range r.MultipartForm.File {
		if file, ok, err := f.File(r, name, limit); err == nil && ok {
			values.Set(name+keptSuffix, file.Kept())
			values.Set(name+keptNameSuffix, file.Name)
		}
	}
}
