package hatest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/registry"
	"gatelodge/internal/server"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

const (
	issuer    = "http://localhost:8080"
	namespace = "amzn1"
	ada       = "ada@example.com"
	bob       = "bob@example.com"
	password  = "correct horse battery"
	returnURL = "https://app.example.com/return"
)

// application is a security profile with what its clients need.
type application struct {
	id, secret string
	profile    registry.SecurityProfile
}

// place is the database, its keys and who is in it.
type place struct {
	url, keyFile string
	developer    int64
	servers      []*gatelodge
	programs     *http.Client // those that are no browsers
}

// newPlace sets a database up on the cluster and starts servers on it.
func newPlace(t *testing.T, c *cluster, servers int) *place {
	t.Helper()
	p := &place{url: c.url("gatelodge"), keyFile: filepath.Join(t.TempDir(), "keys")}
	admin, err := sqldb.Open(t.Context(), sqldb.Config{URL: c.url("postgres")})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := admin.Query(t.Context(), "CREATE DATABASE gatelodge")
	if err != nil {
		t.Fatal(err)
	}
	rows.Close()
	if err := admin.Close(); err != nil {
		t.Fatal(err)
	}
	// A standby that has not heard of the database yet ends the search for the primary.
	c.await("the database on every node", 30*time.Second, func() bool {
		return !slices.ContainsFunc(c.nodes, func(n *node) bool {
			db, err := sqldb.Open(t.Context(), sqldb.Config{URL: n.url("gatelodge")})
			if err != nil {
				return true
			}
			return db.Close() != nil
		})
	})
	ring, err := keyring.Create(p.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	ctx, by := t.Context(), audit.By{At: time.Now()}
	p.inStore(t, ring, func(st *store.Store) {
		if _, err := st.Identify(ctx, namespace, by.At); err != nil {
			t.Fatal(err)
		}
		hash, err := account.NewHasher(account.HasherOptions{}).Hash(ctx, password)
		if err != nil {
			t.Fatal(err)
		}
		var a account.Account
		for _, email := range []string{bob, ada} {
			a, err = st.CreateAccount(ctx, store.NewAccount{
				Email: email, EmailKey: account.EmailKey(email), Name: "Ada", PasswordHash: hash, Confirmed: by.At,
				Developer: &store.NewDeveloper{Company: "Ada", Country: "GB"},
			}, by)
			if err != nil {
				t.Fatal(err)
			}
		}
		d, err := st.DeveloperOf(ctx, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		p.developer = d.ID
	})
	program := filepath.Join(t.TempDir(), "gatelodge")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "gatelodge/cmd/gatelodge").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for range servers {
		p.servers = append(p.servers, serve(t, program, p))
	}
	p.programs = newClient(nil)
	return p
}

// newClient follows no redirects, and waits as long as most clients do.
func newClient(cookies http.CookieJar) *http.Client {
	return &http.Client{
		Jar: cookies, Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// signIn gives a browser of the person.
func (p *place) signIn(t *testing.T, email string) *http.Client {
	t.Helper()
	cookies, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(cookies)
	if got := p.servers[0].ask(c, http.MethodPost, "/sign-in", url.Values{"email": {email}, "password": {password}}); got.status != http.StatusSeeOther {
		t.Fatalf("sign in: %v", got)
	}
	return c
}

func (p *place) inStore(t *testing.T, ring *keyring.Ring, do func(*store.Store)) {
	t.Helper()
	db, st, err := server.OpenStore(t.Context(), sqldb.Config{URL: p.url}, ring)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do(st)
}

// register makes n applications of a kind.
func (p *place) register(t *testing.T, kind registry.Kind, n int) (all []application) {
	t.Helper()
	ring, err := keyring.Load(p.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	p.inStore(t, ring, func(st *store.Store) {
		for range n {
			fresh := store.NewProfile{
				DeveloperID: p.developer, Settings: registry.DefaultSettings(kind), ReturnURLs: []registry.ReturnURL{{Value: returnURL}},
				Form: registry.ProfileForm{Name: "Reports", Description: "Reports", PrivacyURL: "https://example.com"},
			}
			if !kind.Public() {
				fresh.Secret = registry.NewClientSecret(namespace)
			}
			profile, err := st.CreateProfile(t.Context(), fresh, audit.By{At: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, application{id: registry.Namespace(namespace).ClientID(profile.Client), secret: fresh.Secret, profile: profile})
		}
	})
	return all
}

// gatelodge is one server.
type gatelodge struct {
	base string
	cmd  *exec.Cmd
}

func serve(t *testing.T, program string, p *place) *gatelodge {
	t.Helper()
	cmd := exec.Command(program, "serve", "--json", "--listen", "127.0.0.1:0", "--issuer", issuer, "--database", p.url, "--key-file", p.keyFile)
	log := &strings.Builder{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		late := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
		defer late.Stop()
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if text := log.String(); t.Failed() {
			for line := range strings.Lines(text) {
				if strings.Contains(line, `"status":500`) || !strings.Contains(line, `"msg":"request"`) {
					t.Log(line)
				}
			}
		}
	})
	var printed struct{ Listen string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &printed)
	}
	if err != nil {
		t.Fatalf("serve printed %q: %v", line, err)
	}
	return &gatelodge{base: "http://" + printed.Listen, cmd: cmd}
}

// answer is what a request got.
type answer struct {
	status int
	after  string // Retry-After
	to     string // Location
	body   string
	err    error
	from   string // the page's own address, where it is needed
}

func (a answer) String() string {
	return fmt.Sprintf("%d %v, Retry-After %q, to %q: %.300s", a.status, a.err, a.after, a.to, a.body)
}

// text is a member of a JSON answer.
func (a answer) text(name string) string {
	var members map[string]any
	_ = json.Unmarshal([]byte(a.body), &members) // a page has no members
	s, _ := members[name].(string)
	return s
}

// later reports whether the answer is what a server may say while its database is away:
// 503, when to come back and, to a program, which error.
func (a answer) later() bool {
	if a.err != nil || a.status != http.StatusServiceUnavailable || a.after == "" {
		return false
	}
	return strings.HasPrefix(a.body, "<!") || a.text("error") == "temporarily_unavailable" && a.text("request_id") != ""
}

func (s *gatelodge) ask(c *http.Client, method, path string, form url.Values) answer {
	r, err := http.NewRequestWithContext(context.Background(), method, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{err: err}
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, after: res.Header.Get("Retry-After"), to: res.Header.Get("Location"), body: string(body), err: err, from: path}
}

// hidden gives the hidden fields of a page's form.
func hidden(page string) url.Values {
	fields := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return fields
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
