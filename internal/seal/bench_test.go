package seal

import "testing"

// The sizes are those of package authz: an access token has 50 bytes, a code 66.

func BenchmarkSeal(b *testing.B) {
	keys, plaintext := newKeys(b, issuer, first), make([]byte, 50)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Seal(nil, Access, noon, plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	keys := newKeys(b, issuer, first)
	text := mustSeal(b, keys, Access, noon, string(make([]byte, 50)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Open(Access, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealCode(b *testing.B) {
	keys, plaintext := newKeys(b, issuer, first), make([]byte, 66)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := keys.SealCode(noon, plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenCode(b *testing.B) {
	keys := newKeys(b, issuer, first)
	text, _, err := keys.SealCode(noon, make([]byte, 66))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := keys.OpenCode(noon, text); err != nil {
			b.Fatal(err)
		}
	}
}
