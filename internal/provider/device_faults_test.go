package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/sim"
)

// TestDeviceFaults fails every call of a device's whole flow, undone and with only the
// answer lost: what programs get is JSON and 503, what people get can be done again,
// and no pair gives tokens twice.
func TestDeviceFaults(t *testing.T) {
	for name, outcome := range outcomes {
		t.Run(name, func(t *testing.T) {
			w := sim.New(t)
			app := w.NewApplication()
			program := func(n int, ask func() sim.Answer) sim.Answer {
				t.Helper()
				got := ask()
				if got.Status == http.StatusServiceUnavailable && got.Text("error") == "temporarily_unavailable" && got.Header.Get("Retry-After") != "" {
					got = ask()
				}
				if !json.Valid([]byte(got.Body)) || got.Status >= 500 {
					t.Errorf("call %d: %v", n, got)
				}
				return got
			}
			person := func(n int, do func() *sim.Page) *sim.Page {
				t.Helper()
				page := do()
				if page.Status == http.StatusServiceUnavailable {
					page = do()
				}
				if page.Status >= 500 {
					t.Errorf("call %d: %d %s", n, page.Status, page.Text())
				}
				return page
			}
			for n := 1; ; n++ {
				device, user := app.NewDevice(), w.SignUp("Ada Lovelace")
				w.DB.Reset()
				w.DB.Fail(n, outcome)
				start := program(n, func() sim.Answer { return device.Start(sim.Standard) })
				if got := program(n, func() sim.Answer { return device.Poll(sim.Standard, start) }); got.Text("error") != "authorization_pending" && got.Text("error") != "slow_down" {
					t.Errorf("call %d: pending: %v", n, got)
				}
				code := url.Values{"user_code": {start.Text("user_code")}}
				if page := person(n, func() *sim.Page { return user.Submit("/device", code) }); !page.Has("Allow") {
					t.Fatalf("call %d: %d %s", n, page.Status, page.Text())
				}
				code.Set("decision", "allow")
				code.Set("account", itoa(user.ID))
				if page := person(n, func() *sim.Page { return user.Submit("/device", code) }); page.Title() != "You can go back to your device" {
					t.Errorf("call %d: %d %s", n, page.Status, page.Text())
				}
				successes := 0
				for range 3 {
					got := device.Poll(sim.Standard, start)
					switch {
					case got.Status == http.StatusOK:
						successes++
						if info := w.TokenInfo(got.Text("access_token")); info.Status != http.StatusOK {
							t.Errorf("call %d: %v", n, info)
						}
					case got.Status != http.StatusServiceUnavailable && got.Text("error") != "invalid_grant":
						t.Errorf("call %d: %v", n, got)
					}
				}
				// A commit whose outcome is unknown is settled, so the tokens are never lost.
				if successes != 1 {
					t.Errorf("call %d: %d polls got tokens", n, successes)
				}
				pending := w.DB.Pending()
				w.DB.Reset()
				device.Remove()
				if pending {
					if n < 20 {
						t.Errorf("only %d calls were failed", n-1)
					}
					return
				}
			}
		})
	}
}

