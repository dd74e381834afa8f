package account

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names of the fields, as the forms send them.
const (
	FieldEmail      = "email"
	FieldName       = "name"
	FieldPassword   = "password"
	FieldPostalCode = "postal_code"
	FieldCompany    = "company"
	FieldCountry    = "country"
)

// Limits of the fields in characters, for the forms to state.
const (
	NameMax       = 100
	CompanyMax    = 100
	PostalCodeMax = 20
	PasswordMin   = 8
	PasswordMax   = 256
)

// FieldError says what is wrong with what a person typed: Message tells what to write
// instead, and Suggestion, unless it is empty, is a value that would be accepted.
type FieldError struct {
	Field      string
	Message    string
	Suggestion string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// ParseName reads a person's name. People's names have no grammar: whatever can be
// seen on one line will do.
func ParseName(s string) (string, error) {
	return parseLine(FieldName, "your name", NameMax, s)
}

// ParseCompany reads the name of the company that a developer account is for.
func ParseCompany(s string) (string, error) {
	return parseLine(FieldCompany, "the name of your company, or your own", CompanyMax, s)
}

func parseLine(field, what string, limit int, s string) (string, error) {
	s = strings.TrimSpace(s)
	refuse := func(format string, args ...any) (string, error) {
		return "", &FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case s == "":
		return refuse("Enter %s.", what)
	case !utf8.ValidString(s):
		return refuse("Enter %s as ordinary text; some characters arrived damaged.", what)
	case utf8.RuneCountInString(s) > limit:
		return refuse("Enter %s in at most %d characters; this has %d.", what, limit, utf8.RuneCountInString(s))
	case strings.ContainsFunc(s, unfitForLine):
		return "", &FieldError{
			Field:      field,
			Message:    fmt.Sprintf("Enter %s on one line, without control characters.", what),
			Suggestion: fitForLine(s),
		}
	case !strings.ContainsFunc(s, visible):
		return refuse("Enter %s with characters that can be seen.", what)
	}
	return s, nil
}

// unfitForLine tells which characters could disturb the line that they are shown in:
// controls, line breaks, and those that change the direction of the text around them,
// with which a name on the consent page could rewrite the sentence that it stands in.
func unfitForLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

func fitForLine(s string) string {
	spaced := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unfitForLine(r):
			return -1
		}
		return r
	}, s)
	fit := strings.Join(strings.Fields(spaced), " ")
	if !strings.ContainsFunc(fit, visible) {
		return ""
	}
	return fit
}

func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.IsMark(r)
}

// ParsePostalCode reads a postal code of any country; it may be left empty.
func ParsePostalCode(s string) (string, error) {
	s = strings.TrimSpace(s)
	refuse := func(suggestion, format string, args ...any) (string, error) {
		return "", &FieldError{Field: FieldPostalCode, Message: fmt.Sprintf(format, args...), Suggestion: suggestion}
	}
	kept := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (isAlphanumeric(byte(r)) || r == ' ' || r == '-') {
			return r
		}
		return -1
	}, s)
	core := strings.Trim(kept, " -")
	switch {
	case kept != s:
		if len(core) > PostalCodeMax {
			core = ""
		}
		return refuse(core, "Use letters a–z, digits, spaces and hyphens only, such as 98109 or SW1A 1AA.")
	case len(s) > PostalCodeMax:
		return refuse("", "Enter a postal code of at most %d characters.", PostalCodeMax)
	case s != "" && core == "":
		return refuse("", "Enter your postal code, such as 98109, or leave the field empty.")
	}
	return s, nil
}

//go:embed common_passwords.txt
var commonPasswords string

// ParsePassword reads a new password of the account that a describes (only its e-mail
// and name matter). It is taken as typed, spaces included, and judged as NIST SP
// 800-63B section 5.1.1.2 asks: by its length and by whether it is one of the first
// that anyone would try, not by kinds of characters.
func ParsePassword(s string, a Account) (string, error) {
	refuse := func(format string, args ...any) (string, error) {
		return "", &FieldError{Field: FieldPassword, Message: fmt.Sprintf(format, args...)}
	}
	n := utf8.RuneCountInString(s)
	switch {
	case s == "":
		return refuse("Choose a password of at least %d characters. Some words in a row are easy to remember.", PasswordMin)
	case !utf8.ValidString(s):
		return refuse("Type the password again; some characters arrived damaged.")
	case n < PasswordMin:
		return refuse("Choose a longer password: at least %d characters. Some words in a row are easy to remember.", PasswordMin)
	case n > PasswordMax:
		return refuse("Choose a shorter password: at most %d characters.", PasswordMax)
	case isOwnData(s, a):
		return refuse("Choose a password that is not your name or e-mail address; others know those.")
	case isCommonPassword(s):
		return refuse("Choose another password: this is one of the first that anyone would try.")
	}
	return s, nil
}

func isCommonPassword(s string) bool {
	s = strings.ToLower(s)
	for line := range strings.Lines(commonPasswords) {
		if strings.TrimSuffix(line, "\n") == s {
			return true
		}
	}
	return false
}

func isOwnData(s string, a Account) bool {
	local, _, _ := strings.Cut(a.Email, "@")
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for _, own := range []string{a.Email, local, a.Name, squeeze(a.Name)} {
		if own != "" && strings.EqualFold(strings.TrimSpace(s), own) {
			return true
		}
	}
	return false
}
