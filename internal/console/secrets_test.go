package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
)

// fetch posts as the page's script does.
func (p *person) fetch(target string, values url.Values) (int, secretAnswer) {
	p.t.Helper()
	r := p.request(http.MethodPost, target, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	a := p.do(r)
	var body secretAnswer
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		p.t.Fatalf("%v: %s", err, a.body)
	}
	return a.status, body
}

func isSecret(s string) bool {
	return strings.HasPrefix(s, "amzn1.oa2-cs.v1.") && len(s) == len("amzn1.oa2-cs.v1.")+64
}

func TestShowSecret(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("App")
	show := secretViews(profile, wd.clock())[0].Action
	wantEvents := func(want int) {
		t.Helper()
		if got := ada.events(profile, audit.SecretShown); got != want {
			t.Errorf("%d showings are remembered, want %d", got, want)
		}
	}

	status, body := ada.fetch(show, nil)
	if status != 200 || !isSecret(body.Secret) {
		t.Fatalf("with a recent sign-in: %d %+v", status, body)
	}
	wantEvents(1)

	wd.sleep(15*time.Minute + time.Second)
	if status, body := ada.fetch(show, nil); status != 401 || body != (secretAnswer{Reauthenticate: true}) {
		t.Errorf("with an old sign-in: %d %+v", status, body)
	}
	ada.post(show, nil).want(403, "Enter your password once more").lacks("amzn1.oa2-cs")
	if status, body := ada.fetch(show, url.Values{"password": {"wrong"}}); status != 401 || body.Secret != "" || body.Error != "That is not your password. Try again." {
		t.Errorf("with a wrong password: %d %+v", status, body)
	}
	ada.post(show, url.Values{"password": {"wrong"}}).want(422, "That is not your password").lacks("amzn1.oa2-cs")
	wantEvents(1)

	status, body = ada.fetch(show, url.Values{"password": {testPassword}})
	if status != 200 || !isSecret(body.Secret) {
		t.Fatalf("with the password: %d %+v", status, body)
	}
	ada.post(show, nil).want(200, body.Secret) // the sign-in is recent again
	wantEvents(3)
	ada.get(webSettingsPath(profile)).want(200).lacks(body.Secret)
	ada.get(profilePath(profile)+"/activity").want(200, "Client secret shown", "Ada")
	if strings.Contains(wd.log.String(), body.Secret) || strings.Contains(wd.log.String(), testPassword) {
		t.Error("the secret or the password is in the log")
	}
}

func TestGuessingThePasswordIsSlowed(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	show := secretViews(ada.profileNamed("App"), wd.clock())[0].Action
	wd.sleep(time.Hour)
	for range 100 {
		if a := ada.post(show, url.Values{"password": {"wrong"}}); a.status == http.StatusTooManyRequests {
			a.want(429, "Too many attempts. Wait ")
			return
		}
	}
	t.Error("a hundred guesses went through")
}

func TestSecondSecret(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("App")
	path := profilePath(profile)
	first := secretViews(profile, wd.clock())[0].Path

	ada.get(first+"/end").want(200, "This is the only secret without an end").lacks("End now")
	for _, end := range []url.Values{{"end": {"now"}}, {"end": {"date"}, "date": {"2026-12-24"}}} {
		ada.post(first+"/end", end).want(409, "This is the only secret without an end")
	}
	wd.sleep(time.Second)
	ada.get(ada.post(path+"/secrets", nil).location()).want(200, "In effect here now")
	ada.post(path+"/secrets", nil).want(409, "There are two live secrets already")

	for date, want := range map[string]string{
		"":           "Write a date such as 2026-12-22.",
		"tomorrow":   "Write a date such as",
		"2026-11-21": "Choose today or a later day",
		"2033-01-01": "within five years",
	} {
		ada.post(first+"/end", url.Values{"end": {"date"}, "date": {date}}).want(422, want)
	}
	ada.post(first+"/end", url.Values{"end": {"date"}, "date": {"2026-11-30"}}).want(303)
	if got, want := ada.reload(profile).Secrets[0].ExpiresAt, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("the secret ends %v, want after its last day: %v", got, want)
	}
	ada.get(webSettingsPath(profile)).want(200, "Ending", "1 Dec 2026, 00:00 UTC")
	ada.get(first+"/end").want(200, "Take the end back")
	ada.post(first+"/end", url.Values{"end": {"never"}}).want(303)
	if got := ada.reload(profile).Secrets[0].ExpiresAt; !got.IsZero() {
		t.Errorf("the secret ends %v, want the end taken back", got)
	}
	ada.post(first+"/end", url.Values{"end": {"now"}}).want(303)
	wd.sleep(time.Second)
	if live := ada.reload(profile); len(live.LiveSecrets(wd.clock())) != 1 {
		t.Errorf("%d live secrets, want 1", len(live.LiveSecrets(wd.clock())))
	}
	ada.get(first+"/end").want(200, "This secret has ended")
	ada.get(webSettingsPath(profile)).want(200, "Ended", "Create a second secret")
}