// TestDeviceBudget: what a device may cost in calls to the database once the live view
// is warm.
func TestDeviceBudget(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		device, user := w.NewApplication().NewDevice(), w.SignUp("Ada Lovelace")
		first := started(t, device.Start(sim.Standard))
		user.AllowDevice(first)
		device.Poll(sim.Standard, first)
		start := started(t, device.Start(sim.Standard))
		refresh := ""
		for _, tt := range []struct {
			name   string
			do     func() sim.Answer
			status int
			budget faultdb.Counts
		}{
			{"start", func() sim.Answer { return device.Start(sim.Standard) }, 200, faultdb.Counts{Execs: 1, Begins: 1, Commits: 1}},
			{"poll that waits", func() sim.Answer { return device.Poll(sim.Standard, start) }, 400, faultdb.Counts{Queries: 2, Begins: 1, Commits: 1}},
			{"poll that comes too soon", func() sim.Answer { return device.Poll(sim.Standard, start) }, 400, faultdb.Counts{Queries: 3, Begins: 1, Commits: 1}},
			{"poll that gets tokens", func() sim.Answer {
				user.AllowDevice(start)
				w.DB.Reset()
				got := device.Poll(sim.Standard, start)
				refresh = got.Text("refresh_token")
				return got
				// The grant has just been changed, so it is read anew.
			}, 200, faultdb.Counts{Queries: 2, Execs: 1, Begins: 1, Commits: 1}},
			{"poll after that", func() sim.Answer { return device.Poll(sim.Standard, start) }, 400, faultdb.Counts{Queries: 1}},
			{"refresh", func() sim.Answer { return device.Refresh(sim.Standard, refresh) }, 200, faultdb.Counts{}},
		} {
			w.DB.Reset()
			got := tt.do()
			if got.Status != tt.status {
				t.Fatalf("%s: %v", tt.name, got)
			}
			if counts := w.DB.Counts(); counts != tt.budget {
				t.Errorf("%s costs %+v, budget %+v", tt.name, counts, tt.budget)
			}
		}
	})
}

