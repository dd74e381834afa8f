package session_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/session"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store/storetest"
	"gatelodge/internal/web"
)

func TestLocalPath(t *testing.T) {
	for path, ok := range map[string]bool{
		"/":                           true,
		"/console":                    true,
		"/console/profiles/ab?x=1&y=": true,
		"/consent?request=aGk":        true,
		"/a?continue=https://b.c/":    true,
		"/a#part":                     true,
		"/@home":                      true,
		"/:80/":                       true,
		"/über":                       true,

		"":                               false,
		"console":                        false,
		"?a=b":                           false,
		"#a":                             false,
		"//evil.example":                 false,
		"//evil.example/console":         false,
		"///evil.example":                false, // attacks.md
		`/\evil.example`:                 false, // attacks.md
		`\/evil.example`:                 false,
		`\\evil.example`:                 false,
		`/a\..\..\evil`:                  false,
		"/\thttps://evil.example":        false, // attacks.md
		"/\t/evil.example":               false,
		"/\n/evil.example":               false,
		"/\r\nLocation: https://evil":    false,
		" /console":                      false,
		"/ /evil.example":                false,
		"/a\x00":                         false,
		"/a\x7f":                         false,
		"/%2f/evil.example":              false,
		"/%2fevil.example":               false,
		"/%zz":                           false,
		"https://evil.example":           false,
		"https:evil.example":             false,
		"http:///evil.example":           false,
		"HTTPS://evil.example":           false,
		"javascript:alert(1)":            false,
		"data:text/html,x":               false,
		"evil.example":                   false,
		"/" + strings.Repeat("a", 16384): false,
	} {
		want := path
		if !ok {
			want = "/fallback"
		}
		if got := session.LocalPath(path, "/fallback"); got != want {
			t.Errorf("%.60q became %.60q, want %.60q", path, got, want)
		}
	}
}

