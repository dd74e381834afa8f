package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// application is what a developer writes: it waits at its return URL and talks to
// the server over HTTP.
type application struct {
	t *testing.T
	// returnURL is where it waits.
	returnURL string
	answers   chan url.Values
	issuer    string
	credentials
}

// newApplication starts one on this computer. When onward is not empty, it sends
// the browser on to there from its return URL, as most applications do.
func newApplication(t *testing.T, s *server, onward string) *application {
	t.Helper()
	a := &application{t: t, issuer: s.issuer, answers: make(chan url.Values, 8)}
	mux := http.NewServeMux()
	back := func(w http.ResponseWriter, r *http.Request) {
		answer := r.URL.Query()
		if r.Method == http.MethodPost {
			// The answer itself, and whose page posted it.
			answer = url.Values{"origin": r.Header["Origin"]}
			if r.ParseForm() == nil {
				maps.Copy(answer, r.PostForm)
			}
		}
		a.answers <- answer
		if onward != "" {
			http.Redirect(w, r, onward, http.StatusSeeOther)
			return
		}
		writeHTML(w, "Back at the application")
	}
	mux.HandleFunc("GET /cb", back)
	mux.HandleFunc("POST /cb", back)
	mux.HandleFunc("GET /home", func(w http.ResponseWriter, _ *http.Request) { writeHTML(w, "Home of the application") })
	mux.HandleFunc("GET /forge", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>Elsewhere</title><link rel="icon" href="data:,"><form method="post" action="%s"><button>Forge</button></form>`,
			html.EscapeString(r.FormValue("to")))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.returnURL = server.URL + "/cb"
	return a
}

func writeHTML(w http.ResponseWriter, words string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>%[1]s</title><link rel="icon" href="data:,"><h1>%[1]s</h1>`, words)
}

// authorizeURL is where it sends the browser.
func (a *application) authorizeURL(scope, state string) string {
	return a.authorizeAt(a.returnURL, scope, state)
}

func (a *application) authorizeAt(returnURL, scope, state string) string {
	return a.issuer + "/ap/oa?" + url.Values{
		"client_id": {a.clientID}, "redirect_uri": {returnURL}, "response_type": {"code"}, "scope": {scope}, "state": {state},
	}.Encode()
}

// answer waits for the browser to come back.
func (a *application) answer() url.Values {
	a.t.Helper()
	select {
	case v := <-a.answers:
		return v
	case <-time.After(patience):
		a.t.Fatal("the browser did not come back to the application")
		return nil
	}
}

// token sends a request to the token endpoint.
func (a *application) token(form url.Values) (status int, body map[string]any) {
	a.t.Helper()
	form.Set("client_id", a.clientID)
	form.Set("client_secret", a.clientSecret)
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.issuer+"/auth/o2/token", strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	return a.do(r)
}

// exchange turns a code into tokens.
func (a *application) exchange(code string) (access, refresh string) {
	a.t.Helper()
	status, body := a.token(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.returnURL}})
	access, _ = body["access_token"].(string)
	refresh, _ = body["refresh_token"].(string)
	if status != http.StatusOK || !strings.HasPrefix(access, "Atza|") || !strings.HasPrefix(refresh, "Atzr|") ||
		body["token_type"] != "bearer" || body["expires_in"] != float64(3600) {
		a.t.Fatalf("exchange: %d %v", status, body)
	}
	return access, refresh
}

func (a *application) refresh(token string) (status int, body map[string]any) {
	a.t.Helper()
	return a.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// profile reads the user's profile.
func (a *application) profile(access string) (status int, body map[string]any) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.issuer+"/user/profile", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "bearer "+access)
	return a.do(r)
}

func (a *application) tokenInfo(access string) (status int, body map[string]any) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.issuer+"/auth/o2/tokeninfo?"+url.Values{"access_token": {access}}.Encode(), nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.do(r)
}

func (a *application) do(r *http.Request) (status int, body map[string]any) {
	a.t.Helper()
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer w.Body.Close()
	if err := json.NewDecoder(w.Body).Decode(&body); err != nil {
		a.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return w.StatusCode, body
}
