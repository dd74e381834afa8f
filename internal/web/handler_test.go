package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(target string, form url.Values) *http.Request {
	r := httptest.NewRequest("POST", target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func TestErrorsBecomePages(t *testing.T) {
	k := testKit(t, Options{})
	for _, c := range []struct {
		name   string
		err    error
		status int
		says   []string
	}{
		{"not found", NotFound("No profile has this address.", Link{"Profiles", "/console"}), 404,
			[]string{"There is nothing here", "No profile has this address.", `href="/console"`}},
		{"wrapped", fmt.Errorf("load: %w", Forbidden("Only its owner may.")), 403, []string{"This is not open to you", "Only its owner may."}},
		{"conflict", Conflict("Ada saved it."), 409, []string{"changed in the meantime"}},
		{"too many", TooMany(90*time.Second, "Wrong passwords."), 429, []string{"Wait 2 minutes"}},
		{"whose turn", &Error{Status: 400, Title: "Refused", Turn: ApplicationTurn, Next: "Tell its developer."}, 400,
			[]string{"The application’s turn", "Tell its developer."}},
		{"escaped", &Error{Status: 400, Title: "<script>x</script>"}, 400, []string{"&lt;script&gt;x"}},
		{"unknown", errors.New("table users is gone"), 500, []string{"<h1>Internal Server error! Please try again</h1>", "Try again"}},
		{"an Error that is ours", &Error{Status: 500, Title: "Disk", Err: errors.New("full")}, 500, []string{"<h1>Internal Server error! Please try again</h1>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serve(k.Browser(func(w http.ResponseWriter, r *http.Request) error {
				w.Header().Set("Location", "/never")
				return c.err
			}), httptest.NewRequest("GET", "/x", nil))
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			id := w.Header().Get("x-amzn-RequestId")
			for _, want := range append(c.says, id, `data-copy="#request-id"`) {
				if id == "" || !strings.Contains(w.Body.String(), want) {
					t.Errorf("page does not say %q (request id %q)", want, id)
				}
			}
			for _, never := range []string{"table users", "<script>x"} {
				if strings.Contains(w.Body.String(), never) {
					t.Errorf("page says %q", never)
				}
			}
			if got := w.Header().Get("Location"); got != "" {
				t.Errorf("Location %q is left over from the answer that was not given", got)
			}
		})
	}
	w := serve(k.Browser(func(http.ResponseWriter, *http.Request) error { return TooMany(1500*time.Millisecond, "") }), httptest.NewRequest("GET", "/", nil))
	if got := w.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want 2", got)
	}
}

