package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// waits fails the test unless the device is told to wait.
func waits(t *testing.T, what string, got sim.Answer, code string, interval float64) {
	t.Helper()
	if got.Status != http.StatusBadRequest || got.Text("error") != code || got.Number("interval") != interval {
		t.Errorf("%s: %v, want %s and interval %v", what, got, code, interval)
	}
}

// started fails the test unless a device got its codes.
func started(t *testing.T, got sim.Answer) sim.Answer {
	t.Helper()
	if got.Status != http.StatusOK || got.Text("device_code") == "" {
		t.Fatalf("start: %v", got)
	}
	return got
}

// TestDeviceGrant is the whole way of a device in both dialects, from its codes to
// another access token without a secret.
func TestDeviceGrant(t *testing.T) {
	for path, d := range dialects {
		t.Run(path, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, w *sim.World) {
				app := w.NewApplication()
				device, user := app.NewDevice(), w.SignUp("Ada Lovelace")
				start := started(t, device.Start(d))
				interval, prefixes := 30.0, [2]string{"Atza|", "Atzr|"}
				userCode, deviceCode := `^[B-Z3479]{6}$`, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
				at, complete := w.Issuer+"/us/code", ""
				if d == sim.Standard {
					interval, prefixes = 5, [2]string{"gl_at_", "gl_rt_"}
					userCode, at = `^[B-Z]{4}-[B-Z]{4}$`, w.Issuer+"/device"
					complete = at + "?user_code=" + start.Text("user_code")
				}
				if !regexp.MustCompile(userCode).MatchString(start.Text("user_code")) || !regexp.MustCompile(deviceCode).MatchString(start.Text("device_code")) ||
					start.Text("verification_uri") != at || start.Text("verification_uri_complete") != complete ||
					start.Number("expires_in") != 600 || start.Number("interval") != interval {
					t.Errorf("start: %v", start)
				}
				if start.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("start may be kept: %v", start.Header)
				}

				waits(t, "at once", device.Poll(d, start), "authorization_pending", interval)
				page := user.EnterCode(start)
				for _, words := range []string{start.Text("user_code"), "Video Report Downloader", "by Company 1", "Privacy notice", user.Email, "Ada Lovelace", "Is this code on the device in front of you?", "Use another account"} {
					if !strings.Contains(page.Text(), words) {
						t.Errorf("the page lacks %q:\n%s", words, page.Text())
					}
				}
				device.Wait(start)
				waits(t, "before the answer", device.Poll(d, start), "authorization_pending", interval)
				if done := page.Press("Allow"); done.Title() != "You can go back to your device" || done.URL.Query().Get("done") != "allowed" {
					t.Fatalf("done: %d at %s\n%s", done.Status, done.URL, done.Text())
				}
				given := device.Poll(d, start)
				access, refresh := given.Text("access_token"), given.Text("refresh_token")
				if given.Status != http.StatusOK || !strings.HasPrefix(access, prefixes[0]) || !strings.HasPrefix(refresh, prefixes[1]) ||
					given.Text("token_type") != "bearer" || given.Number("expires_in") != 3600 || (given.Text("scope") == "profile") != (d == sim.Standard) {
					t.Fatalf("tokens: %v", given)
				}
				if got := w.UserProfile(access); got.Text("email") != user.Email {
					t.Errorf("profile: %v", got)
				}
				if got := w.TokenInfo(access); got.Text("aud") != device.ID {
					t.Errorf("aud is %q, want the device's client ID", got.Text("aud"))
				}
				if got := introspect(w, app, access); got.Text("client_id") != device.ID {
					t.Errorf("introspection: %v", got)
				}
				for range 2 { // the same string always
					time.Sleep(time.Minute)
					again := device.Refresh(d, refresh)
					if again.Status != http.StatusOK || again.Text("refresh_token") != refresh || again.Text("access_token") == access {
						t.Errorf("refresh: %v", again)
					}
				}
				want := map[oauth.Dialect]string{sim.Amazon: "invalid_code_pair", sim.Standard: "invalid_grant"}[d]
				refused(t, "again", device.Poll(d, start), want)
				if got := device.Refresh(d, refresh); got.Status != http.StatusOK {
					t.Errorf("a second poll ended the tokens of the first: %v", got)
				}
			})
		})
	}
}

