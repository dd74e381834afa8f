package crashtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/server"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/internal/store"
)

const (
	crashes   = 20
	redeemers = 8
	editors   = 2

	email     = "ada@example.com"
	password  = "correct horse battery"
	returnURL = "https://app.example.com/return"
)

// place is a database and its keys, before and after each crash.
type place struct {
	config  sqldb.Config
	keyFile string
	// profiles: the first is for codes, each other for one editor.
	profiles []registry.SecurityProfile
	secret   string
}

func newPlace(t *testing.T, dialect sqldb.Dialect) *place {
	t.Helper()
	p := &place{config: sqldbtest.Config(t, dialect), keyFile: filepath.Join(t.TempDir(), "keys")}
	ring, err := keyring.Create(p.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	db, st, err := server.OpenStore(ctx, p.config, ring)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now()
	by := audit.By{At: now}
	if _, err := st.Identify(ctx, namespace, now); err != nil {
		t.Fatal(err)
	}
	hash, err := account.NewHasher(account.HasherOptions{Cost: cheap()}).Hash(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	ada, err := st.CreateAccount(ctx, store.NewAccount{
		Email: email, EmailKey: account.EmailKey(email), Name: "Ada", PasswordHash: hash, Confirmed: now,
		Developer: &store.NewDeveloper{Company: "Ada", Country: "GB"},
	}, by)
	if err != nil {
		t.Fatal(err)
	}
	developer, err := st.DeveloperOf(ctx, ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.secret = registry.NewClientSecret(namespace)
	for range 1 + editors {
		profile, err := st.CreateProfile(ctx, store.NewProfile{
			DeveloperID: developer.ID, Secret: p.secret, ReturnURLs: []registry.ReturnURL{{Value: returnURL}},
			Form: registry.ProfileForm{Name: "Crash", Description: "Crash", PrivacyURL: "https://example.com"},
		}, by)
		if err != nil {
			t.Fatal(err)
		}
		p.profiles = append(p.profiles, profile)
	}
	scopes := oauth.ScopeSet{}.With(0)
	_, err = st.Allow(ctx, store.Allowance{AccountID: ada.ID, ProfileID: p.profiles[0].ID, Asked: scopes, Allowed: scopes, Words: "test"}, by)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// process is one life of the server.
type process struct {
	base   string
	cmd    *exec.Cmd
	client *http.Client
}

// start runs the server in a second process, by way of wrapper when one is given.
func (p *place) start(t *testing.T, wrapper ...string) *process {
	t.Helper()
	args := append(wrapper, os.Args[0])
	cmd := exec.CommandContext(context.Background(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), pathVariable+"="+p.config.Path, urlVariable+"="+p.config.URL, keyVariable+"="+p.keyFile)
	cmd.Stderr = os.Stderr
	// A group of its own, so that the server goes with what it is wrapped in.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	return &process{base: strings.TrimSpace(line), cmd: cmd, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: redeemers + editors},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       10 * time.Second,
	}}
}

func (s *process) do(method, path, cookie string, form url.Values) (*http.Response, string, error) {
	r, err := http.NewRequest(method, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	res, err := s.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func (s *process) signIn(t *testing.T) string {
	t.Helper()
	res, body, err := s.do(http.MethodPost, "/sign-in", "", url.Values{"email": {email}, "password": {password}})
	if err != nil || res.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign in: %v %v\n%s", err, res, body)
	}
	var cookies []string
	for _, c := range res.Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return strings.Join(cookies, "; ")
}

func clientID(p registry.SecurityProfile) string {
	return registry.Namespace(namespace).ClientID(p.Client)
}

// code gets an authorization code: the user has consented before.
func (s *process) code(p *place, cookie string) (string, error) {
	q := url.Values{"client_id": {clientID(p.profiles[0])}, "redirect_uri": {returnURL}, "response_type": {"code"}, "scope": {"profile"}}
	res, _, err := s.do(http.MethodGet, "/ap/oa?"+q.Encode(), cookie, nil)
	if err != nil {
		return "", err
	}
	to, err := res.Location()
	if err != nil {
		return "", fmt.Errorf("status %d without a code: %w", res.StatusCode, err)
	}
	return to.Query().Get("code"), nil
}

// redeem reports the status of a code exchange.
func (s *process) redeem(p *place, code string) (int, string, error) {
	res, body, err := s.do(http.MethodPost, "/auth/o2/token", "", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {returnURL}, "client_id": {clientID(p.profiles[0])}, "client_secret": {p.secret},
	})
	if err != nil {
		return 0, "", err
	}
	var answer struct{ Error string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return 0, "", err
	}
	return res.StatusCode, answer.Error, nil
}

var seenField = regexp.MustCompile(`name="seen" value="([^"]*)"`)

func webSettings(p registry.SecurityProfile) string {
	return "/console/profiles/" + p.Application.String() + "/web-settings"
}

// edit saves a note beside the return URL.
func (s *process) edit(p registry.SecurityProfile, cookie string, n int) error {
	_, page, err := s.do(http.MethodGet, webSettings(p)+"?edit=1", cookie, nil)
	if err != nil {
		return err
	}
	seen := seenField.FindStringSubmatch(page)
	if seen == nil {
		return fmt.Errorf("no form in the page:\n%s", page)
	}
	res, body, err := s.do(http.MethodPost, webSettings(p), cookie, url.Values{
		"seen": {html.UnescapeString(seen[1])}, "return_urls.0": {returnURL}, "return_urls_note.0": {note(n)},
	})
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("saving answered %d:\n%s", res.StatusCode, body)
	}
	return nil
}

func note(n int) string { return fmt.Sprintf("edit %d.", n) }

var noteText = regexp.MustCompile(`edit (\d+)\.`)

// noted is the number of the last edit that is there.
func (s *process) noted(t *testing.T, p registry.SecurityProfile, cookie string) int {
	t.Helper()
	_, page, err := s.do(http.MethodGet, webSettings(p), cookie, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := noteText.FindStringSubmatch(page)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// log is what the clients know of a life of the server.
type log struct {
	mu           sync.Mutex
	acknowledged []string // codes whose exchange was answered with tokens
	unanswered   []string // codes that were sent and not answered
	tried, done  [editors]int
	first        chan struct{}
	once         sync.Once
}

func (l *log) redeemed(code string, answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !answered {
		l.unanswered = append(l.unanswered, code)
		return
	}
	l.acknowledged = append(l.acknowledged, code)
	l.once.Do(func() { close(l.first) })
}

func TestCrash(t *testing.T) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		t.Run(dialect.String(), func(t *testing.T) {
			p := newPlace(t, dialect)
			s := p.start(t)
			cookie := s.signIn(t)
			total, open := 0, 0
			l := &log{}
			for range crashes {
				l = &log{first: make(chan struct{}), tried: l.tried, done: l.done}
				p.life(t, s, cookie, l)
				s = p.start(t)
				p.check(t, s, cookie, l)
				total, open = total+len(l.acknowledged), open+len(l.unanswered)
			}
			t.Logf("%d exchanges acknowledged, %d cut off, %v edits saved", total, open, l.done)
		})
	}
}

// life has codes exchanged and profiles edited until the server is killed.
func (p *place) life(t *testing.T, s *process, cookie string, l *log) {
	t.Helper()
	killed := make(chan struct{})
	over := func(what string, err error) {
		select {
		case <-killed:
		default:
			t.Errorf("%s, before the kill: %v", what, err)
		}
	}
	var wg sync.WaitGroup
	for range redeemers {
		wg.Go(func() {
			for {
				code, err := s.code(p, cookie)
				if err != nil {
					over("authorize", err)
					return
				}
				status, problem, err := s.redeem(p, code)
				if err != nil {
					l.redeemed(code, false)
					over("exchange", err)
					return
				}
				if status != http.StatusOK {
					t.Errorf("exchange of a fresh code: %d %s", status, problem)
					return
				}
				l.redeemed(code, true)
			}
		})
	}
	for i := range editors {
		wg.Go(func() {
			for {
				n := l.tried[i] + 1
				l.tried[i] = n
				if err := s.edit(p.profiles[1+i], cookie, n); err != nil {
					over("edit", err)
					return
				}
				l.done[i] = n
			}
		})
	}
	select {
	case <-l.first:
	case <-time.After(time.Minute):
		t.Error("no exchange was acknowledged")
	}
	time.Sleep(time.Duration(rand.IntN(60_000)) * time.Microsecond)
	close(killed)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.cmd.Wait()
	wg.Wait()
}

// check holds the new life to what the old one had said.
func (p *place) check(t *testing.T, s *process, cookie string, l *log) {
	t.Helper()
	for _, code := range l.acknowledged {
		if status, problem, err := s.redeem(p, code); err != nil || status != http.StatusBadRequest || problem != "invalid_grant" {
			t.Errorf("a code that had been exchanged: %d %s %v", status, problem, err)
		}
	}
	for _, code := range l.unanswered {
		good := 0
		for range 2 {
			status, _, err := s.redeem(p, code)
			if err != nil {
				t.Fatal(err)
			}
			if status == http.StatusOK {
				good++
			}
		}
		if good > 1 {
			t.Error("a code was exchanged twice after the crash")
		}
	}
	for i := range editors {
		if n := s.noted(t, p.profiles[1+i], cookie); n < l.done[i] || n > l.tried[i] {
			t.Errorf("editor %d: edit %d is there; %d was acknowledged and %d tried", i, n, l.done[i], l.tried[i])
		}
		// What was tried and not answered may be there or not; both are true.
		l.done[i] = max(l.done[i], s.noted(t, p.profiles[1+i], cookie))
		l.tried[i] = l.done[i]
	}
}
