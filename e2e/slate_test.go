package e2e

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slate is a running Slate beside a Gatelodge, set up by the operator's commands alone.
type slate struct {
	url, data string
}

// operator is who owns Slate's own security profile.
var operator = person{"Olga Operator", "olga@slate.example", "a clapperboard that nobody claps"}

// scope is what applications ask for to read reports.
const scope = "slate:reporting"

// serveSlate does what docs/slate.md has the operator do, in its order.
func serveSlate(t *testing.T, s *server) *slate {
	t.Helper()
	port := freePort(t)
	p := &slate{url: "http://localhost:" + port, data: t.TempDir()}
	command(t, operator.password, shared.binary, "user", "create", "--email", operator.email, "--name", operator.name, "--developer", "--company", "Slate",
		"--password-stdin", "--data", filepath.Dir(s.database.Path))
	made := s.run(t, "profile", "create", "--owner", operator.email, "--name", "Slate", "--description", "The partner portal.",
		"--privacy-url", p.url+"/help", "--return-url", p.url+"/signed-in")
	id, secret := fmt.Sprint(made["client_id"]), fmt.Sprint(made["client_secret"])
	s.run(t, "profile", "api", id, "--audience", p.url+"/apis")
	s.run(t, "scope", "create", "--name", scope, "--label", "See your reports in Slate", "--detail", "The reports of your partner accounts.", "--audience", p.url+"/apis")
	secretFile := filepath.Join(p.data, "secret")
	if err := os.WriteFile(secretFile, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed struct{ URL string }
	log := &lockedBuffer{}
	// A judge that reads everything, one item a page, is not told to wait on a fast machine.
	cmd := start(t, log, &printed, shared.slate, "serve", "--json", "--data", p.data, "--listen", "127.0.0.1:"+port, "--burst", "1000",
		"--gatelodge", s.issuer, "--client-id", id, "--client-secret-file", secretFile, "--contact", "help@slate.example")
	t.Cleanup(func() { stop(t, log, cmd) })
	if printed.URL != p.url {
		t.Fatalf("Slate is at %s, want %s", printed.URL, p.url)
	}
	return p
}

// freePort is a port that nobody listened on a moment ago. It is below those that a
// system gives to whoever asks for any, so that no other test is given it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal(err)
	return ""
}

// run runs a command of Slate's beside the server.
func (p *slate) run(t *testing.T, args ...string) map[string]any {
	t.Helper()
	return command(t, "", shared.slate, append(args, "--data", p.data)...)
}

// put puts a file into the folder that Slate watches.
func (p *slate) put(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(p.data, "reports", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// computer is where somebody runs the Video Report Downloader.
type computer struct {
	t   *testing.T
	env map[string]string
	dir string
}

// newComputer sets the program up by its environment, as a crontab does.
func newComputer(t *testing.T, s *server, p *slate, c credentials) *computer {
	t.Helper()
	dir := t.TempDir()
	return &computer{t, map[string]string{
		"GATELODGE": s.issuer, "SLATE": p.url, "CLIENT_ID": c.clientID, "CLIENT_SECRET": c.clientSecret,
		"TOKENS": filepath.Join(dir, "tokens.json"), "TO": filepath.Join(dir, "reports"),
	}, dir}
}

func (c *computer) command(args ...string) *exec.Cmd {
	cmd := exec.Command(shared.downloader, args...)
	cmd.Env = os.Environ()
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, "REPORT_DOWNLOADER_"+name+"="+value)
	}
	return cmd
}

// run runs the program to its end, and checks its exit code and that it says all of
// words.
func (c *computer) run(want int, args []string, words ...string) string {
	c.t.Helper()
	out, err := c.command(args...).CombinedOutput()
	c.ended(want, string(out), err, words...)
	return string(out)
}

func (c *computer) ended(want int, out string, err error, words ...string) {
	c.t.Helper()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if code != want {
		c.t.Fatalf("exit code %d, want %d:\n%s", code, want, out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			c.t.Errorf("it does not say %q:\n%s", w, out)
		}
	}
}

// session is the program while it waits for a person.
type session struct {
	c     *computer
	in    io.WriteCloser
	out   *lockedBuffer
	ended chan error
}

// begin starts the program.
func (c *computer) begin(args ...string) *session {
	c.t.Helper()
	cmd := c.command(args...)
	s := &session{c: c, out: &lockedBuffer{}, ended: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = s.out, s.out
	var err error
	if s.in, err = cmd.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() { s.ended <- cmd.Wait() }()
	c.t.Cleanup(func() { _ = cmd.Process.Kill() }) // when the test ended before it
	return s
}

// shows waits for what stands indented on a line of its own, and for what stands in
// the line before it.
func (s *session) shows() (lead, shown string) {
	s.c.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		lines := strings.Split(s.out.String(), "\n")
		i := slices.IndexFunc(lines[:len(lines)-1], func(l string) bool { return strings.HasPrefix(l, "  ") })
		if i >= 0 {
			return strings.Join(lines[:i], " "), strings.TrimSpace(lines[i])
		}
	}
	s.c.t.Fatalf("the program shows nothing: %s", s.out)
	return "", ""
}

// succeeds waits for the end.
func (s *session) succeeds(words ...string) {
	s.c.t.Helper()
	select {
	case err := <-s.ended:
		s.c.ended(0, s.out.String(), err, words...)
	case <-time.After(2 * patience):
		s.c.t.Fatalf("the program does not end: %s", s.out)
	}
}

// reports are the files that were downloaded.
func (c *computer) reports() []string {
	c.t.Helper()
	root := c.env["TO"]
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".zip" {
			name, _ := filepath.Rel(root, path)
			found[filepath.ToSlash(name)] = true
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}
