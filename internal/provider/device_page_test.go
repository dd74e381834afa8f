package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sim"
)

// TestDevicePage: the code is taken however people type it, below every country.
func TestDevicePage(t *testing.T) {
	w := sim.New(t)
	device, user := w.NewApplication().NewDevice(), w.SignUp("Ada Lovelace")
	for path, ok := range map[string]bool{
		"/device": true, "/us/code": true, "/us/code/": true, "/DE/Code": true, "/zz/code": true,
		"/usa/code": false, "/u1/code": false, "/us/codes": false, "/us": false, "/éé/code": false, "/u/code": false,
	} {
		if page := user.Open(path); ok != (page.Status == http.StatusOK && page.Has("Continue")) || !ok && page.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, page.Status, page.Title())
		}
	}
	start := started(t, device.Start(sim.Standard))
	code := start.Text("user_code")
	for _, typed := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", ""), " " + strings.Join(strings.Split(code, ""), " ") + " "} {
		if page := user.Open("/De/cOde").Press("Continue", "Code on your device", typed); !page.Has("Allow") || page.URL.Path != "/de/code" || !strings.Contains(page.Text(), code) {
			t.Errorf("%q: %d at %s\n%s", typed, page.Status, page.URL, page.Text())
		}
	}
	for _, typed := range []string{"", "ABC", "AAAA-AAAA", "BCDFGHJKL"} {
		if page := user.Open("/device").Press("Continue", "Code on your device", typed); page.Status != http.StatusUnprocessableEntity || page.Has("Allow") {
			t.Errorf("%q: %d %s", typed, page.Status, page.Text())
		}
	}
	page := user.Open("/device").Press("Continue", "Code on your device", "BBBB-BBBB")
	if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Text(), "No device waits with this code") {
		t.Errorf("unknown: %d %s", page.Status, page.Text())
	}
}

// TestDeviceSignIn: who has to sign in first comes back with the code.
func TestDeviceSignIn(t *testing.T) {
	w := sim.New(t)
	device, user := w.NewApplication().NewDevice(), w.SignUp("Ada Lovelace")
	start := started(t, device.Start(sim.Amazon))
	b := w.NewBrowser()
	page := b.Open("/gb/code").Press("Continue", "Code on your device", strings.ToLower(start.Text("user_code")))
	if page.URL.Path != "/sign-in" {
		t.Fatalf("at %s", page.URL)
	}
	page = page.Press("Sign in", "Email", user.Email, "Password", sim.Password)
	if page.URL.Path != "/gb/code" || !strings.Contains(page.Body, start.Text("user_code")) || page.Has("Allow") {
		t.Fatalf("at %s\n%s", page.URL, page.Text())
	}
	if page = page.Press("Continue"); !page.Has("Allow") || page.Press("Allow").Title() != "You can go back to your device" {
		t.Fatalf("at %s\n%s", page.URL, page.Text())
	}
	if got := device.Poll(sim.Amazon, start); got.Status != http.StatusOK {
		t.Error(got)
	}
}

// TestDeviceCompleteURI: the address with the code in it fills the field, and nothing
// more (RFC 8628 section 3.3.1).
func TestDeviceCompleteURI(t *testing.T) {
	w := sim.New(t)
	device, user := w.NewApplication().NewDevice(), w.SignUp("Ada Lovelace")
	start := started(t, device.Start(sim.Standard))
	page := user.Open(start.Text("verification_uri_complete"))
	if page.Has("Allow") || strings.Contains(page.Text(), "Video Report Downloader") {
		t.Errorf("asked at once: %s", page.Text())
	}
	if page = page.Press("Continue"); !page.Has("Allow") || !strings.Contains(page.Text(), start.Text("user_code")) {
		t.Errorf("%d %s", page.Status, page.Text())
	}
	// An address may be anybody's: what is no code is not repeated.
	for _, bad := range []string{`"><script>`, "A VERY IMPORTANT MESSAGE", "x"} {
		if page := user.Open("/device?" + url.Values{"user_code": {bad}}.Encode()); page.Status != http.StatusOK || strings.Contains(page.Body, "IMPORTANT") || strings.Contains(page.Body, "<script>") {
			t.Errorf("%q: %s", bad, page.Body)
		}
	}
}

