package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

// diagnose runs the doctor.
func diagnose(t *testing.T, args ...string) (all []finding, exit int) {
	t.Helper()
	out, err := program(append([]string{"doctor", "--json"}, args...)...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		var f finding
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, f)
	}
	return all, exit
}

// tells reports whether there is a finding of a check, with these words in it.
func tells(all []finding, check string, level verdict, words string) bool {
	for _, f := range all {
		if f.Check == check && f.Level == level && strings.Contains(f.What, words) && (f.Do != "") == (level != good) {
			return true
		}
	}
	return false
}

// TestDoctorOnTheHealthy finds nothing, with a server and its database at work.
func TestDoctorOnTheHealthy(t *testing.T) {
	eachDatabase(t, func(t *testing.T, in *installation) {
		in.developer(t, "ada@example.com")
		in.client(t, "ada@example.com")
		s := in.serve(t)
		all, exit := diagnose(t, append([]string{"--metrics", strings.TrimPrefix(s.metrics, "http://")}, in.flags...)...)
		if exit != 0 {
			t.Errorf("exit code %d", exit)
		}
		for _, f := range all {
			if f.Level != good {
				t.Errorf("%+v", f)
			}
		}
		for check, words := range map[string]string{
			"key file": "holds 1 key", "database": "answers", "schema": "this program's", "contents": "1 accounts, 1 security profiles", "keys": "1 sealing key",
			"issuer": s.issuer, "server": "ready", "clock": "", "mail": "", "proxies": "",
		} {
			if !tells(all, check, good, words) {
				t.Errorf("nothing of %s (%q): %+v", check, words, all)
			}
		}
	})
}

