package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sim"
)

const goodbye = "https://app.example/goodbye?a=1"

// signedIn reports whether the browser still has its session.
func signedIn(b *sim.Browser) bool { return b.Open("/account").URL.Path == "/account" }

func logoutURL(pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return "/oauth2/logout?" + query.Encode()
}

// TestLogout: a relying party ends the session of its user, who is asked unless the
// hint proves it (RP-Initiated Logout 1.0 sections 2 and 3).
func TestLogout(t *testing.T) {
	w := sim.New(t)
	w.Host("app.example", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	app := w.NewApplication()
	app.SetPostLogoutURLs("https://app.example/other", goodbye)
	rp := w.NewRelyingParty(app)
	foreign := w.NewRelyingParty(w.NewApplication())
	const back = goodbye + "&state=s%20t"
	for _, tt := range []struct {
		name  string
		pairs func(own, another string) []string
		asks  bool
		// to is where the browser ends, "" for a page here.
		to string
	}{
		{"hint", func(own, _ string) []string { return []string{"id_token_hint", own} }, false, ""},
		{"hint and address", func(own, _ string) []string {
			return []string{"id_token_hint", own, "post_logout_redirect_uri", goodbye, "state", "s t"}
		}, false, back},
		{"hint and client", func(own, _ string) []string {
			return []string{"id_token_hint", own, "client_id", app.ID, "post_logout_redirect_uri", goodbye, "logout_hint", "x", "ui_locales", "de"}
		}, false, goodbye},
		{"nothing", func(_, _ string) []string { return nil }, true, ""},
		{"client and address", func(_, _ string) []string {
			return []string{"client_id", app.ID, "post_logout_redirect_uri", goodbye, "state", "s t"}
		}, true, back},
		{"another's hint", func(_, another string) []string {
			return []string{"id_token_hint", another, "post_logout_redirect_uri", goodbye}
		}, true, goodbye},
		{"forged hint", func(own, _ string) []string {
			return []string{"id_token_hint", flip(own), "client_id", app.ID, "post_logout_redirect_uri", goodbye}
		}, true, goodbye},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ada, grace := w.SignUp("Ada Lovelace"), w.SignUp("Grace Hopper")
			own, another := rp.SignIn(ada).RawID, rp.SignIn(grace).RawID
			page := ada.Open(logoutURL(tt.pairs(own, another)...))
			if page.Has("Sign out") != tt.asks {
				t.Fatalf("asks: %v, at %s:\n%s", !tt.asks, page.URL, page.Text())
			}
			if tt.asks {
				if !strings.Contains(page.Text(), ada.Email) || page.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("the page: %v\n%s", page.Header, page.Text())
				}
				if !signedIn(ada.Browser) {
					t.Fatal("signed out unasked")
				}
				page = page.Press("Sign out")
			}
			if tt.to == "" {
				if page.Status != http.StatusOK || page.Title() != "You are signed out" {
					t.Errorf("%d at %s:\n%s", page.Status, page.URL, page.Text())
				}
			} else if page.URL.String() != tt.to {
				t.Errorf("at %s, want %s", page.URL, tt.to)
			}
			if signedIn(ada.Browser) || !signedIn(grace.Browser) {
				t.Error("the wrong sessions ended")
			}
			// Who is not signed in goes straight on.
			page = ada.Open(logoutURL(tt.pairs(own, another)...))
			if page.Has("Sign out") || tt.to != "" && page.URL.String() != tt.to {
				t.Errorf("once more: %d at %s", page.Status, page.URL)
			}
		})
	}
	t.Run("foreign hint", func(t *testing.T) {
		ada := w.SignUp("Ada Lovelace")
		page := ada.Open(logoutURL("id_token_hint", foreign.SignIn(ada).RawID, "client_id", app.ID, "post_logout_redirect_uri", goodbye))
		if page.Status != http.StatusBadRequest || !signedIn(ada.Browser) {
			t.Errorf("%d at %s", page.Status, page.URL)
		}
	})
	t.Run("POST", func(t *testing.T) {
		ada := w.SignUp("Ada Lovelace")
		own := rp.SignIn(ada).RawID
		form := url.Values{"id_token_hint": {own}, "post_logout_redirect_uri": {goodbye}, "state": {"s t"}}
		ada.Header.Set("Sec-Fetch-Site", "cross-site")
		sent := ada.Send(http.MethodPost, "/oauth2/logout", form)
		if sent.Status != http.StatusSeeOther || len(sent.Header["Set-Cookie"]) != 0 || !signedIn(ada.Browser) {
			t.Errorf("another site's form acted: %d %v", sent.Status, sent.Header)
		}
		page := ada.Submit("/oauth2/logout", form)
		if page.URL.String() != back || len(page.Via) != 2 || !strings.Contains(page.Via[1], "/oauth2/logout?") {
			t.Errorf("at %s by %v", page.URL, page.Via)
		}
	})
	t.Run("expired hint", func(t *testing.T) {
		inVirtualTime(t, func(t *testing.T, w *sim.World) {
			rp := w.NewRelyingParty(w.NewApplication())
			ada := w.SignUp("Ada Lovelace")
			own := rp.SignIn(ada).RawID
			time.Sleep(2 * time.Hour)
			if page := ada.Open(logoutURL("id_token_hint", own)); page.Title() != "You are signed out" {
				t.Errorf("%d at %s", page.Status, page.URL)
			}
		})
	})
}

