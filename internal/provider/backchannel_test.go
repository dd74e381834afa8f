package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

// listener is the back-channel logout address of an application.
type listener struct {
	URL string

	mu     sync.Mutex
	status int
	tokens []string
	wrong  []string
}

// listen begins to listen on this computer, outside of any virtual time.
func listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{status: http.StatusOK}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Cookie") != "" {
			l.wrong = append(l.wrong, fmt.Sprint(r.Method, r.Header))
		}
		l.tokens = append(l.tokens, r.FormValue("logout_token"))
		w.WriteHeader(l.status)
	}))
	t.Cleanup(server.Close)
	l.URL = server.URL + "/logout"
	return l
}

func (l *listener) answer(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = status
}

// told gives what has come by now.
func (l *listener) told() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.tokens)
}

// await waits until something has come, and a little longer.
func (l *listener) await() []string {
	for range 1000 {
		if len(l.told()) > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	return l.told()
}

// listening registers a relying party that wants to hear of sign-outs.
func listening(w *sim.World, l *listener) *sim.RelyingParty {
	app := w.NewApplication()
	app.Set(func(s *registry.Settings) { s.BackChannelLogoutURI = l.URL })
	return w.NewRelyingParty(app)
}

// TestBackChannelLogout: however a session ends, each application in which its user
// signed in is told once, and no other (Back-Channel Logout 1.0).
func TestBackChannelLogout(t *testing.T) {
	w := sim.New(t)
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, rp *sim.RelyingParty, ada *sim.Person, got sim.SignedIn)
		told bool
	}{
		{"signed out", func(_ *testing.T, _ *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			ada.Open("/sign-out").Press("Sign out")
		}, true},
		{"signed out by an application", func(_ *testing.T, _ *sim.RelyingParty, ada *sim.Person, got sim.SignedIn) {
			ada.Open(logoutURL("id_token_hint", got.RawID))
		}, true},
		{"password changed", func(t *testing.T, _ *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			if err := w.Store.ChangePassword(t.Context(), ada.ID, "another", [32]byte{}, by()); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"ended elsewhere", func(_ *testing.T, _ *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			other := w.NewBrowser()
			ada.SignIn(other)
			other.Submit("/account/sessions", url.Values{"others": {"1"}})
		}, true},
		{"account disabled", func(t *testing.T, _ *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			if err := w.Store.SetAccountDisabled(t.Context(), ada.ID, time.Now(), by()); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"account deleted", func(t *testing.T, _ *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			if err := w.Store.DeleteAccount(t.Context(), ada.ID, by()); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"somebody else signs in", func(_ *testing.T, _ *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			w.SignUp("Grace Hopper").SignIn(ada.Browser)
		}, true},
		{"application removed", func(_ *testing.T, _ *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			ada.Open("/account/applications").Press("Remove")
		}, false},
		{"address taken away", func(_ *testing.T, rp *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			rp.Set(func(s *registry.Settings) { s.BackChannelLogoutURI = "" })
			ada.Open("/sign-out").Press("Sign out")
		}, false},
		{"profile deleted", func(_ *testing.T, rp *sim.RelyingParty, ada *sim.Person, _ sim.SignedIn) {
			rp.Delete()
			ada.Open("/sign-out").Press("Sign out")
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, quiet := listen(t), listen(t)
			rp, never := listening(w, l), listening(w, quiet)
			ada, grace := w.SignUp("Ada Lovelace"), w.SignUp("Grace Hopper")
			got := rp.SignIn(ada)
			rp.SignIn(ada) // a second time in the same session
			rp.SignIn(grace)
			never.SignIn(grace)
			sid, _ := got.Claims["sid"].(string)
			if sid == "" {
				t.Fatalf("no sid: %v", got.Claims)
			}
			tt.end(t, rp, ada, got)
			if !tt.told {
				time.Sleep(200 * time.Millisecond)
				if tokens := l.told(); len(tokens) != 0 {
					t.Errorf("told %d times", len(tokens))
				}
				return
			}
			tokens := l.await()
			if len(tokens) != 1 || len(quiet.told()) != 0 || len(l.wrong) != 0 {
				t.Fatalf("told %d times, the other %d; %v", len(tokens), len(quiet.told()), l.wrong)
			}
			token := tokens[0]
			if header := headerOf(t, token); header["typ"] != "logout+jwt" || header["alg"] != "RS256" || header["kid"] == "" {
				t.Errorf("header %v", header)
			}
			if _, err := rp.Verify(token); err != nil { // issuer, audience, time and signature
				t.Error(err)
			}
			claims := claimsOf(t, token)
			events, _ := claims["events"].(map[string]any)
			if event, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any); !ok || len(event) != 0 {
				t.Errorf("events %v", claims["events"])
			}
			if claims["sub"] != got.ID.Subject || claims["sid"] != sid || claims["jti"] == "" || claims["nonce"] != nil {
				t.Errorf("%v, the session was %s of %s", claims, sid, got.ID.Subject)
			}
			if left := claims["exp"].(float64) - claims["iat"].(float64); left <= 0 || left > 120 {
				t.Errorf("good for %v seconds", left)
			}
			// It passes for nothing else here.
			refused(t, "logout token as access token", w.TokenInfo(token), "invalid_token")
			if got := errorAt(t, grace.Browser, rp, "id_token_hint", token); got != "invalid_request" {
				t.Errorf("logout token as id_token_hint: %q", got)
			}
		})
	}
}

// TestSessionIDs: one name per session and application, also after a refresh and after
// the password was given once more; none without the address.
func TestSessionIDs(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		sibling := app.Sibling("https://sibling.example/return")
		for _, a := range []*sim.Application{app, sibling} {
			a.Set(func(s *registry.Settings) { s.BackChannelLogoutURI = "https://app.example/logout" })
		}
		rp, other, plain := w.NewRelyingParty(app), w.NewRelyingParty(sibling), w.NewRelyingParty(w.NewApplication())
		ada := w.SignUp("Ada Lovelace")
		first := rp.SignIn(ada)
		sid := first.Claims["sid"]
		if sid == nil || rp.SignIn(ada).Claims["sid"] != sid {
			t.Errorf("sid %v, and then another", sid)
		}
		if got := other.SignIn(ada).Claims["sid"]; got == nil || got == sid {
			t.Errorf("sid %v, of another application %v", sid, got)
		}
		if got, there := plain.SignIn(ada).Claims["sid"]; there {
			t.Errorf("sid %v without an address", got)
		}
		if got := claimsOf(t, rp.Refresh(sim.Standard, first.Token.RefreshToken).Text("id_token"))["sid"]; got != sid {
			t.Errorf("sid %v, after a refresh %v", sid, got)
		}
		before := ada.Cookies()
		time.Sleep(time.Minute)
		ada.SignIn(ada.Browser)
		if got := rp.SignIn(ada).Claims["sid"]; got != sid || ada.Cookies()[0].Value == before[0].Value {
			t.Errorf("sid %v, after the password was given again %v", sid, got)
		}
		if next, err := w.Store.NextLogout(t.Context()); err != nil || !next.IsZero() {
			t.Errorf("giving the password again is told as a sign-out: %v, %v", next, err)
		}
		b := w.NewBrowser()
		ada.SignIn(b)
		if got := rp.SignIn(&sim.Person{Browser: b}).Claims["sid"]; got == sid {
			t.Error("two browsers have one session")
		}
		// An ID token of another session does not end this one unasked.
		if page := b.Open(logoutURL("id_token_hint", first.RawID)); !page.Has("Sign out") {
			t.Errorf("%d at %s", page.Status, page.URL)
		}
	})
}

