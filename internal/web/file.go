package web

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"unicode"
)

// File is an uploaded file, or the copy of one that travelled in the form.
type File struct {
	Name string // as the browser said, without folders; never a path to write to
	Data []byte
}

// Fields under which a file travels in a form that is shown again: a browser
// never fills a file input by itself.
const (
	keptSuffix     = ".kept"
	keptNameSuffix = ".kept_name"
)

// ErrFileTooLarge is returned by Form.File for a file above the limit.
var ErrFileTooLarge = errors.New("web: file too large")

// File returns the file chosen in the input called name or, when none was
// chosen, the copy kept from an earlier attempt. A file that is accepted is
// also remembered in f.Files, so that rendering the form again keeps it;
// forget one that turned out to be no picture with delete(f.Files, name).
// The second result is false when there is neither.
func (f *Form) File(r *http.Request, name string, limit int64) (File, bool, error) {
	file, ok, err := postedFile(r, name, limit)
	if err != nil || !ok {
		return File{}, false, err
	}
	f.Files[name] = file
	return file, true, nil
}

func postedFile(r *http.Request, name string, limit int64) (File, bool, error) {
	if r.MultipartForm != nil {
		if headers := r.MultipartForm.File[name]; len(headers) > 0 && headers[0].Filename != "" {
			part, err := headers[0].Open()
			if err != nil {
				return File{}, false, fmt.Errorf("open upload: %w", err)
			}
			defer part.Close()
			data, err := io.ReadAll(io.LimitReader(part, limit+1))
			if err != nil {
				return File{}, false, fmt.Errorf("read upload: %w", err)
			}
			if int64(len(data)) > limit {
				return File{}, false, ErrFileTooLarge
			}
			return File{Name: plainName(headers[0].Filename), Data: data}, true, nil
		}
	}
	kept := r.PostForm.Get(name + keptSuffix)
	if kept == "" {
		return File{}, false, nil
	}
	if int64(base64.StdEncoding.DecodedLen(len(kept))) > limit+2 {
		return File{}, false, ErrFileTooLarge
	}
	data, err := base64.StdEncoding.DecodeString(kept)
	if err != nil {
		// Only someone who edits our hidden field gets here; there is no file then.
		return File{}, false, nil
	}
	if int64(len(data)) > limit {
		return File{}, false, ErrFileTooLarge
	}
	return File{Name: plainName(r.PostForm.Get(name + keptNameSuffix)), Data: data}, true, nil
}

// Kept is the file's content as the hidden field carries it.
func (f File) Kept() string { return base64.StdEncoding.EncodeToString(f.Data) }

// plainName cuts a file name down to something that can be shown.
func plainName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > 80 {
		name = string(runes[:80])
	}
	if name == "." || name == "/" || name == "" {
		return "file"
	}
	return name
}
