package authz

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatelodge/internal/oauth"
)

func TestParseUserCode(t *testing.T) {
	for typed, want := range map[string]UserCode{
		"BCDF-GHJK":         "BCDFGHJK",
		"bcdfghjk":          "BCDFGHJK",
		"  b c d f – g.hjk": "BCDFGHJK",
		"B3C4D7":            "B3C4D7",
		"b9c-4d7":           "B9C4D7",
		"1i25-680u":         "LLZSGBQV", // look-alikes
		"oO0QQQ":            "QQQQQQ",
	} {
		if got, err := ParseUserCode(typed); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", typed, got, err, want)
		}
	}
	for _, typed := range []string{"", "-", "BCDFG", "BCDFGHJ", "BCDFGHJKL", "ABCDEFGH", "BCDFGH3K", "ÄBCDFG", "BCDFG\u00df", strings.Repeat("B", 1000), "\xff\xff\xff\xff\xff\xff"} {
		if got, err := ParseUserCode(typed); err != ErrUserCode || got != "" {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}

// Whatever is given out is read again as it is shown, in any case and however it is
// broken up, and kept under one digest.
func TestUserCodesAreReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]oauth.Dialect{oauth.Standard, oauth.LoginWithAmazon}).Draw(t, "dialect")
		code := NewUserCode(d)
		shown := code.String()
		if rapid.Bool().Draw(t, "lower") {
			shown = strings.ToLower(shown)
		}
		at := rapid.IntRange(0, len(shown)).Draw(t, "at")
		shown = shown[:at] + rapid.SampledFrom([]string{"", " ", "-", "—", "\t"}).Draw(t, "between") + shown[at:]
		again, err := ParseUserCode(shown)
		if again != code || err != nil || again.Digest() != code.Digest() {
			t.Fatalf("%q became %q, %v; want %q", shown, again, err, code)
		}
	})
}

func TestNewCodes(t *testing.T) {
	seen := map[string]bool{}
	letters := map[byte]bool{}
	for range 500 {
		device, standard, amazon := NewDeviceCode(), NewUserCode(oauth.Standard).String(), NewUserCode(oauth.LoginWithAmazon).String()
		if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(device) ||
			!regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(standard) ||
			!regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ3479]{6}$`).MatchString(amazon) {
			t.Fatal(device, standard, amazon)
		}
		if seen[device] || seen[standard] {
			t.Error("a code came twice")
		}
		seen[device], seen[standard] = true, true
		for i := range len(amazon) {
			letters[amazon[i]] = true
		}
	}
	if len(letters) != 24 {
		t.Errorf("only %d characters are used", len(letters))
	}
}

func FuzzParseUserCode(f *testing.F) {
	f.Add("BCDF-GHJK")
	f.Add("\xff1O0l")
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := ParseUserCode(typed)
		if err != nil {
			return
		}
		if again, err := ParseUserCode(code.String()); again != code || err != nil {
			t.Fatalf("%q became %q, and that %q, %v", typed, code, again, err)
		}
	})
}