// TestDevicePolling: the interval holds while the user has not answered, and grows with
// hasty polls, for every replica (RFC 8628 section 3.5).
func TestDevicePolling(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		device := w.NewApplication().NewDevice()
		start := started(t, device.Start(sim.Standard))
		for i, step := range []struct {
			after    time.Duration
			code     string
			interval float64
		}{
			{0, "authorization_pending", 5},
			{4100 * time.Millisecond, "authorization_pending", 5}, // the network's doing
			{3 * time.Second, "slow_down", 10},
			{5 * time.Second, "slow_down", 15},
			{15 * time.Second, "authorization_pending", 15},
			{time.Second, "slow_down", 20}, {0, "slow_down", 25}, {0, "slow_down", 30}, {0, "slow_down", 35}, {0, "slow_down", 40},
			{0, "slow_down", 45}, {0, "slow_down", 50}, {0, "slow_down", 55}, {0, "slow_down", 60}, {0, "slow_down", 60},
			{time.Minute, "authorization_pending", 60},
		} {
			time.Sleep(step.after)
			waits(t, fmt.Sprint("poll ", i), device.Poll(sim.Standard, start), step.code, step.interval)
		}
		// A hasty device gets its tokens all the same.
		w.SignUp("Ada Lovelace").AllowDevice(start)
		if got := device.Poll(sim.Standard, start); got.Status != http.StatusOK {
			t.Errorf("%v", got)
		}
	})
}

// waiting is a device of an application, and somebody to let it in.
type waiting struct {
	*sim.World
	app    *sim.Application
	device *sim.Device
	user   *sim.Person
	d      oauth.Dialect
}

// allowed is a pair of codes that the user has said yes to.
func (v waiting) allowed(t *testing.T) sim.Answer {
	t.Helper()
	start := started(t, v.device.Start(v.d))
	v.user.AllowDevice(start)
	return start
}