// TestLogoutLeadsNowhereElse: an address that is not registered for it is never
// followed, whoever asks (CVE-2021-29456), and nobody is signed out by such a request.
func TestLogoutLeadsNowhereElse(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	app.SetPostLogoutURLs(goodbye)
	other := w.NewApplication()
	suspended := w.NewApplication()
	suspended.SetPostLogoutURLs(goodbye)
	rp := w.NewRelyingParty(app)
	ada := w.SignUp("Ada Lovelace")
	hint := rp.SignIn(ada).RawID
	suspended.Suspend()
	for name, query := range map[string]string{
		"nobody's":            logoutURL("post_logout_redirect_uri", goodbye),
		"forged hint alone":   logoutURL("post_logout_redirect_uri", goodbye, "id_token_hint", flip(hint)),
		"evil":                logoutURL("client_id", app.ID, "post_logout_redirect_uri", "https://evil.example/"),
		"evil, with hint":     logoutURL("id_token_hint", hint, "post_logout_redirect_uri", "https://evil.example/"),
		"return URL":          logoutURL("client_id", app.ID, "post_logout_redirect_uri", app.ReturnURL),
		"another's":           logoutURL("client_id", other.ID, "post_logout_redirect_uri", goodbye),
		"prefix":              logoutURL("client_id", app.ID, "post_logout_redirect_uri", goodbye+"&b=2"),
		"other case":          logoutURL("client_id", app.ID, "post_logout_redirect_uri", "https://APP.example/goodbye?a=1"),
		"script":              logoutURL("client_id", app.ID, "post_logout_redirect_uri", "javascript:alert(1)"),
		"backslash":           logoutURL("client_id", app.ID, "post_logout_redirect_uri", `/\evil.example`),
		"suspended":           logoutURL("client_id", suspended.ID, "post_logout_redirect_uri", goodbye),
		"unknown client":      logoutURL("client_id", strings.Replace(app.ID, "client.", "client.0000", 1)[:len(app.ID)], "post_logout_redirect_uri", goodbye),
		"malformed client":    logoutURL("client_id", "x"),
		"client twice":        logoutURL("client_id", app.ID) + "&client_id=" + app.ID,
		"address twice":       logoutURL("client_id", app.ID, "post_logout_redirect_uri", goodbye) + "&post_logout_redirect_uri=x",
		"state twice":         logoutURL("state", "x") + "&state=y",
		"oversized state":     logoutURL("state", strings.Repeat("x", 5000)),
		"oversized hint":      logoutURL("id_token_hint", strings.Repeat("x", 9000)),
		"zero byte":           logoutURL("state", "\x00"),
		"not UTF-8":           logoutURL("state", "\xff"),
		"malformed escape":    logoutURL("client_id", app.ID) + "&x=%zz",
		"script in a message": logoutURL("client_id", app.ID, "post_logout_redirect_uri", `"><script>alert(1)</script>`),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			page := ada.Send(method, query, nil)
			if method == http.MethodPost {
				form, err := url.ParseQuery(strings.TrimPrefix(query, "/oauth2/logout?"))
				if err != nil {
					continue // a body that cannot be read is TestBadInput's
				}
				page = ada.Send(method, "/oauth2/logout/confirm", form)
			}
			if page.Status != http.StatusBadRequest || page.Header.Get("Location") != "" || strings.Contains(page.Body, "<script>alert") || strings.Contains(page.Body, `href="https://evil`) {
				t.Errorf("%s %s: %d to %q", method, name, page.Status, page.Header.Get("Location"))
			}
		}
	}
	if !signedIn(ada.Browser) {
		t.Error("signed out")
	}
	w.View.Flush(t.Context())
	refusals, err := w.Store.Refusals(t.Context(), app.Profile.ID)
	if err != nil {
		t.Fatal(err)
	}
	var found bool
	for _, r := range refusals {
		found = found || r.Sent == "https://evil.example/" && r.Nearest == goodbye && strings.HasPrefix(r.Words, "The post_logout_redirect_uri is not one of the registered addresses.")
	}
	if !found {
		t.Errorf("the owner reads %+v", refusals)
	}
}

