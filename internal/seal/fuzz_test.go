package seal

import (
	"crypto/rand"
	"testing"
	"time"
)

// FuzzOpen holds that nothing opens but what was sealed: with keys that the fuzzer
// cannot know, no text of its own opens, and of all spellings near a sealed value
// only that value does, for its own purpose.
func FuzzOpen(f *testing.F) {
	var secret [32]byte
	rand.Read(secret[:])
	keys := newKeys(f, issuer, Key{ID: 1, Secret: secret, From: noon})
	f.Add("", []byte{}, uint16(0), "")
	f.Add("AQE", []byte("payload"), uint16(7), "A")
	f.Add(mustSeal(f, newKeys(f, issuer, first), Access, noon, "payload"), []byte("payload"), uint16(70), "\n")
	f.Fuzz(func(t *testing.T, text string, plaintext []byte, at uint16, with string) {
		for p := Access; p < purposes; p++ {
			if got, err := keys.Open(p, text); err == nil {
				t.Fatalf("purpose %d: %q, never sealed, opened as %q", p, text, got)
			}
		}
		if got, _, err := keys.OpenCode(noon, text); err == nil {
			t.Fatalf("code %q, never sealed, opened as %q", text, got)
		}
		if len(plaintext) > 600 {
			return
		}
		genuine := mustSeal(t, keys, Access, noon, string(plaintext))
		changed := replace(genuine, int(at), with)
		got, err := keys.Open(Access, changed)
		if opened := err == nil; opened != (changed == genuine) || opened && string(got) != string(plaintext) {
			t.Fatalf("%q, made of %q, opened as %q, %v", changed, genuine, got, err)
		}
		genuine, _, err = keys.SealCode(noon, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		changed = replace(genuine, int(at), with)
		got, _, err = keys.OpenCode(noon.Add(time.Duration(at)*time.Second), changed)
		if opened := err == nil; opened != (changed == genuine) || opened && string(got) != string(plaintext) {
			t.Fatalf("code %q, made of %q, opened as %q, %v", changed, genuine, got, err)
		}
	})
}

// replace writes with over the text from at on.
func replace(text string, at int, with string) string {
	at = min(at, len(text))
	return text[:at] + with + text[min(at+len(with), len(text)):]
}
