package fetch

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// discard takes what the servers of tests say about broken connections.
var discard = log.New(io.Discard, "", 0)

// serve runs a web server on loopback, by TLS, and a fetcher that trusts it.
func serve(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *Fetcher) {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = discard
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv, trusting(srv, newFetcher(Options{AllowLoopback: true}, deadline))
}

func trusting(srv *httptest.Server, f *Fetcher) *Fetcher {
	f.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	f.transport.TLSClientConfig.RootCAs.AddCert(srv.Certificate())
	return f
}

func TestGet(t *testing.T) {
	var got http.Header
	var path string
	srv, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, path = r.Header, r.RequestURI
		w.Header().Set("Content-Type", "Application/JSON; charset=utf-8")
		w.Header().Set("Set-Cookie", "a=b")
		io.WriteString(w, `{}`)
	})
	if f.transport.Proxy != nil {
		t.Error("a proxy would resolve names for us, beyond the check")
	}
	for range 2 { // the cookie does not come back
		body, err := f.Get(t.Context(), srv.URL+"/a%2Fb?c=d%20e", "image/png", MaxBytes)
		if err != nil {
			t.Fatal(err)
		}
		if string(body.Data) != "{}" || body.MediaType != "application/json" {
			t.Errorf("%+v", body)
		}
		want := http.Header{"Accept": {"image/png"}, "Accept-Encoding": {"identity"}, "User-Agent": {"Gatelodge"}, "Connection": {"close"}}
		if diff := cmp.Diff(want, got); diff != "" || path != "/a%2Fb?c=d%20e" {
			t.Errorf("asked for %q (-want +got):\n%s", path, diff)
		}
	}
}

func TestPlainLoopback(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost"} {
		body, err := New(Options{AllowLoopback: true}).Get(t.Context(), "http://"+host+":"+port, "", MaxBytes)
		if err != nil || string(body.Data) != "here" || body.MediaType != "text/plain" {
			t.Errorf("%s: %+v, %v", host, body, err)
		}
	}
}

func TestPostForm(t *testing.T) {
	status := http.StatusOK
	var got string
	srv, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.Header.Get("Content-Type") + " " + string(text)
		w.WriteHeader(status)
	})
	for _, tc := range []struct {
		status int
		words  string
	}{
		{200, ""},
		{204, ""},
		{201, "127.0.0.1 answers with status 201."},
		{400, "127.0.0.1 answers with status 400."},
		{501, "127.0.0.1 answers with status 501."},
		{307, "127.0.0.1 answers with a redirect (status 307), which is not followed: give the address where it ends."},
	} {
		status = tc.status
		n, err := f.PostForm(t.Context(), srv.URL+"/logout", url.Values{"logout_token": {"a.b+c"}})
		if n != tc.status || words(t, err) != tc.words {
			t.Errorf("status %d: %d, %v", tc.status, n, err)
		}
		if want := "POST application/x-www-form-urlencoded logout_token=a.b%2Bc"; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
	srv.Close()
	if n, err := f.PostForm(t.Context(), srv.URL, nil); n != 0 || words(t, err) != "No connection could be made to 127.0.0.1." {
		t.Errorf("without a server: %d, %v", n, err)
	}
}

