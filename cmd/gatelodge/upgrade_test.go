package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
)

const (
	upgradeUser = "ada@example.com"
	upgradeAt   = "http://localhost:8080" // the issuer of all servers
)

// TestRollingUpgrade: servers of the previous program and of this one work on one
// database, and what either has begun the other goes on with.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	binary := buildPrevious(t)
	in := &installation{flags: []string{"--database", sqldbtest.Config(t, sqldb.Postgres).URL, "--key-file"}, binary: binary}
	keys := &installation{flags: []string{"--data", filepath.Join(t.TempDir(), "data")}, binary: binary}
	keys.run(t, "", "migrate")
	in.flags = append(in.flags, filepath.Join(keys.flags[1], "key-encryption-keys"))

	before := in.serve(t, "--issuer", upgradeAt) // sets the database up, as it is new
	apps := in.applications(t)
	ada := newVisitor(t, before, apps)

	this := *in
	this.binary = ""
	migrated := this.run(t, "", "migrate")
	t.Logf("schema %v to %v, for programs of %v and newer", migrated["from"], migrated["to"], migrated["oldest_program"])
	after := this.serve(t, "--issuer", upgradeAt)

	ada.exercise(t, apps, before, after)
	ada.exercise(t, apps, after, before)

	// The previous program can also be started again, if it is to be gone back to.
	before.stop(syscall.SIGTERM)
	if in.mayRunOn(t, migrated["oldest_program"]) {
		before = in.serve(t, "--issuer", upgradeAt)
		ada.exercise(t, apps, before, after)
		ada.exercise(t, apps, after, before)
		before.stop(syscall.SIGTERM)
	}
	ada.exercise(t, apps, after, after)
}

// TestUpgradeEmbedded: this program takes over the file of the previous one, and the
// previous one can take it back when the schema says so.
func TestUpgradeEmbedded(t *testing.T) {
	t.Parallel()
	in := &installation{flags: []string{"--data", filepath.Join(t.TempDir(), "data")}, binary: buildPrevious(t)}
	apps := in.applications(t)
	before := in.serve(t, "--issuer", upgradeAt)
	ada := newVisitor(t, before, apps)
	ada.exercise(t, apps, before, before)
	code, verifier := ada.code(t, before, apps[0], "left over")
	before.stop(syscall.SIGTERM)

	this := *in
	this.binary = ""
	after := this.serve(t, "--issuer", upgradeAt)
	if a := redeem(t, after, apps[0], code, verifier); a.status != http.StatusOK {
		t.Errorf("a code of the previous program: %d %s", a.status, a.body)
	}
	ada.exercise(t, apps, after, after)
	after.stop(syscall.SIGTERM)

	if in.mayRunOn(t, this.run(t, "", "migrate")["oldest_program"]) {
		before = in.serve(t, "--issuer", upgradeAt)
		ada.exercise(t, apps, before, before)
		before.stop(syscall.SIGTERM)
	}
	after = this.serve(t, "--issuer", upgradeAt)
	ada.exercise(t, apps, after, after)
}

// mayRunOn reports whether the previous program starts on a schema. Those from before
// programs printed theirs refuse every newer one.
func (in *installation) mayRunOn(t *testing.T, oldest any) bool {
	t.Helper()
	schema, ok := output(t, "", in.program("version", "--json"))["schema"].(float64)
	return ok && schema >= oldest.(float64)
}

// applications makes one with a secret and one without, which ada has let in.
func (in *installation) applications(t *testing.T) (apps []client) {
	t.Helper()
	in.developer(t, upgradeUser)
	for _, kind := range []string{"web", "native"} {
		made := in.run(t, "", "profile", "create", "--owner", upgradeUser, "--name", "Reports", "--description", "Downloads reports.",
			"--privacy-url", "https://app.example.com/privacy", "--return-url", returnURL, "--kind", kind)
		secret, _ := made["client_secret"].(string)
		apps = append(apps, client{made["client_id"].(string), secret})
		in.run(t, "", "grant", "create", "--profile", apps[len(apps)-1].id, "--user", upgradeUser, "--scope", "profile")
	}
	return apps
}

// visitor is ada's browser, which whatever stands before the servers sends to any of
// them.
type visitor struct {
	http *http.Client
	edit string // path of her profile's settings
	n    int    // edits made
}

func newVisitor(t *testing.T, s *process, apps []client) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	a := do(t, v.http, newRequest(t, http.MethodPost, s.address+"/sign-in", url.Values{"email": {upgradeUser}, "password": {password}}))
	if a.status != http.StatusSeeOther {
		t.Fatalf("sign in: %d %s", a.status, a.body)
	}
	list := do(t, v.http, newRequest(t, http.MethodGet, s.address+"/console", nil))
	for _, path := range regexp.MustCompile(`/console/profiles/[^"/?]+`).FindAllString(list.body, -1) {
		page := do(t, v.http, newRequest(t, http.MethodGet, s.address+path+"/web-settings", nil))
		if strings.Contains(page.body, apps[0].id) {
			v.edit = path + "/web-settings"
		}
	}
	if v.edit == "" {
		t.Fatalf("no profile in the console:\n%s", list.body)
	}
	return v
}

