package e2e

import (
	"archive/zip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/sqldb"
)

var (
	mia   = person{"Mia Manager", "mia@alpha.example", "a lantern in the projection room"}
	robot = person{"Report Downloader", "report_downloader@alpha.example", "nobody types this one twice"}
)

// story is everybody and everything that TestStory is about.
type story struct {
	t    *testing.T
	s    *server
	p    *slate
	c    *computer
	app  credentials
	mia  *page // signed in to Slate
	user *page // the application's user
}

const (
	alphaWeekly = "1001/channels/Alpha Stories (US)/Subscription Weekly/"
	firstWeek   = alphaWeekly + "2030-01-07_2030-01-13"
	secondWeek  = alphaWeekly + "2030-01-14_2030-01-20"
)

// TestStory is what the credentials are for: a developer makes the profile, a partner
// safelists it, a user authorizes it, the application downloads reports, and each of
// the three ways to end it is told in words.
func TestStory(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	d := story{t: t, s: s, p: serveSlate(t, s)}
	d.operate()
	d.develop()
	d.safelist()
	d.login()
	d.download()
	t.Run("another client", d.judge)
	d.withdrawPermission()
	d.removeFromSafelist()
	d.removeConsent()
	d.loginByCode()
	d.loginByDevice()
}

// operate is the operator's part: accounts, users, identifiers of statements, reports.
func (d *story) operate() {
	d.p.run(d.t, "account", "create", "--name", "Alpha Pictures", "--manager", mia.email)
	d.p.run(d.t, "account", "member", "--account", "1001", "--email", robot.email, "--reports")
	d.p.run(d.t, "account", "statements", "--account", "1001", "--id", "ALPHA-1")
	d.p.put(d.t, firstWeek+".csv", "Date,Subscriptions,Minutes Streamed\n1/7/2030,12,340\n")
	d.p.put(d.t, secondWeek+".csv", "Date,Subscriptions,Minutes Streamed\n1/14/2030,13,360\n")
	d.p.put(d.t, "1001/financialStatement/ALPHA-1/Royalty Statement Monthly/2030-01.csv", "Date,Amount\n2030-01-31,7.50\n")
}

// develop is the developer's part, in the console.
func (d *story) develop() {
	dev := ada.develop(d.t, d.s)
	profile := downloader
	profile.privacy = d.p.url + "/help"
	profile.returnURL = "http://127.0.0.1:" + freePort(d.t) + "/return"
	d.app = profile.create(dev)
	dev.press("Edit")
	dev.click("Add another")
	dev.fill("Allowed Return URLs (added)", "https://localhost")
	dev.press("Save")
	dev.sees("In effect here now")
	d.c = newComputer(d.t, d.s, d.p, d.app)
	d.c.env["RETURN_URL"] = profile.returnURL
}

// enter signs up at Gatelodge on the way in to Slate.
func (d *story) enter(who person) *page {
	p := newPage(d.t, d.s)
	p.open(d.p.url)
	p.press("Sign in")
	p.press("Create an account")
	who.fillSignUp(p)
	p.press("Create your account")
	p.sees("Slate", who.email)
	p.press("Allow")
	if !strings.HasPrefix(p.address(), d.p.url) {
		d.t.Fatalf("%s came to %s", who.name, p.address())
	}
	p.sees("Alpha Pictures")
	return p
}

// safelist is the partner's part, in Slate.
func (d *story) safelist() {
	d.mia = d.enter(mia)
	d.mia.open(d.p.url + "/accounts/1001")
	d.mia.click("Account settings")
	d.mia.press("Applications")
	d.mia.sees("No application is let in")
	d.addApplication()
	d.user = d.enter(robot)
}

func (d *story) addApplication() {
	d.t.Helper()
	d.mia.press("Add Application")
	d.mia.fill("Client ID", d.app.clientID)
	d.mia.clickCheckbox("Reporting")
	d.mia.sees("Is this the right application?", downloader.name, "by "+ada.name) // while it is filled in
	d.mia.press("Add application")
	d.mia.sees("The application was added", downloader.name, "by "+ada.name, "New")
}

// clickCheckbox ticks a box, or takes the tick away; a link may have the same name.
func (p *page) clickCheckbox(name string) {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	p.must(chromedp.Do(ctx, p.clicking(p.find([]string{"checkbox"}, name))))
}

func (d *story) login() {
	d.c.run(1, []string{"sync"}, "nobody is logged in: run report-downloader login")
	login := d.c.begin("login", "--no-browser")
	_, address := login.shows()
	d.user.open(address)
	d.user.sees(downloader.name, "See your reports in Slate", robot.email)
	d.user.press("Allow")
	d.user.sees("You can close this page")
	login.succeeds("Logged in.")
	if info, err := os.Stat(d.c.env["TOKENS"]); err != nil || info.Mode().Perm() != 0o600 {
		d.t.Errorf("the file of tokens: %v, %v", info.Mode(), err)
	}
}