// TestGetRefuses has answers of a stranger's server that are not taken.
func TestGetRefuses(t *testing.T) {
	const unreadable = "The answer of 127.0.0.1 cannot be read, or the connection broke."
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"not there":    {http.NotFound, "127.0.0.1 answers with status 404."},
		"empty":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "127.0.0.1 answers with status 204."},
		"cached":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "127.0.0.1 answers with a redirect (status 304), which is not followed: give the address where it ends."},
		"one too long": {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, MaxBytes+1)) }, "The answer of 127.0.0.1 has more than 64 KiB."},
		"without an end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write(make([]byte, 4096))
			}
		}, "The answer of 127.0.0.1 has more than 64 KiB."},
		"compressed bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 16<<20))
			z.Close()
		}, "The answer of 127.0.0.1 is compressed, though it was asked for as it is."},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
		}, unreadable},
		"long header":   {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", maxHeader)) }, unreadable},
		"breaks off":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, unreadable},
		"another's way": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }, "127.0.0.1 answers with status 407."},
	} {
		t.Run(name, func(t *testing.T) {
			srv, f := serve(t, tc.answer)
			body, err := f.Get(t.Context(), srv.URL+"/?key=secret", "application/json", MaxBytes)
			if words(t, err) != tc.want || body.Data != nil {
				t.Errorf("%d bytes, %v; want %q", len(body.Data), err, tc.want)
			}
			// The address may hold a secret of its owner, and the error goes to the log.
			if strings.Contains(fmt.Sprintf("%v %+v", err, errors.Unwrap(err)), "secret") {
				t.Errorf("the error tells the address: %v", err)
			}
		})
	}
	t.Run("the longest", func(t *testing.T) {
		srv, f := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, MaxBytes)) })
		if body, err := f.Get(t.Context(), srv.URL, "", MaxBytes); err != nil || len(body.Data) != MaxBytes {
			t.Errorf("%d bytes, %v", len(body.Data), err)
		}
	})
	t.Run("certificate", func(t *testing.T) {
		srv, _ := serve(t, http.NotFound)
		_, err := New(Options{AllowLoopback: true}).Get(t.Context(), srv.URL, "", MaxBytes)
		if want := "The certificate of 127.0.0.1 is not accepted: it has to be valid for this name and today, by an authority that browsers trust."; words(t, err) != want {
			t.Error(err)
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		srv := httptest.NewServer(http.NotFoundHandler())
		defer srv.Close()
		_, err := New(Options{AllowLoopback: true}).Get(t.Context(), strings.Replace(srv.URL, "http:", "https:", 1), "", MaxBytes)
		if words(t, err) != "127.0.0.1 does not speak TLS there." {
			t.Error(err)
		}
	})
	t.Run("old TLS", func(t *testing.T) {
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = discard
		srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		srv.StartTLS()
		defer srv.Close()
		if _, err := trusting(srv, New(Options{AllowLoopback: true})).Get(t.Context(), srv.URL, "", MaxBytes); words(t, err) != unreadable {
			t.Error(err)
		}
	})
}

// TestRedirects: nothing is asked of where a redirect points (CVE-2026-108572).
func TestRedirects(t *testing.T) {
	var asked atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer inside.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		srv, f := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, status) })
		_, err := f.Get(t.Context(), srv.URL, "", MaxBytes)
		if want := fmt.Sprintf("127.0.0.1 answers with a redirect (status %d), which is not followed: give the address where it ends.", status); words(t, err) != want {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the end of the redirect was asked %d times", n)
	}
}

// TestDeadline: a stranger cannot hold a request for long, by whichever part is slow.
func TestDeadline(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	slow := func(begin func(http.ResponseWriter)) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begin(w)
			<-r.Context().Done()
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	for name, address := range map[string]string{
		"handshake": "https://" + silent.Addr().String(),
		"header":    slow(func(http.ResponseWriter) {}),
		"body": slow(func(w http.ResponseWriter) {
			io.WriteString(w, "{")
			w.(http.Flusher).Flush()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(Options{AllowLoopback: true}, 100*time.Millisecond)
			_, err := f.Get(t.Context(), address, "", MaxBytes)
			if words(t, err) != "127.0.0.1 did not answer in full within 5 seconds." {
				t.Error(err)
			}
		})
	}
	if f := New(Options{}); f.timeout != 5*time.Second || f.dialer.Timeout != f.timeout || f.transport.TLSHandshakeTimeout != f.timeout {
		t.Errorf("a fetcher's bounds: %v, %v, %v", f.timeout, f.dialer.Timeout, f.transport.TLSHandshakeTimeout)
	}
}

