package reports

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gatelodge/slate/store"
)

// DownloadLives is how long a download address is good (slate.md section 16).
const DownloadLives = 5 * time.Minute

// DownloadPath is where addresses lead; the rest of the path is an archive's name.
const DownloadPath = "/downloads/"

// DownloadURL is an address under which the archive of a report can be fetched
// without a token for [DownloadLives]; "" for a report without one.
func (l *Library) DownloadURL(r store.Report, now time.Time) string {
	if r.File == "" {
		return ""
	}
	expires := strconv.FormatInt(now.Add(DownloadLives).Unix(), 10)
	// Neither digits nor base64url need to be encoded.
	return l.URL + DownloadPath + r.File + "?expires=" + expires + "&signature=" + l.sign(r.File, expires)
}

func (l *Library) sign(file, expires string) string {
	mac, ok := l.signers.Get().(hash.Hash)
	if !ok {
		mac = hmac.New(sha256.New, l.Key)
	}
	defer l.signers.Put(mac)
	mac.Reset()
	mac.Write([]byte(file + "\n" + expires))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// ServeHTTP answers downloads, parts of files too (RFC 9110 section 14).
func (l *Library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, DownloadPath)
	query := r.URL.Query()
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "A file can only be fetched: use GET.")
		return
	case err != nil || len(query["expires"]) > 1 || len(query["signature"]) > 1 || !hmac.Equal([]byte(query.Get("signature")), []byte(l.sign(name, query.Get("expires")))):
		refuse(w, http.StatusForbidden, "The address is not one that was given out here.")
		return
	case l.Now().After(time.Unix(expires, 0)):
		refuse(w, http.StatusForbidden, "The address has expired. List the reports again to get a new one.")
		return
	}
	file, err := os.Open(filepath.Join(l.Archives, filepath.Base(name)))
	if errors.Is(err, fs.ErrNotExist) {
		refuse(w, http.StatusGone, "A corrected report has taken this one's place. List the reports again.")
		return
	}
	if err != nil {
		l.unreadable(w, r, err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		l.unreadable(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "private, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	// A name says what is in the file, so it serves for comparing too.
	h.Set("ETag", `"`+strings.TrimSuffix(name, ".zip")+`"`)
	http.ServeContent(w, r, name, info.ModTime(), file)
}

// unreadable answers for a folder of archives that cannot be reached: it is the
// operator's to mend, and the same address is good then.
func (l *Library) unreadable(w http.ResponseWriter, r *http.Request, err error) {
	l.Log.ErrorContext(r.Context(), "an archive cannot be opened", "error", err)
	w.Header().Set("Retry-After", "30")
	refuse(w, http.StatusServiceUnavailable, "The file cannot be read at the moment: try again.")
}

func refuse(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(`{"error":"download_refused","error_description":"` + words + `"}`)) // nobody is there when it fails
}
