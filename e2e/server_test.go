package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
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

// server is a running gatelodge. It is stopped at the end of its test, by SIGTERM,
// and has to exit with 0.
type server struct {
	// issuer is the base URL of everything.
	issuer string
	// database is what the server works on, for tests that break it.
	database sqldb.Config
	log      *lockedBuffer
}

// serve starts a server on an empty database.
func serve(t *testing.T, dialect sqldb.Dialect, args ...string) *server {
	t.Helper()
	data := t.TempDir()
	s := &server{database: sqldb.Config{Path: filepath.Join(data, "gatelodge.db")}, log: &lockedBuffer{}}
	args = append([]string{"serve", "--json", "--listen", "127.0.0.1:0", "--data", data}, args...)
	if dialect == sqldb.Postgres {
		s.database = sqldbtest.Config(t, sqldb.Postgres)
		args = append(args, "--database", s.database.URL, "--key-file", keyFile(t))
	}
	cmd := s.start(t, args)
	t.Cleanup(func() { s.stop(t, cmd) })
	return s
}

// start runs the program and waits until it serves.
func (s *server) start(t *testing.T, args []string) *exec.Cmd {
	t.Helper()
	var printed struct{ Issuer, Console, Account, Help string }
	cmd := start(t, s.log, &printed, shared.binary, args...)
	if printed.Console != printed.Issuer+"/console" || printed.Account != printed.Issuer+"/account" || printed.Help != printed.Issuer+"/help" {
		t.Fatalf("serve printed %+v", printed)
	}
	s.issuer = printed.Issuer
	return cmd
}

func (s *server) stop(t *testing.T, cmd *exec.Cmd) { stop(t, s.log, cmd) }

// start starts a program that serves, and reads the record that it prints then. The
// caller stops it.
func start(t *testing.T, log *lockedBuffer, printed any, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make(chan []byte, 1)
	go func() {
		first, _ := bufio.NewReader(out).ReadBytes('\n')
		line <- first
	}()
	select {
	case first := <-line:
		if err := json.Unmarshal(first, printed); err != nil {
			_ = cmd.Process.Kill()
			t.Fatalf("%s printed %q (%v), and on standard error:\n%s", program, first, err, log)
		}
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Fatalf("%s printed nothing, and on standard error:\n%s", program, log)
	}
	return cmd
}

func stop(t *testing.T, log *lockedBuffer, cmd *exec.Cmd) {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if t.Failed() {
		t.Logf("the end of the log of %s:\n%s", filepath.Base(cmd.Path), log.tail(20))
	}
}

// keyFile has the program make key-encryption keys, as the operations guide says.
func keyFile(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	if out, err := exec.Command(shared.binary, "migrate", "--data", data).CombinedOutput(); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	return filepath.Join(data, "key-encryption-keys")
}

// run runs a command of the program beside the server, on the same database.
func (s *server) run(t *testing.T, args ...string) map[string]any {
	t.Helper()
	return command(t, "", shared.binary, append(args, "--data", filepath.Dir(s.database.Path))...)
}

// command runs a command of a program that reads input, and gives the record that it
// prints.
func command(t *testing.T, input, program string, args ...string) map[string]any {
	t.Helper()
	cmd := exec.Command(program, append(args, "--json")...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var record map[string]any
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&record); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%v printed %q", cmd.Args, out)
	}
	return record
}

// lockedBuffer takes what a process writes while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// tail is the last lines.
func (l *lockedBuffer) tail(n int) string {
	lines := strings.SplitAfter(l.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-1-n):], "")
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
