package replicatest

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
)

// TestAnyReplica goes through everything that a replica could have kept to itself, each
// request at the next replica.
func TestAnyReplica(t *testing.T) {
	f := newFleet(t, 3)
	user := f.SignUp("Ada Lovelace") // the page, the form and the session are three replicas' already
	good := func(t *testing.T, what string, got sim.Answer) sim.Answer {
		t.Helper()
		if got.Status != http.StatusOK {
			t.Fatalf("%s: %v", what, got)
		}
		return got
	}
	run := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			f.Use(t)
			test(t)
		})
	}
	run("session", func(t *testing.T) {
		browser := f.NewBrowser()
		if page := user.SignIn(browser); page.Status != http.StatusOK {
			t.Fatal(page.Text())
		}
		for range 2 * len(f.replicas) {
			if page := browser.Open("/account"); page.Status != http.StatusOK || !strings.Contains(page.Text(), user.Email) {
				t.Fatalf("%d at %s: %s", page.Status, page.URL, page.Text())
			}
		}
	})
	run("code", func(t *testing.T) {
		app := f.NewApplication()
		got := good(t, "exchange", app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid profile")))
		for range len(f.replicas) {
			good(t, "userinfo", f.Get("/oauth2/userinfo", "Authorization", "Bearer "+got.Text("access_token")))
			good(t, "refresh", app.Refresh(sim.Standard, got.Text("refresh_token")))
		}
	})
	run("pushed request", func(t *testing.T) {
		app := f.NewApplication()
		u, err := url.Parse(app.AuthorizeURL(sim.Standard, "client_secret", app.Secret))
		if err != nil {
			t.Fatal(err)
		}
		pushed := f.Post("/oauth2/par", u.Query())
		if pushed.Status != http.StatusCreated {
			t.Fatal(pushed)
		}
		page := user.Open("/oauth2/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {pushed.Text("request_uri")}}.Encode())
		back, ok := app.Received(page.Press("Allow").GoOn())
		if !ok {
			t.Fatalf("%d at %s: %s", page.Status, page.URL, page.Text())
		}
		good(t, "exchange", app.Redeem(sim.Standard, back.Get("code")))
	})
	run("device", func(t *testing.T) {
		app := f.NewApplication()
		app.Become(registry.Device)
		device := app.AsDevice()
		started := good(t, "codes", device.Start(sim.Standard))
		if got := device.Poll(sim.Standard, started); got.Text("error") != "authorization_pending" {
			t.Fatalf("before the user: %v", got)
		}
		// Asking the next replica is no way round the interval.
		if got := device.Poll(sim.Standard, started); got.Text("error") != "slow_down" {
			t.Errorf("at once again: %v", got)
		}
		user.AllowDevice(started)
		var wg sync.WaitGroup
		var tokens atomic.Int64
		time.Sleep(time.Duration(started.Number("interval")+5) * time.Second) // slow_down adds five
		for range 9 {
			wg.Go(func() {
				if device.Poll(sim.Standard, started).Status == http.StatusOK {
					tokens.Add(1)
				}
			})
		}
		wg.Wait()
		if tokens.Load() != 1 {
			t.Errorf("%d of 9 got tokens", tokens.Load())
		}
	})
	run("rotation", func(t *testing.T) {
		app := f.NewApplication()
		app.Become(registry.SinglePage)
		verifier := strings.Repeat("v", 43)
		public := []string{"client_secret", sim.Omit, "code_verifier", verifier}
		code := user.Code(app, sim.Standard, "code_challenge", sim.S256(verifier), "code_challenge_method", "S256")
		first := good(t, "exchange", app.Redeem(sim.Standard, code, public...)).Text("refresh_token")
		rotate := func(token string) sim.Answer { return app.Refresh(sim.Standard, token, "client_secret", sim.Omit) }
		var mu sync.Mutex
		var wg sync.WaitGroup
		successors := map[string]int{}
		for range 6 { // an application that did not hear the answer asks again
			wg.Go(func() {
				got := rotate(first)
				mu.Lock()
				defer mu.Unlock()
				successors[got.Text("refresh_token")]++
			})
		}
		wg.Wait()
		if len(successors) != 1 || successors[""] > 0 {
			t.Fatalf("six times the same token gave %v", successors)
		}
		var second string
		for second = range successors {
		}
		third := good(t, "second", rotate(second)).Text("refresh_token")
		if got := rotate(first); got.Text("error") != "invalid_grant" {
			t.Errorf("two steps back: %v", got)
		}
		if got := rotate(third); got.Text("error") != "invalid_grant" {
			t.Errorf("after a replay: %v", got)
		}
	})
	run("proof and nonce", func(t *testing.T) {
		app, key := f.NewApplication(), f.NewClientKey()
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ID}, "client_secret": {app.Secret}}
		const path = "/oauth2/token"
		yesterday := sim.Claims{"iat": time.Now().Add(-24 * time.Hour).Unix()}
		refused := f.Post(path, form, "DPoP", f.Proof(key, http.MethodPost, path, "", yesterday))
		nonce := sim.Claims{"nonce": refused.Header.Get("DPoP-Nonce")}
		if refused.Text("error") != "use_dpop_nonce" || nonce["nonce"] == "" {
			t.Fatal(refused)
		}
		for range len(f.replicas) {
			good(t, "with the nonce", f.Post(path, form, "DPoP", f.Proof(key, http.MethodPost, path, "", yesterday, nonce)))
		}
		proof := f.Proof(key, http.MethodPost, path, "")
		good(t, "a proof", f.Post(path, form, "DPoP", proof))
		for range len(f.replicas) {
			if got := f.Post(path, form, "DPoP", proof); got.Status == http.StatusOK {
				t.Error("a proof was good twice")
			}
		}
	})
	run("consent to more", func(t *testing.T) {
		// The exchange comes at once, at a replica that knows the grant as it was.
		for range 5 {
			app := f.NewApplication()
			less := good(t, "first", app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid profile")))
			for range 2 * len(f.replicas) {
				good(t, "userinfo", f.Get("/oauth2/userinfo", "Authorization", "Bearer "+less.Text("access_token")))
			}
			more := good(t, "second", app.Redeem(sim.Standard, user.Code(app, sim.Standard, "scope", "openid profile email")))
			if scope := more.Text("scope"); !strings.Contains(scope, "email") {
				t.Errorf("the exchange gave %q", scope)
			}
			for range len(f.replicas) {
				if got := f.Get("/oauth2/userinfo", "Authorization", "Bearer "+more.Text("access_token")); got.Text("email") != user.Email {
					t.Errorf("userinfo, at once: %v", got)
				}
			}
		}
	})
	run("the console's own run", func(t *testing.T) {
		developer := f.Developer("Grace Hopper")
		app := developer.NewApplication("https://app.example.com/return")
		page := developer.Open(app.Profile.Application.ConsolePath() + "/run").Press("Run the flow")
		if page.Has("Allow") {
			page = page.Press("Allow")
		}
		if !page.Has("Exchange the code") {
			t.Fatalf("%d at %s: %s", page.Status, page.URL, page.Text())
		}
		if page = page.Press("Exchange the code"); page.Status != http.StatusOK || !strings.Contains(page.Text(), "gl_at_") {
			t.Errorf("%d at %s: %s", page.Status, page.URL, page.Text())
		}
	})
}

