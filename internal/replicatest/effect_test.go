package replicatest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/live"
	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/store"
)

// asked is what a replica shows of a change.
type asked int

const (
	before asked = iota
	after
	neither // an error, or no answer
)

// probe is a change and how to see it.
type probe struct {
	name   string
	change func(t *testing.T)
	ask    func(s *replica, c *http.Client) asked
}

// statusIs is a probe's ask: one status before the change, another after it.
func statusIs(was, is int, path string, form url.Values) func(*replica, *http.Client) asked {
	return func(s *replica, c *http.Client) asked {
		switch status, _, err := s.ask(c, path, form); {
		case err != nil:
			return neither
		case status == was:
			return before
		case status == is:
			return after
		}
		return neither
	}
}

func credentials(app *sim.Application, secret string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ID}, "client_secret": {secret}}
}

// probes makes one thing for each kind of change.
func (f *fleet) probes(t *testing.T) []probe {
	t.Helper()
	ctx := t.Context()
	check := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	by := func() audit.By { return audit.By{At: time.Now()} }
	ended, more, edited, gone, stopped := f.NewApplication(), f.NewApplication(), f.NewApplication(), f.NewApplication(), f.NewApplication()
	ended.AddSecret() // the last one cannot be ended
	remover, disabled := f.SignUp("Ada Lovelace"), f.SignUp("Grace Hopper")
	token := func(p *sim.Person, app *sim.Application) string {
		t.Helper()
		got := app.Redeem(sim.Amazon, p.Code(app, sim.Amazon))
		if got.Status != http.StatusOK {
			t.Fatal(got)
		}
		return got.Text("access_token")
	}
	removed := token(remover, gone)
	inWay := token(disabled, gone)
	second := registry.NewClientSecret(sim.Namespace)
	authorize, err := url.Parse(edited.AuthorizeURL(sim.Standard))
	check(t, err)
	newURL, err := url.Parse(edited.AuthorizeURL(sim.Standard, "redirect_uri", "https://new.example.com/return"))
	check(t, err)
	page := func(path string, was, is bool) func(*replica, *http.Client) asked {
		return func(s *replica, c *http.Client) asked {
			status, _, err := s.ask(c, path, nil)
			switch known := status == http.StatusSeeOther || status == http.StatusFound; {
			case err != nil || !known && status != http.StatusBadRequest:
				return neither
			case known == is:
				return after
			case known == was:
				return before
			}
			return neither
		}
	}
	var key string
	return []probe{
		{"secret ended", func(*testing.T) { ended.EndSecret() }, statusIs(200, 401, "/oauth2/token", credentials(ended, ended.Secret))},
		{"secret added", func(t *testing.T) {
			_, err := f.Store.AddSecret(ctx, more.Profile.DeveloperID, more.Profile.ID, second, by())
			check(t, err)
		}, statusIs(401, 200, "/oauth2/token", credentials(more, second))},
		{"return URL added", func(t *testing.T) {
			p, _, err := f.Store.ProfileByID(ctx, edited.Profile.ID)
			check(t, err)
			urls := append(p.ReturnURLs, registry.ReturnURL{Value: "https://new.example.com/return"})
			check(t, f.Store.SaveWebSettings(ctx, p.DeveloperID, p.ID, p.Version, nil, urls, by()))
		}, page(newURL.RequestURI(), false, true)},
		{"return URL removed", func(t *testing.T) {
			p, _, err := f.Store.ProfileByID(ctx, edited.Profile.ID)
			check(t, err)
			check(t, f.Store.SaveWebSettings(ctx, p.DeveloperID, p.ID, p.Version, nil, p.ReturnURLs[1:], by()))
		}, page(authorize.RequestURI(), true, false)},
		{"profile suspended", func(*testing.T) { stopped.Suspend() }, statusIs(200, 400, "/oauth2/token", credentials(stopped, stopped.Secret))},
		{"consent removed", func(t *testing.T) {
			g, _, err := f.Store.GrantFor(ctx, remover.ID, gone.Profile.ID)
			check(t, err)
			check(t, f.Store.RemoveGrant(ctx, remover.ID, g.ID, by()))
		}, statusIs(200, 400, "/auth/o2/tokeninfo?access_token="+url.QueryEscape(removed), nil)},
		{"account disabled", func(t *testing.T) { check(t, f.Store.SetAccountDisabled(ctx, disabled.ID, time.Now(), by())) },
			statusIs(200, 400, "/auth/o2/tokeninfo?access_token="+url.QueryEscape(inWay), nil)},
		{"signing key added", func(t *testing.T) {
			check(t, f.View.AddSigningKey(ctx, "ES256", by()))
			all, err := f.Store.SigningKeys(ctx)
			check(t, err)
			newest := slices.MaxFunc(all, func(a, b store.SigningKey) int { return a.CreatedAt.Compare(b.CreatedAt) })
			key = newest.ID
		}, func(s *replica, c *http.Client) asked {
			status, body, err := s.ask(c, "/oauth2/jwks", nil)
			switch {
			case err != nil || status != http.StatusOK:
				return neither
			case key != "" && strings.Contains(body, key):
				return after
			}
			return before
		}},
	}
}

