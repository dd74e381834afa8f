package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is the program too: called by the name slate, it runs main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"slate": main})
}

// TestServe: it says where it is, answers there, takes a report from its folder, and
// ends well by a signal.
func TestServe(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("slate", "account", "create", "--name", "Alpha Pictures", "--data", data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(data, "reports", "1001", "channels", "Sample (US)", "Subscription Weekly", "2030-01-07_2030-01-13.csv")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("Date,Subscriptions\n1/7/2030,12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		// Nobody listens there: Slate starts all the same.
		cmd := exec.Command("slate", "serve", "--json", "--listen", "127.0.0.1:0", "--data", data, "--gatelodge", "http://127.0.0.1:1", "--client-id", "id")
		cmd.Env = append(os.Environ(), "SLATE_CLIENT_SECRET_FILE="+secret)
		var log strings.Builder
		cmd.Stderr = &log
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		var printed struct{ URL, Listen, API, Folder, Gatelodge string }
		line, err := bufio.NewReader(stdout).ReadBytes('\n')
		if err != nil || json.Unmarshal(line, &printed) != nil || printed.API != printed.URL+"/apis" || printed.Folder != filepath.Join(data, "reports") {
			t.Fatalf("serve printed %q, %v", line, err)
		}
		for path, want := range map[string]struct {
			status int
			words  string
		}{
			"/healthz": {200, "ok\n"}, "/readyz": {200, "ready\n"}, "/apis": {200, "Slate reporting API"}, "/apis/v1/openapi.json": {200, `"openapi": "3.1.0"`},
			"/apis/v1/accounts": {401, "invalid_token"}, "/nowhere": {404, "There is nothing here"}, "/downloads/x.zip": {403, "download_refused"},
		} {
			response, err := http.Get("http://" + printed.Listen + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != want.status || !strings.Contains(string(body), want.words) {
				t.Errorf("%s: %d %.300s, %v", path, response.StatusCode, body, err)
			}
		}
		long, err := http.NewRequest(http.MethodGet, "http://"+printed.Listen+"/apis/v1/accounts", nil)
		if err != nil {
			t.Fatal(err)
		}
		long.Header.Set("Authorization", "Bearer "+strings.Repeat("x", 100_000))
		response, err := http.DefaultClient.Do(long)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("oversized headers: %s", response.Status)
		}
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			archives, err := filepath.Glob(filepath.Join(data, "archives", "*.zip"))
			if err != nil {
				t.Fatal(err)
			}
			if len(archives) == 1 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the report is not published")
			}
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %v: %v\n%s", sig, err, log.String())
		}
		late.Stop()
		if !strings.Contains(log.String(), `"route":"/apis/v1/accounts"`) || strings.Contains(log.String(), "the secret") {
			t.Errorf("the log:\n%s", log.String())
		}
	}
}
