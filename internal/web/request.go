package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// request is what one request gathers on its way: its id and what its record
// in the log will say.
type request struct {
	id      string
	started time.Time

	mu    sync.Mutex
	attrs []slog.Attr
	route string // where the pattern says too little
}

type requestKey struct{}

// RequestID returns the id of the request that ctx belongs to, or "" outside of one.
func RequestID(ctx context.Context) string {
	if req, ok := ctx.Value(requestKey{}).(*request); ok {
		return req.id
	}
	return ""
}

// LogAttr adds to the one record that is written when the request is over.
// Never hand it a credential, a query string or anything from a body.
func LogAttr(ctx context.Context, attrs ...slog.Attr) {
	req, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return
	}
	req.mu.Lock()
	defer req.mu.Unlock()
	req.attrs = append(req.attrs, attrs...)
}

// SetRoute names the route of a request whose pattern stands for several. The name
// is one of a few constants: it is counted by, and nothing of the address.
func SetRoute(ctx context.Context, name string) {
	req, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return
	}
	req.mu.Lock()
	defer req.mu.Unlock()
	req.route = name
}

// newRequestID returns a random UUID (RFC 9562 section 5.4), the shape of
// Login with Amazon's request ids.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	const dashed = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	text := []byte(dashed)
	hex.Encode(text, b[0:4])
	hex.Encode(text[9:], b[4:6])
	hex.Encode(text[14:], b[6:8])
	hex.Encode(text[19:], b[8:10])
	hex.Encode(text[24:], b[10:16])
	return string(text)
}

func (k *Kit) begin(w http.ResponseWriter, r *http.Request) (*response, *http.Request, *request) {
	req := &request{id: newRequestID(), started: k.now()}
	w.Header().Set("X-Amzn-Requestid", req.id)
	return &response{ResponseWriter: w}, r.WithContext(context.WithValue(r.Context(), requestKey{}, req)), req
}

// record counts the request and writes its one line. The route is the matched pattern: the
// raw URL may hold codes, states and names of people.
func (k *Kit) record(rt *route, r *http.Request, w *response, req *request, err error) {
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	_, route, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		route = r.Pattern
	}
	took := k.now().Sub(req.started)
	req.mu.Lock()
	route, more := cmp.Or(req.route, route), req.attrs
	req.mu.Unlock()
	k.meters.meter(&rt.meter, route).count(r.Method, status, took)
	attrs := []slog.Attr{
		slog.String("method", knownMethod(r.Method)),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Duration("duration", took),
		slog.Int64("bytes", w.bytes),
		slog.String("request_id", req.id),
	}
	attrs = append(attrs, more...)
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	k.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// knownMethod keeps the log free of words that a stranger made up.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// response notes what was sent.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom lets the kernel copy files, which http.ServeContent sends.
func (w *response) ReadFrom(from io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := io.Copy(w.ResponseWriter, from)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