// TestDeviceVoluntaryScopes: what is voluntary is ticked or left out, and the tokens
// have what was ticked and never more (CVE-2024-38371).
func TestDeviceVoluntaryScopes(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	device, user := app.NewDevice(), w.SignUp("Ada Lovelace")
	data := `{"profile":{"essential":false},"postal_code":{"essential":false}}`
	start := started(t, device.Start(sim.Amazon, "scope", "profile postal_code", "scope_data", data))
	page := user.EnterCode(start)
	if page = page.Press("Allow"); page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Text(), "Nothing is ticked") {
		t.Fatalf("%d %s", page.Status, page.Text())
	}
	user.Submit("/us/code", url.Values{"user_code": {start.Text("user_code")}, "account": {itoa(user.ID)}, "decision": {"allow"},
		"scope": {"postal_code", "openid", "email"}})
	given := device.Poll(sim.Amazon, start)
	if got := introspect(w, app, given.Text("access_token")); got.Text("scope") != "postal_code" {
		t.Errorf("scope %v", got)
	}
	// The next device asks for more than was allowed before: it is asked for, and a
	// narrower one is asked for as well.
	narrow := started(t, device.Start(sim.Amazon, "scope", "profile:user_id"))
	if page := user.EnterCode(narrow); !page.Has("Allow") {
		t.Errorf("not asked: %s", page.Text())
	} else {
		page.Press("Allow")
	}
	narrowed := device.Poll(sim.Amazon, narrow, "scope", "profile postal_code")
	if got := introspect(w, app, narrowed.Text("access_token")); got.Text("scope") != "profile:user_id" {
		t.Errorf("scope %v", got)
	}
	refused(t, "more at refresh", device.Refresh(sim.Amazon, narrowed.Text("refresh_token"), "scope", "postal_code"), "invalid_scope")
}

// TestDeviceIDToken: a device that asks for openid gets an ID token with the time of the
// sign-in, and again at a refresh.
func TestDeviceIDToken(t *testing.T) {
	w := sim.New(t)
	device, user := w.NewApplication().NewDevice(), w.SignUp("Ada Lovelace")
	start := started(t, device.Start(sim.Standard, "scope", "openid email"))
	user.AllowDevice(start)
	given := device.Poll(sim.Standard, start)
	for name, got := range map[string]sim.Answer{"poll": given, "refresh": device.Refresh(sim.Standard, given.Text("refresh_token"))} {
		parts := strings.Split(got.Text("id_token"), ".")
		if len(parts) != 3 {
			t.Fatalf("%s: %v", name, got)
		}
		claims := sim.Answer{Body: string(decode(t, parts[1]))}
		if claims.Text("aud") != device.ID || claims.Number("auth_time") == 0 || got.Text("scope") != "openid email" {
			t.Errorf("%s: %v", name, claims)
		}
	}
}

// TestDeviceGuessing: codes are short, so guesses are counted for the account and for
// the address, and a right one in between does not help (RFC 8628 section 5.1).
func TestDeviceGuessing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		device, mallory := w.NewApplication().NewDevice(), w.SignUp("Mallory")
		own, victim := started(t, device.Start(sim.Standard)), started(t, device.Start(sim.Standard))
		guess := func(p *sim.Person, code string) *sim.Page {
			return p.Submit("/device", url.Values{"user_code": {code}})
		}
		tries := 0
		for ; tries < 100; tries++ {
			guess(mallory, own.Text("user_code"))
			if guess(mallory, "BBBB-BBBB").Status == http.StatusTooManyRequests {
				break
			}
		}
		if tries != 10 {
			t.Errorf("%d guesses were let through", tries)
		}
		// Neither a right code, nor the answer to it, nor another browser helps.
		for _, form := range []url.Values{{"user_code": {victim.Text("user_code")}},
			{"user_code": {victim.Text("user_code")}, "decision": {"allow"}, "account": {itoa(mallory.ID)}}} {
			page := mallory.Submit("/device", form)
			if page.Status != http.StatusTooManyRequests || page.Header.Get("Retry-After") == "" || page.Has("Allow") {
				t.Errorf("%d %s", page.Status, page.Text())
			}
		}
		user := w.SignUp("Ada Lovelace")
		if page := user.AllowDevice(victim); page.Title() != "You can go back to your device" {
			t.Errorf("somebody else: %s", page.Text())
		}
		time.Sleep(time.Minute)
		if page := guess(mallory, own.Text("user_code")); !page.Has("Allow") {
			t.Errorf("a minute later: %d %s", page.Status, page.Text())
		}
	})
}