// TestBackChannelRetries: an application that does not answer is asked again at growing
// intervals; then its owner reads of it.
func TestBackChannelRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		recovers bool
		want     int
	}{"for good": {false, 5}, "for a while": {true, 3}} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			l.answer(http.StatusInternalServerError)
			synctest.Test(t, func(t *testing.T) {
				w := sim.New(t)
				rp := listening(w, l)
				ada := w.SignUp("Ada Lovelace")
				rp.SignIn(ada)
				ada.Open("/sign-out").Press("Sign out")
				began := time.Now()
				for i, after := range []time.Duration{0, 5 * time.Second, 35 * time.Second, 155 * time.Second, 755 * time.Second, 20 * time.Minute} {
					if tt.recovers && i == 2 {
						l.answer(http.StatusNoContent)
					}
					time.Sleep(time.Until(began.Add(after + 100*time.Millisecond)))
					if got, want := len(l.told()), min(i+1, tt.want); got != want {
						t.Fatalf("after %v: told %d times, want %d", after, got, want)
					}
				}
				ids := map[any]bool{}
				for _, token := range l.told() {
					ids[claimsOf(t, token)["jti"]] = true
				}
				if len(ids) != tt.want {
					t.Errorf("%d jtis of %d tokens", len(ids), tt.want)
				}
				if next, err := w.Store.NextLogout(t.Context()); err != nil || !next.IsZero() {
					t.Errorf("still waits for %v, %v", next, err)
				}
				refusals, err := w.Store.Refusals(t.Context(), rp.Profile.ID)
				if err != nil || len(refusals) == 0 || refusals[0].Sent != l.URL || !strings.Contains(refusals[0].Words, "status 500") {
					t.Fatalf("the owner reads %+v, %v", refusals, err)
				}
				if given := strings.Contains(refusals[0].Words, "It is not tried again"); given == tt.recovers {
					t.Errorf("the owner reads %q", refusals[0].Words)
				}
			})
		})
	}
}

