package portal_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/slate/store"
)

// TestFacts: what is told of a client is believed no further than it goes.
func TestFacts(t *testing.T) {
	w := sqlite(t)
	ann := w.person("Ann Archer")
	alpha := w.account("Alpha Pictures", ann, store.Rights{Manage: true})
	var status int
	var body string
	w.open(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if !strings.HasPrefix(r.URL.Path, "/oauth2/clients/") {
			return w.Client().Transport.RoundTrip(r)
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})})
	const id = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
	for name, tc := range map[string]struct {
		status int
		body   string
		want   int
		says   string
	}{
		"good":             {200, `{"client_id":"` + id + `","client_name":"Downloader","publisher":"Company","policy_uri":"https://a.example/p"}`, 200, "by Company"},
		"another client":   {200, `{"client_id":"other","client_name":"Downloader"}`, 503, "does not answer"},
		"no name":          {200, `{"client_id":"` + id + `"}`, 503, "does not answer"},
		"no JSON":          {200, `<html>`, 503, "does not answer"},
		"without end":      {200, `{"client_id":"` + strings.Repeat("a", 100_000), 503, "does not answer"},
		"too many":         {429, ``, 503, "does not answer"},
		"down":             {502, ``, 503, "does not answer"},
		"not known":        {404, `{}`, 422, "knows no application"},
		"a picture abroad": {200, `{"client_id":"` + id + `","client_name":"Downloader","logo_uri":"https://evil.example/x.png","policy_uri":"javascript:alert(1)"}`, 200, "Downloader"},
	} {
		status, body = tc.status, tc.body
		page := ann.Open(path(alpha, "applications", "new")).Press("Look up", "Client ID", id)
		wantText(t, name, page, tc.want, tc.says)
		for _, bad := range []string{"evil.example", "javascript:"} {
			if strings.Contains(page.Body, bad) || strings.Contains(page.Header.Get("Content-Security-Policy"), bad) {
				t.Errorf("%s: the page has %q", name, bad)
			}
		}
	}
}

// TestUnconfirmed: an address that nobody confirmed opens no invitation.
func TestUnconfirmed(t *testing.T) {
	w := sqlite(t)
	ann := w.person("Ann Archer")
	alpha := w.account("Alpha Pictures", ann, store.Rights{Manage: true})
	mallory := w.SignUp("Mallory")
	if err := w.store.Invite(t.Context(), alpha.ID, mallory.Email, store.Rights{Manage: true}, w.now().Add(time.Hour), store.Actor{PersonID: w.known(ann).ID, At: w.now()}); err != nil {
		t.Fatal(err)
	}
	// Gatelodge as it is, but for what it says of addresses.
	w.open(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		response, err := w.Client().Transport.RoundTrip(r)
		if err != nil || r.URL.Path != "/oauth2/userinfo" {
			return response, err
		}
		text, err := io.ReadAll(response.Body)
		changed := bytes.Replace(text, []byte(`"email_verified":true`), []byte(`"email_verified":false`), 1)
		if bytes.Equal(text, changed) {
			t.Errorf("no confirmed address in %s", text)
		}
		response.Body = io.NopCloser(bytes.NewReader(changed))
		return response, err
	})})
	wantText(t, "not confirmed", w.signIn(mallory), http.StatusOK, "You are not in an account yet", "Yours is not confirmed yet")
	w.open(w.Client())
	mallory.Submit(address+"/sign-out", nil)
	wantText(t, "confirmed", w.signIn(mallory), http.StatusOK, "Alpha Pictures")
}