// Whatever comes in, a browser stays on this site. How browsers read addresses is
// the WHATWG URL standard: controls are dropped, backslashes are slashes.
func FuzzLocalPath(f *testing.F) {
	f.Add("/console?a=b")
	f.Add("//evil")
	f.Add("/\\evil")
	f.Add("/.//evil")
	f.Add("/%5cevil")
	here, err := url.Parse("https://login.example.com/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := session.LocalPath(path, "/")
		if got != path && got != "/" {
			t.Fatalf("%q was rewritten to %q", path, got)
		}
		asRead := strings.NewReplacer("\t", "", "\r", "", "\n", "", `\`, "/").Replace(strings.TrimFunc(got, func(r rune) bool { return r <= ' ' }))
		if strings.HasPrefix(asRead, "//") {
			t.Fatalf("%q leads to another host", got)
		}
		u, err := here.Parse(asRead)
		if err != nil || u.Scheme != "https" || u.Host != "login.example.com" || u.User != nil {
			t.Fatalf("%q leads to %v, %v", got, u, err)
		}
		rec := httptest.NewRecorder()
		http.Redirect(rec, httptest.NewRequest("GET", "/sign-in", nil), got, http.StatusSeeOther)
		if to := rec.Header().Get("Location"); !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
			t.Fatalf("%q redirects to %q", got, to)
		}
	})
}

// visitor is what a guarded handler was called with.
type visitor struct {
	user      session.User
	submitted bool
	shown     url.Values // nil: no typed form was shown
	isShown   bool
}

func (s *site) serve(t *testing.T, b *browser, r *http.Request) (*httptest.ResponseRecorder, visitor) {
	t.Helper()
	var v visitor
	rec := httptest.NewRecorder()
	h := s.RequireForm(
		func(w http.ResponseWriter, r *http.Request, u session.User) error {
			v.user, v.submitted = u, true
			return nil
		},
		func(w http.ResponseWriter, r *http.Request, u session.User, typed url.Values) error {
			v.user, v.shown, v.isShown = u, typed, true
			return nil
		})
	s.asked = nil
	if err := h(rec, r); err != nil {
		t.Fatal(err)
	}
	b.keep(rec)
	return rec, v
}

func TestRequire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, a, b := newSite(t, w, session.Options{}), user(t, w, "ann@example.com"), newBrowser()
		wantRedirect := func(method, target, want string) {
			t.Helper()
			rec, v := s.serve(t, b, b.request(method, target, nil))
			if got := rec.Header().Get("Location"); rec.Code != http.StatusSeeOther || got != want || v.submitted || s.asked != nil {
				t.Errorf("%s %s: %d to %q, want %q", method, target, rec.Code, got, want)
			}
		}
		wantRedirect("GET", "/console?q=a%20b", "/sign-in?continue=%2Fconsole%3Fq%3Da%2520b")
		wantRedirect("HEAD", "/console", "/sign-in?continue=%2Fconsole")
		// Of somebody unknown nothing is kept.
		_, v := s.serve(t, b, b.request("POST", "/console/profiles/new", url.Values{"name": {"Reports"}}))
		if diff := cmp.Diff(&session.SignIn{Continue: "/console/profiles/new"}, s.asked); diff != "" || v.submitted {
			t.Errorf("posted by a stranger: %+v (-want +got)\n%s", v, diff)
		}

		s.signIn(t, b, a)
		for _, r := range []*http.Request{b.get("/console"), b.request("POST", "/console", url.Values{"name": {"x"}})} {
			if _, v := s.serve(t, b, r); !v.submitted || v.user.Account.ID != a.ID || v.isShown || s.asked != nil {
				t.Errorf("%s when signed in: %+v", r.Method, v)
			}
		}
		delete(b.cookies, "gatelodge_session")
		wantRedirect("GET", "/console", "/sign-in?continue=%2Fconsole&expired=1")
	})
}

// What was typed when the session had run out comes back after sign-in: to who
// typed it, into the form it was typed into, without passwords, and unsubmitted.
func TestTypedFormSurvivesSignIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		s, ann, bob, b := newSite(t, w, session.Options{}), user(t, w, "ann@example.com"), user(t, w, "bob@example.com"), newBrowser()
		s.signIn(t, b, ann)
		delete(b.cookies, "gatelodge_session")
		const path = "/console/profiles/new"
		typed := url.Values{"name": {"Reports"}, "return_urls": {"a", "b"}, "password": {"secret"}, "New_Password": {"secret"}, "empty": {""}}
		_, v := s.serve(t, b, b.request("POST", path, typed))
		if v.submitted || v.isShown || s.asked == nil || s.asked.Continue != path || !s.asked.Expired || s.asked.Typed == "" {
			t.Fatalf("%+v, asked %+v", v, s.asked)
		}
		sealed := s.asked.Typed
		back := url.Values{"typed": {sealed}}

		// Not signed in yet: it goes on travelling as it is.
		if _, v := s.serve(t, b, b.request("POST", path, back)); v.isShown || s.asked == nil || s.asked.Typed != sealed {
			t.Errorf("%+v, asked %+v", v, s.asked)
		}
		for _, tc := range []struct {
			who  int64
			path string
			ok   bool
		}{{ann.ID, path, true}, {bob.ID, "", false}} {
			if got, ok := s.TypedBy(b.get("/sign-in"), sealed, tc.who); got != tc.path || ok != tc.ok {
				t.Errorf("typed by %d: %q, %v", tc.who, got, ok)
			}
		}
		if _, ok := s.TypedBy(b.get("/sign-in"), sealed[:len(sealed)-4]+"AAAA", ann.ID); ok {
			t.Error("a forged form is somebody's")
		}

		bobs := b.clone()
		s.signIn(t, b, ann)
		s.signIn(t, bobs, bob)
		want := url.Values{"name": {"Reports"}, "return_urls": {"a", "b"}, "empty": {""}}
		for _, tc := range []struct {
			name    string
			browser *browser
			path    string
			sealed  string
			want    url.Values
		}{
			{"who typed it", b, path, sealed, want},
			{"another form", b, "/account", sealed, nil},
			{"somebody else", bobs, path, sealed, nil},
			{"forged", b, path, sealed[:len(sealed)-4] + "AAAA", nil},
			{"not sealed at all", b, path, "x", nil},
		} {
			_, v := s.serve(t, tc.browser, tc.browser.request("POST", tc.path, url.Values{"typed": {tc.sealed}, "name": {"of the attacker"}}))
			if diff := cmp.Diff(tc.want, v.shown); diff != "" || !v.isShown || v.submitted {
				t.Errorf("%s: %+v (-want +got)\n%s", tc.name, v, diff)
			}
		}
	})
}

// A file that was chosen travels too.
func TestTypedFormKeepsFiles(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	s, a, b := newSite(t, w, session.Options{}), user(t, w, "ann@example.com"), newBrowser()
	s.signIn(t, b, a)
	delete(b.cookies, "gatelodge_session")
	post := func(size int) *http.Request {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("logo", "logo.png")
		if err != nil {
			t.Fatal(err)
		}
		part.Write(bytes.Repeat([]byte{7}, size))
		form.WriteField("name", "Reports")
		form.Close()
		r := b.request("POST", "/console/profiles/new", nil)
		again := httptest.NewRequest("POST", "/console/profiles/new", &body)
		again.Header, again.RemoteAddr = r.Header, r.RemoteAddr
		again.Header.Set("Content-Type", form.FormDataContentType())
		return again
	}
	for _, size := range []int{1000, 3 << 20} { // the second is more than a logo may have
		if _, v := s.serve(t, b, post(size)); v.submitted || s.asked == nil || s.asked.Typed == "" {
			t.Fatalf("%d bytes: asked %+v", size, s.asked)
		}
		in := b.clone()
		s.signIn(t, in, a)
		_, v := s.serve(t, in, in.request("POST", "/console/profiles/new", url.Values{"typed": {s.asked.Typed}}))
		if v.shown.Get("name") != "Reports" {
			t.Errorf("%d bytes: shown %v", size, v.shown)
		}
		r := in.request("POST", "/console/profiles/new", v.shown)
		form, err := web.ParseForm(r)
		if err != nil {
			t.Fatal(err)
		}
		file, ok, err := form.File(r, "logo", 1<<20)
		if err != nil || ok != (size == 1000) || ok && (file.Name != "logo.png" || len(file.Data) != size) {
			t.Errorf("%d bytes: file %q of %d bytes, %v, %v", size, file.Name, len(file.Data), ok, err)
		}
	}
}
