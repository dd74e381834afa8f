package signin

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/store"
)

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	ann := w.account("ann@example.com", "Ann")
	b := w.browser()

	b.get("/sign-in").want(t, 200, "<h1>Sign in</h1>", ">Sign in</button>", ">Email</label>", ">Password</label>",
		`href="/sign-up">Create your developer account</a>`, "Forgot your password?")
	b.get("/sign-in?expired=1&continue=/console").want(t, 200, "<h1>Your session has expired</h1>", "Please sign in to continue", ">Sign In</button>")

	wrong := b.post("/sign-in", "email", "ann@example.com", "password", "not it", "continue", "/help")
	wrong.want(t, 422, `value="ann@example.com"`, `value="/help"`)
	wrong.lacks(t, "not it")
	unknown := b.post("/sign-in", "email", "bob@example.com", "password", "not it", "continue", "/help")
	if got := strings.ReplaceAll(unknown.body, "bob@", "ann@"); words(got) != words(wrong.body) {
		t.Errorf("known and unknown address are answered differently:\n%s\n---\n%s", words(wrong.body), words(got))
	}
	b.post("/sign-in", "email", "ann@example.com", "password", "").want(t, 422, "Enter your password.")
	b.post("/sign-in", "email", "\xff\x00", "password", "x").want(t, 422)

	b.post("/sign-in", "email", " ANN@example.com ", "password", password).leads(t, "/account")
	if !b.signedIn() {
		t.Error("not signed in after signing in")
	}
	if _, err := w.store.CreateDeveloper(t.Context(), ann.ID, store.NewDeveloper{Company: "Ann", Country: "CH"}, audit.By{At: w.now()}); err != nil {
		t.Fatal(err)
	}
	b.post("/sign-in", "email", "ann@example.com", "password", password).leads(t, "/console")
	b.post("/sign-in?continue=/account/email", "email", "ann@example.com", "password", password).leads(t, "/account/email")

	b.get("/sign-out").want(t, 200, "ann@example.com", ">Sign out</button>")
	if !b.signedIn() {
		t.Error("GET /sign-out signed out")
	}
	b.post("/sign-out").leads(t, "/")
	if b.signedIn() || b.cookie("gatelodge_session") != "" {
		t.Error("still signed in after signing out")
	}
}

var tags = regexp.MustCompile(`(?s)<[^>]*>|\s+`)

// words is what a page says.
func words(page string) string {
	page = regexp.MustCompile(`(?s)<head>.*?</head>`).ReplaceAllString(page, "")
	return strings.TrimSpace(tags.ReplaceAllString(page, " "))
}

func TestSignInPageSaysWhereItLeads(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for _, path := range []string{"/consent?r=x", "/ap/oa?client_id=x", "/oauth2/authorize?client_id=x"} {
		got := b.get("/sign-in?" + url.Values{"continue": {path}}.Encode())
		got.want(t, 200, "to continue to the application", ">Create an account</a>", `href="/sign-up?continue=`)
		if csp := got.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self'") || !strings.Contains(csp, "https:") {
			t.Errorf("%s: policy %q does not let the form's redirects leave", path, csp)
		}
	}
	got := b.get("/sign-in?continue=/console")
	got.lacks(t, "to continue to the application")
	if csp := got.header.Get("Content-Security-Policy"); strings.Contains(csp, "https:") {
		t.Errorf("the console's sign-in may leave: %q", csp)
	}
}

// Vectors of attacks.md (CVE-2022-23527, CVE-2019-20479, CVE-2019-14857) and their kin.
func TestContinueStaysHere(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	for i, to := range []string{
		"//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `/\/evil.example`, "/\thttps://evil.example", "/\t/evil.example",
		"https://evil.example", "https:evil.example", "http:///evil.example", "javascript:alert(1)", "evil.example", "/\n/evil.example", "/%2f\\evil.example",
		"/%2fevil.example", " //evil.example", "/sign-in", "/sign-out?x", "/sign-up", "",
	} {
		b := w.browser()
		b.address = "2001:db8:0:" + string(rune('a'+i%6)) + string(rune('0'+i%10)) + "::1"
		page := b.get("/sign-in?" + url.Values{"continue": {to}}.Encode())
		page.lacks(t, "evil")
		b.post("/sign-in", "email", "ann@example.com", "password", password, "continue", to).leads(t, "/account")
	}
	// These stay on the site, as odd as they look.
	for _, to := range []string{"/%09/evil.example", "/.evil.example", "/help?x=//evil.example"} {
		w.browser().post("/sign-in", "email", "ann@example.com", "password", password, "continue", to).leads(t, to)
	}
}