// TestLogoutByOthers: no other site and no program can sign a user out.
func TestLogoutByOthers(t *testing.T) {
	w := sim.New(t)
	rp := w.NewRelyingParty(w.NewApplication())
	ada := w.SignUp("Ada Lovelace")
	hint := rp.SignIn(ada).RawID
	ada.Header.Set("Sec-Fetch-Site", "cross-site")
	if page := ada.Send(http.MethodPost, "/oauth2/logout/confirm", nil); page.Status != http.StatusForbidden {
		t.Errorf("another site's answer: %d", page.Status)
	}
	ada.Header.Del("Sec-Fetch-Site")
	ada.Send(http.MethodHead, logoutURL("id_token_hint", hint), nil)
	if !signedIn(ada.Browser) {
		t.Error("HEAD signs out")
	}
}

// TestLogoutBadInput: what cannot be read is refused with a page, never a 500.
func TestLogoutBadInput(t *testing.T) {
	w := sim.New(t)
	ada := w.SignUp("Ada Lovelace")
	const form = "application/x-www-form-urlencoded"
	for _, tt := range []struct{ name, kind, body string }{
		{"malformed escape", form, "state=%zz"},
		{"semicolons", form, "client_id=a;state=b"},
		{"JSON", "application/json", `{"state":"x"}`},
		{"no content type", "", "state=x"},
		{"broken multipart", "multipart/form-data; boundary=x", "--x"},
		{"oversized body", form, "x=" + strings.Repeat("a", 200<<10)},
		{"too long to go on", form, "client_id=&state=" + strings.Repeat("%C3%A9", 2000) + "&x=" + strings.Repeat("a", 20_000)},
		{"twice", form, "state=a&state=b"},
	} {
		for _, path := range []string{"/oauth2/logout", "/oauth2/logout/confirm"} {
			r := w.Request(http.MethodPost, path, strings.NewReader(tt.body), "Content-Type", tt.kind)
			if got := w.Do(r); got.Status >= 500 || got.Status < 300 {
				t.Errorf("%s %s: %v", path, tt.name, got.Status)
			}
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
		if got := w.Do(w.Request(method, "/oauth2/logout", nil)); got.Status/100 != 4 {
			t.Errorf("%s: %v", method, got)
		}
	}
	if !signedIn(ada.Browser) {
		t.Error("signed out")
	}
}