// TestDeviceRefusals are the polls that get no tokens, in the words of both dialects.
func TestDeviceRefusals(t *testing.T) {
	tests := map[string]func(t *testing.T, v waiting, wrong, expired string){
		"cancelled": func(t *testing.T, v waiting, _, _ string) {
			start := started(t, v.device.Start(v.d))
			if page := v.user.EnterCode(start).Press("Cancel"); page.Title() != "Nothing was allowed" {
				t.Errorf("%s", page.Text())
			}
			for range 2 {
				refused(t, "poll", v.device.Poll(v.d, start), "access_denied")
			}
		},
		"expired": func(t *testing.T, v waiting, wrong, expired string) {
			pending, start := started(t, v.device.Start(v.d)), v.allowed(t)
			time.Sleep(10 * time.Minute)
			refused(t, "pending", v.device.Poll(v.d, pending), expired)
			refused(t, "allowed", v.device.Poll(v.d, start), expired)
			if page := v.user.EnterCode(pending); page.Status != http.StatusUnprocessableEntity || page.Has("Allow") {
				t.Errorf("%d %s", page.Status, page.Text())
			}
			time.Sleep(time.Hour)
			started(t, v.device.Start(v.d)) // the rows go with the next one
			refused(t, "forgotten", v.device.Poll(v.d, pending), wrong)
		},
		"wrong": func(t *testing.T, v waiting, wrong, _ string) {
			other, stranger := v.app.NewDevice(), v.NewApplication().NewDevice()
			start := v.allowed(t)
			poll := func(pairs ...string) sim.Answer { return v.device.Poll(v.d, start, pairs...) }
			refused(t, "device code", poll("device_code", "00000000-0000-4000-8000-000000000000"), wrong)
			refused(t, "user code", poll("user_code", "BCDFGH"), wrong)
			refused(t, "user code that is none", poll("user_code", "?"), wrong)
			refused(t, "another device", poll("client_id", other.ID), wrong)
			refused(t, "the profile's own client", poll("client_id", v.app.ID, "client_secret", v.app.Secret), wrong)
			refused(t, "another application", poll("client_id", stranger.ID), wrong)
			refused(t, "a secret", poll("client_id", v.device.ID, "client_secret", v.app.Secret), "invalid_client")
			if got := poll("client_id", v.device.ID); got.Status != http.StatusOK {
				t.Errorf("after all of these: %v", got)
			}
		},
		"taken back": func(t *testing.T, v waiting, _, _ string) {
			start := v.allowed(t)
			removeGrant(t, v.World, v.user, v.app)
			refused(t, "poll", v.device.Poll(v.d, start), "access_denied")
		},
		"disabled": func(t *testing.T, v waiting, _, _ string) {
			start := v.allowed(t)
			if err := v.Store.SetAccountDisabled(t.Context(), v.user.ID, time.Now(), by()); err != nil {
				t.Fatal(err)
			}
			refused(t, "poll", v.device.Poll(v.d, start), "access_denied")
		},
		"suspended": func(t *testing.T, v waiting, _, _ string) {
			start := started(t, v.device.Start(v.d))
			v.app.Suspend()
			refused(t, "poll", v.device.Poll(v.d, start), "unauthorized_client")
			refused(t, "start", v.device.Start(v.d), "unauthorized_client")
			if page := v.user.EnterCode(start); page.Status != http.StatusConflict {
				t.Errorf("%d %s", page.Status, page.Text())
			}
		},
	}
	for path, d := range dialects {
		wrong, expired := "invalid_grant", "expired_token"
		if d == sim.Amazon {
			wrong, expired = "invalid_code_pair", "invalid_code_pair"
		}
		for name, test := range tests {
			t.Run(path+" "+name, func(t *testing.T) {
				inVirtualTime(t, func(t *testing.T, w *sim.World) {
					app := w.NewApplication()
					test(t, waiting{w, app, app.NewDevice(), w.SignUp("Ada Lovelace"), d}, wrong, expired)
				})
			})
		}
	}
}