// code has an application let in where it is not yet, and gives a code with the
// verifier that belongs to it.
func (v *visitor) code(t *testing.T, s *process, c client, verifier string) (code, _ string) {
	t.Helper()
	verifier = strings.Repeat(verifier+".", 20)[:43]
	verifier = strings.ReplaceAll(verifier, " ", "-")
	digest := sha256.Sum256([]byte(verifier))
	a := do(t, v.http, newRequest(t, http.MethodGet, s.address+"/oauth2/authorize?"+url.Values{
		"client_id": {c.id}, "redirect_uri": {returnURL}, "response_type": {"code"}, "scope": {"profile"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil))
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("no code: %d to %s\n%s", a.status, to, a.body)
	}
	return to.Query().Get("code"), verifier
}

func redeem(t *testing.T, s *process, c client, code, verifier string) answer {
	t.Helper()
	return s.standard(t, c, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {returnURL}, "code_verifier": {verifier}})
}

// standard asks the token endpoint of the standard path.
func (s *process) standard(t *testing.T, c client, form url.Values) answer {
	t.Helper()
	form.Set("client_id", c.id)
	if c.secret != "" {
		form.Set("client_secret", c.secret)
	}
	return do(t, http.DefaultClient, newRequest(t, http.MethodPost, s.address+"/oauth2/token", form))
}

var (
	seenField = regexp.MustCompile(`name="seen" value="([^"]*)"`)
	grantID   = regexp.MustCompile(`name="grant" value="(\d+)"`)
)

// exercise begins everything at one server and goes on with it at the other.
func (v *visitor) exercise(t *testing.T, apps []client, from, to *process) {
	t.Helper()
	good := func(what string, a answer) answer {
		t.Helper()
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
		return a
	}
	refresh := func(s *process, c client, token string) answer {
		t.Helper()
		return s.standard(t, c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	// Codes and tokens.
	for _, c := range apps {
		code, verifier := v.code(t, from, c, "verifier")
		first := good("a code of the other", redeem(t, to, c, code, verifier))
		good("an access token of the other", from.profile(t, first.text("access_token")))
		second := good("a refresh token of the other", refresh(from, c, first.text("refresh_token")))
		good("a refresh token of its own", refresh(to, c, second.text("refresh_token")))
		if a := redeem(t, from, c, code, verifier); a.text("error") != "invalid_grant" {
			t.Errorf("a code that the other has redeemed: %d %s", a.status, a.body)
		}
		awaitAnswer(t, "tokens that a replay at the other has ended", "invalid_token", func() answer { return to.profile(t, first.text("access_token")) })
	}
	// An edit in the console.
	v.n++
	note := strings.Repeat("I", v.n) + "."
	form := do(t, v.http, newRequest(t, http.MethodGet, to.address+v.edit+"?edit=1", nil))
	seen := seenField.FindStringSubmatch(form.body)
	if seen == nil {
		t.Fatalf("no form: %d %s", form.status, form.body)
	}
	saved := do(t, v.http, newRequest(t, http.MethodPost, from.address+v.edit, url.Values{
		"seen": {html.UnescapeString(seen[1])}, "return_urls.0": {returnURL}, "return_urls_note.0": {"Note " + note},
	}))
	page := do(t, v.http, newRequest(t, http.MethodGet, to.address+v.edit, nil))
	if saved.status != http.StatusSeeOther || !strings.Contains(page.body, "Note "+note) {
		t.Errorf("an edit at the other: %d %s, then\n%s", saved.status, saved.body, page.body)
	}
	// A consent that is taken back, and given again.
	c := apps[0]
	code, verifier := v.code(t, to, c, "taken back")
	token := good("a code of its own", redeem(t, to, c, code, verifier)).text("refresh_token")
	connected := do(t, v.http, newRequest(t, http.MethodGet, from.address+"/account/applications", nil))
	for _, id := range grantID.FindAllStringSubmatch(connected.body, -1) {
		do(t, v.http, newRequest(t, http.MethodPost, from.address+"/account/applications", url.Values{"grant": {id[1]}}))
	}
	awaitAnswer(t, "a token whose consent was taken back at the other", "invalid_grant", func() answer { return refresh(to, c, token) })
	for _, c := range apps {
		v.consent(t, from, to, c)
	}
}

// consent asks for the consent page at one server and presses Allow at the other.
func (v *visitor) consent(t *testing.T, from, to *process, c client) {
	t.Helper()
	digest := sha256.Sum256([]byte("unused"))
	a := do(t, v.http, newRequest(t, http.MethodGet, from.address+"/oauth2/authorize?"+url.Values{
		"client_id": {c.id}, "redirect_uri": {returnURL}, "response_type": {"code"}, "scope": {"profile"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil))
	at, err := url.Parse(a.header.Get("Location"))
	if err != nil || at.Path != "/consent" {
		t.Fatalf("no consent page: %d to %v\n%s", a.status, at, a.body)
	}
	page := do(t, v.http, newRequest(t, http.MethodGet, from.address+at.RequestURI(), nil))
	account := regexp.MustCompile(`name="account" value="(\d+)"`).FindStringSubmatch(page.body)
	if account == nil {
		t.Fatalf("no consent page: %d %s", page.status, page.body)
	}
	a = do(t, v.http, newRequest(t, http.MethodPost, to.address+at.RequestURI(), url.Values{"account": {account[1]}, "decision": {"allow"}}))
	if !strings.Contains(a.header.Get("Location"), "code=") {
		t.Fatalf("Allow at the other: %d to %q\n%s", a.status, a.header.Get("Location"), a.body)
	}
}

// awaitAnswer asks until the error is there: at the other server a change is in effect
// within a second.
func awaitAnswer(t *testing.T, what, problem string, ask func() answer) {
	t.Helper()
	var a answer
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
		if a = ask(); a.text("error") == problem {
			return
		}
	}
	t.Errorf("%s: %d %s, want %s", what, a.status, a.body, problem)
}

// buildPrevious builds the program of the commit before: where the schema has changed
// since, of the newest one with the schema before, if its programs may run on this one.
func buildPrevious(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds another program")
	}
	commit := previousCommit(t)
	previous.once.Do(func() { previous.binary, previous.err = buildCommit(commit) })
	if previous.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("commit %.10s: %v", commit, previous.err)
		}
		t.Skipf("commit %.10s cannot be built here: %v", commit, previous.err)
	}
	t.Logf("the previous program is of commit %.10s", commit)
	return previous.binary
}