func TestPanics(t *testing.T) {
	var log bytes.Buffer
	k := testKit(t, Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	broken := func(http.ResponseWriter, *http.Request) error { panic("boom") }

	w := serve(k.Browser(broken), httptest.NewRequest("GET", "/x?y=1", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `href="/x?y=1"`) {
		t.Errorf("page: status %d, body without the way to try again", w.Code)
	}
	w = serve(k.API(broken), httptest.NewRequest("POST", "/token", nil))
	var answer map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if w.Code != 500 || answer["error"] != "server_error" || answer["request_id"] != w.Header().Get("x-amzn-RequestId") {
		t.Errorf("API: status %d, body %s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "boom") || strings.Count(log.String(), "panic: boom") != 2 || !strings.Contains(log.String(), "handler_test.go") {
		t.Errorf("the panic belongs into the log, with its stack, and nowhere else: %s", log.String())
	}
}

func TestLogRecord(t *testing.T) {
	var log bytes.Buffer
	k := testKit(t, Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	mux := http.NewServeMux()
	mux.Handle("POST /things/{id}", k.Browser(func(w http.ResponseWriter, r *http.Request) error {
		LogAttr(r.Context(), slog.String("profile", "p1"))
		w.WriteHeader(http.StatusAccepted)
		_, err := w.Write([]byte("hello"))
		return err
	}))
	r := post("/things/path-value?code=query-value", url.Values{"secret": {"body-value"}})
	r.Header.Set("Cookie", "session=cookie-value")
	w := serve(mux, r)

	if got := strings.Count(log.String(), "\n"); got != 1 {
		t.Fatalf("%d records, want 1: %s", got, log.String())
	}
	var got map[string]any
	if err := json.Unmarshal(log.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"msg": "request", "level": "INFO", "method": "POST", "route": "/things/{id}", "status": 202.0, "bytes": 5.0,
		"profile": "p1", "request_id": w.Header().Get("x-amzn-RequestId"),
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	for _, private := range []string{"path-value", "query-value", "body-value", "cookie-value"} {
		if strings.Contains(log.String(), private) {
			t.Errorf("the log holds %q", private)
		}
	}
}

func TestHeaders(t *testing.T) {
	page := func(o Options, h Handler) http.Header {
		return serve(testKit(t, o).Browser(h), httptest.NewRequest("GET", "/", nil)).Header()
	}
	quiet := func(w http.ResponseWriter, r *http.Request) error { w.WriteHeader(204); return nil }

	h := page(Options{}, quiet)
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'none'; " +
			"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control":              "no-store",
		"Strict-Transport-Security":  "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got, want := page(Options{Secure: true}, quiet).Get("Strict-Transport-Security"), "max-age=63072000"; got != want {
		t.Errorf("Strict-Transport-Security: %q, want %q", got, want)
	}
	popup := page(Options{}, func(w http.ResponseWriter, r *http.Request) error {
		KeepOpener(w)
		return quiet(w, r)
	})
	if got := popup.Get("Cross-Origin-Opener-Policy"); got != "unsafe-none" || len(popup.Values("Cross-Origin-Opener-Policy")) != 1 || popup.Get("X-Frame-Options") != "DENY" {
		t.Errorf("in a popup: %v", popup)
	}
	if got := page(Options{}, quiet).Get("Cross-Origin-Opener-Policy"); got != "same-origin" {
		t.Errorf("the page after a popup: %q", got)
	}
	got := page(Options{}, func(w http.ResponseWriter, r *http.Request) error {
		AllowFormAction(w, "https:", "http://localhost:*", "x; script-src *", "")
		AllowImages(w, "blob:")
		return quiet(w, r)
	}).Get("Content-Security-Policy")
	want := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'none'; " +
		"connect-src 'self'; form-action 'self' http://localhost:* https:; frame-ancestors 'none'; base-uri 'none'"
	if got != want {
		t.Errorf("policy %q, want %q", got, want)
	}
	if h := serve(testKit(t, Options{}).API(quiet), httptest.NewRequest("GET", "/", nil)).Header(); h.Get("Content-Security-Policy") != "" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("API headers: %v", h)
	}
	// What one answer allowed must not stay for the next.
	k := testKit(t, Options{})
	serve(k.Browser(func(w http.ResponseWriter, r *http.Request) error { AllowFormAction(w, "https:"); return nil }), httptest.NewRequest("GET", "/", nil))
	if got := serve(k.Browser(quiet), httptest.NewRequest("GET", "/", nil)).Header().Get("Content-Security-Policy"); strings.Contains(got, "https:") {
		t.Errorf("policy of the next answer: %q", got)
	}
}

func TestCrossOriginPost(t *testing.T) {
	k := testKit(t, Options{})
	for _, c := range []struct {
		name            string
		site, origin    string
		options         []Option
		status, reached int
	}{
		{"our own page", "same-origin", "", nil, 204, 1},
		{"another site", "cross-site", "https://evil.example", nil, 403, 0},
		{"a sibling host", "same-site", "https://sibling.example.com", nil, 403, 0},
		{"an old browser, another site", "", "https://evil.example", nil, 403, 0},
		{"an opaque origin", "", "null", nil, 403, 0},
		{"an old browser, our own page", "", "http://example.com", nil, 204, 1},
		{"where any may", "cross-site", "https://evil.example", []Option{AnyOrigin()}, 204, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached := 0
			h := k.Browser(func(w http.ResponseWriter, r *http.Request) error { reached++; w.WriteHeader(204); return nil }, c.options...)
			r := post("/delete", url.Values{"confirm": {"typed words"}})
			r.Header.Del("Sec-Fetch-Site")
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := serve(h, r)
			if w.Code != c.status || reached != c.reached {
				t.Errorf("status %d, handler called %d times; want %d and %d", w.Code, reached, c.status, c.reached)
			}
			if c.status == 403 && (!strings.Contains(w.Body.String(), "came from another site") || strings.Contains(w.Body.String(), "typed words")) {
				t.Errorf("page: %s", w.Body)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	k := testKit(t, Options{})
	parse := func(w http.ResponseWriter, r *http.Request) error {
		if _, err := ParseForm(r); err != nil {
			return err
		}
		w.WriteHeader(204)
		return nil
	}
	form := func(n int) *http.Request { return post("/", url.Values{"a": {strings.Repeat("a", n)}}) }
	upload := func(n int) *http.Request {
		body, kind := multipartBody(t, nil, map[string]string{"logo": strings.Repeat("a", n)})
		r := httptest.NewRequest("POST", "/", body)
		r.Header.Set("Content-Type", kind)
		return r
	}
	for _, c := range []struct {
		name   string
		h      http.Handler
		r      *http.Request
		status int
	}{
		{"form that fits", k.Browser(parse), form(FormBody - 10), 204},
		{"form too large", k.Browser(parse), form(FormBody), 413},
		{"upload on a plain route", k.Browser(parse), upload(FormBody), 413},
		{"upload that fits", k.Browser(parse, MaxBody(UploadBody)), upload(1 << 20), 204},
		{"upload too large", k.Browser(parse, MaxBody(UploadBody)), upload(UploadBody), 413},
		{"API", k.API(parse), form(FormBody), 413},
	} {
		if w := serve(c.h, c.r); w.Code != c.status {
			t.Errorf("%s: status %d, want %d", c.name, w.Code, c.status)
		}
	}
	if w := serve(k.Browser(parse), form(FormBody)); !strings.Contains(w.Body.String(), "more than this form takes") {
		t.Errorf("page: %s", w.Body)
	}
	broken := post("/", nil)
	broken.Body = http.NoBody
	broken.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	if w := serve(k.Browser(parse), broken); w.Code != 400 {
		t.Errorf("a form cut off: status %d, want 400", w.Code)
	}
}
