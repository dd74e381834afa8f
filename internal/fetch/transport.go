package fetch

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// Transport is for a client library that makes its own requests: the same rules hold
// for them. Its errors are *[Error], which the library may wrap.
func (f *Fetcher) Transport() http.RoundTripper { return transport{f} }

type transport struct{ f *Fetcher }

// RoundTrip reads the whole answer before it gives it, so that one bound of time and
// of bytes holds for all of it.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	u, err := t.f.parse(r.URL.String())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), t.f.timeout)
	defer cancel()
	select {
	case t.f.slots <- struct{}{}:
		defer func() { <-t.f.slots }()
	case <-ctx.Done():
		return nil, &Error{"This server was busy with other addresses. Try again in a minute.", ctx.Err()}
	}
	request := r.Clone(ctx)
	request.Header.Set("User-Agent", "Gatelodge")
	request.Header.Set("Accept-Encoding", "identity")
	answer, err := t.f.transport.RoundTrip(request)
	if err != nil {
		return nil, explain(u.Hostname(), err)
	}
	defer answer.Body.Close()
	body, err := readBody(u.Hostname(), answer, MaxBytes)
	if err != nil {
		return nil, err
	}
	answer.Request, answer.Body, answer.ContentLength = r, io.NopCloser(bytes.NewReader(body.Data)), int64(len(body.Data))
	return answer, nil
}