// TestLogoutAfterTheCode: a user who signs out before the code is redeemed is told of
// to the application that redeems it.
func TestLogoutAfterTheCode(t *testing.T) {
	l := listen(t)
	synctest.Test(t, func(t *testing.T) {
		w := sim.New(t)
		rp := listening(w, l)
		ada := w.SignUp("Ada Lovelace")
		code := ada.Code(rp.Application, sim.Standard, "scope", "openid")
		ada.Open("/sign-out").Press("Sign out")
		got := rp.Redeem(sim.Standard, code)
		if got.Status != http.StatusOK {
			t.Fatal(got)
		}
		time.Sleep(20 * time.Second)
		tokens := l.told()
		if len(tokens) != 1 || claimsOf(t, tokens[0])["sid"] != claimsOf(t, got.Text("id_token"))["sid"] {
			t.Errorf("told %d times", len(tokens))
		}
	})
}

// TestBackChannelInside: the address is a stranger's word, and leads to no internal
// host of an issuer on the public internet.
func TestBackChannelInside(t *testing.T) {
	l := listen(t)
	w := sim.NewWith(t, sim.Options{Issuer: "https://login.example"})
	rp := listening(w, l)
	ada := w.SignUp("Ada Lovelace")
	rp.SignIn(ada)
	ada.Open("/sign-out").Press("Sign out")
	for range 100 {
		time.Sleep(20 * time.Millisecond)
		w.View.Flush(t.Context())
		if refusals, err := w.Store.Refusals(t.Context(), rp.Profile.ID); err != nil || len(refusals) > 0 {
			if err != nil || !strings.Contains(refusals[0].Words, "could not be told") {
				t.Errorf("%+v, %v", refusals, err)
			}
			break
		}
	}
	if tokens := l.told(); len(tokens) != 0 {
		t.Errorf("reached: %d", len(tokens))
	}
}

// TestBackChannelBudget: the address costs three statements in the transaction that
// there is anyway.
func TestBackChannelBudget(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		app.Set(func(s *registry.Settings) { s.BackChannelLogoutURI = "https://app.example/logout" })
		ada := w.SignUp("Ada Lovelace")
		flow := func() sim.Answer {
			return app.Redeem(sim.Standard, ada.Code(app, sim.Standard, "scope", "openid"))
		}
		flow()
		flow()
		w.DB.Reset()
		if got := flow(); got.Status != http.StatusOK {
			t.Fatal(got)
		}
		if counts, want := w.DB.Counts(), (faultdb.Counts{Execs: 3, Begins: 1, Commits: 1}); counts != want {
			t.Errorf("costs %+v, want %+v", counts, want)
		}
	})
}
