package account

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestParseEmail(t *testing.T) {
	for _, tc := range []struct{ in, want, key string }{
		{"ann@example.com", "ann@example.com", "ann@example.com"},
		{"  ann@example.com\n", "ann@example.com", "ann@example.com"},
		{"Ann.Lee+News@Example.COM", "Ann.Lee+News@example.com", "ann.lee+news@example.com"},
		{"o'hara_1@mail-2.example.co.uk", "o'hara_1@mail-2.example.co.uk", "o'hara_1@mail-2.example.co.uk"},
		{"ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"},
		{"dev@localhost", "dev@localhost", "dev@localhost"},
		{strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
	} {
		got, err := ParseEmail(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("ParseEmail(%q) = %q, %v, want %q", tc.in, got, err, tc.want)
		}
		if key := EmailKey(got); key != tc.key {
			t.Errorf("EmailKey(%q) = %q, want %q", got, key, tc.key)
		}
	}
}

func TestParseEmailRefuses(t *testing.T) {
	for _, tc := range []struct{ in, words, suggestion string }{
		{"", "Enter your e-mail address", ""},
		{"ann", "with the @", ""},
		{"ann@", "After the @", ""},
		{"@example.com", "before the @", ""},
		{"ann@@example.com", "only one @", ""},
		{"ann@example", "After the @", ""},
		{"ann@example.com.", "After the @", "ann@example.com"},
		{"ann@.example.com", "After the @", ""},
		{"ann@-example.com", "After the @", ""},
		{"ann@exam_ple.com", "After the @", ""},
		{"ann@192.0.2.1", "After the @", ""},
		{"ann@[192.0.2.1]", "After the @", ""},
		{"ann@bücher.example", "xn-- form", ""},
		{"ann@exa\u200bmple.com", "After the @", ""},
		{".ann@example.com", "Before the @", ""},
		{"ann..lee@example.com", "Before the @", ""},
		{`"ann lee"@example.com`, "alone", ""},
		{`"ann"@example.com`, "Before the @", "ann@example.com"},
		{"ann(comment)@example.com", "Before the @", ""},
		{"аnn@example.com", "Before the @", ""},       // the first letter is Cyrillic
		{"mar\u212a@example.com", "Before the @", ""}, // the Kelvin sign
		{"ann\x00@example.com", "Before the @", ""},
		{"ann\r\nBcc:eve@example.com", "Before the @", ""},
		{"ann@example.com\r\nBcc: eve@example.com", "alone", ""},
		{"Ann Lee <Ann@Example.com>", "alone", "Ann@example.com"},
		{"<ann@example.com>", "alone", "ann@example.com"},
		{"mailto:ann@example.com", "Before the @", "ann@example.com"},
		{"ann@example.com,", "alone", "ann@example.com"},
		{"ann@example.com, bob@example.com", "alone", ""},
		{"ann @example.com", "alone", ""},
		{strings.Repeat("a", 65) + "@example.com", "at most 64", ""},
		{"a@" + strings.Repeat("b.", 125) + "com", "at most 254", ""},
		{"a@" + strings.Repeat("b", 64) + ".com", "After the @", ""},
		{strings.Repeat("<", 1<<20), "at most 254", ""},
	} {
		email, err := ParseEmail(tc.in)
		e, ok := errors.AsType[*FieldError](err)
		if !ok {
			t.Errorf("ParseEmail(%.80q) = %q, %v, want a FieldError", tc.in, email, err)
			continue
		}
		if e.Field != "email" || !strings.Contains(e.Message, tc.words) || e.Suggestion != tc.suggestion {
			t.Errorf("ParseEmail(%.80q): field %s, %q, suggestion %q; want email, %q, %q",
				tc.in, e.Field, e.Message, e.Suggestion, tc.words, tc.suggestion)
		}
	}
}

// An address that is accepted is one that mail can be sent to as it stands, reads the
// same when parsed again, and is told apart by its letters alone.
func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"ann@example.com", "Ann <ann@example.com>", "mar\u212a@example.com", "a\r\n@b.c", `"a@b"@c.d`, "mailto:ann@example.com."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, err := ParseEmail(s)
		if err != nil {
			e, ok := errors.AsType[*FieldError](err)
			if !ok || e.Message == "" {
				t.Fatalf("%q: error %v without words", s, err)
			}
			if e.Suggestion == "" {
				return
			}
			if email, err = ParseEmail(e.Suggestion); err != nil || email != e.Suggestion {
				t.Fatalf("%q: the suggestion %q is read as %q, %v", s, e.Suggestion, email, err)
			}
		}
		if again, err := ParseEmail(email); err != nil || again != email {
			t.Errorf("%q is read again as %q, %v", email, again, err)
		}
		if strings.ContainsFunc(email, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || len(email) > 254 {
			t.Errorf("%q is not plain", email)
		}
		key := EmailKey(email)
		if !strings.EqualFold(key, email) || len(key) != len(email) || EmailKey(strings.ToUpper(email)) != key {
			t.Errorf("key %q of %q", key, email)
		}
	})
}