func TestDownload(t *testing.T) {
	wd := newWorld(t)
	ada := wd.developerNamed("Ada")
	profile := ada.profileNamed("Video: “Report” Downloader!", "https://app.example.com/it's;a$b&c")
	action := secretViews(profile, wd.clock())[0].Path + "/download"

	env := ada.post(action, url.Values{"format": {"env"}}).want(200)
	if got := env.header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := env.header.Get("Content-Disposition"); got != `attachment; filename="video-report-downloader.env"` {
		t.Errorf("Content-Disposition %q", got)
	}
	_, secret := ada.fetch(strings.TrimSuffix(action, "/download")+"/show", nil)
	want := "# Keep this in a secrets manager, never in version control.\n" +
		"CLIENT_ID=" + wd.s.Namespace.ClientID(profile.Client) + "\n" +
		"CLIENT_SECRET=" + secret.Secret + "\n" +
		"AUTHORIZATION_URL=https://id.example.com/ap/oa\n" +
		"TOKEN_URL=https://id.example.com/auth/o2/token\n" +
		`RETURN_URL='https://app.example.com/it'\''s;a$b&c'` + "\n"
	if env.body != want {
		t.Errorf(".env:\n%s\nwant\n%s", env.body, want)
	}

	manifest := ada.post(action, url.Values{"format": {"kubernetes"}}).want(200)
	if got := manifest.header.Get("Content-Type"); got != "application/yaml; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	want = "# Keep this in a secrets manager, never in version control.\n" +
		"apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"video-report-downloader\"\ntype: Opaque\nstringData:\n" +
		"  CLIENT_ID: \"" + wd.s.Namespace.ClientID(profile.Client) + "\"\n" +
		"  CLIENT_SECRET: \"" + secret.Secret + "\"\n" +
		"  AUTHORIZATION_URL: \"https://id.example.com/ap/oa\"\n" +
		"  TOKEN_URL: \"https://id.example.com/auth/o2/token\"\n" +
		"  RETURN_URL: \"https://app.example.com/it's;a$b&c\"\n"
	if manifest.body != want {
		t.Errorf("manifest:\n%s\nwant\n%s", manifest.body, want)
	}
	if got := ada.events(profile, audit.SecretShown); got != 3 {
		t.Errorf("%d showings are remembered, want the two downloads and the showing", got)
	}

	wd.sleep(time.Hour)
	ada.post(action, url.Values{"format": {"kubernetes"}}).want(403, "Enter your password once more to download", `name="format" value="kubernetes"`)
	ada.post(action, url.Values{"format": {"env"}, "password": {testPassword}}).want(200, secret.Secret)
}

// TestShellReadsWhatWasMeant asks a shell what it makes of quoted words.
func TestShellReadsWhatWasMeant(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	for _, word := range []string{"", "plain", "it's", `a"b`, "a b", "$HOME", "`id`", "a;b", "a\\b", "''", "~", "*", "a#b", "!x", "ü"} {
		out, err := exec.CommandContext(t.Context(), sh, "-c", "X="+shellWord(word)+`; printf %s "$X"`).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q was read as %q, %v", word, out, err)
		}
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Video Report Downloader": "video-report-downloader",
		"  --Ünïcode 7 ":          "n-code-7",
		"日本語":                     "security-profile",
		strings.Repeat("ab-", 20): strings.TrimSuffix(strings.Repeat("ab-", 20)[:50], "-"),
	} {
		if got := slug(name); got != want {
			t.Errorf("slug(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestInEffect(t *testing.T) {
	committed := time.Date(2026, 11, 22, 14, 3, 21, 400e6, time.UTC)
	for after, want := range map[time.Duration]string{
		0:                       "In effect here now, and everywhere by 14:03:23 UTC.",
		1599 * time.Millisecond: "In effect here now, and everywhere by 14:03:23 UTC.",
		1600 * time.Millisecond: "In effect everywhere since 14:03:23 UTC.",
	} {
		if got := inEffect(committed, committed.Add(after)); got != want {
			t.Errorf("%v later: %s; want %s", after, got, want)
		}
	}
	if registry.MaxLiveSecrets != 2 {
		t.Error("the page says that two secrets are the most")
	}
}
