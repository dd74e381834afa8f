package replicatest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/sim"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
)

// program is the path of the real program, made once.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gatelodge-replicas")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "gatelodge")
		if out, err := exec.Command("go", "build", "-o", program, "gatelodge/cmd/gatelodge").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// fleet is some replicas and the world around them. The world has a server of its own
// on the same database, which nobody's requests reach: it is the other process that
// changes something.
type fleet struct {
	*sim.World
	replicas []*replica
	next     atomic.Int64
	wire     *wire // from the replicas to the database
}

// replica is one process.
type replica struct {
	t       *testing.T
	name    string
	address string // http://host:port
	metrics string
	cmd     *exec.Cmd
	log     *lockedBuffer
	client  *http.Client
}

const issuer = "http://localhost:8080"

func newFleet(t *testing.T, size int) *fleet {
	t.Helper()
	cfg, keys := sqldbtest.Config(t, sqldb.Postgres), filepath.Join(t.TempDir(), "keys")
	w := sim.NewWith(t, sim.Options{Database: cfg, KeyFile: keys, Issuer: issuer})
	u, err := url.Parse(cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{World: w, wire: newWire(t, u.Host)}
	u.Host = f.wire.address
	for i := range size {
		f.replicas = append(f.replicas, start(t, fmt.Sprint("replica ", i), "--database", u.String(), "--key-file", keys))
	}
	w.Host("localhost:8080", http.HandlerFunc(f.balance))
	return f
}

// balance gives the request to the next replica, whoever it is from.
func (f *fleet) balance(w http.ResponseWriter, r *http.Request) {
	to, err := url.Parse(f.replicas[f.next.Add(1)%int64(len(f.replicas))].address)
	if err != nil {
		panic(err)
	}
	proxy := httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
	proxy.ServeHTTP(w, r)
}

func start(t *testing.T, name string, flags ...string) *replica {
	t.Helper()
	s := &replica{t: t, name: name, log: &lockedBuffer{}, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       2 * time.Minute,
	}}
	s.cmd = exec.Command(program, append([]string{"serve", "--json", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
		"--issuer", issuer, "--trusted-proxies", "127.0.0.0/8"}, flags...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GATELODGE_") {
			s.cmd.Env = append(s.cmd.Env, v)
		}
	}
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGCONT)
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		if t.Failed() {
			for line := range strings.Lines(s.log.String()) {
				if !strings.Contains(line, `"msg":"request"`) {
					t.Logf("%s: %s", name, line)
				}
			}
		}
	})
	late := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	var printed struct{ Listen, Metrics string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &printed)
	}
	if err != nil {
		t.Fatalf("%s printed %q: %v\n%s", name, line, err, s.log)
	}
	s.address, s.metrics = "http://"+printed.Listen, strings.TrimSuffix(printed.Metrics, "/metrics")
	return s
}

// ask sends a request to this replica, with a form if there is one.
func (s *replica) ask(c *http.Client, path string, form url.Values) (status int, body string, err error) {
	method, text := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, text = http.MethodPost, strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, s.address+path, text)
	if err != nil {
		return 0, "", err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, string(all), err
}

// ready is what /readyz says.
func (s *replica) ready() (status int, body string) {
	s.t.Helper()
	response, err := s.client.Get(s.metrics + "/readyz")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(all)
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
