package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/faultdb"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

func TestListPages(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	for i := range 53 {
		wd.sleep(time.Millisecond)
		ada.profileNamed(fmt.Sprintf("Profile %02d", i))
	}
	page := ada.get("/console").want(200, ">53<", "Profile 52", "Profile 28").lacks("Profile 27", "rel=\"prev\"")
	if strings.Index(page.body, "Profile 52") > strings.Index(page.body, "Profile 51") {
		t.Error("the newest is not on top")
	}
	older := func(a answer) string {
		_, after, ok := strings.Cut(a.body, `rel="next" href="`)
		if !ok {
			return ""
		}
		to, _, _ := strings.Cut(after, `"`)
		return to
	}
	second := ada.get(older(page)).want(200, "Profile 27", "Profile 03", `href="/console">`).lacks("Profile 28", "Profile 02")
	third := ada.get(older(second)).want(200, "Profile 02", "Profile 00")
	if to := older(third); to != "" {
		t.Errorf("the last page leads on to %s", to)
	}
	for _, forged := range []string{"x", "-5", "1%20OR%201=1", "99999999999999999999", "0"} {
		ada.get("/console?before="+forged).want(200, "Profile 52")
	}
}

func TestSearch(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	weekly, other := ada.profileNamed("Weekly REPORTS 100%"), ada.profileNamed("Something else")
	for query, found := range map[string]bool{
		"reports": true, " Weekly ": true, "100%": true, "%": true, "_": false, "about weekly": true, "nothing": false,
		"\x00reports\xff": true, `\`: false,
		ada.s.Namespace.ClientID(weekly.Client): true, " " + ada.s.Namespace.ClientID(weekly.Client) + "\n": true,
	} {
		page := ada.get("/console?q=" + url.QueryEscape(query)).want(200).lacks(other.Name)
		if got := strings.Contains(page.body, "Weekly REPORTS"); got != found {
			t.Errorf("search for %q: found %v, want %v", query, got, found)
		}
	}
	ada.get("/console?q="+url.QueryEscape("<script>")).want(200, "No profile found").lacks("<script>\"")
}

// TestListCostsTheSameAnywhere counts the statements of a page, which is what its
// speed depends on: the list is read by its index from the cursor on.
func TestListCostsTheSameAnywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // no time passes, so the feed is not read beside it
		wd := newWorld(t)
		ada := wd.developerNamed("Ada")
		ada.profileNamed("One")
		count := func() faultdb.Counts {
			ada.get("/console").want(200)
			wd.faults.Reset()
			ada.get("/console").want(200)
			return wd.faults.Counts()
		}
		few := count()
		for i := range 60 {
			ada.profileNamed(fmt.Sprint("More ", i))
		}
		if many := count(); many != few || many.Queries > 4 {
			t.Errorf("%+v calls with 61 profiles, %+v with one; want the same, and few", many, few)
		}
	})
}

func BenchmarkList(b *testing.B) {
	wd := newWorld(b)
	ada := wd.developerNamed("Ada")
	for i := range 10_000 {
		if _, err := wd.store.CreateProfile(b.Context(), store.NewProfile{
			DeveloperID: ada.developer.ID, Secret: registry.NewClientSecret("amzn1"),
			Form: registry.ProfileForm{Name: fmt.Sprint("Profile ", i), Description: "one of many", PrivacyURL: "https://example.com/privacy"},
		}, ada.by()); err != nil {
			b.Fatal(err)
		}
		wd.sleep(time.Millisecond)
	}
	for name, target := range map[string]string{"first": "/console", "search": "/console?q=profile+77", "none": "/console?q=nowhere"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				rec := httptest.NewRecorder()
				if wd.mux.ServeHTTP(rec, ada.request(http.MethodGet, target, nil)); rec.Code != 200 {
					b.Fatal(rec.Code)
				}
			}
		})
	}
}
