package seal

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCodeLength(t *testing.T) {
	keys := newKeys(t, issuer, first)
	for _, tc := range []struct{ plaintext, text int }{
		{0, 40},
		{66, 128}, // contract.md: 18 to 128 characters for plain requests
		{67, 130},
		{738, 1024},
	} {
		code, id, err := keys.SealCode(noon, []byte(strings.Repeat("x", tc.plaintext)))
		if err != nil {
			t.Fatal(err)
		}
		if len(code) != tc.text {
			t.Errorf("%d bytes give %d characters, want %d", tc.plaintext, len(code), tc.text)
		}
		got, gotID, err := keys.OpenCode(noon, code)
		if err != nil || len(got) != tc.plaintext || gotID != id || id == (CodeID{}) {
			t.Errorf("%d bytes: opened %d bytes, id %x, %v; sealed as %x", tc.plaintext, len(got), gotID, err, id)
		}
	}
	if _, _, err := keys.SealCode(noon, make([]byte, 739)); !errors.Is(err, ErrTooLong) {
		t.Errorf("739 bytes: %v, want ErrTooLong", err)
	}
}

func TestCodeDays(t *testing.T) {
	midnight := time.Date(2026, time.March, 15, 0, 0, 0, 0, time.UTC)
	keys := newKeys(t, issuer, first)
	for _, tc := range []struct {
		name         string
		made, opened time.Time
		want         error
	}{
		{"same moment", noon, noon, nil},
		{"over midnight", midnight.Add(-time.Second), midnight.Add(time.Second), nil},
		{"by a clock behind midnight", midnight.Add(time.Second), midnight.Add(-time.Second), nil},
		{"last moment of the next day", midnight.Add(-time.Second), midnight.Add(24*time.Hour - time.Nanosecond), nil},
		{"the day after", midnight.Add(-time.Second), midnight.Add(24 * time.Hour), ErrInvalid},
		{"two days early", midnight.Add(24 * time.Hour), midnight.Add(-time.Second), ErrInvalid},
		{"another zone", noon, noon.In(time.FixedZone("", 14*60*60)), nil},
	} {
		code, _, err := keys.SealCode(tc.made, []byte("payload"))
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := keys.OpenCode(tc.opened, code)
		if !errors.Is(err, tc.want) || (tc.want == nil && string(got) != "payload") {
			t.Errorf("%s: %q, %v; want %v", tc.name, got, err, tc.want)
		}
	}
}

// A process that was started on another day derives the same keys.
func TestCodeDayKeysAgree(t *testing.T) {
	longRunning, fresh := newKeys(t, issuer, first), newKeys(t, issuer, first)
	if _, _, err := longRunning.SealCode(noon.Add(-30*24*time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	code, _, err := longRunning.SealCode(noon, []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := fresh.OpenCode(noon.Add(24*time.Hour), code); err != nil || string(got) != "payload" {
		t.Errorf("OpenCode = %q, %v", got, err)
	}
}

func TestCodeUnknownKey(t *testing.T) {
	code, _, err := newKeys(t, issuer, Key{ID: 2, Secret: [32]byte{2}}).SealCode(noon, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := newKeys(t, issuer, first).OpenCode(noon, code); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("%v, want ErrUnknownKey", err)
	}
}

func TestCodeConcurrently(t *testing.T) {
	keys := newKeys(t, issuer, first)
	for worker := range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for i := range 200 {
				now := noon.Add(time.Duration(worker+i%3) * 12 * time.Hour)
				code, id, err := keys.SealCode(now, []byte{byte(i)})
				if err != nil {
					t.Fatal(err)
				}
				got, gotID, err := keys.OpenCode(now, code)
				if err != nil || len(got) != 1 || got[0] != byte(i) || gotID != id {
					t.Fatalf("OpenCode = %v, %x, %v; want %d, %x", got, gotID, err, i, id)
				}
			}
		})
	}
}
