package keyring

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var place = Place{Table: "secrets", Column: "sealed", Row: []byte{0, 0, 0, 0, 0, 0, 0, 7}}

// line1 and line2 are keys whose secrets are 32 bytes of 1 and of 2.
var (
	line1 = "gatelodge-kek-1 0000000a " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)) + "\n"
	line2 = "gatelodge-kek-1 0000000b " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32)) + "\n"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, text string) *Ring {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, text)
	ring, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func mustSeal(t testing.TB, r *Ring, plaintext string) []byte {
	t.Helper()
	sealed, err := r.Seal(place, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestRoundTrip(t *testing.T) {
	ring := load(t, line1)
	for _, plaintext := range []string{"", "amzn1.oa2-cs.v1.0123456789abcdef"} {
		sealed := mustSeal(t, ring, plaintext)
		if !bytes.HasPrefix(sealed, []byte{1, 0, 0, 0, 0x0a}) {
			t.Errorf("begins with %x, want the format and the key's id", sealed[:5])
		}
		if plaintext != "" && bytes.Contains(sealed, []byte(plaintext)) {
			t.Error("the sealed value shows the plaintext")
		}
		got, err := ring.Open(place, sealed)
		if err != nil || string(got) != plaintext {
			t.Errorf("Open = %q, %v; want %q", got, err, plaintext)
		}
		if bytes.Equal(sealed, mustSeal(t, ring, plaintext)) {
			t.Error("the same value sealed twice is the same: the nonce is not random")
		}
	}
}

func TestOtherPlaceRefused(t *testing.T) {
	ring := load(t, line1)
	sealed, err := ring.Seal(Place{Table: "ab", Column: "cd", Row: []byte("ef")}, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []Place{
		{"ab", "cd", []byte("eg")},
		{"ab", "ce", []byte("ef")},
		{"ac", "cd", []byte("ef")},
		{"a", "bcd", []byte("ef")},
		{"ab", "cde", []byte("f")},
		{"ab", "c", []byte("def")},
		{"abcd", "", []byte("ef")},
		{"ab", "cd", nil},
		{},
	} {
		if _, err := ring.Open(other, sealed); !errors.Is(err, ErrDamaged) {
			t.Errorf("opened at %+v: %v, want ErrDamaged", other, err)
		}
	}
}

func TestDamageRefused(t *testing.T) {
	ring := load(t, line1)
	sealed := mustSeal(t, ring, "value")
	for bit := range len(sealed) * 8 {
		sealed[bit/8] ^= 1 << (bit % 8)
		want := ErrDamaged
		if i := bit / 8; i >= 1 && i <= 4 {
			want = ErrUnknownKey
		}
		if _, err := ring.Open(place, sealed); !errors.Is(err, want) {
			t.Errorf("bit %d flipped: %v, want %v", bit, err, want)
		}
		sealed[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(sealed) {
		if _, err := ring.Open(place, sealed[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := ring.Open(place, sealed); err != nil {
		t.Errorf("as it was made: %v", err)
	}
}

// The header is bound too: two keys with the same secret and different ids do not
// open each other's values.
func TestHeaderBound(t *testing.T) {
	ring := load(t, line1+strings.Replace(line1, "0000000a", "0000000b", 1))
	sealed := mustSeal(t, ring, "value")
	sealed[4] = 0x0b
	if _, err := ring.Open(place, sealed); !errors.Is(err, ErrDamaged) {
		t.Errorf("with the id of another key: %v", err)
	}
}

func TestSeveralKeys(t *testing.T) {
	older := load(t, line1)
	both := load(t, line2+line1)
	old, fresh := mustSeal(t, older, "old"), mustSeal(t, both, "new")
	if got, err := both.Open(place, old); err != nil || string(got) != "old" {
		t.Errorf("value of the older key: %q, %v", got, err)
	}
	if _, err := older.Open(place, fresh); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("value of a key that is not there: %v", err)
	}
	for _, tc := range []struct {
		name   string
		sealed []byte
		want   bool
	}{
		{"older key", old, true},
		{"newest key", fresh, false},
		{"not a sealed value", []byte("plain"), true},
	} {
		if got := both.NeedsReseal(tc.sealed); got != tc.want {
			t.Errorf("NeedsReseal(%s) = %t", tc.name, got)
		}
	}
}

func TestFingerprints(t *testing.T) {
	a, b := load(t, line1).Fingerprints(), load(t, line2).Fingerprints()
	if both := load(t, line2+line1).Fingerprints(); !slices.Equal(both, []string{b[0], a[0]}) {
		t.Errorf("of two keys: %q, want newest first %q, %q", both, b[0], a[0])
	}
	if len(a[0]) != 32 || a[0] == b[0] {
		t.Errorf("%q and %q", a[0], b[0])
	}
	// A database remembers the fingerprint: it may never change.
	if want := "c782873feb19070c5ad63b16b67cae58"; a[0] != want {
		t.Errorf("fingerprint %q, want %q", a[0], want)
	}
	// The id belongs to it: without it values could not be opened.
	renamed := load(t, strings.Replace(line1, "0000000a", "0000000c", 1)).Fingerprints()
	if renamed[0] == a[0] {
		t.Error("the same secret under another id has the same fingerprint")
	}
}

func TestRunningProcessFollowsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	running, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	command, err := AddKey(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, command, "value")
	if got, err := running.Open(place, sealed); err != nil || string(got) != "value" {
		t.Fatalf("value of a key added since: %q, %v", got, err)
	}
	if running.NeedsReseal(mustSeal(t, running, "value")) || !slices.Equal(running.Fingerprints(), command.Fingerprints()) {
		t.Error("after that the running process still seals with the old key")
	}

	// Another file in its place does not make it forget what it knows.
	mine := mustSeal(t, running, "mine")
	write(t, path, line1)
	if _, err := running.Open(place, mustSeal(t, load(t, line2), "x")); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("value of a key in no file: %v", err)
	}
	if got, err := running.Open(place, mine); err != nil || string(got) != "mine" {
		t.Errorf("its own value: %q, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = running.Open(place, mustSeal(t, load(t, line2), "x"))
	if !errors.Is(err, ErrUnknownKey) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the file: %v, want ErrUnknownKey and the cause", err)
	}
}

func TestRingDoesNotPrint(t *testing.T) {
	ring := load(t, line1)
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		for _, value := range []any{ring, *ring.keys.Load()} {
			got := fmt.Sprintf(verb, value)
			if strings.Contains(got, "1 1 1 1") || strings.Contains(got, "0x1, 0x1") {
				t.Errorf("%s of a %T prints the secret: %s", verb, value, got)
			}
		}
	}
}
