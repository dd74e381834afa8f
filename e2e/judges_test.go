package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/amazon"
)

// TestJudges has ordinary client libraries, which know nothing of this server, run
// their flows on it. What they refuse is the server's fault.
func TestJudges(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	for _, name := range []string{"openid-client", "oauth4webapi", "jose", "passport-amazon", "sp-api-auth", "amazon-device"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.judge(t, name)
		})
	}
	t.Run("goth", func(t *testing.T) {
		t.Parallel()
		goths(t, c)
	})
}

var (
	// packageName is a package that a script imports.
	packageName = regexp.MustCompile(`from "((?:@[\w-]+/)?[a-z][\w-]*)["/]`)
	// passed counts a script's tests in node's report (TAP version 13): a script
	// without any has judged nothing.
	passed = regexp.MustCompile(`(?m)^# pass [1-9]\d*$`)
)

// judge runs a script of the folder judges on Gatelodge.
func (c *court) judge(t *testing.T, name string) {
	t.Helper()
	judge(t, name, "GATELODGE_ISSUER="+c.issuer, "GATELODGE_COURT="+c.url)
}

// judge runs a script of the folder judges with node.
func judge(t *testing.T, name string, env ...string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		without(t, "node is not there")
	}
	script := filepath.Join("judges", name+".mjs")
	source, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range packageName.FindAllStringSubmatch(string(source), -1) {
		if _, err := os.Stat(filepath.Join("node_modules", filepath.FromSlash(m[1]))); errors.Is(err, fs.ErrNotExist) {
			without(t, m[1]+" is not there: run `npm install` in e2e")
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "--test-reporter=tap", script)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil || !passed.Match(out) {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// amazonHosts are Amazon's hosts, seen by a client: behind each of them is this server.
type amazonHosts struct{ issuer *url.URL }

func (h amazonHosts) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = ""
	if err := h.point(r.URL); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (h amazonHosts) point(u *url.URL) error {
	if !strings.HasSuffix(u.Host, ".amazon.com") {
		return fmt.Errorf("%s is none of Amazon's", u.Host)
	}
	u.Scheme, u.Host = h.issuer.Scheme, h.issuer.Host
	return nil
}

// goths is a Login with Amazon client in Go, by github.com/markbates/goth. It asks
// for the user's profile with the token in the address.
func goths(t *testing.T, c *court) {
	const returnURL = "https://app.example/auth/amazon/callback"
	profile, err := c.register(t.Context(), wanted{ReturnURLs: []string{returnURL}})
	if err != nil {
		t.Fatal(err)
	}
	user, err := c.signUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := url.Parse(c.issuer)
	if err != nil {
		t.Fatal(err)
	}
	hosts := amazonHosts{issuer}
	provider := amazon.New(profile.ID, profile.Secret, returnURL)
	provider.HTTPClient = &http.Client{Transport: hosts}

	signIn := func() goth.User {
		session, err := provider.BeginAuth("the state")
		if err != nil {
			t.Fatal(err)
		}
		address, err := session.GetAuthURL()
		if err != nil {
			t.Fatal(err)
		}
		start, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := hosts.point(start); err != nil {
			t.Fatal(err)
		}
		end, err := user.goTo(t.Context(), start.String(), nil)
		if err != nil || !strings.HasPrefix(end.URL, returnURL+"?") {
			t.Fatalf("came back to %s (%v): %s", end.URL, err, end.Text)
		}
		back, err := url.Parse(end.URL)
		if err != nil {
			t.Fatal(err)
		}
		if back.Query().Get("state") != "the state" {
			t.Errorf("state: %s", back)
		}
		if _, err := session.Authorize(provider, back.Query()); err != nil {
			t.Fatal(err)
		}
		got, err := provider.FetchUser(session)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := signIn()
	if got.Name != user.name || got.Email != user.email || !strings.HasPrefix(got.UserID, "amzn1.account.") {
		t.Errorf("the user: %+v", got)
	}
	if again := signIn(); again.UserID != got.UserID || again.RefreshToken == "" {
		t.Errorf("the second time: %+v", again)
	}
	token, err := provider.RefreshToken(got.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if token.AccessToken == got.AccessToken || token.RefreshToken != got.RefreshToken {
		t.Errorf("refreshed: %+v", token)
	}
}
