package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	floorVariable = "GATELODGE_BENCH_FLOOR"
	// fileVariable names a file that the floor serves.
	fileVariable = "GATELODGE_BENCH_FILE"
)

func TestMain(m *testing.M) {
	if os.Getenv(floorVariable) != "" {
		serveFloor()
		return
	}
	if os.Getenv(movedVariable) != "" {
		if err := serveMoved(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveFloor is what no server can be cheaper than.
func serveFloor() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("{\"issuer\":\"http://%s\"}\n", l.Addr())
	const answer = `{"access_token":"` + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" +
		`","token_type":"bearer","expires_in":3600,"refresh_token":"01234567890123456789012345678901234567890123456789"}`
	if file := os.Getenv(commitVariable); file != "" {
		h, err := commits(file)
		if err != nil {
			panic(err)
		}
		panic(http.Serve(l, h))
	}
	file := os.Getenv(fileVariable)
	err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if file != "" {
			serveFile(w, r, file)
			return
		}
		if err := r.ParseForm(); err != nil {
			http.Error(w, "bad form", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, answer)
	}))
	panic(err)
}

// serveFile is what no download can be cheaper than.
func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	file, err := os.Open(name)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/zip")
	http.ServeContent(w, r, name, info.ModTime(), file)
}

// process is a server under measurement.
type process struct {
	base string
	cmd  *exec.Cmd
}

// start runs a command that prints {"issuer": …} or {"url": …} when it is ready.
func start(b *testing.B, env []string, name string, args ...string) *process {
	b.Helper()
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		done := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		done.Stop()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		b.Fatalf("%s did not say where it listens: %v", name, err)
	}
	var ready struct{ Issuer, URL string }
	if err := json.Unmarshal(line, &ready); err != nil {
		b.Fatal(err)
	}
	return &process{cmp.Or(ready.Issuer, ready.URL), cmd}
}

// cpu is the processor time that the process has used.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	// The fields after the name in parentheses; utime and stime are 14 and 15 of
	// all, in ticks of 10 ms.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	utime, _ := strconv.Atoi(fields[11])
	stime, _ := strconv.Atoi(fields[12])
	return time.Duration(utime+stime) * 10 * time.Millisecond
}

func (p *process) residentMiB(b *testing.B) float64 { return p.memoryMiB(b, "VmRSS:") }

func (p *process) memoryMiB(b *testing.B, line string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), line)
	kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return kib / 1024
}

// binaries are the programs that were built, by their names.
var binaries = map[string]func() (string, error){"gatelodge": builder("gatelodge"), "slate": builder("slate")}

func builder(name string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "gatelodge-bench")
		if err != nil {
			return "", err
		}
		binary := filepath.Join(dir, name)
		out, err := exec.Command("go", "build", "-o", binary, "../cmd/"+name).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		return binary, nil
	})
}

func built(b *testing.B, name string) string {
	b.Helper()
	if runtime.GOOS != "linux" {
		b.Skip("reads the processor time from /proc")
	}
	binary, err := binaries[name]()
	if err != nil {
		b.Fatal(err)
	}
	return binary
}

// world is a gatelodge with a profile and a grant.
type world struct {
	binary, data string
	id, secret   string
}

func newWorld(b *testing.B) world {
	b.Helper()
	w := world{binary: built(b, "gatelodge"), data: b.TempDir()}
	w.command(b, "Bench passphrase 99!\n", "user", "create", "--email", "bench@example.com", "--name", "Bench", "--password-stdin", "--developer")
	profile := w.command(b, "", "profile", "create", "--owner", "bench@example.com", "--name", "Bench", "--description", "Load", "--privacy-url", "https://example.com/privacy", "--return-url", "http://127.0.0.1:3999/cb")
	w.id, w.secret = profile["client_id"].(string), profile["client_secret"].(string)
	return w
}

func (w world) command(b *testing.B, stdin string, args ...string) map[string]any {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), w.binary, append(args, "--json", "--data", w.data)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v: %v", args, err)
	}
	answer := map[string]any{}
	if err := json.Unmarshal(out, &answer); err != nil {
		b.Fatal(err)
	}
	return answer
}