const migrationsFolder = "internal/store/migrations"

func git(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return string(bytes.TrimSpace(out)), err
}

func previousCommit(t *testing.T) string {
	t.Helper()
	last, err := git("rev-parse", "HEAD~1")
	if err != nil {
		t.Skipf("no history to take the previous program from: %v", err)
	}
	changed, err := git("log", "--first-parent", "-n", "1", "--format=%H", "--", migrationsFolder)
	if err != nil {
		t.Fatal(err)
	}
	before, err := git("rev-parse", changed+"~1")
	if err != nil { // as old as the history, or older
		return last
	}
	if schema, ok := schemaOf(t, before); ok && int64(schema) >= oldestOf(t) {
		return before
	}
	return last
}

// schemaOf is how many migrations a commit has, if they are among those of today.
func schemaOf(t *testing.T, commit string) (int, bool) {
	t.Helper()
	listed, err := git("ls-tree", "--name-only", commit, migrationsFolder+"/")
	if err != nil {
		t.Fatal(err)
	}
	paths := strings.Fields(listed)
	for _, path := range paths {
		then, err := git("show", commit+":"+path)
		if err != nil {
			t.Fatal(err)
		}
		now, err := fs.ReadFile(store.Migrations(), filepath.Base(path))
		if err != nil || strings.TrimSpace(string(now)) != then {
			return 0, false
		}
	}
	return len(paths), true
}

// oldestOf is the oldest program that may run on the schema of this one.
func oldestOf(t *testing.T) int64 {
	t.Helper()
	db := sqldbtest.Open(t, sqldbtest.Config(t, sqldb.SQLite))
	if err := db.Migrate(t.Context(), store.Migrations()); err != nil {
		t.Fatal(err)
	}
	oldest, err := db.OldestProgram(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return oldest
}

// previous is built once for all tests.
var previous struct {
	once   sync.Once
	binary string
	err    error
}

// buildCommit builds the program of a commit in a folder that goes when all tests are done.
func buildCommit(commit string) (string, error) {
	dir, err := os.MkdirTemp("", "gatelodge-previous")
	if err != nil {
		return "", err
	}
	archive := filepath.Join(dir, "source.tar")
	if _, err := git("archive", "--output", archive, commit); err != nil {
		return "", err
	}
	source := filepath.Join(dir, "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		return "", err
	}
	if out, err := exec.Command("tar", "-xf", archive, "-C", source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("tar: %w: %s", err, out)
	}
	binary := filepath.Join(dir, "gatelodge")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/gatelodge")
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, errors.Join(os.RemoveAll(source), os.Remove(archive))
}
