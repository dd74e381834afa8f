package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
)

// Handler answers a request or returns why it could not. It never does both:
// the adapter (Kit.Browser, Kit.API) writes the answer to an error and logs it once.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Option changes how a route is served.
type Option func(*route)

type route struct {
	maxBody   int64
	anyOrigin bool
	meter     atomic.Pointer[meter] // of its last request
}

// MaxBody lets a route take bodies of up to n bytes instead of FormBody.
func MaxBody(n int64) Option { return func(rt *route) { rt.maxBody = n } }

// AnyOrigin lets pages of other sites post to a route: an authorization request
// may come as a form from the application (OpenID Connect Core section 3.1.2.1).
// Its handler must do nothing in the name of whoever is signed in.
func AnyOrigin() Option { return func(rt *route) { rt.anyOrigin = true } }

func newRoute(opts []Option) *route {
	rt := &route{maxBody: FormBody}
	for _, o := range opts {
		o(rt)
	}
	return rt
}

// Browser adapts a handler of pages: request id and log record, security
// headers, the refusal of cross-origin unsafe requests, the body limit, and
// errors and panics as pages.
func (k *Kit) Browser(h Handler, opts ...Option) http.Handler {
	rt := newRoute(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, r, req := k.begin(w, r)
		for name, values := range k.headers {
			res.Header()[name] = values
		}
		body := r.Body
		r.Body = http.MaxBytesReader(res, r.Body, rt.maxBody)

		err := k.origin.Check(r)
		if err != nil && !rt.anyOrigin {
			err = crossOrigin(err)
		} else {
			err = guard(h, res, r)
		}
		if err != nil && res.status == 0 {
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				drain(body)
			}
			if perr := k.writeErrorPage(res, r, err); perr != nil {
				err = errors.Join(err, perr)
			}
		}
		k.record(rt, r, res, req, err)
	})
}

// API adapts a handler of programs' requests. Surfaces write the errors of
// their protocol themselves; only what nobody foresaw is answered here.
func (k *Kit) API(h Handler, opts ...Option) http.Handler {
	rt := newRoute(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, r, req := k.begin(w, r)
		res.Header().Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(res, r.Body, rt.maxBody)
		err := guard(h, res, r)
		if err != nil && res.status == 0 {
			if werr := k.writeAPIError(res, r, err); werr != nil {
				err = errors.Join(err, werr)
			}
		}
		k.record(rt, r, res, req, err)
	})
}

// guard calls h and turns a panic into an error; the stack goes to the log.
func guard(h Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v) // net/http's own word for "drop the connection"
		default:
			LogAttr(r.Context(), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return h(w, r)
}

// drain reads on for a while after a body was found too large: a browser that
// is still sending shows a broken connection instead of the page.
func drain(body io.Reader) {
	io.CopyN(io.Discard, body, 32<<20)
}

func (k *Kit) writeAPIError(w http.ResponseWriter, r *http.Request, err error) error {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		w.WriteHeader(statusClientGone)
		return nil
	}
	answer := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
		RequestID   string `json:"request_id"`
	}{"server_error", "", RequestID(r.Context())}
	status := http.StatusInternalServerError
	clearAnswer(w.Header())
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
		answer.Error, answer.Description = "invalid_request", "The request body is too large"
	} else if k.passing(err) {
		status = http.StatusServiceUnavailable
		answer.Error, answer.Description = "temporarily_unavailable", "The service is temporarily unavailable"
		w.Header().Set("Retry-After", retryAfter)
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, err = w.Write(b)
	return err
}

// retryAfter is how many seconds to wait before the same is asked again.
const retryAfter = "1"

// statusClientGone is what the log says of a request whose sender hung up.
const statusClientGone = 499
