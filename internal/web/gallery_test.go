package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

type galleryData struct {
	Profiles []struct {
		ID, Name, Description, Client string
		Used                          time.Time
		New                           bool
	}
	Pager                 Pager
	Tabs                  []Tab
	Form                  *Form
	Countries             []Choice
	Preview, Consent      Consent
	Unvouched             Consent
	Secret, Asking, Shown Secret
	Then, Zero            time.Time
}

func gallery(now time.Time) galleryData {
	d := galleryData{
		Pager: Pager{From: 1, To: 50, Total: 10000, Next: "#", Prev: "#"},
		Tabs:  []Tab{{"General", "#", false}, {"Web Settings", "#", true}},
		Form: NewForm(url.Values{
			"name": {"Video Report Downloader"}, "description": {"Fetches the daily reports"}, "country": {"DE"},
			"privacy_url": {"example.com/privacy"}, "email": {"ada@example.com"},
			"return_url.0": {"https://downloader.example.com/callback"}, "return_url.1": {"http://staging.example.com/cb#x"},
			"return_url_note.1": {"staging"},
		}),
		Countries: []Choice{{"DE", "Germany"}, {"GB", "United Kingdom"}},
		Secret:    Secret{ID: "secret", Label: "Client Secret", Action: "/reveal"},
		Asking:    Secret{ID: "secret2", Label: "Second secret", Action: "/reveal", Reauthenticate: true, Error: "That is not your password."},
		Shown:     Secret{ID: "secret3", Label: "Shown secret", Action: "/reveal", Value: "amzn1.oa2-cs.v1." + strings.Repeat("0f1e2d3c", 8), HideURL: "#"},
		Then:      now.Add(-72 * time.Minute),
	}
	d.Form.Suggest("privacy_url", "This address has no scheme. Begin it with https://.", "https://example.com/privacy")
	d.Form.Suggest("return_url.1", "http:// works for localhost only, and the part from # on has to go.", "https://staging.example.com/cb")
	d.Form.Fail("password", "Email or password is not right.")
	d.Form.Files["logo"] = File{Name: "logo.png", Data: []byte("png")}
	for i, name := range []string{"Video Report Downloader", "Weekly Audience Export", "Ads"} {
		p := struct {
			ID, Name, Description, Client string
			Used                          time.Time
			New                           bool
		}{ID: string(rune('a' + i)), Name: name, Description: "Fetches the daily reports for the finance team", Client: "amzn1.application-oa2-client.5f2c0f4a41f04f58a3f0ab0b8d6b3c11"}
		if i > 0 {
			p.Used = now.Add(-time.Duration(i*i*i) * 29 * time.Hour)
		}
		p.New = i == 0
		d.Profiles = append(d.Profiles, p)
	}
	d.Consent = Consent{
		Name: "Video Report Downloader", Publisher: "Northlight Media GmbH", PrivacyURL: "https://example.com/privacy",
		Items: []ConsentItem{
			{Scope: "profile", Label: "Your name and email", Values: []string{"Ada Lovelace", "ada@example.com"}},
			{Scope: "postal_code", Label: "Your postal code", Values: []string{"10115"}, Optional: true, Checked: true},
		},
		Host: "downloader.example.com", Account: AccountBadge{Name: "Ada Lovelace", Email: "ada@example.com"}, SwitchURL: "#",
	}
	d.Preview = d.Consent
	d.Preview.Preview = true
	d.Unvouched = d.Consent
	d.Unvouched.Unvouched, d.Unvouched.Publisher, d.Unvouched.PrivacyURL = true, "", ""
	return d
}

func testKit(t *testing.T, o Options) *Kit {
	t.Helper()
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestGallery renders every component in every state. With GATELODGE_GALLERY
// set to an address it serves the pages there for looking at, until stopped.
func TestGallery(t *testing.T) {
	badge := &AccountBadge{Name: "Ada Lovelace", Email: "ada@example.com"}
	k := testKit(t, Options{Contact: "help@example.com", Account: func(r *http.Request) *AccountBadge {
		if r.URL.Query().Has("in") {
			return badge
		}
		return nil
	}})
	pages, err := k.Pages(os.DirFS("testdata/gallery"))
	if err != nil {
		t.Fatal(err)
	}
	site, err := k.Site()
	if err != nil {
		t.Fatal(err)
	}
	k.Labels("/", Label{Name: "name", Text: "Security Profile Name"}, Label{Name: "logo", Text: "Consent Logo Image"}, Label{Name: "version"})
	mux := http.NewServeMux()
	mux.Handle("/", site)
	names := []string{"list", "form", "settings", "consent", "unvouched", "signin"}
	for _, name := range names {
		mux.Handle("/gallery/"+name, k.Browser(func(w http.ResponseWriter, r *http.Request) error {
			return pages.Render(w, r, http.StatusOK, name, Page{
				Title: name, Active: "console", Account: badge, Narrow: name == "consent" || name == "unvouched" || name == "signin", Data: gallery(k.now()),
			})
		}))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/gallery/"+name, nil))
		if w.Code != http.StatusOK || !strings.HasSuffix(strings.TrimSpace(w.Body.String()), "</html>") {
			t.Errorf("%s: status %d, %d bytes", name, w.Code, w.Body.Len())
		}
		if got := strings.Count(w.Body.String(), "<h1"); got != 1 {
			t.Errorf("%s: %d h1, want 1", name, got)
		}
		for _, inline := range []string{" style=", " onclick=", "<style", "javascript:", "ZgotmplZ"} {
			if strings.Contains(w.Body.String(), inline) {
				t.Errorf("%s: contains %q", name, inline)
			}
		}
	}
	addr := os.Getenv("GATELODGE_GALLERY")
	if addr == "" {
		return
	}
	mux.Handle("/gallery/fail", k.Browser(func(http.ResponseWriter, *http.Request) error { return errors.New("down") }))
	mux.Handle("/gallery/many", k.Browser(func(http.ResponseWriter, *http.Request) error {
		return TooMany(90*time.Second, "There were several wrong passwords for this account in the last minutes.")
	}))
	mux.Handle("POST /reveal", k.Browser(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Type", "application/json")
		if r.PostFormValue("password") != "open" {
			w.WriteHeader(http.StatusUnauthorized)
			_, err := w.Write([]byte(`{"reauthenticate":true}`))
			return err
		}
		_, err := w.Write([]byte(`{"secret":"amzn1.oa2-cs.v1.abc"}`))
		return err
	}))
	t.Log(http.ListenAndServe(addr, mux))
}