// TestDeviceBadInput: the two endpoints and the two pages answer what no client should
// send with the right error, and never act on it.
func TestDeviceBadInput(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	device, user := app.NewDevice(), w.SignUp("Ada Lovelace")
	good := url.Values{"client_id": {device.ID}, "scope": {"profile"}, "response_type": {"device_code"}}.Encode()
	const form = "application/x-www-form-urlencoded"
	object := func(members string) string {
		return `{"client_id":"` + device.ID + `","response_type":"device_code",` + members + `}`
	}
	for _, tt := range []struct {
		name, kind, body string
		amazon, standard string // the error, "" for none
	}{
		{"good", form, good, "", ""},
		{"with a charset", form + ";charset=UTF-8", good, "", ""},
		{"JSON", "application/json", object(`"scope":"profile"`), "", "invalid_request"},
		{"no body", form, "", "invalid_request", "invalid_request"},
		{"no content type", "", good, "invalid_request", "invalid_request"},
		{"multipart", "multipart/form-data; boundary=x", "--x--", "invalid_request", "invalid_request"},
		{"malformed escape", form, good + "&x=%zz", "invalid_request", "invalid_request"},
		{"not UTF-8", form, good + "&scope_data=%ff", "invalid_request", "invalid_request"},
		{"zero byte", form, good + "&scope_data=%00", "invalid_request", "invalid_request"},
		{"scope twice", form, good + "&scope=profile", "invalid_request", "invalid_request"},
		{"client_id twice", form, good + "&client_id=" + device.ID, "invalid_request", "invalid_request"},
		{"too long", form, good + "&scope_data=" + strings.Repeat("a", 8193), "invalid_request", "invalid_request"},
		{"oversized", form, good + "&x=" + strings.Repeat("a", 65<<10), "invalid_request", "invalid_request"},
		{"too many", form, good + strings.Repeat("&a=b", 200), "invalid_request", "invalid_request"},
		{"unknown parameter", form, good + "&x=1&x=2", "", ""},
		{"no scope", form, "response_type=device_code&client_id=" + device.ID, "invalid_request", "invalid_scope"},
		{"unknown scope", form, "response_type=device_code&scope=admin&client_id=" + device.ID, "invalid_scope", "invalid_scope"},
		{"no response_type", form, "scope=profile&client_id=" + device.ID, "invalid_request", ""},
		{"another response_type", form, "scope=profile&response_type=code&client_id=" + device.ID, "invalid_request", ""},
		{"scope_data no object", form, good + "&scope_data=[]", "invalid_request", "invalid_request"},
		{"unknown client", form, "response_type=device_code&scope=profile&client_id=amzn1.application-oa2-client.00000000000000000000000000000000", "invalid_client", "invalid_client"},
		{"a secret", form, good + "&client_secret=" + app.Secret, "invalid_client", "invalid_client"},
		{"empty JSON", "application/json", "", "invalid_request", "invalid_request"},
		{"JSON array", "application/json", "[]", "invalid_request", "invalid_request"},
		{"JSON nested", "application/json", object(`"scope":{"a":1}`), "invalid_request", "invalid_request"},
		{"JSON twice", "application/json", object(`"scope":"a","scope":"b"`), "invalid_request", "invalid_request"},
	} {
		for path, want := range map[string]string{"/auth/o2/create/codepair": tt.amazon, "/AUTH/O2/Create/CodePair": tt.amazon, "/oauth2/device_authorization": tt.standard} {
			got := w.Do(w.Request(http.MethodPost, path, strings.NewReader(tt.body), "Content-Type", tt.kind))
			if got.Text("error") != want || (want == "") != (got.Status == http.StatusOK) || got.Status >= 500 || !json.Valid([]byte(got.Body)) {
				t.Errorf("%s %s: %v, want %q", path, tt.name, got, want)
			}
		}
	}
	for _, path := range []string{"/auth/o2/create/codepair", "/oauth2/device_authorization"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch, "BREW"} {
			if got := w.Do(w.Request(method, path, nil)); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != http.MethodPost {
				t.Errorf("%s %s: %v", method, path, got)
			}
		}
	}
	start := started(t, device.Start(sim.Standard))
	for name, tt := range map[string]struct {
		pairs []string
		want  string
	}{
		"no device code":      {[]string{"device_code", sim.Omit}, "invalid_request"},
		"long device code":    {[]string{"device_code", strings.Repeat("a", 257)}, "invalid_request"},
		"zero byte":           {[]string{"device_code", "\x00"}, "invalid_request"},
		"bytes":               {[]string{"device_code", "\xff"}, "invalid_request"},
		"invented":            {[]string{"device_code", "x"}, "invalid_code_pair"},
		"no user code":        {[]string{"user_code", sim.Omit}, "invalid_request"},
		"long user code":      {[]string{"user_code", strings.Repeat("a", 129)}, "invalid_request"},
		"client that is none": {[]string{"client_id", "x"}, "invalid_client"},
	} {
		refused(t, name, device.Poll(sim.Amazon, start, tt.pairs...), tt.want)
	}
	twice := device.PollForm(sim.Amazon, start)
	twice["device_code"] = append(twice["device_code"], "x")
	refused(t, "device code twice", w.Post("/auth/o2/token", twice), "invalid_request")
	body := `{"grant_type":"device_code","device_code":"` + start.Text("device_code") + `","user_code":"` + start.Text("user_code") + `"}`
	refused(t, "JSON", w.Do(w.Request(http.MethodPost, "/auth/O2/token", strings.NewReader(body), "Content-Type", "application/json")), "authorization_pending")

	for name, form := range map[string]url.Values{
		"nothing": nil, "bytes": {"user_code": {"\xff\x00"}}, "long": {"user_code": {strings.Repeat("B", 10_000)}},
		"twice": {"user_code": {"x", start.Text("user_code")}},
	} {
		for _, path := range []string{"/device", "/us/code"} {
			if page := user.Submit(path, form); page.Status != http.StatusUnprocessableEntity || page.Has("Allow") {
				t.Errorf("%s %s: %d", path, name, page.Status)
			}
		}
	}
	for _, query := range []string{"user_code=%ff", "user_code=%00", "user_code=a&user_code=b", "%zz", "done=x", "done=allowed&user_code=" + strings.Repeat("a", 5000)} {
		if page := user.Open("/device?" + query); page.Status != http.StatusOK {
			t.Errorf("%.40s: %d", query, page.Status)
		}
	}
}

// TestDeviceStartsAreLimited: whoever knows a client ID cannot fill the table.
func TestDeviceStartsAreLimited(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		device := w.NewApplication().NewDevice()
		var last sim.Answer
		n := 0
		for ; n < 200; n++ {
			if last = device.Start(sim.Standard); last.Status != http.StatusOK {
				break
			}
		}
		if n != 120 || last.Status != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" || last.Text("error") != "temporarily_unavailable" {
			t.Errorf("after %d: %v", n, last)
		}
	})
}