// What cannot be an address has a key as well (a stranger may send it to sign in), and it
// is never the key of an address.
func TestEmailKeyDoesNotFoldToAnother(t *testing.T) {
	for _, s := range []string{"mar\u212a@example.com", "mark@example.com\x00", "mark @example.com", "ｍark@example.com", "mark@example.com\u200b"} {
		if EmailKey(s) == "mark@example.com" {
			t.Errorf("EmailKey(%q) is mark's", s)
		}
	}
}

func TestParseName(t *testing.T) {
	hundred := strings.Repeat("ü", 100)
	for _, tc := range []struct{ in, want string }{
		{"Ann Lee", "Ann Lee"},
		{"  Ann  Lee ", "Ann  Lee"},
		{"李小龍", "李小龍"},
		{"X", "X"},
		{"Zoë O'Hara-Ñandú, Jr.", "Zoë O'Hara-Ñandú, Jr."},
		{"<b>Ann</b>", "<b>Ann</b>"}, // pages escape; names have no grammar
		{hundred, hundred},
	} {
		if got, err := ParseName(tc.in); err != nil || got != tc.want {
			t.Errorf("ParseName(%q) = %q, %v, want %q", tc.in, got, err, tc.want)
		}
	}
	for _, tc := range []struct{ in, words, suggestion string }{
		{"", "Enter your name.", ""},
		{" \t\n", "Enter your name.", ""},
		{hundred + "x", "at most 100 characters; this has 101", ""},
		{"Ann\nLee", "on one line", "Ann Lee"},
		{"Ann\x00Lee", "on one line", "Ann Lee"},
		{"Ann\u2028Lee", "on one line", "Ann Lee"},
		{"Ann\u202eeeL", "on one line", "AnneeL"},
		{"\u2066\u2069", "on one line", ""},
		{"\u200b\u200d", "can be seen", ""},
		{"Ann\xff", "damaged", ""},
	} {
		got, err := ParseName(tc.in)
		e, ok := errors.AsType[*FieldError](err)
		if !ok || e.Field != "name" || !strings.Contains(e.Message, tc.words) || e.Suggestion != tc.suggestion {
			t.Errorf("ParseName(%q) = %q, %#v, want %q, suggestion %q", tc.in, got, err, tc.words, tc.suggestion)
		}
	}
	_, err := ParseCompany("")
	if e, ok := errors.AsType[*FieldError](err); !ok || e.Field != "company" {
		t.Errorf("ParseCompany: %v, want an error of the field company", err)
	}
}

// Every suggestion is a value that is accepted as it stands.
func TestSuggestionsAreAccepted(t *testing.T) {
	for name, parse := range map[string]func(string) (string, error){
		"name": ParseName, "company": ParseCompany, "postal code": ParsePostalCode, "country": ParseCountry,
	} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			s := rapid.StringOfN(rapid.RuneFrom([]rune("aZ9 -\t\n\x00ü\u202e\u2028\u200b"), unicode.L), 0, 120, -1).Draw(t, "s")
			got, err := parse(s)
			if e, ok := errors.AsType[*FieldError](err); ok && e.Suggestion != "" {
				got, err = parse(e.Suggestion)
				if got != e.Suggestion {
					t.Fatalf("suggestion %q is read as %q, %v", e.Suggestion, got, err)
				}
			}
			if err == nil && (!utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) || got != strings.TrimSpace(got)) {
				t.Fatalf("accepted %q", got)
			}
		}))
	}
}

func TestParsePostalCode(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"  ", ""}, {"98109", "98109"}, {" SW1A 1AA ", "SW1A 1AA"}, {"150-0001", "150-0001"},
		{"12345678901234567890", "12345678901234567890"},
	} {
		if got, err := ParsePostalCode(tc.in); err != nil || got != tc.want {
			t.Errorf("ParsePostalCode(%q) = %q, %v, want %q", tc.in, got, err, tc.want)
		}
	}
	for _, tc := range []struct{ in, words, suggestion string }{
		{"〒150-0001", "letters a–z", "150-0001"},
		{"98109, WA", "letters a–z", "98109 WA"},
		{"98109\n", "", ""}, // trimmed: good
		{"123456789012345678901", "at most 20", ""},
		{"123456789012345678901,", "letters a–z", ""},
		{"---", "or leave the field empty", ""},
		{"<script>", "letters a–z", "script"},
	} {
		got, err := ParsePostalCode(tc.in)
		if tc.words == "" {
			if err != nil {
				t.Errorf("ParsePostalCode(%q): %v", tc.in, err)
			}
			continue
		}
		e, ok := errors.AsType[*FieldError](err)
		if !ok || e.Field != "postal_code" || !strings.Contains(e.Message, tc.words) || e.Suggestion != tc.suggestion {
			t.Errorf("ParsePostalCode(%q) = %q, %#v, want %q, suggestion %q", tc.in, got, err, tc.words, tc.suggestion)
		}
	}
}