// TestDeviceConsentAttacks tries to have a device let in without its user.
func TestDeviceConsentAttacks(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	device, victim, mallory := app.NewDevice(), w.SignUp("Ada Lovelace"), w.SignUp("Mallory")
	t.Run("CSRF", func(t *testing.T) { // another site's form with the attacker's code
		start := started(t, device.Start(sim.Standard))
		form := url.Values{"user_code": {start.Text("user_code")}, "decision": {"allow"}, "account": {itoa(victim.ID)}}
		victim.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}
		for _, path := range []string{"/device", "/us/code", "/US/CODE"} {
			if page := victim.Submit(path, form); page.Status != http.StatusForbidden {
				t.Errorf("%s: %d", path, page.Status)
			}
		}
		victim.Header = http.Header{}
		if page := victim.Open("/device?" + form.Encode()); page.Status != http.StatusOK || page.Has("Allow") {
			t.Errorf("by GET: %d", page.Status)
		}
		refused(t, "poll", device.Poll(sim.Standard, start), "authorization_pending")
	})
	t.Run("another account", func(t *testing.T) { // signed in anew while the page was open
		start := started(t, device.Start(sim.Standard))
		page := victim.EnterCode(start)
		form := url.Values{"user_code": {start.Text("user_code")}, "decision": {"allow"}, "account": {itoa(mallory.ID)}}
		if after := victim.Submit(page.URL.String(), form); after.Status != http.StatusConflict || !after.Has("Allow") {
			t.Errorf("%d at %s", after.Status, after.URL)
		}
		refused(t, "poll", device.Poll(sim.Standard, start), "authorization_pending")
	})
	t.Run("dex-17875400", func(t *testing.T) { // an answer is for the one pair whose code the page showed
		first, second := started(t, device.Start(sim.Standard)), started(t, device.Start(sim.Standard))
		victim.AllowDevice(first)
		refused(t, "another pair", device.Poll(sim.Standard, second), "authorization_pending")
		refused(t, "by user code", device.Poll(sim.Standard, second, "user_code", first.Text("user_code")), "invalid_grant")
	})
	t.Run("CVE-2026-49448", func(t *testing.T) { // a step skipped by an empty POST
		start := started(t, device.Start(sim.Standard))
		for _, form := range []url.Values{nil, {"decision": {"allow"}}, {"user_code": {start.Text("user_code")}}, {"user_code": {start.Text("user_code")}, "decision": {"maybe"}}} {
			victim.Submit("/device", form)
		}
		refused(t, "poll", device.Poll(sim.Standard, start), "authorization_pending")
	})
	t.Run("answered already", func(t *testing.T) {
		start := started(t, device.Start(sim.Standard))
		page := victim.EnterCode(start)
		page.Press("Allow")
		if again := page.Press("Allow"); again.Title() != "You can go back to your device" {
			t.Errorf("pressed twice: %s", again.Text())
		}
		if late := mallory.EnterCode(start); late.Status != http.StatusConflict || late.Has("Allow") || strings.Contains(late.Text(), "Video Report") {
			t.Errorf("%d %s", late.Status, late.Text())
		}
		if page := victim.Submit("/device", url.Values{"user_code": {start.Text("user_code")}, "decision": {"cancel"}}); page.Title() == "Nothing was allowed" {
			t.Error("says that an allowed device was cancelled")
		}
	})
	t.Run("clickjacking", func(t *testing.T) {
		page := victim.EnterCode(started(t, device.Start(sim.Standard)))
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%q", csp)
		}
	})
}