// warm has every replica answer from memory.
func (f *fleet) warm(t *testing.T, p probe) {
	t.Helper()
	for _, s := range f.replicas {
		for range 3 {
			if got := p.ask(s, s.client); got != before {
				t.Fatalf("%s, before the change: %s answers %v", p.name, s.name, got)
			}
		}
	}
}

// TestInEffect: what one process has changed is in effect on all within the bound, and
// from then on no replica answers from before.
func TestInEffect(t *testing.T) {
	f := newFleet(t, 3)
	for _, p := range f.probes(t) {
		t.Run(p.name, func(t *testing.T) {
			f.Use(t)
			f.warm(t, p)
			type answer struct {
				asked time.Time
				what  asked
			}
			answers := make([][]answer, len(f.replicas))
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for i, s := range f.replicas {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(time.Millisecond):
						}
						at := time.Now()
						answers[i] = append(answers[i], answer{at, p.ask(s, s.client)})
					}
				})
			}
			p.change(t)
			committed := time.Now()
			time.Sleep(2 * live.Bound)
			close(stop)
			wg.Wait()
			var delays []string
			for i, s := range f.replicas {
				seen, failed := time.Duration(-1), 0
				for _, a := range answers[i] {
					switch since := a.asked.Sub(committed); {
					case a.what == neither:
						failed++
					case a.what == after && seen < 0:
						seen = since
					case a.what == before && since > live.Bound:
						t.Errorf("%s answered from before %v after the change", s.name, since)
					}
				}
				if failed > 0 {
					t.Errorf("%s: %d of %d answers are none", s.name, failed, len(answers[i]))
				}
				if seen < 0 && !slices.ContainsFunc(answers[i], func(a answer) bool { return a.what == after }) {
					t.Errorf("%s never saw the change", s.name)
				}
				delays = append(delays, fmt.Sprintf("%.1f", float64(max(0, seen).Microseconds())/1000))
			}
			t.Logf("seen after %s ms", strings.Join(delays, ", "))
		})
	}
}

// TestSealingKey: tokens that one replica seals with a new key are good on all at once,
// and soon all use it.
func TestSealingKey(t *testing.T) {
	f := newFleet(t, 3)
	app, user := f.NewApplication(), f.SignUp("Ada Lovelace")
	refresh := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon)).Text("refresh_token")
	from := time.Now().Add(2 * live.Bound)
	number, err := f.Store.RotateSealingKey(t.Context(), from, audit.By{At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for time.Since(from) < live.Bound {
		got := app.Refresh(sim.Amazon, refresh)
		token := got.Text("access_token")
		for _, s := range f.replicas {
			if status, body, err := s.ask(s.client, "/auth/o2/tokeninfo?access_token="+url.QueryEscape(token), nil); err != nil || status != http.StatusOK {
				t.Fatalf("%s: %d %s %v", s.name, status, body, err)
			}
		}
		sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "Atza|"))
		if err != nil || len(sealed) < 2 {
			t.Fatalf("%q: %v", token, err)
		}
		if time.Now().After(from.Add(100*time.Millisecond)) && sealed[1] != number {
			t.Errorf("sealed with key %d, want %d", sealed[1], number)
		}
		used = append(used, fmt.Sprint(sealed[1]))
	}
	if used = slices.Compact(used); len(used) != 2 {
		t.Errorf("keys used one after the other: %v", used)
	}
}