// TestManyAtOnce: more than the bound wait for their turn, or until their time is up.
func TestManyAtOnce(t *testing.T) {
	var now, most atomic.Int32
	srv, f := serve(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(10 * time.Millisecond)
		now.Add(-1)
	})
	var wg sync.WaitGroup
	for range 4 * atOnce {
		wg.Go(func() {
			if _, err := f.PostForm(t.Context(), srv.URL, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > atOnce || n < 2 {
		t.Errorf("%d at once, want 2 to %d", n, atOnce)
	}

	full := newFetcher(Options{AllowLoopback: true}, 10*time.Millisecond)
	for range atOnce {
		full.slots <- struct{}{}
	}
	if _, err := full.Get(t.Context(), srv.URL, "", MaxBytes); words(t, err) != "This server was busy with other addresses. Try again in a minute." || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// names is a DNS server in which each name has the addresses of the n-th question.
func names(t *testing.T, answer func(name string, n int) []string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	asked := map[string]int{}
	go func() {
		for buf := make([]byte, 1500); ; {
			n, peer, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			name := strings.TrimSuffix(q.Name.String(), ".")
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}
			m.Additionals = nil
			addresses := answer(name, asked[name+q.Type.String()])
			asked[name+q.Type.String()]++
			if len(addresses) == 0 {
				m.RCode = dnsmessage.RCodeNameError
			}
			for _, s := range addresses {
				var body dnsmessage.ResourceBody
				switch addr := netip.MustParseAddr(s); {
				case addr.Is4() && q.Type == dnsmessage.TypeA:
					body = &dnsmessage.AResource{A: addr.As4()}
				case addr.Is6() && q.Type == dnsmessage.TypeAAAA:
					body = &dnsmessage.AAAAResource{AAAA: addr.As16()}
				default:
					continue
				}
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}, Body: body})
			}
			if packed, err := m.Pack(); err == nil {
				conn.WriteTo(packed, peer)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestNamesOfInternalAddresses: what a name resolves to is judged, and a stranger
// learns neither that nor whether the name exists (CVE-2020-10770, CVE-2026-1180,
// CVE-2026-4874).
func TestNamesOfInternalAddresses(t *testing.T) {
	var asked atomic.Int32
	inside, _ := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	zone := map[string][]string{
		"loopback.test":      {"127.0.0.1"},
		"loopback6.test":     {"::1"},
		"metadata.test":      {"169.254.169.254"},
		"private.test":       {"10.0.0.1", "192.168.0.1"},
		"unspecified.test":   {"0.0.0.0"},
		"unspecified6.test":  {"::"},
		"mapped.test":        {"::ffff:127.0.0.1"},
		"mixed.test":         {"127.0.0.1", "fd00::1"},
		"translated.test":    {"64:ff9b::7f00:1"},
		"documentation.test": {"2001:db8::1"},
	}
	f := trusting(inside, New(Options{}))
	f.dialer.Resolver = names(t, func(name string, _ int) []string { return zone[name] })
	hosts := []string{"not-there.test"}
	for name := range zone {
		hosts = append(hosts, name)
	}
	for _, host := range hosts {
		_, err := f.Get(t.Context(), "https://"+host+":"+port+"/", "", MaxBytes)
		if want := host + " cannot be reached: its name leads to no address on the public internet."; words(t, err) != want {
			t.Errorf("%s: %v", host, err)
		}
		if _, known := zone[host]; known && !errors.Is(err, errNotPublic) {
			t.Errorf("%s: the log is not told why: %v", host, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server inside was asked %d times", n)
	}
}

// TestRebinding: a name that leads to another address the second time gains nothing,
// as it is the address of the connection that is judged.
func TestRebinding(t *testing.T) {
	var asked atomic.Int32
	inside, local := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	rebinding := func(_ string, n int) []string {
		if n == 0 {
			return []string{"0.0.0.0"}
		}
		return []string{"127.0.0.1"}
	}
	public := trusting(inside, New(Options{}))
	public.dialer.Resolver = names(t, rebinding)
	local.dialer.Resolver = names(t, rebinding)
	for i, f := range []*Fetcher{public, public, public, local} {
		if _, err := f.Get(t.Context(), "https://example.com:"+port+"/", "", MaxBytes); err == nil {
			t.Errorf("try %d is let through", i)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Fatalf("the server inside was asked %d times", n)
	}
	// The test's own check: where it is allowed, the second try arrives.
	if _, err := local.Get(t.Context(), "https://example.com:"+port+"/", "", MaxBytes); err != nil || asked.Load() != 1 {
		t.Errorf("with loopback allowed: %v", err)
	}
}
