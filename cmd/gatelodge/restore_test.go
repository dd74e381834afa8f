package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBackupAndRestore: a backup of a server at work takes everything back to its
// moment, tokens of that time go on, and what was ended since is told.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	const user = "ada@example.com"
	in := &installation{flags: []string{"--data", filepath.Join(t.TempDir(), "data")}}
	in.developer(t, user)
	c := in.client(t, user)
	refresh := in.refreshToken(t, c, user)
	s := in.serve(t, "--issuer", "http://localhost:8080")
	if a := s.refresh(t, c, refresh); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	file := filepath.Join(t.TempDir(), "backup.db")
	if made := in.run(t, "", "backup", file); made["accounts"] != 1.0 || made["consents"] != 1.0 {
		t.Errorf("the backup says %v", made)
	}

	later := in.client(t, user)
	in.run(t, "", "profile", "delete", c.id)
	if a := s.refresh(t, c, refresh); a.status == http.StatusOK {
		t.Error("a deleted profile gets tokens")
	}
	cmd := program(append([]string{"restore", file, "--replace"}, in.flags...)...)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "stop it first") {
		t.Errorf("restored under a server: %v %s", err, out)
	}
	s.stop(syscall.SIGTERM)

	done := in.run(t, "", "restore", file, "--replace")
	if undone, _ := done["undone"].([]any); len(undone) != 1 || !strings.HasPrefix(undone[0].(string), "Security profile deleted: 1, the last 20") {
		t.Errorf("undone is %v", done["undone"])
	}
	s = in.serve(t, "--issuer", "http://localhost:8080")
	if a := s.refresh(t, c, refresh); a.status != http.StatusOK {
		t.Errorf("a refresh token of the backup's time: %d %s", a.status, a.body)
	}
	if a := s.refresh(t, later, refresh); a.text("error") != "invalid_client" {
		t.Errorf("a profile that the backup does not know: %d %s", a.status, a.body)
	}
}
