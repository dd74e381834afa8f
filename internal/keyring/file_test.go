package keyring

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	made, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("mode %v, want -rw-------", got)
	}
	read, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read.Open(place, mustSeal(t, made, "value")); err != nil || string(got) != "value" {
		t.Errorf("the file read again opens %q, %v", got, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v, want fs.ErrExist", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the refused call changed the file: %v", err)
	}
	noLeftovers(t, path)
	if _, err := Create(filepath.Join(t.TempDir(), "no", "keys")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
}

// noLeftovers checks that the key file is alone in its folder.
func noLeftovers(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("the folder holds %v, want the key file alone", entries)
	}
}

func TestLoadOrCreateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	var wg sync.WaitGroup
	prints := make([]string, 8)
	for i := range prints {
		wg.Go(func() {
			ring, err := LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = ring.Fingerprints()[0]
		})
	}
	wg.Wait()
	for _, p := range prints {
		if p != prints[0] {
			t.Fatalf("processes that start together have the keys %q", prints)
		}
	}
	noLeftovers(t, path)
}

func TestLoadOrCreateKeepsBrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, "# emptied by hand\n")
	if _, err := LoadOrCreate(path); err == nil || !strings.HasSuffix(err.Error(), "holds no key") {
		t.Errorf("LoadOrCreate: %v", err)
	}
}

func TestPermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, line1)
	for _, tc := range []struct {
		mode fs.FileMode
		ok   bool
	}{
		{0o600, true}, {0o400, true},
		{0o640, false}, {0o604, false}, {0o620, false}, {0o602, false}, {0o644, false}, {0o601, false},
	} {
		if err := os.Chmod(path, tc.mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		refused, is := errors.AsType[*PermissionError](err)
		if tc.ok != (err == nil) || !tc.ok && (!is || refused.Mode != tc.mode) {
			t.Errorf("mode %o: %v", tc.mode, err)
		}
	}
	err := &PermissionError{Path: "keys", Mode: 0o644}
	if want := "key file keys can be used by others than its owner (mode 0644): run chmod 600 on it"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestParse(t *testing.T) {
	for name, text := range map[string]string{
		"comments and empty lines": "# head\n\n  # more\n" + line1 + "\n# " + line2,
		"no final line break":      strings.TrimSuffix(line1, "\n"),
		"other line breaks":        strings.ReplaceAll("# head\n"+line1, "\n", "\r\n"),
		"spaces and tabs":          " " + strings.ReplaceAll(line1, " ", "\t"),
	} {
		keys, err := parse("keys", text)
		if err != nil || len(keys) != 1 || keys[0].id != (keyID{0, 0, 0, 0x0a}) || keys[0].secret[31] != 1 {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	secret := strings.Fields(line1)[2]
	const (
		noLine   = "want gatelodge-kek-1, the key's id and the key"
		noID     = "the key's id is not 8 hexadecimal digits"
		noSecret = "the key is not the base64 text of 32 bytes"
	)
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "key file keys holds no key"},
		{"comments only", "# nothing\n\n", "key file keys holds no key"},
		{"another version", strings.Replace(line1, "kek-1", "kek-2", 1), "key file keys, line 1: " + noLine},
		{"key alone", "# head\n\n" + secret, "key file keys, line 3: " + noLine},
		{"a word more", strings.TrimSpace(line1) + " x", "key file keys, line 1: " + noLine},
		{"comment behind", strings.TrimSpace(line1) + " # x", "key file keys, line 1: " + noLine},
		{"short id", line2 + strings.Replace(line1, "0000000a", "0a", 1), "key file keys, line 2: " + noID},
		{"id not hexadecimal", strings.Replace(line1, "0000000a", "0000000g", 1), "key file keys, line 1: " + noID},
		{"short key", strings.Replace(line1, secret, secret[:40], 1), "key file keys, line 1: " + noSecret},
		{"cut key", strings.Replace(line1, secret, secret[:43], 1), "key file keys, line 1: " + noSecret},
		{"not base64", strings.Replace(line1, secret, "!"+secret[1:], 1), "key file keys, line 1: " + noSecret},
		{"same id twice", line1 + strings.Replace(line2, "0000000b", "0000000a", 1), "key file keys, line 2: an earlier line has the same key id"},
	} {
		_, err := parse("keys", tc.text)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); err == nil || !strings.HasSuffix(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	large := filepath.Join(dir, "large")
	write(t, large, line1+strings.Repeat("#\n", 32<<10))
	if _, err := Load(large); err == nil || !strings.HasSuffix(err.Error(), "it is not a key file") {
		t.Errorf("a large file: %v", err)
	}
}

func TestAddKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	text := "# ours, copied to the safe\n\n# " + line2 + line1 + "# the end"
	write(t, path, text)
	old, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := AddKey(path)
	if err != nil {
		t.Fatal(err)
	}
	prints := ring.Fingerprints()
	if len(prints) != 2 || prints[1] != old.Fingerprints()[0] || prints[0] == prints[1] {
		t.Errorf("fingerprints %q, want a new one before %q", prints, old.Fingerprints())
	}
	if got, err := ring.Open(place, mustSeal(t, old, "value")); err != nil || string(got) != "value" {
		t.Errorf("a value of the old key: %q, %v", got, err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(text, line1)
	added, ok := strings.CutPrefix(string(after), before)
	if !ok || !strings.HasPrefix(added, "gatelodge-kek-1 ") || !strings.HasSuffix(added, "\n"+line1+rest) || strings.Count(added, "\n") != 2 {
		t.Errorf("the file is now\n%s", after)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info.Mode(), err)
	}
	noLeftovers(t, path)
	read, err := Load(path)
	if err != nil || read.Fingerprints()[0] != prints[0] {
		t.Errorf("read again: %v", err)
	}
}

func TestAddKeyThroughLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	write(t, real, line1)
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	added, err := AddKey(link)
	if err != nil {
		t.Fatal(err)
	}
	if ring, err := Load(real); err != nil || len(ring.Fingerprints()) != 2 || ring.Fingerprints()[0] != added.Fingerprints()[0] {
		t.Errorf("the file behind the link was not changed: %v", err)
	}
}

// A lost key is a lost database, so of rotations at the same time all that
// succeed must be in the file.
func TestAddKeyTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, line1)
	var wg sync.WaitGroup
	rings := make([]*Ring, 8)
	for i := range rings {
		wg.Go(func() { rings[i], _ = AddKey(path) })
	}
	wg.Wait()
	final, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	added := 0
	for _, ring := range rings {
		if ring == nil {
			continue
		}
		added++
		if _, err := final.Open(place, mustSeal(t, ring, "value")); err != nil {
			t.Errorf("a key was lost: %v", err)
		}
	}
	if got := len(final.Fingerprints()); added == 0 || got != added+1 {
		t.Errorf("%d calls succeeded, the file has %d keys", added, got)
	}
}

func TestAddKeyRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := AddKey(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	write(t, path, "broken\n")
	if _, err := AddKey(path); err == nil {
		t.Error("a broken file got a key")
	}
	noLeftovers(t, path)
	write(t, path, line1)
	write(t, path+".new", "of another rotation")
	if _, err := AddKey(path); err == nil || !strings.Contains(err.Error(), "another rotation is running") {
		t.Errorf("beside another rotation: %v", err)
	}
	if text, err := os.ReadFile(path + ".new"); err != nil || string(text) != "of another rotation" {
		t.Errorf("the other rotation's file: %q, %v", text, err)
	}
}

// problems is all that may be said of a line.
var problems = []string{
	"want gatelodge-kek-1, the key's id and the key",
	"the key's id is not 8 hexadecimal digits",
	"the key is not the base64 text of 32 bytes",
	"an earlier line has the same key id",
}

// FuzzParse holds that an error tells nothing of the file, and that what is read
// is what is written.
func FuzzParse(f *testing.F) {
	f.Add(line1 + line2)
	f.Add("# head\n\n" + line1)
	f.Add("gatelodge-kek-1 0000000a c2VjcmV0IHRoYXQgbXVzdCBub3QgYmUgc2hvd24hISE\n")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parse("keys", text)
		if err != nil {
			syntax, ok := errors.AsType[*SyntaxError](err)
			if ok && !slices.Contains(problems, syntax.Problem) || !ok && err.Error() != "key file keys holds no key" {
				t.Fatalf("the error %q is not of fixed words", err)
			}
			return
		}
		var written strings.Builder
		for _, k := range keys {
			written.WriteString(line(k))
		}
		again, err := parse("keys", written.String())
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%d keys, read again %d, %v", len(keys), len(again), err)
		}
		for i, k := range keys {
			if again[i].id != k.id || again[i].secret != k.secret {
				t.Fatalf("key %d changed when it was written and read", i)
			}
		}
	})
}