func removeGrant(t *testing.T, w *sim.World, user *sim.Person, app *sim.Application) {
	t.Helper()
	g, _, err := w.Store.GrantFor(t.Context(), user.ID, app.Profile.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Store.RemoveGrant(t.Context(), user.ID, g.ID, by()); err != nil {
		t.Fatal(err)
	}
}

// TestWhoMayUseDevices: device client IDs of any profile, kinds without a page to
// leave by their own, and others with their secret.
func TestWhoMayUseDevices(t *testing.T) {
	w := sim.New(t)
	user := w.SignUp("Ada Lovelace")
	for _, tt := range []struct {
		kind                registry.Kind
		amazon, standard    string // the error, "" for none
		withSecret, amazon2 string
	}{
		{registry.Web, "unauthorized_client", "unauthorized_client", "", "unauthorized_client"},
		{registry.SinglePage, "unauthorized_client", "unauthorized_client", "unauthorized_client", "unauthorized_client"},
		{registry.Native, "", "", "", ""},
		{registry.Device, "", "", "", ""},
		{registry.Service, "unauthorized_client", "unauthorized_client", "unauthorized_client", "unauthorized_client"},
	} {
		t.Run(tt.kind.Name(), func(t *testing.T) {
			app := w.NewApplication()
			app.Become(tt.kind)
			own, device := app.AsDevice(), app.NewDevice()
			secret := []string{"client_secret", app.Secret}
			for name, start := range map[string]struct {
				got  sim.Answer
				want string
			}{
				"codepair":                         {own.Start(sim.Amazon), tt.amazon},
				"device_authorization":             {own.Start(sim.Standard), tt.standard},
				"device_authorization with secret": {own.Start(sim.Standard, secret...), tt.withSecret},
				"codepair with secret":             {own.Start(sim.Amazon, secret...), tt.amazon2},
				"device client":                    {device.Start(sim.Standard), ""},
				"device client codepair":           {device.Start(sim.Amazon), ""},
			} {
				if got := start.got.Text("error"); got != start.want {
					t.Errorf("%s: %v, want %q", name, start.got, start.want)
				}
			}
			if tt.standard == "" {
				start := started(t, own.Start(sim.Standard))
				user.AllowDevice(start)
				given := own.Poll(sim.Standard, start)
				again := own.Refresh(sim.Standard, given.Text("refresh_token"))
				if again.Status != http.StatusOK || again.Text("refresh_token") != given.Text("refresh_token") || w.TokenInfo(again.Text("access_token")).Text("aud") != app.ID {
					t.Errorf("refresh: %v", again)
				}
				app.Become(registry.Web)
				refused(t, "refresh once it has a secret to send", own.Refresh(sim.Standard, given.Text("refresh_token")), "invalid_client")
			}
		})
	}
	t.Run("with the secret all along", func(t *testing.T) {
		app := w.NewApplication()
		own := app.AsDevice()
		start := started(t, own.Start(sim.Standard, "client_secret", app.Secret))
		user.AllowDevice(start)
		refused(t, "poll without it", own.Poll(sim.Standard, start), "invalid_client")
		refused(t, "bare poll without it", own.Poll(sim.Amazon, start), "invalid_client")
		given := own.Poll(sim.Standard, start, "client_secret", app.Secret)
		if given.Status != http.StatusOK {
			t.Fatal(given)
		}
		refused(t, "refresh without it", own.Refresh(sim.Standard, given.Text("refresh_token")), "invalid_client")
		if got := own.Refresh(sim.Standard, given.Text("refresh_token"), "client_secret", app.Secret); got.Status != http.StatusOK {
			t.Errorf("refresh: %v", got)
		}
	})
	t.Run("the owner is told what to do", func(t *testing.T) {
		app := w.NewApplication()
		refused(t, "start", app.AsDevice().Start(sim.Amazon), "unauthorized_client")
		w.View.Flush(t.Context())
		all, err := w.Store.Refusals(t.Context(), app.Profile.ID)
		if err != nil || len(all) != 1 || !strings.Contains(all[0].Words, "TVs and Other Devices") {
			t.Errorf("%+v, %v", all, err)
		}
	})
	t.Run("nothing else", func(t *testing.T) { // a device's client ID in other grants
		app := w.NewApplication()
		device := app.NewDevice()
		refused(t, "client credentials", w.Post("/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {device.ID}}), "unauthorized_client")
		refused(t, "code", w.Post("/oauth2/token", app.RedeemForm(user.Code(app, sim.Amazon), "client_id", device.ID, "client_secret", sim.Omit)), "unauthorized_client")
		given := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon))
		refused(t, "the application's refresh token", device.Refresh(sim.Amazon, given.Text("refresh_token")), "invalid_client")
	})
}

// TestDeviceOnce: of sixteen polls at the same moment one gets the tokens, on any
// number of replicas (pocket-id 6bd058ac).
func TestDeviceOnce(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			cfg := sqldbtest.Config(t, dialect)
			keys := t.TempDir() + "/keys"
			w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			replica := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys})
			device, user := w.NewApplication().NewDevice(), w.SignUp("Ada Lovelace")
			for path, d := range dialects {
				start := started(t, device.Start(d))
				user.AllowDevice(start)
				answers := make([]sim.Answer, 16)
				var wg sync.WaitGroup
				for i := range answers {
					wg.Go(func() { answers[i] = device.In([]*sim.World{w, replica}[i%2]).Poll(d, start) })
				}
				wg.Wait()
				count := map[string]int{}
				for _, got := range answers {
					count[got.Text("error")]++
					if got.Status == http.StatusOK {
						if again := device.Refresh(d, got.Text("refresh_token")); again.Status != http.StatusOK {
							t.Errorf("%s: the winner's tokens: %v", path, again)
						}
					}
				}
				lost := map[oauth.Dialect]string{sim.Amazon: "invalid_code_pair", sim.Standard: "invalid_grant"}[d]
				if diff := cmp.Diff(map[string]int{"": 1, lost: 15}, count); diff != "" {
					t.Errorf("%s (-want +got)\n%s", path, diff)
				}
			}
		})
	}
}