func (d *story) download() {
	d.published(3)
	d.c.run(0, []string{"sync"}, "3 fetched, 3 here in all.")
	want := []string{firstWeek + ".zip", secondWeek + ".zip"}
	if diff := cmp.Diff(want, d.c.reports()[:2]); diff != "" {
		d.t.Errorf("the files (-want +got):\n%s", diff)
	}
	d.c.run(0, []string{"sync"}, "0 fetched, 3 here in all.")

	corrected := "Date,Subscriptions,Minutes Streamed\n1/7/2030,99,340\n"
	d.p.put(d.t, firstWeek+".csv", corrected)
	d.published(1)
	d.c.run(0, []string{"sync"}, "1 fetched, 3 here in all.")
	if got := csvIn(d.t, filepath.Join(d.c.env["TO"], firstWeek+".zip")); got != corrected {
		d.t.Errorf("the corrected report says %q", got)
	}
}

// published waits until Slate has so many reports that are new to the computer.
func (d *story) published(want int) {
	d.t.Helper()
	for deadline := time.Now().Add(2 * patience); ; time.Sleep(200 * time.Millisecond) {
		out := d.c.run(0, []string{"status", "--json"})
		fresh := 0
		for lines := json.NewDecoder(strings.NewReader(out)); ; {
			var line struct{ New int }
			if err := lines.Decode(&line); err == io.EOF {
				break
			} else if err != nil {
				d.t.Fatalf("status --json: %v: %s", err, out)
			}
			fresh += line.New
		}
		if fresh == want {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%d reports are new, want %d: %s", fresh, want, out)
		}
	}
}

// judge has a client that nobody here wrote read the same with the same token.
func (d *story) judge(t *testing.T) {
	var kept struct {
		Token struct {
			Access string `json:"access_token"`
		}
	}
	text, err := os.ReadFile(d.c.env["TOKENS"])
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	judge(t, "openapi-client-axios", "SLATE_URL="+d.p.url, "ACCESS_TOKEN="+kept.Token.Access)
}

func (d *story) withdrawPermission() {
	change := func() {
		d.mia.open(d.p.url + "/accounts/1001/users")
		d.mia.press("Change " + robot.name)
		d.mia.clickCheckbox("Reports: View Only")
		d.mia.press("Save")
		d.mia.sees("Saved")
	}
	change()
	d.c.run(1, []string{"sync"}, "Slate says: The user has the permission Reports: View Only in none of their accounts.")
	change()
	d.c.run(0, []string{"sync"}, "0 fetched, 3 here in all.")
}

func (d *story) removeFromSafelist() {
	d.mia.open(d.p.url + "/accounts/1001/applications")
	d.mia.press("Remove " + downloader.name)
	d.mia.sees("The application was removed")
	d.c.run(1, []string{"sync"}, "Slate says: The application is let in to none of the accounts", "under Account settings > Applications")
	d.addApplication()
	d.c.run(0, []string{"sync"})
}

func (d *story) removeConsent() {
	d.user.open("/account/applications")
	d.user.press("Remove", downloader.name)
	d.c.run(1, []string{"sync"}, "its user took it back: run report-downloader login")
	if got := d.c.reports(); len(got) != 3 {
		d.t.Errorf("the reports that were here: %v", got)
	}
}

// loginByCode pastes what the address bar says when nothing answers at https://localhost.
func (d *story) loginByCode() {
	delete(d.c.env, "RETURN_URL")
	login := d.c.begin("login", "--code")
	_, address := login.shows()
	d.user.open(address)
	d.user.loadFails("Allow", d.user.clicking(d.user.find(pressable, "Allow")))
	if _, err := io.WriteString(login.in, d.user.address()+"\n"); err != nil {
		d.t.Fatal(err)
	}
	login.succeeds("Logged in.")
	d.c.run(0, []string{"sync"})
}

// loginByDevice enters the code that the program shows, in the browser.
func (d *story) loginByDevice() {
	if err := os.Remove(d.c.env["TOKENS"]); err != nil {
		d.t.Fatal(err)
	}
	d.c.run(1, []string{"sync"}, "nobody is logged in")
	login := d.c.begin("login", "--device")
	lead, code := login.shows()
	if !strings.Contains(lead, d.s.issuer+"/device") {
		d.t.Fatalf("it shows %q", lead)
	}
	d.user.open("/device")
	d.user.fill("Code on your device", code)
	d.user.press("Continue")
	d.user.press("Allow")
	d.user.sees("You can go back to your device")
	login.succeeds("Logged in.")
	d.c.run(0, []string{"sync"}, "0 fetched, 3 here in all.")
}

// csvIn is the first report in an archive.
func csvIn(t *testing.T, path string) string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSlatePages looks at the page of the reporting API; the portal's own tests look at
// its pages.
func TestSlatePages(t *testing.T) {
	t.Parallel()
	s := serve(t, sqldb.SQLite)
	d := story{t: t, s: s, p: serveSlate(t, s)}
	l := newLooks(t, []string{"GET /apis"})
	p := newPage(t, s)
	p.open(d.p.url + "/apis")
	p.find(pressable, "Sign in")
	l.at(p, "slate-apis")
	p.openWith(d.p.url+"/nothing", http.StatusNotFound)
	d.p.run(t, "account", "create", "--name", "Alpha Pictures", "--manager", mia.email)
	p = d.enter(mia)
	p.open(d.p.url + "/apis")
	p.find(pressable, "Sign out")
}
