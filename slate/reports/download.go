package reports

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gatelodge/slate/store"
)

// DownloadLives is how long a download address is good (slate.md section 16).
const DownloadLives = 5 * time.Minute

// DownloadPath is where addresses lead; the rest of the path is an archive's name, and
// what the download is called, such as
//
//	0123….zip/Sample-Channel-(US)_Subscription-Weekly_2030-01-07_2030-01-13.zip
const DownloadPath = "/downloads/"

// Title is what the downloads of a report type are called, before the period.
type Title struct{ plain, escaped string }

// NewTitle makes a title of the names in the reports' folder.
func NewTitle(channel, kind string) Title {
	plain := plainName(channel) + "_" + plainName(kind) + "_"
	return Title{plain, url.PathEscape(plain)}
}

// AppendDownloadURL appends an address under which the archive of a report can be
// fetched without a token for [DownloadLives]. It ends with the name of the download,
// which is signed like the rest.
func (l *Library) AppendDownloadURL(b []byte, r store.Report, title Title, now time.Time) []byte {
	var text [64]byte
	period := r.Begin.AppendFormat(text[:0], time.DateOnly)
	period = append(r.End.AppendFormat(append(period, '_'), time.DateOnly), ".zip"...)
	var digits [20]byte
	expires := strconv.AppendInt(digits[:0], now.Add(DownloadLives).Unix(), 10)

	b = append(append(append(b, l.URL...), DownloadPath...), r.File...)
	b = append(append(append(b, '/'), title.escaped...), period...)
	b = append(append(b, "?expires="...), expires...)
	s := l.signer()
	defer l.signers.Put(s)
	s.text = append(append(s.text[:0], r.File...), '/')
	s.text = append(append(s.text, title.plain...), period...)
	return s.append(append(b, "&signature="...), expires) // base64url needs no encoding
}

// DownloadURL is the address that AppendDownloadURL appends.
func (l *Library) DownloadURL(r store.Report, title Title, now time.Time) string {
	return string(l.AppendDownloadURL(nil, r, title, now))
}

// signer holds the key, so that the many addresses of a page cost little.
type signer struct {
	mac  hash.Hash
	text []byte // what is signed, before the time at which it ends
	sum  [sha256.Size]byte
}

func (l *Library) signer() *signer {
	if s, ok := l.signers.Get().(*signer); ok {
		return s
	}
	return &signer{mac: hmac.New(sha256.New, l.Key)}
}

// append appends the signature of the text.
func (s *signer) append(b, expires []byte) []byte {
	s.text = append(append(s.text, '\n'), expires...)
	s.mac.Reset()
	s.mac.Write(s.text)
	return base64.RawURLEncoding.AppendEncode(b, s.mac.Sum(s.sum[:0]))
}

// signed reports whether a signature is the one of a path below DownloadPath.
func (l *Library) signed(path, expires, signature string) bool {
	s := l.signer()
	defer l.signers.Put(s)
	s.text = append(s.text[:0], path...)
	return hmac.Equal([]byte(signature), s.append(nil, []byte(expires)))
}

// ServeHTTP answers downloads, parts of files too (RFC 9110 section 14).
func (l *Library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, DownloadPath)
	query := r.URL.Query()
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "A file can only be fetched: use GET.")
		return
	case err != nil || len(query["expires"]) > 1 || len(query["signature"]) > 1 || !l.signed(path, query.Get("expires"), query.Get("signature")):
		refuse(w, http.StatusForbidden, "The address is not one that was given out here.")
		return
	case l.Now().After(time.Unix(expires, 0)):
		refuse(w, http.StatusForbidden, "The address has expired. List the reports again to get a new one.")
		return
	}
	name, title, _ := strings.Cut(path, "/")
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
	h.Set("Content-Disposition", disposition(cmp.Or(title, name)))
	h.Set("Cache-Control", "private, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	// A name says what is in the file, so it serves for comparing too.
	h.Set("ETag", `"`+strings.TrimSuffix(name, ".zip")+`"`)
	http.ServeContent(w, r, name, info.ModTime(), file)
}

// disposition is the value of Content-Disposition for a name that [plainName] made: in
// ASCII for all, and as it is for those that know RFC 8187 (RFC 6266 appendix D).
func disposition(name string) string {
	ascii := strings.Map(func(c rune) rune {
		if c > unicode.MaxASCII {
			return '-'
		}
		return c
	}, name)
	value := `attachment; filename="` + ascii + `"`
	if ascii != name {
		value += "; filename*=UTF-8''" + url.PathEscape(name)
	}
	return value
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
