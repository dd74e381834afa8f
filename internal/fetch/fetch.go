package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// MaxBytes is the limit of an answer for all that is text.
const MaxBytes = 64 << 10

const (
	deadline  = 5 * time.Second
	atOnce    = 16
	maxHeader = 16 << 10
)

// Error says why nothing was fetched.
type Error struct {
	// Words are a sentence for the owner of the address. They hold nothing that the
	// owner did not write, and nothing of the network that the server is in.
	Words string
	cause error // for the log alone: it may name internal addresses
}

func (e *Error) Error() string {
	if e.cause == nil {
		return "fetch: " + e.Words
	}
	return "fetch: " + e.Words + " (" + e.cause.Error() + ")"
}

func (e *Error) Unwrap() error { return e.cause }

func refuse(format string, args ...any) *Error {
	return &Error{Words: fmt.Sprintf(format, args...)}
}

// Options are what a Fetcher is made of.
type Options struct {
	// AllowLoopback is for a server whose own issuer is on loopback: clients may
	// then be on the same machine, by http too and on any port.
	AllowLoopback bool
}

// Fetcher makes requests to addresses that clients name. It is safe for concurrent
// use.
type Fetcher struct {
	allowLoopback bool
	timeout       time.Duration
	slots         chan struct{}
	dialer        *net.Dialer
	transport     *http.Transport
}

// New returns a fetcher for the whole process to share.
func New(o Options) *Fetcher { return newFetcher(o, deadline) }

func newFetcher(o Options, timeout time.Duration) *Fetcher {
	f := &Fetcher{allowLoopback: o.AllowLoopback, timeout: timeout, slots: make(chan struct{}, atOnce)}
	// The transport goes on dialing for a request that has ended, so that dialing
	// and handshake need bounds of their own.
	f.dialer = &net.Dialer{Timeout: timeout, Control: f.control}
	f.transport = &http.Transport{
		// Proxy stays nil: a proxy would resolve names for us, beyond the check.
		DialContext:            f.dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    timeout,
		DisableKeepAlives:      true, // hosts are many and anyone's; a POST is never sent twice
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	return f
}

// errNotPublic is a connection that was not made because of its address.
var errNotPublic = errors.New("not a public address")

// control judges the address that is about to be connected to, after its name was
// resolved. Each of a name's addresses comes here before it is used.
func (f *Fetcher) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if reason := f.refusal(at.Addr()); reason != "" {
		return fmt.Errorf("%w: %s: %s", errNotPublic, at.Addr(), reason)
	}
	return nil
}

// Body is what was fetched.
type Body struct {
	Data []byte
	// MediaType is what the answer says that it is, without parameters, "" when it
	// says nothing that can be read. It is a stranger's word.
	MediaType string

	cacheControl string
}

// Get reads what is at an address, of at most limit bytes: [MaxBytes], or an image's
// own limit. accept is the header of that name. Its errors are *[Error].
func (f *Fetcher) Get(ctx context.Context, address, accept string, limit int64) (Body, error) {
	var body Body
	header := http.Header{"Accept": {accept}}
	err := f.exchange(ctx, http.MethodGet, address, header, "", func(host string, answer *http.Response) (err error) {
		if answer.StatusCode != http.StatusOK {
			return refuseStatus(host, answer.StatusCode)
		}
		body, err = readBody(host, answer, limit)
		return err
	})
	return body, err
}

// PostForm sends a form. The status is 0 when there was no answer; what the answer
// says beside it is not read. 200 and 204 are success (OpenID Connect Back-Channel
// Logout 1.0 section 2.8), everything else has an *[Error] too.
func (f *Fetcher) PostForm(ctx context.Context, address string, form url.Values) (status int, err error) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	err = f.exchange(ctx, http.MethodPost, address, header, form.Encode(), func(host string, answer *http.Response) error {
		status = answer.StatusCode
		if status != http.StatusOK && status != http.StatusNoContent {
			return refuseStatus(host, status)
		}
		return nil
	})
	return status, err
}

// exchange makes one request. It goes to the transport and not by way of an
// [http.Client], which would add redirects, cookies and the credentials of an address.
func (f *Fetcher) exchange(ctx context.Context, method, address string, header http.Header, form string, read func(host string, answer *http.Response) error) error {
	u, err := f.parse(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return &Error{"This server was busy with other addresses. Try again in a minute.", ctx.Err()}
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(form))
	if err != nil {
		return &Error{"This is not an address that can be requested.", err}
	}
	request.Header = header
	request.Header.Set("User-Agent", "Gatelodge")
	// A few bytes that unpack to many are not asked for, and not taken.
	request.Header.Set("Accept-Encoding", "identity")
	answer, err := f.transport.RoundTrip(request)
	if err != nil {
		return explain(u.Hostname(), err)
	}
	defer answer.Body.Close()
	return read(u.Hostname(), answer)
}

func refuseStatus(host string, status int) error {
	if status >= 300 && status < 400 {
		return refuse("%s answers with a redirect (status %d), which is not followed: give the address where it ends.", host, status)
	}
	return refuse("%s answers with status %d.", host, status)
}

func readBody(host string, answer *http.Response, limit int64) (Body, error) {
	if coding := answer.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return Body{}, refuse("The answer of %s is compressed, though it was asked for as it is.", host)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return Body{}, explain(host, err)
	case int64(len(data)) > limit:
		return Body{}, refuse("The answer of %s has more than %d KiB.", host, limit>>10)
	}
	mediaType, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil {
		mediaType = ""
	}
	return Body{data, mediaType, strings.Join(answer.Header.Values("Cache-Control"), ",")}, nil
}

// explain finds the words for what went wrong on the way.
func explain(host string, err error) *Error {
	var timeout net.Error
	words := "The answer of %s cannot be read, or the connection broke."
	switch {
	// One sentence for both: a stranger who could tell them apart would learn the
	// names of an internal network.
	case errors.Is(err, errNotPublic), is[*net.DNSError](err):
		words = "%s cannot be reached: its name leads to no address on the public internet."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		words = "%s did not answer in full within 5 seconds."
	case is[*tls.CertificateVerificationError](err):
		words = "The certificate of %s is not accepted: it has to be valid for this name and today, by an authority that browsers trust."
	case is[tls.RecordHeaderError](err), errors.Is(err, http.ErrSchemeMismatch):
		words = "%s does not speak TLS there."
	case isDial(err):
		words = "No connection could be made to %s."
	}
	return &Error{fmt.Sprintf(words, host), err}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
