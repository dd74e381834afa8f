package sdk

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"time"
)

// Addresses on the server.
const (
	ScriptPath = "/sdk/login.js"
	buttonPath = "/sdk/button/"
)

//go:embed login.js
var script []byte

// file is something to serve, whole.
type file struct {
	kind, etag, cache string
	body              []byte
}

func newFile(kind, cache string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{kind, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, cache, body}
}

// Routes registers the files.
func Routes(mux *http.ServeMux) {
	// The address of the script stays the same while its text changes, so browsers ask
	// again soon; most answers are then a 304.
	files := map[string]file{ScriptPath: newFile("text/javascript; charset=utf-8", "public, max-age=600", script)}
	for _, b := range Buttons() {
		files[b.Path()] = newFile("image/svg+xml", "public, max-age=86400", b.Draw())
	}
	for path, f := range files {
		mux.Handle("GET "+path, f)
	}
}

// ServeHTTP answers pages of any origin (Fetch section 3.6): the file is the same for
// everybody.
func (f file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", f.etag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*") // for script elements with crossorigin and integrity
	// A drawing that is opened by itself is a document: it may run nothing.
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
