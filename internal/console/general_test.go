package console

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

func pngLogo(t testing.TB) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 8, 8))
	m.Set(3, 3, color.RGBA{200, 30, 30, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestProfileFormKeepsWhatWasTyped(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	values := profileValues()
	values.Set("name", strings.Repeat("n", 51))
	values.Set("privacy_url", "javascript:alert(1)")
	page := ada.upload("/console/profiles/new", values, "logo.png", pngLogo(t))
	page.want(422, "Shorten this to 50 characters; it has 51.", "Write a whole address that begins with https:// or http://.",
		"Fetches the weekly reports.", "logo.png")
	if got := page.value("privacy_url"); got != "javascript:alert(1)" {
		t.Errorf("the address came back as %q", got)
	}

	// The picture that was accepted comes along with the corrected form.
	values = profileValues()
	values.Set("logo.kept", page.value("logo.kept"))
	values.Set("logo.kept_name", page.value("logo.kept_name"))
	list := ada.get(ada.post("/console/profiles/new", values).location())
	list.want(200, `src="/logos/`)
}

// TestNewProfileOnce: a form that is sent twice makes one profile, and one that was
// changed in between another.
func TestNewProfileOnce(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	values := profileValues()
	values.Set("attempt", ada.get("/console/profiles/new").value("attempt"))
	first := ada.post("/console/profiles/new", values).location()
	if second := ada.post("/console/profiles/new", values).location(); second != first {
		t.Errorf("sent twice: %s and %s", first, second)
	}
	values.Set("name", "Another")
	if third := ada.post("/console/profiles/new", values).location(); third == first {
		t.Errorf("another name leads to %s too", third)
	}
	if again := ada.get("/console/profiles/new").value("attempt"); again == values.Get("attempt") || len(again) < 20 {
		t.Errorf("the form opened again is attempt %q", again)
	}
	// What was typed wrong is the same attempt when it is right.
	values.Set("name", "")
	if again := ada.post("/console/profiles/new", values).want(422).value("attempt"); again != values.Get("attempt") {
		t.Errorf("the form shown again is attempt %q", again)
	}
}

func TestLogoRefusals(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	bomb := pngLogo(t)
	binary.BigEndian.PutUint32(bomb[16:], 9000) // 9000 × 9000 pixels, says the header
	binary.BigEndian.PutUint32(bomb[20:], 9000)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"svg":       {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "The file is an SVG drawing"},
		"html":      {[]byte("<!DOCTYPE html><script>alert(1)</script>"), "The file is a web page"},
		"truncated": {pngLogo(t)[:40], "damaged or cut short"},
		"too large": {append(pngLogo(t), make([]byte, registry.LogoMaxBytes)...), "more than 1 MiB"},
		"bomb":      {bomb, "too many"},
	} {
		t.Run(name, func(t *testing.T) {
			page := ada.upload("/console/profiles/new", profileValues(), "logo.png", test.data)
			page.want(422, test.want, "Fetches the weekly reports.").lacks("logo.kept")
			for field, typed := range profileValues() {
				if field != "description" && page.value(field) != typed[0] {
					t.Errorf("%s came back as %q, want %q", field, page.value(field), typed[0])
				}
			}
		})
	}
}

func TestLogoIsServedByHash(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	list := ada.get(ada.upload("/console/profiles/new", profileValues(), "x.html", pngLogo(t)).location())
	_, after, _ := strings.Cut(list.body, `src="/logos/`)
	file, _, _ := strings.Cut(after, `"`)
	logo := ada.get("/logos/" + file).want(200)
	for header, want := range map[string]string{
		"Content-Type": "image/png", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
		"Cache-Control": "public, max-age=31536000, immutable",
	} {
		if got := logo.header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if _, err := png.Decode(strings.NewReader(logo.body)); err != nil {
		t.Errorf("the logo is no PNG: %v", err)
	}
	for _, missing := range []string{strings.Repeat("0", 64) + ".png", file[:64], "x.png"} {
		if a := ada.get("/logos/" + missing).want(404); strings.Contains(a.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s is missing, for ever", missing)
		}
	}

	// The logo can be taken away again.
	path := hrefs.FindStringSubmatch(list.body)[1]
	values := profileValues()
	values.Set("seen", ada.get(path).want(200, "Remove the logo").value("seen"))
	values.Set("remove_logo", "yes")
	ada.get(ada.post(path, values).location()).want(200, "Saved").lacks("Remove the logo")
}

func TestSuggestionIsTaken(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	values := profileValues()
	values.Set("privacy_url", "htps//www.example.com/privacy")
	ada.post("/console/profiles/new", values).want(422, "Use this instead", `value="https://www.example.com/privacy"`)
	values.Set("suggest.privacy_url", "https://www.example.com/privacy")
	page := ada.post("/console/profiles/new", values).want(200)
	if got := page.value("privacy_url"); got != "https://www.example.com/privacy" {
		t.Errorf("the field holds %q, want the suggestion", got)
	}
	if got := page.value("name"); got != "Video Report Downloader" {
		t.Errorf("the name came back as %q", got)
	}
}

func TestGeneralConflict(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("First")
	path := profilePath(profile)
	seen := ada.get(path).value("seen")

	form := registry.ProfileForm{Name: "By Grace", Description: profile.Description, PrivacyURL: profile.PrivacyURL}
	grace := wd.user("Grace")
	if err := wd.store.UpdateProfile(t.Context(), ada.developer.ID, profile.ID, profile.Version, form, store.LogoChange{}, grace.by()); err != nil {
		t.Fatal(err)
	}
	values := url.Values{"name": {"By Ada"}, "description": {profile.Description}, "privacy_url": {profile.PrivacyURL}, "seen": {seen}}
	page := ada.post(path, values).want(409, "This was changed while you were editing", "Grace saved it", "By Grace", "By Ada")
	page.lacks(">" + labelPrivacyURL + "</th>") // the same in both
	if got := page.value("name"); got != "By Ada" {
		t.Errorf("the form holds %q, want what was typed", got)
	}
	if got := ada.reload(profile).Name; got != "By Grace" {
		t.Errorf("the profile is called %q, want the first save kept", got)
	}

	values.Set("seen", page.value("seen"))
	ada.get(ada.post(path, values).location()).want(200, "Saved")
	if got := ada.reload(profile).Name; got != "By Ada" {
		t.Errorf("the profile is called %q, want the save made knowingly", got)
	}
	// The same form again changes nothing and is no conflict.
	ada.post(path, values).want(303)
}

// TestFormsDoNotDisturbEachOther: a save of Web Settings is no reason to refuse a
// save of the profile form.
func TestFormsDoNotDisturbEachOther(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("First")
	path := profilePath(profile)
	general, settings := ada.get(path).value("seen"), ada.get(path+"/web-settings?edit=1").value("seen")
	ada.post(path+"/web-settings", url.Values{"seen": {settings}, "return_urls.0": {"https://localhost"}}).want(303)
	values := profileValues()
	values.Set("seen", general)
	ada.post(path, values).want(303)
	if after := ada.reload(profile); after.Name != "Video Report Downloader" || len(after.ReturnURLs) != 1 {
		t.Errorf("one of the two saves was lost: %+v", after)
	}
}

func TestDelete(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("Doomed")
	path := profilePath(profile)
	for _, word := range []string{"", "yes", "DELETE"} {
		ada.post(path+"/delete", url.Values{"confirm": {word}}).want(422, "Type the word “delete”")
	}
	ada.get(path).want(200, "Type delete to confirm", "Delete Security Profile", "every token that users gave the application ends")
	ada.get(ada.post(path+"/delete", url.Values{"confirm": {"delete"}}).location()).want(200, "The security profile was deleted", "everywhere by")
	ada.get(path).want(404)
}

func TestSavedNoticeAgreesWithTheProfile(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("First")
	for _, saved := range []string{"1", "1.", "1.x", "2.1795442601400", "1.1", "1.99999999999999"} {
		ada.get(profilePath(profile) + "?saved=" + saved).want(200).lacks("In effect")
	}
}