// TestRemovedDevice: whoever removes a device's client ID ends its tokens and what waits.
func TestRemovedDevice(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	device, bystander, user := app.NewDevice(), app.NewDevice(), w.SignUp("Ada Lovelace")
	tokens := func(v *sim.Device) sim.Answer {
		start := started(t, v.Start(sim.Amazon))
		user.AllowDevice(start)
		return v.Poll(sim.Amazon, start)
	}
	ended, kept := tokens(device), tokens(bystander)
	pending := started(t, device.Start(sim.Amazon))
	device.Remove()
	refused(t, "tokeninfo", w.TokenInfo(ended.Text("access_token")), "invalid_token")
	refused(t, "refresh", device.Refresh(sim.Amazon, ended.Text("refresh_token")), "invalid_client")
	refused(t, "start", device.Start(sim.Amazon), "invalid_client")
	refused(t, "poll", device.Poll(sim.Amazon, pending), "invalid_code_pair")
	if page := user.EnterCode(pending); page.Has("Allow") {
		t.Errorf("%d %s", page.Status, page.Text())
	}
	if got := bystander.Refresh(sim.Amazon, kept.Text("refresh_token")); got.Status != http.StatusOK {
		t.Errorf("another device: %v", got)
	}
}

// TestDeviceRevokes: a device ends its own tokens, without a secret (RFC 7009 section
// 2.1), and no other's.
func TestDeviceRevokes(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	device, other, user := app.NewDevice(), app.NewDevice(), w.SignUp("Ada Lovelace")
	start := started(t, device.Start(sim.Standard))
	user.AllowDevice(start)
	given := device.Poll(sim.Standard, start)
	revoke := func(v *sim.Device) sim.Answer {
		return w.Post("/oauth2/revoke", url.Values{"client_id": {v.ID}, "token": {given.Text("refresh_token")}})
	}
	refused(t, "another device", revoke(other), "unauthorized_client")
	if got := device.Refresh(sim.Standard, given.Text("refresh_token")); got.Status != http.StatusOK {
		t.Errorf("%v", got)
	}
	if got := revoke(device); got.Status != http.StatusOK {
		t.Errorf("%v", got)
	}
	refused(t, "refresh", device.Refresh(sim.Standard, given.Text("refresh_token")), "invalid_grant")
	refused(t, "tokeninfo", w.TokenInfo(given.Text("access_token")), "invalid_token")
}

// TestDeviceCountry: the page's country is the one that the device's language names.
func TestDeviceCountry(t *testing.T) {
	w := sim.New(t)
	device := w.NewApplication().NewDevice()
	for language, want := range map[string]string{
		"": "us", "de-DE": "de", "en-GB": "gb", "pt-BR,pt;q=0.9": "br", "ja": "us", "de, fr-FR;q=0.5": "fr",
		"zh-Hant-TW": "tw", "es-419": "us", "*": "us", "x-..%2f": "us", "en-é1": "us", "a-b-c, -": "us", strings.Repeat("a-", 500): "us",
	} {
		r := w.Request(http.MethodPost, "/auth/o2/create/codepair", strings.NewReader(url.Values{
			"client_id": {device.ID}, "scope": {"profile"}, "response_type": {"device_code"}}.Encode()),
			"Content-Type", "application/x-www-form-urlencoded", "Accept-Language", language)
		if got := started(t, w.Do(r)).Text("verification_uri"); got != w.Issuer+"/"+want+"/code" {
			t.Errorf("%.40q: %s, want %s", language, got, want)
		}
	}
}