// A session that was planted before the sign-in is not the one after it (CVE-2024-7341).
func TestSignInChangesTheSession(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	w.account("eve@example.com", "Eve")
	eve, victim := w.browser(), w.browser()
	eve.signIn("eve@example.com")
	planted := eve.cookie("gatelodge_session")
	at, err := url.Parse(w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	victim.client.Jar.SetCookies(at, []*http.Cookie{{Name: "gatelodge_session", Value: planted, Path: "/"}})
	victim.signIn("ann@example.com")
	if victim.cookie("gatelodge_session") == planted {
		t.Error("the planted session was kept")
	}
	if eve.signedIn() {
		t.Error("the planted session still lives")
	}
}

// evaluations counts how often fn ran argon2id, by the memory that it takes.
func evaluations(memoryKiB int, fn func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	unit := uint64(memoryKiB) << 10
	return int((after.TotalAlloc - before.TotalAlloc + unit/2) / unit)
}

func TestOneEvaluationOnEachPath(t *testing.T) {
	const memory = 32 << 10 // KiB: far above whatever else a request allocates
	hasher := account.NewHasher(account.HasherOptions{Cost: account.Cost{MemoryKiB: memory, Passes: 1, Threads: 1}})
	w := newWorld(t, func(o *Options) { o.Hasher = hasher })
	w.hasher = hasher
	w.account("ann@example.com", "Ann")
	signUp := func(email string) func(*browser) answer {
		return func(b *browser) answer {
			return b.post("/sign-up", "name", "Bob", "email", email, "password", password)
		}
	}
	for name, tc := range map[string]struct {
		do     func(*browser) answer
		status int
		want   int
	}{
		"right password": {func(b *browser) answer {
			return b.post("/sign-in", "email", "ann@example.com", "password", password)
		}, 303, 1},
		"wrong password": {func(b *browser) answer { return b.post("/sign-in", "email", "ann@example.com", "password", "x") }, 422, 1},
		"unknown":        {func(b *browser) answer { return b.post("/sign-in", "email", "no@example.com", "password", "x") }, 422, 1},
		"new sign-up":    {signUp("bob@example.com"), 200, 1},
		"taken sign-up":  {signUp("ann@example.com"), 200, 1},
		"made-up link":   {func(b *browser) answer { return b.post("/recover/"+strings.Repeat("A", 43), "new_password", password) }, 410, 0},
	} {
		b := w.browser()
		var got answer
		if n := evaluations(memory, func() { got = tc.do(b) }); n != tc.want || got.status != tc.status {
			t.Errorf("%s: %d evaluations and status %d, want %d and %d", name, n, got.status, tc.want, tc.status)
		}
	}
}

// Guessing is slowed by counts that survive a restart; the owner's own browser gets in.
func TestGuessingIsSlowed(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	owner := w.browser()
	owner.signIn("ann@example.com")

	guess := func(email string) answer {
		b := w.browser()
		b.address = "203.0.113.9"
		return b.post("/sign-in", "email", email, "password", "guess")
	}
	for range account.SignInByAccount.Rate().Burst {
		guess("ann@example.com").want(t, 422)
	}
	slowed := guess("ann@example.com")
	slowed.want(t, 429, "Wait 15 seconds", "is not locked", `href="/recover"`, `value="ann@example.com"`)
	if got := slowed.header.Get("Retry-After"); got != "15" {
		t.Errorf("Retry-After %q, want 15", got)
	}

	w.start() // another process, with the same database
	stranger := w.browser()
	stranger.address = "198.51.100.7"
	stranger.post("/sign-in", "email", "ann@example.com", "password", password).want(t, 429)
	owner.post("/sign-in", "email", "ann@example.com", "password", password).leads(t, "/account")

	w.wait(16 * time.Second)
	stranger.post("/sign-in", "email", "ann@example.com", "password", password).leads(t, "/account")
}

// An address without an account is slowed in the same words.
func TestUnknownAddressIsSlowedAlike(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for range account.SignInByAccount.Rate().Burst {
		b.post("/sign-in", "email", "no@example.com", "password", "guess").want(t, 422)
	}
	b.post("/sign-in", "email", "no@example.com", "password", "guess").want(t, 429, "is not locked")
}

func TestBusy(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Hasher = account.NewHasher(account.HasherOptions{
			Cost: account.Cost{MemoryKiB: 128 << 10, Passes: 4, Threads: 1}, Concurrent: 1, Waiting: 1,
		})
	})
	answers := make(chan answer)
	for i := range 6 {
		go func() {
			b := w.browser()
			b.address = "2001:db8:0:" + string(rune('1'+i)) + "::1"
			answers <- b.post("/sign-in", "email", "no@example.com", "password", "x", "typed", "kept")
		}()
	}
	busy := 0
	for range 6 {
		if a := <-answers; a.status == http.StatusServiceUnavailable {
			busy++
			a.want(t, 503, "Wait 3 seconds", `value="kept"`)
			if a.header.Get("Retry-After") != "3" {
				t.Errorf("Retry-After %q, want 3", a.header.Get("Retry-After"))
			}
		}
	}
	if busy == 0 {
		t.Error("six sign-ins at once, of which two are admitted: none was told to wait")
	}
}

