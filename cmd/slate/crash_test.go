package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/slate"
	"gatelodge/slate/store"
)

// TestKilled: a server that is killed in the middle of its work, again and again, leaves
// nothing torn: each report is published whole, once, and as its file says.
func TestKilled(t *testing.T) {
	t.Parallel()
	const files = 120
	data := t.TempDir()
	if out, err := exec.Command("slate", "account", "create", "--name", "Alpha Pictures", "--data", data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := map[time.Time][]byte{}
	folder := filepath.Join(data, "reports", "1001", "channels", "Sample (US)", "Subscription Daily")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		day := time.Date(2030, time.January, 1+i, 0, 0, 0, 0, time.UTC)
		content := bytes.NewBufferString("Date,Subscriptions\n")
		for row := range 2000 {
			fmt.Fprintf(content, "%s,%x\n", day.Format(time.DateOnly), sha256.Sum256(fmt.Append(nil, i, row)))
		}
		want[day] = content.Bytes()
		path := filepath.Join(folder, day.Format(time.DateOnly)+".csv")
		if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	serve := func() *exec.Cmd {
		cmd := exec.Command("slate", "serve", "--listen", "127.0.0.1:0", "--data", data, "--gatelodge", "http://127.0.0.1:1", "--client-id", "id")
		cmd.Env = append(os.Environ(), "SLATE_CLIENT_SECRET=secret")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	archives := func() int {
		all, err := filepath.Glob(filepath.Join(data, "archives", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	await := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("waited too long: " + what)
			}
		}
	}
	for range 8 {
		cmd := serve()
		seen, more := archives(), 1+rand.IntN(files/10)
		await("for archives", func() bool { return archives() >= min(seen+more, files) })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // it says that it was killed
	}
	cmd := serve()
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	await("for the rest", func() bool {
		out, err := exec.Command("slate", "report", "status", "--json", "--data", data).Output()
		var status struct {
			Published int
			New       int
			SetAside  int `json:"set_aside"`
		}
		if err != nil || json.Unmarshal(out, &status) != nil || status.SetAside > 0 {
			t.Fatalf("%v: %s", err, out)
		}
		return status.Published == files && status.New == 0
	})
	check(t, data, want)
}

// check holds all reports of the one type, and their archives, to the files they came of.
func check(t *testing.T, data string, want map[time.Time][]byte) {
	t.Helper()
	ctx := t.Context()
	db, s, err := slate.OpenExisting(ctx, sqldb.Config{Path: filepath.Join(data, "slate.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	channels, _, err := s.Channels(ctx, 1001, store.GroupChannels, store.Page{Limit: 2})
	if err != nil || len(channels) != 1 {
		t.Fatalf("channels %v, %v", channels, err)
	}
	types, _, err := s.Types(ctx, channels[0].ID, store.Page{Limit: 2})
	if err != nil || len(types) != 1 {
		t.Fatalf("types %v, %v", types, err)
	}
	for seen := 0; seen < len(want); {
		page, total, err := s.Reports(ctx, types[0], time.Time{}, store.Page{Limit: 100, Offset: seen})
		if err != nil || total != len(want) || len(page) == 0 {
			t.Fatalf("%d of %d reports, %v", total, len(want), err)
		}
		for _, r := range page {
			whole, err := os.ReadFile(filepath.Join(data, "archives", r.File))
			if err != nil || r.Version != 1 || sha256.Sum256(whole) != r.Archive || r.Bytes != int64(len(whole)) {
				t.Errorf("%s: version %d, %v, or another archive", r.Begin, r.Version, err)
				continue
			}
			if got := unzipped(t, whole); !bytes.Equal(got, want[r.Begin]) {
				t.Errorf("%s: %d bytes, want %d", r.Begin, len(got), len(want[r.Begin]))
			}
		}
		seen += len(page)
	}
	// What is left over is unfinished, and goes away in time.
	left, err := filepath.Glob(filepath.Join(data, "archives", "*"))
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, name := range left {
		if !strings.HasSuffix(name, ".part") {
			whole++
		}
	}
	if whole != len(want) {
		t.Errorf("%d archives of %d reports", whole, len(want))
	}
}

func unzipped(t *testing.T, archive []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil || len(r.File) != 1 {
		t.Fatalf("%v, %v", r, err)
	}
	file, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