// TestDoctor on installations that lack something.
func TestDoctor(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	data := filepath.Join(base, "data")
	execute(t, "", "migrate", "--data", data)
	// An installation is set up by the first command that writes.
	execute(t, password+"\n", "user", "create", "--email", "ada@example.com", "--name", "Ada", "--password-stdin", "--data", data)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"issuer": "http://other.example.com"}`)
	}))
	t.Cleanup(other.Close)
	// Of two servers behind one address, the first and every second answer come from one
	// on another database.
	var asked atomic.Int64
	two := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		foreign := asked.Add(1)%2 == 1
		switch {
		case r.URL.Path != "/jwks":
			fmt.Fprintf(w, `{"issuer": "http://%s", "jwks_uri": "http://%[1]s/jwks"}`, r.Host)
		case foreign:
			fmt.Fprint(w, `{"keys": [{"kid": "foreign"}]}`)
		default:
			fmt.Fprint(w, `{"keys": []}`)
		}
	}))
	t.Cleanup(two.Close)
	broken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(broken.Close)

	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, data string)
		args    []string
		check   string
		level   verdict
		words   string
	}{
		{"a setting", nil, []string{"--listen", "nonsense"}, "configuration", problem, "--listen: "},
		{"another setting beside it", nil, []string{"--listen", "nonsense", "--sign-up", "maybe"}, "configuration", problem, `"maybe"`},
		{"open sign-up without mail", nil, []string{"--issuer", "https://login.example.com"}, "configuration", problem, "cannot be confirmed without a mail server"},
		{"sign-up by hand without mail", nil, []string{"--issuer", "https://login.example.com", "--sign-up", "closed"}, "mail", warning, "recover"},
		{"no proxy", nil, []string{"--issuer", "https://login.example.com", "--sign-up", "closed"}, "proxies", warning, "no proxy's"},
		{"everybody a proxy", nil, []string{"--issuer", "https://login.example.com", "--trusted-proxies", "10.0.0.0/8,::/0"}, "proxies", problem, "anybody can pose"},
		{"proxies", nil, []string{"--issuer", "https://login.example.com", "--trusted-proxies", "127.0.0.1,10.0.0.0/8"}, "proxies", good, "from 127.0.0.1/32 10.0.0.0/8"},
		{"no contact", nil, []string{"--issuer", "https://login.example.com"}, "configuration", warning, "find no address"},
		{"a mail server that is not there", nil, []string{"--smtp", "smtp://127.0.0.1:1", "--mail-from", "login@example.com"}, "mail", problem, "127.0.0.1:1"},
		{"the issuer is not there", nil, []string{"--issuer", "http://127.0.0.1:1"}, "issuer", problem, "connection refused"},
		{"the issuer is another", nil, []string{"--issuer", other.URL}, "issuer", problem, `calls itself "http://other.example.com"`},
		{"the issuer is no issuer", nil, []string{"--issuer", broken.URL}, "issuer", problem, "answers with status 404"},
		{"one of two servers on another database", func(t *testing.T, data string) {
			if out, err := program("key", "rotate", "--kind", "signing", "--data", data).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		}, []string{"--issuer", two.URL}, "issuer", problem, "not those of this database"},
		{"no server at --metrics", nil, []string{"--metrics", "127.0.0.1:1"}, "server", problem, "connection refused"},
		{"a server that is not ready", nil, []string{"--metrics", strings.TrimPrefix(broken.URL, "http://")}, "server", problem, "it is not ready: 404"},
		{"another namespace", nil, []string{"--namespace", "ours"}, "configuration", problem, `begin with "amzn1" for good`},
		{"the database server is down", nil, []string{"--database", "postgres://gatelodge:hunter2@127.0.0.1:1/gatelodge", "--key-file", filepath.Join(data, "key-encryption-keys")}, "database", problem, "127.0.0.1:1"},
		{"no database", func(t *testing.T, data string) { remove(t, data) }, nil, "key file", warning, "and no database"},
		{"no key file", func(t *testing.T, data string) { remove(t, filepath.Join(data, "key-encryption-keys")) }, nil, "key file", problem, "cannot be used without it"},
		{"no key file, and yet the rest is looked at", func(t *testing.T, data string) { remove(t, filepath.Join(data, "key-encryption-keys")) }, nil, "schema", good, "this program's"},
		{"a key file that others read", func(t *testing.T, data string) { chmod(t, filepath.Join(data, "key-encryption-keys"), 0o644) }, nil, "key file", problem, "mode 0644"},
		{"another key file", func(t *testing.T, data string) {
			execute(t, "", "migrate", "--data", filepath.Join(data, "other"))
			if err := os.Rename(filepath.Join(data, "other", "key-encryption-keys"), filepath.Join(data, "key-encryption-keys")); err != nil {
				t.Fatal(err)
			}
		}, nil, "key file", problem, "not this database's"},
		{"a database that others read", func(t *testing.T, data string) { chmod(t, filepath.Join(data, "gatelodge.db"), 0o640) }, nil, "files", problem, "mode 0640"},
		{"a folder that others read", func(t *testing.T, data string) { chmod(t, data, 0o755) }, nil, "files", problem, "mode 0755"},
		{"an older schema", func(t *testing.T, data string) {
			change(t, data, `DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)`)
		}, nil, "schema", warning, "is older than this program's"},
		{"a newer schema", func(t *testing.T, data string) {
			change(t, data, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
		}, nil, "schema", problem, "version 9999 is newer"},
		{"a damaged file", func(t *testing.T, data string) { damage(t, filepath.Join(data, "gatelodge.db")) }, nil, "database", problem, ""},
		{"an old sealing key", func(t *testing.T, data string) { change(t, data, `UPDATE sealing_keys SET created_at = 1`) }, nil, "keys", warning, "of 1970-01-01"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			mine := data
			if tc.prepare != nil {
				mine = filepath.Join(t.TempDir(), "data")
				if err := os.CopyFS(mine, os.DirFS(data)); err != nil {
					t.Fatal(err)
				}
				chmod(t, mine, 0o700)
				for _, name := range []string{"gatelodge.db", "key-encryption-keys"} {
					chmod(t, filepath.Join(mine, name), 0o600)
				}
				tc.prepare(t, mine)
			}
			all, exit := diagnose(t, append([]string{"--data", mine}, tc.args...)...)
			if !tells(all, tc.check, tc.level, tc.words) {
				t.Errorf("no %s of %s with %q: %+v", tc.level, tc.check, tc.words, all)
			}
			if exit != 1 { // no server runs, if nothing else
				t.Errorf("exit code %d", exit)
			}
			if s := fmt.Sprint(all); strings.Contains(s, "hunter2") {
				t.Errorf("a password is told: %s", s)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// change runs a statement on the embedded database.
func change(t *testing.T, data, text string) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{Path: filepath.Join(data, "gatelodge.db")})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, text)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// damage writes over the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(bytes.Repeat([]byte("damage! "), 4096), info.Size()/2)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDoctorJudges what cannot be had in a test: a database server with other
// settings, clocks that are apart, certificates and keys of other days.
func TestDoctorJudges(t *testing.T) {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	sane := sqldb.Facts{SynchronousCommit: "on", Fsync: "on", Isolation: "read committed", MaxConnections: 100, Connections: 5, Asked: at, Answered: at.Add(time.Millisecond), Clock: at}
	with := func(change func(*sqldb.Facts)) func(*doctor) {
		f := sane
		change(&f)
		return func(d *doctor) {
			d.postgres(f, 20)
			d.clock(f)
		}
	}
	for _, tc := range []struct {
		name  string
		look  func(*doctor)
		check string
		level verdict
		words string
	}{
		{"sane", with(func(*sqldb.Facts) {}), "connections", good, "100"},
		{"sane clock", with(func(*sqldb.Facts) {}), "clock", good, "0s"},
		{"a standby", with(func(f *sqldb.Facts) { f.ReadOnly = true }), "database", problem, "only reads"},
		{"commits that are not waited for", with(func(f *sqldb.Facts) { f.SynchronousCommit = "off" }), "database", problem, "synchronous_commit"},
		{"no fsync", with(func(f *sqldb.Facts) { f.Fsync = "off" }), "database", problem, "fsync"},
		{"isolation", with(func(f *sqldb.Facts) { f.Isolation = "serializable" }), "database", problem, "serializable"},
		{"connections", with(func(f *sqldb.Facts) { f.Connections = 78 }), "connections", warning, "up to 23"},
		{"fast clock", with(func(f *sqldb.Facts) { f.Clock = at.Add(2 * time.Second) }), "clock", warning, "1.999s"},
		{"slow clock", with(func(f *sqldb.Facts) { f.Clock = at.Add(-31 * time.Second) }), "clock", problem, "31s"},
		{"a slow answer is no difference", with(func(f *sqldb.Facts) { f.Answered, f.Clock = at.Add(9*time.Second), at.Add(8*time.Second) }), "clock", good, "0s"},
		{"certificate", func(d *doctor) { d.certificate("https://login.example.com", at.Add(15*24*time.Hour), at) }, "certificate", good, "2026-03-16"},
		{"certificate at its end", func(d *doctor) { d.certificate("https://login.example.com", at.Add(13*24*time.Hour), at) }, "certificate", warning, "2026-03-14"},
		{"many sealing keys", func(d *doctor) { d.sealing(make([]store.SealingKey, 201), at) }, "keys", warning, "201"},
		{"old signing keys", func(d *doctor) { d.signing([]store.SigningKey{{CreatedAt: at.Add(-200 * 24 * time.Hour)}}, at) }, "keys", warning, "2025-08-13"},
	} {
		var out bytes.Buffer
		d := &doctor{out: &out, asJSON: true}
		tc.look(d)
		var all []finding
		for line := range bytes.Lines(out.Bytes()) {
			var f finding
			if err := json.Unmarshal(line, &f); err != nil {
				t.Fatal(err)
			}
			all = append(all, f)
		}
		if !tells(all, tc.check, tc.level, tc.words) {
			t.Errorf("%s: no %s of %s with %q: %+v", tc.name, tc.level, tc.check, tc.words, all)
		}
	}
}