// TestRedeemedOnce: of many who send one code to several replicas at a time one gets
// tokens, and these end with the replay.
func TestRedeemedOnce(t *testing.T) {
	f := newFleet(t, 3)
	app, user := f.NewApplication(), f.SignUp("Ada Lovelace")
	for range 5 {
		code := user.Code(app, sim.Amazon)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var won []sim.Answer
		for i := range 16 {
			wg.Go(func() {
				s := f.replicas[i%len(f.replicas)]
				status, body, err := s.ask(s.client, "/auth/o2/token", app.RedeemForm(code))
				got := sim.Answer{Status: status, Body: body}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case status == http.StatusOK:
					won = append(won, got)
				case status != http.StatusBadRequest || got.Text("error") != "invalid_grant":
					t.Errorf("%v", got)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of 16 got tokens", len(won))
		}
		time.Sleep(time.Second) // live.Bound: the replays have ended the family by now
		for _, s := range f.replicas {
			if status, body, err := s.ask(s.client, "/auth/o2/tokeninfo?access_token="+url.QueryEscape(won[0].Text("access_token")), nil); err != nil || status != http.StatusBadRequest {
				t.Errorf("%s: the access token after the replays: %d %s %v", s.name, status, body, err)
			}
			refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {won[0].Text("refresh_token")}, "client_id": {app.ID}, "client_secret": {app.Secret}}
			if status, body, err := s.ask(s.client, "/auth/o2/token", refresh); err != nil || status != http.StatusBadRequest {
				t.Errorf("%s: the refresh token after the replays: %d %s %v", s.name, status, body, err)
			}
		}
	}
}
