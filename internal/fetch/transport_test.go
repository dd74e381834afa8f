package fetch

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTransport: a library that makes its own requests is held to the same rules.
func TestTransport(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			io.Copy(w, r.Body)
		case "/large":
			io.WriteString(w, strings.Repeat("x", MaxBytes+1))
		case "/moved":
			http.Redirect(w, r, "https://169.254.169.254/", http.StatusFound)
		case "/slow":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	plain := server.URL
	port := plain[strings.LastIndex(plain, ":")+1:]
	client := &http.Client{Transport: newFetcher(Options{AllowLoopback: true}, 300*time.Millisecond).Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Post(plain+"/echo", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if string(body) != "hello" || err != nil || answer.ContentLength != 5 {
		t.Errorf("%q, %v, of %d bytes", body, err, answer.ContentLength)
	}
	if answer, err := client.Get(plain + "/moved"); err != nil || answer.StatusCode != http.StatusFound {
		t.Errorf("a redirect is followed: %v, %v", answer, err)
	}
	for _, path := range []string{"/large", "/slow"} {
		if _, err := client.Get(plain + path); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
	public := &http.Client{Transport: New(Options{}).Transport()}
	for _, address := range []string{plain + "/echo", "https://127.0.0.1:" + port + "/", "https://localhost:" + port + "/", "https://169.254.169.254/"} {
		_, err := public.Get(address)
		if e, ok := errors.AsType[*Error](err); !ok || e.Words == "" {
			t.Errorf("%s: %v", address, err)
		}
	}
}