var typedField = regexp.MustCompile(`name="typed" value="([^"]+)"`)

// What was typed when the session ran out comes back to who typed it, through failed
// attempts, and to nobody else.
func TestTypedFormTravels(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	w.account("eve@example.com", "Eve")
	b := w.browser()
	b.signIn("ann@example.com")
	w.wait(account.SessionIdle + time.Minute)

	page := b.post("/form", "description", "half a page of text")
	page.want(t, 401, "Your session has expired", "Please sign in to continue", `action="/sign-in"`, `name="continue" value="/form"`)
	page.lacks(t, "half a page")
	sealed := typedField.FindStringSubmatch(page.body)
	if sealed == nil {
		t.Fatalf("nothing travels\n%s", page.body)
	}
	again := b.post("/sign-in", "email", "ann@example.com", "password", "wrong", "typed", sealed[1], "continue", "/form", "expired", "1")
	again.want(t, 422, sealed[1], "Your session has expired", ">Sign In</button>")

	in := b.post("/sign-in", "email", "ann@example.com", "password", password, "typed", sealed[1], "continue", "/form")
	in.want(t, 200, "You are signed in again", `action="/form"`, ">Continue</button>", sealed[1])
	b.post("/form", "typed", html.UnescapeString(typedField.FindStringSubmatch(in.body)[1])).want(t, 200, "typed: half a page of text")

	eve := w.browser()
	got := eve.post("/sign-in", "email", "eve@example.com", "password", password, "typed", sealed[1], "continue", "/form")
	got.want(t, 200, "another account", `href="/form"`)
	got.lacks(t, sealed[1], "half a page")
	eve.post("/form", "typed", sealed[1]).lacks(t, "half a page")
}

// A form with a picture in it is larger than other forms.
func TestLargeTypedForm(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	b := w.browser()
	typed := strings.Repeat("x", 2<<20)
	got := b.post("/sign-in", "email", "ann@example.com", "password", "wrong", "typed", typed)
	if got.status != 422 || !strings.Contains(got.body, `name="typed" value="`+typed+`"`) {
		t.Errorf("status %d and a page of %d bytes, want 422 and the whole of what was typed", got.status, len(got.body))
	}
}

func TestEveryPostRefusesOtherSites(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	b := w.browser()
	b.signIn("ann@example.com")
	for _, path := range []string{
		"/sign-in", "/sign-out", "/sign-up", "/confirm-email", "/recover", "/recover/" + strings.Repeat("A", 43),
		"/account", "/account/email", "/account/password", "/account/delete", "/account/sessions", "/account/confirmation", "/account/applications",
	} {
		form := url.Values{"email": {"ann@example.com"}, "password": {password}, "confirm": {"delete"}, "others": {"1"}}
		b.do("POST", path, form, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site").want(t, 403, "another site")
		b.do("POST", path, form, "Origin", "null", "Sec-Fetch-Site", "cross-site").want(t, 403)
	}
	if !b.signedIn() {
		t.Error("another site's form did something")
	}
}