func TestParsePassword(t *testing.T) {
	ann := Account{Email: "ann.lee.smith@example.com", Name: "Ann Lee Smith"}
	for _, s := range []string{
		"tr0mbone", "four words in a row", " leading and trailing ", "пароль-длинный", strings.Repeat("ü", 256),
		"ann lee smith sings", "ŝalosŝalo",
	} {
		if got, err := ParsePassword(s, ann); err != nil || got != s {
			t.Errorf("ParsePassword(%q) = %q, %v, want it as typed", s, got, err)
		}
	}
	for _, tc := range []struct{ in, words string }{
		{"", "at least 8"},
		{"trombon", "at least 8"},
		{"üüüüüüü", "at least 8"}, // 14 bytes
		{strings.Repeat("x", 257), "at most 256"},
		{"sunshine", "one of the first"},
		{"PassWord123", "one of the first"},
		{"zzzzzzzz", "one of the first"}, // the last line of the list
		{"Ann.Lee.Smith@Example.com", "not your name or e-mail"},
		{"ann.lee.smith", "not your name or e-mail"},
		{"ann lee smith", "not your name or e-mail"},
		{" AnnLeeSmith ", "not your name or e-mail"},
		{"tr0mbone\xff", "damaged"},
	} {
		_, err := ParsePassword(tc.in, ann)
		e, ok := errors.AsType[*FieldError](err)
		if !ok || e.Field != "password" || !strings.Contains(e.Message, tc.words) || e.Suggestion != "" {
			t.Errorf("ParsePassword(%q): %#v, want %q and no suggestion", tc.in, err, tc.words)
			continue
		}
		if tc.in != "" && strings.Contains(e.Error(), tc.in) {
			t.Errorf("ParsePassword(%q): the error repeats the password", tc.in)
		}
	}
	if _, err := ParsePassword("tr0mbone", Account{}); err != nil {
		t.Errorf("ParsePassword without an account: %v", err)
	}
}

// A line that could never match would guard nothing.
func TestCommonPasswordsCanMatch(t *testing.T) {
	n := 0
	for line := range strings.Lines(commonPasswords) {
		s, ended := strings.CutSuffix(line, "\n")
		if !ended || utf8.RuneCountInString(s) < PasswordMin || s != strings.ToLower(strings.TrimSpace(s)) {
			t.Errorf("the list has %q", line)
		}
		n++
	}
	if n < 200 {
		t.Errorf("the list has %d passwords, want 200 at least", n)
	}
}

func TestCountries(t *testing.T) {
	all := Countries()
	if len(all) != 249 {
		t.Errorf("%d countries, want the 249 of ISO 3166-1", len(all))
	}
	plain := strings.NewReplacer("Å", "A", "ô", "o", "ç", "c", "é", "e", "ü", "u")
	byName := func(a, b Country) int {
		return strings.Compare(strings.ToLower(plain.Replace(a.Name)), strings.ToLower(plain.Replace(b.Name)))
	}
	if !slices.IsSortedFunc(all, byName) {
		t.Error("the countries are not sorted by name")
	}
	seen := map[string]bool{}
	for _, c := range all {
		if len(c.Code) != 2 || strings.ToUpper(c.Code) != c.Code || c.Name == "" || seen[c.Code] || seen[c.Name] {
			t.Errorf("country %+v", c)
		}
		seen[c.Code], seen[c.Name] = true, true
	}
	if !slices.Contains(all, Country{"CI", "Côte d’Ivoire"}) || !slices.Contains(all, Country{"US", "United States"}) {
		t.Error("a country is missing")
	}
}

func TestParseCountry(t *testing.T) {
	for in, want := range map[string]string{"DE": "DE", " us ": "US", "Ci": "CI"} {
		if got, err := ParseCountry(in); err != nil || got != want {
			t.Errorf("ParseCountry(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for in, suggestion := range map[string]string{"": "", "XX": "", "UK": "", "DEU": "", "germany": "DE", "Å": ""} {
		_, err := ParseCountry(in)
		e, ok := errors.AsType[*FieldError](err)
		if !ok || e.Field != "country" || e.Suggestion != suggestion {
			t.Errorf("ParseCountry(%q): %#v, want suggestion %q", in, err, suggestion)
		}
	}
}