// TestSilentFeed: when the database is there and the feed's connections are not, the
// database is asked for everything; when none of its answers arrive, requests fail.
// Neither gives an answer from before.
func TestSilentFeed(t *testing.T) {
	for name, mode := range map[string]int32{"the feed alone": feedIsMute, "everything": allIsMute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 1)
			s := f.replicas[0]
			for _, p := range f.probes(t) {
				f.warm(t, p)
				f.wire.mode.Store(mode)
				p.change(t)
				time.Sleep(live.Bound)
				hasty := &http.Client{Transport: s.client.Transport, CheckRedirect: s.client.CheckRedirect, Timeout: time.Second}
				if mode == feedIsMute {
					hasty.Timeout = 20 * time.Second
				}
				for range 3 {
					// Keys are published a day before they are used: what the set was is no
					// answer that could do harm.
					if got := p.ask(s, hasty); got == before && p.name != "signing key added" || got == neither && mode == feedIsMute {
						t.Errorf("%s: the answer is %v", p.name, got)
					}
				}
				if status, body := s.ready(); status != http.StatusServiceUnavailable || !strings.Contains(body, "the feed of changes was last read") {
					t.Errorf("%s: /readyz answers %d %s", p.name, status, body)
				}
				f.wire.mode.Store(passing)
				awaitReady(t, s)
				for deadline := time.Now().Add(20 * time.Second); p.ask(s, s.client) != after; {
					if time.Now().After(deadline) {
						t.Fatalf("%s: not seen when the feed was back", p.name)
					}
				}
			}
		})
	}
}

func awaitReady(t *testing.T, s *replica) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		status, body := s.ready()
		if status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready again: %d %s", s.name, status, body)
		}
	}
}

// TestStopped: a replica that stood still answers nothing from before when it goes on,
// whether the request waited in the kernel, came by a connection that was open, or came
// afterwards.
func TestStopped(t *testing.T) {
	stands := 3 * live.Bound
	if long := os.Getenv("GATELODGE_STOP"); long != "" { // such as 1m
		var err error
		if stands, err = time.ParseDuration(long); err != nil {
			t.Fatal(err)
		}
	}
	f := newFleet(t, 3)
	s := f.replicas[0]
	probes := f.probes(t)
	for _, p := range probes {
		f.warm(t, p)
	}
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	for _, p := range probes {
		p.change(t)
	}
	time.Sleep(live.Bound)
	// The others go on, and the one that stands still holds nobody up.
	for _, p := range probes {
		for _, other := range f.replicas[1:] {
			if got := p.ask(other, other.client); got != after {
				t.Errorf("%s: %s answers %v while another stands still", p.name, other.name, got)
			}
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[string][]asked{}
	note := func(p probe, when string, c *http.Client) {
		wg.Go(func() {
			got := p.ask(s, c)
			mu.Lock()
			defer mu.Unlock()
			answers[p.name+", "+when] = append(answers[p.name+", "+when], got)
		})
	}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: s.client.CheckRedirect, Timeout: 2 * time.Minute}
	for _, p := range probes {
		for range 4 {
			note(p, "in the accept queue", fresh)
			note(p, "on an open connection", s.client)
		}
	}
	time.Sleep(time.Until(stopped.Add(stands)))
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, p := range probes {
		for range 4 {
			note(p, "afterwards", fresh)
			note(p, "afterwards, on an open connection", s.client)
		}
	}
	wg.Wait()
	for when, all := range answers {
		for _, got := range all {
			// See TestSilentFeed for the keys.
			if got != after && !(got == before && strings.HasPrefix(when, "signing key")) {
				t.Errorf("%s: the answer is %v", when, got)
			}
		}
	}
}
