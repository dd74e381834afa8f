package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const issuer = "https://id.example"

var (
	noon  = time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC)
	first = Key{ID: 1, Secret: [32]byte{1}, From: noon.Add(-time.Hour)}
	every = []Purpose{Access, Refresh, Request, Form, Device, EmailLink, JWTAccess, Nonce, Pushed, Run, Region, Joining}
)

func newKeys(t testing.TB, issuer string, keys ...Key) *Keys {
	t.Helper()
	set, err := NewKeys(issuer, keys)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func mustSeal(t testing.TB, k *Keys, p Purpose, now time.Time, plaintext string) string {
	t.Helper()
	text, err := k.Seal(nil, p, now, []byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// keyOf reads the key id that a text bears.
func keyOf(t testing.TB, text string) byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 2 {
		t.Fatalf("%q is not the text of a sealed value: %v", text, err)
	}
	return raw[1]
}

func TestRoundTrip(t *testing.T) {
	keys := newKeys(t, issuer, first)
	for _, p := range every {
		for _, plaintext := range []string{"", "x", strings.Repeat("grant", 40)} {
			text, err := keys.Seal([]byte("gl_at_"), p, noon, []byte(plaintext))
			if err != nil {
				t.Fatal(err)
			}
			sealed, ok := strings.CutPrefix(string(text), "gl_at_")
			if !ok || strings.Trim(sealed, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Errorf("purpose %d: text %q is not the prefix and URL-safe text", p, text)
			}
			got, err := keys.Open(p, sealed)
			if err != nil || string(got) != plaintext {
				t.Errorf("purpose %d: Open = %q, %v; want %q", p, got, err, plaintext)
			}
			if plaintext != "" && len(plaintext) > 1 && strings.Contains(sealed, base64.RawURLEncoding.EncodeToString([]byte(plaintext))[:20]) {
				t.Errorf("purpose %d: the text shows the plaintext", p)
			}
		}
	}
}

// CVE-2026-4282: a value of one kind must never be taken for one of another.
func TestOtherPurposeRefused(t *testing.T) {
	keys := newKeys(t, issuer, first)
	for _, from := range every {
		text := mustSeal(t, keys, from, noon, "payload")
		for _, to := range every {
			if _, err := keys.Open(to, text); (err == nil) != (from == to) {
				t.Errorf("sealed for %d, opened for %d: %v", from, to, err)
			}
		}
		if _, _, err := keys.OpenCode(noon, text); !errors.Is(err, ErrInvalid) {
			t.Errorf("sealed for %d, opened as a code: %v", from, err)
		}
	}
	text, _, err := keys.SealCode(noon, []byte("a payload of some length"))
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range every {
		if _, err := keys.Open(to, text); !errors.Is(err, ErrInvalid) {
			t.Errorf("a code, opened for %d: %v", to, err)
		}
	}
}

// The purpose is in the associated data as well as in the subkey: either alone
// would do.
func TestPurposeInAssociatedData(t *testing.T) {
	keys := newKeys(t, issuer, first)
	text := mustSeal(t, keys, Refresh, noon, "payload")
	other := newKeys(t, issuer, first)
	other.byID[1].aeads[Access] = other.byID[1].aeads[Refresh]
	if _, err := other.Open(Access, text); !errors.Is(err, ErrInvalid) {
		t.Errorf("with one subkey for two purposes: %v", err)
	}
	other = newKeys(t, issuer, first)
	other.bound[Access] = other.bound[Refresh]
	if _, err := other.Open(Access, text); !errors.Is(err, ErrInvalid) {
		t.Errorf("with the same associated data for two purposes: %v", err)
	}
}

func TestOtherIssuerRefused(t *testing.T) {
	ours, theirs := newKeys(t, issuer, first), newKeys(t, "https://id.example.org", first)
	if _, err := theirs.Open(Access, mustSeal(t, ours, Access, noon, "payload")); !errors.Is(err, ErrInvalid) {
		t.Errorf("access token of another issuer: %v", err)
	}
	text, _, err := ours.SealCode(noon, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := theirs.OpenCode(noon, text); !errors.Is(err, ErrInvalid) {
		t.Errorf("code of another issuer: %v", err)
	}
}

func TestEveryFlippedBitRefused(t *testing.T) {
	keys := newKeys(t, issuer, first)
	token := mustSeal(t, keys, Access, noon, "payload")
	code, _, err := keys.SealCode(noon, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, text string
		open       func(string) error
	}{
		{"token", token, func(s string) error { _, err := keys.Open(Access, s); return err }},
		{"code", code, func(s string) error { _, _, err := keys.OpenCode(noon, s); return err }},
	} {
		if err := tc.open(tc.text); err != nil {
			t.Fatalf("%s as it was made: %v", tc.name, err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		for bit := range len(raw) * 8 {
			raw[bit/8] ^= 1 << (bit % 8)
			if err := tc.open(base64.RawURLEncoding.EncodeToString(raw)); err == nil {
				t.Errorf("%s with bit %d flipped was opened", tc.name, bit)
			}
			raw[bit/8] ^= 1 << (bit % 8)
		}
		for n := range len(tc.text) {
			if err := tc.open(tc.text[:n]); err == nil {
				t.Errorf("%s cut to %d characters was opened", tc.name, n)
			}
		}
	}
}

func TestOtherSpellingsRefused(t *testing.T) {
	keys := newKeys(t, issuer, first)
	// 42 + 6 bytes are 64 characters; 42 + 7 leave bits unused in the last one.
	whole, partial := mustSeal(t, keys, Access, noon, "123456"), mustSeal(t, keys, Access, noon, "1234567")
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", partial[len(partial)-1])
	trailing := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1]
	for name, text := range map[string]string{
		"padding":       partial + "==",
		"line feed":     whole + "\n",
		"line feed in":  whole[:8] + "\n" + whole[8:],
		"return":        whole + "\r",
		"space":         whole + " ",
		"trailing bits": partial[:len(partial)-1] + string(trailing),
		"more":          whole + "AAAA",
		"empty":         "",
		"one character": "A",
		"header only":   "AQE",
	} {
		if _, err := keys.Open(Access, text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := keys.OpenCode(noon, text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, as a code: %v", name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	keys := newKeys(t, issuer, first)
	for _, tc := range []struct {
		purpose Purpose
		most    int // bytes of plaintext
		text    int
	}{
		{Access, 1536 - 42, 2048},
		{Refresh, 1536 - 42, 2048},
		{Device, 1536 - 42, 2048},
		{EmailLink, 1536 - 42, 2048},
		{Request, 12288 - 42, 16384},
		{Form, 1572864 - 42, 2097152},
	} {
		longest := mustSeal(t, keys, tc.purpose, noon, strings.Repeat("x", tc.most))
		if len(longest) != tc.text {
			t.Errorf("purpose %d: %d characters, want %d", tc.purpose, len(longest), tc.text)
		}
		if _, err := keys.Open(tc.purpose, longest); err != nil {
			t.Errorf("purpose %d: the longest is refused: %v", tc.purpose, err)
		}
		if _, err := keys.Seal(nil, tc.purpose, noon, make([]byte, tc.most+1)); !errors.Is(err, ErrTooLong) {
			t.Errorf("purpose %d: one byte more: %v", tc.purpose, err)
		}
	}
	// A longer text is turned away unread: else it would be told that key 9 is not known.
	if _, err := keys.Open(Access, "AQkA"+strings.Repeat("A", 2044)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("2,048 characters: %v, want ErrUnknownKey", err)
	}
	if _, err := keys.Open(Access, "AQkA"+strings.Repeat("A", 2048)); !errors.Is(err, ErrInvalid) {
		t.Errorf("2,052 characters: %v, want ErrInvalid", err)
	}
	if _, _, err := keys.OpenCode(noon, "AQkA"+strings.Repeat("A", 1024)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a code of 1,028 characters: %v, want ErrInvalid", err)
	}
}

func TestRotation(t *testing.T) {
	change := noon.Add(time.Minute)
	second := Key{ID: 2, Secret: [32]byte{2}, From: change}
	before, after := newKeys(t, issuer, first), newKeys(t, issuer, second, first)

	old := mustSeal(t, before, Refresh, noon, "old")
	for _, tc := range []struct {
		now  time.Time
		want byte
	}{
		{change.Add(-time.Nanosecond), 1},
		{change, 2},
		{change.Add(time.Hour), 2},
		{first.From.Add(-time.Hour), 1}, // a clock behind every key
	} {
		text := mustSeal(t, after, Refresh, tc.now, "x")
		if got := keyOf(t, text); got != tc.want {
			t.Errorf("at %v sealed with key %d, want %d", tc.now, got, tc.want)
		}
		code, _, err := after.SealCode(tc.now, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if got := keyOf(t, code); got != tc.want {
			t.Errorf("code at %v sealed with key %d, want %d", tc.now, got, tc.want)
		}
	}
	if got, err := after.Open(Refresh, old); err != nil || string(got) != "old" {
		t.Errorf("a token of the old key: %q, %v", got, err)
	}
	fresh := mustSeal(t, after, Refresh, change, "new")
	if _, err := before.Open(Refresh, fresh); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("a token of a key not yet loaded: %v, want ErrUnknownKey", err)
	}
	if got, err := newKeys(t, issuer, first, second).Open(Refresh, fresh); err != nil || string(got) != "new" {
		t.Errorf("a token of the new key, opened with the keys loaded: %q, %v", got, err)
	}
}

func TestNewKeysRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		issuer string
		keys   []Key
		want   string
	}{
		"no issuer": {"", []Key{first}, "seal: an issuer is needed"},
		"no keys":   {issuer, nil, "seal: at least one key is needed"},
		"same id":   {issuer, []Key{first, {ID: 1, Secret: [32]byte{9}}}, "seal: two keys have the id 1"},
		"no secret": {issuer, []Key{{ID: 7}}, "seal: key 7 has no secret"},
	} {
		if _, err := NewKeys(tc.issuer, tc.keys); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestKeyDoesNotPrint(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if got := fmt.Sprintf(verb, Key{ID: 3, Secret: [32]byte{0xaa}}); got != "sealing key 3" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	keys := newKeys(t, issuer, first)
	const values = 50_000
	codes := make(map[CodeID]bool, values)
	nonces := make(map[[nonceSize]byte]bool, values)
	var text []byte
	for range values {
		var err error
		if text, err = keys.Seal(text[:0], Access, noon, nil); err != nil {
			t.Fatal(err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(string(text))
		if err != nil {
			t.Fatal(err)
		}
		nonces[[nonceSize]byte(raw[headerSize:])] = true
		_, id, err := keys.SealCode(noon, nil)
		if err != nil {
			t.Fatal(err)
		}
		codes[id] = true
	}
	if len(nonces) != values || len(codes) != values {
		t.Errorf("%d and %d different nonces of %d", len(nonces), len(codes), values)
	}
}

// The buffer that the caller gives may be longer than its contents.
func TestSealReusesBuffer(t *testing.T) {
	keys := newKeys(t, issuer, first)
	buffer := append(make([]byte, 0, 4096), "Atza|"...)
	text, err := keys.Seal(buffer, Access, noon, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	if &text[0] != &buffer[0] {
		t.Error("a buffer with room was not used")
	}
	if !bytes.HasPrefix(text, []byte("Atza|")) {
		t.Errorf("the prefix became %q", text[:5])
	}
	if got, err := keys.Open(Access, string(text[5:])); err != nil || string(got) != "payload" {
		t.Errorf("Open = %q, %v", got, err)
	}
}

// Every request with a token opens one, so only the output may be allocated.
func TestAllocations(t *testing.T) {
	keys := newKeys(t, issuer, first)
	text := mustSeal(t, keys, Access, noon, "payload")
	plaintext := []byte("payload")
	buffer := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { keys.Seal(buffer, Access, noon, plaintext) }); n > 0 {
		t.Errorf("Seal to a buffer with room allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { keys.Open(Access, text) }); n > 1 {
		t.Errorf("Open allocates %v times, want once", n)
	}
}

func TestSealSame(t *testing.T) {
	keys := newKeys(t, issuer, first)
	one, err := keys.SealSame(nil, Refresh, noon, []byte("step 1"))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := keys.SealSame(nil, Refresh, noon.Add(time.Hour), []byte("step 1"))
	if string(one) != string(again) {
		t.Error("the same plaintext gave two texts")
	}
	other, _ := keys.SealSame(nil, Refresh, noon, []byte("step 2"))
	elsewhere, _ := keys.SealSame(nil, Access, noon, []byte("step 1"))
	if string(one) == string(other) || string(one) == string(elsewhere) {
		t.Error("another plaintext or purpose gave the same text")
	}
	plain, err := keys.Open(Refresh, string(one))
	if err != nil || string(plain) != "step 1" {
		t.Errorf("Open = %q, %v", plain, err)
	}
}
