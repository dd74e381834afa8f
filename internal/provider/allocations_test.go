package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/internal/web/webtest"
)

// hot is a request that applications send all the time, as the server's handler gets
// it. Each call makes another one.
type hot struct {
	name   string
	budget float64 // allocations of the handler
	next   func() *http.Request
	status int
}

// hotRequests needs a world in which time does not run out on its tokens.
func hotRequests(t testing.TB, w *sim.World) []hot {
	app, relying := w.NewApplication(), w.NewApplication()
	relying.Set(func(s *registry.Settings) { s.IDTokenAlg = "ES256" })
	user := w.SignUp("Ada Lovelace")
	user.Code(app, sim.Standard) // has consented before
	user.Code(relying, sim.Standard, "scope", "openid profile")
	given := app.Redeem(sim.Standard, user.Code(app, sim.Standard))
	access, refresh := given.Text("access_token"), given.Text("refresh_token")
	openID := relying.Redeem(sim.Standard, user.Code(relying, sim.Standard, "scope", "openid profile")).Text("access_token")
	page := singlePage(w)

	authorize := func(a *sim.Application, scope string) *http.Request {
		r := request(http.MethodGet, strings.TrimPrefix(a.AuthorizeURL(sim.Standard, append([]string{"scope", scope}, publicAsk...)...), w.Issuer), "")
		for _, c := range user.Cookies() {
			r.AddCookie(c)
		}
		return r
	}
	form := func(path string, values url.Values, a *sim.Application) *http.Request {
		r := request(http.MethodPost, path, values.Encode())
		r.SetBasicAuth(a.ID, a.Secret)
		return r
	}
	bearer := func(path, token string) *http.Request {
		r := request(http.MethodGet, path, "")
		r.Header.Set("Authorization", "Bearer "+token)
		return r
	}
	exchange := func(a *sim.Application, scope string) *http.Request {
		form := a.RedeemForm(codeOf(t, w, authorize(a, scope)), "code_verifier", sim.Verifier)
		return request(http.MethodPost, "/oauth2/token", form.Encode())
	}
	return []hot{
		{"client credentials", 33, func() *http.Request {
			return form("/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, app)
		}, 200},
		{"refresh", 36, func() *http.Request {
			return form("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, app)
		}, 200},
		{"introspection", 33, func() *http.Request { return form("/oauth2/introspect", url.Values{"token": {access}}, app) }, 200},
		{"tokeninfo", 31, func() *http.Request {
			return request(http.MethodGet, "/auth/o2/tokeninfo?"+url.Values{"access_token": {access}}.Encode(), "")
		}, 200},
		{"profile", 21, func() *http.Request { return bearer("/user/profile", access) }, 200},
		{"userinfo", 19, func() *http.Request { return bearer("/oauth2/userinfo", openID) }, 200},
		{"authorize", 52, func() *http.Request { return authorize(app, "profile") }, 302},
		{"exchange", 108, func() *http.Request { return exchange(app, "profile") }, 200},
		{"exchange with an ID token", 188, func() *http.Request { return exchange(relying, "openid profile") }, 200},
		{"rotating refresh", 90, func() *http.Request {
			_, step := family(t, page, user)
			return request(http.MethodPost, "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {step}, "client_id": {page.ID}}.Encode())
		}, 200},
	}
}

func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// codeOf is the code that an authorization request gives at once.
func codeOf(t testing.TB, w *sim.World, r *http.Request) string {
	t.Helper()
	answer := httptest.NewRecorder()
	w.Handler().ServeHTTP(answer, r)
	to, err := url.Parse(answer.Header().Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("no code: %d %s", answer.Code, answer.Header().Get("Location"))
	}
	return to.Query().Get("code")
}

// TestAllocationBudget: what the handler of a request allocates. Each allocation costs
// some thirty nanoseconds with its share of the collector's work.
func TestAllocationBudget(t *testing.T) {
	if raceDetector() {
		t.Skip("the race detector allocates too")
	}
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		for _, h := range hotRequests(t, w) {
			const runs = 50
			requests := make([]*http.Request, runs+1) // AllocsPerRun warms up with one
			for i := range requests {
				requests[i] = h.next()
			}
			handler, i := w.Handler(), 0
			got := testing.AllocsPerRun(runs, func() {
				answer := webtest.NewSink()
				handler.ServeHTTP(answer, requests[i])
				if answer.Status != h.status {
					t.Fatalf("%s: %d", h.name, answer.Status)
				}
				i++
			}) - 2 // the sink and its header
			if got > h.budget {
				t.Errorf("%s allocates %v times, budget %v", h.name, got, h.budget)
			}
		}
	})
}

func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func BenchmarkHandler(b *testing.B) {
	w := sim.New(b)
	for _, h := range hotRequests(b, w) {
		b.Run(h.name, func(b *testing.B) {
			handler := w.Handler()
			b.ReportAllocs()
			var waiting []*http.Request
			var used time.Duration
			for b.Loop() {
				if len(waiting) == 0 {
					b.StopTimer()
					if used != 0 {
						used += webtest.ProcessorTime(b)
					}
					for range 64 { // a grant keeps no more than 100 families
						waiting = append(waiting, h.next())
					}
					used -= webtest.ProcessorTime(b)
					b.StartTimer()
				}
				answer := webtest.NewSink()
				if handler.ServeHTTP(answer, waiting[0]); answer.Status != h.status {
					b.Fatal(answer.Status)
				}
				waiting = waiting[1:]
			}
			used += webtest.ProcessorTime(b)
			b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
		})
	}
}