func (w world) serve(b *testing.B) *process {
	b.Helper()
	return start(b, nil, w.binary, "serve", "--json", "--listen", "127.0.0.1:0", "--data", w.data)
}

const connections = 16

// drive sends b.N requests over 16 connections and reports the server's CPU time.
func drive(b *testing.B, p *process, request func() *http.Request) {
	b.Helper()
	client := newClient()
	repeat(b, p, 200, func(int) error {
		_, err := answered(client, request())
		return err
	})
}

// newClient keeps its connections, follows no redirect and keeps no cookie.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: connections},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answered reads an answer that is a success or a redirect.
func answered(client *http.Client, r *http.Request) (answer, error) {
	res, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 400 {
		err = fmt.Errorf("status %d: %s", res.StatusCode, body)
	}
	return answer{res.Header, body}, err
}

type answer struct {
	header http.Header
	body   []byte
}

// repeat does once b.N times, after some times that do not count, by 16 workers; once
// is told which of them it is.
func repeat(b *testing.B, p *process, unmeasured int, once func(worker int) error) {
	b.Helper()
	run := func(times int64) {
		var left atomic.Int64
		left.Store(times)
		var wg sync.WaitGroup
		for worker := range connections {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					if err := once(worker); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	if run(int64(unmeasured)); b.Failed() {
		b.FailNow()
	}
	before := p.cpu(b)
	b.ResetTimer()
	run(int64(b.N))
	b.StopTimer()
	b.ReportMetric(float64((p.cpu(b)-before).Microseconds())/float64(b.N), "server-µs/op")
}

func post(target string, form url.Values) func() *http.Request {
	body := form.Encode()
	return func() *http.Request {
		r, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
}

func BenchmarkFloor(b *testing.B) {
	p := start(b, []string{floorVariable + "=1"}, os.Args[0])
	drive(b, p, post(p.base, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {strings.Repeat("x", 120)},
		"client_id": {strings.Repeat("x", 61)}, "client_secret": {strings.Repeat("x", 80)},
	}))
}

// granted gives a refresh token for the issuer that the server has.
func (w world) granted(b *testing.B) string {
	b.Helper()
	return w.command(b, "", "grant", "create", "--profile", w.id, "--user", "bench@example.com", "--scope", "profile")["refresh_token"].(string)
}

func (w world) refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {w.id}, "client_secret": {w.secret}}
}

func BenchmarkRefresh(b *testing.B) {
	w := newWorld(b)
	p := w.serve(b)
	drive(b, p, post(p.base+"/auth/o2/token", w.refreshForm(w.granted(b))))
}

// accessToken sends a token request.
func accessToken(b *testing.B, r *http.Request) string {
	b.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&tokens); err != nil || tokens.Access == "" {
		b.Fatal(res.Status, err)
	}
	return tokens.Access
}

func BenchmarkTokenInfo(b *testing.B) {
	w := newWorld(b)
	p := w.serve(b)
	token := accessToken(b, post(p.base+"/auth/o2/token", w.refreshForm(w.granted(b)))())
	target := p.base + "/auth/o2/tokeninfo?access_token=" + url.QueryEscape(token)
	drive(b, p, func() *http.Request {
		r, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			panic(err)
		}
		return r
	})
}

// BenchmarkStart is the time from the command to the first answer on an existing
// database, and the memory a second later.
func BenchmarkStart(b *testing.B) {
	w := newWorld(b)
	w.serve(b) // the database has been served once
	var took time.Duration
	var memory float64
	for b.Loop() {
		began := time.Now()
		p := w.serve(b)
		res, err := http.Get(p.base + "/")
		if err != nil {
			b.Fatal(err)
		}
		res.Body.Close()
		took += time.Since(began)
		time.Sleep(time.Second)
		memory += p.residentMiB(b)
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ready-ms")
	b.ReportMetric(memory/float64(b.N), "idle-MiB")
}
