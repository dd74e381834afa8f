package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOwner: root makes no database where the server, which is another user, could not
// open it, and the doctor sees one that was made so.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make files for others")
	}
	t.Parallel()
	const server = 12345
	data := filepath.Join(t.TempDir(), "data")
	chown := func(path string) {
		t.Helper()
		if err := os.Chown(path, server, server); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(want string, args ...string) {
		t.Helper()
		out, err := program(append(args, "--data", data)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v %s", args, err, out)
		}
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	chown(data)
	refused("belongs to #12345", "migrate")
	refused("sudo -u #12345 gatelodge", "user", "create", "--email", "ada@example.com", "--name", "Ada", "--password-stdin")
	if made, err := os.ReadDir(data); err != nil || len(made) != 0 {
		t.Errorf("made %v, %v", made, err)
	}

	if err := os.Remove(data); err != nil {
		t.Fatal(err)
	}
	in := &installation{flags: []string{"--data", data}}
	in.developer(t, "ada@example.com")
	backup := filepath.Join(t.TempDir(), "backup.db")
	in.run(t, "", "backup", backup)
	chown(data)
	all, _ := diagnose(t, in.flags...)
	if !tells(all, "files", problem, "gatelodge.db belongs to root, and its folder to #12345") {
		t.Errorf("%+v", all)
	}
	for _, name := range []string{"gatelodge.db", "gatelodge.db-lock", "key-encryption-keys"} {
		chown(filepath.Join(data, name))
	}
	all, _ = diagnose(t, in.flags...)
	if !tells(all, "files", good, "") {
		t.Errorf("%+v", all)
	}
	refused("belongs to #12345", "restore", backup, "--replace")
	// What makes no files of its own is root's to do.
	in.run(t, "", "user", "list")
}
