package hatest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// How soon patroni takes a primary for lost: leaseTime after it has last heard of it.
// patroni's own default is 30 seconds with a loop of 10.
const (
	leaseTime = 10 * time.Second
	loopTime  = 2 * time.Second
)

// cluster is three PostgreSQL servers under patroni, which agree by way of etcd who is
// primary. A commit is answered when one of the standbys has it too.
type cluster struct {
	t     *testing.T
	dir   string
	bin   string // of PostgreSQL's programs
	as    *syscall.SysProcAttr
	etcd  string
	nodes []*node
}

type node struct {
	name       string
	dir        string
	port, rest int
	patroni    *exec.Cmd
	stopped    []int // processes that stand still
}

// need skips or fails the test where a program is missing.
func need(t *testing.T) (postgres string) {
	t.Helper()
	if os.Getenv("GATELODGE_HA") == "" {
		t.Skip(`takes minutes and needs patroni and etcd: run "make ha"`)
	}
	for program, of := range map[string]string{"patroni": "patroni", "patronictl": "patroni", "etcd": "etcd-server"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: apt-get install --no-install-recommends patroni python3-etcd etcd-server postgresql (%s)", program, of)
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL's initdb is missing: apt-get install postgresql")
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return len(a) - len(b) }))
}

// newCluster starts everything and waits until a primary has its standbys. All of it
// ends with t.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, bin: need(t), as: &syscall.SysProcAttr{Setpgid: true}}
	var err error
	if c.dir, err = os.MkdirTemp("", "gatelodge-ha"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the logs of the cluster are left in %s", c.dir)
			return
		}
		os.RemoveAll(c.dir)
	})
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, gid := number(t, u.Uid), number(t, u.Gid)
		c.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	client, peer := freePort(t), freePort(t)
	c.etcd = fmt.Sprintf("127.0.0.1:%d", client)
	at := func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
	etcd := c.start("etcd", "etcd", "--name", "one", "--data-dir", filepath.Join(c.dir, "etcd"), "--logger", "zap", "--log-level", "warn",
		"--listen-client-urls", at(client), "--advertise-client-urls", at(client),
		"--listen-peer-urls", at(peer), "--initial-advertise-peer-urls", at(peer), "--initial-cluster", "one="+at(peer))
	t.Cleanup(func() { end(etcd) })
	c.await("etcd to answer", 30*time.Second, func() bool {
		res, err := http.Get("http://" + c.etcd + "/health")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	for i := range 3 {
		n := &node{name: fmt.Sprintf("node%d", i+1), port: freePort(t), rest: freePort(t)}
		n.dir = filepath.Join(c.dir, n.name)
		c.nodes = append(c.nodes, n)
		if err := os.WriteFile(c.config(n), []byte(c.configuration(n)), 0o644); err != nil {
			t.Fatal(err)
		}
		c.run(n)
		t.Cleanup(func() { c.kill(n) })
	}
	c.awaitHealthy()
	return c
}

func (c *cluster) config(n *node) string { return filepath.Join(c.dir, n.name+".yml") }

func (c *cluster) configuration(n *node) string {
	return fmt.Sprintf(`
scope: gatelodge
name: %[1]s
restapi:
  listen: 127.0.0.1:%[2]d
  connect_address: 127.0.0.1:%[2]d
etcd3:
  host: %[3]s
bootstrap:
  dcs:
    ttl: %[4]d
    loop_wait: %[5]d
    retry_timeout: %[5]d
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 100
        shared_buffers: 32MB
        wal_keep_size: 256MB
        wal_retrieve_retry_interval: 500ms
        hot_standby_feedback: "on"
  initdb:
    - encoding: UTF8
    - data-checksums
postgresql:
  listen: 127.0.0.1:%[6]d
  connect_address: 127.0.0.1:%[6]d
  data_dir: %[7]s
  bin_dir: %[8]s
  pgpass: %[7]s.pgpass
  authentication:
    superuser: {username: postgres, password: secret}
    replication: {username: replicator, password: secret}
    rewind: {username: rewinder, password: secret}
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 trust
    - host replication all 127.0.0.1/32 trust
  parameters:
    unix_socket_directories: %[9]s
`, n.name, n.rest, c.etcd, int(leaseTime.Seconds()), int(loopTime.Seconds()), n.port, n.dir, c.bin, c.dir)
}

// start runs a program of the cluster; what it says goes to a file.
func (c *cluster) start(log, program string, args ...string) *exec.Cmd {
	c.t.Helper()
	file, err := os.OpenFile(filepath.Join(c.dir, log+".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, file, file
	cmd.SysProcAttr = c.as
	cmd.Env = append(os.Environ(), "HOME="+c.dir)
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return cmd
}

func (c *cluster) run(n *node) {
	c.t.Helper()
	n.patroni = c.start(n.name, "patroni", c.config(n))
}

// kill ends patroni and PostgreSQL of a node as the loss of its machine would.
func (c *cluster) kill(n *node) {
	if n.patroni == nil {
		return
	}
	c.thaw(n)
	processes := c.processes(n)
	end(n.patroni)
	n.patroni = nil
	for _, pid := range processes {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	// The last one ends when the kernel has got round to it.
	c.await("the processes of "+n.name+" to end", 10*time.Second, func() bool {
		return !slices.ContainsFunc(processes, func(pid int) bool { return alive(pid) })
	})
}

// freeze has a node stand still, as a machine does whose hypervisor has no time for it:
// its connections stay open, and nobody answers.
func (c *cluster) freeze(n *node) {
	c.t.Helper()
	n.stopped = []int{n.patroni.Process.Pid}
	syscall.Kill(n.stopped[0], syscall.SIGSTOP)
	for i, pid := range c.processes(n) {
		n.stopped = append(n.stopped, pid)
		syscall.Kill(pid, syscall.SIGSTOP)
		if i == 0 { // the postmaster, which has had time to start another
			n.stopped = append(n.stopped, c.processes(n)[1:]...)
		}
	}
	for _, pid := range n.stopped {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
}

// thaw lets a node go on that stood still.
func (c *cluster) thaw(n *node) {
	for _, pid := range n.stopped {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	n.stopped = nil
}

// processes are PostgreSQL's on a node: the postmaster first, then its children.
func (c *cluster) processes(n *node) []int {
	lines, err := os.ReadFile(filepath.Join(n.dir, "postmaster.pid"))
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(lines), "\n")
	postmaster, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || !alive(postmaster) {
		return nil
	}
	all := []int{postmaster}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err == nil && parent(pid) == postmaster {
			all = append(all, pid)
		}
	}
	return all
}

// parent is the process that started pid, 0 when there is none.
func parent(pid int) int {
	fields := stat(pid)
	if len(fields) < 2 {
		return 0
	}
	p, _ := strconv.Atoi(fields[1])
	return p
}

func alive(pid int) bool {
	fields := stat(pid)
	return len(fields) > 0 && fields[0] != "Z"
}

// stat is what the kernel says of a process, from its state on.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text), ") ") // behind the name, which may hold anything
	return strings.Fields(rest)
}

func end(cmd *exec.Cmd) {
	cmd.Process.Kill()
	cmd.Wait()
}

// member is what patroni says of a node.
type member struct {
	Name, Role, State string
	Lag               any
}

// members asks a node that runs for all of them.
func (c *cluster) members() []member {
	client := &http.Client{Timeout: 2 * time.Second}
	for _, n := range c.nodes {
		if n.patroni == nil || len(n.stopped) > 0 {
			continue
		}
		res, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/cluster", n.rest))
		if err != nil {
			continue
		}
		var answer struct{ Members []member }
		err = json.NewDecoder(res.Body).Decode(&answer)
		res.Body.Close()
		if err == nil {
			return answer.Members
		}
	}
	return nil
}

// primary is the node that leads, or nil.
func (c *cluster) primary() *node {
	for _, m := range c.members() {
		if m.Role == "leader" && m.State == "running" {
			return c.nodes[slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == m.Name })]
		}
	}
	return nil
}

// awaitHealthy waits until there is a primary, a standby that commits wait for, and
// nobody is missing.
func (c *cluster) awaitHealthy() {
	c.t.Helper()
	c.await("the cluster to be whole", 3*time.Minute, func() bool {
		roles := map[string]int{}
		for _, m := range c.members() {
			if m.State == "running" || m.State == "streaming" {
				roles[m.Role]++
			}
		}
		return roles["leader"] == 1 && roles["sync_standby"] == 1 && roles["replica"] == 1
	})
}

// switchOver has the primary hand over to another node.
func (c *cluster) switchOver(from *node) {
	c.t.Helper()
	cmd := exec.Command("patronictl", "-c", c.config(from), "switchover", "--master", from.name, "--force", "gatelodge")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "LANG=C.UTF-8", "HOME="+c.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("patronictl switchover: %v\n%s", err, out)
	}
}

// await polls until done.
func (c *cluster) await(what string, most time.Duration, done func() bool) {
	c.t.Helper()
	for limit := time.Now().Add(most); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			c.showLogs()
			c.t.Fatalf("waited %v for %s: %+v", most, what, c.members())
		}
	}
}

func (c *cluster) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(c.dir, "*.log"))
	for _, name := range logs {
		text, _ := os.ReadFile(name)
		c.t.Logf("%s ends:\n%s", filepath.Base(name), text[max(0, len(text)-3000):])
	}
}

// url leads to whichever node is primary.
func (c *cluster) url(database string) string {
	hosts := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		hosts[i] = fmt.Sprintf("127.0.0.1:%d", n.port)
	}
	return "postgres://postgres@" + strings.Join(hosts, ",") + "/" + database + "?" + url.Values{
		"sslmode": {"disable"}, "target_session_attrs": {"read-write"},
	}.Encode()
}

// url leads to one node, whatever it is.
func (n *node) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", n.port, database)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
