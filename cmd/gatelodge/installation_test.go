package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// installation is a database with its keys, on which servers and commands run.
type installation struct {
	// flags lead to it.
	flags []string
	// replicas is how many servers a test should run on it.
	replicas int
	// binary is another program than this one; "" is this one.
	binary string
}

// eachDatabase runs test on an empty SQLite file and, when there is one, on a
// PostgreSQL server.
func eachDatabase(t *testing.T, test func(t *testing.T, in *installation)) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, &installation{flags: []string{"--data", filepath.Join(t.TempDir(), "data")}, replicas: 1})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		database := sqldbtest.Config(t, sqldb.Postgres).URL
		// A key file as the embedded database would have it.
		keys := filepath.Join(t.TempDir(), "data")
		execute(t, "", "migrate", "--data", keys)
		test(t, &installation{flags: []string{"--database", database, "--key-file", filepath.Join(keys, "key-encryption-keys")}, replicas: 2})
	})
}

// program is the program with an environment without settings.
func program(args ...string) *exec.Cmd {
	return withoutSettings(exec.Command("gatelodge", args...)) // the test binary: see TestMain
}

func withoutSettings(cmd *exec.Cmd) *exec.Cmd {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GATELODGE_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

// execute runs a command that has to succeed and gives the record that it printed.
func execute(t *testing.T, stdin string, args ...string) map[string]any {
	t.Helper()
	return output(t, stdin, program(append(args, "--json")...))
}

func output(t *testing.T, stdin string, cmd *exec.Cmd) map[string]any {
	t.Helper()
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		exit, _ := errors.AsType[*exec.ExitError](err)
		t.Fatalf("%q: %v\n%s", cmd.Args, err, exit.Stderr)
	}
	var record map[string]any
	if err := json.Unmarshal(out, &record); err != nil {
		t.Fatalf("%q printed %q: %v", cmd.Args, out, err)
	}
	return record
}

func (in *installation) run(t *testing.T, stdin string, args ...string) map[string]any {
	t.Helper()
	return output(t, stdin, in.program(append(append(args, "--json"), in.flags...)...))
}

func (in *installation) program(args ...string) *exec.Cmd {
	if in.binary == "" {
		return program(args...)
	}
	return withoutSettings(exec.Command(in.binary, args...))
}

const password = "correct horse battery staple"

// developer makes an account with a developer account.
func (in *installation) developer(t *testing.T, email string) {
	t.Helper()
	in.run(t, password+"\n", "user", "create", "--email", email, "--name", "Ada", "--password-stdin", "--developer")
}

const returnURL = "https://app.example.com/back"

// client is the credentials of a security profile.
type client struct{ id, secret string }

func (in *installation) client(t *testing.T, owner string) client {
	t.Helper()
	made := in.run(t, "", "profile", "create", "--owner", owner, "--name", "Reports", "--description", "Downloads reports.",
		"--privacy-url", "https://app.example.com/privacy", "--return-url", returnURL)
	return client{made["client_id"].(string), made["client_secret"].(string)}
}

// refreshToken has a grant made by the operator.
func (in *installation) refreshToken(t *testing.T, c client, email string) string {
	t.Helper()
	return in.run(t, "", "grant", "create", "--profile", c.id, "--user", email, "--scope", "profile")["refresh_token"].(string)
}

// process is the program, serving.
type process struct {
	t *testing.T
	// address is where it listens.
	address string
	issuer  string
	metrics string
	log     *lockedBuffer
	cmd     *exec.Cmd
	stopped bool
}

// serve starts a server that is stopped at the end of t at the latest.
func (in *installation) serve(t *testing.T, args ...string) *process {
	t.Helper()
	args = append([]string{"serve", "--json", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, args...)
	s := &process{t: t, log: &lockedBuffer{}, cmd: in.program(append(args, in.flags...)...)}
	s.cmd.Stderr = s.log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	late := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	var printed struct{ Issuer, Listen, Console, Account, Help, Metrics string }
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &printed)
	}
	if err != nil {
		t.Fatalf("serve printed %q: %v", line, err)
	}
	s.address, s.issuer, s.metrics = "http://"+printed.Listen, printed.Issuer, strings.TrimSuffix(printed.Metrics, "/metrics")
	if printed.Console != s.issuer+"/console" || printed.Account != s.issuer+"/account" || printed.Help != s.issuer+"/help" {
		t.Errorf("serve printed %+v", printed)
	}
	return s
}

// signal sends a signal.
func (s *process) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// stop ends the server by a signal; it has to exit with 0.
func (s *process) stop(sig syscall.Signal) {
	s.t.Helper()
	if s.stopped {
		return
	}
	s.signal(sig)
	s.awaitExit()
}

func (s *process) awaitExit() {
	s.t.Helper()
	s.stopped = true
	late := time.AfterFunc(30*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the server ended with %v", err)
	}
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

// text is a text member of a JSON answer, "" without it.
func (a answer) text(name string) string {
	var members map[string]any
	_ = json.Unmarshal([]byte(a.body), &members) // a page has no members
	s, _ := members[name].(string)
	return s
}

func do(t *testing.T, c *http.Client, r *http.Request) answer {
	t.Helper()
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

func newRequest(t *testing.T, method, address string, form url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// token asks the token endpoint as a client.
func (s *process) token(t *testing.T, c client, form url.Values) answer {
	t.Helper()
	form.Set("client_id", c.id)
	form.Set("client_secret", c.secret)
	return do(t, http.DefaultClient, newRequest(t, http.MethodPost, s.address+"/auth/o2/token", form))
}

func (s *process) refresh(t *testing.T, c client, token string) answer {
	t.Helper()
	return s.token(t, c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// profile reads the user's profile with an access token.
func (s *process) profile(t *testing.T, token string) answer {
	t.Helper()
	r := newRequest(t, http.MethodGet, s.address+"/user/profile", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return do(t, http.DefaultClient, r)
}

// lockedBuffer takes what a process writes while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
